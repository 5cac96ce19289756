//! When each message is due.
//!
//! Tick *n* is due at start + *n* · interval, exactly, since both are whole nanoseconds: lateness of one tick never moves
//! another, so the mean interval is exact over any run. Who falls behind catches up at most [`CATCH_UP_MAX`] worth of
//! ticks (and always one); older ticks are skipped and counted. Pure: it never reads a clock and never waits.

use std::time::{Duration, Instant};

/// How much of the past is caught up with.
pub const CATCH_UP_MAX: Duration = Duration::from_secs(1);

/// Ticks at a fixed interval from a start; with an interval of zero there is always one due.
#[derive(Debug, Clone)]
pub struct Schedule {
    interval: Duration,
    next: Instant,
    /// The oldest tick may be this late before any is skipped.
    lateness_max: Duration,
    skipped: u64,
}

/// Answer of [`Schedule::next`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// A tick is due and has been taken; this is when it was due, at or before now.
    Now(Instant),
    /// Nothing is due before this instant, which lies after now.
    At(Instant),
}

impl Schedule {
    /// The first tick is due at `start`, the others every `interval` after it.
    pub fn new(interval: Duration, start: Instant) -> Self {
        Self {
            interval,
            next: start,
            lateness_max: catch_up_window(interval),
            skipped: 0,
        }
    }

    /// Takes the next tick if it is due.
    #[inline]
    pub fn next(&mut self, now: Instant) -> Due {
        if self.interval.is_zero() {
            return Due::Now(now);
        }
        if self.next > now {
            return Due::At(self.next);
        }
        if now - self.next >= self.lateness_max {
            self.skip(now);
        }
        let due = self.next;
        self.next = later(due, self.interval);
        Due::Now(due)
    }

    /// Ticks that were never produced, because they were too long overdue when somebody asked.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// When the next tick is due; `None` with an interval of zero, where no time is ever late.
    pub fn next_due(&self) -> Option<Instant> {
        (!self.interval.is_zero()).then_some(self.next)
    }

    /// How long after a tick the last one is due of as many as there are in each `step`: nothing if these are one or none.
    pub fn last_within(&self, step: Duration) -> Duration {
        let interval = self.interval.as_nanos().max(1);
        let ticks = (step.as_nanos() / interval).max(1);
        nanos((ticks - 1).saturating_mul(self.interval.as_nanos()))
    }

    /// Drops the oldest overdue ticks, so that those left fit into the window.
    #[cold]
    fn skip(&mut self, now: Instant) {
        let interval = self.interval.as_nanos();
        let behind = now.saturating_duration_since(self.next).as_nanos();
        let overdue = behind / interval + 1;
        let keep = self.lateness_max.as_nanos() / interval;
        let dropped = overdue.saturating_sub(keep.max(1));
        self.next = later(self.next, nanos(dropped.saturating_mul(interval)));
        self.skipped = self
            .skipped
            .saturating_add(u64::try_from(dropped).unwrap_or(u64::MAX));
    }
}

/// The greatest whole number of intervals in [`CATCH_UP_MAX`], at least one.
fn catch_up_window(interval: Duration) -> Duration {
    if interval.is_zero() {
        return Duration::MAX;
    }
    let ticks = (CATCH_UP_MAX.as_nanos() / interval.as_nanos()).max(1);
    nanos(ticks.saturating_mul(interval.as_nanos()))
}

/// An instant that the clock cannot hold never comes: the farthest that it can hold stands for it.
fn later(instant: Instant, by: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    instant
        .checked_add(by)
        .or_else(|| instant.checked_add(100 * YEAR))
        .unwrap_or(instant)
}

fn nanos(nanos: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    match (u64::try_from(nanos / SECOND), u32::try_from(nanos % SECOND)) {
        (Ok(seconds), Ok(rest)) => Duration::new(seconds, rest),
        _ => Duration::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Duration = Duration::from_micros(1);
    const MS: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3600);

    /// All ticks that are due at `now`.
    fn take(schedule: &mut Schedule, now: Instant) -> Vec<Instant> {
        std::iter::from_fn(|| match schedule.next(now) {
            Due::Now(due) => Some(due),
            Due::At(at) => {
                assert!(at > now);
                None
            }
        })
        .collect()
    }

    #[test]
    fn the_first_tick_is_due_at_the_start_and_none_before() {
        let start = Instant::now() + SECOND;
        let mut schedule = Schedule::new(SECOND, start);
        assert_eq!(
            schedule.next(start.checked_sub(MS).unwrap()),
            Due::At(start)
        );
        assert_eq!(schedule.next(start), Due::Now(start));
        assert_eq!(schedule.next(start), Due::At(start + SECOND));
    }

    #[test]
    fn ten_seconds_at_one_a_second_are_ten_messages() {
        let start = Instant::now();
        let mut schedule = Schedule::new(SECOND, start);
        let mut count = 0;
        for step in 0..100 {
            count += take(&mut schedule, start + step * 100 * MS).len();
        }
        assert_eq!(count, 10);
    }

    #[test]
    fn lateness_never_adds_up_at_any_pace() {
        for (interval, late) in [
            (10 * US, 55 * US),
            (Duration::from_nanos(333), 60 * US),
            (Duration::from_nanos(1_000_003), 300 * US),
            (SECOND, 400 * MS),
            (HOUR, SECOND),
            (365 * 24 * HOUR, HOUR),
        ] {
            let start = Instant::now();
            let mut schedule = Schedule::new(interval, start);
            let mut now = start;
            let mut n = 0;
            while n < 10_000 {
                match schedule.next(now) {
                    Due::Now(due) => {
                        assert_eq!(due, start + n * interval, "tick {n} of {interval:?}");
                        n += 1;
                    }
                    Due::At(at) => now = at + late,
                }
            }
            assert_eq!(schedule.skipped(), 0);
        }
    }

    #[test]
    fn one_second_is_caught_up_with_and_the_rest_is_skipped_and_counted() {
        let start = Instant::now();
        let mut schedule = Schedule::new(10 * MS, start);
        let now = start + 60 * SECOND;
        let caught_up = take(&mut schedule, now);
        assert_eq!(caught_up.len(), 100);
        assert_eq!(caught_up.first(), Some(&(start + 59_010 * MS)));
        assert_eq!(caught_up.last(), Some(&now));
        assert_eq!(schedule.skipped(), 6001 - 100);
        assert_eq!(
            schedule.next(now),
            Due::At(now + 10 * MS),
            "still on the old grid"
        );
    }

    #[test]
    fn a_delay_of_less_than_a_second_skips_nothing() {
        let start = Instant::now();
        let mut schedule = Schedule::new(10 * MS, start);
        assert_eq!(take(&mut schedule, start + 999 * MS).len(), 100);
        assert_eq!(schedule.skipped(), 0);
    }

    #[test]
    fn a_late_tick_is_produced_however_long_the_interval() {
        let start = Instant::now();
        let mut schedule = Schedule::new(HOUR, start);
        let now = start + 5 * HOUR + 59 * 60 * SECOND;
        assert_eq!(take(&mut schedule, now), [start + 5 * HOUR]);
        assert_eq!(schedule.skipped(), 5);
        let mut late = Schedule::new(HOUR, start);
        assert_eq!(take(&mut late, start + 59 * 60 * SECOND), [start]);
        assert_eq!(late.skipped(), 0);
    }

    #[test]
    fn skipped_and_produced_ticks_add_up_to_all_that_were_due() {
        for interval in [7 * US, 3 * MS, 600 * MS, SECOND, 1500 * MS] {
            let start = Instant::now();
            let mut schedule = Schedule::new(interval, start);
            let (mut now, mut produced) = (start, 0);
            for step in [0, 10, 900, 1000, 1001, 2500, 3, 60_000_u32] {
                now += step * MS;
                produced += take(&mut schedule, now).len() as u128;
                let due = (now - start).as_nanos() / interval.as_nanos() + 1;
                assert_eq!(
                    produced + u128::from(schedule.skipped()),
                    due,
                    "{interval:?}"
                );
            }
        }
    }

    #[test]
    fn within_a_step_there_are_as_many_ticks_as_fit_and_at_least_one() {
        let last = |interval, step| Schedule::new(interval, Instant::now()).last_within(step);
        assert_eq!(last(10 * US, MS), 990 * US);
        assert_eq!(last(300 * US, MS), 600 * US);
        assert_eq!(last(500 * US, MS), 500 * US);
        for (interval, step) in [(501 * US, MS), (MS, MS), (HOUR, MS), (US, Duration::ZERO)] {
            assert_eq!(last(interval, step), Duration::ZERO);
        }
        assert_eq!(last(Duration::ZERO, MS), Duration::ZERO);
        assert_eq!(last(Duration::MAX, MS), Duration::ZERO);
    }

    #[test]
    fn with_no_interval_a_message_is_always_due_and_never_late() {
        let now = Instant::now();
        let mut schedule = Schedule::new(Duration::ZERO, now);
        for _ in 0..1000 {
            assert_eq!(schedule.next(now + HOUR), Due::Now(now + HOUR));
        }
        assert_eq!((schedule.skipped(), schedule.next_due()), (0, None));
    }

    #[test]
    fn the_longest_interval_there_is_has_one_tick_and_then_waits() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Duration::MAX, start);
        assert_eq!(schedule.next(start), Due::Now(start));
        assert!(matches!(schedule.next(start + 1000 * HOUR), Due::At(_)));
    }
}
