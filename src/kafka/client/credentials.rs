//! Who the client says it is: what every authentication begins with.
//!
//! Invariant: an exchange begins with the newest token, and with a nonce that none before it had. Never sends anything.

use crate::kafka::config::Sasl;
use crate::kafka::sasl::{Exchange, Message, Nonces, SaslError, mechanism};
use crate::secret::Secret;

/// See the module. By default nobody: brokers that demand no authentication.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    sasl: Option<Sasl>,
    token: Option<Secret>,
    nonces: Option<Nonces>,
}

impl Credentials {
    pub(super) fn new(sasl: Option<Sasl>) -> Self {
        Self {
            sasl,
            token: None,
            nonces: None,
        }
    }

    pub(super) fn set_token(&mut self, token: Secret) {
        self.token = Some(token);
    }

    pub(super) fn set_nonces(&mut self, nonces: Nonces) {
        self.nonces = Some(nonces);
    }

    /// By which mechanism to authenticate, if at all.
    pub(super) fn mechanism(&self) -> Option<&'static str> {
        self.sasl.as_ref().map(mechanism)
    }

    /// A new exchange and its first message, if there is to be one.
    pub(super) fn begin(&mut self) -> Option<Result<(Exchange, Message), SaslError>> {
        let sasl = self.sasl.as_ref()?;
        let (nonces, token) = (self.nonces.as_mut(), self.token.as_ref());
        Some(Exchange::begin(sasl, nonces, token))
    }
}
