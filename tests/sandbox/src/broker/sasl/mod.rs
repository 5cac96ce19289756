//! Who may speak on a connection: SASL as Kafka's `SaslServerAuthenticator` and `KafkaApis` judge it, and KIP-368.
//!
//! ```text
//!           ApiVersions, once     SaslHandshake         the exchange is complete
//!  Begin ──────────────────────────────────▶ Exchange ──────────────────────────▶ Open
//!                                                ▲    SaslHandshake, if sessions end │
//!                                                └───────────────────────────────────┘
//! ```
//!
//! Whatever is out of order ends the connection, and so does anything but a handshake once a session is over. It counts as
//! a violation only where the client could know better: not when its settings are wrong. Unlike a broker, a client may
//! authenticate again within a second of the last time, so that tests can have short sessions.

mod bearer;
mod exchange;
pub(crate) mod scram;

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Encodable, StrBytes};

use super::Shared;
use super::faults::Ordered;
use super::request::{Answer, Head, frame};
use super::state::Login;
use crate::security::{Mechanism, Sasl};
use exchange::{Done, Exchange, Known, Step};

/// Kafka's words.
const NOT_EXPECTED: &str = "SaslAuthenticate request received after successful authentication";

/// What a connection has shown of itself so far.
pub(crate) struct Authenticator {
    node: i32,
    phase: Phase,
    /// What was shown last, and counts until it is over.
    session: Option<Session>,
}

enum Phase {
    Begin {
        versions_asked: bool,
    },
    Exchange(Mechanism, Exchange),
    /// A handshake for another mechanism than the session's was answered; nothing can follow.
    DeadEnd,
    Open,
}

struct Session {
    mechanism: Mechanism,
    user: String,
    ends: Option<Instant>,
}

/// What is to be done with a request before anybody looks into it.
pub(crate) enum Admission {
    Pass,
    /// The connection is closed; what the client should have known better.
    Close(Option<&'static str>),
    /// The same, behind an answer with error 34.
    Illegal(&'static str),
    /// The connection is closed because the session is over.
    Expired,
}

/// An answer, and what follows from it.
pub(crate) struct Verdict<T> {
    response: T,
    /// Whether the connection ends behind it.
    last: bool,
    pub(crate) wrong: Option<&'static str>,
}

impl Authenticator {
    /// Of a new connection.
    pub(crate) fn new(shared: &Shared, node: i32) -> Self {
        let phase = match shared.config.security.sasl {
            None => Phase::Open,
            Some(_) => Phase::Begin {
                versions_asked: false,
            },
        };
        Self {
            node,
            phase,
            session: None,
        }
    }

    /// Whether a request of this API may be done now.
    pub(crate) fn admit(&self, api: ApiKey) -> Admission {
        match (&self.phase, api) {
            (Phase::Open | Phase::Begin { .. }, ApiKey::SaslHandshake)
            | (Phase::Exchange(..), ApiKey::SaslAuthenticate)
            | (
                Phase::Begin {
                    versions_asked: false,
                },
                ApiKey::ApiVersions,
            ) => Admission::Pass,
            (Phase::Open, _) => {
                let ends = self.session.as_ref().and_then(|session| session.ends);
                if ends.is_some_and(|ends| ends < Instant::now()) {
                    Admission::Expired
                } else {
                    Admission::Pass
                }
            }
            (Phase::Begin { .. }, ApiKey::ApiVersions) => {
                Admission::Close(Some("a second time before SaslHandshake"))
            }
            (Phase::Begin { .. }, ApiKey::SaslAuthenticate) => {
                Admission::Close(Some("before SaslHandshake"))
            }
            // Settings without SASL for a cluster with it.
            (Phase::Begin { .. }, _) => Admission::Close(None),
            (Phase::Exchange(..), _) => Admission::Illegal("in the middle of authentication"),
            (Phase::DeadEnd, _) => {
                Admission::Close(Some("after a handshake for another mechanism than before"))
            }
        }
    }

    /// An `ApiVersions` was answered with the versions.
    pub(crate) fn versions_told(&mut self) {
        if let Phase::Begin { versions_asked } = &mut self.phase {
            *versions_asked = true;
        }
    }

    /// What goes back where an API has an answer for being out of order.
    pub(crate) fn illegal(head: &Head) -> Option<Answer> {
        let code = illegal_state();
        let (id, version) = (head.correlation_id, head.version);
        match head.api {
            ApiKey::SaslHandshake => {
                let response = SaslHandshakeResponse::default().with_error_code(code);
                Some(frame(head, id, version, &response))
            }
            ApiKey::ApiVersions => {
                let response = ApiVersionsResponse::default().with_error_code(code);
                Some(frame(head, id, version, &response))
            }
            _ => None,
        }
    }

    pub(crate) fn handshake(
        &mut self,
        shared: &Shared,
        request: &SaslHandshakeRequest,
        version: i16,
        ordered: Option<&Ordered>,
    ) -> Verdict<SaslHandshakeResponse> {
        let response = SaslHandshakeResponse::default();
        if let Some(code) = ordered.and_then(Ordered::whole_error) {
            return Verdict::last(response.with_error_code(code));
        }
        let Some(sasl) = &shared.config.security.sasl else {
            return Verdict::next(response.with_error_code(illegal_state()));
        };
        if self
            .session
            .as_ref()
            .is_some_and(|session| session.ends.is_none())
        {
            let response = response.with_error_code(illegal_state());
            return Verdict::next(response).but("again, though the session does not end");
        }
        let names = sasl.mechanisms.iter().map(|mechanism| mechanism.name());
        let names = names.map(StrBytes::from_static_str).collect();
        let response = response.with_mechanisms(names);
        let mechanism = sasl.mechanisms.iter().copied();
        let mut mechanism = mechanism.filter(|known| known.name() == &*request.mechanism);
        let Some(mechanism) = mechanism.next() else {
            let code = ResponseError::UnsupportedSaslMechanism.code();
            return Verdict::last(response.with_error_code(code));
        };
        if version == 0 {
            return Verdict::last(response).but("version 0 announces tokens without a frame");
        }
        let same = self
            .session
            .as_ref()
            .is_none_or(|session| session.mechanism == mechanism);
        self.phase = if same {
            Phase::Exchange(mechanism, Exchange::of(mechanism))
        } else {
            Phase::DeadEnd
        };
        Verdict::next(response)
    }

    pub(crate) fn authenticate(
        &mut self,
        shared: &Shared,
        request: &SaslAuthenticateRequest,
        version: i16,
        ordered: Option<&Ordered>,
    ) -> Verdict<SaslAuthenticateResponse> {
        let response = SaslAuthenticateResponse::default();
        let security = &shared.config.security;
        let (Some(sasl), Phase::Exchange(mechanism, exchange)) = (&security.sasl, &mut self.phase)
        else {
            let response = response.with_error_code(illegal_state());
            let response = response.with_error_message(Some(text(NOT_EXPECTED)));
            return Verdict {
                // Where there is no SASL, settings are to blame.
                wrong: security.sasl.is_some().then_some("without a handshake"),
                ..Verdict::next(response)
            };
        };
        let mechanism = *mechanism;
        let again = self.session.is_some();
        let attempt = if again {
            "re-authentication"
        } else {
            "authentication"
        };
        let name = mechanism.name();
        let invalid = format!(
            "Authentication failed during {attempt} due to invalid credentials with SASL mechanism {name}"
        );
        let code = ordered.and_then(Ordered::whole_error);
        let step = match code {
            Some(_) => Step::Invalid,
            None => exchange.step(&request.auth_bytes, &Known { shared, sasl }),
        };
        let (reason, wrong) = match step {
            Step::Challenge(bytes) => return Verdict::next(response.with_auth_bytes(bytes.into())),
            Step::Done(done) => match self.take_over(shared, sasl, mechanism, done) {
                Ok((last, lifetime)) => {
                    // Version 0 has no place for it; the session ends nevertheless.
                    let lifetime = if version == 0 { 0 } else { lifetime };
                    let response = response.with_session_lifetime_ms(lifetime);
                    return Verdict::next(response.with_auth_bytes(last));
                }
                Err(reason) => (reason, Some("as another user than before")),
            },
            Step::Refused(reason) => (reason, None),
            Step::Invalid => (invalid, None),
            Step::Malformed(what) => (invalid, Some(what)),
        };
        shared.update(|state| {
            state.disturbed = true;
            state.denied_logins += 1;
        });
        let code = code.unwrap_or(ResponseError::SaslAuthenticationFailed.code());
        let response = response
            .with_error_code(code)
            .with_error_message(Some(text(&reason)));
        Verdict {
            wrong,
            ..Verdict::last(response)
        }
    }

    /// Begins a session; returns the last words and its lifetime in milliseconds, 0 for one that does not end.
    fn take_over(
        &mut self,
        shared: &Shared,
        sasl: &Sasl,
        mechanism: Mechanism,
        done: Done,
    ) -> Result<(Bytes, i64), String> {
        let before = self.session.as_ref();
        if let Some(session) = before
            && session.user != done.user
        {
            return Err(format!(
                "Cannot change principals during re-authentication from User.{}: User.{}",
                session.user, done.user
            ));
        }
        let now = Instant::now();
        let of_token = done
            .expires
            .map(|expires| expires.saturating_duration_since(now));
        let lifetime = [sasl.session_lifetime, of_token]
            .into_iter()
            .flatten()
            .min();
        let login = Login {
            node: self.node,
            mechanism,
            user: done.user.clone(),
            again: before.is_some(),
            extensions: done.extensions,
        };
        shared.update(|state| state.note_login(login));
        self.session = Some(Session {
            mechanism,
            user: done.user,
            ends: lifetime.map(|lifetime| now + lifetime),
        });
        self.phase = Phase::Open;
        let milliseconds = lifetime.map_or(0, |lifetime: Duration| lifetime.as_millis());
        Ok((
            done.last.into(),
            i64::try_from(milliseconds).unwrap_or(i64::MAX),
        ))
    }
}

impl<T: Encodable> Verdict<T> {
    /// What goes back, in the version that was asked.
    pub(crate) fn frame(&self, head: &Head, correlation_id: i32) -> Answer {
        match frame(head, correlation_id, head.version, &self.response) {
            Answer::Frame(frame) if self.last => Answer::Last(frame),
            answer => answer,
        }
    }
}

impl<T> Verdict<T> {
    fn next(response: T) -> Self {
        Self {
            response,
            last: false,
            wrong: None,
        }
    }

    fn last(response: T) -> Self {
        Self {
            last: true,
            ..Self::next(response)
        }
    }

    fn but(self, wrong: &'static str) -> Self {
        Self {
            wrong: Some(wrong),
            ..self
        }
    }
}

fn illegal_state() -> i16 {
    ResponseError::IllegalSaslState.code()
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
