//! What a sandbox is started with.
//!
//! [`Config::default`] is a single healthy node with the default topic, as strict as a real broker; every field makes it
//! larger, older or cheaper. Nothing here changes while the sandbox runs: that is what faults and nodes are for.

use kafka_protocol::messages::ApiKey;

use crate::security::Security;

/// The topic that exists unless the configuration says otherwise.
pub const DEFAULT_TOPIC: &str = "js_shoe";
/// Its partitions.
pub const DEFAULT_PARTITIONS: usize = 3;
/// How nodes are called unless the configuration says otherwise.
pub const DEFAULT_HOST: &str = "127.0.0.1";
/// The largest record batch that is taken, in bytes: a broker's `message.max.bytes` default.
pub const DEFAULT_MESSAGE_BYTES_MAX: usize = 1_048_588;

/// A cluster's shape and temper.
#[derive(Debug, Clone)]
pub struct Config {
    /// How many nodes; their ids are 1, 2, 3 … At least one.
    pub nodes: usize,
    /// The first node's port, the next ones' following it; 0 takes any free port for each.
    pub port: u16,
    /// What every node tells clients to call it. All of them listen on 127.0.0.1.
    pub host: String,
    /// The topics that exist at the start, with their partitions.
    pub topics: Vec<(String, usize)>,
    /// The largest record batch taken, in bytes; a larger one is answered `MESSAGE_TOO_LARGE` (10).
    pub message_bytes_max: usize,
    /// At most so many bytes of batches are kept, over all partitions; the oldest go first. `None`: all are kept.
    pub retention_bytes: Option<usize>,
    /// Checks headers and checksums only, counts records and keeps none: for benchmarks.
    pub discard: bool,
    /// Creates a topic with so many partitions when a Metadata request that allows it names an unknown one.
    pub auto_create_partitions: Option<usize>,
    /// Prints violations on standard error as they happen, the first twenty of them.
    pub announce: bool,
    /// What is answered where Kafka's releases differ.
    pub sequences: SequenceRules,
    /// Replaces the advertised versions of single APIs, to look like an older or another broker.
    pub versions: Vec<VersionRange>,
    /// How every listener is secured.
    pub security: Security,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nodes: 1,
            port: 0,
            host: DEFAULT_HOST.to_owned(),
            topics: vec![(DEFAULT_TOPIC.to_owned(), DEFAULT_PARTITIONS)],
            message_bytes_max: DEFAULT_MESSAGE_BYTES_MAX,
            retention_bytes: None,
            discard: false,
            auto_create_partitions: None,
            announce: false,
            sequences: SequenceRules::Modern,
            versions: Vec::new(),
            security: Security::plaintext(),
        }
    }
}

/// The versions of one API that the sandbox advertises and takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionRange {
    /// The API.
    pub api: ApiKey,
    /// The lowest version.
    pub min: i16,
    /// The highest version.
    pub max: i16,
}

/// How sequences are judged where Kafka's releases differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SequenceRules {
    /// Kafka 2.5 and later (KIP-360, `ProducerAppendInfo.checkSequence`): a partition that knows nothing of a producer
    /// id takes any sequence from it; a duplicate older than the last five batches is `OUT_OF_ORDER_SEQUENCE_NUMBER` (45).
    #[default]
    Modern,
    /// Kafka 1.0 to 2.4: an unknown producer id with a sequence other than 0 is `UNKNOWN_PRODUCER_ID` (59), a duplicate
    /// older than the last five batches `DUPLICATE_SEQUENCE_NUMBER` (46).
    Legacy,
}
