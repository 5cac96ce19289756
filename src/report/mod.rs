//! What the user is told: what is counted ([`stats`]), the log with its lines and events ([`log`]), the thread of statistics
//! ([`reporter`]), what a terminal shows ([`screen`]), what others may look at ([`view`], written as [`metrics`] or [`status`]), and
//! the summary on disk ([`ledger_file`]).

pub mod event;
pub mod failures;
pub mod figures;
pub mod latency;
pub mod ledger_file;
pub mod limit;
mod line;
pub mod log;
pub mod metrics;
pub mod outlet;
pub mod process;
mod progress;
pub mod recovery;
pub mod repeat;
pub mod reporter;
pub mod screen;
pub mod snapshot;
pub mod stats;
pub mod status;
pub mod text;
pub mod time;
pub mod troubles;
pub mod view;
