//! Authentication of a session: at its beginning, and anew before it expires (KIP-368).
//!
//! ```text
//!  begin ──SaslHandshake──▶ ──SaslAuthenticate──▶ … ──▶ authenticated ──most of the lifetime is over──▶ begin
//! ```
//!
//! Invariant: from the handshake to the end of the exchange nothing else is asked on the connection, for a broker takes no
//! other request then. What was asked before is answered before: it stays in flight, and loses nothing. A broker closes a
//! connection whose session has expired, so that this module never lets one be used up.

use std::time::{Duration, Instant};

use super::super::credentials::Credentials;
use super::{Answer, Asked, Session, SessionError, Stage};
use crate::kafka::sasl::{Exchange, Message, SaslError, Step};
use crate::kafka::wire::ErrorCode;
use crate::kafka::wire::frame::RequestFrame;
use crate::kafka::wire::message::{
    Request, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse,
};

/// When a session is renewed, in thousandths of its lifetime: at random, so that not all are renewed at once.
const RENEW_PERMILLE: std::ops::RangeInclusive<u32> = 850..=950;
/// A session is not renewed earlier than this after it began, however short: a broker takes no second handshake within a
/// second (`KafkaChannel.MIN_REAUTH_INTERVAL_ONE_SECOND_NANOS`).
const RENEW_AFTER_MIN: Duration = Duration::from_secs(1);
/// What a request has before its content, the client's id aside: lengths, key, version, correlation id, tags.
const HEAD_BYTES_MAX: usize = 64;
/// A longer lifetime is taken for this one.
const LIFETIME_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1000;

/// How a session stands with its broker.
#[derive(Debug, Default)]
pub(super) struct Authentication {
    under_way: Option<UnderWay>,
    /// When to authenticate anew.
    renew_at: Option<Instant>,
}

/// An exchange.
#[derive(Debug)]
struct UnderWay {
    exchange: Exchange,
    /// What follows the handshake.
    first: Option<Message>,
    begun: Instant,
    /// When its last message was sent.
    sent_at: Instant,
}

impl Authentication {
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Since when, if it is under way.
    pub(super) fn begun(&self) -> Option<Instant> {
        self.under_way.as_ref().map(|under_way| under_way.begun)
    }
}

impl Session {
    /// Begins to authenticate, for the first time on this connection or anew. `None`: there is nothing to authenticate by.
    pub(in super::super) fn authenticate(
        &mut self,
        credentials: &mut Credentials,
        now: Instant,
    ) -> Option<Result<RequestFrame, SaslError>> {
        let begun = credentials.begin()?;
        if self.stage != Stage::Ready {
            self.stage = Stage::Authenticating;
        }
        let (exchange, first) = match begun {
            Ok(begun) => begun,
            Err(error) => return Some(Err(error)),
        };
        let mechanism = exchange.mechanism();
        self.authentication.renew_at = None;
        self.authentication.under_way = Some(UnderWay {
            exchange,
            first: Some(first),
            begun: now,
            sent_at: now,
        });
        let version = *SaslHandshakeRequest::VERSIONS.end();
        let request = SaslHandshakeRequest { mechanism };
        Some(Ok(self.ask(Asked::SaslHandshake, version, &request, now)))
    }

    /// When to authenticate anew, if that is not under way.
    pub(in super::super) fn renew_at(&self) -> Option<Instant> {
        self.authentication.renew_at
    }

    /// The session that the last exchange began ends after `lifetime`: it will be renewed before that.
    pub(in super::super) fn renew_within(
        &mut self,
        lifetime: Lifetime,
        rng: &mut fastrand::Rng,
        now: Instant,
    ) {
        let part = lifetime.length * rng.u32(RENEW_PERMILLE) / 1000;
        // The broker's count begins between the sending and now.
        let at = (lifetime.sent_at + part).max(now + RENEW_AFTER_MIN);
        self.authentication.renew_at = Some(at);
    }

    pub(super) fn handle_handshake(
        &mut self,
        response: &SaslHandshakeResponse,
        now: Instant,
    ) -> Result<Answer, SessionError> {
        let is_first = self.stage == Stage::Authenticating;
        let Some(under_way) = &mut self.authentication.under_way else {
            return Err(unexpected());
        };
        let mechanism = under_way.exchange.mechanism();
        let first = under_way.first.take();
        match (response.error, first) {
            (ErrorCode::NONE, Some(first)) => self.send(&first, now),
            (ErrorCode::UNSUPPORTED_SASL_MECHANISM, _) => {
                let error = SaslError::not_enabled(mechanism, &response.mechanisms);
                Err(SessionError::Unauthenticated(error))
            }
            (ErrorCode::ILLEGAL_SASL_STATE, _) if is_first => {
                Err(SessionError::Unauthenticated(SaslError::NotExpected))
            }
            (ErrorCode::NONE, None) => Err(unexpected()),
            (code, _) => {
                let reason = format!("SaslHandshake answered with {code}");
                Err(SessionError::Broken(reason))
            }
        }
    }

    pub(super) fn handle_authenticated(
        &mut self,
        response: &SaslAuthenticateResponse,
        now: Instant,
    ) -> Result<Answer, SessionError> {
        let Some(under_way) = &mut self.authentication.under_way else {
            return Err(unexpected());
        };
        let exchange = &mut under_way.exchange;
        let words = response.error_message.as_deref();
        match response.error {
            ErrorCode::NONE => {}
            ErrorCode::SASL_AUTHENTICATION_FAILED => {
                return Err(SessionError::Unauthenticated(exchange.refused(words)));
            }
            code => {
                let words = exchange.refused(words);
                let reason = format!("SaslAuthenticate answered with {code}: {words}");
                return Err(SessionError::Broken(reason));
            }
        }
        let step = exchange.step(&response.auth_bytes);
        match step.map_err(SessionError::Unauthenticated)? {
            Step::Send(message) => self.send(&message, now),
            Step::Done => {
                let sent_at = under_way.sent_at;
                let lifetime = Lifetime::new(response.session_lifetime_ms, sent_at)?;
                self.authentication.under_way = None;
                self.stage = Stage::Ready;
                Ok(Answer::Authenticated(lifetime))
            }
        }
    }

    fn send(&mut self, message: &Message, now: Instant) -> Result<Answer, SessionError> {
        if let Some(under_way) = &mut self.authentication.under_way {
            under_way.sent_at = now;
        }
        let version = self
            .versions
            .and_then(|versions| versions.sasl_authenticate);
        let version = version.ok_or_else(unexpected)?;
        let auth_bytes = message.expose();
        let request = SaslAuthenticateRequest { auth_bytes };
        let room = HEAD_BYTES_MAX + self.client_id.len() + auth_bytes.len();
        let buffer = Vec::with_capacity(room);
        let frame = self.ask_in(buffer, Asked::SaslAuthenticate, version, &request, now);
        Ok(Answer::Next(frame))
    }
}

/// How long a session lasts.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Lifetime {
    length: Duration,
    /// When the message was sent that the broker answered with it.
    sent_at: Instant,
}

impl Lifetime {
    /// `None` for 0: for ever.
    fn new(ms: i64, sent_at: Instant) -> Result<Option<Self>, SessionError> {
        let Ok(ms) = u64::try_from(ms) else {
            let reason = format!("a session lifetime of {ms} ms, which no session has");
            return Err(SessionError::Broken(reason));
        };
        let length = Duration::from_millis(ms.min(LIFETIME_MS_MAX));
        Ok((ms > 0).then_some(Self { length, sent_at }))
    }
}

/// Cannot happen: the answer was asked for within an exchange.
fn unexpected() -> SessionError {
    debug_assert!(false, "an answer about no authentication");
    SessionError::Broken("an answer about no authentication".to_owned())
}
