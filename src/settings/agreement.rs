//! Whether the values agree with each other, and with the mode that they are given to.
//!
//! Invariant: each check looks only at values that are right by themselves, so that one mistake is reported once; it blames
//! a setting that the user gave wherever there is one. Nothing is changed here but the lists of mistakes and warnings.

use super::error::SettingError;
use super::meaning::{Chosen, Resolved};
use super::setting::Id;
use super::sources::Source;
use super::table::{BUFFER_BYTES_BESIDE_BATCH_MIN, MAX_IN_FLIGHT_WITH_IDEMPOTENCE, TABLE, by_id};
use super::value::Value;
use super::{duration, size};
use crate::kafka::config::Acks;

/// How a setting is named that may be given by a file; `NAME` stands for it.
pub(super) const WITH_TWIN: &str = " (or NAME_FILE)";

impl Resolved {
    pub(super) fn check_delivery(&mut self) {
        let idempotent = self.boolean(Id::Idempotence) == Some(true);
        if idempotent && self.acks().is_some_and(|acks| acks != Acks::All) {
            self.mistake(
                Id::Idempotence,
                "needs KAFKA_ACKS=all; set it, or KAFKA_ENABLE_IDEMPOTENCE=false",
            );
        }
        if idempotent
            && self
                .integer(Id::MaxInFlight)
                .is_some_and(|n| n > MAX_IN_FLIGHT_WITH_IDEMPOTENCE)
        {
            let problem = format!(
                "over {MAX_IN_FLIGHT_WITH_IDEMPOTENCE} refused with idempotence; allowed: 1 to {MAX_IN_FLIGHT_WITH_IDEMPOTENCE}, or more with KAFKA_ENABLE_IDEMPOTENCE=false"
            );
            self.mistake(Id::MaxInFlight, &problem);
        }
        if let (Some(buffer), Some(batch)) =
            (self.bytes(Id::BufferMemory), self.bytes(Id::BatchSize))
        {
            let least = batch + BUFFER_BYTES_BESIDE_BATCH_MIN;
            if buffer < least {
                let problem = format!(
                    "too small; allowed: at least KAFKA_BATCH_SIZE + {} = {}",
                    size::format_bytes(BUFFER_BYTES_BESIDE_BATCH_MIN),
                    size::format_bytes(least)
                );
                let blamed = if self.is_given(Id::BufferMemory) {
                    Id::BufferMemory
                } else {
                    Id::BatchSize
                };
                let problem = if blamed == Id::BatchSize {
                    format!("KAFKA_BUFFER_MEMORY {problem}")
                } else {
                    problem
                };
                self.mistake(blamed, &problem);
            }
        }
        if let (Some(linger), Some(request), Some(delivery)) = (
            self.duration(Id::Linger),
            self.duration(Id::RequestTimeout),
            self.duration(Id::DeliveryTimeout),
        ) && delivery < linger + request
        {
            let problem = format!(
                "too short; allowed: at least KAFKA_LINGER + KAFKA_REQUEST_TIMEOUT = {}; raise it, or lower those",
                duration::format(linger + request)
            );
            self.mistake(Id::DeliveryTimeout, &problem);
        }
    }

    pub(super) fn check_registry(&mut self) {
        self.check_pair(Id::RegistryApiKey, Id::RegistryApiSecret, WITH_TWIN);
        if matches!(self.value(Id::RegistryApiKey), Some(Value::Text(key)) if key.contains(':')) {
            self.mistake(
                Id::RegistryApiKey,
                "has a colon, which a user name of basic authentication cannot have (RFC 7617)",
            );
        }
    }

    /// Refuses one of two settings without the other.
    pub(super) fn check_pair(&mut self, first: Id, second: Id, twin: &str) {
        for (one, other) in [(first, second), (second, first)] {
            if self.is_given(one)
                && !self.is_given(other)
                && let Some(other) = by_id(other)
            {
                let other = other.variable;
                let twin = twin.replace("NAME", other);
                self.mistake(one, &format!("needs {other}{twin} too"));
            }
        }
    }

    /// Warns of flags of a run that were given to a mode which is none; the environment may well hold them for other times.
    pub fn warn_of_flags_without_effect(&mut self, mode: &str, ids: &[Id]) {
        for id in ids {
            if let Some(Chosen {
                source: Some(Source::Flag(flag)),
                ..
            }) = self.get(*id)
            {
                self.warnings
                    .push(format!("--{flag}: does nothing with {mode}"));
            }
        }
    }

    /// Refuses what is missing.
    pub fn refuse_what_is_missing(&mut self) {
        for setting in TABLE.iter().filter(|setting| setting.is_required()) {
            if self.get(setting.id).is_none() && !self.is_wrong(setting.id) {
                let problem = format!(
                    "required; set it, or {}: {}",
                    setting.usual_name(),
                    setting.kind.allowed()
                );
                self.errors
                    .push(SettingError::new(setting.variable, problem));
            }
        }
    }
}
