//! A connection that is made step by step on the caller's thread, to find out which step fails and why.
//!
//! It goes the way of a [`Link`](super::Link) with the same pieces, so that what it finds is what a link would meet. It is for
//! diagnosis: one question at a time, each with its time limit, and no threads.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connect::try_one;
use super::control::Control;
use super::outbox::Outbox;
use super::reason::{Peer, Reason, connect_words};
use super::resolve;
use super::stream::{ReadHalf, Stream, WriteHalf};
use super::tls::Session;
use super::writer::write_some;
use crate::kafka::config::HostPort;
use crate::kafka::wire::frame::{Deframer, RequestFrame};
use crate::tls::TlsConfig;

/// What one read may bring.
const READ_BYTES_MAX: usize = 16 * 1024;

/// A connection under test. Dropping it closes it.
#[derive(Debug)]
pub struct Probe {
    peer: Peer,
    address: HostPort,
    timeout: Duration,
    stream: Arc<Stream>,
    deframer: Deframer,
    halves: Option<(ReadHalf, WriteHalf)>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeFailure {
    /// One line that names the peer.
    pub words: String,
    /// One side does not accept the other's certificate.
    pub is_refusal: bool,
    /// The peer closed the connection.
    pub is_end: bool,
}

impl From<Reason> for ProbeFailure {
    fn from(reason: Reason) -> Self {
        Self {
            words: reason.words,
            is_refusal: reason.is_refusal,
            is_end: false,
        }
    }
}

/// The addresses of a host.
///
/// # Errors
/// One line, when it has none or nobody says within `timeout`.
pub fn look_up(address: &HostPort, timeout: Duration) -> Result<Vec<SocketAddr>, String> {
    let peer = Peer::new("probe", address);
    let deadline = Instant::now() + timeout;
    let lookup = Box::new(resolve::system_lookup);
    resolve::resolve(
        &peer,
        "probe",
        address,
        lookup,
        deadline,
        &Control::default(),
    )
}

impl Probe {
    /// Connects to one address of a host. `name` is what the peer is called in reasons.
    ///
    /// # Errors
    /// How it ended, to follow the address: "refused", "timed out after 5.0 s".
    pub fn connect(
        name: &str,
        address: &HostPort,
        ip: SocketAddr,
        timeout: Duration,
    ) -> Result<Probe, String> {
        let stream = try_one(ip, timeout, &Control::default())
            .map_err(|error| connect_words(&error, timeout))?;
        Ok(Probe {
            peer: Peer::new(name, address),
            address: address.clone(),
            timeout,
            stream,
            deframer: Deframer::new(),
            halves: None,
        })
    }

    /// Shakes hands, before anything else is said. Tells what was agreed on: "TLS 1.3".
    ///
    /// # Errors
    /// Why not, to follow the peer and a colon.
    pub fn encrypt(&mut self, tls: &TlsConfig) -> Result<&'static str, String> {
        let deadline = Instant::now() + self.timeout;
        let session = Session::establish(tls, &self.address, &self.stream, deadline)
            .map_err(|failure| failure.words)?;
        let version = session.version();
        self.stream.encrypt(session);
        Ok(version)
    }

    /// Sends a request and waits for its answer: a frame without its length.
    ///
    /// # Errors
    /// Why there is none; nothing more can be asked then.
    pub fn ask(&mut self, request: RequestFrame) -> Result<Vec<u8>, ProbeFailure> {
        let deadline = Instant::now() + self.timeout;
        let stream = &self.stream;
        let (reader, writer) = self.halves.get_or_insert_with(|| {
            (
                ReadHalf::new(Arc::clone(stream)),
                WriteHalf::new(Arc::clone(stream)),
            )
        });
        let mut outbox = Outbox::default();
        outbox.push(request);
        while !outbox.is_empty() {
            let written = stream
                .limit(deadline)
                .and_then(|()| write_some(writer, &outbox));
            // What the peer said before it cut the connection says more, and is read below.
            let Ok(written) = written else { break };
            let Ok(()) = outbox.advance(written, |_| Ok::<(), std::convert::Infallible>(()));
        }
        let mut buffer = vec![0; READ_BYTES_MAX];
        loop {
            match self.deframer.next_frame() {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => {}
                Err(error) => return Err(Reason::from(self.peer.has(&error)).into()),
            }
            let read = stream
                .limit(deadline)
                .and_then(|()| reader.read(&mut buffer));
            match read {
                Ok(0) => {
                    let is_end = true;
                    let failure = ProbeFailure::from(Reason::from(self.peer.closed()));
                    return Err(ProbeFailure { is_end, ..failure });
                }
                Ok(bytes) => self.deframer.push(buffer.get(..bytes).unwrap_or_default()),
                Err(error) if super::stream::is_timeout(&error) => {
                    let words = format!("no answer within {:.1?}", self.timeout);
                    return Err(Reason::from(self.peer.has(&words)).into());
                }
                Err(error) => return Err(self.peer.lost(&error).into()),
            }
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.stream.shutdown();
    }
}
