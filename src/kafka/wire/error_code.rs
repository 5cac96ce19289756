//! Every error code of the Kafka protocol with its name, and what a producer does about it.
//!
//! One table makes the names and the constants (`Errors.java` of Apache Kafka). A code that it does not have keeps its number
//! and fails the batch: a client that guesses loses or duplicates records. What an action costs, and how often it is tried,
//! is the caller's business.

use std::fmt;

/// An error code as it is on the wire. 0 is no error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub i16);

/// What a producer does with a batch that was answered with a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProduceAction {
    /// It is written.
    Acknowledged,
    /// It was written before: a success whose offset is not known.
    Duplicate,
    /// Send the same bytes again.
    Retry,
    /// Send the same bytes again, after asking who leads the partition.
    RetryAfterRefresh,
    /// Too large: halve it and send the halves; a single record fails.
    Split,
    /// A sequence is missing before it: the next in line bumps the epoch, a later one is sent again.
    OutOfOrder,
    /// The broker forgot the producer: as [`ProduceAction::OutOfOrder`], but harmless where retention removed what was written.
    UnknownProducerId,
    /// The epoch is not accepted any more: bump it and go on.
    BumpEpoch,
    /// The producer id is not known any more: ask for another and go on.
    NewProducerId,
    /// This batch cannot be written; the next one may.
    FailBatch,
    /// Nothing that this producer sends can be written.
    Fatal,
    /// Ask the configured servers anew who the brokers are (KIP-1102).
    Rebootstrap,
}

impl ErrorCode {
    /// Whether it is no error at all.
    pub fn is_ok(self) -> bool {
        self == ErrorCode::NONE
    }

    /// What to do with a batch.
    pub fn produce_action(self) -> ProduceAction {
        match self.0 {
            0 => ProduceAction::Acknowledged,
            46 => ProduceAction::Duplicate,
            2 | 7 | 19 | 20 | 89 => ProduceAction::Retry,
            3 | 5 | 6 | 9 | 13 | 56 | 72 | 74 | 80 | 83 | 100 | 103 => {
                ProduceAction::RetryAfterRefresh
            }
            10 => ProduceAction::Split,
            45 => ProduceAction::OutOfOrder,
            59 => ProduceAction::UnknownProducerId,
            47 => ProduceAction::BumpEpoch,
            49 => ProduceAction::NewProducerId,
            31 | 35 => ProduceAction::Fatal,
            129 => ProduceAction::Rebootstrap,
            _ => ProduceAction::FailBatch,
        }
    }

    /// Whether a batch may lie in the log although it was answered with this code. Then only the same bytes under the same
    /// sequence may go out for it.
    ///
    /// `false` needs proof: that Kafka looks for this error before it appends (`KafkaApis.handleProduceRequest`,
    /// `Partition.appendRecordsToLeader`, `UnifiedLog.append`). Everything else counts as written, for one of these reasons:
    ///
    /// * the broker says so (0, 46), or says that it cannot know (7, 13, 20, −1);
    /// * it is also sent after the append, while the answer waits for replicas (`DelayedProduce.tryComplete`): the broker lost
    ///   the leadership (6), the partition (3) or its disk (56), which may fail in mid-append too;
    /// * Kafka never answers a Produce with it (5, 9, 72, 74, 80, 83, 89, 100, 103, 129), so that nobody says when a broker of
    ///   another make would; nor do we know when a code that is not in the table is sent.
    pub fn may_have_been_written(self) -> bool {
        !matches!(
            self,
            // The request: its version, its acks, the topic's name, the permission to write.
            ErrorCode::INVALID_TOPIC_EXCEPTION
                | ErrorCode::INVALID_REQUIRED_ACKS
                | ErrorCode::TOPIC_AUTHORIZATION_FAILED
                | ErrorCode::CLUSTER_AUTHORIZATION_FAILED
                | ErrorCode::UNSUPPORTED_VERSION
                | ErrorCode::INVALID_REQUEST
                // The replicas that are in sync before the append; after it this is code 20.
                | ErrorCode::NOT_ENOUGH_REPLICAS
                // The batch: checksum, size, format, compression, timestamps, keys.
                | ErrorCode::CORRUPT_MESSAGE
                | ErrorCode::MESSAGE_TOO_LARGE
                | ErrorCode::RECORD_LIST_TOO_LARGE
                | ErrorCode::INVALID_TIMESTAMP
                | ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT
                | ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
                | ErrorCode::INVALID_RECORD
                // The producer: its id, epoch and sequence.
                | ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
                | ErrorCode::INVALID_PRODUCER_EPOCH
                | ErrorCode::INVALID_PRODUCER_ID_MAPPING
                | ErrorCode::UNKNOWN_PRODUCER_ID
        )
    }

    /// What a user can do about it, where there is something.
    pub fn advice(self) -> Option<&'static str> {
        Some(match self {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                "create the topic, or check its name and the permission to see it"
            }
            ErrorCode::LEADER_NOT_AVAILABLE | ErrorCode::REPLICA_NOT_AVAILABLE => {
                "check that all brokers are up"
            }
            ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE => {
                "raise the topic's max.message.bytes, or send smaller batches"
            }
            ErrorCode::INVALID_TOPIC_EXCEPTION => {
                "a topic's name has 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-'"
            }
            ErrorCode::NOT_ENOUGH_REPLICAS | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND => {
                "fewer replicas are in sync than the topic's min.insync.replicas: check the brokers"
            }
            ErrorCode::TOPIC_AUTHORIZATION_FAILED => {
                "grant this user WRITE and DESCRIBE on the topic"
            }
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED => {
                "grant this user WRITE on the topic, with brokers before 2.8 also IDEMPOTENT_WRITE on the cluster, or switch idempotence off"
            }
            ErrorCode::INVALID_TIMESTAMP => {
                "check this machine's clock against the topic's message.timestamp.before.max.ms and after.max.ms"
            }
            ErrorCode::UNSUPPORTED_VERSION => {
                "the broker must be Apache Kafka 0.11 or later, or compatible with it"
            }
            ErrorCode::INVALID_PARTITIONS => "a topic has at least 1 partition",
            ErrorCode::INVALID_REPLICATION_FACTOR => {
                "a topic has at least 1 and at most as many replicas as there are brokers"
            }
            ErrorCode::POLICY_VIOLATION => "the cluster has a policy against it: ask who runs it",
            ErrorCode::SECURITY_DISABLED => "the broker has no security features switched on",
            ErrorCode::KAFKA_STORAGE_ERROR => "a broker's disk failed: see its log",
            ErrorCode::SASL_AUTHENTICATION_FAILED => "check user name, password and mechanism",
            ErrorCode::UNSUPPORTED_COMPRESSION_TYPE => {
                "choose another compression (zstd needs Kafka 2.1)"
            }
            ErrorCode::INVALID_RECORD => {
                "the topic refuses the record: a compacted topic needs keys"
            }
            ErrorCode::THROTTLING_QUOTA_EXCEEDED => "raise the user's quota, or go slower",
            ErrorCode::REBOOTSTRAP_REQUIRED => {
                "the broker asks to start over from the configured servers"
            }
            _ => return None,
        })
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "unknown error code {}", self.0),
        }
    }
}

macro_rules! error_codes {
    ($($name:ident = $code:literal,)*) => {
        impl ErrorCode {
            $(
                #[doc = concat!("Code ", $code, ".")]
                pub const $name: ErrorCode = ErrorCode($code);
            )*

            /// The name in Kafka's documentation, of a code that this table has.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

error_codes! {
    UNKNOWN_SERVER_ERROR = -1,
    NONE = 0,
    OFFSET_OUT_OF_RANGE = 1,
    CORRUPT_MESSAGE = 2,
    UNKNOWN_TOPIC_OR_PARTITION = 3,
    INVALID_FETCH_SIZE = 4,
    LEADER_NOT_AVAILABLE = 5,
    NOT_LEADER_OR_FOLLOWER = 6,
    REQUEST_TIMED_OUT = 7,
    BROKER_NOT_AVAILABLE = 8,
    REPLICA_NOT_AVAILABLE = 9,
    MESSAGE_TOO_LARGE = 10,
    STALE_CONTROLLER_EPOCH = 11,
    OFFSET_METADATA_TOO_LARGE = 12,
    NETWORK_EXCEPTION = 13,
    COORDINATOR_LOAD_IN_PROGRESS = 14,
    COORDINATOR_NOT_AVAILABLE = 15,
    NOT_COORDINATOR = 16,
    INVALID_TOPIC_EXCEPTION = 17,
    RECORD_LIST_TOO_LARGE = 18,
    NOT_ENOUGH_REPLICAS = 19,
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20,
    INVALID_REQUIRED_ACKS = 21,
    ILLEGAL_GENERATION = 22,
    INCONSISTENT_GROUP_PROTOCOL = 23,
    INVALID_GROUP_ID = 24,
    UNKNOWN_MEMBER_ID = 25,
    INVALID_SESSION_TIMEOUT = 26,
    REBALANCE_IN_PROGRESS = 27,
    INVALID_COMMIT_OFFSET_SIZE = 28,
    TOPIC_AUTHORIZATION_FAILED = 29,
    GROUP_AUTHORIZATION_FAILED = 30,
    CLUSTER_AUTHORIZATION_FAILED = 31,
    INVALID_TIMESTAMP = 32,
    UNSUPPORTED_SASL_MECHANISM = 33,
    ILLEGAL_SASL_STATE = 34,
    UNSUPPORTED_VERSION = 35,
    TOPIC_ALREADY_EXISTS = 36,
    INVALID_PARTITIONS = 37,
    INVALID_REPLICATION_FACTOR = 38,
    INVALID_REPLICA_ASSIGNMENT = 39,
    INVALID_CONFIG = 40,
    NOT_CONTROLLER = 41,
    INVALID_REQUEST = 42,
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43,
    POLICY_VIOLATION = 44,
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45,
    DUPLICATE_SEQUENCE_NUMBER = 46,
    INVALID_PRODUCER_EPOCH = 47,
    INVALID_TXN_STATE = 48,
    INVALID_PRODUCER_ID_MAPPING = 49,
    INVALID_TRANSACTION_TIMEOUT = 50,
    CONCURRENT_TRANSACTIONS = 51,
    TRANSACTION_COORDINATOR_FENCED = 52,
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53,
    SECURITY_DISABLED = 54,
    OPERATION_NOT_ATTEMPTED = 55,
    KAFKA_STORAGE_ERROR = 56,
    LOG_DIR_NOT_FOUND = 57,
    SASL_AUTHENTICATION_FAILED = 58,
    UNKNOWN_PRODUCER_ID = 59,
    REASSIGNMENT_IN_PROGRESS = 60,
    DELEGATION_TOKEN_AUTH_DISABLED = 61,
    DELEGATION_TOKEN_NOT_FOUND = 62,
    DELEGATION_TOKEN_OWNER_MISMATCH = 63,
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64,
    DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65,
    DELEGATION_TOKEN_EXPIRED = 66,
    INVALID_PRINCIPAL_TYPE = 67,
    NON_EMPTY_GROUP = 68,
    GROUP_ID_NOT_FOUND = 69,
    FETCH_SESSION_ID_NOT_FOUND = 70,
    INVALID_FETCH_SESSION_EPOCH = 71,
    LISTENER_NOT_FOUND = 72,
    TOPIC_DELETION_DISABLED = 73,
    FENCED_LEADER_EPOCH = 74,
    UNKNOWN_LEADER_EPOCH = 75,
    UNSUPPORTED_COMPRESSION_TYPE = 76,
    STALE_BROKER_EPOCH = 77,
    OFFSET_NOT_AVAILABLE = 78,
    MEMBER_ID_REQUIRED = 79,
    PREFERRED_LEADER_NOT_AVAILABLE = 80,
    GROUP_MAX_SIZE_REACHED = 81,
    FENCED_INSTANCE_ID = 82,
    ELIGIBLE_LEADERS_NOT_AVAILABLE = 83,
    ELECTION_NOT_NEEDED = 84,
    NO_REASSIGNMENT_IN_PROGRESS = 85,
    GROUP_SUBSCRIBED_TO_TOPIC = 86,
    INVALID_RECORD = 87,
    UNSTABLE_OFFSET_COMMIT = 88,
    THROTTLING_QUOTA_EXCEEDED = 89,
    PRODUCER_FENCED = 90,
    RESOURCE_NOT_FOUND = 91,
    DUPLICATE_RESOURCE = 92,
    UNACCEPTABLE_CREDENTIAL = 93,
    INCONSISTENT_VOTER_SET = 94,
    INVALID_UPDATE_VERSION = 95,
    FEATURE_UPDATE_FAILED = 96,
    PRINCIPAL_DESERIALIZATION_FAILURE = 97,
    SNAPSHOT_NOT_FOUND = 98,
    POSITION_OUT_OF_RANGE = 99,
    UNKNOWN_TOPIC_ID = 100,
    DUPLICATE_BROKER_REGISTRATION = 101,
    BROKER_ID_NOT_REGISTERED = 102,
    INCONSISTENT_TOPIC_ID = 103,
    INCONSISTENT_CLUSTER_ID = 104,
    TRANSACTIONAL_ID_NOT_FOUND = 105,
    FETCH_SESSION_TOPIC_ID_ERROR = 106,
    INELIGIBLE_REPLICA = 107,
    NEW_LEADER_ELECTED = 108,
    OFFSET_MOVED_TO_TIERED_STORAGE = 109,
    FENCED_MEMBER_EPOCH = 110,
    UNRELEASED_INSTANCE_ID = 111,
    UNSUPPORTED_ASSIGNOR = 112,
    STALE_MEMBER_EPOCH = 113,
    MISMATCHED_ENDPOINT_TYPE = 114,
    UNSUPPORTED_ENDPOINT_TYPE = 115,
    UNKNOWN_CONTROLLER_ID = 116,
    UNKNOWN_SUBSCRIPTION_ID = 117,
    TELEMETRY_TOO_LARGE = 118,
    INVALID_REGISTRATION = 119,
    TRANSACTION_ABORTABLE = 120,
    INVALID_RECORD_STATE = 121,
    SHARE_SESSION_NOT_FOUND = 122,
    INVALID_SHARE_SESSION_EPOCH = 123,
    FENCED_STATE_EPOCH = 124,
    INVALID_VOTER_KEY = 125,
    DUPLICATE_VOTER = 126,
    VOTER_NOT_FOUND = 127,
    INVALID_REGULAR_EXPRESSION = 128,
    REBOOTSTRAP_REQUIRED = 129,
    STREAMS_INVALID_TOPOLOGY = 130,
    STREAMS_INVALID_TOPOLOGY_EPOCH = 131,
    STREAMS_TOPOLOGY_FENCED = 132,
    SHARE_SESSION_LIMIT_REACHED = 133,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_shown_with_name_and_number() {
        assert_eq!(ErrorCode(6).to_string(), "NOT_LEADER_OR_FOLLOWER (6)");
        assert_eq!(ErrorCode(-1).to_string(), "UNKNOWN_SERVER_ERROR (-1)");
    }

    #[test]
    fn an_unknown_code_keeps_its_number_and_fails_the_batch() {
        assert_eq!(ErrorCode(1234).to_string(), "unknown error code 1234");
        assert_eq!(ErrorCode(1234).produce_action(), ProduceAction::FailBatch);
    }

    #[test]
    fn only_a_code_that_is_sent_before_the_append_alone_proves_that_nothing_was_written() {
        let proofs: Vec<i16> = (i16::MIN..=i16::MAX)
            .filter(|&code| !ErrorCode(code).may_have_been_written())
            .collect();
        let before_the_append = [
            2, 10, 17, 18, 19, 21, 29, 31, 32, 35, 42, 43, 45, 47, 49, 59, 76, 87,
        ];
        assert_eq!(proofs, before_the_append);
    }

    #[test]
    fn of_the_codes_that_are_retried_only_2_and_19_say_that_nothing_was_written() {
        let retried = |code: &ErrorCode| {
            matches!(
                code.produce_action(),
                ProduceAction::Retry
                    | ProduceAction::RetryAfterRefresh
                    | ProduceAction::Rebootstrap
            )
        };
        let (open, closed): (Vec<_>, Vec<_>) = (i16::MIN..=i16::MAX)
            .map(ErrorCode)
            .filter(retried)
            .partition(|code| code.may_have_been_written());
        let open_expected = [3, 5, 6, 7, 9, 13, 20, 56, 72, 74, 80, 83, 89, 100, 103, 129];
        assert_eq!(open, open_expected.map(ErrorCode));
        assert_eq!(closed, [2, 19].map(ErrorCode));
    }

    #[test]
    fn a_code_with_advice_has_a_name() {
        for code in i16::MIN..=i16::MAX {
            let code = ErrorCode(code);
            assert!(code.advice().is_none() || code.name().is_some(), "{code}");
        }
    }
}
