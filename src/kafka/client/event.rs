//! What the client says: what is to be done on the network, and what has become of the records.

use std::fmt;
use std::time::Duration;

use super::accumulator::DueTimes;
use crate::kafka::config::HostPort;
use crate::kafka::sasl::SaslError;
use crate::kafka::wire::ErrorCode;
use crate::kafka::wire::frame::RequestFrame;

/// Names a connection; never used twice.
pub type ConnectionId = u64;

/// What the owner of the sockets is asked to do.
#[derive(Debug)]
pub enum Action {
    /// Open a connection; answer with `handle_connected` or `handle_connect_failed`.
    Connect {
        /// Names the connection from now on.
        connection: ConnectionId,
        /// What to call it: `broker-1`, `bootstrap-1`.
        name: String,
        /// Where to.
        address: HostPort,
        /// For how long: by then the owner gives up and says why. Half a second later the client closes the connection if it
        /// cannot be used by then.
        timeout: Duration,
    },
    /// Write a request.
    Send {
        /// On which connection.
        connection: ConnectionId,
        /// What.
        frame: RequestFrame,
    },
    /// Close a connection. Nothing of it needs to be reported any more.
    Close {
        /// Which.
        connection: ConnectionId,
    },
}

/// What has happened to the records, and to the client.
#[derive(Debug)]
pub enum Event {
    /// The topic is known and records can be pushed. Said once.
    Ready {
        /// How many partitions the topic has.
        partitions: usize,
    },
    /// Records are acknowledged, as `acks` demands it.
    Acknowledged {
        /// How many.
        records: usize,
        /// When they were due, for their latency. [`Client::take_back`](super::Client::take_back) has use for the list.
        due: DueTimes,
    },
    /// Records are given up.
    Failed {
        /// How many.
        records: usize,
        /// Why.
        error: DeliveryError,
    },
    /// A partition whose records waited for a second or longer, because of its leader or of what that answered, has
    /// acknowledged some of them.
    Recovered {
        /// Which.
        partition: i32,
        /// How long it took.
        after: Duration,
        /// Records that waited, those just acknowledged included.
        waited: usize,
        /// Records that were given up meanwhile.
        failed: usize,
    },
    /// The close's deadline came before the end of the work.
    Abandoned {
        /// Records that no broker has: never sent, or refused before they were written.
        unsent: usize,
        /// Records that a broker may have: they were sent, and no answer settled their fate.
        unanswered: usize,
    },
    /// Something that the client copes with, but that its user should know of.
    Warning {
        /// The same for what a user would call the same trouble: one broker's lost connections, one code of any partitions.
        kind: String,
        /// One line.
        message: String,
    },
    /// The client cannot go on. Said once, and last.
    Fatal(FatalError),
}

/// Why records were given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryError {
    /// `delivery.timeout.ms` was over.
    TimedOut {
        /// Which partition.
        partition: i32,
        /// How often it was tried.
        attempts: u32,
        /// What went wrong last, if anything is known.
        last: Option<String>,
    },
    /// The broker will never take them.
    Refused {
        /// Which partition.
        partition: i32,
        /// Its code.
        code: ErrorCode,
        /// Its words.
        message: Option<String>,
    },
    /// The broker will not take them, but an attempt before may have written them: they are in the log once or not at all.
    OutcomeUnknown {
        /// Which partition.
        partition: i32,
        /// The code of the last attempt.
        code: ErrorCode,
        /// Its words.
        message: Option<String>,
    },
    /// What was sent after them may be in the log, and the broker has forgotten the producer: sent now they would come too late.
    Overtaken {
        /// Which partition.
        partition: i32,
    },
    /// They could not be compressed.
    Unsealable(String),
}

impl DeliveryError {
    /// The same for what a user would call the same trouble: one kind of failure, with one code, in any partitions.
    pub fn trouble(&self) -> String {
        match self.code() {
            Some(code) => format!("{}: {code}", self.kind()),
            None => self.kind().to_owned(),
        }
    }

    /// What kind of failure it is, in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::TimedOut { .. } => "delivery_timeout",
            Self::Refused { .. } => "refused",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::Overtaken { .. } => "overtaken",
            Self::Unsealable(_) => "compression",
        }
    }

    /// The broker's code, where it gave one.
    pub fn code(&self) -> Option<ErrorCode> {
        match *self {
            Self::Refused { code, .. } | Self::OutcomeUnknown { code, .. } => Some(code),
            Self::TimedOut { .. } | Self::Overtaken { .. } | Self::Unsealable(_) => None,
        }
    }
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut {
                partition,
                attempts,
                last,
            } => {
                write!(
                    f,
                    "partition {partition}: not acknowledged before the delivery timeout, after {attempts} "
                )?;
                f.write_str(if *attempts == 1 {
                    "attempt"
                } else {
                    "attempts"
                })?;
                last.as_ref().map_or(Ok(()), |last| write!(f, " ({last})"))
            }
            Self::Refused {
                partition,
                code,
                message,
            } => {
                write!(f, "partition {partition}: ")?;
                fmt_told(f, *code, message.as_deref())
            }
            Self::OutcomeUnknown {
                partition,
                code,
                message,
            } => {
                write!(
                    f,
                    "partition {partition}: outcome unknown: one attempt may have been written, the next was refused with "
                )?;
                fmt_told(f, *code, message.as_deref())
            }
            Self::Overtaken { partition } => write!(
                f,
                "partition {partition}: given up to keep the order: the broker lost its memory of this producer when what was sent after them may have been in the log already"
            ),
            Self::Unsealable(error) => write!(f, "cannot compress a batch: {error}"),
        }
    }
}

/// A code, the broker's words, and what to do about it.
fn fmt_told(f: &mut fmt::Formatter<'_>, code: ErrorCode, message: Option<&str>) -> fmt::Result {
    fmt_advised(f, code, message, code.advice())
}

fn fmt_advised(
    f: &mut fmt::Formatter<'_>,
    code: ErrorCode,
    message: Option<&str>,
    advice: Option<&str>,
) -> fmt::Result {
    write!(f, "{code}")?;
    message.map_or(Ok(()), |message| write!(f, ": {message}"))?;
    advice.map_or(Ok(()), |advice| write!(f, "; {advice}"))
}

/// Why the client cannot go on. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FatalError {
    /// No broker could be used in time.
    Unreachable {
        /// What was tried.
        tried: Vec<HostPort>,
        /// For how long, in seconds.
        seconds: u64,
        /// What went wrong last.
        last: Option<String>,
    },
    /// Brokers answered, but the topic could not be produced to in time.
    TopicNotReady {
        /// Its name.
        topic: String,
        /// For how long that was waited for, in seconds.
        seconds: u64,
        /// What was wrong last.
        last: Option<String>,
    },
    /// Brokers answered, but none gave a producer id in time.
    NoProducerId {
        /// For how long that was waited for, in seconds.
        seconds: u64,
        /// What was wrong last.
        last: Option<String>,
    },
    /// The topic does not exist.
    TopicMissing {
        /// Its name.
        topic: String,
    },
    /// The topic exists, but not for us.
    TopicRefused {
        /// Its name.
        topic: String,
        /// The broker's code.
        code: ErrorCode,
    },
    /// The topic could not be created.
    TopicNotCreated {
        /// Its name.
        topic: String,
        /// The broker's code.
        code: ErrorCode,
        /// The broker's words.
        message: Option<String>,
    },
    /// The broker will not let us produce at all.
    Refused {
        /// To what.
        request: &'static str,
        /// The broker's code.
        code: ErrorCode,
    },
    /// One side does not accept the other's certificate.
    Untrusted {
        /// Which broker, and why.
        reason: String,
    },
    /// A broker to start with does not believe who we are, or we do not believe who it is.
    Unauthenticated {
        /// Which broker.
        broker: String,
        /// By which mechanism.
        mechanism: &'static str,
        /// Why.
        error: SaslError,
    },
    /// The broker to start with speaks no version that we do.
    TooOld {
        /// Which broker, and what it speaks.
        reason: String,
    },
}

impl fmt::Display for FatalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable {
                tried,
                seconds,
                last,
            } => {
                let tried: Vec<String> = tried.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "no Kafka broker could be used within {seconds} s (tried {})",
                    tried.join(", ")
                )?;
                last.as_ref().map_or(Ok(()), |last| write!(f, ": {last}"))?;
                f.write_str(
                    "; check KAFKA_BOOTSTRAP_SERVERS, that KAFKA_SECURITY_PROTOCOL is what this port wants (TLS? SASL?), \
                     and that the brokers are up and advertise addresses that resolve here",
                )
            }
            Self::TopicNotReady {
                topic,
                seconds,
                last,
            } => {
                write!(f, "topic {topic} could not be used within {seconds} s")?;
                last.as_ref().map_or(Ok(()), |last| write!(f, ": {last}"))?;
                f.write_str(
                    "; check the topic, and that the brokers are up and in touch with each other",
                )
            }
            Self::NoProducerId { seconds, last } => {
                write!(f, "no broker gave a producer id within {seconds} s")?;
                last.as_ref().map_or(Ok(()), |last| write!(f, ": {last}"))?;
                f.write_str("; see the brokers' logs, or set KAFKA_ENABLE_IDEMPOTENCE=false, with which retries may write twice")
            }
            Self::TopicMissing { topic } => write!(
                f,
                "topic {topic} does not exist; create it, check KAFKA_TOPIC, or set KAFKA_CREATE_TOPIC=PARTITIONS[:REPLICATION]"
            ),
            Self::TopicRefused { topic, code } => {
                write!(f, "topic {topic}: ")?;
                fmt_told(f, *code, None)
            }
            Self::TopicNotCreated {
                topic,
                code,
                message,
            } => {
                write!(f, "topic {topic} could not be created: ")?;
                let advice = match *code {
                    // The code's own advice is for who produces.
                    ErrorCode::TOPIC_AUTHORIZATION_FAILED => Some(
                        "grant this user CREATE on the topic, or create it and leave KAFKA_CREATE_TOPIC out",
                    ),
                    code => code.advice(),
                };
                fmt_advised(f, *code, message.as_deref(), advice)
            }
            Self::Refused { request, code } => {
                write!(f, "the broker refused {request}: ")?;
                fmt_told(f, *code, None)
            }
            Self::Unauthenticated {
                broker,
                mechanism,
                error,
            } => write!(f, "{broker}: {}", error.line(mechanism)),
            Self::Untrusted { reason } | Self::TooOld { reason } => f.write_str(reason),
        }
    }
}

impl std::error::Error for FatalError {}
