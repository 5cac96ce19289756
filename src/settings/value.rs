//! What a setting's text may be ([`Kind`]), and what it means ([`Value`]).
//!
//! Invariant: a [`Value`] is within the bounds of its kind; what it displays is canonical, parses back to the same value,
//! and holds no secret. The bounds of each setting stand in the table and nowhere else.

use std::fmt;
use std::time::Duration;

use super::choice::{Choices, Named};
use super::problem::Problem;
use super::url::{
    Endpoint, RegistryUrls, parse_endpoint, parse_urls, without_credentials, without_secrets,
};
use super::{duration, extensions, host_port, size, topic};
use crate::kafka::config::{HostPort, NewTopic};
use crate::oauth::config::without_query;
use crate::secret::Secret;

/// What a setting's text may be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Go's duration syntax, within bounds; `zero_too`: or 0.
    Duration {
        /// Least, in milliseconds.
        min_ms: u64,
        /// Most, in milliseconds.
        max_ms: u64,
        /// Whether 0 is allowed though it is below the least.
        zero_too: bool,
    },
    /// A whole number within bounds.
    Integer {
        /// Least.
        min: u64,
        /// Most.
        max: u64,
    },
    /// A byte count within bounds.
    Bytes {
        /// Least.
        min: u64,
        /// Most.
        max: u64,
    },
    /// One of a few words.
    Choice(&'static Choices),
    /// Kafka brokers.
    Servers,
    /// One address to listen on.
    Listen,
    /// Schema Registry URLs.
    Urls,
    /// A topic's name.
    Topic,
    /// `PARTITIONS[:REPLICATION]`.
    NewTopic,
    /// The URL of a token endpoint.
    Endpoint,
    /// SASL extensions.
    Extensions,
    /// The path of a file.
    Path,
    /// Free text.
    Text,
    /// A password.
    Secret,
}

/// What a text means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Of [`Kind::Duration`].
    Duration(Duration),
    /// Of [`Kind::Integer`].
    Integer(u64),
    /// Of [`Kind::Bytes`].
    Bytes(u64),
    /// Of [`Kind::Choice`].
    Choice(Named),
    /// Of [`Kind::Servers`] and [`Kind::Listen`].
    Servers(Vec<HostPort>),
    /// Of [`Kind::Urls`].
    Urls(RegistryUrls),
    /// Of [`Kind::NewTopic`].
    NewTopic(NewTopic),
    /// Of [`Kind::Endpoint`].
    Endpoint(Endpoint),
    /// Of [`Kind::Extensions`].
    Extensions(Vec<(String, String)>),
    /// Of [`Kind::Topic`], [`Kind::Path`] and [`Kind::Text`].
    Text(String),
    /// Of [`Kind::Secret`].
    Secret(Secret),
}

impl Kind {
    /// Parses a text; white space around it does not count, except in a secret.
    ///
    /// # Errors
    /// It is not of this kind, or out of bounds.
    pub fn parse(self, text: &str) -> Result<Value, Problem> {
        if let Kind::Secret = self {
            return parse_secret(text).map(Value::Secret);
        }
        let text = text.trim();
        match self {
            Kind::Duration {
                min_ms,
                max_ms,
                zero_too,
            } => {
                let value = duration::parse(text)?;
                let bounds = Duration::from_millis(min_ms)..=Duration::from_millis(max_ms);
                within(bounds.contains(&value) || (zero_too && value.is_zero()))?;
                Ok(Value::Duration(value))
            }
            Kind::Integer { min, max } => {
                let value = size::parse_integer(text)?;
                within((min..=max).contains(&value))?;
                Ok(Value::Integer(value))
            }
            Kind::Bytes { min, max } => {
                let value = size::parse_bytes(text)?;
                within((min..=max).contains(&value))?;
                Ok(Value::Bytes(value))
            }
            Kind::Choice(choices) => choices.parse(text).map(Value::Choice),
            Kind::Servers => host_port::parse_list(text).map(Value::Servers),
            Kind::Listen => {
                host_port::parse_listen(text).map(|address| Value::Servers(vec![address]))
            }
            Kind::Urls => parse_urls(text).map(Value::Urls),
            Kind::Topic => topic::parse_topic(text).map(Value::Text),
            Kind::NewTopic => topic::parse_new_topic(text).map(Value::NewTopic),
            Kind::Endpoint => parse_endpoint(text).map(Value::Endpoint),
            Kind::Extensions => extensions::parse(text).map(Value::Extensions),
            Kind::Path => topic::parse_text(text, topic::PATH_BYTES_MAX).map(Value::Text),
            Kind::Text => topic::parse_text(text, topic::TEXT_BYTES_MAX).map(Value::Text),
            Kind::Secret => parse_secret(text).map(Value::Secret),
        }
    }

    /// What is allowed, as an error says it.
    pub fn allowed(self) -> String {
        match self {
            Kind::Duration {
                min_ms,
                max_ms,
                zero_too,
            } => {
                let [min, max] =
                    [min_ms, max_ms].map(|ms| duration::format(Duration::from_millis(ms)));
                let zero = if zero_too { "0, or " } else { "" };
                match min_ms {
                    0 => format!("a duration {}, at most {max}", duration::ALLOWED),
                    _ => format!(
                        "{zero}a duration {}, from {min} to {max}",
                        duration::ALLOWED
                    ),
                }
            }
            Kind::Integer { min, max: u64::MAX } => format!("a whole number from {min} to 2^64-1"),
            Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Bytes { min, max } => format!(
                "bytes such as 1000000, 64KB or 32MiB, from {} to {}",
                size::format_bytes(min),
                size::format_bytes(max)
            ),
            Kind::Choice(choices) => choices.allowed(),
            Kind::Servers => {
                "host:port,host:port (IPv6 as [::1]:9092; port 9092 where none is given)".to_owned()
            }
            Kind::Listen => {
                "host:port (port 9400 where none is given; 0: any that is free)".to_owned()
            }
            Kind::Urls => {
                "http://host:port or https://host:port, or several separated by commas".to_owned()
            }
            Kind::Endpoint => "a URL such as https://host/path".to_owned(),
            Kind::Extensions => "name=value,name=value".to_owned(),
            Kind::Path => "the path of a file".to_owned(),
            Kind::Topic => format!(
                "1 to {} of the characters a-z, A-Z, 0-9, '.', '_' and '-', and neither \".\" nor \"..\"",
                topic::TOPIC_BYTES_MAX
            ),
            Kind::NewTopic => "PARTITIONS or PARTITIONS:REPLICATION, such as 6 or 6:3".to_owned(),
            Kind::Text => format!("1 to {} bytes of printable text", topic::TEXT_BYTES_MAX),
            Kind::Secret => "one line of text".to_owned(),
        }
    }

    /// A refused text as an error may repeat it; `None` if it must not.
    pub fn printable(self, text: &str) -> Option<String> {
        match self {
            Kind::Secret => None,
            Kind::Urls | Kind::Endpoint => Some(without_secrets(text)),
            _ => Some(without_credentials(text)),
        }
    }
}

fn within(bounds_hold: bool) -> Result<(), Problem> {
    if bounds_hold {
        Ok(())
    } else {
        Err(Problem::new("out of bounds"))
    }
}

fn parse_secret(text: &str) -> Result<Secret, Problem> {
    if text.is_empty() {
        return Err(Problem::new("is empty"));
    }
    if text.contains(['\n', '\r']) {
        return Err(Problem::new("has a line break"));
    }
    // PLAIN separates its fields by it (RFC 4616).
    if text.contains('\0') {
        return Err(Problem::new("has a NUL character"));
    }
    Ok(Secret::new(text.to_owned()))
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Duration(value) => f.write_str(&duration::format(*value)),
            Value::Integer(value) => value.fmt(f),
            Value::Bytes(value) => f.write_str(&size::format_bytes(*value)),
            Value::Choice(named) => f.write_str(named.name),
            Value::Servers(servers) => f.write_str(&host_port::format_list(servers)),
            Value::Urls(urls) => f.write_str(&urls.bases.join(",")),
            Value::Endpoint(endpoint) => f.write_str(&without_query(&endpoint.url)),
            Value::Extensions(pairs) => f.write_str(&extensions::format(pairs)),
            Value::NewTopic(topic) => f.write_str(&topic::format_new_topic(*topic)),
            Value::Text(text) => f.write_str(text),
            Value::Secret(secret) => secret.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_at_both_ends() {
        let kind = Kind::Duration {
            min_ms: 100,
            max_ms: 1_000,
            zero_too: true,
        };
        for (text, fits) in [
            ("0", true),
            ("99ms", false),
            ("100ms", true),
            ("1s", true),
            ("1001ms", false),
        ] {
            assert_eq!(kind.parse(text).is_ok(), fits, "{text}");
        }
        let kind = Kind::Integer { min: 1, max: 5 };
        for (text, fits) in [("0", false), ("1", true), ("5", true), ("6", false)] {
            assert_eq!(kind.parse(text).is_ok(), fits, "{text}");
        }
        let kind = Kind::Bytes {
            min: 1024,
            max: 2048,
        };
        for (text, fits) in [
            ("1023", false),
            ("1KiB", true),
            ("2KiB", true),
            ("2049", false),
        ] {
            assert_eq!(kind.parse(text).is_ok(), fits, "{text}");
        }
        assert_eq!(
            kind.allowed(),
            "bytes such as 1000000, 64KB or 32MiB, from 1KiB to 2KiB"
        );
    }

    #[test]
    fn white_space_around_a_value_counts_in_secrets_only() {
        assert_eq!(
            Kind::Topic.parse(" js_shoe\t"),
            Ok(Value::Text("js_shoe".to_owned()))
        );
        assert_eq!(
            Kind::Secret.parse(" x "),
            Ok(Value::Secret(Secret::new(" x ".to_owned())))
        );
    }

    #[test]
    fn a_secret_is_one_line_and_never_printable() {
        for text in ["", "a\nb", "a\0b"] {
            assert!(Kind::Secret.parse(text).is_err());
        }
        assert_eq!(Kind::Secret.printable("hunter2"), None);
        assert_eq!(
            Kind::Secret.parse("hunter2").unwrap().to_string(),
            "[hidden]"
        );
    }
}
