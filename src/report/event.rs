//! What a line of the log is about, for programs that read it: a stable name, and its values as numbers and text.
//!
//! Units are base units (seconds, bytes), as the end of a key says where it is not a count. Lines that are text show nothing of it;
//! `docs/logs.md` lists every event with its keys, and a test keeps it complete. Nothing here is ever printed.

use std::time::Duration;

use log::kv::{Error, Key, Source, Value, VisitSource};

use super::time::Rfc3339;

/// The key under which an event's name stands.
pub const NAME: &str = "event";

/// An event and its values, in the order in which they are shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Event(Vec<(&'static str, Field)>);

#[derive(Debug, Clone, PartialEq)]
enum Field {
    Count(u64),
    Number(f64),
    Flag(bool),
    Text(String),
}

impl Event {
    /// Without values.
    pub fn new(name: &'static str) -> Self {
        Self(Vec::new()).text(NAME, name)
    }

    /// A whole number.
    #[must_use]
    pub fn count(self, key: &'static str, count: u64) -> Self {
        self.with(key, Field::Count(count))
    }

    /// A number a second, to three decimals: more would be noise.
    #[must_use]
    pub fn rate(self, key: &'static str, rate: f64) -> Self {
        self.with(key, Field::Number((rate * 1e3).round() / 1e3))
    }

    /// A time span in seconds, to the microsecond.
    #[must_use]
    pub fn seconds(self, key: &'static str, time: Duration) -> Self {
        self.micros(key, u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
    }

    /// A time span of so many microseconds, in seconds.
    #[must_use]
    pub fn micros(self, key: &'static str, us: u64) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "exact for 285 years")]
        let us = us as f64;
        self.with(key, Field::Number(us / 1e6))
    }

    /// A moment, milliseconds after 1970, as RFC 3339.
    #[must_use]
    pub fn moment(self, key: &'static str, unix_ms: i64) -> Self {
        self.text(key, Rfc3339 { unix_ms }.to_string())
    }

    /// Yes or no.
    #[must_use]
    pub fn flag(self, key: &'static str, flag: bool) -> Self {
        self.with(key, Field::Flag(flag))
    }

    /// Words.
    #[must_use]
    pub fn text(self, key: &'static str, text: impl Into<String>) -> Self {
        self.with(key, Field::Text(text.into()))
    }

    /// More values if there is something that has them.
    #[must_use]
    pub fn maybe<T>(self, some: Option<T>, more: impl FnOnce(Self, T) -> Self) -> Self {
        match some {
            Some(value) => more(self, value),
            None => self,
        }
    }

    fn with(mut self, key: &'static str, field: Field) -> Self {
        self.0.push((key, field));
        self
    }
}

impl Source for Event {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        self.0.iter().try_for_each(|(key, field)| {
            let value = match field {
                Field::Count(count) => Value::from(*count),
                Field::Number(number) => Value::from(*number),
                Field::Flag(flag) => Value::from(*flag),
                Field::Text(text) => Value::from(text.as_str()),
            };
            visitor.visit_pair(Key::from_str(key), value)
        })
    }
}
