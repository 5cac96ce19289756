//! Asks a Schema Registry whether it is there, and for the id of a schema.
//!
//! A request that fails for a passing reason (408, 429, 500, 502, 503, 504, I/O) goes to the next URL; when all have
//! failed, the round is repeated after a pause with full jitter, until the start deadline. Anything else is an answer,
//! and is returned at once. Every wait between requests ends when the program is told to stop; a request under way is
//! not cut short, but bounded by its timeout.
//!
//! It never follows a redirect, never reads more of an answer than [`ANSWER_BYTES_MAX`], and takes no proxy from the
//! environment.

use std::convert::Infallible;
use std::io;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body, Timeout};

use super::config::{Credentials, RegistryConfig};
use super::error::{Place, Problem, RegistryError};

/// How long an unreachable registry is waited for, in each call.
pub const REGISTRY_START_DEADLINE: Duration = Duration::from_secs(30);
/// How long a connection may take to be made.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a request may take from name resolution to the last byte; also the longest that a stop has to wait.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Bound of the first pause; it doubles with every round.
pub const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// Bound of every pause.
pub const BACKOFF_MAX: Duration = Duration::from_secs(20);
/// Longest answer that is read.
pub const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
const ACCEPT: &str = "application/vnd.schemaregistry.v1+json, application/json";
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// A client of one registry.
#[derive(Debug)]
pub struct RegistryClient {
    agent: Agent,
    config: RegistryConfig,
    authorization: Option<String>,
    timing: Timing,
    rng: fastrand::Rng,
}

/// How patient the client is.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How long a call keeps trying. The last round that began before it is finished.
    pub start_deadline: Duration,
    /// Bound of making a connection.
    pub connect_timeout: Duration,
    /// Bound of a whole request.
    pub request_timeout: Duration,
    /// Bound of the first pause between rounds.
    pub backoff_min: Duration,
    /// Bound of every pause between rounds.
    pub backoff_max: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            start_deadline: REGISTRY_START_DEADLINE,
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
            backoff_min: BACKOFF_MIN,
            backoff_max: BACKOFF_MAX,
        }
    }
}

impl RegistryClient {
    /// A client that has not asked anything yet. `rng` draws the pauses.
    pub fn new(config: RegistryConfig, timing: Timing, rng: fastrand::Rng) -> RegistryClient {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(USER_AGENT)
            .accept(ACCEPT)
            .timeout_connect(Some(timing.connect_timeout))
            .timeout_global(Some(timing.request_timeout))
            .build()
            .new_agent();
        RegistryClient {
            agent,
            authorization: config.credentials.as_ref().map(basic),
            config,
            timing,
            rng,
        }
    }

    /// Whether a registry answers: `GET /subjects` has status 200. The list itself, which may be long, is not read.
    ///
    /// The disconnection of `interrupt` ends the wait.
    ///
    /// # Errors
    /// [`RegistryError`], at once for an answer that no retry would change, else after the start deadline.
    pub fn check(&mut self, interrupt: &Receiver<Infallible>) -> Result<(), RegistryError> {
        self.in_rounds(interrupt, RegistryClient::subjects)
    }

    /// The id of `schema`, Protobuf's text, under the configured subject: registered where that is allowed
    /// (registering again is harmless and yields the same id), else looked up.
    ///
    /// The disconnection of `interrupt` ends the wait.
    ///
    /// # Errors
    /// [`RegistryError`], at once for an answer that no retry would change, else after the start deadline.
    pub fn schema_id(
        &mut self,
        schema: &str,
        interrupt: &Receiver<Infallible>,
    ) -> Result<u32, RegistryError> {
        let body = serde_json::json!({ "schemaType": "PROTOBUF", "schema": schema }).to_string();
        self.in_rounds(interrupt, |client, url| client.post_schema(url, &body))
    }

    fn in_rounds<T>(
        &mut self,
        interrupt: &Receiver<Infallible>,
        attempt: impl Fn(&RegistryClient, &str) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let started = Instant::now();
        let mut pause_max = self.timing.backoff_min;
        let mut is_first_round = true;
        loop {
            let mut last = RegistryError::Interrupted;
            for url in &self.config.urls {
                if is_stopped(interrupt, Duration::ZERO) {
                    return Err(RegistryError::Interrupted);
                }
                match attempt(self, url) {
                    Err(error) if error.is_retriable() => {
                        let level = if is_first_round {
                            log::Level::Warn
                        } else {
                            log::Level::Debug
                        };
                        log::log!(level, "⚠️ {error}; retrying");
                        last = error;
                    }
                    outcome => return outcome,
                }
            }
            let waited = started.elapsed();
            let left = self.timing.start_deadline.saturating_sub(waited);
            if left.is_zero() {
                return Err(RegistryError::GaveUp {
                    waited,
                    last: Box::new(last),
                });
            }
            let pause = pause_max.mul_f64(self.rng.f64()).min(left);
            if is_stopped(interrupt, pause) {
                return Err(RegistryError::Interrupted);
            }
            pause_max = (pause_max * 2).min(self.timing.backoff_max);
            is_first_round = false;
        }
    }

    fn subjects(&self, url: &str) -> Result<(), RegistryError> {
        let place = Place {
            url: without_credentials(url),
            subject: None,
        };
        let mut request = self.agent.get(format!("{url}/subjects"));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let response = request.call().map_err(|error| failure(error, &place))?;
        self.success(response, &place).map(drop)
    }

    fn post_schema(&self, url: &str, body: &str) -> Result<u32, RegistryError> {
        let subject = &self.config.subject;
        let place = Place {
            url: without_credentials(url),
            subject: Some(subject.clone()),
        };
        let versions = if self.config.auto_register {
            "/versions"
        } else {
            ""
        };
        let target = format!(
            "{url}/subjects/{}{versions}?normalize=true",
            percent_encoded(subject)
        );
        let mut request = self.agent.post(target).header("content-type", CONTENT_TYPE);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let response = request.send(body).map_err(|error| failure(error, &place))?;
        let answer =
            read(self.success(response, &place)?).map_err(|error| failure(error, &place))?;
        schema_id_in(&answer).ok_or_else(|| {
            let words = format!("no schema id in {:?}", String::from_utf8_lossy(&answer));
            RegistryError::failed(Problem::NotARegistry, &place, &words)
        })
    }

    /// The response if its status is 200; otherwise the failure that it tells of.
    fn success(
        &self,
        response: Response<Body>,
        place: &Place,
    ) -> Result<Response<Body>, RegistryError> {
        let status = response.status().as_u16();
        if status == 200 {
            return Ok(response);
        }
        if response.status().is_redirection() {
            let location = response
                .headers()
                .get("location")
                .and_then(|value| value.to_str().ok());
            let words = location.map(|location| format!("to {}", without_credentials(location)));
            let words = words.unwrap_or_default();
            return Err(RegistryError::failed(Problem::Redirected, place, &words));
        }
        // A refusal counts even if its explanation is lost on the way.
        let answer = read(response).unwrap_or_default();
        let json = serde_json::from_slice::<Value>(&answer).unwrap_or_default();
        let code = json
            .get("error_code")
            .and_then(Value::as_u64)
            .and_then(|code| code.try_into().ok());
        let words = match json.get("message").and_then(Value::as_str) {
            Some(message) => message.to_owned(),
            None => String::from_utf8_lossy(&answer).into_owned(),
        };
        let problem = match Problem::of_answer(status, code, self.authorization.is_some()) {
            Problem::NotARegistry => {
                return Err(RegistryError::failed(
                    Problem::NotARegistry,
                    place,
                    &format!("status {status}"),
                ));
            }
            problem => problem,
        };
        Err(RegistryError::failed(problem, place, &words))
    }
}

/// Waits, but no longer than until the program is told to stop; says whether it was.
fn is_stopped(interrupt: &Receiver<Infallible>, wait: Duration) -> bool {
    interrupt.recv_timeout(wait) != Err(RecvTimeoutError::Timeout)
}

fn read(mut response: Response<Body>) -> Result<Vec<u8>, ureq::Error> {
    response
        .body_mut()
        .with_config()
        .limit(ANSWER_BYTES_MAX)
        .read_to_vec()
}

/// Ids are positive `int`s of Java.
fn schema_id_in(answer: &[u8]) -> Option<u32> {
    let json: Value = serde_json::from_slice(answer).ok()?;
    let id = i32::try_from(json.get("id")?.as_i64()?).ok()?;
    u32::try_from(id).ok()
}

/// What a request without an answer is a sign of.
fn failure(error: ureq::Error, place: &Place) -> RegistryError {
    use ureq::Error as E;
    let (problem, words) = match error {
        E::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            (Problem::NotARegistry, error.to_string())
        }
        E::Io(error) => (Problem::Unreachable, error.to_string()),
        E::Timeout(Timeout::Connect) => (Problem::Unreachable, "no connection in time".to_owned()),
        E::Timeout(_) => (Problem::Unreachable, "no answer in time".to_owned()),
        E::HostNotFound => (Problem::Unreachable, "no such host name".to_owned()),
        E::ConnectionFailed => (Problem::Unreachable, "no connection".to_owned()),
        E::TlsRequired => (
            Problem::UnusableUrl,
            "https is not in this version yet".to_owned(),
        ),
        E::BadUri(_) | E::Http(_) => (Problem::UnusableUrl, "not a URL".to_owned()),
        E::BodyExceedsLimit(limit) => (
            Problem::NotARegistry,
            format!("its answer is longer than {limit} bytes"),
        ),
        other => (Problem::NotARegistry, other.to_string()),
    };
    RegistryError::failed(problem, place, &words)
}

/// RFC 7617.
fn basic(credentials: &Credentials) -> String {
    let pair = format!("{}:{}", credentials.user, credentials.password.expose());
    format!("Basic {}", BASE64_STANDARD.encode(pair))
}

/// A path segment (RFC 3986, section 2.3): everything but unreserved characters is escaped.
fn percent_encoded(segment: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().map(char::from);
    let mut encoded = String::new();
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.extend([digit(byte >> 4), digit(byte & 0xf)].into_iter().flatten());
        }
    }
    encoded
}

/// A URL for people. Configured URLs have no credentials any more, but a redirect's may.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests;
