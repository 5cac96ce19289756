//! The one stream type that a link's threads read from and write to.
//!
//! It is shared: one thread writes, one reads, and anybody may shut it down, which is what ends a wait in any of its
//! methods. It never waits for longer than its caller asked, except for a peer that neither reads nor sends: for that
//! there is [`Stream::shutdown`]. Whether it is encrypted is settled before the threads begin.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use super::tls::{Opened, READ_BYTES_MAX, Session};

/// A connection that is silent for so long is probed,
const KEEPALIVE_IDLE_S: u64 = 60;
/// so often,
const KEEPALIVE_INTERVAL_S: u64 = 10;
/// so many times, and then counts as gone.
#[cfg(unix)]
const KEEPALIVE_PROBES_MAX: u32 = 6;

/// A TCP socket, from before it is connected until it is dropped.
#[derive(Debug)]
pub(super) struct Stream {
    socket: Socket,
    tls: OnceLock<Session>,
}

impl Stream {
    /// An unconnected stream for addresses of that family.
    pub(super) fn new(address: SocketAddr) -> io::Result<Stream> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        Ok(Stream {
            socket,
            tls: OnceLock::new(),
        })
    }

    /// Connects, once a stream. Fails at once, or as soon as, the stream is shut down.
    pub(super) fn connect(&self, address: SocketAddr, timeout: Duration) -> io::Result<()> {
        self.socket.connect_timeout(&address.into(), timeout)?;
        if self.is_connected_to_itself() {
            self.shutdown();
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        self.tune();
        Ok(())
    }

    /// From now on everything goes through `session`, which was established over this stream. Once a stream.
    pub(super) fn encrypt(&self, session: Session) {
        let is_first = self.tls.set(session).is_ok();
        debug_assert!(is_first, "a stream has one session");
    }

    /// Reads some bytes as they are on the wire; 0 at the end.
    ///
    /// # Errors
    /// `WouldBlock` or `TimedOut` when none has come by the deadline.
    pub(super) fn read_until(&self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(time_left(deadline)?))?;
        let read = uninterrupted(|| (&self.socket).read(buffer));
        self.socket.set_read_timeout(None)?;
        read
    }

    /// Writes all of `bytes` as they are.
    ///
    /// # Errors
    /// `WouldBlock` or `TimedOut` when they have not left by the deadline.
    pub(super) fn write_all_until(&self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            self.socket.set_write_timeout(Some(time_left(deadline)?))?;
            let written = uninterrupted(|| (&self.socket).write(bytes))?;
            bytes = bytes.get(written..).unwrap_or_default();
        }
        self.socket.set_write_timeout(None)
    }

    /// Bounds every wait of both halves from now on.
    ///
    /// # Errors
    /// `TimedOut` when no time is left.
    pub(super) fn limit(&self, deadline: Instant) -> io::Result<()> {
        let left = Some(time_left(deadline)?);
        self.socket.set_read_timeout(left)?;
        self.socket.set_write_timeout(left)
    }

    /// Ends every wait in [`Stream::connect`], [`ReadHalf::read`] and [`WriteHalf::write_vectored`], now and later. What
    /// had arrived before can still be read. An encrypted stream says goodbye before, if that takes no waiting.
    pub(super) fn shutdown(&self) {
        if let Some(session) = self.tls.get() {
            let goodbye = session.goodbye();
            if !goodbye.is_empty() && self.socket.set_nonblocking(true).is_ok() {
                // It is manners, and the connection ends in any case.
                let _ = (&self.socket).write(&goodbye);
            }
        }
        // Fails when there is no connection any more, or none yet; it has its effect in both cases.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Requests leave when they are written: what belongs together is gathered before. And a broker that vanished
    /// without a word is noticed even when nothing is asked of it. A system that refuses either is put up with.
    fn tune(&self) {
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(KEEPALIVE_IDLE_S))
            .with_interval(Duration::from_secs(KEEPALIVE_INTERVAL_S));
        #[cfg(unix)]
        let keepalive = keepalive.with_retries(KEEPALIVE_PROBES_MAX);
        let tuned = self
            .socket
            .set_tcp_nodelay(true)
            .and_then(|()| self.socket.set_tcp_keepalive(&keepalive));
        if let Err(error) = tuned {
            log::debug!(event = "socket"; "cannot tune a socket: {error}");
        }
    }

    /// When nobody listens on a local port of the ephemeral range, a connect may pick that very port as its own, and
    /// TCP then connects the socket to itself (RFC 9293, simultaneous open).
    fn is_connected_to_itself(&self) -> bool {
        match (self.socket.local_addr(), self.socket.peer_addr()) {
            (Ok(local), Ok(peer)) => local.as_socket() == peer.as_socket(),
            _ => false,
        }
    }
}

/// What is left of the time; an error when nothing is.
fn time_left(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}

/// Whether a wait took as long as it may.
pub(super) fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn uninterrupted<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// A stream as its reading thread has it.
#[derive(Debug)]
pub(super) struct ReadHalf {
    stream: Arc<Stream>,
    /// Sealed bytes, and which of them are not opened yet.
    sealed: Vec<u8>,
    unopened: std::ops::Range<usize>,
}

impl ReadHalf {
    pub(super) fn new(stream: Arc<Stream>) -> Self {
        let bytes = stream.tls.get().map_or(0, |_| READ_BYTES_MAX);
        Self {
            stream,
            sealed: vec![0; bytes],
            unopened: 0..0,
        }
    }

    /// Waits for bytes; 0 at the stream's end.
    ///
    /// # Errors
    /// The system's; `InvalidData`, around a [`TlsFailure`](super::tls::TlsFailure), when the peer broke the protocol or broke off.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let socket = &self.stream.socket;
        let Some(session) = self.stream.tls.get() else {
            return uninterrupted(|| (&mut &*socket).read(buffer));
        };
        loop {
            let mut sealed = self.sealed.get(self.unopened.clone()).unwrap_or_default();
            let opened = session.open(&mut sealed, buffer)?;
            self.unopened.start = self.unopened.end - sealed.len();
            match opened {
                Opened::Bytes(bytes) => return Ok(bytes),
                Opened::Goodbye => return Ok(0),
                Opened::NotYet => {}
            }
            let bytes = uninterrupted(|| (&mut &*socket).read(&mut self.sealed))?;
            if bytes == 0 {
                return Ok(0);
            }
            self.unopened = 0..bytes;
        }
    }
}

/// A stream as its writing thread has it.
#[derive(Debug)]
pub(super) struct WriteHalf {
    stream: Arc<Stream>,
    sealed: Vec<u8>,
}

impl WriteHalf {
    pub(super) fn new(stream: Arc<Stream>) -> Self {
        let sealed = Vec::new();
        Self { stream, sealed }
    }

    /// Waits until some of `slices` has been handed to the system, and says how much: at least one byte.
    ///
    /// # Errors
    /// The system's; after one nothing more can be written.
    pub(super) fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut socket = &self.stream.socket;
        let Some(session) = self.stream.tls.get() else {
            return not_nothing(uninterrupted(|| socket.write_vectored(slices))?);
        };
        self.sealed.clear();
        let taken = not_nothing(session.seal(slices, &mut self.sealed)?)?;
        socket.write_all(&self.sealed)?;
        session.has_left();
        Ok(taken)
    }
}

fn not_nothing(bytes: usize) -> io::Result<usize> {
    match bytes {
        0 => Err(io::ErrorKind::WriteZero.into()),
        bytes => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[test]
    fn requests_are_not_held_back_and_a_vanished_peer_is_noticed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = Stream::new(address).unwrap();
        stream.connect(address, PATIENCE).unwrap();
        assert!(stream.socket.tcp_nodelay().unwrap());
        assert!(stream.socket.keepalive().unwrap());
    }

    #[test]
    fn a_stream_that_was_shut_down_before_does_not_connect() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = Stream::new(address).unwrap();
        stream.shutdown();
        assert!(stream.connect(address, PATIENCE).is_err());
    }

    #[test]
    fn a_socket_that_reaches_itself_has_reached_no_broker() {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let stream = Stream::new(any_port).unwrap();
        stream.socket.bind(&any_port.into()).unwrap();
        let own_address = stream.socket.local_addr().unwrap().as_socket().unwrap();
        let error = stream.connect(own_address, PATIENCE).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
