//! What the user is told: counters, lines of text, the log, the statistics thread.

pub mod latency;
pub mod log;
pub mod recovery;
pub mod repeat;
pub mod reporter;
pub mod snapshot;
pub mod stats;
pub mod text;
pub mod time;
