//! Where the sockets live. A link is one TCP connection to one broker with two named threads of its own, so that a
//! broker that stops reading stalls its own link and no other.
//!
//! A link knows frames and nothing of what is in them. It never retries, never reconnects, never sends a frame twice,
//! and nothing that its owner calls ([`Link::send`], [`Link::close`]) ever waits for the network.
//!
//! # The life of a link
//! ```text
//!            Link::open
//!                │ spawns broker-N-write
//!                ▼
//!            resolving ──── broker-N-resolve, short-lived ───┐
//!                │ addresses                                 │ no address, refused, timed out
//!                ▼                                           │
//!            connecting, one address after the other,        │
//!                │ with the TLS handshake if there is to be one ─┤
//!                │ spawns broker-N-read                      ▼
//!  Connected ◀───┤                                     ConnectFailed
//!                ▼
//!            open:  send ─▶ requests ─▶ broker-N-write ─▶ socket     Written, once a frame
//!                   events ◀─────────── broker-N-read  ◀─ socket     Frame, once a frame
//!                │ end of stream, reset, bad frame, a panic (either thread sees it)
//!                ▼
//!            ending: the socket is shut down, so the other thread ends too; what had arrived is still delivered
//!                │ broker-N-write joins broker-N-read
//!                ▼
//!              Closed
//! ```
//! [`Link::close`] leads from any of these states to the end without a further event. The last thread to end is always
//! the writer, and it alone reports the end: that is why there is exactly one such event, and none after it.
//!
//! # What may be left behind
//! The system's resolver (`getaddrinfo`) cannot be interrupted. It runs on a thread of its own, which neither
//! [`Link::close`] nor [`Link::join`] waits for; one that hangs ends when the system gives up. There are at most
//! [`RESOLVERS_MAX`] of them in the process.

mod connect;
mod control;
mod event;
mod outbox;
pub mod probe;
mod reader;
mod reason;
mod resolve;
mod stream;
mod tls;
mod writer;

use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError, bounded};

use self::control::Control;
use self::event::Events;
use self::reason::Peer;
use self::resolve::Lookup;
use self::writer::Writer;
use super::config::HostPort;
use super::wire::frame::RequestFrame;
use crate::tls::TlsConfig;

pub use self::connect::CONNECT_SHARE_MS_MIN;
pub use self::event::{FRAMES_WAITING_MAX, LinkEvent, ReceivedFrame};
pub use self::outbox::FRAMES_PER_WRITE_MAX;
pub use self::resolve::RESOLVERS_MAX;

/// One connection to one broker. Dropping it closes it without waiting for its threads.
#[derive(Debug)]
pub struct Link {
    control: Arc<Control>,
    requests: Sender<RequestFrame>,
    thread_name: String,
    writer: Option<JoinHandle<Result<(), LinkPanic>>>,
}

/// What a link must be told.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// Names the link in its events; the owner makes it unique.
    pub connection: u64,
    /// Names the threads (`broker-1` gives `broker-1-write` and `broker-1-read`) and the reasons. Without NUL bytes.
    pub name: String,
    /// Whom to connect to. All addresses of a name are tried in turn.
    pub address: HostPort,
    /// Whom to trust, and who we are, where the connection is to be encrypted.
    pub tls: Option<TlsConfig>,
    /// Bound on resolving, connecting and shaking hands together; overstepped by at most [`CONNECT_SHARE_MS_MIN`].
    pub connect_timeout: Duration,
    /// How many frames may wait to be written, besides the at most [`FRAMES_PER_WRITE_MAX`] being written.
    pub requests_max: usize,
}

impl Link {
    /// Starts to connect, and returns at once. Frames may be sent from now on: they wait for the connection.
    ///
    /// `events` may be bounded: a link whose events nobody takes stops reading, and still ends at [`Link::close`]. So does
    /// one of whose frames [`FRAMES_WAITING_MAX`] are there and not dropped.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn open(config: LinkConfig, events: Sender<LinkEvent>) -> io::Result<Link> {
        Link::open_with(config, events, Box::new(resolve::system_lookup))
    }

    fn open_with(
        config: LinkConfig,
        events: Sender<LinkEvent>,
        lookup: Lookup,
    ) -> io::Result<Link> {
        let control = Arc::new(Control::default());
        let (requests, requests_receiver) = bounded(config.requests_max);
        let thread_name = format!("{}-write", config.name);
        let writer = Writer {
            peer: Peer::new(&config.name, &config.address),
            events: Events::new(config.connection, events, Arc::clone(&control)),
            control: Arc::clone(&control),
            requests: requests_receiver,
            connect_timeout: config.connect_timeout,
            address: config.address,
            tls: config.tls,
            name: config.name,
        };
        let writer = Builder::new()
            .name(thread_name.clone())
            .spawn(move || writer.run(lookup))?;
        Ok(Link {
            control,
            requests,
            thread_name,
            writer: Some(writer),
        })
    }

    /// Queues a frame. Never blocks.
    ///
    /// A frame that was taken is reported by [`LinkEvent::Written`], or is lost with the link's end.
    ///
    /// # Errors
    /// Gives the frame back when the queue is full or the link has ended.
    pub fn send(&self, frame: RequestFrame) -> Result<(), RequestFrame> {
        if self.control.has_ended() {
            return Err(frame);
        }
        self.requests.try_send(frame).map_err(|refused| {
            let (TrySendError::Full(frame) | TrySendError::Disconnected(frame)) = refused;
            frame
        })
    }

    /// Ends the link without waiting: a pending connect, a blocked read and a blocked write are aborted, what is
    /// queued is given up, and no event follows but those already queued. Calling it again does nothing.
    pub fn close(&self) {
        self.control.close();
    }

    /// Whether the link has come to its end, of its own or by [`Link::close`]. Its last event may still be on the way.
    pub fn has_ended(&self) -> bool {
        self.control.has_ended()
    }

    /// Whether both threads are gone, so that [`Link::join`] will not wait.
    pub fn is_finished(&self) -> bool {
        self.writer.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until both threads are gone. Does not close the link: without [`Link::close`] it waits for the broker to
    /// end it.
    ///
    /// # Errors
    /// When one of the threads panicked.
    pub fn join(mut self) -> Result<(), LinkPanic> {
        match self.writer.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(ended)) => ended,
            Some(Err(payload)) => Err(LinkPanic::new(&self.thread_name, payload.as_ref())),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.control.close();
    }
}

/// A thread of a link panicked: a defect of this program, never the broker's doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkPanic {
    /// The thread's name.
    pub thread: String,
    /// What it said.
    pub message: String,
}

impl LinkPanic {
    fn new(thread: &str, payload: &(dyn std::any::Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        LinkPanic {
            thread: thread.to_owned(),
            message: message.to_owned(),
        }
    }
}

impl std::fmt::Display for LinkPanic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "thread {} panicked: {}", self.thread, self.message)
    }
}

impl std::error::Error for LinkPanic {}

#[cfg(test)]
mod tests;
