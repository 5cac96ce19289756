//! Which threads of a run are there, and which broke down.
//!
//! A thread that panics never ends silently: it is remembered here, and the run is stopped, which then tells whose defect it was.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use super::shutdown::{Stop, StopReason};

/// The threads of a run by their names. Clones share one list.
#[derive(Debug, Clone, Default)]
pub(super) struct Threads {
    all: Arc<Mutex<BTreeMap<&'static str, Standing>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Running,
    Ended,
    Panicked(Instant),
}

impl Threads {
    /// The thread `name` is about to begin: it keeps what it is given until it ends.
    pub(super) fn watched(&self, name: &'static str, stop: &Stop) -> Watched {
        self.set(name, Standing::Running);
        Watched {
            threads: self.clone(),
            name,
            stop: stop.clone(),
        }
    }

    pub(super) fn is_running(&self, name: &str) -> bool {
        self.lock().get(name) == Some(&Standing::Running)
    }

    /// One that broke down, if any did, and when.
    pub(super) fn panicked(&self) -> Option<(&'static str, Instant)> {
        let all = self.lock();
        all.iter().find_map(|(name, standing)| match standing {
            Standing::Panicked(at) => Some((*name, *at)),
            Standing::Running | Standing::Ended => None,
        })
    }

    fn set(&self, name: &'static str, standing: Standing) {
        self.lock().insert(name, standing);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Standing>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sees how a thread ends, by being dropped in it.
#[derive(Debug)]
pub(super) struct Watched {
    threads: Threads,
    name: &'static str,
    stop: Stop,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if thread::panicking() {
            let panicked = Standing::Panicked(Instant::now());
            self.threads.set(self.name, panicked);
            self.stop.stop(StopReason::Failed);
        } else {
            self.threads.set(self.name, Standing::Ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_thread_is_running_until_it_has_ended() {
        let (threads, stop) = (Threads::default(), Stop::new());
        assert!(!threads.is_running("producer"));
        let watched = threads.watched("producer", &stop);
        assert!(threads.is_running("producer"));
        drop(watched);
        assert!(!threads.is_running("producer"));
        assert_eq!(threads.panicked(), None);
        assert!(!stop.is_stopped());
    }

    #[test]
    fn a_thread_that_breaks_down_is_remembered_and_stops_the_run() {
        let (threads, stop) = (Threads::default(), Stop::new());
        let watched = threads.watched("generator", &stop);
        let broken = catch_unwind(AssertUnwindSafe(move || {
            let _watched = watched;
            panic!("on purpose");
        }));
        assert!(broken.is_err());
        assert_eq!(threads.panicked().map(|(name, _)| name), Some("generator"));
        assert_eq!(stop.reason(), Some(StopReason::Failed));
    }
}
