//! The end of the way: from values to settings.
//!
//! Invariant: only called where no mistake was found, so that every value is there and agrees with the others; `None` means
//! that one is missing all the same, which [`super::load`] reports as a defect. Nothing is checked or parsed here.

use super::choice::Choice;
use super::meaning::Resolved;
use super::setting::Id;
use super::value::Value;
use super::{Common, Settings};
use crate::kafka::config::ProducerConfig;
use crate::registry::config::{Credentials, RegistryConfig};

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
        })
    }

    /// What a run needs.
    pub fn settings(&self) -> Option<Settings> {
        Some(Settings {
            common: self.common()?,
            kafka: self.kafka()?,
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
            tls: None,
            sasl: None,
        })
    }

    fn registry(&self) -> Option<RegistryConfig> {
        let Value::Urls(urls) = self.value(Id::RegistryUrl)? else {
            return None;
        };
        let credentials = match (
            self.text(Id::RegistryApiKey),
            self.value(Id::RegistryApiSecret),
        ) {
            (Some(user), Some(Value::Secret(secret))) => Some(Credentials {
                user,
                password: secret.clone(),
            }),
            _ => None,
        };
        Some(RegistryConfig {
            urls: urls.bases.clone(),
            credentials,
            bearer: None,
            tls: None,
            auto_register: self.boolean(Id::AutoRegister)?,
            subject: self.text(Id::Subject)?,
        })
    }
}
