//! Whether what is said of encryption and authentication goes together.
//!
//! Invariant: as in [`super::agreement`]. What would leave a connection less protected than the user thinks is refused; what
//! does nothing, and a secret that travels in the clear, is warned about, for both may be meant. No file is read here.

use super::agreement::WITH_TWIN;
use super::choice::{Choice, Mechanism, SecurityProtocol};
use super::host_port::is_loopback;
use super::meaning::Resolved;
use super::setting::Id;
use super::table::by_id;
use super::url::{Endpoint, RegistryUrls};
use super::value::Value;
use crate::crypto;
use crate::kafka::config::check_scram_text;

impl Resolved {
    pub(super) fn check_security(&mut self) {
        self.check_pair(Id::ApiKey, Id::ApiSecret, WITH_TWIN);
        self.check_pair(Id::SslCertificate, Id::SslKey, "");
        if let (Some(protocol), Some(mechanism)) = (self.protocol(), self.mechanism()) {
            if protocol.uses_sasl() {
                self.check_sasl(protocol, mechanism);
            } else {
                self.check_absence_of_sasl(mechanism);
            }
            self.check_bearer(protocol.uses_sasl() && mechanism == Mechanism::OauthBearer);
        }
        self.check_oauth();
        self.warn_of_unused_files();
    }

    fn check_sasl(&mut self, protocol: SecurityProtocol, mechanism: Mechanism) {
        if !self.is_given(Id::ApiKey) && !self.is_given(Id::ApiSecret) {
            self.mistake(
                Id::SecurityProtocol,
                "needs KAFKA_API_KEY and KAFKA_API_SECRET (or KAFKA_API_KEY_FILE and KAFKA_API_SECRET_FILE)",
            );
        }
        if mechanism == Mechanism::OauthBearer && !self.is_given(Id::OauthTokenEndpointUrl) {
            self.mistake(
                Id::SaslMechanism,
                "needs KAFKA_OAUTH_TOKEN_ENDPOINT_URL too",
            );
        }
        let is_scram = matches!(mechanism, Mechanism::Scram(_));
        if is_scram && let Err(missing) = crypto::check_processor() {
            self.mistake(Id::SaslMechanism, &missing.to_string());
        }
        if is_scram {
            self.check_scram_login();
        }
        if protocol == SecurityProtocol::SaslPlaintext && !is_scram {
            let what = match mechanism {
                Mechanism::OauthBearer => "token",
                _ => "password",
            };
            if let Some(Value::Servers(servers)) = self.value(Id::BootstrapServers)
                && let Some(server) = servers.iter().find(|server| !is_loopback(&server.host))
            {
                let warning = format!(
                    "KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT: the {what} travels unencrypted to {server}; use SASL_SSL"
                );
                self.warnings.push(warning);
            }
        }
    }

    /// Known here, it is no broker's business: what PLAIN cannot carry is no text of these settings at all.
    fn check_scram_login(&mut self) {
        let user = self.text(Id::ApiKey);
        let user = user.map_or(Ok(()), |user| check_scram_text(&user));
        let password = match self.value(Id::ApiSecret) {
            Some(Value::Secret(password)) => check_scram_text(password.expose()),
            _ => Ok(()),
        };
        for (id, checked) in [(Id::ApiKey, user), (Id::ApiSecret, password)] {
            if let Err(why) = checked {
                self.mistake(
                    id,
                    &format!("{why}; choose others, or another KAFKA_SASL_MECHANISM"),
                );
            }
        }
    }

    /// Java's clients pass over what they do not use; here that is said.
    fn check_absence_of_sasl(&mut self, mechanism: Mechanism) {
        let protocol = match self.value(Id::SecurityProtocol) {
            Some(protocol) => protocol.to_string(),
            None => return,
        };
        let wants_other = self.is_given(Id::SaslMechanism) && mechanism != Mechanism::Plain;
        if wants_other && !self.is_given(Id::SecurityProtocol) {
            if !self.is_given(Id::ApiSecret) {
                self.mistake(
                    Id::SaslMechanism,
                    "needs KAFKA_API_KEY and KAFKA_API_SECRET (or KAFKA_API_KEY_FILE and KAFKA_API_SECRET_FILE)",
                );
            }
            return;
        }
        let unused = [
            (Id::ApiKey, self.is_given(Id::ApiKey)),
            (Id::SaslMechanism, wants_other),
        ];
        for (id, is_unused) in unused {
            if is_unused && let Some(setting) = by_id(id) {
                self.warnings.push(format!(
                    "{}: not used, for KAFKA_SECURITY_PROTOCOL={protocol} does not authenticate; SASL_SSL does",
                    setting.variable
                ));
            }
        }
    }

    /// A client's secret must not be sent to brokers as a password because the mechanism was forgotten.
    fn check_oauth(&mut self) {
        let Some(mechanism) = self.mechanism() else {
            return;
        };
        for id in [
            Id::OauthTokenEndpointUrl,
            Id::OauthScope,
            Id::OauthExtensions,
        ] {
            if mechanism != Mechanism::OauthBearer && self.is_given(id) && !self.is_wrong(id) {
                self.mistake(id, "needs KAFKA_SASL_MECHANISM=OAUTHBEARER");
            }
        }
        if self.asks_for_tokens() && self.endpoint().is_some_and(|endpoint| endpoint.is_exposed) {
            self.warnings.push(
                "KAFKA_OAUTH_TOKEN_ENDPOINT_URL: the client's secret and the tokens travel unencrypted; use https".to_owned(),
            );
        }
    }

    /// Brokers' token is shown to the registry only where that was asked for.
    fn check_bearer(&mut self, has_token: bool) {
        let has_login = self.is_given(Id::RegistryApiKey) || self.is_given(Id::RegistryApiSecret);
        if self.inherits_token() {
            if !has_token {
                self.mistake(
                    Id::RegistryBearer,
                    "needs KAFKA_SASL_MECHANISM=OAUTHBEARER, and SASL in KAFKA_SECURITY_PROTOCOL",
                );
            }
            if has_login {
                self.mistake(
                    Id::RegistryBearer,
                    "the registry is given a user name and a password too (SCHEMA_REGISTRY_API_KEY, or in its URL); keep one",
                );
            }
        } else if self.is_given(Id::RegistryBearerCluster) && !self.is_wrong(Id::RegistryBearer) {
            self.mistake(
                Id::RegistryBearerCluster,
                "needs SCHEMA_REGISTRY_BEARER_AUTH_CREDENTIALS_SOURCE=SASL_OAUTHBEARER_INHERIT",
            );
        }
        let is_header = |text: String| text.bytes().all(|b| (b' '..=b'~').contains(&b));
        if !self.text(Id::RegistryBearerCluster).is_none_or(is_header) {
            self.mistake(Id::RegistryBearerCluster, "is not printable ASCII");
        }
        let shows_secret = has_login || self.inherits_token();
        if shows_secret && self.registry_urls().is_some_and(|urls| urls.is_exposed) {
            self.warnings
                .push("SCHEMA_REGISTRY_URL: credentials travel unencrypted; use https".to_owned());
        }
    }

    fn warn_of_unused_files(&mut self) {
        let (Some(protocol), registry) = (self.protocol(), self.registry_urls()) else {
            return;
        };
        let registry = registry.is_some_and(|urls| urls.needs_tls);
        let any = protocol.uses_tls() || registry || self.token_needs_tls();
        for (id, is_used) in [
            (Id::SslCa, any),
            (Id::SslCertificate, any),
            (Id::RegistrySslCa, registry),
        ] {
            if !is_used
                && self.is_given(id)
                && let Some(setting) = by_id(id)
            {
                let why = if id == Id::RegistrySslCa {
                    "SCHEMA_REGISTRY_URL does not ask for TLS; https does"
                } else {
                    "neither KAFKA_SECURITY_PROTOCOL nor a URL asks for TLS; SSL, SASL_SSL and https do"
                };
                let warning = format!("{}: not used, for {why}", setting.variable);
                self.warnings.push(warning);
            }
        }
    }
}

/// Typed access to what the checks, the reading of files and the assembly go by.
impl Resolved {
    pub(super) fn protocol(&self) -> Option<SecurityProtocol> {
        match self.choice(Id::SecurityProtocol)? {
            Choice::Security(protocol) => Some(protocol),
            _ => None,
        }
    }

    pub(super) fn mechanism(&self) -> Option<Mechanism> {
        match self.choice(Id::SaslMechanism)? {
            Choice::Sasl(mechanism) => Some(mechanism),
            _ => None,
        }
    }

    pub(super) fn registry_urls(&self) -> Option<&RegistryUrls> {
        match self.value(Id::RegistryUrl)? {
            Value::Urls(urls) => Some(urls),
            _ => None,
        }
    }

    pub(super) fn endpoint(&self) -> Option<&Endpoint> {
        match self.value(Id::OauthTokenEndpointUrl)? {
            Value::Endpoint(endpoint) => Some(endpoint),
            _ => None,
        }
    }

    /// Whether brokers want a token.
    pub(super) fn asks_for_tokens(&self) -> bool {
        self.protocol().is_some_and(SecurityProtocol::uses_sasl)
            && self.mechanism() == Some(Mechanism::OauthBearer)
    }

    pub(super) fn token_needs_tls(&self) -> bool {
        self.asks_for_tokens() && self.endpoint().is_some_and(|endpoint| endpoint.needs_tls)
    }

    /// Whether the registry is shown brokers' token.
    pub(super) fn inherits_token(&self) -> bool {
        self.choice(Id::RegistryBearer) == Some(Choice::InheritToken(true))
    }
}
