//! What can go wrong with a Schema Registry, by what can be done about it.
//!
//! Every error is one line: what failed, where, the registry's own words, what to do. Foreign words are shortened and
//! freed of what cannot be shown. It never holds a credential: URLs are stripped of them before they get here.

use std::fmt;
use std::time::Duration;

use crate::foreign::cleaned;

/// Why there is no answer from the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryError {
    /// The program was told to stop while it waited.
    Interrupted,
    /// One request failed.
    Failed {
        /// The class of the failure.
        problem: Problem,
        /// URL and subject.
        place: Place,
        /// What the registry, or the operating system, said. May be empty.
        words: String,
    },
    /// Nothing but failures worth a retry until the deadline.
    GaveUp {
        /// How long it was tried.
        waited: Duration,
        /// The URLs that were tried in each round, without credentials.
        urls: Vec<String>,
        /// The last of the failures.
        last: Box<RegistryError>,
    },
}

/// A class of failure. The numbers are Schema Registry's `error_code`s (API reference, "Errors").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// No connection, a broken one, or no answer in time.
    Unreachable,
    /// An answer that says to come back: 408, 429, 500, 502, 503, 504, with the `error_code` if there is one.
    Unavailable {
        /// HTTP status.
        status: u16,
        /// The registry's own code: 50001, 50002, 50003.
        code: Option<u32>,
    },
    /// 401.
    Unauthorized {
        /// What was sent along.
        sent: Sent,
    },
    /// 403.
    Forbidden,
    /// 40401.
    SubjectNotFound,
    /// 40403.
    SchemaNotFound,
    /// 409 or 40901.
    Incompatible,
    /// 42201.
    InvalidSchema,
    /// 42205.
    NotPermitted,
    /// 3xx; redirects are not followed, for they could carry credentials to another host.
    Redirected,
    /// TLS came to nothing; its words say what to do. No retry and no other URL changes that.
    Untrusted,
    /// What answers does not speak as a registry does.
    NotARegistry,
    /// The URL cannot be used, or asks for what this program cannot do.
    UnusableUrl,
    /// Any other refusal.
    Refused {
        /// HTTP status.
        status: u16,
        /// The registry's own code.
        code: Option<u32>,
    },
}

/// How a request says who it is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It does not.
    Nothing,
    /// By user name and password.
    Basic,
    /// By the token that brokers get too.
    Bearer,
}

/// Where a request went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Base URL, without credentials.
    pub url: String,
    /// The subject that was asked for, if one was.
    pub subject: Option<String>,
}

impl RegistryError {
    /// A failure with foreign words, which are cleaned.
    pub(super) fn failed(problem: Problem, place: &Place, words: &str) -> RegistryError {
        RegistryError::Failed {
            problem,
            place: place.clone(),
            words: cleaned(words),
        }
    }

    /// Whether the same request may succeed later, or at another URL.
    pub fn is_retriable(&self) -> bool {
        matches!(
            self,
            RegistryError::Failed {
                problem: Problem::Unreachable | Problem::Unavailable { .. },
                ..
            }
        )
    }
}

impl Problem {
    /// The class of an answer that is neither a success nor a redirect.
    pub(super) fn of_answer(status: u16, code: Option<u32>, sent: Sent) -> Problem {
        match (status, code) {
            (401, _) => Problem::Unauthorized { sent },
            (403, _) => Problem::Forbidden,
            (_, Some(40401)) => Problem::SubjectNotFound,
            (_, Some(40403)) => Problem::SchemaNotFound,
            (409, _) | (_, Some(40901)) => Problem::Incompatible,
            (_, Some(42201)) => Problem::InvalidSchema,
            (_, Some(42205)) => Problem::NotPermitted,
            (408 | 429 | 500 | 502 | 503 | 504, _) => Problem::Unavailable { status, code },
            // A registry that finds nothing says what in its own code.
            (404 | 405, None) => Problem::NotARegistry,
            _ => Problem::Refused { status, code },
        }
    }

    fn what(self) -> String {
        let text = match self {
            Problem::Unreachable => "is not reachable",
            Problem::Unavailable { status, code } => return unavailable(status, code),
            Problem::Unauthorized {
                sent: Sent::Nothing,
            } => "wants credentials (401)",
            Problem::Unauthorized { sent: Sent::Basic } => "does not accept the credentials (401)",
            Problem::Unauthorized { sent: Sent::Bearer } => "does not accept the token (401)",
            Problem::Forbidden => "does not allow this to these credentials (403)",
            Problem::SubjectNotFound => "has no such subject (40401)",
            Problem::SchemaNotFound => "does not have this schema under the subject (40403)",
            Problem::Incompatible => {
                "finds the schema incompatible with the subject's earlier versions (409)"
            }
            Problem::InvalidSchema => "finds the schema invalid (42201)",
            Problem::NotPermitted => "does not permit this operation (42205)",
            Problem::Redirected => "redirects elsewhere",
            Problem::NotARegistry => "does not answer as a schema registry does",
            Problem::Untrusted => "cannot be spoken to",
            Problem::UnusableUrl => "cannot be used",
            Problem::Refused { status, code: None } => {
                return format!("refuses the request ({status})");
            }
            Problem::Refused {
                status,
                code: Some(code),
            } => {
                return format!("refuses the request ({status}, error code {code})");
            }
        };
        text.to_owned()
    }

    fn advice(self) -> &'static str {
        match self {
            Problem::Unreachable => "check SCHEMA_REGISTRY_URL and that the registry runs",
            Problem::Unavailable { status: 429, .. } => "wait, or ask for a higher rate limit",
            Problem::Unavailable { .. } => "look into the registry's own log",
            Problem::Unauthorized { sent: Sent::Basic } => {
                "check SCHEMA_REGISTRY_API_KEY and SCHEMA_REGISTRY_API_SECRET; a Kafka API key is not a registry's"
            }
            Problem::Unauthorized { sent: Sent::Bearer } => {
                "check KAFKA_OAUTH_SCOPE, SCHEMA_REGISTRY_BEARER_AUTH_LOGICAL_CLUSTER and the extension identityPoolId, or set \
                 SCHEMA_REGISTRY_API_KEY and SCHEMA_REGISTRY_API_SECRET instead"
            }
            Problem::Unauthorized {
                sent: Sent::Nothing,
            } => "set SCHEMA_REGISTRY_API_KEY and SCHEMA_REGISTRY_API_SECRET",
            Problem::Forbidden => {
                "give the key write access to the subject, or read access with SCHEMA_REGISTRY_AUTO_REGISTER=false"
            }
            Problem::SubjectNotFound | Problem::SchemaNotFound => {
                "register the schema first, set SCHEMA_REGISTRY_AUTO_REGISTER=true, or check SCHEMA_REGISTRY_SUBJECT"
            }
            Problem::Incompatible => {
                "use another SCHEMA_REGISTRY_SUBJECT, or relax the subject's compatibility level"
            }
            Problem::InvalidSchema => "check that the registry supports Protobuf schemas",
            Problem::NotPermitted => {
                "the subject or the registry is read-only: change its mode, or set SCHEMA_REGISTRY_AUTO_REGISTER=false"
            }
            Problem::Redirected => {
                "set SCHEMA_REGISTRY_URL to where it leads, if you trust that host"
            }
            Problem::NotARegistry => "check SCHEMA_REGISTRY_URL, its port and its path",
            // Of the first it is never shown: its words say what to do.
            Problem::Untrusted | Problem::UnusableUrl => "check SCHEMA_REGISTRY_URL",
            Problem::Refused { .. } => "look the code up in the registry's documentation",
        }
    }
}

fn unavailable(status: u16, code: Option<u32>) -> String {
    match code {
        Some(50001) => "has trouble with its store (50001)".to_owned(),
        Some(50002) => "timed out (50002)".to_owned(),
        Some(50003) => "could not forward the request to its leader (50003)".to_owned(),
        _ if status == 429 => "has had too many requests (429)".to_owned(),
        _ => format!("is not available ({status})"),
    }
}

impl std::error::Error for RegistryError {}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegistryError::Interrupted => {
                f.write_str("stopped while waiting for the schema registry")
            }
            RegistryError::Failed {
                problem: Problem::Untrusted,
                place,
                words,
            } => write!(f, "schema registry {place}: {words}"),
            RegistryError::Failed {
                problem,
                place,
                words,
            } => {
                write!(f, "schema registry {place} {}", problem.what())?;
                if !words.is_empty() {
                    write!(f, ": {words}")?;
                }
                write!(f, "; {}", problem.advice())
            }
            RegistryError::GaveUp { waited, urls, last } => {
                write!(f, "{last} (gave up after {waited:.0?}")?;
                // The one URL stands in the failure already.
                if urls.len() > 1 {
                    write!(f, "; tried {}", urls.join(", "))?;
                }
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Some(subject) => write!(f, "{} (subject {})", self.url, cleaned(subject)),
            None => f.write_str(&self.url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_where_the_words_and_what_to_do() {
        let place = Place {
            url: "http://localhost:8081".to_owned(),
            subject: Some("js_shoe-value".to_owned()),
        };
        let error = RegistryError::failed(Problem::Incompatible, &place, "field 3\nchanged type");
        assert_eq!(
            error.to_string(),
            "schema registry http://localhost:8081 (subject js_shoe-value) finds the schema incompatible with the \
             subject's earlier versions (409): field 3 changed type; use another SCHEMA_REGISTRY_SUBJECT, or relax the \
             subject's compatibility level"
        );
        let gave_up = |urls: &[&str]| {
            RegistryError::GaveUp {
                waited: Duration::from_secs(30),
                urls: urls.iter().map(|&url| url.to_owned()).collect(),
                last: Box::new(RegistryError::failed(Problem::Unreachable, &place, "")),
            }
            .to_string()
        };
        let one = gave_up(&["http://localhost:8081"]);
        assert!(one.ends_with("runs (gave up after 30s)"), "{one}");
        let two = gave_up(&["http://a:8081", "http://b:8081"]);
        assert!(
            two.ends_with("runs (gave up after 30s; tried http://a:8081, http://b:8081)"),
            "{two}"
        );
    }

    #[test]
    fn only_passing_trouble_is_worth_a_retry() {
        let place = Place {
            url: String::new(),
            subject: None,
        };
        for status in 400..600 {
            let problem = Problem::of_answer(status, None, Sent::Basic);
            let retriable = RegistryError::failed(problem, &place, "").is_retriable();
            assert_eq!(
                retriable,
                [408, 429, 500, 502, 503, 504].contains(&status),
                "{status}"
            );
        }
        assert!(!RegistryError::Interrupted.is_retriable());
    }
}
