//! The thread `stats`: every interval it prints the statistics line, says of a schedule that is not kept what is the limit, and
//! sums up repeated errors. On a terminal it refreshes the live line.
//!
//! Its deadlines are absolute, so the lines stay on whole intervals since the start; one that comes too late is left out
//! rather than printed in a hurry. It waits on a channel whose sender is dropped to end it, and says then up to when it has
//! summed up: what came later is its owner's to tell, with what the end of the run brings. It only reads the counters.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use log::Level;

use super::figures::{stats_event, stats_line};
use super::limit::Behind;
use super::log::tell;
use super::progress::Progress;
use super::repeat::{ErrorSummary, Told};
use super::screen;
use super::snapshot::{Interval, Snapshot};
use super::stats::Stats;
use crate::settings::Common;

/// How often repeated errors are summed up where no statistics line is wanted.
pub const SUMMARY_INTERVAL: Duration = Duration::from_secs(10);

/// How often the live line is drawn anew.
const REFRESH: Duration = Duration::from_secs(1);

/// The running thread.
#[derive(Debug)]
pub struct Reporter {
    running: Sender<Infallible>,
    thread: JoinHandle<Instant>,
}

impl Reporter {
    /// Starts the thread, which drops `watched` when it ends. The first line comes one statistics interval after `stats` began to count; without one none ever comes.
    ///
    /// # Errors
    /// The system allows no thread.
    pub fn start(
        stats: Arc<Stats>,
        errors: Arc<ErrorSummary>,
        common: &Common,
        watched: impl Send + 'static,
    ) -> io::Result<Self> {
        let is_live = common.stats_interval.is_some() && screen::is_enabled();
        let telling = Telling {
            stats,
            errors,
            interval: common.stats_interval,
            pace: common.interval,
            live: is_live.then(|| Progress::new(common.count, common.duration, common.interval)),
        };
        Self::start_with(telling, watched, |(level, event, line)| {
            tell(level, &event, line);
        })
    }

    fn start_with(
        telling: Telling,
        watched: impl Send + 'static,
        mut print: impl FnMut(Told) + Send + 'static,
    ) -> io::Result<Self> {
        let (running, stopped) = bounded(1);
        let thread = thread::Builder::new()
            .name("stats".to_owned())
            .spawn(move || {
                let _watched = watched;
                telling.report(&stopped, &mut print)
            })?;
        Ok(Self { running, thread })
    }

    /// Ends the thread, and the live line with it. Returns when it last summed up.
    ///
    /// # Errors
    /// What the thread panicked with.
    pub fn join(self) -> thread::Result<Instant> {
        drop(self.running);
        self.thread.join()
    }
}

/// What the thread looks at, and how often it tells.
struct Telling {
    stats: Arc<Stats>,
    errors: Arc<ErrorSummary>,
    interval: Option<Duration>,
    /// Time between messages.
    pace: Duration,
    live: Option<Progress>,
}

impl Telling {
    fn report(mut self, stopped: &Receiver<Infallible>, print: &mut impl FnMut(Told)) -> Instant {
        let period = self.interval.unwrap_or(SUMMARY_INTERVAL);
        let mut last = self.stats.start();
        let mut before = Snapshot::default();
        while self.wait(next_due(self.stats.start(), period, last), stopped) {
            let now = Instant::now();
            let snapshot = self.stats.snapshot(now);
            let interval = Interval::between(&before, &snapshot);
            if self.interval.is_some() {
                let event = stats_event(&snapshot, &interval);
                print((Level::Info, event, stats_line(&snapshot, &interval)));
            }
            if let Some(told) = self.not_kept(&snapshot, &interval) {
                print(told);
            }
            for told in self.errors.sum_up(now.saturating_duration_since(last)) {
                print(told);
            }
            before = snapshot;
            last = now;
        }
        if self.live.is_some() {
            screen::close();
        }
        last
    }

    /// What there is to say of a schedule that is not kept, unless it was said before.
    fn not_kept(&self, snapshot: &Snapshot, interval: &Interval) -> Option<Told> {
        let behind = Behind::seen(snapshot, interval, self.pace)?;
        let message = behind.to_string();
        let (level, event, line) = self.errors.lasts(Level::Warn, &behind.kind(), &message)?;
        let event = event
            .text("limited_by", behind.limit.name())
            .seconds("behind_seconds", snapshot.behind)
            .count("skipped", interval.skipped);
        Some((level, event, line))
    }

    /// Waits until `due`, and keeps the live line fresh meanwhile. `false`: ended.
    fn wait(&mut self, due: Option<Instant>, stopped: &Receiver<Infallible>) -> bool {
        loop {
            let now = Instant::now();
            let refresh = self.live.as_mut().and_then(|progress| {
                screen::show(&progress.line(&self.stats.counters(now)));
                next_due(self.stats.start(), REFRESH, now)
            });
            let is_over = match [due, refresh].into_iter().flatten().min() {
                Some(until) => stopped.recv_deadline(until) == Err(RecvTimeoutError::Disconnected),
                None => stopped.recv().is_err(),
            };
            if is_over {
                return false;
            }
            if due.is_some_and(|due| due <= Instant::now()) {
                return true;
            }
        }
    }
}

/// The first multiple of `period` after `start` that lies after `now`; `None`: later than clocks can tell.
fn next_due(start: Instant, period: Duration, now: Instant) -> Option<Instant> {
    let period_ns = period.as_nanos().max(1);
    let periods = now.saturating_duration_since(start).as_nanos() / period_ns + 1;
    let since_start = u64::try_from(periods.checked_mul(period_ns)?).ok()?;
    start.checked_add(Duration::from_nanos(since_start))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn start(
        interval: Option<Duration>,
        errors: &Arc<ErrorSummary>,
    ) -> (Reporter, Receiver<Told>, Arc<Stats>) {
        let (lines_in, lines) = bounded(100);
        let stats = Arc::new(Stats::new(Instant::now()).unwrap());
        let telling = Telling {
            stats: Arc::clone(&stats),
            errors: Arc::clone(errors),
            interval,
            pace: SECOND,
            live: None,
        };
        let reporter = Reporter::start_with(telling, (), move |told| {
            let _ = lines_in.try_send(told);
        });
        (reporter.unwrap(), lines, stats)
    }

    #[test]
    fn a_schedule_that_is_not_kept_is_warned_of_once_with_what_is_the_limit() {
        let errors = Arc::<ErrorSummary>::default();
        let (reporter, lines, stats) = start(Some(Duration::from_millis(1)), &errors);
        stats.set_schedule(3, stats.start().checked_sub(60 * SECOND));
        let mut told = std::iter::from_fn(|| lines.recv_timeout(60 * SECOND).ok());
        let warning = told.find(|told| told.0 == Level::Warn).unwrap();
        assert!(warning.2.starts_with("⚠️ behind schedule"), "{}", warning.2);
        let later: Vec<Told> = told.take(5).collect();
        assert!(later.iter().all(|told| told.0 == Level::Info), "{later:?}");
        reporter.join().unwrap();
    }

    #[test]
    fn lines_stay_on_whole_intervals_since_the_start() {
        let start = Instant::now();
        let due = |ms| {
            next_due(start, 10 * SECOND, start + Duration::from_millis(ms)).map(|due| due - start)
        };
        assert_eq!(due(0), Some(10 * SECOND));
        assert_eq!(due(9_999), Some(10 * SECOND));
        assert_eq!(due(10_000), Some(20 * SECOND));
        assert_eq!(due(10_060), Some(20 * SECOND));
        assert_eq!(due(57_000), Some(60 * SECOND));
        assert_eq!(next_due(start, Duration::MAX, start), None);
    }

    #[test]
    fn statistics_lines_come_until_it_is_ended() {
        let (reporter, lines, _stats) = start(Some(Duration::from_millis(1)), &Arc::default());
        for _ in 0..3 {
            let (level, _, line) = lines.recv_timeout(60 * SECOND).unwrap();
            assert_eq!(level, Level::Info);
            assert!(
                line.starts_with("📊 Stats: Produced=0, Errors=0, "),
                "{line}"
            );
        }
        reporter.join().unwrap();
    }

    #[test]
    fn a_reporter_without_lines_ends_at_once_and_leaves_what_repeated_to_its_owner() {
        for interval in [None, Some(3600 * SECOND), Some(Duration::MAX)] {
            let errors = Arc::<ErrorSummary>::default();
            errors.report(Level::Warn, "kind", "it failed");
            errors.report(Level::Warn, "kind", "it failed");
            let (reporter, lines, stats) = start(interval, &errors);
            let summed_up = reporter.join().unwrap();
            assert_eq!(summed_up, stats.start());
            assert_eq!(lines.iter().next(), None);
            let left = errors.sum_up(SECOND);
            let told: Vec<&str> = left.iter().map(|told| told.2.as_str()).collect();
            assert_eq!(told, ["⚠️ it failed (repeated 1 more time in the last 1s)"]);
            assert!(stats.start().elapsed() < 60 * SECOND);
        }
    }
}
