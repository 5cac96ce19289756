//! TLS for every server here: what it presents, what it demands, and a connection that is in the clear or encrypted.
//!
//! TLS 1.2 and 1.3 by rustls with graviola. A handshake is done by the thread that serves the connection, before its
//! first byte, and is recorded whether it came about or not. A connection that is merely dropped ends without a
//! `close_notify`; only [`Stream::close`] sends one. Holds no key that protects anything.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    HandshakeKind, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion, version,
};

use crate::certificates::{self, Pem};

/// What a server with TLS presents and demands. The default: a good certificate, both versions, no client certificate.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    certificate: ServerCertificate,
    client_certificate: bool,
    only: Option<TlsVersion>,
}

/// What a server presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServerCertificate {
    /// By [`certificates::ca`], for `localhost`, 127.0.0.1 and `::1`; P-256.
    #[default]
    Good,
    /// The same, RSA of 2048 bits.
    Rsa,
    /// The same, by an intermediate authority, which is presented too.
    Chain,
    /// For `elsewhere.example` only.
    WrongName,
    /// Expired in 2021.
    Expired,
    /// By [`certificates::other_ca`].
    UnknownAuthority,
}

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

/// A handshake that came about, or did not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Handshake {
    /// The name that the client asked for (SNI); clients send none for an IP address.
    pub server_name: Option<String>,
    /// What was agreed on.
    pub version: Option<TlsVersion>,
    /// Whether the client presented a certificate.
    pub client_certificate: bool,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// Why it did not come about, the client's alert included.
    pub error: Option<String>,
}

impl Tls {
    /// Presents this certificate.
    #[must_use]
    pub fn certificate(self, certificate: ServerCertificate) -> Self {
        Self {
            certificate,
            ..self
        }
    }

    /// Demands a client certificate by [`certificates::ca`] (mutual TLS).
    #[must_use]
    pub fn client_certificate(self) -> Self {
        Self {
            client_certificate: true,
            ..self
        }
    }

    /// Speaks this version only.
    #[must_use]
    pub fn only(self, version: TlsVersion) -> Self {
        Self {
            only: Some(version),
            ..self
        }
    }

    pub(crate) fn server_config(&self) -> io::Result<Arc<ServerConfig>> {
        let provider = Arc::new(rustls_graviola::default_provider());
        let versions: &[&SupportedProtocolVersion] = match self.only {
            Some(TlsVersion::V1_2) => &[&version::TLS12],
            Some(TlsVersion::V1_3) => &[&version::TLS13],
            None => &[&version::TLS12, &version::TLS13],
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(io::Error::other)?;
        let builder = if self.client_certificate {
            let mut roots = RootCertStore::empty();
            for certificate in chain(certificates::ca())? {
                roots.add(certificate).map_err(io::Error::other)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(io::Error::other)?;
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let (presented, key) = self.certificate.files();
        let key = PrivateKeyDer::from_pem_slice(key.bytes()).map_err(io::Error::other)?;
        let config = builder
            .with_single_cert(chain(presented)?, key)
            .map_err(io::Error::other)?;
        Ok(Arc::new(config))
    }
}

impl ServerCertificate {
    fn files(self) -> (Pem, Pem) {
        let presented = match self {
            Self::Good => certificates::server(),
            Self::Rsa => return (certificates::server_rsa(), certificates::server_rsa_key()),
            Self::Chain => certificates::server_chain(),
            Self::WrongName => certificates::server_wrong_name(),
            Self::Expired => certificates::server_expired(),
            Self::UnknownAuthority => certificates::server_unknown_authority(),
        };
        (presented, certificates::server_key())
    }
}

fn chain(pem: Pem) -> io::Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem.bytes())
        .collect::<Result<_, _>>()
        .map_err(io::Error::other)
}

/// A connection's bytes.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    /// Does the handshake, if there is to be one, and tells `note` of it; `None` if it did not come about.
    pub(crate) fn accept(
        stream: TcpStream,
        config: Option<&Arc<ServerConfig>>,
        note: impl FnOnce(Handshake),
    ) -> Option<Self> {
        let _delay = stream.set_nodelay(true);
        let Some(config) = config else {
            return Some(Self::Plain(stream));
        };
        let connection = ServerConnection::new(Arc::clone(config)).ok()?;
        let mut stream = StreamOwned::new(connection, stream);
        let mut done = Ok(());
        while done.is_ok() && stream.conn.is_handshaking() {
            done = stream.conn.complete_io(&mut stream.sock).map(drop);
        }
        note(Handshake::of(&stream.conn, done.as_ref().err()));
        done.ok().map(|()| Self::Tls(Box::new(stream)))
    }

    /// Changes the keys that the server sends with, and says so (`KeyUpdate`); only TLS 1.3 has that.
    pub(crate) fn update_keys(&mut self) {
        if let Self::Tls(stream) = self {
            // TLS 1.2 refuses, and goes on with the keys it has.
            let _refused = stream.conn.refresh_traffic_keys();
        }
    }

    /// Says that nothing more will be sent. What the client still sends can be read.
    pub(crate) fn close(&mut self) {
        if let Self::Tls(stream) = self {
            stream.conn.send_close_notify();
            // The client may be gone already.
            let _gone = stream.flush();
        }
    }

    /// Sends bytes past TLS, as whoever sits on the wire could.
    pub(crate) fn write_beneath(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes),
            Self::Tls(stream) => stream.sock.write_all(bytes),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl Handshake {
    fn of(connection: &ServerConnection, error: Option<&io::Error>) -> Self {
        Self {
            server_name: connection.server_name().map(str::to_owned),
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => Some(TlsVersion::V1_2),
                Some(ProtocolVersion::TLSv1_3) => Some(TlsVersion::V1_3),
                _ => None,
            },
            client_certificate: connection.peer_certificates().is_some(),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            error: error.map(ToString::to_string),
        }
    }
}
