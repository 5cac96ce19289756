//! One session by itself, for whoever wants to know how far it gets with a broker.
//!
//! It says what a [`Client`](super::Client) would say first on a new connection, with the same code: versions, authentication, then
//! what it is told to ask. One question at a time; like the client it has no socket and no clock of its own.

use std::time::{Duration, Instant};

use super::answers;
use super::credentials::Credentials;
use super::session::{Answer, Session, SessionError};
use crate::kafka::config::ProducerConfig;
use crate::kafka::sasl::Nonces;
use crate::kafka::wire::ErrorCode;
use crate::kafka::wire::frame::RequestFrame;
use crate::kafka::wire::message::{InitProducerIdResponse, MetadataResponse};
use crate::secret::Secret;

/// The number of a broker that has none yet.
const NODE_UNKNOWN: i32 = -1;
/// Whoever drives a dialogue keeps the time.
const NO_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// See the module.
#[derive(Debug)]
pub struct Dialogue {
    session: Session,
    credentials: Credentials,
}

/// What an answer came to.
#[derive(Debug)]
pub enum Heard {
    /// Ask this next.
    Next(RequestFrame),
    /// The broker has let us in: anything can be asked.
    LetIn,
    /// The answer to [`Dialogue::ask_metadata`].
    Metadata(MetadataResponse),
    /// The answer to [`Dialogue::ask_producer_id`].
    ProducerId(InitProducerIdResponse),
}

impl Dialogue {
    /// Over a connection that was just made: the first request. `nonce_key` as for
    /// [`Client::set_nonce_key`](super::Client::set_nonce_key), `token` as for [`Client::set_token`](super::Client::set_token).
    pub fn begin(
        config: &ProducerConfig,
        nonce_key: Option<[u8; 32]>,
        token: Option<&Secret>,
        now: Instant,
    ) -> (Dialogue, RequestFrame) {
        let mut credentials = Credentials::new(config.sasl.clone());
        if let Some(key) = nonce_key {
            credentials.set_nonces(Nonces::new(key));
        }
        if let Some(token) = token {
            credentials.set_token(token.clone());
        }
        let mut session = Session::new(
            NODE_UNKNOWN,
            &config.client_id,
            config.compression,
            NO_TIMEOUT,
            NO_TIMEOUT,
            now,
        );
        let first = session.handle_connected(now);
        let dialogue = Dialogue {
            session,
            credentials,
        };
        (dialogue, first)
    }

    /// Takes the answer to what was asked last: a frame without its length.
    ///
    /// # Errors
    /// One line, to follow the broker and a colon, when the broker refuses, or breaks the protocol.
    pub fn hear(&mut self, frame: &[u8], now: Instant) -> Result<Heard, String> {
        let answer = self.session.handle_frame(frame, &mut self.credentials, now);
        match answer {
            Ok(Answer::Next(frame)) => Ok(Heard::Next(frame)),
            Ok(Answer::Negotiated | Answer::Authenticated(_)) => Ok(Heard::LetIn),
            Ok(Answer::Metadata(metadata)) => Ok(Heard::Metadata(metadata)),
            Ok(Answer::ProducerId(answer)) => Ok(Heard::ProducerId(answer)),
            Ok(Answer::TopicCreated(_) | Answer::Produced(..)) => {
                Err("an answer to what was not asked".to_owned())
            }
            Err(SessionError::TooOld(why)) => Err(format!("it {why}")),
            Err(SessionError::Broken(why)) => Err(why),
            Err(SessionError::Unauthenticated(error)) => {
                Err(error.line(self.credentials.mechanism().unwrap_or_default()))
            }
        }
    }

    /// Versions are settled, and the broker is being told who we are.
    pub fn is_authenticating(&self) -> bool {
        self.session.is_authenticating()
    }

    /// The versions that both sides speak, once they are settled.
    pub fn versions(&self) -> String {
        self.session.versions_spoken()
    }

    /// Asks for a topic's partitions. `None` before the broker has let us in.
    pub fn ask_metadata(&mut self, topic: &str, now: Instant) -> Option<RequestFrame> {
        self.session.ask_metadata(topic, now)
    }

    /// Asks for a producer id. `None` also where the broker does not know of any.
    pub fn ask_producer_id(&mut self, now: Instant) -> Option<RequestFrame> {
        self.session.ask_producer_id(now)
    }
}

/// Whether asking again for what was refused with this code may help. A running client does so.
pub fn is_retriable(code: ErrorCode) -> bool {
    answers::is_retriable(code)
}
