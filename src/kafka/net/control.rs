//! How the owner and the two threads of a link end it, from whichever side.
//!
//! There are two one-way switches. *Ended*: somebody saw or wanted the end; both threads wind up, and the first reason
//! given is the one reported. *Closed*: the owner wants no more of it, not even events; it implies *ended*. Neither is
//! ever taken back. Nothing here waits, except for a lock that is held for system calls that do not wait.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use super::reason::Reason;
use super::stream::Stream;

/// Shared by a link and its threads.
#[derive(Debug, Default)]
pub(super) struct Control {
    closed: Switch,
    ended: Switch,
    reason: OnceLock<Reason>,
    stream: Mutex<Option<Arc<Stream>>>,
}

impl Control {
    /// The owner is through with the link.
    pub(super) fn close(&self) {
        self.closed.turn_on();
        self.end();
    }

    /// Ends the link and says why, unless that was said already.
    pub(super) fn end_because(&self, reason: impl Into<Reason>) {
        // A second reason is but a consequence of the first.
        let _ = self.reason.set(reason.into());
        self.end();
    }

    /// Ends the link: wakes both threads, wherever they wait.
    pub(super) fn end(&self) {
        self.ended.turn_on();
        if let Some(stream) = self.stream().as_ref() {
            stream.shutdown();
        }
    }

    /// Makes `stream` the one that [`Control::end`] shuts down; false when the link has ended already.
    ///
    /// A stream is adopted before it is connected, so that a pending connect can be aborted. A shutdown between the
    /// two does its work as well: the connect then fails at once (on Linux; elsewhere its timeout is the bound).
    pub(super) fn adopt(&self, stream: &Arc<Stream>) -> bool {
        let mut adopted = self.stream();
        if self.has_ended() {
            return false;
        }
        *adopted = Some(Arc::clone(stream));
        true
    }

    /// Lets go of the stream, so that it does not stay open for as long as the owner keeps the link.
    pub(super) fn disown(&self) {
        *self.stream() = None;
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_on()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.is_on()
    }

    pub(super) fn reason(&self) -> Option<&Reason> {
        self.reason.get()
    }

    /// To wait for in a `select!`: becomes ready, by an error, at the end.
    pub(super) fn on_end(&self) -> &Receiver<Infallible> {
        &self.ended.receiver
    }

    /// To wait for in a `select!`: becomes ready, by an error, when the owner closes.
    pub(super) fn on_close(&self) -> &Receiver<Infallible> {
        &self.closed.receiver
    }

    fn stream(&self) -> MutexGuard<'_, Option<Arc<Stream>>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Goes on once, and wakes all who wait for it: a channel that nothing is ever sent through.
#[derive(Debug)]
struct Switch {
    sender: Mutex<Option<Sender<Infallible>>>,
    receiver: Receiver<Infallible>,
}

impl Default for Switch {
    fn default() -> Self {
        let (sender, receiver) = bounded(0);
        Switch {
            sender: Mutex::new(Some(sender)),
            receiver,
        }
    }
}

impl Switch {
    fn turn_on(&self) {
        *self.sender.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn is_on(&self) -> bool {
        self.receiver.try_recv() == Err(TryRecvError::Disconnected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_ends_and_ending_does_not_close() {
        let control = Control::default();
        assert!(!control.has_ended());
        control.end();
        assert!(control.has_ended() && !control.is_closed());
        control.close();
        control.close();
        assert!(control.is_closed());
    }

    #[test]
    fn the_first_reason_is_the_one_that_counts() {
        let control = Control::default();
        control.end_because("first".to_owned());
        control.end_because("second".to_owned());
        assert_eq!(control.reason().unwrap().words, "first");
    }

    #[test]
    fn a_stream_that_comes_after_the_end_is_not_adopted() {
        let control = Control::default();
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let stream = Arc::new(Stream::new(address).unwrap());
        assert!(control.adopt(&stream));
        control.end();
        assert!(!control.adopt(&stream));
    }
}
