//! `OAUTHBEARER` (RFC 7628): a token that somebody else obtained, with SASL extensions (KIP-255, KIP-342).
//!
//! A server that does not take the token says why in JSON, and awaits one more byte before it ends the exchange. Invariant:
//! names and values hold nothing that could end them early. Never looks into a token.

use super::{Message, SaslError, Step, shown};
use crate::secret::Secret;

/// Separates and ends the fields.
const END: u8 = 1;

/// The first message.
pub(super) fn message(
    token: &Secret,
    extensions: &[(String, String)],
) -> Result<Message, SaslError> {
    let token = token.expose();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let why = "the OAuth token is empty, or holds characters that no token has";
        return Err(SaslError::Unusable(why.to_owned()));
    }
    for (name, value) in extensions {
        check_extension(name, value)?;
    }
    let (header, scheme) = (b"n,,\x01auth=", b"Bearer ");
    let extension_bytes: usize = extensions
        .iter()
        .map(|(name, value)| name.len() + value.len() + 2)
        .sum();
    let bytes = header.len() + scheme.len() + token.len() + extension_bytes + 2;
    // As long as it becomes, so that no shorter copy is left behind.
    let mut message = Vec::with_capacity(bytes);
    message.extend_from_slice(header);
    message.extend_from_slice(scheme);
    message.extend_from_slice(token.as_bytes());
    message.push(END);
    for (name, value) in extensions {
        message.extend_from_slice(name.as_bytes());
        message.push(b'=');
        message.extend_from_slice(value.as_bytes());
        message.push(END);
    }
    message.push(END);
    Ok(Message::new(message))
}

/// Names are letters (`key`), values are visible characters, spaces and line ends (`value`): RFC 7628, section 3.1.
fn check_extension(name: &str, value: &str) -> Result<(), SaslError> {
    let why = if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        "its name must be of the letters A-Z and a-z"
    } else if name.eq_ignore_ascii_case("auth") {
        "its name is the token's own"
    } else if value.is_empty()
        || !value
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || b" \t\r\n".contains(&byte))
    {
        "its value must be of printable ASCII characters"
    } else {
        return Ok(());
    };
    let name = shown(name);
    let why = format!("the SASL extension {name:?} cannot be sent: {why}");
    Err(SaslError::Unusable(why))
}

/// The exchange after the first message.
#[derive(Default)]
pub(super) struct OAuthBearer {
    /// Why the server does not take the token.
    refusal: Option<String>,
}

impl OAuthBearer {
    /// Why the server does not take the token, if it said so.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    pub(super) fn step(&mut self, challenge: &[u8]) -> Result<Step, SaslError> {
        if let Some(refusal) = &self.refusal {
            return Err(SaslError::Refused(refusal.clone()));
        }
        if challenge.is_empty() {
            return Ok(Step::Done);
        }
        self.refusal = Some(refusal_of(challenge));
        Ok(Step::Send(Message::new(vec![END])))
    }
}

/// The status in the server's JSON (RFC 7628, section 3.2.2), or all of it where it has none.
fn refusal_of(challenge: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(challenge).ok();
    let member = |name: &str| json.as_ref()?.get(name)?.as_str().map(str::to_owned);
    match (member("status"), member("scope")) {
        (Some(status), Some(scope)) => format!("{status}, scope {scope}"),
        (Some(status), None) => status,
        (None, _) => String::from_utf8_lossy(challenge).into_owned(),
    }
}
