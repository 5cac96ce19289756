//! What those who look at a run from outside get to see: gathered when they ask, from counters that are read and from the producer
//! thread, which is asked.
//!
//! That it answers is also the proof that it lives. Invariant: however many look, and however often, the producer thread is asked
//! at most once in [`FRESH`], and whoever asks waits for [`PATIENCE`] at most; without an answer the last one is shown. It never
//! changes anything of the run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::shutdown::Stop;
use super::threads::Threads;
use crate::kafka::client::status::Status;
use crate::report::limit::{Behind, LimitedBy};
use crate::report::metrics::{self, LATENCY_BOUNDS_US};
use crate::report::process::Process;
use crate::report::repeat::ErrorSummary;
use crate::report::snapshot::{Interval, Snapshot};
use crate::report::stats::Stats;
use crate::report::status;
use crate::report::text::rounded;
use crate::report::view::{Facts, Latencies, Readiness, State, View};

/// For how long an answer of the producer thread is shown again.
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
    facts: Facts,
    begun: Instant,
    stop: Stop,
    ended: AtomicBool,
    stats: Arc<Stats>,
    errors: Arc<ErrorSummary>,
    threads: Threads,
    questions: Sender<Question>,
    fresh: Duration,
    patience: Duration,
    stuck: Duration,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    inside: Inside,
    asked: Option<Instant>,
    /// Since when no question was answered.
    unanswered_since: Option<Instant>,
    lately: Lately,
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
        stop: Stop,
        stats: Arc<Stats>,
        errors: Arc<ErrorSummary>,
        threads: Threads,
    ) -> (Self, Receiver<Question>) {
        let (questions, asked) = bounded(1);
        let watch = Self {
            facts,
            begun: Instant::now(),
            stop,
            ended: AtomicBool::new(false),
            stats,
            errors,
            threads,
            questions,
            fresh: FRESH,
            patience: PATIENCE,
            stuck: STUCK,
            seen: Mutex::default(),
        };
        (watch, asked)
    }

    /// The producer thread has ended, and this is the last that it knew.
    pub(super) fn last_seen(&self, client: Status) {
        self.lock().inside = Inside {
            client,
            channel_chunks: 0,
        };
    }

    /// The books are closed.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// For Prometheus.
    pub(super) fn metrics(&self) -> String {
        metrics::exposition(&self.view())
    }

    /// For the page.
    pub(super) fn status(&self) -> String {
        status::json(&self.view())
    }

    /// Whether the threads run; why not, if they do not.
    ///
    /// # Errors
    /// One line: it had better be started anew.
    pub(super) fn health(&self) -> Result<(), String> {
        if let Some(thread) = self.threads.panicked() {
            return Err(format!("the thread {thread} broke down"));
        }
        let now = Instant::now();
        let unanswered_since = self.ask(now).unanswered_since;
        match unanswered_since.map(|since| now.saturating_duration_since(since)) {
            Some(stuck) if stuck >= self.stuck => {
                let stuck = rounded(stuck);
                Err(format!("the producer thread has not answered for {stuck}"))
            }
            _ => Ok(()),
        }
    }

    /// Whether messages arrive.
    pub(super) fn readiness(&self) -> Readiness {
        let last = self.stats.last_acknowledged_at();
        let ago = last.map(|at| at.elapsed());
        Readiness::of(self.state(), ago, self.facts.interval)
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

    fn view(&self) -> View<'_> {
        let now = Instant::now();
        let Inside {
            client,
            channel_chunks,
        } = self.ask(now).inside.clone();
        let (at_most, count, sum_us) = self.stats.latency_buckets(&LATENCY_BOUNDS_US);
        let (warnings, errors) = self.errors.troubles().totals();
        let counts = self.stats.counters(now);
        let limited_by = self.limited_by(&counts);
        View {
            facts: &self.facts,
            state: self.state(),
            readiness: self.readiness(),
            uptime: now.saturating_duration_since(self.begun),
            counts,
            failures: self.stats.failures(),
            latencies: Latencies {
                at_most,
                count,
                sum_us,
            },
            limited_by,
            client,
            channel_chunks,
            troubles: self.errors.troubles().latest(now),
            warnings,
            errors,
            process: Process::now(),
        }
    }

    /// What is the limit of late, where there is one: at full speed always, else while the schedule is not kept.
    fn limited_by(&self, counts: &Snapshot) -> Option<&'static str> {
        let interval = self.lock().lately.up_to(counts);
        let pace = self.facts.interval;
        let limit = if pace.is_zero() {
            (interval.time >= LATELY).then(|| LimitedBy::of(&interval))
        } else {
            Behind::seen(counts, &interval, pace).map(|behind| behind.limit)
        };
        limit.map(LimitedBy::name)
    }

    /// What the producer thread says, or said last.
    fn ask(&self, now: Instant) -> MutexGuard<'_, Seen> {
        let mut seen = self.lock();
        let pause = match seen.unanswered_since {
            None => self.fresh,
            Some(_) => self.patience,
        };
        let is_fresh = seen
            .asked
            .is_some_and(|at| now.saturating_duration_since(at) < pause);
        if !self.threads.is_running("producer") {
            // Nobody to wait for: not yet there, or gone.
            seen.unanswered_since = None;
            return seen;
        }
        if is_fresh {
            return seen;
        }
        let (answer_in, answer) = bounded(1);
        let answered = self
            .questions
            .send_timeout(answer_in, self.patience)
            .is_ok();
        match answer.recv_timeout(self.patience) {
            Ok(inside) if answered => {
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
        seen
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const FAR: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(20);

    fn watch() -> (Watch, Receiver<Question>, Threads, Stop) {
        let (threads, stop) = (Threads::default(), Stop::new());
        let facts = Facts {
            cluster: "localhost:9092".to_owned(),
            topic: "js_shoe".to_owned(),
            registry: "http://localhost:8081".to_owned(),
            seed: 42,
            instance_id: 0,
            started_ms: 0,
            interval: Duration::from_secs(1),
            count_limit: None,
            duration_limit: None,
            buffer_limit: 1,
        };
        let stats = Arc::new(Stats::new(Instant::now()).unwrap());
        let errors = Arc::new(ErrorSummary::new());
        let (mut watch, questions) =
            Watch::new(facts, stop.clone(), stats, errors, threads.clone());
        (watch.patience, watch.stuck) = (SHORT, Duration::ZERO);
        (watch, questions, threads, stop)
    }

    /// Runs `look` while a thread `producer` does what `body` says.
    fn while_producing<T>(
        threads: &Threads,
        stop: &Stop,
        body: impl FnOnce() + Send,
        look: impl FnOnce() -> T,
    ) -> T {
        thread::scope(|scope| {
            let (begun_in, begun) = bounded(1);
            scope.spawn(move || {
                threads.run("producer", stop, || {
                    begun_in.send(()).unwrap();
                    body();
                });
            });
            begun.recv_timeout(FAR).unwrap();
            look()
        })
    }

    #[test]
    fn who_looks_before_the_producer_is_there_sees_nothing_and_does_not_wait_for_it() {
        let (watch, questions, ..) = watch();
        assert!(watch.status().contains("\"state\":\"starting\""));
        assert_eq!(watch.health(), Ok(()));
        assert!(questions.is_empty());
    }

    #[test]
    fn many_who_look_at_once_ask_once() {
        let (mut watch, questions, threads, stop) = watch();
        (watch.fresh, watch.patience) = (FAR, FAR);
        let asked = while_producing(
            &threads,
            &stop,
            || {
                let mut asked = 0;
                for question in questions {
                    asked += 1;
                    let channel_chunks = 3;
                    let client = Status::default();
                    let _ = question.send(Inside {
                        client,
                        channel_chunks,
                    });
                }
                assert_eq!(asked, 1);
            },
            || {
                let statuses: Vec<String> = thread::scope(|scope| {
                    let watch = &watch;
                    let looks: Vec<_> = (0..8)
                        .map(|_| scope.spawn(move || watch.status()))
                        .collect();
                    looks.into_iter().map(|look| look.join().unwrap()).collect()
                });
                drop(watch);
                statuses
            },
        );
        assert!(
            asked
                .iter()
                .all(|status| status.contains("\"channel_chunks\":3"))
        );
    }

    #[test]
    fn a_producer_that_does_not_answer_is_stuck_and_one_that_has_ended_is_not() {
        let (watch, questions, threads, stop) = watch();
        let (end, ended) = bounded::<()>(0);
        while_producing(
            &threads,
            &stop,
            move || {
                let _ = ended.recv();
                drop(questions);
            },
            || {
                let health = watch.health();
                let error = health.unwrap_err();
                assert!(
                    error.starts_with("the producer thread has not answered"),
                    "{error}"
                );
                drop(end);
            },
        );
        assert_eq!(watch.health(), Ok(()));
        assert_eq!(threads.panicked(), None);
    }

    #[test]
    fn what_is_the_limit_is_judged_by_the_last_seconds_and_not_by_the_whole_run() {
        let at = |seconds: u32, blocked: u32| Snapshot {
            runtime: seconds * Duration::from_secs(1),
            generator_blocked: blocked * Duration::from_secs(1),
            ..Snapshot::default()
        };
        let mut lately = Lately::default();
        let mut blocked = |seconds, blocked| {
            let interval = lately.up_to(&at(seconds, blocked));
            (
                interval.time.as_secs(),
                interval.generator_blocked.as_secs(),
            )
        };
        assert_eq!(blocked(1, 1), (1, 1));
        assert_eq!(blocked(5, 5), (5, 5));
        assert_eq!(blocked(9, 5), (9, 5));
        assert_eq!(blocked(10, 5), (5, 0));
        assert_eq!(blocked(14, 5), (9, 0));
        assert_eq!(blocked(60, 6), (50, 1));
    }

    #[test]
    fn a_thread_that_broke_down_is_the_end_of_health() {
        let (watch, _questions, threads, stop) = watch();
        let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            threads.run("generator", &stop, || panic!("on purpose"));
        }));
        assert!(broken.is_err());
        assert_eq!(
            watch.health(),
            Err("the thread generator broke down".to_owned())
        );
    }
}
