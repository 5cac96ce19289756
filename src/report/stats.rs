//! What is counted while the producer runs, shared by all its threads.
//!
//! The generator and the producer thread each write to cache lines of their own, once a chunk or a batch and never once a
//! record; the latency histogram is locked once an acknowledged batch. Invariant of a finished run, checked by
//! [`Ledger::adds_up`]: generated = acknowledged + failed + unsent. Nothing here is ever printed, and no clock is read.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Latencies above this count as this.
pub const LATENCY_US_MAX: u64 = 3600 * 1_000_000;

/// Decimal digits to which a latency is kept. With these bounds a histogram takes 192 KiB.
const LATENCY_DIGITS: u8 = 3;

/// The next tick's time where there is none.
const NO_TICK: u64 = u64::MAX;

/// Shared counters. Every method may be called from any thread.
#[derive(Debug)]
pub struct Stats {
    created: Instant,
    begun: OnceLock<Instant>,
    generator: GeneratorCounters,
    producer: ProducerCounters,
    latency: Mutex<Latency>,
}

/// Two cache lines, because processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct GeneratorCounters {
    generated: AtomicU64,
    serialization_errors: AtomicU64,
    skipped: AtomicU64,
    next_due_us: AtomicU64,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct ProducerCounters {
    acknowledged: AtomicU64,
    failed: AtomicU64,
    in_flight: AtomicU64,
    last_acknowledged_ms: AtomicI64,
}

/// Latencies in microseconds: what came since the last look, and what came before.
#[derive(Debug)]
struct Latency {
    recent: Histogram<u64>,
    before: Histogram<u64>,
}

impl Stats {
    /// All zero; runtime counts from `created` until [`begin`](Self::begin) says otherwise.
    ///
    /// # Errors
    /// Never with the constants above; the histogram's own checks are passed on.
    pub fn new(created: Instant) -> Result<Self, hdrhistogram::CreationError> {
        Ok(Self {
            created,
            begun: OnceLock::new(),
            generator: GeneratorCounters {
                generated: AtomicU64::new(0),
                serialization_errors: AtomicU64::new(0),
                skipped: AtomicU64::new(0),
                next_due_us: AtomicU64::new(NO_TICK),
            },
            producer: ProducerCounters::default(),
            latency: Mutex::new(Latency {
                recent: histogram()?,
                before: histogram()?,
            }),
        })
    }

    /// The first message is due now: runtime and rate count from here, not from the search for brokers. Once.
    pub fn begin(&self, now: Instant) {
        // A second time changes nothing.
        let _ = self.begun.set(now);
    }

    /// When the run began.
    pub fn start(&self) -> Instant {
        *self.begun.get().unwrap_or(&self.created)
    }

    /// `records` more were handed over by the generator.
    pub fn add_generated(&self, records: u64) {
        self.generator.generated.fetch_add(records, Relaxed);
    }

    /// `records` more could not be encoded; they do not count as generated.
    pub fn add_serialization_errors(&self, records: u64) {
        self.generator
            .serialization_errors
            .fetch_add(records, Relaxed);
    }

    /// How the schedule stands: ticks skipped so far, and when the next one is due (`None`: no pace is kept). From the
    /// latter a reader sees how far behind a *blocked* generator is.
    pub fn set_schedule(&self, skipped: u64, next_due: Option<Instant>) {
        let next_due_us = next_due.map_or(NO_TICK, |due| {
            micros(due.saturating_duration_since(self.start()))
        });
        self.generator.skipped.store(skipped, Relaxed);
        self.generator.next_due_us.store(next_due_us, Relaxed);
    }

    /// `records` more were acknowledged by the broker, at the wall-clock time `now_ms` (milliseconds since 1970).
    pub fn add_acknowledged(&self, records: u64, now_ms: i64) {
        self.producer.acknowledged.fetch_add(records, Relaxed);
        // The last one, not the greatest: a clock that was stepped back must not leave it in the future.
        self.producer.last_acknowledged_ms.store(now_ms, Relaxed);
    }

    /// `records` more were given up because of an error.
    pub fn add_failed(&self, records: u64) {
        self.producer.failed.fetch_add(records, Relaxed);
    }

    /// `records` are sent and not answered at the moment.
    pub fn set_in_flight(&self, records: u64) {
        self.producer.in_flight.store(records, Relaxed);
    }

    /// `count` records took `latency_us` from when they were due until they were acknowledged.
    pub fn record_run(&self, latency_us: u64, count: u64) {
        self.record_runs([(latency_us, count)]);
    }

    /// [`record_run`](Self::record_run) for a whole batch under one lock. The iterator runs under it: keep it short.
    pub fn record_runs(&self, runs: impl IntoIterator<Item = (u64, u64)>) {
        let mut latency = self.lock_latency();
        for (latency_us, count) in runs {
            latency.recent.saturating_record_n(latency_us, count);
        }
    }

    /// The counters at `now`; latencies are those since the last call, which this call resets.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let mut latency = self.lock_latency();
        let percentiles = Percentiles::of(&latency.recent);
        latency.fold();
        drop(latency);
        Snapshot {
            latency: percentiles,
            ..self.counters(now)
        }
    }

    /// The counters at `now`; latencies are those of the whole run.
    pub fn total(&self, now: Instant) -> Snapshot {
        let mut latency = self.lock_latency();
        latency.fold();
        let percentiles = Percentiles::of(&latency.before);
        drop(latency);
        Snapshot {
            latency: percentiles,
            ..self.counters(now)
        }
    }

    /// The books of a finished run, `unsent` being what the producer gave up unsent.
    pub fn ledger(&self, unsent: u64) -> Ledger {
        Ledger {
            acknowledged: self.producer.acknowledged.load(Relaxed),
            failed: self.producer.failed.load(Relaxed),
            generated: self.generator.generated.load(Relaxed),
            unsent,
        }
    }

    fn counters(&self, now: Instant) -> Snapshot {
        let (generator, producer) = (&self.generator, &self.producer);
        let runtime = now.saturating_duration_since(self.start());
        let last_ms = producer.last_acknowledged_ms.load(Relaxed);
        let acknowledged = producer.acknowledged.load(Relaxed);
        Snapshot {
            runtime,
            acknowledged,
            failed: producer.failed.load(Relaxed),
            in_flight: producer.in_flight.load(Relaxed),
            last_acknowledged_ms: (acknowledged > 0).then_some(last_ms),
            generated: generator.generated.load(Relaxed),
            serialization_errors: generator.serialization_errors.load(Relaxed),
            skipped: generator.skipped.load(Relaxed),
            behind: Duration::from_micros(
                micros(runtime).saturating_sub(generator.next_due_us.load(Relaxed)),
            ),
            latency: None,
        }
    }

    /// A panic elsewhere does not spoil numbers: a poisoned lock is taken like any other.
    fn lock_latency(&self) -> MutexGuard<'_, Latency> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counters at one moment. Each is exact; they are not read in one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Since the start.
    pub runtime: Duration,
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

/// Acknowledgement latencies in microseconds, to three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Percentiles {
    pub p50: u64,
    pub p95: u64,
    pub p99: u64,
    pub p99_9: u64,
    pub max: u64,
}

impl Percentiles {
    fn of(histogram: &Histogram<u64>) -> Option<Self> {
        (!histogram.is_empty()).then(|| Self {
            p50: histogram.value_at_quantile(0.5),
            p95: histogram.value_at_quantile(0.95),
            p99: histogram.value_at_quantile(0.99),
            p99_9: histogram.value_at_quantile(0.999),
            max: histogram.max(),
        })
    }
}

/// Where every generated record went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl Latency {
    /// Moves the recent latencies to those before.
    fn fold(&mut self) {
        let added = self.before.add(&self.recent);
        debug_assert!(added.is_ok(), "both histograms have the same bounds");
        self.recent.reset();
    }
}

fn histogram() -> Result<Histogram<u64>, hdrhistogram::CreationError> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, LATENCY_DIGITS)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(NO_TICK - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_snapshot_shows_what_was_counted() {
        let start = Instant::now();
        let stats = Stats::new(start).unwrap();
        stats.add_generated(12);
        stats.add_acknowledged(9, 1_700_000_000_123);
        stats.add_acknowledged(1, 1_700_000_000_100);
        stats.add_failed(1);
        stats.add_serialization_errors(2);
        stats.set_in_flight(3);
        stats.set_schedule(5, Some(start + 7 * SECOND));
        let snapshot = stats.snapshot(start + 10 * SECOND);
        assert_eq!(
            snapshot,
            Snapshot {
                runtime: 10 * SECOND,
                generated: 12,
                acknowledged: 10,
                failed: 1,
                serialization_errors: 2,
                skipped: 5,
                behind: 3 * SECOND,
                in_flight: 3,
                last_acknowledged_ms: Some(1_700_000_000_100),
                latency: None,
            }
        );
        assert_eq!(snapshot.errors(), 3);
        assert!((snapshot.rate() - 1.0).abs() < 1e-9);
    }

    /// Scenario 43.
    #[test]
    fn the_last_acknowledgement_is_the_last_one_though_the_clock_was_stepped_back_meanwhile() {
        let stats = Stats::new(Instant::now()).unwrap();
        for now_ms in [1_700_000_000_000, 1_600_000_000_000, 1_600_000_001_000] {
            stats.add_acknowledged(1, now_ms);
            let last = stats.snapshot(stats.start()).last_acknowledged_ms;
            assert_eq!(last, Some(now_ms));
        }
    }

    #[test]
    fn who_keeps_no_pace_or_waits_for_the_next_tick_is_not_behind() {
        let start = Instant::now();
        let stats = Stats::new(start).unwrap();
        assert_eq!(stats.snapshot(start + SECOND).behind, Duration::ZERO);
        stats.set_schedule(0, Some(start + 2 * SECOND));
        assert_eq!(stats.snapshot(start + SECOND).behind, Duration::ZERO);
        stats.set_schedule(0, None);
        assert_eq!(stats.snapshot(start + 9 * SECOND).behind, Duration::ZERO);
    }

    #[test]
    fn each_snapshot_has_the_latencies_since_the_last_and_the_total_has_all() {
        let start = Instant::now();
        let stats = Stats::new(start).unwrap();
        stats.record_run(1000, 99);
        stats.record_runs([(5000, 1)]);
        let first = stats.snapshot(start).latency.unwrap();
        assert_eq!((first.p50, first.p99, first.max), (1000, 1000, 5003));
        stats.record_run(70_000, 100);
        let second = stats.snapshot(start).latency.unwrap();
        assert!(second.p50.abs_diff(70_000) < 70, "{second:?}");
        assert_eq!(stats.snapshot(start).latency, None);
        stats.record_run(70_000, 100);
        let total = stats.total(start).latency.unwrap();
        assert!(total.p50.abs_diff(70_000) < 70, "{total:?}");
        assert_eq!(stats.total(start).latency, Some(total));
    }

    #[test]
    fn a_latency_beyond_the_range_is_counted_at_its_end() {
        let stats = Stats::new(Instant::now()).unwrap();
        stats.record_runs([(0, 1), (u64::MAX, 1)]);
        let latency = stats.total(stats.start()).latency.unwrap();
        assert!(latency.max >= LATENCY_US_MAX && latency.p50 <= 1);
    }

    #[test]
    fn both_histograms_fit_into_half_a_mebibyte() {
        let bytes = 2 * histogram().unwrap().distinct_values() * size_of::<u64>();
        assert!(bytes <= 512 * 1024, "{bytes}");
    }

    #[test]
    fn a_ledger_adds_up_only_if_every_record_is_accounted_for() {
        let stats = Stats::new(Instant::now()).unwrap();
        stats.add_generated(25);
        stats.add_acknowledged(22, 0);
        stats.add_failed(2);
        let ledger = stats.ledger(1);
        assert!(ledger.adds_up() && !ledger.all_delivered());
        assert_eq!(
            ledger.to_string(),
            "generated 25 = acknowledged 22 + failed 2 + unsent 1"
        );
        assert!(!stats.ledger(0).adds_up());
        assert!(!stats.ledger(u64::MAX).adds_up());
    }

    #[test]
    fn nothing_has_a_rate_before_time_has_passed() {
        let stats = Stats::new(Instant::now()).unwrap();
        stats.add_acknowledged(5, 0);
        assert!(stats.snapshot(stats.start()).rate().abs() < f64::EPSILON);
    }
}
