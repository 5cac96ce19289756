//! A strict, in-memory Kafka cluster, a Schema Registry and a token endpoint on loopback, for tests and for trying the
//! producer out.
//!
//! [`Sandbox`] is a cluster of one node or several that checks what it is sent as strictly as brokers do, and more; it
//! speaks the protocol through `kafka-protocol` and shares no code with the program under test, so that a mistake there
//! is not repeated here. [`Registry`] answers as a Confluent Schema Registry does, [`TokenServer`] as an OIDC provider. Each
//! can be secured, and misbehaves on request. None writes to disk, and none listens on anything but 127.0.0.1.

mod broker;
pub mod certificates;
mod config;
mod http;
mod net;
mod registry;
mod sandbox;
mod security;
mod tls;
mod token_server;
mod tokens;

pub use broker::batch::Record;
pub use broker::faults::{Fault, FaultRule, Gate};
pub use broker::log::BatchInfo;
pub use broker::state::{Login, Refused, State};
pub use config::{
    Config, DEFAULT_HOST, DEFAULT_MESSAGE_BYTES_MAX, DEFAULT_PARTITIONS, DEFAULT_TOPIC,
    SequenceRules, VersionRange,
};
pub use http::HttpFault as RegistryFault;
pub use http::{HttpFault, HttpRequest};
pub use kafka_protocol::messages::ApiKey;
pub use registry::{Registry, RegistrySettings};
pub use sandbox::Sandbox;
pub use security::{Mechanism, ScramLie, Security};
pub use tls::{Handshake, ServerCertificate, Tls, TlsVersion};
pub use token_server::{TokenServer, TokenSettings};
pub use tokens::Tokens;
