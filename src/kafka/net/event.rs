//! What a link tells its owner, and the way there.
//!
//! Events leave in the order in which a thread sends them. Whoever sends may wait for room, but never longer than
//! until the owner closes the link; afterwards events are dropped, not queued. At most [`FRAMES_WAITING_MAX`] frames of a
//! link are with its owner at any time, so that a peer that sends what nobody asked for fills no memory and stalls only
//! itself.

use std::ops::Deref;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};

use super::control::Control;
use super::reason::Reason;

/// Frames of one link that its owner has not dropped yet; the reader holds the next one until one of them is. A frame may
/// have 16 MiB.
pub const FRAMES_WAITING_MAX: usize = 4;

/// What a link tells its owner.
///
/// One link's events are: either `ConnectFailed`; or `Connected`, then any number of `Written` and `Frame`, then
/// `Closed`. The last one is left out when the owner called [`Link::close`](super::Link::close) first.
#[derive(Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// The broker took the connection.
    Connected {
        /// [`LinkConfig::connection`](super::LinkConfig::connection).
        connection: u64,
    },
    /// No address of the broker took the connection. The last event of its link.
    ConnectFailed {
        /// [`LinkConfig::connection`](super::LinkConfig::connection).
        connection: u64,
        /// One line, with host and port.
        reason: String,
        /// One side does not accept the other's certificate: until something is changed, trying again is no use.
        is_refusal: bool,
    },
    /// The broker sent a frame.
    Frame {
        /// [`LinkConfig::connection`](super::LinkConfig::connection).
        connection: u64,
        /// Without its length prefix.
        frame: ReceivedFrame,
    },
    /// The whole of a frame was handed to the system; whether the broker got it is another matter.
    Written {
        /// [`LinkConfig::connection`](super::LinkConfig::connection).
        connection: u64,
        /// The frame's.
        correlation_id: i32,
    },
    /// The connection is gone, and both threads are done with it. The last event of its link.
    Closed {
        /// [`LinkConfig::connection`](super::LinkConfig::connection).
        connection: u64,
        /// One line, with host and port.
        reason: String,
        /// As in [`LinkEvent::ConnectFailed`].
        is_refusal: bool,
    },
}

/// The bytes of a frame. Dropping it makes room for another one of its link.
#[derive(Debug)]
pub struct ReceivedFrame {
    bytes: Vec<u8>,
    places: Receiver<()>,
}

impl Deref for ReceivedFrame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl PartialEq for ReceivedFrame {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for ReceivedFrame {}

impl Drop for ReceivedFrame {
    fn drop(&mut self) {
        // It holds one of the places, so there is one to free.
        let _ = self.places.try_recv();
    }
}

/// One link's way to its owner.
#[derive(Debug, Clone)]
pub(super) struct Events {
    connection: u64,
    sender: Sender<LinkEvent>,
    control: Arc<Control>,
    /// As many as there are frames with the owner.
    places_taken: Sender<()>,
    places: Receiver<()>,
}

/// The owner closed the link, or stopped listening, which is the same.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unheard;

impl Events {
    pub(super) fn new(connection: u64, sender: Sender<LinkEvent>, control: Arc<Control>) -> Self {
        let (places_taken, places) = bounded(FRAMES_WAITING_MAX);
        Events {
            connection,
            sender,
            control,
            places_taken,
            places,
        }
    }

    pub(super) fn connected(&self) -> Result<(), Unheard> {
        self.send(LinkEvent::Connected {
            connection: self.connection,
        })
    }

    pub(super) fn connect_failed(&self, reason: Reason) -> Result<(), Unheard> {
        self.send(LinkEvent::ConnectFailed {
            connection: self.connection,
            reason: reason.words,
            is_refusal: reason.is_refusal,
        })
    }

    /// Waits for the owner to drop one of the frames before, if it has too many.
    pub(super) fn frame(&self, bytes: Vec<u8>) -> Result<(), Unheard> {
        self.put(&self.places_taken, ())?;
        let frame = ReceivedFrame {
            bytes,
            places: self.places.clone(),
        };
        self.send(LinkEvent::Frame {
            connection: self.connection,
            frame,
        })
    }

    pub(super) fn written(&self, correlation_id: i32) -> Result<(), Unheard> {
        self.send(LinkEvent::Written {
            connection: self.connection,
            correlation_id,
        })
    }

    pub(super) fn closed(&self, reason: Reason) -> Result<(), Unheard> {
        self.send(LinkEvent::Closed {
            connection: self.connection,
            reason: reason.words,
            is_refusal: reason.is_refusal,
        })
    }

    fn send(&self, event: LinkEvent) -> Result<(), Unheard> {
        self.put(&self.sender, event)
    }

    /// Waits for room in the channel, at most until the owner closes the link.
    fn put<T>(&self, channel: &Sender<T>, what: T) -> Result<(), Unheard> {
        if self.control.is_closed() {
            return Err(Unheard);
        }
        let sent = match channel.try_send(what) {
            Ok(()) => true,
            Err(TrySendError::Disconnected(_)) => false,
            Err(TrySendError::Full(what)) => select! {
                send(channel, what) -> sent => sent.is_ok(),
                recv(self.control.on_close()) -> _ => false,
            },
        };
        if sent {
            Ok(())
        } else {
            self.control.close();
            Err(Unheard)
        }
    }
}
