//! What a link tells its owner, and the way there.
//!
//! Events leave in the order in which a thread sends them. Whoever sends may wait for room, but never longer than
//! until the owner closes the link; afterwards events are dropped, not queued.

use std::sync::Arc;

use crossbeam_channel::{Sender, TrySendError, select};

use super::control::Control;

/// What a link tells its owner.
///
/// One link's events are: either `ConnectFailed`; or `Connected`, then any number of `Written` and `Frame`, then
/// `Closed`. The last one is left out when the owner called [`Link::close`](super::Link::close) first.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    },
    /// The broker sent a frame.
    Frame {
        /// [`LinkConfig::connection`](super::LinkConfig::connection).
        connection: u64,
        /// Without its length prefix.
        frame: Vec<u8>,
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
    },
}

/// One link's way to its owner.
#[derive(Debug, Clone)]
pub(super) struct Events {
    connection: u64,
    sender: Sender<LinkEvent>,
    control: Arc<Control>,
}

/// The owner closed the link, or stopped listening, which is the same.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unheard;

impl Events {
    pub(super) fn new(connection: u64, sender: Sender<LinkEvent>, control: Arc<Control>) -> Self {
        Events {
            connection,
            sender,
            control,
        }
    }

    pub(super) fn connected(&self) -> Result<(), Unheard> {
        self.send(LinkEvent::Connected {
            connection: self.connection,
        })
    }

    pub(super) fn connect_failed(&self, reason: String) -> Result<(), Unheard> {
        self.send(LinkEvent::ConnectFailed {
            connection: self.connection,
            reason,
        })
    }

    pub(super) fn frame(&self, frame: Vec<u8>) -> Result<(), Unheard> {
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

    pub(super) fn closed(&self, reason: String) -> Result<(), Unheard> {
        self.send(LinkEvent::Closed {
            connection: self.connection,
            reason,
        })
    }

    fn send(&self, event: LinkEvent) -> Result<(), Unheard> {
        if self.control.is_closed() {
            return Err(Unheard);
        }
        let sent = match self.sender.try_send(event) {
            Ok(()) => true,
            Err(TrySendError::Disconnected(_)) => false,
            Err(TrySendError::Full(event)) => select! {
                send(self.sender, event) -> sent => sent.is_ok(),
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
