//! The one stream type that a link's threads read from and write to.
//!
//! It is shared: one thread writes, one reads, and anybody may shut it down, which is what ends a wait in any of its
//! methods. It never waits for longer than its caller asked, except for a peer that neither reads nor sends: for that
//! there is [`Stream::shutdown`].

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

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
}

impl Stream {
    /// An unconnected stream for addresses of that family.
    pub(super) fn new(address: SocketAddr) -> io::Result<Stream> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        Ok(Stream { socket })
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

    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.socket).read(buffer)
    }

    pub(super) fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (&self.socket).write_vectored(slices)
    }

    /// Ends every wait in [`Stream::connect`], [`Stream::read`] and [`Stream::write_vectored`], now and later. What
    /// had arrived before can still be read.
    pub(super) fn shutdown(&self) {
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
            log::debug!("cannot tune a socket: {error}");
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
