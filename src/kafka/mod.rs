//! A synchronous Kafka producer that knows nothing of shoes; it could be a crate of its own.

pub mod client;
pub mod config;
pub mod net;
pub mod sasl;
pub mod wire;
