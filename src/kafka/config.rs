//! What a producer can be told, in Kafka's own terms. Plain data: whoever fills it in has validated it.

use std::time::Duration;

pub use super::wire::Compression;
use crate::secret::Secret;
use crate::tls::TlsConfig;

/// Everything that the producer needs to know of its cluster and of how to deliver.
#[derive(Debug, Clone)]
pub struct ProducerConfig {
    /// Where to ask for metadata first (`bootstrap.servers`). Never empty.
    pub bootstrap_servers: Vec<HostPort>,
    /// The one topic that is produced to.
    pub topic: String,
    /// How many replicas must have a batch before it counts (`acks`).
    pub acks: Acks,
    /// No duplicate and no reordering across retries (`enable.idempotence`). Only with [`Acks::All`].
    pub idempotence: bool,
    /// Codec of the record batches (`compression.type`).
    pub compression: Compression,
    /// How long an unfilled batch waits for company (`linger.ms`).
    pub linger: Duration,
    /// Upper bound of a batch in bytes, before compression (`batch.size`).
    pub batch_size: usize,
    /// Unanswered Produce requests a broker (`max.in.flight.requests.per.connection`); at most 5 with idempotence.
    pub max_in_flight: usize,
    /// Bound in bytes on all that is generated and not yet acknowledged (`buffer.memory`).
    pub buffer_memory: usize,
    /// After it a record that is not acknowledged counts as failed (`delivery.timeout.ms`).
    pub delivery_timeout: Duration,
    /// How long one request may stay unanswered (`request.timeout.ms`).
    pub request_timeout: Duration,
    /// What brokers write in their logs (`client.id`).
    pub client_id: String,
    /// How a record's key is chosen, and so its partition.
    pub message_key: MessageKey,
    /// Create the topic when it is missing.
    pub create_topic: Option<NewTopic>,
    /// Encrypted connections (`security.protocol` with SSL): whom to trust, and our certificate.
    pub tls: Option<TlsConfig>,
    /// Who we are (`security.protocol` with SASL).
    pub sasl: Option<Sasl>,
}

/// How to authenticate (`sasl.mechanism`, and what it needs).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sasl {
    /// RFC 4616.
    Plain(Login),
    /// RFC 5802 with SHA-256 (RFC 7677) or SHA-512.
    Scram(ScramHash, Login),
    /// RFC 7628, with a token that the owner of the client hands over and renews.
    OAuthBearer {
        /// SASL extensions, such as Confluent Cloud's `logicalCluster` and `identityPoolId` (KIP-342).
        extensions: Vec<(String, String)>,
    },
}

/// A user name and a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user name, or API key.
    pub user: String,
    /// The password, or API secret.
    pub password: Secret,
}

/// Whether SCRAM can carry this user name, or this password.
///
/// RFC 5802 has both prepared by `SASLprep` (RFC 4013), which Kafka's brokers and Java client leave out: beyond printable ASCII,
/// which it does not change, nobody can say what a broker derived its keys from.
///
/// # Errors
/// Why not, to follow what it is; nothing of the text is repeated.
pub fn check_scram_text(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("is empty, which SCRAM does not allow");
    }
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Ok(());
    }
    Err(
        "holds characters other than printable ASCII, which brokers and clients prepare for SCRAM in different ways",
    )
}

/// The hash function of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScramHash {
    /// `SCRAM-SHA-256`
    Sha256,
    /// `SCRAM-SHA-512`
    Sha512,
}

/// A broker's address as a user or a broker names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// `acks` of a Produce request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// The broker does not answer; a record counts as acknowledged when it is written to the socket.
    None,
    /// The leader has it.
    Leader,
    /// Every in-sync replica has it.
    All,
}

impl Acks {
    /// The value on the wire.
    pub fn code(self) -> i16 {
        match self {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
        }
    }
}

/// What becomes a record's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKey {
    /// The shoe's id, partitioned by murmur2 as the Java client does.
    Id,
    /// No key: the sticky partitioner.
    None,
}

/// A topic to be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewTopic {
    /// At least 1.
    pub partitions: i32,
    /// At least 1, or −1 for the broker's default.
    pub replication: i16,
}
