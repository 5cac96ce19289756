//! Errors that repeat are logged once and then summed up each stats interval, not line after line.
//!
//! An error is known by its *kind*, a short text without the details that differ from one occurrence to the next: what a user
//! would call the same trouble, so with the broker's address, but without the partition's number. The first
//! of a kind is logged; those after it are counted until [`ErrorSummary::flush`] tells how many there were. A kind that an
//! interval has not seen is forgotten, so that its next occurrence is news again. At most [`KINDS_MAX`] kinds are known.
//! Who flushes says how long the interval was. All of it is remembered for those who look, too ([`Troubles`]).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::{Level, log};

use super::text::rounded;
use super::troubles::Troubles;

/// Kinds of errors that are told apart; errors of any further kind are only counted, all together.
pub const KINDS_MAX: usize = 32;

/// What went wrong lately. Shared by all threads.
#[derive(Debug, Default)]
pub struct ErrorSummary {
    seen: Mutex<Seen>,
    troubles: Troubles,
}

#[derive(Debug, Default)]
struct Seen {
    kinds: Vec<Kind>,
    /// Errors since the last flush of kinds for which there was no room.
    others: u64,
}

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
        self.troubles.note(level, kind, message, Instant::now());
        if let Some(line) = self.note(level, kind, message) {
            log!(level, "{line}");
        }
    }

    /// What went wrong lately, and how often in all.
    pub fn troubles(&self) -> &Troubles {
        &self.troubles
    }

    /// Logs what has repeated since the last flush, `interval` ago.
    pub fn flush(&self, interval: Duration) {
        for (level, line) in self.sum_up(interval) {
            log!(level, "{line}");
        }
    }

    /// [`report`](Self::report), giving back the line to log.
    fn note(&self, level: Level, kind: &str, message: &str) -> Option<String> {
        let mut seen = self.lock();
        if let Some(known) = seen.kinds.iter_mut().find(|known| known.name == kind) {
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
        Some(format!("{} {message}", mark(level)))
    }

    /// [`flush`](Self::flush), giving back the lines to log.
    pub(super) fn sum_up(&self, interval: Duration) -> Vec<(Level, String)> {
        let mut seen = self.lock();
        let interval = rounded(interval);
        let mut lines = Vec::new();
        for kind in &mut seen.kinds {
            let repeated = std::mem::take(&mut kind.repeated);
            if repeated > 0 {
                let times = if repeated == 1 { "time" } else { "times" };
                lines.push((
                    kind.level,
                    format!(
                        "{} {} (repeated {repeated} more {times} in the last {interval})",
                        mark(kind.level),
                        kind.message
                    ),
                ));
            }
        }
        let others = std::mem::take(&mut seen.others);
        if others > 0 {
            let line = format!(
                "{} {others} more errors of further kinds in the last {interval}",
                mark(Level::Warn)
            );
            lines.push((Level::Warn, line));
        }
        seen.kinds
            .retain_mut(|kind| std::mem::take(&mut kind.fresh));
        lines
    }

    /// A panic elsewhere does not spoil counts: a poisoned lock is taken like any other.
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

    #[test]
    fn the_first_error_is_logged_and_the_others_are_summed_up() {
        let errors = ErrorSummary::new();
        assert_eq!(
            errors
                .note(Level::Warn, "connect", "broker 1: refused (attempt 1)")
                .as_deref(),
            Some("⚠️ broker 1: refused (attempt 1)")
        );
        for attempt in 2..=1235 {
            let message = format!("broker 1: refused (attempt {attempt})");
            assert_eq!(errors.note(Level::Warn, "connect", &message), None);
        }
        assert_eq!(
            errors.sum_up(INTERVAL),
            [(
                Level::Warn,
                "⚠️ broker 1: refused (attempt 1235) (repeated 1234 more times in the last 10s)"
                    .to_owned()
            )]
        );
        assert_eq!(errors.sum_up(INTERVAL), []);
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
            errors.sum_up(Duration::from_secs(90)),
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
            errors.sum_up(INTERVAL),
            [(
                Level::Warn,
                "⚠️ 7 more errors of further kinds in the last 10s".to_owned()
            )]
        );
        assert_eq!(errors.lock().kinds.len(), KINDS_MAX);
        errors.sum_up(INTERVAL);
        assert_eq!(errors.lock().kinds.len(), 0);
    }
}
