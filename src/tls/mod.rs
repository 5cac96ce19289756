//! What is trusted on encrypted connections, and who we are there: one configuration for brokers, registry and token endpoint.
//!
//! TLS 1.2 and 1.3 by rustls, with graviola's cryptography: no C, no assembler to install. Invariant: once built, a [`TlsConfig`]
//! works: its files were certificates and a key, the key fits the certificate, and the processor can do it. The peer's
//! certificate and host name are always verified; there is no switch for it. Sessions are resumed by all who share the
//! configuration; no application protocol (ALPN) is offered; the name is told (SNI) if it is one and not an address.
//!
//! This module never opens a socket or a file, and shows nothing of a key.

pub mod pem;
mod words;

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, Error, RootCertStore};

use crate::crypto;
use pem::Identity;

pub use words::{Names, explain, is_refusal};

/// See the module. Clones share one configuration, and so its sessions.
#[derive(Clone)]
pub struct TlsConfig {
    client: Arc<ClientConfig>,
    has_identity: bool,
}

/// Whom to believe who a peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Mozilla's, built in, for hosts without a bundle of their own.
    BuiltIn,
    /// These authorities and no other.
    Given(Vec<CertificateDer<'static>>),
    /// Mozilla's and these, for a peer that may be a public one as well as one's own.
    BuiltInAnd(Vec<CertificateDer<'static>>),
}

/// Why there can be no configuration. `Display` is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsConfigError {
    /// The processor cannot do it.
    Processor(crypto::MissingInstructions),
    /// An authority's certificate is none.
    Roots(String),
    /// The client certificate is none.
    Certificate(String),
    /// Its key cannot be used, or is that of another.
    Key(String),
}

impl TlsConfig {
    /// A configuration that trusts `roots`, and shows `identity` to peers that ask for a certificate.
    ///
    /// # Errors
    /// When the processor lacks instructions, a root is no certificate, or the key is not the certificate's.
    pub fn new(roots: &Roots, identity: Option<&Identity>) -> Result<Self, TlsConfigError> {
        crypto::check_processor().map_err(TlsConfigError::Processor)?;
        let provider = Arc::new(rustls_graviola::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsConfigError::Roots(error.to_string()))?
            .with_root_certificates(store(roots)?);
        let client = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(|error| match error {
                    Error::InvalidCertificate(_) => TlsConfigError::Certificate(
                        "holds no X.509 certificate, or a damaged one".to_owned(),
                    ),
                    error => TlsConfigError::Key(words::of_key(&error)),
                })?,
        };
        Ok(Self {
            client: Arc::new(client),
            has_identity: identity.is_some(),
        })
    }

    /// As it is, for tests of what no configuration of ours does.
    #[cfg(test)]
    pub(crate) fn of(client: ClientConfig) -> Self {
        Self {
            client: Arc::new(client),
            has_identity: false,
        }
    }

    /// For the connections that are made with it, to brokers and over HTTP alike.
    pub fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.client)
    }

    /// Whether there is a client certificate to show.
    pub fn has_identity(&self) -> bool {
        self.has_identity
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig")
            .field("has_identity", &self.has_identity)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for TlsConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Processor(missing) => missing.fmt(f),
            Self::Roots(words) | Self::Certificate(words) | Self::Key(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for TlsConfigError {}

fn store(roots: &Roots) -> Result<RootCertStore, TlsConfigError> {
    let (mut store, certificates) = match roots {
        Roots::BuiltIn => return Ok(built_in()),
        Roots::Given(certificates) => (RootCertStore::empty(), certificates),
        Roots::BuiltInAnd(certificates) => (built_in(), certificates),
    };
    for (number, certificate) in (1..).zip(certificates) {
        store.add(certificate.clone()).map_err(|_| {
            TlsConfigError::Roots(format!(
                "certificate {number} of the file is not an X.509 certificate"
            ))
        })?;
    }
    Ok(store)
}

fn built_in() -> RootCertStore {
    RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }
}
