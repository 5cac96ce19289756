//! What went wrong lately, for those who look at a run: how often in all, and the latest message of each kind with its age.
//!
//! Bounded: at most [`KINDS_MAX`] kinds are kept, and the one that is longest gone makes room for a new one. Time is an argument.

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

/// All of it.
#[derive(Debug, Default)]
pub struct Troubles {
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
    pub fn note(&mut self, level: Level, kind: &str, message: &str, now: Instant) {
        let total = match level {
            Level::Error => &mut self.errors,
            _ => &mut self.warnings,
        };
        *total = total.saturating_add(1);
        let position = self.kinds.iter().position(|known| known.name == kind);
        let mut noted = match position {
            Some(position) => self.kinds.remove(position),
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
        if self.kinds.len() >= KINDS_MAX {
            self.kinds.remove(0);
        }
        self.kinds.push(noted);
    }

    /// What was noted goes on: no new occurrence.
    pub fn lasts(&mut self, kind: &str, message: &str, now: Instant) {
        if let Some(known) = self.kinds.iter_mut().find(|known| known.name == kind) {
            message.clone_into(&mut known.message);
            known.at = now;
        }
    }

    /// Warnings and errors since the start.
    pub fn totals(&self) -> (u64, u64) {
        (self.warnings, self.errors)
    }

    /// What went wrong lately, the latest first.
    pub fn latest(&self, now: Instant) -> Vec<Trouble> {
        let latest = self.kinds.iter().rev().map(|kind| Trouble {
            level: kind.level,
            message: kind.message.clone(),
            count: kind.count,
            age: now.saturating_duration_since(kind.at),
        });
        latest.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_latest_comes_first_with_its_last_words_its_count_and_its_age() {
        let (mut troubles, start) = (Troubles::default(), Instant::now());
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
        troubles.lasts("b", "b still", start + 5 * SECOND);
        let still = &troubles.latest(start + 5 * SECOND)[1];
        assert_eq!((still.message.as_str(), still.count), ("b still", 1));
        assert_eq!((still.age, troubles.totals()), (Duration::ZERO, (2, 1)));
    }

    #[test]
    fn the_kind_that_is_longest_gone_makes_room_and_nothing_is_left_out_of_the_count() {
        let (mut troubles, now) = (Troubles::default(), Instant::now());
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
