//! What those who look at a run from outside get to see: gathered when they ask, from counters that are read and from the producer
//! thread, which is asked.
//!
//! That it answers is also the proof that it lives. Invariant: however many look, and however often, it is gathered at most once in
//! [`FRESH`], and whoever asks waits for [`PATIENCE`] at most, beside those who asked before; without an answer the last one is shown.
//! It never changes anything of the run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::END_MAX;
use super::shutdown::Stop;
use super::threads::Threads;
use crate::kafka::client::status::Status;
use crate::monitor::{Shown, Verdict};
use crate::report::limit::{Behind, LimitedBy};
use crate::report::metrics::{self, LATENCY_BOUNDS_US};
use crate::report::process::Process;
use crate::report::repeat::ErrorSummary;
use crate::report::snapshot::{Interval, Snapshot};
use crate::report::stats::Stats;
use crate::report::status;
use crate::report::text::rounded;
use crate::report::view::{Awaited, Facts, Readiness, State, View};

/// For how long what was gathered is shown again.
const FRESH: Duration = Duration::from_millis(100);
/// How long an answer is waited for, and after none came, how long until the next question.
const PATIENCE: Duration = Duration::from_secs(1);
/// A producer thread that has not answered for so long is stuck: nothing that it does takes a hundredth of it.
const STUCK: Duration = Duration::from_secs(10);
/// How far back it is looked for what is the limit.
const LATELY: Duration = Duration::from_secs(5);

/// What the producer thread is asked: to send this.
pub(super) type Question = Sender<Inside>;

/// What only the producer thread knows.
#[derive(Debug, Clone, Default)]
pub(super) struct Inside {
    pub(super) client: Status,
    /// Chunks that wait for it.
    pub(super) channel_chunks: usize,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Watch {
    facts: Arc<Facts>,
    begun: Instant,
    stop: Stop,
    ended: AtomicBool,
    stats: Arc<Stats>,
    errors: Arc<ErrorSummary>,
    threads: Threads,
    /// How long after a thread broke down the run has to end by itself.
    leeway: Duration,
    questions: Sender<Question>,
    times: Times,
    awaited: Mutex<Awaited>,
    seen: Mutex<Seen>,
}

/// [`FRESH`], [`PATIENCE`] and [`STUCK`], unless a test says otherwise.
#[derive(Debug, Clone, Copy)]
struct Times {
    fresh: Duration,
    patience: Duration,
    stuck: Duration,
}

#[derive(Debug, Default)]
struct Seen {
    inside: Inside,
    asked: Option<Instant>,
    /// Since when no question was answered.
    unanswered_since: Option<Instant>,
    gathered: Option<(Instant, Arc<Gathered>)>,
    lately: Lately,
}

/// All that there is to see at one moment, and how it is written, once somebody wants that.
#[derive(Debug)]
struct Gathered {
    view: View,
    metrics: OnceLock<String>,
    status: OnceLock<String>,
}

/// What the counters were some seconds ago, as far as somebody looked.
#[derive(Debug, Default)]
struct Lately {
    older: Snapshot,
    newer: Snapshot,
}

impl Lately {
    /// What has happened in the last one or two times [`LATELY`], or since the last look if that is longer ago.
    fn up_to(&mut self, counts: &Snapshot) -> Interval {
        if counts.runtime < self.newer.runtime {
            // The loop has begun, and its time with it.
            *self = Self::default();
        }
        if counts.runtime.saturating_sub(self.newer.runtime) >= LATELY {
            self.older = std::mem::replace(&mut self.newer, counts.clone());
        }
        Interval::between(&self.older, counts)
    }
}

impl Watch {
    /// The second is where the producer thread finds its questions.
    pub(super) fn new(
        facts: Facts,
        shutdown_timeout: Duration,
        stop: Stop,
        stats: Arc<Stats>,
        errors: Arc<ErrorSummary>,
        threads: Threads,
    ) -> (Self, Receiver<Question>) {
        let (questions, asked) = bounded(1);
        let watch = Self {
            facts: Arc::new(facts),
            begun: Instant::now(),
            stop,
            ended: AtomicBool::new(false),
            stats,
            errors,
            threads,
            leeway: shutdown_timeout.saturating_add(END_MAX),
            questions,
            times: Times {
                fresh: FRESH,
                patience: PATIENCE,
                stuck: STUCK,
            },
            awaited: Mutex::default(),
            seen: Mutex::default(),
        };
        (watch, asked)
    }

    /// What the start waits for from now on.
    pub(super) fn awaits(&self, awaited: Awaited) {
        *self.awaited.lock().unwrap_or_else(PoisonError::into_inner) = awaited;
    }

    /// The producer thread has ended, and this is the last that it knew.
    pub(super) fn last_seen(&self, client: Status) {
        let mut seen = self.lock();
        seen.gathered = None;
        seen.inside = Inside {
            client,
            channel_chunks: 0,
        };
    }

    /// The books are closed.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether the threads run. One that broke down has stopped the run, which may deliver what is left: that is well until it takes
    /// longer than it may.
    ///
    /// # Errors
    /// One line: the process had better be started anew.
    pub(super) fn alive(&self) -> Result<(), String> {
        if let Some((thread, at)) = self.threads.panicked()
            && at.elapsed() >= self.leeway
        {
            return Err(format!(
                "the thread {thread} broke down, and the run does not end"
            ));
        }
        let mut seen = self.lock();
        let now = Instant::now();
        self.ask(&mut seen, now);
        match seen
            .unanswered_since
            .map(|since| now.saturating_duration_since(since))
        {
            Some(stuck) if stuck >= self.times.stuck => {
                let stuck = rounded(stuck);
                Err(format!("the producer thread has not answered for {stuck}"))
            }
            _ => Ok(()),
        }
    }

    fn how_ready(&self) -> Readiness {
        let last = self.stats.last_acknowledged_at();
        let ago = last.map(|at| at.elapsed());
        let awaited = *self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        Readiness::of(self.state(), awaited, ago, self.facts.interval)
    }

    fn state(&self) -> State {
        if self.ended.load(Ordering::Relaxed) {
            State::Ended
        } else if self.stop.is_stopped() {
            State::Stopping
        } else if self.stats.has_begun() {
            State::Producing
        } else {
            State::Starting
        }
    }

    fn gathered(&self) -> Arc<Gathered> {
        let mut seen = self.lock();
        let (now, state) = (Instant::now(), self.state());
        if let Some((at, gathered)) = &seen.gathered
            && now.saturating_duration_since(*at) < self.times.fresh
            && gathered.view.state == state
        {
            return Arc::clone(gathered);
        }
        self.ask(&mut seen, now);
        let gathered = Arc::new(Gathered {
            view: self.view(&mut seen, state),
            metrics: OnceLock::new(),
            status: OnceLock::new(),
        });
        seen.gathered = Some((Instant::now(), Arc::clone(&gathered)));
        gathered
    }

    fn view(&self, seen: &mut Seen, state: State) -> View {
        let now = Instant::now();
        let Inside {
            client,
            channel_chunks,
        } = seen.inside.clone();
        let (warnings, errors) = self.errors.totals();
        let counts = self.stats.counters(now);
        View {
            facts: Arc::clone(&self.facts),
            state,
            readiness: self.how_ready(),
            uptime: now.saturating_duration_since(self.begun),
            failures: self.stats.failures(),
            latencies: self.stats.latencies(&LATENCY_BOUNDS_US),
            limited_by: self.limited_by(&mut seen.lately, state, &counts),
            counts,
            client,
            channel_chunks,
            troubles: self.errors.latest(now),
            warnings,
            errors,
            process: Process::now(),
        }
    }

    /// What is the limit of late, where there is one: at full speed always, else while the schedule is not kept.
    fn limited_by(
        &self,
        lately: &mut Lately,
        state: State,
        counts: &Snapshot,
    ) -> Option<&'static str> {
        if state != State::Producing {
            return None;
        }
        let interval = lately.up_to(counts);
        let pace = self.facts.interval;
        let limit = if pace.is_zero() {
            (interval.time >= LATELY).then(|| LimitedBy::of(&interval))
        } else {
            Behind::seen(counts, &interval, pace).map(|behind| behind.limit)
        };
        limit.map(LimitedBy::name)
    }

    /// What the producer thread says, or said last.
    fn ask(&self, seen: &mut Seen, now: Instant) {
        if !self.threads.is_running("producer") {
            // Nobody to wait for: not yet there, or gone.
            seen.unanswered_since = None;
            return;
        }
        let pause = match seen.unanswered_since {
            None => self.times.fresh,
            Some(_) => self.times.patience,
        };
        if seen
            .asked
            .is_some_and(|at| now.saturating_duration_since(at) < pause)
        {
            return;
        }
        let deadline = now + self.times.patience;
        let (answer_in, answer) = bounded(1);
        let asked = self.questions.send_deadline(answer_in, deadline).is_ok();
        match answer.recv_deadline(deadline) {
            Ok(inside) if asked => {
                seen.inside = inside;
                seen.unanswered_since = None;
            }
            // It may have ended in between: then there is nobody to wait for.
            _ if !self.threads.is_running("producer") => seen.unanswered_since = None,
            _ => {
                seen.unanswered_since.get_or_insert(now);
            }
        }
        seen.asked = Some(Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown for Watch {
    fn metrics(&self) -> String {
        let gathered = self.gathered();
        let text = gathered
            .metrics
            .get_or_init(|| metrics::exposition(&gathered.view));
        text.clone()
    }

    fn status(&self) -> String {
        let gathered = self.gathered();
        let text = gathered.status.get_or_init(|| status::json(&gathered.view));
        text.clone()
    }

    fn health(&self) -> Verdict {
        let alive = self.alive();
        Verdict {
            good: alive.is_ok(),
            text: alive.err().unwrap_or_else(|| "the threads run".to_owned()),
        }
    }

    fn readiness(&self) -> Verdict {
        let Readiness { ready, reason } = self.how_ready();
        Verdict {
            good: ready,
            text: reason,
        }
    }
}

#[cfg(test)]
mod tests;
