//! The thread `broker-N-read`: turns what arrives into frames and hands them on.
//!
//! It waits only for the socket and for room for a frame; the link's end interrupts both, and its own end, even by a
//! panic, ends the link. After any error nothing more is read: a stream that was misunderstood once stays so.

use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use super::control::Control;
use super::event::{Events, Unheard};
use super::reason::{Peer, Reason};
use super::stream::ReadHalf;
use crate::kafka::wire::frame::Deframer;

/// What one read may bring; answers are small, so this is many of them.
const READ_BYTES_MAX: usize = 64 * 1024;

/// What the thread works with.
pub(super) struct Reader {
    pub(super) peer: Peer,
    pub(super) stream: ReadHalf,
    pub(super) events: Events,
    pub(super) control: Arc<Control>,
}

impl Reader {
    /// Starts the thread of the link `name`.
    pub(super) fn spawn(self, name: &str) -> io::Result<JoinHandle<()>> {
        Builder::new()
            .name(format!("{name}-read"))
            .spawn(move || self.run())
    }

    fn run(mut self) {
        let (control, peer) = (Arc::clone(&self.control), self.peer.clone());
        let _ends_the_link = EndsTheLink(&control, &peer);
        // Without a reason nobody listens: the link is closed already.
        if let Ok(reason) = self.read_frames() {
            control.end_because(reason);
        }
    }

    /// Reads until the stream ends, and says why it did.
    fn read_frames(&mut self) -> Result<Reason, Unheard> {
        let mut deframer = Deframer::new();
        let mut buffer = vec![0; READ_BYTES_MAX];
        loop {
            let bytes = match self.stream.read(&mut buffer) {
                Ok(0) if deframer.pending_bytes() == 0 => return Ok(self.peer.closed().into()),
                Ok(0) => return Ok(self.peer.closed_in_mid_frame().into()),
                Ok(bytes) => bytes,
                Err(error) => return Ok(self.peer.lost(&error)),
            };
            deframer.push(buffer.get(..bytes).unwrap_or_default());
            loop {
                match deframer.next_frame() {
                    Ok(Some(frame)) => self.events.frame(frame)?,
                    Ok(None) => break,
                    Err(error) => return Ok(self.peer.has(&error).into()),
                }
            }
        }
    }
}

/// Makes sure that the writer does not wait for a reader that is no more.
struct EndsTheLink<'a>(&'a Control, &'a Peer);

impl Drop for EndsTheLink<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end_because(self.1.has(&"internal error"));
        }
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::config::HostPort;

    #[test]
    fn a_reader_that_panics_ends_the_link() {
        let control = Arc::new(Control::default());
        let address = HostPort {
            host: "127.0.0.1".to_owned(),
            port: 9092,
        };
        let peer = Peer::new("broker-1", &address);
        let shared = Arc::clone(&control);
        let panicked = std::thread::spawn(move || {
            let _ends_the_link = EndsTheLink(&shared, &peer);
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert!(control.has_ended() && !control.is_closed());
        assert_eq!(
            control.reason().unwrap().words,
            "broker-1 (127.0.0.1:9092): internal error"
        );
    }
}
