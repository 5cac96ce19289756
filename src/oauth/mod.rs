//! Tokens for OAUTHBEARER, by OIDC client credentials (RFC 6749, section 4.4; KIP-768).
//!
//! The client asks one endpoint for a token and says how long it lasts; who keeps it fresh is no business of this room. Passing
//! trouble (408, 429, 500, 502, 503, 504, I/O) can be waited out; anything else is an answer. Invariant: neither the client's
//! secret nor a token is ever printed, not even where the endpoint repeats one; both go to the configured host alone.

pub mod config;
pub mod error;

use std::convert::Infallible;
use std::time::Duration;

use crossbeam_channel::Receiver;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};
use zeroize::Zeroizing;

pub use config::TokenConfig;
pub use error::{Problem, TokenError};

use crate::http::{
    self, Backoff, Canceller, Ended, Failure, Listener, Timing, percent_encoded, read,
};
use crate::secret::Secret;
use crate::tls::{Names, TlsConfig};

/// How long a token lasts where the endpoint does not say, which RFC 6749 only recommends: what public ones give at least.
pub const LIFETIME_DEFAULT: Duration = Duration::from_secs(300);
/// Longest lifetime that is believed; a token is renewed long before it does harm.
pub const LIFETIME_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// Longest token that is taken: brokers take no longer request before they know who asks
/// (`sasl.server.max.receive.size`).
pub const TOKEN_BYTES_MAX: usize = 512 * 1024;

const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";
const ACCEPT: &str = "application/json";

/// What an endpoint gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// As it is sent.
    pub value: Secret,
    /// How long it lasts, from when it was given.
    pub expires_in: Duration,
}

/// A client of one token endpoint.
#[derive(Debug)]
pub struct TokenClient {
    agent: Agent,
    config: TokenConfig,
    authorization: Secret,
    timing: Timing,
    rng: fastrand::Rng,
    listener: Listener,
}

impl TokenClient {
    /// A client that has not asked anything yet. `rng` draws the pauses.
    pub fn new(config: TokenConfig, timing: Timing, rng: fastrand::Rng) -> TokenClient {
        // Both are form-urlencoded before they are joined (RFC 6749, section 2.3.1).
        let id = percent_encoded(&config.client_id);
        let secret = Zeroizing::new(percent_encoded(config.client_secret.expose()));
        TokenClient {
            agent: http::agent(&timing, ACCEPT, config.tls.as_ref()),
            authorization: http::basic(&id, &secret),
            config,
            timing,
            rng,
            listener: Listener::default(),
        }
    }

    /// Who hears of trouble that is tried again.
    #[must_use]
    pub fn heard_by(self, listener: Listener) -> TokenClient {
        TokenClient { listener, ..self }
    }

    /// Asks for a token, once.
    ///
    /// # Errors
    /// [`TokenError::Failed`].
    pub fn fetch(&self) -> Result<Token, TokenError> {
        let mut form = "grant_type=client_credentials".to_owned();
        if let Some(scope) = &self.config.scope {
            form += "&scope=";
            form += &percent_encoded(scope);
        }
        let mut request = self.agent.post(&self.config.url);
        request = request.header("content-type", CONTENT_TYPE);
        if let Some(header) = http::secret_header(&self.authorization) {
            request = request.header("authorization", header);
        }
        let response = request.send(&form).map_err(|error| self.failure(error))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(self.refusal(status, response));
        }
        let answer = Zeroizing::new(read(response).map_err(|error| self.failure(error))?);
        token_in(&answer).map_err(|words| self.failed(Problem::NotAnEndpoint, words))
    }

    /// Asks until there is a token, or the start deadline is over. The disconnection of `interrupt` ends the wait.
    ///
    /// # Errors
    /// [`TokenError`], at once for an answer that no retry would change.
    pub fn fetch_at_start(
        &mut self,
        interrupt: &Receiver<Infallible>,
    ) -> Result<Token, TokenError> {
        let mut rng = self.rng.fork();
        let attempt = |level| {
            self.fetch().inspect_err(|error| {
                if error.is_retriable() {
                    http::tell_retry(level, interrupt, &self.listener, error);
                }
            })
        };
        let may_pass = TokenError::is_retriable;
        http::persistently(&self.timing, &mut rng, interrupt, may_pass, attempt).map_err(|ended| {
            match ended {
                Ended::Interrupted => TokenError::Interrupted,
                Ended::Refused(error) => error,
                Ended::GaveUp { waited, last } => TokenError::GaveUp {
                    waited,
                    last: Box::new(last),
                },
            }
        })
    }

    /// What ends this client's requests from another thread.
    pub fn canceller(&self) -> Canceller {
        Canceller::new(&self.agent)
    }

    /// The pauses of whoever repeats [`fetch`](Self::fetch).
    pub fn backoff(&self) -> Backoff {
        Backoff::new(&self.timing)
    }

    /// What an answer that is no success means.
    fn refusal(&self, status: u16, response: Response<Body>) -> TokenError {
        if response.status().is_redirection() {
            return self.failed(Problem::Redirected, "");
        }
        if response.status().is_success() {
            // What it holds may be a token.
            return self.failed(Problem::NotAnEndpoint, &format!("status {status}"));
        }
        // A refusal counts even if its explanation is lost on the way.
        let answer = read(response).unwrap_or_default();
        let json = serde_json::from_slice::<Value>(&answer).unwrap_or_default();
        let text = |name| json.get(name).and_then(Value::as_str);
        let code = text("error");
        let words = match (code, text("error_description")) {
            (Some(code), Some(description)) => format!("{code}: {description}"),
            (Some(words), None) | (None, Some(words)) => words.to_owned(),
            (None, None) => String::from_utf8_lossy(&answer).into_owned(),
        };
        let problem = Problem::of_answer(status, code);
        match problem {
            Problem::NotAnEndpoint => self.failed(problem, &format!("status {status}")),
            problem => self.failed(problem, &words),
        }
    }

    fn failure(&self, error: ureq::Error) -> TokenError {
        let has_identity = self
            .config
            .tls
            .as_ref()
            .is_some_and(TlsConfig::has_identity);
        let (problem, words) = match Failure::of(error, Names::TOKEN, has_identity) {
            Failure::Unreachable(words) => (Problem::Unreachable, words),
            Failure::Tls(words) => (Problem::Untrusted, words),
            Failure::Nonsense(words) => (Problem::NotAnEndpoint, words),
            Failure::BadUrl(words) => (Problem::UnusableUrl, words),
        };
        self.failed(problem, &words)
    }

    /// A failure with the endpoint's words, from which what was sent is taken out should they repeat it.
    fn failed(&self, problem: Problem, words: &str) -> TokenError {
        let secret = &self.config.client_secret;
        let encoded = Secret::new(percent_encoded(secret.expose()));
        // The longest first, of which the others are parts.
        let words = http::without_shown(&self.authorization, words);
        let words = encoded.hidden_in(&secret.hidden_in(&words));
        TokenError::failed(problem, &self.config.url, &words)
    }
}

/// The token in an answer (RFC 6749, section 5.1).
///
/// # Errors
/// What is wrong with the answer; nothing of it is repeated, for it may hold a token.
fn token_in(answer: &[u8]) -> Result<Token, &'static str> {
    let mut json: Value = serde_json::from_slice(answer).map_err(|_| "its answer is not JSON")?;
    if let Some(kind) = json.get("token_type").and_then(Value::as_str)
        && !kind.eq_ignore_ascii_case("bearer")
    {
        return Err("its token is not of the type Bearer");
    }
    let expires_in = match json.get("expires_in") {
        None | Some(Value::Null) => LIFETIME_DEFAULT,
        Some(seconds) => lifetime(seconds).ok_or("its expires_in is no number of seconds")?,
    };
    let value = match json.get_mut("access_token").map(Value::take) {
        Some(Value::String(token)) => Secret::new(token),
        _ => return Err("its answer has no access_token"),
    };
    if !is_token(value.expose()) {
        return Err("its access_token is not one that can be sent");
    }
    Ok(Token { value, expires_in })
}

/// Seconds, which some endpoints put in quotes and others give as a fraction, of which the whole ones count.
fn lifetime(seconds: &Value) -> Option<Duration> {
    let seconds: f64 = match seconds {
        Value::String(text) => text.parse().ok()?,
        number => number.as_f64()?,
    };
    let seconds = Some(seconds).filter(|seconds| seconds.is_finite() && *seconds >= 0.0)?;
    Duration::try_from_secs_f64(seconds.floor().min(LIFETIME_MAX.as_secs_f64())).ok()
}

/// `b64token` of RFC 6750, section 2.1: nothing that could end a header, or a field of SASL.
fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && text.len() <= TOKEN_BYTES_MAX && body.bytes().all(fits)
}

#[cfg(test)]
mod tests;
