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
use rustls::{ClientConfig, RootCertStore};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts};

use crate::crypto;
use pem::Identity;

pub use words::{Names, explain, is_refusal};

/// See the module. Clones share one configuration, and so its sessions.
#[derive(Clone)]
pub struct TlsConfig {
    client: Arc<ClientConfig>,
    http: ureq::tls::TlsConfig,
    has_identity: bool,
}

/// Whom to believe who a peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Mozilla's, built in, for hosts without a bundle of their own.
    BuiltIn,
    /// These authorities and no other.
    Given(Vec<CertificateDer<'static>>),
}

/// Why there can be no configuration. `Display` is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsConfigError {
    /// The processor cannot do it.
    Processor(crypto::MissingInstructions),
    /// An authority's certificate is none.
    Roots(String),
    /// The client certificate, or its key, cannot be used.
    Identity(String),
}

impl TlsConfig {
    /// A configuration that trusts `roots`, and shows `identity` to peers that ask for a certificate.
    ///
    /// # Errors
    /// When the processor lacks instructions, a root is no certificate, or the key is not the certificate's.
    pub fn new(roots: &Roots, identity: Option<&Identity>) -> Result<Self, TlsConfigError> {
        crypto::check_processor().map_err(TlsConfigError::Processor)?;
        let provider = Arc::new(rustls_graviola::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsConfigError::Identity(error.to_string()))?
            .with_root_certificates(store(roots)?);
        let client = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(|error| TlsConfigError::Identity(words::of_identity(&error)))?,
        };
        let http = ureq::tls::TlsConfig::builder()
            .root_certs(http_roots(roots))
            .client_cert(identity.map(http_identity).transpose()?)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        Ok(Self {
            client: Arc::new(client),
            http,
            has_identity: identity.is_some(),
        })
    }

    /// For connections that we make ourselves.
    pub fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.client)
    }

    /// The same for HTTP requests.
    pub fn http(&self) -> ureq::tls::TlsConfig {
        self.http.clone()
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
            Self::Roots(words) | Self::Identity(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for TlsConfigError {}

fn store(roots: &Roots) -> Result<RootCertStore, TlsConfigError> {
    let certificates = match roots {
        Roots::BuiltIn => {
            return Ok(RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            });
        }
        Roots::Given(certificates) => certificates,
    };
    let mut store = RootCertStore::empty();
    for (number, certificate) in (1..).zip(certificates) {
        store.add(certificate.clone()).map_err(|_| {
            TlsConfigError::Roots(format!(
                "certificate {number} of the file is not an X.509 certificate"
            ))
        })?;
    }
    Ok(store)
}

fn http_roots(roots: &Roots) -> RootCerts {
    match roots {
        Roots::BuiltIn => RootCerts::WebPki,
        Roots::Given(certificates) => RootCerts::from(certificates.iter().map(http_certificate)),
    }
}

fn http_certificate(certificate: &CertificateDer<'static>) -> Certificate<'static> {
    Certificate::from_der(certificate).to_owned()
}

fn http_identity(identity: &Identity) -> Result<ClientCert, TlsConfigError> {
    let chain: Vec<Certificate<'static>> = identity.chain.iter().map(http_certificate).collect();
    // ureq takes keys as PEM only.
    let key = PrivateKey::from_pem(identity.key_pem().as_bytes())
        .map_err(|_| TlsConfigError::Identity("the key cannot be used".to_owned()))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}
