//! How a client proves who it is (SASL, RFC 4422): `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` and `OAUTHBEARER` as steps of
//! challenge and response.
//!
//! ```text
//!  Exchange::begin ──first message──▶ server ──challenge──▶ Exchange::step ─▶ Send(next message) | Done
//! ```
//!
//! Whoever has a connection carries the messages: `SaslHandshake` names the [`mechanism`], then each message travels in a
//! `SaslAuthenticate` request, and the answer's `auth_bytes` are the challenge.
//!
//! Invariant: [`Step::Done`] comes only after the server did all that the mechanism demands of it, and no error, message or
//! `Debug` shows a secret, not even one that the server repeats. This room never touches a socket, a clock or a thread, and
//! draws no random numbers: what nonces are made of is an argument.

mod error;
mod message;
mod nonce;
mod oauthbearer;
mod plain;
mod scram;

use std::fmt;

pub use error::SaslError;
pub use message::Message;
pub use nonce::Nonces;

use super::config::{Sasl, ScramHash};
use crate::foreign::{is_showable, shown};
use crate::secret::Secret;
use oauthbearer::OAuthBearer;
use scram::Scram;

/// A longer challenge is not looked at. The longest that is of use, an error of `OAUTHBEARER`, has some hundred bytes.
const CHALLENGE_BYTES_MAX: usize = 16 << 10;

/// The name under which a mechanism is registered, and which `SaslHandshake` carries.
pub fn mechanism(sasl: &Sasl) -> &'static str {
    match sasl {
        Sasl::Plain(_) => "PLAIN",
        Sasl::Scram(ScramHash::Sha256, _) => "SCRAM-SHA-256",
        Sasl::Scram(ScramHash::Sha512, _) => "SCRAM-SHA-512",
        Sasl::OAuthBearer { .. } => "OAUTHBEARER",
    }
}

/// One authentication that is under way. See the module.
pub struct Exchange {
    mechanism: &'static str,
    secret: Secret,
    state: State,
}

enum State {
    /// Everything is sent.
    Plain,
    Scram(Scram),
    OAuthBearer(OAuthBearer),
}

/// What to do after a challenge.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this, and await another challenge.
    Send(Message),
    /// The client is authenticated.
    Done,
}

impl Exchange {
    /// Begins, with the first message. Only SCRAM draws a nonce, and only `OAUTHBEARER` needs a token.
    ///
    /// # Errors
    /// [`SaslError::NoNonce`], [`SaslError::NoToken`], and [`SaslError::Unusable`] when the mechanism cannot carry what it
    /// was given.
    pub fn begin(
        sasl: &Sasl,
        nonces: Option<&mut Nonces>,
        token: Option<&Secret>,
    ) -> Result<(Self, Message), SaslError> {
        let (secret, state, first) = match sasl {
            Sasl::Plain(login) => (&login.password, State::Plain, plain::message(login)?),
            Sasl::Scram(hash, login) => {
                let nonce = nonces.ok_or(SaslError::NoNonce)?.draw();
                let (scram, first) = Scram::begin(*hash, login, &nonce)?;
                (&login.password, State::Scram(scram), first)
            }
            Sasl::OAuthBearer { extensions } => {
                let token = token.ok_or(SaslError::NoToken)?;
                let first = oauthbearer::message(token, extensions)?;
                (token, State::OAuthBearer(OAuthBearer::default()), first)
            }
        };
        let exchange = Self {
            mechanism: mechanism(sasl),
            secret: secret.clone(),
            state,
        };
        Ok((exchange, first))
    }

    /// The mechanism's name.
    pub fn mechanism(&self) -> &'static str {
        self.mechanism
    }

    /// Answers a challenge.
    ///
    /// # Errors
    /// [`SaslError::Refused`] when the challenge says so, [`SaslError::Distrusted`] when it is not what the mechanism demands
    /// of a server that is what it claims to be. The exchange is over then.
    pub fn step(&mut self, challenge: &[u8]) -> Result<Step, SaslError> {
        if challenge.len() > CHALLENGE_BYTES_MAX {
            let what = format!("it sent a challenge of {} bytes", challenge.len());
            return Err(SaslError::Distrusted(what));
        }
        let outcome = match &mut self.state {
            // RFC 4616 knows no challenge: whatever a success carries means nothing.
            State::Plain => Ok(Step::Done),
            State::Scram(scram) => scram.step(challenge),
            State::OAuthBearer(bearer) => bearer.step(challenge),
        };
        outcome.map_err(|error| match error {
            SaslError::Refused(words) => self.refused(Some(&words)),
            other => other,
        })
    }

    /// What it means that the server ends the exchange, with its own words if it has any.
    pub fn refused(&self, words: Option<&str>) -> SaslError {
        let already = match &self.state {
            State::OAuthBearer(bearer) => bearer.refusal(),
            State::Plain | State::Scram(_) => None,
        };
        let (already, words) = (
            already.map(|words| self.without_secret(words)),
            words.map(|words| self.without_secret(words)),
        );
        let words = match (already, words) {
            (Some(already), Some(words)) if !words.contains(&already) => {
                format!("{words} ({already})")
            }
            (Some(already), None) => already,
            (_, words) => words.unwrap_or_default(),
        };
        SaslError::Refused(shown(&words))
    }

    /// A server's words, without the secret if it repeats that, in whole or with what is not shown in between.
    fn without_secret(&self, words: &str) -> String {
        let words = self.secret.hidden_in(words);
        let secret = Secret::new(showable(self.secret.expose()).collect());
        let words: String = showable(&words).collect();
        secret.hidden_in(&words)
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("mechanism", &self.mechanism)
            .finish_non_exhaustive()
    }
}

fn showable(words: &str) -> impl Iterator<Item = char> {
    words.chars().filter(|&c| is_showable(c))
}

#[cfg(test)]
mod tests;
