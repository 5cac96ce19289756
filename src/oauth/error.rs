//! What can go wrong with a token endpoint, by what can be done about it.
//!
//! Every error is one line: what failed, where, the endpoint's own words, what to do. It never holds a secret or a token:
//! whoever builds one leaves them out, and a URL is shown without its query.

use std::fmt;
use std::time::Duration;

use crate::foreign::cleaned;
use crate::http::without_credentials;
use crate::oauth::config::without_query;

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenError {
    /// The program was told to stop while it waited.
    Interrupted,
    /// One request failed.
    Failed {
        /// The class of the failure.
        problem: Problem,
        /// The endpoint.
        url: String,
        /// What the endpoint, or the operating system, said. May be empty.
        words: String,
    },
    /// Nothing but failures worth a retry until the deadline.
    GaveUp {
        /// How long it was tried.
        waited: Duration,
        /// The last of the failures.
        last: Box<TokenError>,
    },
}

/// A class of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// No connection, a broken one, or no answer in time.
    Unreachable,
    /// An answer that says to come back: 408, 429, 500, 502, 503, 504.
    Unavailable(u16),
    /// 401, or `invalid_client` (RFC 6749, section 5.2).
    Unauthorized(u16),
    /// `invalid_scope`.
    InvalidScope,
    /// `unauthorized_client` or `unsupported_grant_type`: no client credentials for this client.
    NotAllowed,
    /// 3xx; redirects are not followed, for they could carry credentials to another host.
    Redirected,
    /// TLS came to nothing; its words say what to do.
    Untrusted,
    /// What answers does not speak as a token endpoint does.
    NotAnEndpoint,
    /// The URL cannot be used.
    UnusableUrl,
    /// Any other refusal.
    Refused(u16),
}

impl TokenError {
    /// A failure with foreign words, which are cleaned.
    pub(super) fn failed(problem: Problem, url: &str, words: &str) -> TokenError {
        let url = without_query(&without_credentials(url));
        let words = cleaned(words);
        TokenError::Failed {
            problem,
            url,
            words,
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_retriable(&self) -> bool {
        matches!(
            self,
            TokenError::Failed {
                problem: Problem::Unreachable | Problem::Unavailable(_),
                ..
            }
        )
    }
}

impl Problem {
    /// The class of an answer that is neither a success nor a redirect, with the `error` that it names.
    pub(super) fn of_answer(status: u16, code: Option<&str>) -> Problem {
        match (status, code) {
            (408 | 429 | 500 | 502 | 503 | 504, _) => Problem::Unavailable(status),
            (401, _) | (_, Some("invalid_client")) => Problem::Unauthorized(status),
            (_, Some("invalid_scope")) => Problem::InvalidScope,
            (_, Some("unauthorized_client" | "unsupported_grant_type")) => Problem::NotAllowed,
            (404 | 405, None) => Problem::NotAnEndpoint,
            _ => Problem::Refused(status),
        }
    }

    fn what(self) -> String {
        match self {
            Problem::Unreachable => "is not reachable".to_owned(),
            Problem::Unavailable(429) => "has had too many requests (429)".to_owned(),
            Problem::Unavailable(status) => format!("is not available ({status})"),
            Problem::Unauthorized(status) => format!("does not accept the client ({status})"),
            Problem::InvalidScope => "does not grant the scope".to_owned(),
            Problem::NotAllowed => "gives this client no token for its credentials".to_owned(),
            Problem::Redirected => "redirects elsewhere".to_owned(),
            Problem::Untrusted | Problem::UnusableUrl => "cannot be used".to_owned(),
            Problem::NotAnEndpoint => "does not answer as a token endpoint does".to_owned(),
            Problem::Refused(status) => format!("refuses the request ({status})"),
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Problem::Unreachable => "check KAFKA_OAUTH_TOKEN_ENDPOINT_URL and that it runs",
            Problem::Unavailable(429) => "wait, or ask for a higher rate limit",
            Problem::Unavailable(_) => "look into the identity provider's own log",
            Problem::Unauthorized(_) => {
                "check KAFKA_API_KEY and KAFKA_API_SECRET, which are the client's id and secret"
            }
            Problem::InvalidScope => "check KAFKA_OAUTH_SCOPE",
            Problem::NotAllowed => {
                "allow the client the grant client_credentials at the identity provider"
            }
            Problem::Redirected
            | Problem::Untrusted
            | Problem::UnusableUrl
            | Problem::NotAnEndpoint => "check KAFKA_OAUTH_TOKEN_ENDPOINT_URL",
            Problem::Refused(_) => {
                "check KAFKA_OAUTH_SCOPE and the client at the identity provider"
            }
        }
    }
}

impl std::error::Error for TokenError {}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenError::Interrupted => f.write_str("stopped while waiting for a token"),
            TokenError::Failed {
                problem: Problem::Untrusted,
                url,
                words,
            } => write!(f, "token endpoint {url}: {words}"),
            TokenError::Failed {
                problem,
                url,
                words,
            } => {
                write!(f, "token endpoint {url} {}", problem.what())?;
                if !words.is_empty() {
                    write!(f, ": {words}")?;
                }
                write!(f, "; {}", problem.advice())
            }
            TokenError::GaveUp { waited, last } => {
                write!(f, "{last} (gave up after {waited:.0?})")
            }
        }
    }
}
