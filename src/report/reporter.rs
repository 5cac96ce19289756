//! The thread `stats`: every interval it prints the statistics line and sums up repeated errors.
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
use log::{Level, log};

use super::repeat::ErrorSummary;
use super::stats::Stats;
use super::text::stats_line;

/// How often repeated errors are summed up where no statistics line is wanted.
pub const SUMMARY_INTERVAL: Duration = Duration::from_secs(10);

/// The running thread.
#[derive(Debug)]
pub struct Reporter {
    running: Sender<Infallible>,
    thread: JoinHandle<Instant>,
}

impl Reporter {
    /// Starts the thread. The first line comes one interval after `stats` began to count; with `None` none ever comes.
    ///
    /// # Errors
    /// The system allows no thread.
    pub fn start(
        stats: Arc<Stats>,
        errors: Arc<ErrorSummary>,
        interval: Option<Duration>,
    ) -> io::Result<Self> {
        Self::start_with(stats, errors, interval, |level, line| log!(level, "{line}"))
    }

    fn start_with(
        stats: Arc<Stats>,
        errors: Arc<ErrorSummary>,
        interval: Option<Duration>,
        mut print: impl FnMut(Level, &str) + Send + 'static,
    ) -> io::Result<Self> {
        let (running, stopped) = bounded(1);
        let thread = thread::Builder::new()
            .name("stats".to_owned())
            .spawn(move || report(&stats, &errors, interval, &stopped, &mut print))?;
        Ok(Self { running, thread })
    }

    /// Ends the thread. Returns when it last summed up.
    ///
    /// # Errors
    /// What the thread panicked with.
    pub fn join(self) -> thread::Result<Instant> {
        drop(self.running);
        self.thread.join()
    }
}

fn report(
    stats: &Stats,
    errors: &ErrorSummary,
    interval: Option<Duration>,
    stopped: &Receiver<Infallible>,
    print: &mut impl FnMut(Level, &str),
) -> Instant {
    let period = interval.unwrap_or(SUMMARY_INTERVAL);
    let mut last = stats.start();
    loop {
        let due = next_due(stats.start(), period, last);
        let ended = match due {
            Some(due) => stopped.recv_deadline(due) == Err(RecvTimeoutError::Disconnected),
            None => stopped.recv().is_err(),
        };
        if ended {
            return last;
        }
        let now = Instant::now();
        if interval.is_some() {
            print(Level::Info, &stats_line(&stats.snapshot(now)));
        }
        for (level, line) in errors.sum_up(now.saturating_duration_since(last)) {
            print(level, &line);
        }
        last = now;
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
    ) -> (Reporter, Receiver<(Level, String)>, Arc<Stats>) {
        let (lines_in, lines) = bounded(100);
        let stats = Arc::new(Stats::new(Instant::now()).unwrap());
        let reporter = Reporter::start_with(
            Arc::clone(&stats),
            Arc::clone(errors),
            interval,
            move |level, line| {
                let _ = lines_in.try_send((level, line.to_owned()));
            },
        );
        (reporter.unwrap(), lines, stats)
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
            let (level, line) = lines.recv_timeout(60 * SECOND).unwrap();
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
            let told: Vec<&str> = left.iter().map(|(_, line)| line.as_str()).collect();
            assert_eq!(told, ["⚠️ it failed (repeated 1 more time in the last 1s)"]);
            assert!(stats.start().elapsed() < 60 * SECOND);
        }
    }
}
