//! The end of the way: from values to settings.
//!
//! Invariant: only called where no mistake was found, so that every value is there and agrees with the others; `None` means
//! that one is missing all the same, which [`super::load`] reports as a defect. Nothing is checked or parsed here.

use std::path::PathBuf;

use super::choice::{Choice, Mechanism};
use super::meaning::Resolved;
use super::setting::Id;
use super::value::Value;
use super::{Common, Settings};
use crate::kafka::config::{Login, ProducerConfig, Sasl};
use crate::oauth::config::TokenConfig;
use crate::registry::config::{Bearer, Credentials, RegistryConfig};
use crate::secret::Secret;

/// The extension whose value the registry is shown too, in a header of its own (Confluent Cloud).
const IDENTITY_POOL_EXTENSION: &str = "identityPoolId";

impl Resolved {
    /// What every mode that generates needs.
    pub fn common(&self) -> Option<Common> {
        Some(Common {
            interval: self.duration(Id::Interval)?,
            count: self.integer(Id::Count),
            duration: self.duration(Id::RunDuration),
            seed: self.integer(Id::Seed),
            instance_id: self.integer(Id::InstanceId)?.try_into().ok()?,
            log_level: match self.choice(Id::LogLevel)? {
                Choice::Level(level) => level,
                _ => return None,
            },
            log_format: match self.choice(Id::LogFormat) {
                Some(Choice::Format(format)) => Some(format),
                _ => None,
            },
            stats_interval: Some(self.duration(Id::StatsInterval)?)
                .filter(|interval| !interval.is_zero()),
            shutdown_timeout: self.duration(Id::ShutdownTimeout)?,
            metrics_listen: match self.value(Id::MetricsListen) {
                Some(Value::Servers(addresses)) => addresses.first().cloned(),
                _ => None,
            },
            ledger_file: self.text(Id::LedgerFile).map(PathBuf::from),
        })
    }

    /// What a run needs.
    pub fn settings(&self) -> Option<Settings> {
        Some(Settings {
            common: self.common()?,
            kafka: self.kafka()?,
            token: if self.asks_for_tokens() {
                Some(self.token()?)
            } else {
                None
            },
            registry: self.registry()?,
        })
    }

    fn kafka(&self) -> Option<ProducerConfig> {
        let Value::Servers(bootstrap_servers) = self.value(Id::BootstrapServers)?.clone() else {
            return None;
        };
        let Choice::Compression(compression) = self.choice(Id::Compression)? else {
            return None;
        };
        let Choice::Key(message_key) = self.choice(Id::MessageKey)? else {
            return None;
        };
        Some(ProducerConfig {
            bootstrap_servers,
            topic: self.text(Id::Topic)?,
            acks: self.acks()?,
            idempotence: self.boolean(Id::Idempotence)?,
            compression,
            linger: self.duration(Id::Linger)?,
            batch_size: self.bytes(Id::BatchSize)?.try_into().ok()?,
            max_in_flight: self.integer(Id::MaxInFlight)?.try_into().ok()?,
            buffer_memory: self.bytes(Id::BufferMemory)?.try_into().ok()?,
            delivery_timeout: self.duration(Id::DeliveryTimeout)?,
            request_timeout: self.duration(Id::RequestTimeout)?,
            client_id: self.text(Id::ClientId)?,
            message_key,
            create_topic: match self.value(Id::CreateTopic) {
                Some(Value::NewTopic(topic)) => Some(*topic),
                _ => None,
            },
            tls: self.encryption.kafka.clone(),
            sasl: if self.protocol()?.uses_sasl() {
                Some(self.sasl()?)
            } else {
                None
            },
        })
    }

    fn sasl(&self) -> Option<Sasl> {
        let login = Login {
            user: self.text(Id::ApiKey)?,
            password: self.secret(Id::ApiSecret)?,
        };
        Some(match self.mechanism()? {
            Mechanism::Plain => Sasl::Plain(login),
            Mechanism::Scram(hash) => Sasl::Scram(hash, login),
            Mechanism::OauthBearer => Sasl::OAuthBearer {
                extensions: self.extensions().to_vec(),
            },
        })
    }

    fn token(&self) -> Option<TokenConfig> {
        Some(TokenConfig {
            url: self.endpoint()?.url.clone(),
            client_id: self.text(Id::ApiKey)?,
            client_secret: self.secret(Id::ApiSecret)?,
            scope: self.text(Id::OauthScope),
            tls: self.encryption.token.clone(),
        })
    }

    fn extensions(&self) -> &[(String, String)] {
        match self.value(Id::OauthExtensions) {
            Some(Value::Extensions(extensions)) => extensions,
            _ => &[],
        }
    }

    fn secret(&self, id: Id) -> Option<Secret> {
        match self.value(id)? {
            Value::Secret(secret) => Some(secret.clone()),
            _ => None,
        }
    }

    fn registry(&self) -> Option<RegistryConfig> {
        let user = self.text(Id::RegistryApiKey);
        let credentials = user.zip(self.secret(Id::RegistryApiSecret));
        let pool = self.extensions().iter();
        let mut pool = pool.filter(|(name, _)| name == IDENTITY_POOL_EXTENSION);
        let bearer = self.inherits_token().then(|| Bearer {
            logical_cluster: self.text(Id::RegistryBearerCluster),
            identity_pool: pool.next().map(|(_, value)| value.clone()),
        });
        Some(RegistryConfig {
            urls: self.registry_urls()?.bases.clone(),
            credentials: credentials.map(|(user, password)| Credentials { user, password }),
            bearer,
            tls: self.encryption.registry.clone(),
            auto_register: self.boolean(Id::AutoRegister)?,
            subject: self.text(Id::Subject)?,
        })
    }
}
