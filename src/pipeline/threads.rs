//! Which threads of a run are there, and which broke down.
//!
//! A thread that panics never ends silently: it is remembered here, and the run is stopped, which then tells whose defect it was.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

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
    Panicked,
}

impl Threads {
    /// Runs the body of the thread `name`.
    pub(super) fn run<T>(&self, name: &'static str, stop: &Stop, body: impl FnOnce() -> T) -> T {
        self.set(name, Standing::Running);
        let _watched = Watched {
            threads: self,
            name,
            stop,
        };
        body()
    }

    pub(super) fn is_running(&self, name: &str) -> bool {
        self.lock().get(name) == Some(&Standing::Running)
    }

    /// One that broke down, if any did.
    pub(super) fn panicked(&self) -> Option<&'static str> {
        let all = self.lock();
        let mut panicked = all.iter().filter(|(_, at)| **at == Standing::Panicked);
        panicked.next().map(|(name, _)| *name)
    }

    fn set(&self, name: &'static str, standing: Standing) {
        self.lock().insert(name, standing);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Standing>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sees how a body ends.
struct Watched<'a> {
    threads: &'a Threads,
    name: &'static str,
    stop: &'a Stop,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.threads.set(self.name, Standing::Panicked);
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
        let seen = threads.run("producer", &stop, || threads.is_running("producer"));
        assert!(seen && !threads.is_running("producer"));
        assert_eq!(threads.panicked(), None);
        assert!(!stop.is_stopped());
    }

    #[test]
    fn a_thread_that_breaks_down_is_remembered_and_stops_the_run() {
        let (threads, stop) = (Threads::default(), Stop::new());
        let broken = catch_unwind(AssertUnwindSafe(|| {
            threads.run("generator", &stop, || panic!("on purpose"));
        }));
        assert!(broken.is_err());
        assert_eq!(threads.panicked(), Some("generator"));
        assert_eq!(stop.reason(), Some(StopReason::Failed));
    }
}
