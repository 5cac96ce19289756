//! What the user is told: counters, lines of text, the log, the statistics thread.

pub mod stats;
