//! Settings whose value is one of a few words.
//!
//! Invariant: each list names every word once, the usual spelling first; words are compared without case, as Kafka's own
//! clients do. Aliases are accepted and not advertised.

use log::LevelFilter;

use super::LogFormat;
use super::problem::Problem;
use super::suggest::nearest;
use crate::kafka::config::{Acks, Compression, MessageKey, ScramHash};

/// What a word means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// `LOG_LEVEL`.
    Level(LevelFilter),
    /// `LOG_FORMAT`.
    Format(LogFormat),
    /// `KAFKA_SECURITY_PROTOCOL`.
    Security(SecurityProtocol),
    /// `KAFKA_SASL_MECHANISM`.
    Sasl(Mechanism),
    /// `SCHEMA_REGISTRY_BEARER_AUTH_CREDENTIALS_SOURCE`: whether the registry is shown brokers' token.
    InheritToken(bool),
    /// `KAFKA_ACKS`.
    Acks(Acks),
    /// `KAFKA_COMPRESSION_TYPE`.
    Compression(Compression),
    /// `KAFKA_MESSAGE_KEY`.
    Key(MessageKey),
    /// Yes or no.
    Boolean(bool),
    /// Of `--completions`.
    Shell(Shell),
}

/// A shell that flags are completed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// How a broker's listener is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityProtocol {
    /// Neither TLS nor authentication.
    Plaintext,
    /// TLS.
    Ssl,
    /// Authentication without TLS.
    SaslPlaintext,
    /// Authentication over TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// Whether connections are encrypted.
    pub fn uses_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    /// Whether we say who we are.
    pub fn uses_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

/// How it is said who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// By user name and password.
    Plain,
    /// By a proof of the password.
    Scram(ScramHash),
    /// By a token.
    OauthBearer,
}

/// A word and its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// The word in its usual spelling.
    pub name: &'static str,
    /// What it means.
    pub choice: Choice,
}

const fn named(name: &'static str, choice: Choice) -> Named {
    Named { name, choice }
}

/// The words of one setting.
#[derive(Debug)]
pub struct Choices {
    /// Those that are advertised.
    pub named: &'static [Named],
    /// Other spellings: the alias, and the word that it stands for.
    aliases: &'static [(&'static str, &'static str)],
}

impl Choices {
    /// Finds a word.
    ///
    /// # Errors
    /// It is none of these.
    pub fn parse(&self, text: &str) -> Result<Named, Problem> {
        let alias = self
            .aliases
            .iter()
            .find(|(alias, _)| alias.eq_ignore_ascii_case(text));
        let word = alias.map_or(text, |(_, word)| word);
        self.named
            .iter()
            .find(|named| named.name.eq_ignore_ascii_case(word))
            .copied()
            .ok_or_else(|| {
                let problem = Problem::new("unknown value");
                match nearest(text, self.named.iter().map(|named| named.name)) {
                    Some(meant) => problem.suggest(meant),
                    None => problem,
                }
            })
    }

    /// `a, b, c`.
    pub fn allowed(&self) -> String {
        self.named
            .iter()
            .map(|named| named.name)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// `true`, `false`; `1`/`0`, `yes`/`no` and `on`/`off` are accepted too.
pub static BOOLEAN: Choices = Choices {
    named: &[
        named("true", Choice::Boolean(true)),
        named("false", Choice::Boolean(false)),
    ],
    aliases: &[
        ("1", "true"),
        ("yes", "true"),
        ("on", "true"),
        ("0", "false"),
        ("no", "false"),
        ("off", "false"),
    ],
};

/// Shells.
pub static SHELL: Choices = Choices {
    named: &[
        named("bash", Choice::Shell(Shell::Bash)),
        named("zsh", Choice::Shell(Shell::Zsh)),
        named("fish", Choice::Shell(Shell::Fish)),
    ],
    aliases: &[],
};

/// Log levels.
pub static LEVEL: Choices = Choices {
    named: &[
        named("debug", Choice::Level(LevelFilter::Debug)),
        named("info", Choice::Level(LevelFilter::Info)),
        named("warn", Choice::Level(LevelFilter::Warn)),
        named("error", Choice::Level(LevelFilter::Error)),
    ],
    aliases: &[("warning", "warn")],
};

/// Log formats.
pub static FORMAT: Choices = Choices {
    named: &[
        named("pretty", Choice::Format(LogFormat::Pretty)),
        named("full", Choice::Format(LogFormat::Full)),
        named("json", Choice::Format(LogFormat::Json)),
    ],
    aliases: &[],
};

/// `security.protocol`.
pub static SECURITY: Choices = Choices {
    named: &[
        named("PLAINTEXT", Choice::Security(SecurityProtocol::Plaintext)),
        named("SSL", Choice::Security(SecurityProtocol::Ssl)),
        named(
            "SASL_PLAINTEXT",
            Choice::Security(SecurityProtocol::SaslPlaintext),
        ),
        named("SASL_SSL", Choice::Security(SecurityProtocol::SaslSsl)),
    ],
    aliases: &[],
};

/// `sasl.mechanism`.
pub static SASL: Choices = Choices {
    named: &[
        named("PLAIN", Choice::Sasl(Mechanism::Plain)),
        named("SCRAM-SHA-256", SCRAM_SHA_256),
        named("SCRAM-SHA-512", SCRAM_SHA_512),
        named("OAUTHBEARER", Choice::Sasl(Mechanism::OauthBearer)),
    ],
    aliases: &[],
};
const SCRAM_SHA_256: Choice = Choice::Sasl(Mechanism::Scram(ScramHash::Sha256));
const SCRAM_SHA_512: Choice = Choice::Sasl(Mechanism::Scram(ScramHash::Sha512));

/// `bearer.auth.credentials.source`; of Confluent's sources the one that needs no settings of its own.
pub static BEARER: Choices = Choices {
    named: &[
        named("none", Choice::InheritToken(false)),
        named("SASL_OAUTHBEARER_INHERIT", Choice::InheritToken(true)),
    ],
    aliases: &[],
};

/// `acks`.
pub static ACKS: Choices = Choices {
    named: &[
        named("all", Choice::Acks(Acks::All)),
        named("1", Choice::Acks(Acks::Leader)),
        named("0", Choice::Acks(Acks::None)),
    ],
    aliases: &[("-1", "all")],
};

/// `compression.type`.
pub static COMPRESSION: Choices = Choices {
    named: &[
        named("none", Choice::Compression(Compression::None)),
        named("gzip", Choice::Compression(Compression::Gzip)),
        named("snappy", Choice::Compression(Compression::Snappy)),
        named("lz4", Choice::Compression(Compression::Lz4)),
        named("zstd", Choice::Compression(Compression::Zstd)),
    ],
    aliases: &[],
};

/// What becomes a record's key.
pub static KEY: Choices = Choices {
    named: &[
        named("id", Choice::Key(MessageKey::Id)),
        named("none", Choice::Key(MessageKey::None)),
    ],
    aliases: &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_without_case_and_by_alias() {
        assert_eq!(
            COMPRESSION.parse("ZSTD").unwrap().choice,
            Choice::Compression(Compression::Zstd)
        );
        assert_eq!(ACKS.parse("-1").unwrap().name, "all");
        assert_eq!(BOOLEAN.parse("Yes").unwrap().choice, Choice::Boolean(true));
        assert_eq!(
            LEVEL.parse("warning").unwrap().choice,
            Choice::Level(LevelFilter::Warn)
        );
    }

    #[test]
    fn a_near_miss_is_recognised() {
        for (choices, text, meant) in [
            (&COMPRESSION, "snapy", "snappy"),
            (&COMPRESSION, "gizp", "gzip"),
            (&LEVEL, "eror", "error"),
            (&SECURITY, "SASLSSL", "SASL_SSL"),
            (&BOOLEAN, "ture", "true"),
        ] {
            assert_eq!(
                choices.parse(text).unwrap_err().suggestion.as_deref(),
                Some(meant)
            );
        }
        assert_eq!(COMPRESSION.parse("brotli").unwrap_err().suggestion, None);
        assert_eq!(ACKS.parse("2").unwrap_err().suggestion, None);
    }

    #[test]
    fn every_word_and_alias_means_something() {
        for choices in [
            &BOOLEAN,
            &SHELL,
            &LEVEL,
            &FORMAT,
            &SECURITY,
            &SASL,
            &BEARER,
            &ACKS,
            &COMPRESSION,
            &KEY,
        ] {
            for named in choices.named {
                assert_eq!(choices.parse(named.name), Ok(*named));
            }
            for (alias, _) in choices.aliases {
                assert!(choices.parse(alias).is_ok(), "{alias}");
            }
        }
    }
}
