//! What a value parser says of a text that it refuses: what is wrong, and what was probably meant.
//!
//! Invariant: a problem never repeats the text itself (it may be a secret); whoever knows the setting adds name, value
//! and what is allowed. A suggestion is made of the text, and is dropped by that caller for secrets.

/// Why a text is not a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A few words, such as `no unit`.
    pub what: String,
    /// What would be accepted and was probably meant.
    pub suggestion: Option<String>,
}

impl Problem {
    /// A problem without a suggestion.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            suggestion: None,
        }
    }

    /// The same with a suggestion.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}
