//! One TLS connection for the two threads of a link.
//!
//! rustls keeps both directions in one object, so the threads share it under a lock. Invariant: the lock is held while bytes are
//! sealed or opened, which takes microseconds, and never while a socket is read or written: each thread moves sealed bytes
//! between the socket and a buffer of its own without it. Records must leave in the order in which they were sealed, so only the
//! writer takes sealed bytes out; what the reader's side gives rise to (the answer to a key update) leaves before the writer's
//! next record, as RFC 8446, section 4.6.3, wants it. The one exception is the goodbye (`close_notify`, or the alert that
//! says what is wrong), which goes out at the link's end, unless the writer is in the middle of a record then.
//!
//! A stream that ends without a goodbye is taken like one with it: what is missing shows in the frames and in the answers.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ProtocolVersion};

use super::stream::{Stream, is_timeout};
use crate::foreign::os_words;
use crate::kafka::config::HostPort;
use crate::tls::{Names, TlsConfig, explain, is_refusal};

/// How much is sealed at a time: the writer's buffer is about as large.
const SEALED_BYTES_MAX: usize = 256 * 1024;
/// What one read of the socket may bring during the handshake and after it; a record has 16 KiB and some.
pub(super) const READ_BYTES_MAX: usize = 32 * 1024;

/// The type of a record with what the two sides have to say.
const APPLICATION_DATA: u8 = 23;

/// The way out is free; the writer is on it; the goodbye was said on it.
const FREE: u8 = 0;
const TAKEN: u8 = 1;
const CLOSED: u8 = 2;

/// An established TLS connection. See the module.
#[derive(Debug)]
pub(super) struct Session {
    connection: Mutex<ClientConnection>,
    way_out: AtomicU8,
    has_identity: bool,
}

impl Session {
    /// Shakes hands with `address` over a connected stream; the certificate and the host's name are verified.
    ///
    /// # Errors
    /// Why it failed.
    pub(super) fn establish(
        config: &TlsConfig,
        address: &HostPort,
        stream: &Stream,
        deadline: Instant,
    ) -> Result<Session, TlsFailure> {
        let has_identity = config.has_identity();
        let mut connection = ClientConnection::new(config.client(), server_name(address)?)
            .map_err(|error| TlsFailure::of(&error, has_identity))?;
        connection.set_buffer_limit(Some(SEALED_BYTES_MAX));
        let mut handshake = Handshake {
            connection,
            stream,
            deadline,
            has_identity,
            speaks_http: None,
        };
        handshake.run()?;
        Ok(Session {
            connection: Mutex::new(handshake.connection),
            way_out: AtomicU8::new(FREE),
            has_identity,
        })
    }

    /// Which version of the protocol was agreed on.
    pub(super) fn version(&self) -> &'static str {
        match self.lock().protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            _ => "TLS",
        }
    }

    /// Opens what it can of `sealed`, which it moves on behind what was taken, into `buffer`.
    ///
    /// # Errors
    /// `InvalidData`, around a [`TlsFailure`], when the peer broke the protocol or broke off.
    pub(super) fn open(&self, sealed: &mut &[u8], buffer: &mut [u8]) -> io::Result<Opened> {
        let mut connection = self.lock();
        loop {
            match connection.reader().read(buffer) {
                Ok(0) => return Ok(Opened::Goodbye),
                Ok(bytes) => return Ok(Opened::Bytes(bytes)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            // rustls repeats its error: what was opened before it is taken by now.
            connection.process_new_packets().map_err(|error| {
                let failure = TlsFailure::of(&error, self.has_identity);
                io::Error::new(io::ErrorKind::InvalidData, failure)
            })?;
            if sealed.is_empty() {
                return Ok(Opened::NotYet);
            }
            connection.read_tls(sealed)?;
            // Its error is told above, behind what was opened before it.
            let _ = connection.process_new_packets();
        }
    }

    /// Seals the beginning of `slices` into `sealed`, and tells how much it took: at least one byte of what is not empty.
    /// Until [`Session::has_left`] nobody else may send.
    ///
    /// # Errors
    /// `BrokenPipe` after the goodbye, and where the reader has found the connection broken; a [`TlsFailure`] when the keys are
    /// used up.
    pub(super) fn seal(&self, slices: &[IoSlice<'_>], sealed: &mut Vec<u8>) -> io::Result<usize> {
        self.take_way_out()
            .ok_or(io::Error::from(io::ErrorKind::BrokenPipe))?;
        let mut connection = self.lock();
        let Ok(taken) = connection.writer().write_vectored(slices) else {
            // The peer broke the protocol, which the reader tells. Nothing was sealed, so that the alert may go out.
            self.has_left();
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        while connection.wants_write() {
            connection.write_tls(sealed)?;
        }
        if taken > 0 && !ends_in_data(sealed) {
            // What never leaves must not count as written.
            let words =
                "this TLS 1.2 connection has carried as much as its keys may seal; another is made";
            return Err(io::Error::other(TlsFailure::other(words)));
        }
        Ok(taken)
    }

    /// What was sealed has left.
    pub(super) fn has_left(&self) {
        self.way_out.store(FREE, Ordering::Release);
    }

    /// The goodbye, or the alert that tells the peer what was wrong, for whoever ends the link to send; empty if it cannot be
    /// sent any more. Nothing can be sealed afterwards.
    pub(super) fn goodbye(&self) -> Vec<u8> {
        let mut sealed = Vec::new();
        if self.take_way_out().is_some() {
            self.way_out.store(CLOSED, Ordering::Release);
            let mut connection = self.lock();
            connection.send_close_notify();
            while connection.wants_write() && connection.write_tls(&mut sealed).is_ok() {}
        }
        sealed
    }

    fn take_way_out(&self) -> Option<u8> {
        self.way_out
            .compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed)
            .ok()
    }

    fn lock(&self) -> MutexGuard<'_, ClientConnection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the last of these records is application data (RFC 8446, section 5.1). With TLS 1.2 and AES-GCM rustls seals no more
/// than 2^24 records under the same keys: then it says goodbye, and claims all the same to have taken what it drops.
fn ends_in_data(mut sealed: &[u8]) -> bool {
    let mut last = None;
    while let [kind, _, _, high, low, rest @ ..] = sealed {
        last = Some(*kind);
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        sealed = rest.get(length..).unwrap_or_default();
    }
    last == Some(APPLICATION_DATA)
}

/// What [`Session::open`] came to.
pub(super) enum Opened {
    /// So many bytes.
    Bytes(usize),
    /// More sealed bytes are needed.
    NotYet,
    /// The peer has said goodbye.
    Goodbye,
}

/// From a connected stream to an established connection. One thread, which waits for the socket, at most until the deadline.
struct Handshake<'a> {
    connection: ClientConnection,
    stream: &'a Stream,
    deadline: Instant,
    has_identity: bool,
    /// Known when the first bytes have come.
    speaks_http: Option<bool>,
}

impl Handshake<'_> {
    fn run(&mut self) -> Result<(), TlsFailure> {
        let mut buffer = vec![0; READ_BYTES_MAX];
        self.send()?;
        while self.connection.is_handshaking() {
            let bytes = self
                .stream
                .read_until(&mut buffer, self.deadline)
                .map_err(|error| TlsFailure::lost(&error))?;
            let received = buffer.get(..bytes).unwrap_or_default();
            if received.is_empty() {
                return Err(TlsFailure::ended());
            }
            self.speaks_http
                .get_or_insert(received.starts_with(b"HTTP"));
            let taken = self.take(received);
            // Also what tells the peer that we do not go on.
            let sent = self.send();
            taken?;
            sent?;
        }
        Ok(())
    }

    fn take(&mut self, mut received: &[u8]) -> Result<(), TlsFailure> {
        while !received.is_empty() {
            self.connection
                .read_tls(&mut received)
                .map_err(|error| TlsFailure::lost(&error))?;
            if let Err(error) = self.connection.process_new_packets() {
                return Err(if self.speaks_http == Some(true) {
                    TlsFailure::other("it speaks HTTP, not TLS: check the address")
                } else {
                    TlsFailure::of(&error, self.has_identity)
                });
            }
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), TlsFailure> {
        let mut sealed = Vec::new();
        while self.connection.wants_write() {
            self.connection
                .write_tls(&mut sealed)
                .map_err(|error| TlsFailure::lost(&error))?;
        }
        self.stream
            .write_all_until(&sealed, self.deadline)
            .map_err(|error| TlsFailure::lost(&error))
    }
}

/// The name that the certificate must have. A trailing dot, which marks a name as absolute in the domain name system, is no part
/// of it (RFC 6066, section 3).
pub(super) fn server_name(address: &HostPort) -> Result<ServerName<'static>, TlsFailure> {
    let host = address.host.strip_suffix('.').unwrap_or(&address.host);
    ServerName::try_from(host.to_owned())
        .map_err(|_| TlsFailure::of(&rustls::Error::UnsupportedNameType, false))
}

/// Why encryption failed.
#[derive(Debug)]
pub(super) struct TlsFailure {
    /// To follow the peer's address and a colon.
    pub(super) words: String,
    /// One side does not accept the other's certificate.
    pub(super) is_refusal: bool,
}

impl TlsFailure {
    fn of(error: &rustls::Error, has_identity: bool) -> Self {
        Self {
            words: explain(error, Names::KAFKA, has_identity),
            is_refusal: is_refusal(error),
        }
    }

    fn other(words: &str) -> Self {
        Self {
            words: words.to_owned(),
            is_refusal: false,
        }
    }

    /// The network ended the handshake.
    fn lost(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::ended(),
            _ if is_timeout(error) => Self::other(
                "it does not answer the TLS handshake: does this port speak TLS? Check KAFKA_SECURITY_PROTOCOL",
            ),
            _ => Self::other(&format!("the TLS handshake failed: {}", os_words(error))),
        }
    }

    /// What a broker does whose port is plaintext: it takes the handshake for the length of a request, far too long a one.
    fn ended() -> Self {
        Self::other(
            "it closed the connection during the TLS handshake: does this port speak TLS? Check KAFKA_SECURITY_PROTOCOL",
        )
    }

    /// The failure that [`Session::open`] put into an error of the system's kind.
    pub(super) fn within(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for TlsFailure {}
