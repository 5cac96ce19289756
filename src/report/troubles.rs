//! What went wrong lately, for those who look at a run: how often in all, and the latest message of each kind with its age.
//!
//! Bounded: at most [`KINDS_MAX`] kinds are kept, and the one that is longest gone makes room for a new one. Time is an argument.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::Level;

/// How many kinds of trouble are remembered.
pub const KINDS_MAX: usize = 20;

/// One kind of trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// A warning or an error.
    pub level: Level,
    /// Its latest message, one line.
    pub message: String,
    /// How often it came since it is remembered.
    pub count: u64,
    /// How long ago it came last.
    pub age: Duration,
}

/// All of it. Shared by all threads; locked once a trouble.
#[derive(Debug, Default)]
pub struct Troubles {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The latest last.
    kinds: Vec<Kind>,
    warnings: u64,
    errors: u64,
}

#[derive(Debug)]
struct Kind {
    name: String,
    level: Level,
    message: String,
    count: u64,
    at: Instant,
}

impl Troubles {
    /// Something went wrong.
    pub fn note(&self, level: Level, kind: &str, message: &str, now: Instant) {
        let mut known = self.lock();
        let total = match level {
            Level::Error => &mut known.errors,
            _ => &mut known.warnings,
        };
        *total = total.saturating_add(1);
        let position = known.kinds.iter().position(|known| known.name == kind);
        let mut noted = match position {
            Some(position) => known.kinds.remove(position),
            None => Kind {
                name: kind.to_owned(),
                level,
                message: String::new(),
                count: 0,
                at: now,
            },
        };
        message.clone_into(&mut noted.message);
        noted.count = noted.count.saturating_add(1);
        (noted.level, noted.at) = (level, now);
        if known.kinds.len() >= KINDS_MAX {
            known.kinds.remove(0);
        }
        known.kinds.push(noted);
    }

    /// Warnings and errors since the start.
    pub fn totals(&self) -> (u64, u64) {
        let known = self.lock();
        (known.warnings, known.errors)
    }

    /// What went wrong lately, the latest first.
    pub fn latest(&self, now: Instant) -> Vec<Trouble> {
        let known = self.lock();
        let latest = known.kinds.iter().rev().map(|kind| Trouble {
            level: kind.level,
            message: kind.message.clone(),
            count: kind.count,
            age: now.saturating_duration_since(kind.at),
        });
        latest.collect()
    }

    /// A panic elsewhere does not spoil counts: a poisoned lock is taken like any other.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_latest_comes_first_with_its_last_words_its_count_and_its_age() {
        let (troubles, start) = (Troubles::default(), Instant::now());
        troubles.note(Level::Warn, "a", "a 1", start);
        troubles.note(Level::Error, "b", "b 1", start + SECOND);
        troubles.note(Level::Warn, "a", "a 2", start + 2 * SECOND);
        let told: Vec<_> = troubles
            .latest(start + 5 * SECOND)
            .into_iter()
            .map(|trouble| (trouble.message, trouble.count, trouble.age))
            .collect();
        let expected = [
            ("a 2".to_owned(), 2, 3 * SECOND),
            ("b 1".to_owned(), 1, 4 * SECOND),
        ];
        assert_eq!(told, expected);
        assert_eq!(troubles.totals(), (2, 1));
    }

    #[test]
    fn the_kind_that_is_longest_gone_makes_room_and_nothing_is_left_out_of_the_count() {
        let (troubles, now) = (Troubles::default(), Instant::now());
        for kind in 0..3 * KINDS_MAX {
            troubles.note(Level::Error, &kind.to_string(), &format!("m {kind}"), now);
            troubles.note(Level::Warn, "always", "always", now);
        }
        let latest = troubles.latest(now);
        assert_eq!(latest.len(), KINDS_MAX);
        assert_eq!(latest[0].count, 3 * KINDS_MAX as u64);
        assert_eq!(latest[1].message, format!("m {}", 3 * KINDS_MAX - 1));
        assert_eq!(
            troubles.totals(),
            (3 * KINDS_MAX as u64, 3 * KINDS_MAX as u64)
        );
    }
}
