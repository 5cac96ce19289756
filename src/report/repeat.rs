//! Errors that repeat are logged once and then summed up each stats interval, not line after line.
//!
//! An error is known by its *kind*, a short text without the details that differ from one occurrence to the next: what a user
//! would call the same trouble, so with the broker's address, but without the partition's number. The first
//! of a kind is logged; those after it are counted until [`ErrorSummary::flush`] tells how many there were. A kind that an
//! interval has not seen is forgotten, so that its next occurrence is news again. At most [`KINDS_MAX`] kinds are known.
//! Who flushes says how long the interval was. All of it is remembered for those who look, too ([`Troubles`]).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::Level;

use super::event::Event;
use super::log::tell;
use super::text::rounded;
use super::troubles::{Trouble, Troubles};

/// Kinds of errors that are told apart; errors of any further kind are only counted, all together.
pub const KINDS_MAX: usize = 32;

/// What went wrong lately. Shared by all threads.
#[derive(Debug, Default)]
pub struct ErrorSummary {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    kinds: Vec<Kind>,
    /// Errors since the last flush of kinds for which there was no room.
    others: u64,
    /// All of it, for those who look.
    troubles: Troubles,
}

/// Something to log: its level, its values, its line.
pub(super) type Told = (Level, Event, String);

#[derive(Debug)]
struct Kind {
    name: String,
    level: Level,
    /// The latest message.
    message: String,
    /// Occurrences since the last flush that were not logged.
    repeated: u64,
    /// Whether there was any occurrence since the last flush.
    fresh: bool,
}

impl ErrorSummary {
    /// Nothing has gone wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Something went wrong: logs it if it is news, else counts it. `message` is one line without a mark in front.
    pub fn report(&self, level: Level, kind: &str, message: &str) {
        if let Some((level, event, line)) = self.note(level, kind, message) {
            tell(level, &event, line);
        }
    }

    /// Something went wrong that the log has already: counts it, for those who look.
    pub fn count(&self, level: Level, kind: &str, message: &str) {
        let mut seen = self.lock();
        seen.troubles.note(level, kind, message, Instant::now());
    }

    /// Something is wrong and lasts: logs it if it is news. For what is looked at once an interval, before [`flush`](Self::flush): it
    /// is news again once an interval went well.
    pub(super) fn lasts(&self, level: Level, kind: &str, message: &str) -> Option<Told> {
        let mut seen = self.lock();
        if let Some(known) = seen.find(kind) {
            known.fresh = true;
            seen.troubles.lasts(kind, message, Instant::now());
            return None;
        }
        drop(seen);
        self.note(level, kind, message)
    }

    /// What went wrong lately, the latest first.
    pub fn latest(&self, now: Instant) -> Vec<Trouble> {
        self.lock().troubles.latest(now)
    }

    /// Warnings and errors so far, repeated ones included.
    pub fn totals(&self) -> (u64, u64) {
        self.lock().troubles.totals()
    }

    /// Logs what has repeated since the last flush, `interval` ago.
    pub fn flush(&self, interval: Duration) {
        for (level, event, line) in self.sum_up(interval) {
            tell(level, &event, line);
        }
    }

    /// [`report`](Self::report), giving back what to log.
    fn note(&self, level: Level, kind: &str, message: &str) -> Option<Told> {
        let mut seen = self.lock();
        seen.troubles.note(level, kind, message, Instant::now());
        if let Some(known) = seen.find(kind) {
            known.repeated = known.repeated.saturating_add(1);
            known.fresh = true;
            message.clone_into(&mut known.message);
            return None;
        }
        if seen.kinds.len() >= KINDS_MAX {
            seen.others = seen.others.saturating_add(1);
            return None;
        }
        seen.kinds.push(Kind {
            name: kind.to_owned(),
            level,
            message: message.to_owned(),
            repeated: 0,
            fresh: true,
        });
        Some((
            level,
            event(level, kind),
            format!("{} {message}", mark(level)),
        ))
    }

    /// [`flush`](Self::flush), giving back what to log.
    pub(super) fn sum_up(&self, interval: Duration) -> Vec<Told> {
        let mut seen = self.lock();
        let shown = rounded(interval);
        let mut told = Vec::new();
        let summed_up = |level, kind: &str, repeated| {
            event(level, kind)
                .count("repeated", repeated)
                .seconds("interval_seconds", interval)
        };
        for kind in &mut seen.kinds {
            let repeated = std::mem::take(&mut kind.repeated);
            if repeated > 0 {
                let times = if repeated == 1 { "time" } else { "times" };
                let line = format!(
                    "{} {} (repeated {repeated} more {times} in the last {shown})",
                    mark(kind.level),
                    kind.message
                );
                told.push((
                    kind.level,
                    summed_up(kind.level, &kind.name, repeated),
                    line,
                ));
            }
        }
        let others = std::mem::take(&mut seen.others);
        if others > 0 {
            let line = format!(
                "{} {others} more errors of further kinds in the last {shown}",
                mark(Level::Warn)
            );
            told.push((Level::Warn, summed_up(Level::Warn, "others", others), line));
        }
        seen.kinds
            .retain_mut(|kind| std::mem::take(&mut kind.fresh));
        told
    }

    /// A panic elsewhere does not spoil counts: a poisoned lock is taken like any other.
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn find(&mut self, kind: &str) -> Option<&mut Kind> {
        self.kinds.iter_mut().find(|known| known.name == kind)
    }
}

fn event(level: Level, kind: &str) -> Event {
    let name = match level {
        Level::Error => "error",
        _ => "warning",
    };
    Event::new(name).text("kind", kind)
}

/// What a line of this level begins with.
fn mark(level: Level) -> &'static str {
    match level {
        Level::Error => "❌",
        _ => "⚠️",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);

    /// Without the values.
    fn lines(told: impl IntoIterator<Item = Told>) -> Vec<(Level, String)> {
        told.into_iter()
            .map(|(level, _, line)| (level, line))
            .collect()
    }

    #[test]
    fn the_first_error_is_logged_and_the_others_are_summed_up() {
        let errors = ErrorSummary::new();
        assert_eq!(
            errors
                .note(Level::Warn, "connect", "broker 1: refused (attempt 1)")
                .map(|told| told.2)
                .as_deref(),
            Some("⚠️ broker 1: refused (attempt 1)")
        );
        for attempt in 2..=1235 {
            let message = format!("broker 1: refused (attempt {attempt})");
            assert_eq!(errors.note(Level::Warn, "connect", &message), None);
        }
        assert_eq!(
            lines(errors.sum_up(INTERVAL)),
            [(
                Level::Warn,
                "⚠️ broker 1: refused (attempt 1235) (repeated 1234 more times in the last 10s)"
                    .to_owned()
            )]
        );
        assert_eq!(errors.sum_up(INTERVAL), []);
        assert_eq!(errors.totals(), (1235, 0));
    }

    #[test]
    fn an_error_that_goes_on_is_never_logged_again_but_summed_up_each_interval() {
        let errors = ErrorSummary::new();
        assert!(errors.note(Level::Error, "timeout", "too late").is_some());
        for _ in 0..3 {
            errors.sum_up(INTERVAL);
            assert_eq!(errors.note(Level::Error, "timeout", "too late"), None);
        }
        assert_eq!(
            lines(errors.sum_up(Duration::from_secs(90))),
            [(
                Level::Error,
                "❌ too late (repeated 1 more time in the last 1m30s)".to_owned()
            )]
        );
    }

    #[test]
    fn an_error_that_comes_back_after_a_quiet_interval_is_news() {
        let errors = ErrorSummary::new();
        assert!(errors.note(Level::Warn, "a", "x").is_some());
        errors.sum_up(INTERVAL);
        assert!(errors.note(Level::Warn, "a", "x").is_none());
        errors.sum_up(INTERVAL);
        errors.sum_up(INTERVAL);
        assert!(errors.note(Level::Warn, "a", "x").is_some());
    }

    #[test]
    fn kinds_are_bounded_and_the_rest_is_counted() {
        let errors = ErrorSummary::new();
        for kind in 0..KINDS_MAX + 7 {
            let logged = errors
                .note(Level::Error, &format!("kind {kind}"), "m")
                .is_some();
            assert_eq!(logged, kind < KINDS_MAX);
        }
        assert_eq!(
            lines(errors.sum_up(INTERVAL)),
            [(
                Level::Warn,
                "⚠️ 7 more errors of further kinds in the last 10s".to_owned()
            )]
        );
        assert_eq!(errors.lock().kinds.len(), KINDS_MAX);
        errors.sum_up(INTERVAL);
        assert_eq!(errors.lock().kinds.len(), 0);
    }

    #[test]
    fn what_lasts_is_said_once_and_is_news_again_once_an_interval_went_well() {
        let errors = ErrorSummary::new();
        let look = |is_behind: bool| {
            let news = is_behind.then(|| errors.lasts(Level::Warn, "behind", "too slow"));
            let news = news.flatten().map(|told| told.2);
            assert_eq!(errors.sum_up(INTERVAL), []);
            news
        };
        let said = Some("⚠️ too slow".to_owned());
        assert_eq!(look(true), said);
        assert_eq!([look(true), look(true), look(false)], [None, None, None]);
        assert_eq!([look(false), look(true), look(true)], [None, said, None]);
        assert_eq!(errors.totals(), (2, 0));
    }

    #[test]
    fn programs_are_told_the_kind_and_how_often_it_repeated() {
        let errors = ErrorSummary::new();
        let first = errors.note(Level::Error, "timeout", "too late").unwrap().1;
        assert_eq!(first, Event::new("error").text("kind", "timeout"));
        errors.note(Level::Error, "timeout", "too late");
        let summed_up = errors.sum_up(INTERVAL).remove(0).1;
        let expected = first
            .count("repeated", 1)
            .seconds("interval_seconds", INTERVAL);
        assert_eq!(summed_up, expected);
    }
}
