//! Asks a Schema Registry whether it is there, and for the id of a schema.
//!
//! A request that fails for a passing reason (408, 429, 500, 502, 503, 504, I/O) goes to the next URL; when all have
//! failed, the round is repeated after a pause with full jitter, until the start deadline. Anything else is an answer,
//! and is returned at once. Every wait between requests ends when the program is told to stop; a request under way is
//! not cut short, but bounded by its timeout.
//!
//! It never follows a redirect, never reads more of an answer than [`ANSWER_BYTES_MAX`](http::ANSWER_BYTES_MAX), and takes no proxy from the
//! environment.

use std::convert::Infallible;
use std::time::Duration;

use crossbeam_channel::Receiver;
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body, RequestBuilder};

use super::config::RegistryConfig;
use super::error::{Place, Problem, RegistryError, Sent};
use crate::http::{
    self, Canceller, Ended, Failure, Listener, Timing, is_stopped, percent_encoded, read,
};
use crate::secret::Secret;
use crate::tls::{Names, TlsConfig};

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
const ACCEPT: &str = "application/vnd.schemaregistry.v1+json, application/json";

/// A client of one registry.
#[derive(Debug)]
pub struct RegistryClient {
    agent: Agent,
    config: RegistryConfig,
    authorization: Option<Secret>,
    sent: Sent,
    timing: Timing,
    rng: fastrand::Rng,
    listener: Listener,
}

impl RegistryClient {
    /// A client that has not asked anything yet. `rng` draws the pauses.
    pub fn new(config: RegistryConfig, timing: Timing, rng: fastrand::Rng) -> RegistryClient {
        let credentials = config.credentials.as_ref();
        let authorization =
            credentials.map(|login| http::basic(&login.user, login.password.expose()));
        RegistryClient {
            agent: http::agent(&timing, ACCEPT, config.tls.as_ref()),
            sent: if authorization.is_some() {
                Sent::Basic
            } else {
                Sent::Nothing
            },
            authorization,
            config,
            timing,
            rng,
            listener: Listener::default(),
        }
    }

    /// Who hears of trouble that is tried again.
    #[must_use]
    pub fn heard_by(self, listener: Listener) -> RegistryClient {
        RegistryClient { listener, ..self }
    }

    /// What ends this client's requests from another thread.
    pub fn canceller(&self) -> Canceller {
        Canceller::new(&self.agent)
    }

    /// From here on it shows this token, if it is configured to ([`RegistryConfig::bearer`]).
    pub fn set_token(&mut self, token: &Secret) {
        if self.config.bearer.is_some() {
            self.authorization = Some(http::bearer(token));
            self.sent = Sent::Bearer;
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
        let body = schema_body(schema);
        self.in_rounds(interrupt, |client, url| client.post_schema(url, &body))
    }

    fn in_rounds<T>(
        &mut self,
        interrupt: &Receiver<Infallible>,
        attempt: impl Fn(&RegistryClient, &str) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let mut rng = self.rng.fork();
        let round = |level| {
            let tell = |error: &_| http::tell_retry(level, interrupt, &self.listener, error);
            self.round(interrupt, tell, &attempt)
        };
        let may_pass = RegistryError::is_retriable;
        http::persistently(&self.timing, &mut rng, interrupt, may_pass, round).map_err(|ended| {
            match ended {
                Ended::Interrupted => RegistryError::Interrupted,
                Ended::Refused(error) => error,
                Ended::GaveUp { waited, last } => RegistryError::GaveUp {
                    waited,
                    urls: (self.config.urls.iter())
                        .map(|url| http::without_credentials(url))
                        .collect(),
                    last: Box::new(last),
                },
            }
        })
    }

    /// Asks one URL after the other until one has an answer. Passing trouble is told, and the last of it returned.
    pub(super) fn round<T>(
        &self,
        interrupt: &Receiver<Infallible>,
        tell: impl Fn(&RegistryError),
        attempt: impl Fn(&RegistryClient, &str) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let mut last = RegistryError::Interrupted;
        for url in &self.config.urls {
            if is_stopped(interrupt, Duration::ZERO) {
                return Err(RegistryError::Interrupted);
            }
            match attempt(self, url) {
                Err(error) if error.is_retriable() => {
                    tell(&error);
                    last = error;
                }
                outcome => return outcome,
            }
        }
        Err(last)
    }

    pub(super) fn subjects(&self, url: &str) -> Result<(), RegistryError> {
        let place = place(url, None);
        let request = self.authorized(self.agent.get(format!("{url}/subjects")));
        let response = request.call();
        let response = response.map_err(|error| self.failure(error, &place))?;
        self.success(response, &place).map(drop)
    }

    fn post_schema(&self, url: &str, body: &str) -> Result<u32, RegistryError> {
        let versions = if self.config.auto_register {
            "/versions"
        } else {
            ""
        };
        let subject = self.subject_segment();
        let path = format!("/subjects/{subject}{versions}?normalize=true");
        self.post_for_id(url, &path, body)
    }

    /// Posts a schema to what answers with an id.
    pub(super) fn post_for_id(
        &self,
        url: &str,
        path: &str,
        body: &str,
    ) -> Result<u32, RegistryError> {
        let answer = self.post(url, path, body)?;
        schema_id_in(&answer).ok_or_else(|| {
            // Before it is quoted, which changes how a secret in it is written.
            let answer = self.without_sent(&String::from_utf8_lossy(&answer));
            let words = format!("no schema id in {answer:?}");
            self.nonsense(url, &words)
        })
    }

    /// Posts a schema, and reads the answer of a success.
    pub(super) fn post(&self, url: &str, path: &str, body: &str) -> Result<Vec<u8>, RegistryError> {
        let place = place(url, Some(&self.config.subject));
        let request = self.agent.post(format!("{url}{path}"));
        let request = self.authorized(request.header("content-type", CONTENT_TYPE));
        let response = request.send(body);
        let response = response.map_err(|error| self.failure(error, &place))?;
        read(self.success(response, &place)?).map_err(|error| self.failure(error, &place))
    }

    /// An answer about the subject that makes no sense.
    pub(super) fn nonsense(&self, url: &str, words: &str) -> RegistryError {
        let place = place(url, Some(&self.config.subject));
        self.failed(Problem::NotARegistry, &place, words)
    }

    /// The subject as a segment of a path.
    pub(super) fn subject_segment(&self) -> String {
        percent_encoded(&self.config.subject)
    }

    /// With what says who we are.
    fn authorized<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        let header = self.authorization.as_ref().and_then(http::secret_header);
        let Some(header) = header else {
            return request;
        };
        let mut request = request.header("authorization", header);
        if let (Sent::Bearer, Some(bearer)) = (self.sent, &self.config.bearer) {
            if let Some(cluster) = &bearer.logical_cluster {
                request = request.header("target-sr-cluster", cluster);
            }
            if let Some(pool) = &bearer.identity_pool {
                request = request.header("confluent-identity-pool-id", pool);
            }
        }
        request
    }

    /// What a request without an answer is a sign of.
    fn failure(&self, error: ureq::Error, place: &Place) -> RegistryError {
        let has_identity = self
            .config
            .tls
            .as_ref()
            .is_some_and(TlsConfig::has_identity);
        let (problem, words) = match Failure::of(error, Names::REGISTRY, has_identity) {
            Failure::Unreachable(words) => (Problem::Unreachable, words),
            Failure::Tls(words) => (Problem::Untrusted, words),
            Failure::Nonsense(words) => (Problem::NotARegistry, words),
            Failure::BadUrl(words) => (Problem::UnusableUrl, words),
        };
        self.failed(problem, place, &words)
    }

    /// A failure with foreign words.
    fn failed(&self, problem: Problem, place: &Place, words: &str) -> RegistryError {
        RegistryError::failed(problem, place, &self.without_sent(words))
    }

    /// Foreign words, from which what was sent is taken out should they repeat it.
    pub(super) fn without_sent(&self, words: &str) -> String {
        let mut words = words.to_owned();
        // The longer one first, of which the other is a part.
        if let Some(header) = &self.authorization {
            words = http::without_shown(header, &words);
        }
        if let Some(login) = &self.config.credentials {
            words = login.password.hidden_in(&words);
        }
        words
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
            // What was sent is taken out first: a password may look like the end of a host name.
            let location = location.map(|location| self.without_sent(location));
            let words =
                location.map(|location| format!("to {}", http::without_credentials(&location)));
            let words = words.unwrap_or_default();
            return Err(self.failed(Problem::Redirected, place, &words));
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
        let problem = match Problem::of_answer(status, code, self.sent) {
            Problem::NotARegistry => {
                return Err(self.failed(Problem::NotARegistry, place, &format!("status {status}")));
            }
            problem => problem,
        };
        Err(self.failed(problem, place, &words))
    }
}

fn place(url: &str, subject: Option<&String>) -> Place {
    Place {
        url: http::without_credentials(url),
        subject: subject.cloned(),
    }
}

/// What is posted of a schema, Protobuf's text.
pub(super) fn schema_body(schema: &str) -> String {
    serde_json::json!({ "schemaType": "PROTOBUF", "schema": schema }).to_string()
}

/// Ids are positive `int`s of Java.
fn schema_id_in(answer: &[u8]) -> Option<u32> {
    let json: Value = serde_json::from_slice(answer).ok()?;
    let id = i32::try_from(json.get("id")?.as_i64()?).ok()?;
    u32::try_from(id).ok()
}

#[cfg(test)]
mod tests;
