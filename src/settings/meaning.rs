//! What the given texts mean together.
//!
//! Invariant: [`Resolved`] holds a value of the right kind and within its bounds, or a recorded mistake, for every setting;
//! whether the values agree with each other is checked in [`super::agreement`]. Defaults that depend on other
//! settings are worked out here, so that `--print-config` shows what will hold.

use std::collections::BTreeMap;
use std::time::Duration;

use super::choice::{self, Choice};
use super::duration;
use super::error::SettingError;
use super::pem_files::Encryption;
use super::setting::{Id, Setting};
use super::sources::{Given, Source, Sources};
use super::table::{TABLE, by_id};
use super::value::Value;
use crate::kafka::config::Acks;

/// A value, and where it came from (`None`: the default).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Typed and within its bounds.
    pub value: Value,
    /// Where it was given.
    pub source: Option<Source>,
}

/// Every setting's value.
#[derive(Debug, Default)]
pub struct Resolved {
    pub(super) chosen: BTreeMap<Id, Chosen>,
    wrong: Vec<Id>,
    /// What was wrong, in the order of the table, mistakes between settings last.
    pub errors: Vec<SettingError>,
    /// Defaults that had to move, what does nothing, and secrets that travel in the clear.
    pub warnings: Vec<String>,
    /// What the PEM files made.
    pub encryption: Encryption,
}

impl Resolved {
    /// Gives every text its meaning, and checks each against the others.
    pub fn new(sources: &Sources) -> Self {
        let mut resolved = Self::default();
        for setting in &TABLE {
            match sources.given(setting) {
                Ok(Some(given)) => resolved.parse(setting, given),
                Ok(None) => resolved.take_default(setting),
                Err(error) => resolved.refuse(setting.id, error),
            }
        }
        resolved.derive_defaults();
        resolved.check_delivery();
        resolved.check_registry();
        resolved
    }

    fn parse(&mut self, setting: &Setting, given: Given) {
        match setting.kind.parse(&given.text) {
            Ok(value) => {
                self.chosen.insert(
                    setting.id,
                    Chosen {
                        value,
                        source: Some(given.source),
                    },
                );
            }
            Err(problem) => {
                let printable = setting.kind.printable(&given.text);
                let mut text = format!("{}; allowed: {}", problem.what, setting.kind.allowed());
                if let (Some(meant), Some(_)) = (problem.suggestion, &printable) {
                    text += &format!("; did you mean `{meant}`?");
                }
                let subject = given.source.subject(setting, printable.as_deref());
                self.refuse(setting.id, SettingError::new(subject, text));
            }
        }
    }

    fn take_default(&mut self, setting: &Setting) {
        // A test holds every default of the table to its kind.
        if let Some(Ok(value)) = setting.default.map(|text| setting.kind.parse(text)) {
            self.chosen.insert(
                setting.id,
                Chosen {
                    value,
                    source: None,
                },
            );
        }
    }

    fn refuse(&mut self, id: Id, error: SettingError) {
        self.wrong.push(id);
        self.errors.push(error);
    }

    /// A setting's value, unless it is unset or wrong.
    pub fn get(&self, id: Id) -> Option<&Chosen> {
        self.chosen.get(&id)
    }

    /// Whether a setting was given and refused.
    pub fn is_wrong(&self, id: Id) -> bool {
        self.wrong.contains(&id)
    }

    pub(super) fn is_given(&self, id: Id) -> bool {
        self.is_wrong(id) || self.get(id).is_some_and(|chosen| chosen.source.is_some())
    }

    fn default_to(&mut self, id: Id, value: Value) {
        if !self.is_wrong(id) {
            self.chosen.entry(id).or_insert(Chosen {
                value,
                source: None,
            });
        }
    }

    fn derive_defaults(&mut self) {
        if let Some(acks) = self.acks()
            && let Ok(named) =
                choice::BOOLEAN.parse(if acks == Acks::All { "true" } else { "false" })
        {
            self.default_to(Id::Idempotence, Value::Choice(named));
        }
        let protocol = if self.is_given(Id::ApiKey) {
            "SASL_SSL"
        } else {
            "PLAINTEXT"
        };
        if let Ok(named) = choice::SECURITY.parse(protocol) {
            self.default_to(Id::SecurityProtocol, Value::Choice(named));
        }
        if let Some(Value::Text(topic)) = self.value(Id::Topic) {
            let subject = format!("{topic}-value");
            self.default_to(Id::Subject, Value::Text(subject));
        }
        self.raise_default_delivery_timeout();
        self.take_credentials_of_url();
    }

    /// As Kafka's own producer does (`KafkaProducer.configureDeliveryTimeout`): a delivery timeout that was not asked for
    /// follows linger and request timeout.
    fn raise_default_delivery_timeout(&mut self) {
        let (Some(linger), Some(request), Some(delivery)) = (
            self.duration(Id::Linger),
            self.duration(Id::RequestTimeout),
            self.duration(Id::DeliveryTimeout),
        ) else {
            return;
        };
        let least = linger + request;
        if delivery < least && !self.is_given(Id::DeliveryTimeout) {
            self.chosen.insert(
                Id::DeliveryTimeout,
                Chosen {
                    value: Value::Duration(least),
                    source: None,
                },
            );
            self.warnings.push(format!(
                "KAFKA_DELIVERY_TIMEOUT: raised from {} to {}, the sum of KAFKA_LINGER and KAFKA_REQUEST_TIMEOUT",
                duration::format(delivery),
                duration::format(least)
            ));
        }
    }

    fn take_credentials_of_url(&mut self) {
        let Some(Chosen {
            value: Value::Urls(urls),
            source,
        }) = self.get(Id::RegistryUrl).cloned()
        else {
            return;
        };
        let Some(credentials) = urls.credentials else {
            return;
        };
        if self.is_given(Id::RegistryApiKey) || self.is_given(Id::RegistryApiSecret) {
            let problem = "holds credentials, and SCHEMA_REGISTRY_API_KEY or SCHEMA_REGISTRY_API_SECRET is set too; keep one";
            self.mistake(Id::RegistryUrl, problem);
            return;
        }
        self.chosen.insert(
            Id::RegistryApiKey,
            Chosen {
                value: Value::Text(credentials.user),
                source: source.clone(),
            },
        );
        self.chosen.insert(
            Id::RegistryApiSecret,
            Chosen {
                value: Value::Secret(credentials.password),
                source,
            },
        );
    }

    /// Records a mistake of a setting whose value is right by itself.
    pub(super) fn mistake(&mut self, id: Id, problem: &str) {
        self.errors.extend(self.mistake_of(id, problem));
    }

    /// The same, unless it has been recorded.
    pub(super) fn mistake_once(&mut self, id: Id, problem: &str) {
        let error = self.mistake_of(id, problem);
        let news = error.filter(|error| !self.errors.contains(error));
        self.errors.extend(news);
    }

    fn mistake_of(&self, id: Id, problem: &str) -> Option<SettingError> {
        let setting = by_id(id)?;
        let chosen = self.get(id);
        let value = chosen.map(|chosen| chosen.value.to_string());
        let subject = match (chosen.and_then(|chosen| chosen.source.as_ref()), value) {
            (Some(source), value) => source.subject(setting, value.as_deref()),
            (None, Some(value)) => format!("{}={value} (default)", setting.variable),
            (None, None) => setting.variable.to_owned(),
        };
        Some(SettingError::new(subject, problem))
    }
}

/// Typed access; `None`: unset, wrong, or (which a test excludes) of another kind.
impl Resolved {
    pub(super) fn value(&self, id: Id) -> Option<&Value> {
        self.get(id).map(|chosen| &chosen.value)
    }

    pub(super) fn duration(&self, id: Id) -> Option<Duration> {
        match self.value(id)? {
            Value::Duration(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn integer(&self, id: Id) -> Option<u64> {
        match self.value(id)? {
            Value::Integer(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn bytes(&self, id: Id) -> Option<u64> {
        match self.value(id)? {
            Value::Bytes(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn text(&self, id: Id) -> Option<String> {
        match self.value(id)? {
            Value::Text(value) => Some(value.clone()),
            _ => None,
        }
    }

    pub(super) fn choice(&self, id: Id) -> Option<Choice> {
        match self.value(id)? {
            Value::Choice(named) => Some(named.choice),
            _ => None,
        }
    }

    pub(super) fn boolean(&self, id: Id) -> Option<bool> {
        match self.choice(id)? {
            Choice::Boolean(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn acks(&self) -> Option<Acks> {
        match self.choice(Id::Acks)? {
            Choice::Acks(acks) => Some(acks),
            _ => None,
        }
    }
}
