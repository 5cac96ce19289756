//! Records that were given up, by what was wrong.
//!
//! Bounded: there are a handful of kinds, and a code only with two of them, of which Kafka has some hundred and thirty. Locked
//! once a batch that fails, never otherwise.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Kinds that never carry a code, and those that may: all of them are shown from the start, so that the first failure of a kind
/// is a rise from zero.
pub const KINDS: [&str; 6] = [
    "compression",
    "delivery_timeout",
    "outcome_unknown",
    "overtaken",
    "refused",
    UNANSWERED,
];

/// Sent, and without an answer when the run had to end.
pub const UNANSWERED: &str = "unanswered";

/// Failures of kinds and codes beyond so many are counted under the kind alone: a peer may answer with any number.
const CODES_MAX: usize = 256;

/// What was wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// One of [`KINDS`].
    pub kind: &'static str,
    /// The broker's code by its name, where it gave one.
    pub code: Option<String>,
}

/// How many records for which reason.
#[derive(Debug, Default)]
pub struct Failures {
    records: Mutex<BTreeMap<Failure, u64>>,
}

impl Failures {
    /// So many records more.
    pub fn add(&self, mut failure: Failure, records: u64) {
        let mut all = self.lock();
        if all.len() >= CODES_MAX && !all.contains_key(&failure) {
            failure.code = None;
        }
        let count = all.entry(failure).or_default();
        *count = count.saturating_add(records);
    }

    /// Every reason so far, and each of [`KINDS`] without a code.
    pub fn all(&self) -> BTreeMap<Failure, u64> {
        let mut all = self.lock().clone();
        for kind in KINDS {
            all.entry(Failure { kind, code: None }).or_default();
        }
        all
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Failure, u64>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_apart_by_kind_and_code_and_every_kind_is_there_from_the_start() {
        let failures = Failures::default();
        let refused = |code: &str| Failure {
            kind: "refused",
            code: Some(code.to_owned()),
        };
        failures.add(refused("MESSAGE_TOO_LARGE"), 2);
        failures.add(refused("INVALID_RECORD"), 3);
        failures.add(refused("MESSAGE_TOO_LARGE"), 5);
        let all = failures.all();
        assert_eq!(all.get(&refused("MESSAGE_TOO_LARGE")), Some(&7));
        assert_eq!(all.get(&refused("INVALID_RECORD")), Some(&3));
        assert_eq!(all.len(), KINDS.len() + 2);
        assert_eq!(all.values().sum::<u64>(), 10);
    }

    #[test]
    fn a_peer_with_a_code_for_every_batch_cannot_grow_the_list_without_end() {
        let failures = Failures::default();
        for number in 0..2 * CODES_MAX {
            let code = Some(number.to_string());
            let kind = "refused";
            failures.add(Failure { kind, code }, 1);
        }
        let all = failures.all();
        assert!(all.len() <= CODES_MAX + KINDS.len(), "{}", all.len());
        assert_eq!(all.values().sum::<u64>(), 2 * CODES_MAX as u64);
    }
}
