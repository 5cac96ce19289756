//! One exchange of a mechanism, server's side: messages in, challenges or a verdict out.
//!
//! Knows no connection and no session. [`Step`] tells apart what Kafka gives a reason for and what it does not.

use std::time::Instant;

use super::bearer::Bearer;
use super::scram::{Hash, SaltedOf, Scram};
use crate::broker::Shared;
use crate::security::{Mechanism, Sasl, ScramLie};
use crate::tokens::Token;

/// Kafka's words.
pub(crate) const OTHER_AUTHORIZATION_ID: &str =
    "Authentication failed: Client requested an authorization id that is different from username";

/// An exchange that has begun.
pub(crate) enum Exchange {
    Plain,
    Scram(Scram),
    Bearer(Bearer),
}

/// One step of an exchange.
pub(crate) enum Step {
    Challenge(Vec<u8>),
    Done(Done),
    /// Kafka gives this reason.
    Refused(String),
    /// Kafka gives no reason beyond the credentials being invalid.
    Invalid,
    /// The same, and no client should have said it.
    Malformed(&'static str),
}

/// A complete exchange.
pub(crate) struct Done {
    pub(crate) user: String,
    /// The server's last words to the client.
    pub(crate) last: Vec<u8>,
    pub(crate) extensions: Vec<(String, String)>,
    /// When the credential itself is over.
    pub(crate) expires: Option<Instant>,
}

impl Done {
    pub(crate) fn new(user: &str) -> Self {
        Self {
            user: user.to_owned(),
            last: Vec::new(),
            extensions: Vec::new(),
            expires: None,
        }
    }
}

/// What the cluster knows.
pub(crate) struct Known<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) sasl: &'a Sasl,
}

impl Known<'_> {
    pub(crate) fn password(&self, user: &str) -> Option<String> {
        self.shared.lock().passwords.get(user).cloned()
    }

    pub(crate) fn scram_lie(&self) -> Option<ScramLie> {
        self.shared.lock().scram_lie
    }

    /// A salted password, derived unless it was before.
    pub(crate) fn salted(
        &self,
        of: SaltedOf,
        derive: impl FnOnce(&SaltedOf) -> Vec<u8>,
    ) -> Vec<u8> {
        if let Some(salted) = self.shared.lock().salted.get(&of) {
            return salted.clone();
        }
        let salted = derive(&of);
        self.shared.lock().salted.insert(of, salted.clone());
        salted
    }

    pub(crate) fn token(&self, text: &str) -> Option<Token> {
        self.sasl.tokens.find(text)
    }
}

impl Exchange {
    pub(crate) fn of(mechanism: Mechanism) -> Self {
        match mechanism {
            Mechanism::Plain => Self::Plain,
            Mechanism::ScramSha256 => Self::Scram(Scram::new(Hash::Sha256)),
            Mechanism::ScramSha512 => Self::Scram(Scram::new(Hash::Sha512)),
            Mechanism::OAuthBearer => Self::Bearer(Bearer::default()),
        }
    }

    pub(crate) fn step(&mut self, bytes: &[u8], known: &Known<'_>) -> Step {
        match self {
            Self::Plain => plain(bytes, known),
            Self::Scram(scram) => scram.step(bytes, known),
            Self::Bearer(bearer) => bearer.step(bytes, known),
        }
    }
}

/// `PLAIN` (RFC 4616), as Kafka's `PlainSaslServer` does it.
fn plain(bytes: &[u8], known: &Known<'_>) -> Step {
    let Ok(message) = str::from_utf8(bytes) else {
        return Step::Malformed("a PLAIN message that is not UTF-8");
    };
    let parts: Vec<&str> = message.split('\0').collect();
    let [authorization, user, password] = parts[..] else {
        return Step::Malformed("a PLAIN message that has not three parts");
    };
    let refused = |reason: &str| Step::Refused(format!("Authentication failed: {reason}"));
    if user.is_empty() {
        return refused("username not specified");
    }
    if password.is_empty() {
        return refused("password not specified");
    }
    if known.password(user).as_deref() != Some(password) {
        return refused("Invalid username or password");
    }
    if !authorization.is_empty() && authorization != user {
        return Step::Refused(OTHER_AUTHORIZATION_ID.to_owned());
    }
    Step::Done(Done::new(user))
}
