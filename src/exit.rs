//! How the process ends: the exit codes, and what each says.
//!
//! Invariant: a code is in [`ENDINGS`], from which the manual page and the README's table are made. Nothing here ends anything.

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Every generated message was acknowledged.
    Delivered,
    /// Something was not delivered, or the run could not begin or go on.
    Incomplete,
    /// The settings are wrong; nothing was tried.
    Usage,
    /// A second signal cut the shutdown short; 128 and its number.
    Signal(u8),
}

impl Exit {
    /// The exit code of the process.
    pub fn code(self) -> u8 {
        match self {
            Self::Delivered => 0,
            Self::Incomplete => 1,
            Self::Usage => 2,
            Self::Signal(code) => code,
        }
    }
}

/// What exit codes say, for people.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    codes: &'static [u8],
    /// When the process ends so: a sentence without its capital and its stop, in the README's markup.
    pub when: &'static str,
}

impl Ending {
    /// The codes, separated by commas.
    pub fn codes(&self) -> String {
        let codes: Vec<String> = self.codes.iter().map(u8::to_string).collect();
        codes.join(", ")
    }
}

/// Every way to end.
pub const ENDINGS: [Ending; 4] = [
    Ending {
        codes: &[0],
        when: "every generated message was acknowledged",
    },
    Ending {
        codes: &[1],
        when: "it ran, and something was not delivered, or it could not go on: registry or brokers out of reach at the start for 30 s, \
               authentication or a certificate refused, topic missing, schema incompatible; or `--check` found something wrong",
    },
    Ending {
        codes: &[2],
        when: "the settings are wrong; nothing was tried",
    },
    Ending {
        codes: &[129, 130, 143],
        when: "a second SIGHUP, SIGINT or SIGTERM cut the shutdown short",
    },
];

/// The README's table of them.
pub fn readme_table() -> String {
    let rows = ENDINGS
        .iter()
        .map(|ending| format!("| {} | {} |\n", ending.codes(), ending.when));
    "| exit code | when |\n| --- | --- |\n".to_owned() + &rows.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::shutdown::Signal;

    #[test]
    fn every_exit_code_is_told_and_none_else() {
        let signals = [Signal::HangUp, Signal::Interrupt, Signal::Terminate];
        let signals = signals.map(|signal| Exit::Signal(signal.exit_code()));
        let exits = [Exit::Delivered, Exit::Incomplete, Exit::Usage];
        let codes = exits.into_iter().chain(signals).map(Exit::code);
        let told = ENDINGS.iter().flat_map(|ending| ending.codes);
        assert!(codes.eq(told.copied()));
    }
}
