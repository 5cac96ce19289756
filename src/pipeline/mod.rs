//! The threads, joined up.

pub mod chunk;
pub mod schedule;
pub mod shutdown;
