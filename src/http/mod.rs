//! What the clients of the Schema Registry and of the token endpoint have in common: how they ask, and what a request without an
//! answer is a sign of.
//!
//! Invariant: every request and every answer is bounded; no redirect is followed and no proxy taken from the environment, so that
//! credentials reach the configured host and no other; what ureq logs of a request hides them. What may pass is its callers'
//! business; how long it is waited for is told here.

mod resolver;
mod transport;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use rustls::AlertDescription;
use ureq::http::{HeaderValue, Response};
use ureq::unversioned::transport::{Connector as _, TcpConnector};
use ureq::{Agent, Body, Timeout};
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::tls::{self, Names, TlsConfig};
use resolver::Patient;
use transport::{SilentInTls, SpeaksTls, Wrapping};

/// How long a server that is out of reach is waited for, in each call.
pub const START_DEADLINE: Duration = Duration::from_secs(30);
/// How long a connection may take to be made.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a request may take from name resolution to the last byte; also the longest that a stop has to wait.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Bound of the first pause; it doubles with every failure.
pub const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// Bound of every pause.
pub const BACKOFF_MAX: Duration = Duration::from_secs(20);
/// Longest answer that is read.
pub const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// How patient a client is.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How long a call keeps trying. The last attempt that began before it is finished.
    pub start_deadline: Duration,
    /// Bound of making a connection.
    pub connect_timeout: Duration,
    /// Bound of a whole request.
    pub request_timeout: Duration,
    /// Bound of the first pause between attempts.
    pub backoff_min: Duration,
    /// Bound of every pause between attempts.
    pub backoff_max: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            start_deadline: START_DEADLINE,
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
            backoff_min: BACKOFF_MIN,
            backoff_max: BACKOFF_MAX,
        }
    }
}

/// The pauses between attempts: full jitter under a bound that doubles.
#[derive(Debug)]
pub struct Backoff {
    bound: Duration,
    bound_max: Duration,
}

impl Backoff {
    /// The first pause is to come.
    pub fn new(timing: &Timing) -> Self {
        Self {
            bound: timing.backoff_min,
            bound_max: timing.backoff_max,
        }
    }

    /// The next pause.
    pub fn pause(&mut self, rng: &mut fastrand::Rng) -> Duration {
        let pause = self.bound.mul_f64(rng.f64());
        self.bound = (self.bound * 2).min(self.bound_max);
        pause
    }
}

/// Why attempts have ended without success.
#[derive(Debug)]
pub enum Ended<E> {
    /// The program was told to stop.
    Interrupted,
    /// By an answer that no repetition would change.
    Refused(E),
    /// The deadline is over.
    GaveUp {
        /// How long it was tried.
        waited: Duration,
        /// The last trouble.
        last: E,
    },
}

/// Repeats an attempt whose trouble may pass, with growing pauses, until the start deadline. The disconnection of `interrupt`
/// ends the wait. `attempt` is told at which level to log what may pass: the first time it is worth a warning.
///
/// # Errors
/// Why it has ended.
pub fn persistently<T, E>(
    timing: &Timing,
    rng: &mut fastrand::Rng,
    interrupt: &Receiver<Infallible>,
    may_pass: impl Fn(&E) -> bool,
    attempt: impl Fn(log::Level) -> Result<T, E>,
) -> Result<T, Ended<E>> {
    let started = Instant::now();
    let mut backoff = Backoff::new(timing);
    let mut level = log::Level::Warn;
    let mut pause = Duration::ZERO;
    loop {
        if is_stopped(interrupt, pause) {
            return Err(Ended::Interrupted);
        }
        let last = match attempt(level) {
            Ok(value) => return Ok(value),
            Err(error) if may_pass(&error) => error,
            Err(error) => return Err(Ended::Refused(error)),
        };
        let waited = started.elapsed();
        let left = timing.start_deadline.saturating_sub(waited);
        if left.is_zero() {
            return Err(Ended::GaveUp { waited, last });
        }
        pause = backoff.pause(rng).min(left);
        level = log::Level::Debug;
    }
}

type Hear = dyn Fn(&str) + Send + Sync;

/// Who is to hear of trouble that is tried again, beside the log: nobody, unless it is set.
#[derive(Clone, Default)]
pub struct Listener(Option<Arc<Hear>>);

impl Listener {
    /// `hear` gets one line each time.
    pub fn new(hear: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hear)))
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

/// Says of trouble that it is tried again, unless the program has been told to stop: then it is not.
pub fn tell_retry(
    level: log::Level,
    interrupt: &Receiver<Infallible>,
    listener: &Listener,
    error: &impl fmt::Display,
) {
    if is_stopped(interrupt, Duration::ZERO) {
        return;
    }
    let words = format!("{error}; retrying");
    log::log!(level, event = "retrying"; "⚠️ {words}");
    if let Listener(Some(hear)) = listener {
        hear(&words);
    }
}

/// An agent that asks within these bounds, and `https` as `tls` says.
pub fn agent(timing: &Timing, accept: &str, tls: Option<&TlsConfig>) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(USER_AGENT)
        .accept(accept)
        .timeout_connect(Some(timing.connect_timeout))
        .timeout_global(Some(timing.request_timeout))
        .build();
    let wrapping = Wrapping { tls: tls.cloned() };
    let connector = TcpConnector::default().chain(wrapping);
    Agent::with_parts(config, connector, Patient)
}

/// Ends the requests of an agent. One that is being connected ends with its timeout for that.
#[derive(Debug)]
pub struct Canceller(Agent);

impl Canceller {
    /// For requests of `agent` and its clones.
    pub fn new(agent: &Agent) -> Self {
        Self(agent.clone())
    }

    /// From here on every request fails, one under way too.
    pub fn cancel(self) {
        self.0.shutdown();
    }
}

/// The whole body, up to [`ANSWER_BYTES_MAX`].
///
/// # Errors
/// It is longer, or its end never came.
pub fn read(mut response: Response<Body>) -> Result<Vec<u8>, ureq::Error> {
    response
        .body_mut()
        .with_config()
        .limit(ANSWER_BYTES_MAX)
        .read_to_vec()
}

/// Waits, but no longer than until the program is told to stop, by the disconnection of `interrupt`; says whether it was.
pub fn is_stopped(interrupt: &Receiver<Infallible>, wait: Duration) -> bool {
    interrupt.recv_timeout(wait) != Err(RecvTimeoutError::Timeout)
}

/// What a request without an answer is a sign of, and the words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// No connection, a broken one, or no answer in time: it may pass.
    Unreachable(String),
    /// TLS came to nothing, which no repetition changes. The words follow the peer's name, and say what to do.
    Tls(String),
    /// What answers does not speak as it should.
    Nonsense(String),
    /// The URL cannot be used.
    BadUrl(String),
}

impl Failure {
    /// Sorts ureq's errors. `names`: the settings that it may be about.
    pub fn of(error: ureq::Error, names: Names, has_identity: bool) -> Failure {
        use ureq::Error as E;
        match error {
            E::Io(error) => of_io(&error, names, has_identity),
            E::Timeout(Timeout::Connect) => Failure::Unreachable("no connection in time".into()),
            E::Timeout(_) => Failure::Unreachable("no answer in time".into()),
            E::HostNotFound => Failure::Unreachable("no such host name".into()),
            E::ConnectionFailed => Failure::Unreachable("no connection".into()),
            E::BadUri(_) | E::Http(_) => Failure::BadUrl("not a URL".into()),
            E::BodyExceedsLimit(limit) => {
                Failure::Nonsense(format!("its answer is longer than {limit} bytes"))
            }
            other => Failure::Nonsense(other.to_string()),
        }
    }
}

fn of_io(error: &io::Error, names: Names, has_identity: bool) -> Failure {
    if let Some(error) = inner::<rustls::Error>(error) {
        return match error {
            // What a server says that is in trouble itself.
            rustls::Error::AlertReceived(AlertDescription::InternalError) => {
                Failure::Unreachable(error.to_string())
            }
            error => Failure::Tls(tls::explain(error, names, has_identity)),
        };
    }
    if inner::<SpeaksTls>(error).is_some() {
        return Failure::Tls(format!(
            "it speaks TLS, not plain HTTP; write https in {}",
            names.host
        ));
    }
    if inner::<SilentInTls>(error).is_some() {
        return Failure::Unreachable(error.to_string());
    }
    match inner::<ureq::Error>(error) {
        Some(ureq::Error::Timeout(_)) => Failure::Unreachable("no answer in time".into()),
        _ if error.kind() == io::ErrorKind::InvalidData => Failure::Nonsense(error.to_string()),
        _ => Failure::Unreachable(error.to_string()),
    }
}

/// What an error was made of, however often it was wrapped.
fn inner<T: std::error::Error + 'static>(error: &io::Error) -> Option<&T> {
    let source = error.get_ref()?;
    if let Some(found) = source.downcast_ref::<T>() {
        return Some(found);
    }
    match source.downcast_ref::<ureq::Error>() {
        Some(ureq::Error::Io(error)) => inner(error),
        _ => inner(source.downcast_ref::<io::Error>()?),
    }
}

/// The value of a header that no log shows; `None` if it has characters that a header cannot have.
pub fn secret_header(value: &Secret) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(value.expose()).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// `words` without what `authorization`, such a header's value, shows behind its scheme, should a server repeat that in any form.
pub fn without_shown(authorization: &Secret, words: &str) -> String {
    match authorization.expose().split_once(' ') {
        Some((_, shown)) => Secret::new(shown.to_owned()).hidden_in(words),
        None => words.to_owned(),
    }
}

/// Basic authentication (RFC 7617).
pub fn basic(user: &str, password: &str) -> Secret {
    let pair = Zeroizing::new(format!("{user}:{password}"));
    let encoded = Zeroizing::new(BASE64_STANDARD.encode(pair.as_bytes()));
    Secret::new(format!("Basic {}", *encoded))
}

/// Bearer authentication (RFC 6750).
pub fn bearer(token: &Secret) -> Secret {
    Secret::new(format!("Bearer {}", token.expose()))
}

/// With everything but unreserved characters escaped (RFC 3986, section 2.3): as a segment of a path, or a value of a form.
pub fn percent_encoded(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().map(char::from);
    // Room for all of it: a secret leaves no copy behind.
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
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
pub fn without_credentials(url: &str) -> String {
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
