//! The table: one row a step, printed as soon as it is known.

use std::io::Write;

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Settings,
    Metrics,
    Token,
    NameResolution,
    Tcp,
    Tls,
    Sasl,
    ApiVersions,
    Topic,
    ProducerId,
    Registry,
    Schema,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Step::Settings => "settings",
            Step::Metrics => "metrics",
            Step::Token => "token",
            Step::NameResolution => "name resolution",
            Step::Tcp => "TCP",
            Step::Tls => "TLS",
            Step::Sasl => "SASL",
            Step::ApiVersions => "API versions",
            Step::Topic => "topic",
            Step::ProducerId => "producer id",
            Step::Registry => "registry",
            Step::Schema => "schema",
        }
    }
}

/// See the module.
pub(super) struct Table<W> {
    out: W,
    failed: bool,
}

impl<W: Write> Table<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, failed: false }
    }

    /// Whether no row so far has a ❌.
    pub(super) fn all_hold(&self) -> bool {
        !self.failed
    }

    /// A step that went well.
    pub(super) fn holds(&mut self, step: Step, words: &str) {
        self.row('✅', step, words);
    }

    /// A step that did not. `words` is one line.
    pub(super) fn fails(&mut self, step: Step, words: &str) {
        self.failed = true;
        self.row('❌', step, words);
    }

    /// A step that went one way or the other.
    pub(super) fn tried<T>(
        &mut self,
        step: Step,
        outcome: Result<T, String>,
        words: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        match outcome {
            Ok(value) => {
                self.holds(step, &words(&value));
                Some(value)
            }
            Err(why) => {
                self.fails(step, &why);
                None
            }
        }
    }

    /// A reader that has gone away is no error; the exit code still tells.
    fn row(&mut self, mark: char, step: Step, words: &str) {
        let _ = writeln!(self.out, "{mark} {:<16} {words}", step.name());
        let _ = self.out.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_fails_is_seen_in_the_end() {
        let mut out = Vec::new();
        let mut table = Table::new(&mut out);
        table.holds(Step::NameResolution, "a → 127.0.0.1");
        assert!(table.all_hold());
        let nothing = table.tried(Step::Tcp, Err::<(), _>("refused".to_owned()), |()| {
            String::new()
        });
        assert_eq!(nothing, None);
        table.holds(Step::Schema, "is there");
        assert!(!table.all_hold());
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "✅ name resolution  a → 127.0.0.1\n❌ TCP              refused\n✅ schema           is there\n"
        );
    }
}
