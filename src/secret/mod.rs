//! Text that must never be seen: passwords, API secrets, tokens.
//!
//! Invariant: nothing that prints or serialises shows the text (`Debug` and `Display` say `[hidden]`, and there is no other
//! way to write it down); it leaves only through [`Secret::expose`], and its memory is wiped when it is dropped. This module
//! never stores or logs a secret. What the operating system keeps of it (the environment of a process, a file) is not
//! in its hands.

mod forms;

use std::fmt;

use zeroize::Zeroizing;

/// What stands where a secret would be printed.
pub const HIDDEN: &str = "[hidden]";

/// A secret. `Debug` and `Display` print `[hidden]`; dropping it wipes it. It cannot be serialised:
///
/// ```compile_fail,E0277
/// let secret = continuous_producer::secret::Secret::new("hunter2".to_owned());
/// let _ = serde_json::to_string(&secret);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes charge of `text`.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// `text` with `[hidden]` wherever the secret stands in it: for the words of whoever was sent it. It is found too where it is
    /// escaped (as in JSON, twice as well, or HTML), percent-encoded, as in a form, in hex, or anywhere in what is in base64; a
    /// very short one where it is escaped only.
    pub fn hidden_in(&self, text: &str) -> String {
        forms::hidden(&self.0, text)
    }

    /// The text itself, for the one place that has to send it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(
            format!("{secret} {secret:?} {secret:#?}"),
            "[hidden] [hidden] [hidden]"
        );
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(secret.hidden_in("no hunter2!"), "no [hidden]!");
        assert_eq!(Secret::new(String::new()).hidden_in("ab"), "ab");
    }

    #[test]
    fn a_secret_is_hidden_however_often_it_was_escaped() {
        let text = r#"a"b\c"#;
        let once = serde_json::to_string(text).unwrap();
        let secret = Secret::new(text.to_owned());
        for words in [text.to_owned(), once.clone(), format!("{once:?}")] {
            let hidden = secret.hidden_in(&words);
            assert_eq!(hidden.trim_matches(['"', '\\']), HIDDEN, "{words}");
        }
    }
}
