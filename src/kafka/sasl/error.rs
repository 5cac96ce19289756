//! Why a client is not authenticated: in one line, with what to do about it, and never with a secret.

use std::fmt;

use crate::foreign::shown;

/// Of a broker's list no more are kept. There are not so many mechanisms.
const MECHANISMS_MAX: usize = 20;

/// Why a client is not authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaslError {
    /// `OAUTHBEARER` without a token.
    NoToken,
    /// SCRAM without a nonce.
    NoNonce,
    /// What the user gave cannot be sent by this mechanism. Why.
    Unusable(String),
    /// The broker does not offer the mechanism (`UNSUPPORTED_SASL_MECHANISM`).
    NotEnabled {
        /// What was asked for.
        mechanism: &'static str,
        /// The broker's own list.
        enabled: Vec<String>,
    },
    /// The broker does not expect an authentication here (`ILLEGAL_SASL_STATE`).
    NotExpected,
    /// The server does not believe that it is us. Its own words, or none.
    Refused(String),
    /// We do not believe that it is the server, or it does not keep to the mechanism. What was wrong.
    Distrusted(String),
}

impl SaslError {
    /// The broker does not offer `mechanism`, but what it lists.
    pub fn not_enabled(mechanism: &'static str, listed: &[String]) -> Self {
        let listed = listed.iter().map(|name| shown(name));
        let enabled = listed.filter(|name| !name.is_empty());
        Self::NotEnabled {
            mechanism,
            enabled: enabled.take(MECHANISMS_MAX).collect(),
        }
    }

    /// Whether trying again is of no use, as long as neither the settings nor the broker change.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::NoToken)
    }

    /// All there is to say, in one line.
    pub fn line(&self, mechanism: &str) -> String {
        let verb = match self {
            Self::Refused(_) => "refused",
            _ => "failed",
        };
        let advice = self.advice();
        format!("authentication by {mechanism} {verb}: {self}; {advice}")
    }

    /// What a user can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoToken => "check KAFKA_OAUTH_TOKEN_ENDPOINT_URL, and what it answers",
            Self::NoNonce => "check that this system has a source of random numbers",
            Self::Unusable(_) => "choose other credentials, or another KAFKA_SASL_MECHANISM",
            Self::NotEnabled { enabled, .. } if enabled.is_empty() => {
                "enable one on the broker (sasl.enabled.mechanisms)"
            }
            Self::NotEnabled { .. } => {
                "set KAFKA_SASL_MECHANISM to one of these, or enable it on the broker"
            }
            Self::NotExpected => {
                "check the port in KAFKA_BOOTSTRAP_SERVERS, and KAFKA_SECURITY_PROTOCOL"
            }
            Self::Refused(_) => {
                "check KAFKA_API_KEY, KAFKA_API_SECRET and KAFKA_SASL_MECHANISM, and that this is the cluster they are for"
            }
            Self::Distrusted(_) => {
                "check KAFKA_API_SECRET, and that KAFKA_BOOTSTRAP_SERVERS leads to the brokers and to nobody in between"
            }
        }
    }
}

impl fmt::Display for SaslError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToken => f.write_str("no OAuth token has been obtained yet"),
            Self::NoNonce => f.write_str("there are no random numbers to begin with"),
            Self::Unusable(why) => f.write_str(why),
            Self::NotEnabled { mechanism, enabled } if enabled.is_empty() => {
                write!(f, "{mechanism} is not enabled there, nor is any other mechanism")
            }
            Self::NotEnabled { mechanism, enabled } => {
                let enabled = shown(&enabled.join(", "));
                write!(f, "{mechanism} is not enabled there, but {enabled}")
            }
            Self::NotExpected => f.write_str(
                "this listener expects no authentication: it is not one of SASL (ILLEGAL_SASL_STATE)",
            ),
            Self::Refused(words) if words.is_empty() => f.write_str("the server gave no reason"),
            Self::Refused(words) => f.write_str(words),
            Self::Distrusted(what) => write!(f, "the server is not trusted: {what}"),
        }
    }
}

impl std::error::Error for SaslError {}
