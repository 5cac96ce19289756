//! The threads, joined up.

pub mod chunk;
pub mod generator;
pub mod schedule;
pub mod shutdown;
pub mod source;
