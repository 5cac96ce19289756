//! What was wrong with the settings: every mistake, one line each.
//!
//! Invariant: a line names the setting as the user gave it, the value, what is allowed and, for a near miss, what was
//! probably meant. It holds no secret (whoever builds one leaves secret values out), no control characters, and values
//! are cut to [`SHOWN_VALUE_CHARS_MAX`].

use std::fmt;

use crate::foreign::is_showable;

/// A value longer than this many characters is cut when it is repeated in an error.
pub const SHOWN_VALUE_CHARS_MAX: usize = 120;

/// One mistake; `Display` is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingError {
    subject: String,
    problem: String,
}

impl SettingError {
    /// `subject` is what the user wrote (setting and value, or file and line), `problem` what is wrong with it.
    pub fn new(subject: impl AsRef<str>, problem: impl AsRef<str>) -> Self {
        Self {
            subject: showable(subject.as_ref()),
            problem: showable(problem.as_ref()),
        }
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.problem)
    }
}

impl std::error::Error for SettingError {}

/// Every mistake that was found, in the order of the settings table; `Display` is one line a mistake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsErrors(pub Vec<SettingError>);

impl SettingsErrors {
    /// Whether nothing was wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for SettingsErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsErrors {}

/// A value as an error repeats it: cut, and without what cannot be shown.
pub fn shown(value: &str) -> String {
    let mut text: String = value.chars().take(SHOWN_VALUE_CHARS_MAX).collect();
    if text.len() < value.len() {
        text.push('…');
    }
    showable(&text)
}

/// `text` with everything that cannot be shown (a line break, an escape sequence's start) replaced.
fn showable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if is_showable(c) {
                c
            } else {
                char::REPLACEMENT_CHARACTER
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_one_line_whatever_the_user_typed() {
        let error = SettingError::new(
            format!("KAFKA_TOPIC={}", shown("a\nb\x1b[31m")),
            "no\r\u{202e}good",
        );
        assert_eq!(
            error.to_string(),
            "KAFKA_TOPIC=a\u{fffd}b\u{fffd}[31m: no\u{fffd}\u{fffd}good"
        );
        assert_eq!(
            shown(&"é".repeat(500)).chars().count(),
            SHOWN_VALUE_CHARS_MAX + 1
        );
    }

    #[test]
    fn each_mistake_has_its_line() {
        let errors = SettingsErrors(vec![
            SettingError::new("A", "x"),
            SettingError::new("B", "y"),
        ]);
        assert_eq!(errors.to_string(), "A: x\nB: y");
    }
}
