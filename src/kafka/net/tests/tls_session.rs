//! What two threads of one encrypted link may meet each other in.

use std::io::{ErrorKind, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::spawn;
use std::time::Instant;

use rustls::crypto::{CipherSuiteCommon, CryptoProvider};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, SupportedCipherSuite, Tls12CipherSuite, version,
};
use sandbox::certificates;

use super::super::stream::Stream;
use super::super::tls::{Session, TlsFailure};
use super::tls::{GARBAGE, Peer, accept, good_server, server, trusting};
use super::{PATIENCE, listener};
use crate::kafka::config::HostPort;
use crate::tls::{TlsConfig, pem};

/// Both sides of an established connection.
fn established(tls: &TlsConfig, config: Arc<ServerConfig>) -> (Session, Peer) {
    let (listener, port) = listener();
    let serving = spawn(move || accept(&listener, &config).unwrap());
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = Stream::new(address).unwrap();
    stream.connect(address, PATIENCE).unwrap();
    let host = HostPort {
        host: "127.0.0.1".to_owned(),
        port,
    };
    let session = Session::establish(tls, &host, &stream, Instant::now() + PATIENCE).unwrap();
    (session, serving.join().unwrap())
}

fn seal(session: &Session) -> std::io::Result<Vec<u8>> {
    let mut sealed = Vec::new();
    let taken = session.seal(&[IoSlice::new(b"request")], &mut sealed)?;
    assert_eq!(taken, 7);
    session.has_left();
    Ok(sealed)
}

#[test]
fn a_writer_that_comes_after_a_bad_record_leaves_the_last_word_to_the_reader() {
    let (session, _peer) = established(&trusting(certificates::ca()), good_server());
    assert!(!seal(&session).unwrap().is_empty());
    let mut garbage = GARBAGE;
    assert!(session.open(&mut garbage, &mut [0; 100]).is_err());
    let error = seal(&session).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert!(!session.goodbye().is_empty(), "the alert goes out");
}

/// A configuration whose keys are used up after so many records.
fn with_keys_for(records: u64) -> TlsConfig {
    let mut provider: CryptoProvider = rustls_graviola::default_provider();
    provider.cipher_suites = provider
        .cipher_suites
        .iter()
        .filter_map(|suite| match suite {
            SupportedCipherSuite::Tls12(suite) => Some(*suite),
            SupportedCipherSuite::Tls13(_) => None,
        })
        .map(|suite| {
            SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                common: CipherSuiteCommon {
                    confidentiality_limit: records,
                    ..suite.common
                },
                ..*suite
            })))
        })
        .collect();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(pem::certificates(certificates::ca().bytes()).unwrap());
    let client = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConfig::of(client)
}

#[test]
fn with_keys_that_are_used_up_nothing_counts_as_written() {
    let records = 100;
    let server = server(certificates::server(), None, &[&version::TLS12]);
    let (session, _peer) = established(&with_keys_for(records), server);
    let (mut sealed, mut failed) = (0, None);
    while failed.is_none() && sealed <= records {
        match seal(&session) {
            Ok(bytes) => {
                assert!(!bytes.is_empty());
                sealed += 1;
            }
            Err(error) => failed = Some(error),
        }
    }
    // The handshake has had some of them.
    assert!(sealed > records - 5, "{sealed}");
    let failed = failed.unwrap();
    let words = &TlsFailure::within(&failed).unwrap().words;
    assert!(words.contains("as much as its keys may seal"), "{words}");
}
