//! The thread `broker-N-write`: connects, starts the reader, writes frames, and is the last to go.
//!
//! It owns the link's life: because it joins the reader, it alone knows that everything is over, and reports that once.
//! It never reads, and waits only for the queue, the socket and room for an event, each of which the link's end
//! interrupts.

use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};

use super::LinkPanic;
use super::connect::connect;
use super::control::Control;
use super::event::{Events, Unheard};
use super::outbox::{Outbox, SLICES_PER_WRITE_MAX};
use super::reader::Reader;
use super::reason::{Peer, Reason};
use super::resolve::{Lookup, resolve};
use super::stream::{ReadHalf, Stream, WriteHalf};
use crate::foreign::os_words;
use crate::kafka::config::HostPort;
use crate::kafka::wire::frame::RequestFrame;
use crate::tls::TlsConfig;

/// What the thread works with.
pub(super) struct Writer {
    pub(super) name: String,
    pub(super) peer: Peer,
    pub(super) address: HostPort,
    pub(super) tls: Option<TlsConfig>,
    pub(super) connect_timeout: Duration,
    pub(super) requests: Receiver<RequestFrame>,
    pub(super) events: Events,
    pub(super) control: Arc<Control>,
}

/// How far the link got; kept outside of what may panic.
#[derive(Default)]
struct Progress {
    connected: bool,
    reader: Option<JoinHandle<()>>,
    /// Writing failed in a way that what the broker had sent before may explain.
    unexplained: Option<io::Error>,
}

impl Writer {
    /// The whole life of the link.
    pub(super) fn run(self, lookup: Lookup) -> Result<(), LinkPanic> {
        let mut progress = Progress::default();
        let written = catch_unwind(AssertUnwindSafe(|| self.live(lookup, &mut progress)));
        if written.is_err() {
            self.control.end_because(self.peer.has(&"internal error"));
        }
        self.control.end();
        let read = progress.reader.map_or(Ok(()), JoinHandle::join);
        if let Some(error) = progress.unexplained {
            self.control.end_because(self.peer.lost(&error));
        }
        self.control.disown();
        self.report_end(progress.connected);
        written
            .map_err(|payload| LinkPanic::new(&format!("{}-write", self.name), payload.as_ref()))?;
        read.map_err(|payload| LinkPanic::new(&format!("{}-read", self.name), payload.as_ref()))
    }

    fn live(&self, lookup: Lookup, progress: &mut Progress) {
        let stream = match self.connect(lookup) {
            Ok(stream) => stream,
            Err(reason) => return self.control.end_because(reason),
        };
        if self.events.connected() == Err(Unheard) {
            return;
        }
        progress.connected = true;
        let reader = Reader {
            peer: self.peer.clone(),
            stream: ReadHalf::new(Arc::clone(&stream)),
            events: self.events.clone(),
            control: Arc::clone(&self.control),
        };
        match reader.spawn(&self.name) {
            Ok(reader) => progress.reader = Some(reader),
            Err(error) => {
                let reason = format!("cannot start a thread: {}", os_words(&error));
                return self.control.end_because(self.peer.has(&reason));
            }
        }
        // Nobody listens: the link is closed already.
        let (Ok(()) | Err(Unheard)) = self.write_frames(&mut WriteHalf::new(stream), progress);
    }

    fn connect(&self, lookup: Lookup) -> Result<Arc<Stream>, Reason> {
        let deadline = Instant::now() + self.connect_timeout;
        let addresses = resolve(
            &self.peer,
            &self.name,
            &self.address,
            lookup,
            deadline,
            &self.control,
        )?;
        connect(
            &self.peer,
            &self.address,
            self.tls.as_ref(),
            &addresses,
            deadline,
            &self.control,
        )
    }

    /// Writes what comes until the link ends.
    fn write_frames(&self, stream: &mut WriteHalf, progress: &mut Progress) -> Result<(), Unheard> {
        let mut outbox = Outbox::default();
        loop {
            select! {
                recv(self.requests) -> frame => match frame {
                    Ok(frame) => outbox.push(frame),
                    // The owner dropped the link, which closes it.
                    Err(_) => return Ok(()),
                },
                recv(self.control.on_end()) -> _ => return Ok(()),
            }
            while outbox.has_room()
                && let Ok(frame) = self.requests.try_recv()
            {
                outbox.push(frame);
            }
            while !outbox.is_empty() {
                match write_some(stream, &outbox) {
                    Ok(bytes) => outbox.advance(bytes, |id| self.events.written(id))?,
                    Err(error) if has_been_cut(&error) => {
                        progress.unexplained = Some(error);
                        return Ok(());
                    }
                    Err(error) => {
                        self.control.end_because(self.peer.lost(&error));
                        return Ok(());
                    }
                }
            }
        }
    }

    fn report_end(&self, connected: bool) {
        let reason = self
            .control
            .reason()
            .cloned()
            .unwrap_or_else(|| self.peer.closed().into());
        // Nobody listens: the owner closed the link and expects no word.
        let (Ok(()) | Err(Unheard)) = if connected {
            self.events.closed(reason)
        } else {
            self.events.connect_failed(reason)
        };
    }
}

/// Whether the peer did it. Before that it may have said why, which the reader finds.
fn has_been_cut(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
    )
}

/// Writes what comes next, and says how much of it has left.
pub(super) fn write_some(stream: &mut WriteHalf, outbox: &Outbox) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE_MAX];
    let filled = outbox.gather(&mut slices);
    stream.write_vectored(slices.get(..filled).unwrap_or_default())
}
