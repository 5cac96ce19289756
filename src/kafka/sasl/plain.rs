//! `PLAIN` (RFC 4616): user name and password in one message, as they are.
//!
//! Invariant: neither holds the character that separates them. Never hides anything from whoever reads the connection: that
//! is TLS's business.

use super::{Message, SaslError};
use crate::kafka::config::Login;

/// The only message: no authorization identity, user name, password, each behind a NUL but the first.
pub(super) fn message(login: &Login) -> Result<Message, SaslError> {
    let (user, password) = (login.user.as_str(), login.password.expose());
    for (name, text) in [("user name", user), ("password", password)] {
        if text.contains('\0') {
            let why = format!("the {name} holds a NUL character, which PLAIN cannot send");
            return Err(SaslError::Unusable(why));
        }
        if text.is_empty() {
            let why = format!("the {name} is empty, which PLAIN does not allow");
            return Err(SaslError::Unusable(why));
        }
    }
    // As long as it becomes, so that no shorter copy is left behind.
    let mut message = Vec::with_capacity(2 + user.len() + password.len());
    message.push(0);
    message.extend_from_slice(user.as_bytes());
    message.push(0);
    message.extend_from_slice(password.as_bytes());
    Ok(Message::new(message))
}
