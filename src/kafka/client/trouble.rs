//! What goes wrong with a partition or a node: why, since when, and what it cost.
//!
//! Bounded: one of each a partition and a node. Words are shared by all that have the same trouble, so that a lost connection
//! with a hundred partitions makes one line.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::kafka::wire::ErrorCode;

/// Trouble that is over sooner is not worth a word: a leader that moved.
pub(super) const SAID_MIN: Duration = Duration::from_secs(1);

/// What went wrong last, and when.
#[derive(Debug, Clone)]
pub(super) struct Reason {
    at: Instant,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Words(Arc<str>),
    NoLeader(ErrorCode),
}

impl Reason {
    /// One line that says it.
    pub(super) fn words(words: impl Into<Arc<str>>, at: Instant) -> Self {
        let what = What::Words(words.into());
        Self { at, what }
    }

    /// Nobody leads the partition; `code` is what metadata says beside, if anything.
    pub(super) fn no_leader(code: ErrorCode, at: Instant) -> Self {
        let what = What::NoLeader(code);
        Self { at, what }
    }

    /// The one that came last.
    pub(super) fn newer<'a>(a: Option<&'a Reason>, b: Option<&'a Reason>) -> Option<&'a Reason> {
        [a, b].into_iter().flatten().max_by_key(|reason| reason.at)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Words(words) => f.write_str(words),
            What::NoLeader(ErrorCode::NONE) => f.write_str("it has no leader"),
            What::NoLeader(code) => write!(f, "it has no leader: {code}"),
        }
    }
}

/// A partition's records wait because something is wrong.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) since: Instant,
    pub(super) reason: Option<Reason>,
    /// Records that were given up meanwhile.
    pub(super) failed: usize,
}

impl Trouble {
    pub(super) fn new(since: Instant) -> Self {
        Self {
            since,
            reason: None,
            failed: 0,
        }
    }

    /// It is over: what there is to say, if it is worth a word. `waited`: so many records were here all the same.
    pub(super) fn over(self, waited: usize, now: Instant) -> Option<Recovery> {
        let after = now.saturating_duration_since(self.since);
        (after >= SAID_MIN).then_some(Recovery {
            after,
            waited,
            failed: self.failed,
        })
    }
}

/// A trouble that is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Recovery {
    pub(super) after: Duration,
    pub(super) waited: usize,
    pub(super) failed: usize,
}
