//! A strict, in-memory Kafka cluster and a Schema Registry on loopback, for tests and for trying the producer out.
//!
//! [`Sandbox`] is a cluster of one node or several that checks what it is sent as strictly as brokers do, and more; it
//! speaks the protocol through `kafka-protocol` and shares no code with the program under test, so that a mistake there
//! is not repeated here. [`Registry`] answers as a Confluent Schema Registry does. Both misbehave on request. Neither
//! writes to disk, and neither listens on anything but 127.0.0.1.

mod broker;
pub mod certificates;
mod config;
mod net;
mod registry;
mod sandbox;
mod security;
mod tls;
mod tokens;

pub use broker::batch::Record;
pub use broker::faults::{Fault, FaultRule, Gate};
pub use broker::log::BatchInfo;
pub use broker::state::{Login, Refused, State};
pub use config::{
    Config, DEFAULT_MESSAGE_BYTES_MAX, DEFAULT_PARTITIONS, DEFAULT_TOPIC, SequenceRules,
    VersionRange,
};
pub use kafka_protocol::messages::ApiKey;
pub use registry::{HttpRequest, Registry, RegistryFault, RegistrySettings};
pub use sandbox::Sandbox;
pub use security::{Mechanism, ScramLie, Security};
pub use tls::{Handshake, ServerCertificate, Tls, TlsVersion};
pub use tokens::Tokens;
