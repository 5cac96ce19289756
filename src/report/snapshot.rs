//! What the counters were at one moment, and the books of a finished run.
//!
//! Plain values: what follows from the counters is computed here, what is said of it elsewhere. Invariant of a finished run,
//! checked by [`Ledger::adds_up`]: generated = acknowledged + failed + unsent.

use std::time::Duration;

use super::latency::Percentiles;

/// Counters at one moment. Each is exact; they are not read in one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Since the start.
    pub runtime: Duration,
    /// From the start to the first acknowledgement, if there was one.
    pub warm_up: Option<Duration>,
    /// Records handed over by the generator.
    pub generated: u64,
    /// Records that the broker acknowledged.
    pub acknowledged: u64,
    /// Records given up because of an error.
    pub failed: u64,
    /// Records that could not be encoded; not among the generated ones.
    pub serialization_errors: u64,
    /// Ticks that were skipped because the generator was too far behind.
    pub skipped: u64,
    /// How long the next message has been due.
    pub behind: Duration,
    /// For how long the generator has waited for room.
    pub generator_blocked: Duration,
    /// For how long the memory was full though the in-flight windows had room.
    pub full_for_buffer: Duration,
    /// For how long it was full because brokers had not answered yet.
    pub full_for_broker: Duration,
    /// Wall-clock time at which the last record was made, in milliseconds since 1970.
    pub last_generated_ms: Option<i64>,
    /// Records sent and not answered yet.
    pub in_flight: u64,
    /// Wall-clock time of the last acknowledgement, in milliseconds since 1970.
    pub last_acknowledged_ms: Option<i64>,
    /// `None` where nothing was acknowledged.
    pub latency: Option<Percentiles>,
}

impl Snapshot {
    /// All that went wrong: delivery and serialization.
    pub fn errors(&self) -> u64 {
        self.failed.saturating_add(self.serialization_errors)
    }

    /// Records that wait to be sent.
    pub fn buffered(&self) -> u64 {
        let settled = self.acknowledged + self.failed + self.in_flight;
        self.generated.saturating_sub(settled)
    }

    /// Acknowledged records a second since the start.
    pub fn rate(&self) -> f64 {
        let seconds = self.runtime.as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "shown with two decimals")]
        let acknowledged = self.acknowledged as f64;
        if seconds > 0.0 {
            acknowledged / seconds
        } else {
            0.0
        }
    }
}

/// Where every generated record went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Handed over by the generator.
    pub generated: u64,
    /// Acknowledged by the broker.
    pub acknowledged: u64,
    /// Given up because of an error.
    pub failed: u64,
    /// Given up because the run had to end.
    pub unsent: u64,
}

impl Ledger {
    /// Whether every record is accounted for.
    pub fn adds_up(&self) -> bool {
        self.acknowledged
            .checked_add(self.failed)
            .and_then(|sum| sum.checked_add(self.unsent))
            == Some(self.generated)
    }

    /// Whether every generated record was acknowledged.
    pub fn all_delivered(&self) -> bool {
        self.adds_up() && self.acknowledged == self.generated
    }
}

impl std::fmt::Display for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "generated {} = acknowledged {} + failed {} + unsent {}",
            self.generated, self.acknowledged, self.failed, self.unsent
        )
    }
}
