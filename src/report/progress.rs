//! The live line of a terminal: how far a run is, how fast, and when it will be done.
//!
//! The rate is that of the last seconds, so that it follows what happens; the percentage counts messages whose fate is known. Pure:
//! it is asked once a second with the counters and gives a line, which [`screen`](super::screen) shows. The line asks for no
//! width: what matters most comes first, and a narrow terminal cuts the rest off.

use std::collections::VecDeque;
use std::time::Duration;

use super::snapshot::Snapshot;
use super::text::{grouped, rounded};

/// Looks that the rate is taken over.
const LOOKS: usize = 10;
const BAR_CELLS: u32 = 20;

/// What is known of a run's course.
#[derive(Debug)]
pub(super) struct Progress {
    count: Option<u64>,
    duration: Option<Duration>,
    /// Time between messages; zero: full speed.
    interval: Duration,
    /// Runtime and acknowledged messages at the last looks.
    looks: VecDeque<(Duration, u64)>,
}

impl Progress {
    /// Of a run that ends after so many messages or so long, if it does.
    pub(super) fn new(count: Option<u64>, duration: Option<Duration>, interval: Duration) -> Self {
        Self {
            count,
            duration,
            interval,
            looks: VecDeque::from([(Duration::ZERO, 0)]),
        }
    }

    /// What to show now.
    pub(super) fn line(&mut self, now: &Snapshot) -> String {
        if self.looks.len() > LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back((now.runtime, now.acknowledged));
        let rate = self.rate();
        let errors = match now.errors() {
            0 => "no errors".to_owned(),
            1 => "1 error".to_owned(),
            many => format!("{} errors", grouped(many)),
        };
        let mut parts = Vec::new();
        if let Some((done, left)) = self.goal(now, rate) {
            let left = left.map_or_else(|| "unknown".to_owned(), whole_seconds);
            parts.push(format!("{} ETA {left}", bar(done)));
        }
        let produced = grouped(now.acknowledged);
        parts.push(match self.count {
            Some(count) => format!("{produced} of {}", grouped(count)),
            None => format!("{produced} produced"),
        });
        parts.push(format!("{rate:.1} msgs/sec"));
        parts.push(errors);
        parts.push(rounded(now.runtime));
        format!("⏳ {}", parts.join(" · "))
    }

    /// How long so many messages will take: as long as of late, but no less than is `scheduled`. Where none arrived of late, the
    /// schedule alone says it, unless some should have arrived.
    fn time_for(&self, left: u64, rate: f64, scheduled: Duration) -> Option<Duration> {
        match Duration::try_from_secs_f64(float(left) / rate) {
            Ok(at_this_rate) => Some(at_this_rate.max(scheduled)),
            Err(_) if self.interval.saturating_mul(2) > self.looked_at() => Some(scheduled),
            Err(_) => None,
        }
    }

    /// Until the last message is due. The first one was at the start; for each that was skipped one more comes at the end.
    fn scheduled(&self, count: u64, now: &Snapshot) -> Duration {
        let intervals = count.saturating_add(now.skipped).saturating_sub(1);
        let last = self.interval.as_nanos().saturating_mul(intervals.into());
        let last = Duration::from_nanos(u64::try_from(last).unwrap_or(u64::MAX));
        last.saturating_sub(now.runtime)
    }

    /// The time that the rate is taken over.
    fn looked_at(&self) -> Duration {
        match (self.looks.front(), self.looks.back()) {
            (Some(first), Some(last)) => last.0.saturating_sub(first.0),
            _ => Duration::ZERO,
        }
    }

    /// Acknowledged messages a second, lately.
    fn rate(&self) -> f64 {
        let (Some(first), Some(last)) = (self.looks.front(), self.looks.back()) else {
            return 0.0;
        };
        let seconds = self.looked_at().as_secs_f64();
        let acknowledged = float(last.1.saturating_sub(first.1));
        if seconds > 0.0 {
            acknowledged / seconds
        } else {
            0.0
        }
    }

    /// How far it is to whichever limit will be reached first, and how long that will take, if that can be told.
    fn goal(&self, now: &Snapshot, rate: f64) -> Option<(f64, Option<Duration>)> {
        let settled = now.acknowledged.saturating_add(now.errors());
        let by_count = self.count.map(|count| {
            let left = match count.saturating_sub(settled) {
                0 => Some(Duration::ZERO),
                left => self.time_for(left, rate, self.scheduled(count, now)),
            };
            (share(float(settled), float(count)), left)
        });
        let by_time = self.duration.map(|duration| {
            let done = share(now.runtime.as_secs_f64(), duration.as_secs_f64());
            (done, Some(duration.saturating_sub(now.runtime)))
        });
        match (by_count, by_time) {
            (Some(count), Some(time)) if count.0 > time.0 => Some(count),
            (count, time) => time.or(count),
        }
    }
}

/// Rounded up: it is not there before it is.
fn whole_seconds(left: Duration) -> String {
    let started = u64::from(left.subsec_nanos() > 0);
    rounded(Duration::from_secs(left.as_secs().saturating_add(started)))
}

/// From 0 to 1.
fn share(done: f64, all: f64) -> f64 {
    if all > 0.0 {
        (done / all).clamp(0.0, 1.0)
    } else {
        1.0
    }
}

#[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
fn float(count: u64) -> f64 {
    count as f64
}

/// Rounded down: nothing is done before it is.
fn bar(share: f64) -> String {
    let full = (0..BAR_CELLS).filter(|cell| f64::from(cell + 1) <= share * f64::from(BAR_CELLS));
    let full = full.count();
    let empty = BAR_CELLS as usize - full;
    let percent = (share * 100.0).floor();
    format!("{percent:.0}% [{}{}]", "█".repeat(full), "░".repeat(empty))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL_SPEED: Duration = Duration::ZERO;

    fn at(ms: u64, acknowledged: u64) -> Snapshot {
        Snapshot {
            runtime: Duration::from_millis(ms),
            acknowledged,
            ..Snapshot::default()
        }
    }

    #[test]
    fn without_an_end_it_says_how_many_how_fast_and_for_how_long() {
        let mut progress = Progress::new(None, None, FULL_SPEED);
        assert_eq!(
            progress.line(&at(1000, 1000)),
            "⏳ 1,000 produced · 1000.0 msgs/sec · no errors · 1s"
        );
        let failed = Snapshot {
            failed: 2,
            ..at(61_000, 1000)
        };
        assert_eq!(
            progress.line(&failed),
            "⏳ 1,000 produced · 16.4 msgs/sec · 2 errors · 1m1s"
        );
    }

    #[test]
    fn with_an_end_there_is_a_bar_and_when_it_will_be_reached() {
        let mut by_count = Progress::new(Some(5000), None, FULL_SPEED);
        assert_eq!(
            by_count.line(&at(0, 0)),
            "⏳ 0% [░░░░░░░░░░░░░░░░░░░░] ETA unknown · 0 of 5,000 · 0.0 msgs/sec · no errors · 0s"
        );
        assert_eq!(
            by_count.line(&at(10_000, 2500)),
            "⏳ 50% [██████████░░░░░░░░░░] ETA 10s · 2,500 of 5,000 · 250.0 msgs/sec · no errors · 10s"
        );
        let mut by_time = Progress::new(None, Some(Duration::from_secs(90)), FULL_SPEED);
        assert_eq!(
            by_time.line(&at(89_999, 5)),
            "⏳ 99% [███████████████████░] ETA 1s · 5 produced · 0.1 msgs/sec · no errors · 1m30s"
        );
        assert!(
            by_time
                .line(&at(200_000, 5))
                .starts_with("⏳ 100% [████████████████████] ETA 0s")
        );
    }

    #[test]
    fn the_end_is_never_nearer_than_the_schedule_says() {
        const HOUR: u64 = 3_600_000;
        let eta = |progress: &mut Progress, ms, acknowledged, skipped| {
            let now = Snapshot {
                skipped,
                ..at(ms, acknowledged)
            };
            let line = progress.line(&now);
            let (_, rest) = line.split_once("ETA ").unwrap();
            rest.split(" · ").next().unwrap().to_owned()
        };
        let mut hourly = Progress::new(Some(3), None, Duration::from_millis(HOUR));
        // The first is due at once, the last after two hours.
        assert_eq!(eta(&mut hourly, 0, 0, 0), "2h");
        assert_eq!(eta(&mut hourly, 1000, 1, 0), "1h59m59s");
        for second in 2..100 {
            let left = eta(&mut hourly, second * 1000, 1, 0);
            assert!(left.starts_with("1h5"), "{left}");
        }
        // A tick that was skipped is made up for at the end.
        assert_eq!(eta(&mut hourly, HOUR + HOUR / 2, 1, 1), "1h30m");
        assert_eq!(eta(&mut hourly, 3 * HOUR + 1000, 3, 1), "0s");

        // Where nothing arrives though it is due, nothing can be said.
        let mut stuck = Progress::new(Some(600_000), None, Duration::from_millis(1));
        assert_eq!(eta(&mut stuck, 0, 0, 0), "10m");
        assert_eq!(eta(&mut stuck, 1000, 0, 0), "unknown");
        // Behind the schedule it is as the rate says.
        assert_eq!(eta(&mut stuck, 2000, 1000, 0), "19m58s");
    }

    #[test]
    fn of_two_ends_the_nearer_one_counts_and_what_failed_is_done_too() {
        let mut progress = Progress::new(Some(100), Some(Duration::from_secs(100)), FULL_SPEED);
        assert!(progress.line(&at(10_000, 5)).starts_with("⏳ 10% "));
        let failed = Snapshot {
            failed: 40,
            ..at(11_000, 50)
        };
        assert!(progress.line(&failed).starts_with("⏳ 90% "));
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut progress = Progress::new(None, None, FULL_SPEED);
        let mut last = String::new();
        for second in 1..=100 {
            let acknowledged = if second < 50 { second * 1000 } else { 50_000 };
            last = progress.line(&at(second * 1000, acknowledged));
        }
        assert!(last.contains("50,000 produced · 0.0 msgs/sec"), "{last}");
    }
}
