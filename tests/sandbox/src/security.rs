//! How a cluster's listeners are secured: Kafka's four security protocols, and what each of them needs.
//!
//! All listeners of a cluster are secured alike. The default is PLAINTEXT.

use crate::tls::Tls;

/// A security protocol with its options.
#[derive(Debug, Clone, Default)]
pub struct Security {
    pub(crate) tls: Option<Tls>,
}

impl Security {
    /// PLAINTEXT: in the clear, for everybody.
    pub fn plaintext() -> Self {
        Self::default()
    }

    /// SSL: TLS, without SASL.
    pub fn ssl() -> Self {
        Self {
            tls: Some(Tls::default()),
        }
    }

    /// Encrypts, and says how: `SSL` from `PLAINTEXT`, `SASL_SSL` from `SASL_PLAINTEXT`.
    #[must_use]
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls) }
    }
}
