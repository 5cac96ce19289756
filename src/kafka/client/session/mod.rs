//! One connection to one broker: what was asked on it, in order, and what the answers mean.
//!
//! ```text
//!  Connecting ──connected──▶ Negotiating ──ApiVersions──▶ Ready ──▶ (closed: the session is dropped)
//!                                 │                       ▲  │▲
//!                                 └──▶ Authenticating ────┘  └┘ authenticating anew: not usable meanwhile
//! ```
//!
//! Invariant: a broker answers in the order of the requests (`SocketServer` mutes a channel while it handles a request), so
//! the oldest request that expects an answer is the one that a frame answers; anything else poisons the connection. A session
//! never decides what to send; it only refuses what its broker does not speak.

mod authentication;
mod requests;
mod versions;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub(super) use authentication::Lifetime;

use authentication::Authentication;
use versions::Versions;

use super::credentials::Credentials;
use super::partition::BatchId;
use crate::kafka::sasl::SaslError;
use crate::kafka::wire::codec::DecodeError;
use crate::kafka::wire::compression::Compression;
use crate::kafka::wire::frame::RequestFrame;
use crate::kafka::wire::message::{
    ApiVersionsRequest, CreateTopicsRequest, CreateTopicsResponse, InitProducerIdRequest,
    InitProducerIdResponse, MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse,
    SaslAuthenticateRequest, SaslHandshakeRequest, decode_response,
};

/// How long an answer may take before another broker is asked: for the same if any can give it, else whether this one still leads.
pub(super) const ANSWER_PATIENCE: Duration = Duration::from_secs(3);
/// A broker that asks for longer silence is not believed further than this.
const THROTTLE_MS_MAX: i32 = 60_000;
/// A batch within a Produce request: which partition's, and which.
pub(super) type SentBatch = (usize, BatchId);

/// What a broker answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// Versions are settled; the session is ready, for there is nothing to authenticate.
    Negotiated,
    /// The client is authenticated; the session is ready, for as long, or for ever.
    Authenticated(Option<Lifetime>),
    /// Another request goes out before the session is ready.
    Next(RequestFrame),
    Metadata(MetadataResponse),
    ProducerId(InitProducerIdResponse),
    TopicCreated(CreateTopicsResponse),
    Produced(Vec<SentBatch>, ProduceResponse),
}

impl Answer {
    /// Whether it is about more than the session itself, so that the broker is of use.
    pub(super) fn is_a_service(&self) -> bool {
        !matches!(
            self,
            Self::Negotiated | Self::Authenticated(_) | Self::Next(_)
        )
    }
}

/// Why a session cannot go on. One line.
#[derive(Debug)]
pub(super) enum SessionError {
    /// The broker does not speak what we need: another connection to it will not help, until it is replaced.
    TooOld(String),
    /// The broker does not believe who we are, or we do not believe who it is.
    Unauthenticated(SaslError),
    /// The peer broke the protocol: close and connect anew.
    Broken(String),
}

impl From<DecodeError> for SessionError {
    fn from(error: DecodeError) -> Self {
        Self::Broken(format!("unreadable answer: {error}"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Negotiating,
    Authenticating,
    Ready,
}

#[derive(Debug)]
enum Asked {
    ApiVersions,
    SaslHandshake,
    SaslAuthenticate,
    Metadata,
    ProducerId,
    CreateTopic,
    Produce(Vec<SentBatch>),
}

#[derive(Debug)]
struct InFlight {
    correlation_id: i32,
    version: i16,
    sent_at: Instant,
    answered: bool,
    asked: Asked,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Session {
    /// The node at the other end; negative for a bootstrap address.
    pub(super) node: i32,
    stage: Stage,
    versions: Option<Versions>,
    authentication: Authentication,
    /// An answer came that is not about the session itself.
    was_served: bool,
    in_flight: VecDeque<InFlight>,
    next_correlation_id: i32,
    client_id: String,
    /// What the broker must be able to take.
    compression: Compression,
    request_timeout: Duration,
    /// When the connection was begun.
    begun: Instant,
    connect_deadline: Instant,
    quiet_until: Option<Instant>,
    last_used: Instant,
    last_answer: Instant,
    /// The silence since the last answer was told of.
    pub(super) silence_told: bool,
}

impl Session {
    pub(super) fn new(
        node: i32,
        client_id: &str,
        compression: Compression,
        request_timeout: Duration,
        connect_timeout: Duration,
        now: Instant,
    ) -> Self {
        Self {
            node,
            stage: Stage::Connecting,
            versions: None,
            authentication: Authentication::default(),
            was_served: false,
            in_flight: VecDeque::new(),
            next_correlation_id: 0,
            client_id: client_id.to_owned(),
            compression,
            request_timeout,
            begun: now,
            connect_deadline: now + connect_timeout,
            quiet_until: None,
            last_used: now,
            last_answer: now,
            silence_told: false,
        }
    }

    /// It is ready, not authenticating anew, and the broker has not asked for silence.
    pub(super) fn is_usable(&self, now: Instant) -> bool {
        self.spoken().is_some() && self.quiet_until.is_none_or(|until| until <= now)
    }

    /// There is no connection yet.
    pub(super) fn is_connecting(&self) -> bool {
        self.stage == Stage::Connecting
    }

    /// It is of use, or was: versions are settled and the client is authenticated.
    pub(super) fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// Since when it is about to be usable: it is being made, or authenticates anew.
    pub(super) fn pending_since(&self) -> Option<Instant> {
        match self.stage {
            Stage::Ready => self.authentication.begun(),
            Stage::Connecting | Stage::Negotiating | Stage::Authenticating => Some(self.begun),
        }
    }

    /// Versions are settled, and the broker does not know yet who we are.
    pub(super) fn is_authenticating(&self) -> bool {
        self.stage == Stage::Authenticating
    }

    /// It is ready, but nothing that was asked on it was ever answered.
    pub(super) fn was_never_served(&self) -> bool {
        self.stage == Stage::Ready && !self.was_served && !self.in_flight.is_empty()
    }

    /// The versions to ask in, when anything may be asked.
    fn spoken(&self) -> Option<Versions> {
        let may_ask = self.stage == Stage::Ready && !self.authentication.is_under_way();
        self.versions.filter(|_| may_ask)
    }

    /// When the broker's wish for silence ends, if that is what makes the session unusable.
    pub(super) fn quiet_until(&self) -> Option<Instant> {
        self.quiet_until
    }

    /// The next instant at which [`Session::overdue`] may say something.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Ready => {
                let oldest = self.in_flight.front()?;
                Some(self.awaited_since(oldest) + self.request_timeout)
            }
            Stage::Connecting | Stage::Negotiating | Stage::Authenticating => {
                Some(self.connect_deadline)
            }
        }
    }

    /// Until when an answer that is awaited is not late, if one is.
    pub(super) fn answers_until(&self) -> Option<Instant> {
        let oldest = self.in_flight.iter().find(|asked| asked.answered)?;
        Some(self.awaited_since(oldest) + ANSWER_PATIENCE)
    }

    /// From when on a broker may be expected to answer. One that asked for silence reads nothing meanwhile (KIP-219).
    fn awaited_since(&self, asked: &InFlight) -> Instant {
        self.quiet_until
            .map_or(asked.sent_at, |until| until.max(asked.sent_at))
    }

    /// No answer is late: what any broker can be asked may be asked here.
    pub(super) fn answers(&self, now: Instant) -> bool {
        self.answers_until().is_none_or(|until| until > now)
    }

    /// What took too long, if anything did.
    pub(super) fn overdue(&self, now: Instant) -> Option<String> {
        if self.deadline()? > now {
            return None;
        }
        Some(match self.stage {
            Stage::Connecting => "connecting took too long".to_owned(),
            Stage::Negotiating => "no answer to the first request".to_owned(),
            Stage::Authenticating => "authenticating took too long".to_owned(),
            Stage::Ready => format!("no answer within {:?}", self.request_timeout),
        })
    }

    /// When it was last used, if nothing is in flight.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.stage == Stage::Ready && self.in_flight.is_empty()).then_some(self.last_used)
    }

    /// Since when no answer has come while one to a Produce request is awaited.
    pub(super) fn silent_since(&self) -> Option<Instant> {
        let mut awaited = self.in_flight.iter().filter(|asked| asked.answered);
        let oldest = awaited.find(|asked| matches!(asked.asked, Asked::Produce(_)))?;
        Some(self.awaited_since(oldest).max(self.last_answer))
    }

    /// Every batch that was sent and not answered.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = SentBatch> + '_ {
        let batches = self
            .in_flight
            .iter()
            .filter_map(|asked| match &asked.asked {
                Asked::Produce(batches) => Some(batches),
                _ => None,
            });
        batches.flatten().copied()
    }

    /// Unanswered Produce requests.
    pub(super) fn produce_in_flight(&self) -> usize {
        self.in_flight
            .iter()
            .filter(|asked| matches!(asked.asked, Asked::Produce(_)))
            .count()
    }

    pub(super) fn can_init_producer_id(&self) -> bool {
        self.versions
            .is_some_and(|versions| versions.init_producer_id.is_some())
    }

    /// The connection stands: ask which versions the broker speaks.
    pub(super) fn handle_connected(&mut self, now: Instant) -> RequestFrame {
        self.stage = Stage::Negotiating;
        self.negotiate(now)
    }

    /// Keeps the session from counting as idle. To authenticate anew is no use of it.
    fn touch(&mut self, now: Instant) {
        if !self.authentication.is_under_way() {
            self.last_used = now;
        }
    }

    /// A request has left. Returns the batches of one that no answer will follow (acks=0).
    pub(super) fn handle_written(&mut self, correlation_id: i32, now: Instant) -> Vec<SentBatch> {
        self.touch(now);
        let position = self
            .in_flight
            .iter()
            .position(|asked| asked.correlation_id == correlation_id && !asked.answered);
        match position.and_then(|position| self.in_flight.remove(position)) {
            Some(InFlight {
                asked: Asked::Produce(batches),
                ..
            }) => batches,
            _ => Vec::new(),
        }
    }

    /// An answer has come, to the oldest request that expects one.
    pub(super) fn handle_frame(
        &mut self,
        frame: &[u8],
        credentials: &mut Credentials,
        now: Instant,
    ) -> Result<Answer, SessionError> {
        self.touch(now);
        self.last_answer = now;
        self.silence_told = false;
        let position = self.in_flight.iter().position(|asked| asked.answered);
        let Some(InFlight {
            correlation_id: id,
            version,
            asked,
            ..
        }) = position.and_then(|position| self.in_flight.remove(position))
        else {
            return Err(SessionError::Broken(
                "an answer to nothing that was asked".to_owned(),
            ));
        };
        self.was_served |= self.spoken().is_some();
        match asked {
            Asked::ApiVersions => {
                let response = decode_response::<ApiVersionsRequest<'_>>(frame, id, version)?;
                self.handle_versions(version, &response, credentials, now)
            }
            Asked::SaslHandshake => {
                let response = decode_response::<SaslHandshakeRequest<'_>>(frame, id, version)?;
                self.handle_handshake(&response, now)
            }
            Asked::SaslAuthenticate => {
                let response = decode_response::<SaslAuthenticateRequest<'_>>(frame, id, version)?;
                self.handle_authenticated(&response, now)
            }
            Asked::Metadata => {
                let response = decode_response::<MetadataRequest<'_>>(frame, id, version)?;
                self.throttle(response.throttle_time_ms, version >= 6, now);
                Ok(Answer::Metadata(response))
            }
            Asked::ProducerId => {
                let response = decode_response::<InitProducerIdRequest>(frame, id, version)?;
                self.throttle(response.throttle_time_ms, version >= 1, now);
                Ok(Answer::ProducerId(response))
            }
            Asked::CreateTopic => {
                let response = decode_response::<CreateTopicsRequest<'_>>(frame, id, version)?;
                self.throttle(response.throttle_time_ms, version >= 3, now);
                Ok(Answer::TopicCreated(response))
            }
            Asked::Produce(batches) => {
                let decoded = decode_response::<ProduceRequest<'_>>(frame, id, version);
                let response = match decoded {
                    Ok(response) => response,
                    Err(error) => {
                        // Their fate is open: they belong to what the connection leaves behind.
                        self.note(Asked::Produce(batches), id, version, true, now);
                        return Err(error.into());
                    }
                };
                self.throttle(response.throttle_time_ms, version >= 6, now);
                Ok(Answer::Produced(batches, response))
            }
        }
    }

    /// From the given version on a broker has already delayed nothing and expects us to keep silent (KIP-219).
    fn throttle(&mut self, throttle_time_ms: i32, ours_to_wait: bool, now: Instant) {
        if ours_to_wait && throttle_time_ms > 0 {
            let wait = Duration::from_millis(u64::from(
                throttle_time_ms.min(THROTTLE_MS_MAX).unsigned_abs(),
            ));
            // A later answer with a shorter wish does not take back the longer one.
            self.quiet_until = self.quiet_until.max(Some(now + wait));
        }
    }
}
