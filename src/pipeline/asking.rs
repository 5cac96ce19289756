//! A thread that asks somebody over HTTP. Whoever waits for its answer also waits for the stop, and need not wait for a request that
//! is under way: ending the thread cuts it short.
//!
//! Only the making of a connection cannot be cut short; it is bounded by its timeout. Never sends anything by itself.

use std::thread::JoinHandle;

use super::threads::Watched;
use super::{join, spawn};
use crate::error::Error;
use crate::http::Canceller;

/// A running thread.
#[derive(Debug)]
pub(super) struct Asking {
    name: &'static str,
    canceller: Canceller,
    thread: JoinHandle<()>,
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
        let thread = spawn(name, move || {
            let _watched = watched;
            ask();
        })?;
        Ok(Self {
            name,
            canceller,
            thread,
        })
    }

    /// Ends the thread; what it is waiting for fails.
    ///
    /// # Errors
    /// The thread panicked.
    pub(super) fn join(self) -> Result<(), Error> {
        self.canceller.cancel();
        join(self.name, self.thread)
    }
}
