//! The PEM files that settings name, and the configurations of TLS that they make.
//!
//! Invariant: after `read_tls` there is a configuration for every peer that is spoken to over TLS, or a recorded
//! mistake that names the setting and its file, and nothing of the file's content. Peers that trust the same share one
//! configuration, and so its sessions. Files that nobody needs are not read.

use std::path::Path;

use rustls::pki_types::CertificateDer;

use super::choice::SecurityProtocol;
use super::file::read_bounded;
use super::meaning::Resolved;
use super::setting::Id;
use crate::crypto;
use crate::tls::pem::{self, Identity};
use crate::tls::{Roots, TlsConfig, TlsConfigError};

/// Largest PEM file; bundles of all public authorities have about a quarter of it.
pub const PEM_FILE_BYTES_MAX: u64 = 1 << 20;

/// How each peer is spoken to over TLS, if it is.
#[derive(Debug, Default)]
pub struct Encryption {
    /// Brokers.
    pub kafka: Option<TlsConfig>,
    /// The Schema Registry.
    pub registry: Option<TlsConfig>,
    /// The token endpoint.
    pub token: Option<TlsConfig>,
}

/// A file has been found wrong, and that has been recorded.
struct Recorded;

type Authorities = Vec<CertificateDer<'static>>;

impl Resolved {
    /// Reads the files that are needed, relative to the working directory.
    pub(super) fn read_tls(&mut self, working_directory: &Path) {
        let kafka = self.protocol().is_some_and(SecurityProtocol::uses_tls);
        let registry = self.registry_urls().is_some_and(|urls| urls.needs_tls);
        let token = self.token_needs_tls();
        let users = [
            (kafka, Id::SecurityProtocol),
            (registry, Id::RegistryUrl),
            (token, Id::OauthTokenEndpointUrl),
        ];
        let Some((_, first)) = users.into_iter().find(|(needs_tls, _)| *needs_tls) else {
            return;
        };
        if let Err(missing) = crypto::check_processor() {
            self.mistake(first, &missing.to_string());
            return;
        }
        let identity = self.identity(working_directory);
        let shared = self.authorities(Id::SslCa, working_directory);
        let own = if registry {
            self.authorities(Id::RegistrySslCa, working_directory)
        } else {
            Ok(None)
        };
        let (Ok(identity), Ok(shared), Ok(own)) = (identity, shared, own) else {
            return;
        };
        let only = |authorities: &Option<Authorities>| match authorities {
            Some(authorities) => Roots::Given(authorities.clone()),
            None => Roots::BuiltIn,
        };
        // Identity providers are often public ones where brokers are not.
        let both = match &shared {
            Some(authorities) => Roots::BuiltInAnd(authorities.clone()),
            None => Roots::BuiltIn,
        };
        let (registry_roots, registry_ca) = match &own {
            Some(_) => (only(&own), Id::RegistrySslCa),
            None => (only(&shared), Id::SslCa),
        };
        let mut made = Made {
            identity,
            configs: Vec::new(),
        };
        self.encryption = Encryption {
            kafka: self.config(kafka, only(&shared), Id::SslCa, &mut made),
            registry: self.config(registry, registry_roots, registry_ca, &mut made),
            token: self.config(token, both, Id::SslCa, &mut made),
        };
    }

    fn config(
        &mut self,
        is_needed: bool,
        roots: Roots,
        ca: Id,
        made: &mut Made,
    ) -> Option<TlsConfig> {
        if !is_needed {
            return None;
        }
        if let Some((_, config)) = made.configs.iter().find(|(known, _)| *known == roots) {
            return Some(config.clone());
        }
        match TlsConfig::new(&roots, made.identity.as_ref()) {
            Ok(config) => {
                made.configs.push((roots, config.clone()));
                Some(config)
            }
            Err(error) => {
                let blamed = match &error {
                    TlsConfigError::Certificate(_) => Id::SslCertificate,
                    TlsConfigError::Key(_) => Id::SslKey,
                    TlsConfigError::Roots(_) | TlsConfigError::Processor(_) => ca,
                };
                self.mistake_once(blamed, &error.to_string());
                None
            }
        }
    }

    /// The client certificate and its key. That one is given and not the other is told elsewhere.
    fn identity(&mut self, working_directory: &Path) -> Result<Option<Identity>, Recorded> {
        let chain = self.parsed(Id::SslCertificate, working_directory, pem::certificates);
        let key = self.parsed(Id::SslKey, working_directory, pem::key);
        Ok(chain?
            .zip(key?)
            .map(|(chain, key)| Identity::new(chain, key)))
    }

    fn authorities(&mut self, id: Id, directory: &Path) -> Result<Option<Authorities>, Recorded> {
        self.parsed(id, directory, pem::certificates)
    }

    /// What stands in the file that a setting names; `None` if it names none.
    fn parsed<T>(
        &mut self,
        id: Id,
        directory: &Path,
        parse: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<Option<T>, Recorded> {
        let Some(path) = self.text(id) else {
            return Ok(None);
        };
        let content = read_bounded(&directory.join(path), PEM_FILE_BYTES_MAX);
        let parsed = content
            .map_err(|error| error.to_string())
            .and_then(|content| parse(&content));
        match parsed {
            Ok(parsed) => Ok(Some(parsed)),
            Err(problem) => {
                self.mistake(id, &problem);
                Err(Recorded)
            }
        }
    }
}

/// What has been made so far.
struct Made {
    identity: Option<Identity>,
    configs: Vec<(Roots, TlsConfig)>,
}
