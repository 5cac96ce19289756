//! How a request reaches a server: the socket is ureq's, encryption is that of [`TlsConfig`], shared with brokers.
//!
//! Invariant: an `https` URL is never spoken to in the clear; an error of TLS reaches the caller as it is, inside an
//! `io::Error`; TLS where plain HTTP was expected is told as such. No proxy, no verification that could be switched off.

use std::io::{self, Read as _, Write as _};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use ureq::Error;
use ureq::unversioned::transport::time::{Duration, Instant};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

use super::inner;
use crate::tls::TlsConfig;

/// How records of TLS begin: an alert or a handshake message, of any version (RFC 8446, section 5.1).
const TLS_ALERT: u8 = 21;
const TLS_HANDSHAKE: u8 = 22;
const TLS_MAJOR: u8 = 3;

/// A server that was spoken to in plain HTTP answers in TLS.
#[derive(Debug)]
pub(super) struct SpeaksTls;

impl std::fmt::Display for SpeaksTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the server speaks TLS")
    }
}

impl std::error::Error for SpeaksTls {}

/// A server says nothing in the TLS handshake.
#[derive(Debug)]
pub(super) struct SilentInTls;

impl std::fmt::Display for SilentInTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no answer to the TLS handshake in time; does this port speak TLS?")
    }
}

impl std::error::Error for SilentInTls {}

/// Wraps a socket as the URL's scheme asks for.
#[derive(Debug)]
pub(super) struct Wrapping {
    pub(super) tls: Option<TlsConfig>,
}

impl<In: Transport> Connector<In> for Wrapping {
    type Out = Either<Plain<In>, Encrypted<In>>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(inner) = chained else {
            return Err(Error::ConnectionFailed);
        };
        if !details.needs_tls() {
            let heard = false;
            return Ok(Some(Either::A(Plain { inner, heard })));
        }
        let config = self.tls.as_ref().ok_or(Error::TlsRequired)?;
        let host = details.uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        // A trailing dot is no part of the name that certificates are for (RFC 6066, section 3).
        let bare = bare.strip_suffix('.').unwrap_or(bare);
        let name = ServerName::try_from(bare)
            .map_err(|_| of_tls(rustls::Error::UnsupportedNameType))?
            .to_owned();
        let connection = ClientConnection::new(config.client(), name).map_err(of_tls)?;
        let mut socket = TransportAdapter::new(inner, details.current_time.clone());
        socket.set_timeout(left(details));
        let mut stream = StreamOwned::new(connection, socket);
        stream
            .conn
            .complete_io(&mut stream.sock)
            .map_err(in_handshake)?;
        let config = details.config;
        Ok(Some(Either::B(Encrypted {
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
            stream,
        })))
    }
}

fn of_tls(error: rustls::Error) -> Error {
    Error::Io(io::Error::new(io::ErrorKind::InvalidData, error))
}

fn in_handshake(error: io::Error) -> Error {
    let timed_out = matches!(inner(&error), Some(Error::Timeout(_)));
    Error::Io(if timed_out {
        io::Error::new(io::ErrorKind::TimedOut, SilentInTls)
    } else {
        error
    })
}

/// What connecting has left of the time for it.
fn left(details: &ConnectionDetails) -> NextTimeout {
    let mut timeout = details.timeout;
    if let (Duration::Exact(after), Instant::Exact(started)) = (timeout.after, details.now) {
        timeout.after = Duration::Exact(after.saturating_sub(started.elapsed()));
    }
    timeout
}

/// As the socket is.
#[derive(Debug)]
pub(super) struct Plain<In> {
    inner: In,
    heard: bool,
}

impl<In: Transport> Transport for Plain<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let progress = self.inner.await_input(timeout)?;
        if !self.heard
            && let [TLS_ALERT | TLS_HANDSHAKE, TLS_MAJOR, ..] = self.inner.buffers().input()
        {
            return Err(Error::Io(io::Error::new(
                io::ErrorKind::InvalidData,
                SpeaksTls,
            )));
        }
        self.heard |= progress;
        Ok(progress)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }
}

/// TLS over the socket.
pub(super) struct Encrypted<In: Transport> {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter<In>>,
}

impl<In: Transport> Transport for Encrypted<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.stream.write_all(output)?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl<In: Transport> std::fmt::Debug for Encrypted<In> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encrypted").finish_non_exhaustive()
    }
}
