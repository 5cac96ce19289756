//! Peers that lie: whatever a broker sends is an error or a value, never a panic, and never costs memory that was not sent.
//!
//! What is damaged is sound in every version that we speak (`samples`); how it is damaged is systematic where it can be and
//! random under seeds that never change where it cannot (`damage`). Memory is counted by an allocator (`decoding`), a
//! thread at a time. The fuzz targets (`make fuzz`) go on from here and share `decoding`, `samples` and `rig`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod client;
mod damage;
mod decoding;
mod deframing;
mod frames;
mod responses;
mod rig;
mod samples;
