//! The generator thread's body: what is due is encoded straight into a chunk, and the chunk is handed over when it is
//! full or when nothing more is due.
//!
//! Invariant: a record counts as generated exactly when the chunk that holds it has been handed over, and each number
//! from 0 on is tried once, in order. It never sleeps: it waits on channels with a deadline, and a stop wakes it at once.
//! It never waits while it holds records.
//!
//! Waiting ends late by what the system's timers allow (some 50 µs on Linux). All ticks that are due by then are produced
//! in one burst, so the mean interval stays exact however short it is. Where the interval is shorter than the
//! [step](step_within), it even waits for so many: to wake two threads costs more than to make a hundred records.

use std::convert::Infallible;
use std::fmt::Display;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, at, never, select};
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

/// The longest [step](step_within): records carry milliseconds, and a thousand wake-ups a second cost little.
pub const STEP_MAX: Duration = Duration::from_millis(1);

/// While it waits for room, the statistics learn so often for how long it has.
const BLOCKED_TOLD: Duration = Duration::from_millis(100);

/// How long records that are due may wait for those that are due next: a fifth of the linger, for which they wait anyway. Who
/// wants no linger wants no step either.
pub fn step_within(linger: Duration) -> Duration {
    (linger / 5).min(STEP_MAX)
}

/// What the generator works with. [`run`](Self::run) consumes it, and that `full` is dropped at the end is what tells the
/// producer that no more chunks come.
#[derive(Debug)]
pub struct Generator<'a> {
    /// When messages are due.
    pub schedule: Schedule,
    /// Messages that are due within so long are made together, when the last of them is due.
    pub step: Duration,
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
        // Nothing is due any more: nobody is behind.
        self.stats.set_schedule(self.schedule.skipped(), None);
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
                    Filled::Wait(due) if chunk.is_empty() => {
                        self.wait(self.wake_up(due))?;
                    }
                    filled => break filled,
                }
            };
            let records = chunk.len() as u64;
            if let Some(timestamp_ms) = chunk.last_timestamp_ms() {
                self.full.send(chunk).map_err(|_| StopReason::Failed)?;
                *handed_over += records;
                self.stats.add_generated(records, timestamp_ms);
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

    /// When to look again, if the next record is due at `due`: at the last one's time of those within a step.
    fn wake_up(&self, due: Instant) -> Instant {
        due + self.schedule.last_within(self.step)
    }

    /// Waits until the instant or the deadline, whichever comes first. To receive from the stop alone would spin and yield before
    /// it parks, which costs more than all else at a slow pace; `select!` of two channels parks at once.
    fn wait(&self, until: Instant) -> Result<(), StopReason> {
        let until = self
            .limits
            .deadline
            .map_or(until, |deadline| deadline.min(until));
        let nothing = never::<Infallible>();
        select! {
            recv(self.stop.receiver()) -> _ => Err(self.stopped()),
            recv(nothing) -> _ => Ok(()),
            default(until.saturating_duration_since(Instant::now())) => Ok(()),
        }
    }

    fn chunk_to_fill(&self, deadline: &Receiver<Instant>) -> Result<Chunk, StopReason> {
        match self.empty.try_recv() {
            Ok(chunk) => return Ok(chunk),
            Err(TryRecvError::Disconnected) => return Err(StopReason::Failed),
            Err(TryRecvError::Empty) => (),
        }
        let mut told = Instant::now();
        loop {
            let chunk = select! {
                recv(self.empty) -> chunk => Some(chunk.map_err(|_| StopReason::Failed)),
                recv(self.stop.receiver()) -> _ => Some(Err(self.stopped())),
                recv(deadline) -> _ => Some(Err(StopReason::Duration)),
                default(BLOCKED_TOLD) => None,
            };
            let now = Instant::now();
            self.stats.add_generator_blocked(now - told);
            told = now;
            if let Some(chunk) = chunk {
                return chunk;
            }
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
mod tests;
