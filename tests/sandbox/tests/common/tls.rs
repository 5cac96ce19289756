//! The client's side of TLS: rustls, which verifies what it is shown against `certificates::ca`.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version,
};
use sandbox::certificates::{self, Pem};

use super::{Client, PATIENCE};

pub(crate) const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];

pub(crate) type Encrypted = StreamOwned<ClientConnection, Counted>;

/// A socket that counts what it receives.
pub(crate) struct Counted {
    pub(crate) socket: TcpStream,
    pub(crate) received: usize,
}

/// Trusts the one authority; presents nothing.
pub(crate) fn config(versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    builder(versions).with_no_client_auth()
}

/// Presents this certificate.
pub(crate) fn config_with(certificate: Pem, key: Pem) -> ClientConfig {
    let key = PrivateKeyDer::from_pem_slice(key.bytes()).unwrap();
    builder(BOTH)
        .with_client_auth_cert(chain(certificate), key)
        .unwrap()
}

fn builder(
    versions: &[&'static SupportedProtocolVersion],
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(certificates::ca()) {
        roots.add(certificate).unwrap();
    }
    ClientConfig::builder_with_provider(Arc::new(rustls_graviola::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
}

fn chain(pem: Pem) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.bytes())
        .collect::<Result<_, _>>()
        .unwrap()
}

/// Connects and does the handshake, with this name or address for the server.
pub(crate) fn handshake(
    address: SocketAddr,
    name: &str,
    config: ClientConfig,
) -> io::Result<Encrypted> {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let counted = Counted {
        socket,
        received: 0,
    };
    let mut stream = StreamOwned::new(connection, counted);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// A client of the first node that trusts it.
pub(crate) fn connect(sandbox: &sandbox::Sandbox) -> Client<Encrypted> {
    let address = sandbox.address(1).unwrap();
    Client::over(handshake(address, "127.0.0.1", config(BOTH)).unwrap())
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.socket.read(buffer)?;
        self.received += read;
        Ok(read)
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    // An alert goes out with one write, or not at all.
    fn write_vectored(&mut self, bytes: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.socket.write_vectored(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}
