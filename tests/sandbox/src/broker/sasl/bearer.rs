//! `OAUTHBEARER`'s server side (RFC 7628), as Kafka's `OAuthBearerSaslServer` does it.
//!
//! A token that is not known is answered with a challenge that says so; the client acknowledges it with one `\x01` byte, and
//! only then is refused. Tokens are looked up, never read.

use super::exchange::{Done, Known, OTHER_AUTHORIZATION_ID, Step};
use super::scram::sasl_name;

/// What separates and ends the parts of a message.
const SEPARATOR: char = '\x01';
/// The client's answer to a challenge.
const ACKNOWLEDGED: &[u8] = b"\x01";
/// The challenge.
const INVALID_TOKEN: &str = r#"{"status":"invalid_token"}"#;

/// An exchange.
#[derive(Default)]
pub(crate) struct Bearer {
    challenged: bool,
}

impl Bearer {
    pub(crate) fn step(&mut self, bytes: &[u8], known: &Known<'_>) -> Step {
        if self.challenged {
            return match bytes {
                ACKNOWLEDGED => Step::Refused(INVALID_TOKEN.to_owned()),
                _ => Step::Malformed("something else than \\x01 after the challenge"),
            };
        }
        let Some(first) = str::from_utf8(bytes).ok().and_then(First::parse) else {
            return Step::Malformed("a malformed OAUTHBEARER message");
        };
        let Some(token) = known.token(first.token) else {
            self.challenged = true;
            return Step::Challenge(INVALID_TOKEN.as_bytes().to_vec());
        };
        if first.authorization.is_some_and(|id| id != token.subject) {
            return Step::Refused(OTHER_AUTHORIZATION_ID.to_owned());
        }
        Step::Done(Done {
            extensions: first.extensions,
            expires: Some(token.expires),
            ..Done::new(&token.subject)
        })
    }
}

/// `n,[a=NAME],^Aauth=Bearer TOKEN^A[KEY=VALUE^A…]^A`
struct First<'a> {
    authorization: Option<String>,
    token: &'a str,
    extensions: Vec<(String, String)>,
}

impl<'a> First<'a> {
    fn parse(message: &'a str) -> Option<Self> {
        let (authorization, rest) = message.strip_prefix("n,")?.split_once(',')?;
        let authorization = match authorization {
            "" => None,
            id => Some(sasl_name(id.strip_prefix("a=")?)?),
        };
        let pairs = rest
            .strip_prefix(SEPARATOR)?
            .strip_suffix("\x01\x01")?
            .split(SEPARATOR)
            .map(|pair| pair.split_once('='))
            .collect::<Option<Vec<_>>>()?;
        let (mut token, mut extensions) = (None, Vec::new());
        for (key, value) in pairs {
            // KIP-342 for the extensions.
            if key.is_empty() || !key.bytes().all(|letter| letter.is_ascii_alphabetic()) {
                return None;
            }
            match key {
                "auth" => {
                    let (scheme, text) = value.split_once(' ')?;
                    let fits = scheme.eq_ignore_ascii_case("bearer") && token.is_none();
                    token = fits.then_some(text);
                    token?;
                }
                _ => extensions.push((key.to_owned(), value.to_owned())),
            }
        }
        Some(Self {
            authorization,
            token: token.filter(|text| !text.is_empty())?,
            extensions,
        })
    }
}
