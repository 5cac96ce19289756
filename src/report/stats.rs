//! What is counted while the producer runs, shared by all its threads.
//!
//! The generator and the producer thread each write to cache lines of their own, once a chunk or a batch and never once a
//! record; the latency histogram is locked once an acknowledged batch. Invariant of a finished run, checked by
//! [`Ledger::adds_up`]: generated = acknowledged + failed + unsent. Nothing here is ever printed, and no clock is read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::failures::{Failure, Failures};
use super::latency::{Latencies, Latency};
use super::snapshot::{Ledger, Snapshot};

/// The time where there is none yet: of the next tick, or of an acknowledgement.
const NEVER: u64 = u64::MAX;

/// Shared counters. Every method may be called from any thread.
#[derive(Debug)]
pub struct Stats {
    created: Instant,
    begun: OnceLock<Instant>,
    generator: GeneratorCounters,
    producer: ProducerCounters,
    latency: Mutex<Latency>,
    failures: Failures,
}

/// Two cache lines, because processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct GeneratorCounters {
    generated: AtomicU64,
    serialization_errors: AtomicU64,
    skipped: AtomicU64,
    next_due_us: AtomicU64,
    last_generated_ms: AtomicI64,
    blocked_ns: AtomicU64,
}

#[derive(Debug)]
#[repr(align(128))]
struct ProducerCounters {
    acknowledged: AtomicU64,
    failed: AtomicU64,
    in_flight: AtomicU64,
    last_acknowledged_ms: AtomicI64,
    /// Since `created`, as is the next one.
    first_acknowledged_ns: AtomicU64,
    last_acknowledged_ns: AtomicU64,
    full_for_buffer_ns: AtomicU64,
    full_for_broker_ns: AtomicU64,
}

/// What has to change for a full memory to have room again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FullLimit {
    /// The in-flight windows had room: a larger memory would have helped.
    Buffer,
    /// They had none, or batches waited to be sent again: brokers that answer sooner would have helped.
    Broker,
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
                next_due_us: AtomicU64::new(NEVER),
                last_generated_ms: AtomicI64::new(0),
                blocked_ns: AtomicU64::new(0),
            },
            producer: ProducerCounters {
                acknowledged: AtomicU64::new(0),
                failed: AtomicU64::new(0),
                in_flight: AtomicU64::new(0),
                last_acknowledged_ms: AtomicI64::new(0),
                first_acknowledged_ns: AtomicU64::new(NEVER),
                last_acknowledged_ns: AtomicU64::new(NEVER),
                full_for_buffer_ns: AtomicU64::new(0),
                full_for_broker_ns: AtomicU64::new(0),
            },
            latency: Mutex::new(Latency::new()?),
            failures: Failures::default(),
        })
    }

    /// The first message is due now: runtime and rate count from here, not from the search for brokers. Once.
    pub fn begin(&self, now: Instant) {
        // A second time changes nothing.
        let _ = self.begun.set(now);
    }

    /// Whether the first message was due.
    pub fn has_begun(&self) -> bool {
        self.begun.get().is_some()
    }

    /// When the run began.
    pub fn start(&self) -> Instant {
        *self.begun.get().unwrap_or(&self.created)
    }

    /// `records` more were handed over by the generator; the last one's timestamp is `timestamp_ms` (milliseconds since 1970).
    pub fn add_generated(&self, records: u64, timestamp_ms: i64) {
        self.generator.generated.fetch_add(records, Relaxed);
        self.generator
            .last_generated_ms
            .store(timestamp_ms, Relaxed);
    }

    /// The generator has waited so long for room. While it waits, this is called now and then, not only at the end.
    pub fn add_generator_blocked(&self, waited: Duration) {
        self.generator.blocked_ns.fetch_add(nanos(waited), Relaxed);
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
        let next_due_us = next_due.map_or(NEVER, |due| {
            micros(due.saturating_duration_since(self.start()))
        });
        self.generator.skipped.store(skipped, Relaxed);
        self.generator.next_due_us.store(next_due_us, Relaxed);
    }

    /// `records` more were acknowledged by the broker, `now`, which is the wall-clock time `now_ms` (milliseconds since 1970).
    pub fn add_acknowledged(&self, records: u64, now: Instant, now_ms: i64) {
        let producer = &self.producer;
        producer.acknowledged.fetch_add(records, Relaxed);
        // The last one, not the greatest: a clock that was stepped back must not leave it in the future.
        producer.last_acknowledged_ms.store(now_ms, Relaxed);
        let since_created = nanos(now.saturating_duration_since(self.created));
        if producer.first_acknowledged_ns.load(Relaxed) == NEVER {
            producer.first_acknowledged_ns.store(since_created, Relaxed);
        }
        producer.last_acknowledged_ns.store(since_created, Relaxed);
    }

    /// When the first record was acknowledged: the warm-up ends here.
    pub fn first_acknowledged(&self) -> Option<Instant> {
        self.instant(&self.producer.first_acknowledged_ns)
    }

    /// When the last record so far was acknowledged.
    pub fn last_acknowledged_at(&self) -> Option<Instant> {
        self.instant(&self.producer.last_acknowledged_ns)
    }

    /// The memory for records was full for so much longer. While it is, this is called now and then, not only at the end.
    pub fn add_buffer_full(&self, limit: FullLimit, time: Duration) {
        let total = match limit {
            FullLimit::Buffer => &self.producer.full_for_buffer_ns,
            FullLimit::Broker => &self.producer.full_for_broker_ns,
        };
        total.fetch_add(nanos(time), Relaxed);
    }

    /// `records` more were given up because of an error.
    pub fn add_failed(&self, records: u64, failure: Failure) {
        self.producer.failed.fetch_add(records, Relaxed);
        self.failures.add(failure, records);
    }

    /// Records that were given up, by what was wrong.
    pub fn failures(&self) -> BTreeMap<Failure, u64> {
        self.failures.all()
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
            latency.record(latency_us, count);
        }
    }

    /// The counters at `now`; latencies are those since the last call, which this call resets.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let percentiles = self.lock_latency().look();
        Snapshot {
            latency: percentiles,
            ..self.counters(now)
        }
    }

    /// The counters at `now`; latencies are those of the whole run, and the next [`snapshot`](Self::snapshot) has none of them.
    pub fn total(&self, now: Instant) -> Snapshot {
        let percentiles = self.lock_latency().total();
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

    /// How long records of the whole run took from when they were due until they were acknowledged, by these bounds (microseconds,
    /// rising). Resets nothing. A latency that differs from a bound by less than a thousandth may count on either side.
    pub fn latencies(&self, bounds_us: &[u64]) -> Latencies {
        // A copy, so that the producer does not wait while it is counted through.
        let latency = self.lock_latency().clone();
        latency.by_bounds(bounds_us)
    }

    /// The counters at `now`, without latencies. Resets nothing.
    pub fn counters(&self, now: Instant) -> Snapshot {
        let (generator, producer) = (&self.generator, &self.producer);
        let runtime = now.saturating_duration_since(self.start());
        let last_ms = producer.last_acknowledged_ms.load(Relaxed);
        let acknowledged = producer.acknowledged.load(Relaxed);
        let generated = generator.generated.load(Relaxed);
        let last_generated_ms = generator.last_generated_ms.load(Relaxed);
        let time = |total: &AtomicU64| Duration::from_nanos(total.load(Relaxed));
        Snapshot {
            runtime,
            warm_up: self
                .first_acknowledged()
                .map(|at| at.saturating_duration_since(self.start())),
            generator_blocked: time(&generator.blocked_ns),
            full_for_buffer: time(&producer.full_for_buffer_ns),
            full_for_broker: time(&producer.full_for_broker_ns),
            last_generated_ms: (generated > 0).then_some(last_generated_ms),
            acknowledged,
            failed: producer.failed.load(Relaxed),
            in_flight: producer.in_flight.load(Relaxed),
            last_acknowledged_ms: (acknowledged > 0).then_some(last_ms),
            generated,
            serialization_errors: generator.serialization_errors.load(Relaxed),
            skipped: generator.skipped.load(Relaxed),
            behind: Duration::from_micros(
                micros(runtime).saturating_sub(generator.next_due_us.load(Relaxed)),
            ),
            latency: None,
        }
    }

    fn instant(&self, since_created_ns: &AtomicU64) -> Option<Instant> {
        match since_created_ns.load(Relaxed) {
            NEVER => None,
            ns => self.created.checked_add(Duration::from_nanos(ns)),
        }
    }

    /// A panic elsewhere does not spoil numbers: a poisoned lock is taken like any other.
    fn lock_latency(&self) -> MutexGuard<'_, Latency> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(NEVER - 1)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER - 1)
}

#[cfg(test)]
mod tests {
    use super::super::latency::LATENCY_US_MAX;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn timed_out() -> Failure {
        Failure {
            kind: "delivery_timeout",
            code: None,
        }
    }

    #[test]
    fn a_snapshot_shows_what_was_counted() {
        let start = Instant::now();
        let stats = Stats::new(start).unwrap();
        stats.add_generated(12, 1_700_000_000_124);
        stats.begin(start + SECOND);
        stats.add_acknowledged(9, start + 3 * SECOND, 1_700_000_000_123);
        stats.add_acknowledged(1, start + 4 * SECOND, 1_700_000_000_100);
        stats.add_generator_blocked(2 * SECOND);
        stats.add_buffer_full(FullLimit::Buffer, SECOND / 2);
        stats.add_buffer_full(FullLimit::Broker, SECOND / 4);
        stats.add_buffer_full(FullLimit::Broker, SECOND / 4);
        stats.add_failed(1, timed_out());
        stats.add_serialization_errors(2);
        stats.set_in_flight(3);
        stats.set_schedule(5, Some(start + 8 * SECOND));
        let snapshot = stats.snapshot(start + 11 * SECOND);
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
                warm_up: Some(2 * SECOND),
                generator_blocked: 2 * SECOND,
                full_for_buffer: SECOND / 2,
                full_for_broker: SECOND / 2,
                last_generated_ms: Some(1_700_000_000_124),
                latency: None,
            }
        );
        assert_eq!(snapshot, stats.counters(start + 11 * SECOND));
        assert_eq!(stats.first_acknowledged(), Some(start + 3 * SECOND));
        assert_eq!(stats.last_acknowledged_at(), Some(start + 4 * SECOND));
        assert_eq!(snapshot.errors(), 3);
        assert!((snapshot.rate() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_was_acknowledged_or_made_before_the_first_time() {
        let stats = Stats::new(Instant::now()).unwrap();
        let times = (stats.first_acknowledged(), stats.last_acknowledged_at());
        assert_eq!(times, (None, None));
        assert_eq!(stats.counters(stats.start()), Snapshot::default());
    }

    /// Scenario 43.
    #[test]
    fn the_last_acknowledgement_is_the_last_one_though_the_clock_was_stepped_back_meanwhile() {
        let stats = Stats::new(Instant::now()).unwrap();
        for now_ms in [1_700_000_000_000, 1_600_000_000_000, 1_600_000_001_000] {
            stats.add_acknowledged(1, stats.start(), now_ms);
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
        let all = stats.latencies(&[5_000, 100_000]);
        assert_eq!((all.at_most, all.count), (vec![100, 300], 300));
        assert_eq!(all.sum_us, 99 * 1000 + 5000 + 200 * 70_000);
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
    fn a_ledger_adds_up_only_if_every_record_is_accounted_for() {
        let stats = Stats::new(Instant::now()).unwrap();
        stats.add_generated(25, 0);
        stats.add_acknowledged(22, stats.start(), 0);
        stats.add_failed(2, timed_out());
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
        stats.add_acknowledged(5, stats.start(), 0);
        assert!(stats.snapshot(stats.start()).rate().abs() < f64::EPSILON);
    }
}
