//! How a cluster's listeners are secured: Kafka's four security protocols, and what each of them needs.
//!
//! All listeners of a cluster are secured alike. The default is `PLAINTEXT`; with SASL, every mechanism is enabled until a
//! list says otherwise. Passwords can change while the cluster runs, by [`crate::Sandbox::set_password`].

use std::collections::HashMap;
use std::time::Duration;

use crate::tls::Tls;
use crate::tokens::Tokens;

/// A security protocol with its options.
#[derive(Debug, Clone, Default)]
pub struct Security {
    pub(crate) tls: Option<Tls>,
    pub(crate) sasl: Option<Sasl>,
}

/// Who is let in, and how.
#[derive(Debug, Clone)]
pub(crate) struct Sasl {
    pub(crate) mechanisms: Vec<Mechanism>,
    pub(crate) users: Vec<(String, String)>,
    pub(crate) tokens: Tokens,
    pub(crate) session_lifetime: Option<Duration>,
}

/// A SASL mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// `PLAIN` (RFC 4616).
    Plain,
    /// `SCRAM-SHA-256` (RFC 7677).
    ScramSha256,
    /// `SCRAM-SHA-512`.
    ScramSha512,
    /// `OAUTHBEARER` (RFC 7628, KIP-255).
    OAuthBearer,
}

/// What a server that is not the right one, or means no good, does in SCRAM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScramLie {
    /// Its signature is not the one that only a server with the password's keys can make.
    WrongSignature,
    /// Its nonce does not begin with the client's.
    ForeignNonce,
    /// It asks for so many iterations, which may be too few or too many.
    Iterations(u32),
}

impl Security {
    /// `PLAINTEXT`: in the clear, for everybody.
    pub fn plaintext() -> Self {
        Self::default()
    }

    /// `SSL`: TLS, without SASL.
    pub fn ssl() -> Self {
        Self::plaintext().tls(Tls::default())
    }

    /// `SASL_PLAINTEXT`: SASL in the clear.
    pub fn sasl_plaintext() -> Self {
        Self::plaintext().sasl(|_| ())
    }

    /// `SASL_SSL`: SASL within TLS.
    pub fn sasl_ssl() -> Self {
        Self::ssl().sasl(|_| ())
    }

    /// Encrypts, and says how: `SSL` from `PLAINTEXT`, `SASL_SSL` from `SASL_PLAINTEXT`.
    #[must_use]
    pub fn tls(self, tls: Tls) -> Self {
        Self {
            tls: Some(tls),
            ..self
        }
    }

    /// Knows a user, by `PLAIN` and SCRAM. This and what follows switches SASL on.
    #[must_use]
    pub fn user(self, name: &str, password: &str) -> Self {
        self.sasl(|sasl| sasl.users.push((name.to_owned(), password.to_owned())))
    }

    /// Enables these mechanisms and no others.
    #[must_use]
    pub fn mechanisms(self, mechanisms: &[Mechanism]) -> Self {
        self.sasl(|sasl| sasl.mechanisms = mechanisms.to_vec())
    }

    /// Lets in by `OAUTHBEARER` who has one of these tokens.
    #[must_use]
    pub fn tokens(self, tokens: &Tokens) -> Self {
        self.sasl(|sasl| sasl.tokens = tokens.clone())
    }

    /// Ends sessions that are older and not authenticated again (KIP-368, a broker's `connections.max.reauth.ms`).
    #[must_use]
    pub fn session_lifetime(self, lifetime: Duration) -> Self {
        self.sasl(|sasl| sasl.session_lifetime = Some(lifetime))
    }

    /// The protocol's name, as Kafka's `security.protocol` takes it.
    pub fn protocol(&self) -> &'static str {
        match (&self.tls, &self.sasl) {
            (None, None) => "PLAINTEXT",
            (Some(_), None) => "SSL",
            (None, Some(_)) => "SASL_PLAINTEXT",
            (Some(_), Some(_)) => "SASL_SSL",
        }
    }

    pub(crate) fn passwords(&self) -> HashMap<String, String> {
        let sasl = self.sasl.iter();
        sasl.flat_map(|sasl| sasl.users.iter().cloned()).collect()
    }

    fn sasl(mut self, change: impl FnOnce(&mut Sasl)) -> Self {
        change(self.sasl.get_or_insert_with(|| Sasl {
            mechanisms: Mechanism::ALL.to_vec(),
            users: Vec::new(),
            tokens: Tokens::new(),
            session_lifetime: None,
        }));
        self
    }
}

impl Mechanism {
    /// Every one.
    pub const ALL: [Self; 4] = [
        Self::Plain,
        Self::ScramSha256,
        Self::ScramSha512,
        Self::OAuthBearer,
    ];

    /// Its name in the protocol.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OAuthBearer => "OAUTHBEARER",
        }
    }
}
