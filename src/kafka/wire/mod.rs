//! Bytes ⇄ messages: the part of the Kafka protocol that a producer speaks.
//!
//! Invariant: whatever a peer sends, decoding ends in a value or in a [`codec::DecodeError`]; memory grows only with bytes
//! that are really there, never with a number that somebody wrote. What is encoded here is well-formed by construction:
//! lengths are gaps that a guard fills in.
//!
//! This room never touches a socket, a clock, a thread or a channel, and imports nothing of ours.

pub mod codec;
pub mod compression;
pub mod error_code;
pub mod frame;
pub mod message;
pub mod record_batch;

pub use compression::Compression;
pub use error_code::ErrorCode;
