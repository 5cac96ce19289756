//! The generator thread's body: what is due is encoded straight into a chunk, and the chunk is handed over when it is
//! full or when nothing more is due.
//!
//! Invariant: a record counts as generated exactly when the chunk that holds it has been handed over, and each number
//! from 0 on is tried once, in order. It never sleeps: it waits on channels with a deadline, and a stop wakes it at once.
//! It never waits while it holds records.
//!
//! Waiting ends late by what the system's timers allow (some 50 µs on Linux). All ticks that are due by then are produced
//! in one burst, so the mean interval stays exact however short it is.

use std::convert::Infallible;
use std::fmt::Display;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, at, never, select};
use log::Level;

use super::chunk::Chunk;
use super::schedule::{Due, Schedule};
use super::shutdown::{Stop, StopReason};
use crate::report::repeat::ErrorSummary;
use crate::report::stats::Stats;
use crate::report::time::now_ms;

/// Records between two looks at the clocks and at the stop flag. Reading both clocks takes about as long as making one
/// record; with this many between them it is lost in the noise, and at full speed a record's time is off by some 5 µs.
const CLOCK_RECORDS: u32 = 64;

/// What the generator works with. [`run`](Self::run) consumes it, and that `full` is dropped at the end is what tells the
/// producer that no more chunks come.
#[derive(Debug)]
pub struct Generator<'a> {
    /// When messages are due.
    pub schedule: Schedule,
    /// When to end without being told.
    pub limits: Limits,
    /// Filled chunks go in here.
    pub full: Sender<Chunk>,
    /// Chunks to fill come out here, in whatever state; waiting for one is the backpressure.
    pub empty: Receiver<Chunk>,
    /// Ends it, and is stopped by it when a limit is reached.
    pub stop: &'a Stop,
    /// Learns what was generated and skipped.
    pub stats: &'a Stats,
    /// Learns what could not be encoded.
    pub errors: &'a ErrorSummary,
}

/// When a run ends by itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// After so many messages, those included that could not be encoded.
    pub count: Option<u64>,
    /// At this time. What was due before it is still produced, what is due then or later is not.
    pub deadline: Option<Instant>,
}

/// Why the filling of a chunk came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filled {
    /// It is full.
    Full,
    /// Nothing more is due before this instant.
    Wait(Instant),
    /// It is the last chunk.
    End(StopReason),
}

impl Generator<'_> {
    /// Generates until it is stopped, a limit is reached or nobody takes the chunks any more, and returns how many records
    /// it has handed over. `write` pushes the record of a number into the chunk, with the due time and the timestamp
    /// (milliseconds since 1970) that it is given, or says why it cannot be encoded.
    pub fn run<E: Display>(
        mut self,
        write: impl FnMut(u64, &mut Chunk, Instant, i64) -> Result<(), E>,
    ) -> u64 {
        let mut handed_over = 0;
        let Err(reason) = self.hand_over_chunks(&mut handed_over, write);
        self.stop.stop(reason);
        handed_over
    }

    fn hand_over_chunks<E: Display>(
        &mut self,
        handed_over: &mut u64,
        mut write: impl FnMut(u64, &mut Chunk, Instant, i64) -> Result<(), E>,
    ) -> Result<Infallible, StopReason> {
        let deadline = self.limits.deadline.map_or_else(never, at);
        let mut next = 0;
        loop {
            let mut chunk = self.chunk_to_fill(&deadline)?;
            chunk.clear();
            let filled = loop {
                match self.fill(&mut chunk, &mut next, clocks, &mut write) {
                    Filled::Wait(until) if chunk.is_empty() => self.wait(until)?,
                    filled => break filled,
                }
            };
            let records = chunk.len() as u64;
            if records > 0 {
                self.full.send(chunk).map_err(|_| StopReason::Failed)?;
                *handed_over += records;
                self.stats.add_generated(records);
            }
            self.stats
                .set_schedule(self.schedule.skipped(), self.schedule.next_due());
            if let Filled::End(reason) = filled {
                return Err(reason);
            }
        }
    }

    /// Pushes what is due. The clocks are an argument: the monotonic one and milliseconds since 1970.
    fn fill<E: Display>(
        &mut self,
        chunk: &mut Chunk,
        next: &mut u64,
        mut clocks: impl FnMut() -> (Instant, i64),
        mut write: impl FnMut(u64, &mut Chunk, Instant, i64) -> Result<(), E>,
    ) -> Filled {
        loop {
            if self.stop.is_stopped() {
                return Filled::End(self.stopped());
            }
            let (mut now, timestamp_ms) = clocks();
            let last_round = self.limits.deadline.filter(|deadline| now >= *deadline);
            if let Some(deadline) = last_round {
                match (
                    self.schedule.next_due(),
                    deadline.checked_sub(Duration::from_nanos(1)),
                ) {
                    (Some(_), Some(just_before)) => now = just_before,
                    _ => return Filled::End(StopReason::Duration),
                }
            }
            let before = *next;
            for _ in 0..CLOCK_RECORDS {
                if self.limits.count.is_some_and(|count| *next >= count) {
                    return Filled::End(StopReason::Count);
                }
                match self.schedule.next(now) {
                    Due::Now(due) => {
                        if let Err(error) = write(*next, chunk, due, timestamp_ms) {
                            self.not_encoded(*next, &error);
                        }
                        *next += 1;
                    }
                    Due::At(_) if last_round.is_some() => return Filled::End(StopReason::Duration),
                    // Making them took time: the next one may be due by now.
                    Due::At(_) if *next > before => break,
                    Due::At(until) => return Filled::Wait(until),
                }
                if chunk.is_full() {
                    return Filled::Full;
                }
            }
        }
    }

    #[cold]
    fn not_encoded(&self, number: u64, error: &impl Display) {
        self.stats.add_serialization_errors(1);
        self.errors.report(
            Level::Error,
            "serialization",
            &format!("Message {number} could not be serialized: {error}. It is left out."),
        );
    }

    /// Waits until the instant or the deadline, whichever comes first.
    fn wait(&self, until: Instant) -> Result<(), StopReason> {
        let until = self
            .limits
            .deadline
            .map_or(until, |deadline| deadline.min(until));
        match self.stop.receiver().recv_deadline(until) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(self.stopped()),
        }
    }

    fn chunk_to_fill(&self, deadline: &Receiver<Instant>) -> Result<Chunk, StopReason> {
        match self.empty.try_recv() {
            Ok(chunk) => return Ok(chunk),
            Err(TryRecvError::Disconnected) => return Err(StopReason::Failed),
            Err(TryRecvError::Empty) => (),
        }
        select! {
            recv(self.empty) -> chunk => chunk.map_err(|_| StopReason::Failed),
            recv(self.stop.receiver()) -> _ => Err(self.stopped()),
            recv(deadline) -> _ => Err(StopReason::Duration),
        }
    }

    fn stopped(&self) -> StopReason {
        self.stop.reason().unwrap_or(StopReason::Failed)
    }
}

fn clocks() -> (Instant, i64) {
    (Instant::now(), now_ms())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::super::chunk::{CHUNK_RECORDS_MAX, ChunkRing};
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const FAR: Duration = Duration::from_secs(60);

    /// What a generator is lent.
    struct World {
        start: Instant,
        stop: Stop,
        stats: Stats,
        errors: ErrorSummary,
        ring: ChunkRing,
    }

    impl World {
        fn new() -> Self {
            let start = Instant::now();
            Self {
                start,
                stop: Stop::new(),
                stats: Stats::new(start).unwrap(),
                errors: ErrorSummary::new(),
                ring: ChunkRing::new(2),
            }
        }

        fn generator(&self, interval: Duration, limits: Limits) -> Generator<'_> {
            Generator {
                schedule: Schedule::new(interval, self.start),
                limits,
                full: self.ring.full_in.clone(),
                empty: self.ring.empty_out.clone(),
                stop: &self.stop,
                stats: &self.stats,
                errors: &self.errors,
            }
        }

        /// All record numbers that were handed over; chunks go back as they are.
        fn drain(&self) -> Vec<u64> {
            let mut numbers = Vec::new();
            while let Ok(chunk) = self.ring.full_out.try_recv() {
                numbers.extend(chunk.records().map(|record| number(record.value)));
                self.ring.empty_in.send(chunk).unwrap();
            }
            numbers
        }
    }

    fn number(value: &[u8]) -> u64 {
        u64::from_be_bytes(value.try_into().unwrap())
    }

    #[allow(clippy::unnecessary_wraps)]
    fn write(
        n: u64,
        chunk: &mut Chunk,
        due: Instant,
        timestamp_ms: i64,
    ) -> Result<(), &'static str> {
        chunk.push(due, timestamp_ms, None, |out| {
            out.extend_from_slice(&n.to_be_bytes());
        });
        Ok(())
    }

    fn count(count: u64) -> Limits {
        Limits {
            count: Some(count),
            deadline: None,
        }
    }

    #[test]
    fn exactly_the_wanted_count_is_generated_numbered_from_zero() {
        for wanted in [0, 1, 63, 64, 65, 5000] {
            let world = World::new();
            let generated = world.generator(Duration::ZERO, count(wanted)).run(write);
            assert_eq!(generated, wanted);
            assert_eq!(world.drain(), (0..wanted).collect::<Vec<_>>());
            assert_eq!(world.stop.reason(), Some(StopReason::Count));
            assert_eq!(world.stats.ledger(wanted).generated, wanted);
        }
    }

    #[test]
    fn what_cannot_be_encoded_is_counted_and_the_loop_goes_on() {
        let world = World::new();
        let generated = world
            .generator(Duration::ZERO, count(100))
            .run(|n, chunk, due, ms| {
                if n % 10 == 3 {
                    Err("odd shoe")
                } else {
                    write(n, chunk, due, ms)
                }
            });
        assert_eq!(generated, 90);
        assert_eq!(world.drain().len(), 90);
        let snapshot = world.stats.snapshot(world.start);
        assert_eq!(
            (snapshot.generated, snapshot.serialization_errors),
            (90, 10)
        );
    }

    #[test]
    fn a_waiting_generator_stops_at_once() {
        let world = World::new();
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                world
                    .generator(60 * 60 * 1000 * MS, Limits::default())
                    .run(write)
            });
            let first = world.ring.full_out.recv_timeout(FAR).unwrap();
            assert_eq!(first.len(), 1, "a record that is due leaves at once");
            world.stop.stop(StopReason::Failed);
            assert_eq!(thread.join().unwrap(), 1);
        });
        assert!(world.start.elapsed() < FAR);
    }

    #[test]
    fn a_blocked_generator_holds_nothing_and_stops_at_once() {
        let world = World::new();
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                world
                    .generator(Duration::ZERO, Limits::default())
                    .run(write)
            });
            let chunks = [(); 2].map(|()| world.ring.full_out.recv_timeout(FAR).unwrap());
            world.stop.stop(StopReason::Failed);
            let handed_over: usize = chunks.iter().map(Chunk::len).sum();
            assert_eq!(thread.join().unwrap(), handed_over as u64);
            assert_eq!(handed_over, 2 * CHUNK_RECORDS_MAX);
        });
        assert_eq!(
            world.stats.ledger(0).generated,
            2 * CHUNK_RECORDS_MAX as u64
        );
    }

    #[test]
    fn the_deadline_ends_a_waiting_and_a_blocked_generator() {
        for interval in [FAR, Duration::ZERO] {
            let world = World::new();
            let deadline = world.start + 20 * MS;
            let limits = Limits {
                count: None,
                deadline: Some(deadline),
            };
            assert!(world.generator(interval, limits).run(write) > 0);
            assert!(Instant::now() >= deadline && world.start.elapsed() < FAR);
            assert_eq!(world.stop.reason(), Some(StopReason::Duration));
        }
    }

    #[test]
    fn without_a_producer_nothing_counts_as_generated() {
        let World {
            start,
            stop,
            stats,
            errors,
            ring,
        } = World::new();
        drop(ring.full_out);
        let generator = Generator {
            schedule: Schedule::new(Duration::ZERO, start),
            limits: Limits::default(),
            full: ring.full_in,
            empty: ring.empty_out,
            stop: &stop,
            stats: &stats,
            errors: &errors,
        };
        assert_eq!(generator.run(write), 0);
        assert_eq!(stop.reason(), Some(StopReason::Failed));
        assert!(stats.ledger(0).adds_up());
    }

    /// Fills one chunk on a clock that gives `times` (milliseconds since the start) in turn, then stays at the last.
    fn fill_at(
        world: &World,
        interval: Duration,
        limits: Limits,
        times: &[u32],
    ) -> (Filled, Vec<(u64, Duration, i64)>) {
        let mut times = times.iter().copied();
        let mut ms = 0;
        let mut chunk = Chunk::with_capacity(1024);
        let clocks = || {
            ms = times.next().unwrap_or(ms);
            (world.start + ms * MS, i64::from(ms))
        };
        let filled = world
            .generator(interval, limits)
            .fill(&mut chunk, &mut 0, clocks, write);
        let records = chunk
            .records()
            .map(|r| (number(r.value), r.due - world.start, r.timestamp_ms))
            .collect();
        (filled, records)
    }

    #[test]
    fn a_burst_carries_the_times_at_which_its_messages_were_due() {
        let world = World::new();
        let (filled, records) = fill_at(&world, 10 * MS, Limits::default(), &[25, 31]);
        assert_eq!(filled, Filled::Wait(world.start + 40 * MS));
        let expected = [(0, 0, 25), (1, 10, 25), (2, 20, 25), (3, 30, 31)];
        assert_eq!(records, expected.map(|(n, due, made)| (n, due * MS, made)));
    }

    #[test]
    fn a_late_wake_up_at_the_deadline_still_produces_what_was_due_before_it() {
        let world = World::new();
        let limits = Limits {
            count: None,
            deadline: Some(world.start + 50 * MS),
        };
        let (filled, records) = fill_at(&world, 10 * MS, limits, &[58]);
        assert_eq!(filled, Filled::End(StopReason::Duration));
        assert_eq!(records.len(), 5, "due at 0, 10, 20, 30 and 40 ms");
        let (filled, records) = fill_at(&world, Duration::ZERO, limits, &[49, 50]);
        assert_eq!(filled, Filled::End(StopReason::Duration));
        assert_eq!(
            records.len(),
            CLOCK_RECORDS as usize,
            "at full speed nothing was due before"
        );
    }

    #[test]
    fn a_stop_is_seen_within_a_few_records() {
        let world = World::new();
        world.stop.stop(StopReason::Failed);
        let (filled, records) = fill_at(&world, Duration::ZERO, Limits::default(), &[0]);
        assert_eq!(
            (filled, records.len()),
            (Filled::End(StopReason::Failed), 0)
        );
    }
}
