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
        rate(self.acknowledged, self.runtime)
    }
}

/// What the counters did between two moments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interval {
    /// How long it was.
    pub time: Duration,
    /// Records that were acknowledged in it.
    pub acknowledged: u64,
    /// Ticks that were skipped in it.
    pub skipped: u64,
    /// How long the generator waited for room.
    pub generator_blocked: Duration,
    /// How long the memory was full though the in-flight windows had room.
    pub full_for_buffer: Duration,
    /// How long it was full because brokers had not answered yet.
    pub full_for_broker: Duration,
    /// The warm-up, if it ended in it.
    pub warm_up: Option<Duration>,
}

impl Interval {
    /// From `before` to `after`.
    pub fn between(before: &Snapshot, after: &Snapshot) -> Self {
        let time = |of: fn(&Snapshot) -> Duration| of(after).saturating_sub(of(before));
        Self {
            time: time(|at| at.runtime),
            acknowledged: after.acknowledged.saturating_sub(before.acknowledged),
            skipped: after.skipped.saturating_sub(before.skipped),
            generator_blocked: time(|at| at.generator_blocked),
            full_for_buffer: time(|at| at.full_for_buffer),
            full_for_broker: time(|at| at.full_for_broker),
            warm_up: after.warm_up.filter(|_| before.warm_up.is_none()),
        }
    }

    /// Acknowledged records a second.
    pub fn rate(&self) -> f64 {
        rate(self.acknowledged, self.time)
    }
}

fn rate(records: u64, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "shown with two decimals")]
    let records = records as f64;
    if seconds > 0.0 {
        records / seconds
    } else {
        0.0
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

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_interval_is_what_changed_and_the_warm_up_belongs_to_one_alone() {
        let at = |seconds: u32, acknowledged, skipped, warm_up| Snapshot {
            runtime: seconds * SECOND,
            acknowledged,
            skipped,
            warm_up,
            generator_blocked: seconds * SECOND / 2,
            full_for_buffer: seconds * SECOND / 4,
            full_for_broker: seconds * SECOND / 8,
            ..Snapshot::default()
        };
        let (start, one, two) = (
            Snapshot::default(),
            at(8, 0, 1, None),
            at(16, 40, 3, Some(9 * SECOND)),
        );
        assert_eq!(Interval::between(&start, &one).warm_up, None);
        let second = Interval::between(&one, &two);
        assert_eq!(
            second,
            Interval {
                time: 8 * SECOND,
                acknowledged: 40,
                skipped: 2,
                generator_blocked: 4 * SECOND,
                full_for_buffer: 2 * SECOND,
                full_for_broker: SECOND,
                warm_up: Some(9 * SECOND),
            }
        );
        assert!((second.rate() - 5.0).abs() < 1e-9);
        let third = Interval::between(&two, &at(20, 40, 3, Some(9 * SECOND)));
        assert_eq!((third.warm_up, third.acknowledged), (None, 0));
        assert!(Interval::between(&two, &two).rate().abs() < f64::EPSILON);
    }
}
