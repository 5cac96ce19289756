//! A thread that asks somebody over HTTP. Whoever waits for its answer also waits for the stop, and need not wait for a request that
//! is under way: ending the thread cuts it short.
//!
//! Only finding an address and making a connection cannot be cut short. A thread that does either is left to itself: it holds nothing
//! that is still needed, finds that its client has ended, and the process does not wait for it. Never sends anything by itself.

use std::convert::Infallible;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::threads::Watched;
use super::{join, spawn};
use crate::error::Error;
use crate::http::Canceller;

/// For so long an ended thread is waited for: whatever else it does than those two takes far less.
const PATIENCE: Duration = Duration::from_millis(500);

/// A running thread.
#[derive(Debug)]
pub(super) struct Asking {
    name: &'static str,
    canceller: Canceller,
    thread: JoinHandle<()>,
    /// Becomes ready, by an error, when the thread is about to end.
    ended: Receiver<Infallible>,
}

impl Asking {
    /// Starts the thread, which drops `watched` when it ends. `canceller` is that of the client that `ask` asks with.
    ///
    /// # Errors
    /// The system allows no thread.
    pub(super) fn begin(
        name: &'static str,
        canceller: Canceller,
        watched: Watched,
        ask: impl FnOnce() + Send + 'static,
    ) -> Result<Self, Error> {
        let (ending, ended) = bounded(0);
        let thread = spawn(name, move || {
            let (_watched, _ending) = (watched, ending);
            ask();
        })?;
        Ok(Self {
            name,
            canceller,
            thread,
            ended,
        })
    }

    /// Ends the thread; what it is waiting for fails, or is left to itself.
    ///
    /// # Errors
    /// The thread panicked.
    pub(super) fn join(self) -> Result<(), Error> {
        self.canceller.cancel();
        match self.ended.recv_timeout(PATIENCE) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            _ => join(self.name, self.thread),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Timing, agent};
    use crate::pipeline::shutdown::Stop;
    use crate::pipeline::threads::Threads;

    #[test]
    fn a_thread_that_cannot_be_cut_short_is_left_to_itself_and_one_that_panicked_is_told() {
        let begin = |ask: Box<dyn FnOnce() + Send>| {
            let agent = agent(&Timing::default(), "*/*", None);
            let watched = Threads::default().watched("asking", &Stop::new());
            Asking::begin("asking", Canceller::new(&agent), watched, ask).unwrap()
        };
        let (release, released) = bounded::<()>(0);
        let (left_in, left) = bounded(1);
        let asking = begin(Box::new(move || {
            let _ = released.recv();
            let _ = left_in.send(());
        }));
        // Returns though the thread still waits.
        assert!(asking.join().is_ok());
        drop(release);
        assert_eq!(left.recv(), Ok(()));
        let asking = begin(Box::new(|| std::panic::resume_unwind(Box::new(()))));
        assert!(matches!(asking.join(), Err(Error::Panicked { .. })));
    }
}
