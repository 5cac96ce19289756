//! Encrypted links against TLS servers on loopback, each as ill-behaved as its test needs.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{JoinHandle, spawn};

use crossbeam_channel::{Receiver, unbounded};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion, version,
};
use sandbox::certificates::{self, Pem};

use super::super::tls::server_name;
use super::{
    CONNECTION, NEVER, PATIENCE, closed, config, frame, framed, huge_request, join, listener, next,
    nothing_follows, request, written,
};
use crate::kafka::config::HostPort;
use crate::kafka::net::{Link, LinkEvent};
use crate::tls::pem::{self, Identity};
use crate::tls::{Roots, TlsConfig};

pub(super) type Peer = StreamOwned<ServerConnection, TcpStream>;

/// A record that nobody sealed.
pub(super) const GARBAGE: &[u8] = b"\x17\x03\x03\x00\x10not what it says";

const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];

pub(super) fn trusting(ca: Pem) -> TlsConfig {
    TlsConfig::new(&Roots::Given(pem::certificates(ca.bytes()).unwrap()), None).unwrap()
}

fn with_identity(certificate: Pem, key: Pem) -> TlsConfig {
    let chain = pem::certificates(certificate.bytes()).unwrap();
    let identity = Identity::new(chain, pem::key(key.bytes()).unwrap());
    let roots = Roots::Given(pem::certificates(certificates::ca().bytes()).unwrap());
    TlsConfig::new(&roots, Some(&identity)).unwrap()
}

fn chain(pem: Pem) -> Vec<CertificateDer<'static>> {
    pem::certificates(pem.bytes()).unwrap()
}

/// A server that shows this certificate, and demands one if `client_ca` is there.
pub(super) fn server(
    certificate: Pem,
    client_ca: Option<Pem>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls_graviola::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap();
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(chain(ca));
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::from_pem_slice(certificates::server_key().bytes()).unwrap();
    let config = builder.with_single_cert(chain(certificate), key);
    Arc::new(config.unwrap())
}

pub(super) fn good_server() -> Arc<ServerConfig> {
    server(certificates::server(), None, BOTH)
}

/// The server's side of the next connection, once hands are shaken, or as far as that went.
pub(super) fn accept(listener: &TcpListener, config: &Arc<ServerConfig>) -> std::io::Result<Peer> {
    let (socket, _) = listener.accept().unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    let mut peer = StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), socket);
    while peer.conn.is_handshaking() || peer.conn.wants_write() {
        peer.conn.complete_io(&mut peer.sock)?;
    }
    Ok(peer)
}

/// A link that begins to connect, and its events.
fn open(tls: &TlsConfig, host: &str, port: u16) -> (Link, Receiver<LinkEvent>) {
    let (events, receiver) = unbounded();
    let mut config = config(host, port);
    config.tls = Some(tls.clone());
    (Link::open(config, events).unwrap(), receiver)
}

/// A link that is connected, its peer, and its events.
fn connected_to(config: &Arc<ServerConfig>, tls: &TlsConfig) -> (Link, Peer, Receiver<LinkEvent>) {
    let (listener, port) = listener();
    let (link, events) = open(tls, "127.0.0.1", port);
    let peer = accept(&listener, config).unwrap();
    let connection = CONNECTION;
    assert_eq!(next(&events), LinkEvent::Connected { connection });
    (link, peer, events)
}

pub(super) fn connected() -> (Link, Peer, Receiver<LinkEvent>) {
    connected_to(&good_server(), &trusting(certificates::ca()))
}

/// Why no link comes about with this server, and how its side of the handshake ended.
fn refused(
    tls: &TlsConfig,
    host: &str,
    serve: impl FnOnce(TcpListener) -> std::io::Result<Peer> + Send + 'static,
) -> String {
    let (listener, port) = listener();
    let serving: JoinHandle<_> = spawn(move || serve(listener));
    let (link, events) = open(tls, host, port);
    let LinkEvent::ConnectFailed {
        reason, is_refusal, ..
    } = next(&events)
    else {
        panic!("connected");
    };
    assert_eq!(is_refusal, reason.contains("certificate"), "{reason}");
    assert_eq!(join(link), Ok(()));
    nothing_follows(&events);
    drop(serving.join().unwrap());
    reason.replace(&format!(":{port}"), ":PORT")
}

fn refused_by(certificate: Pem, ca: Pem, host: &str) -> String {
    let config = server(certificate, None, BOTH);
    refused(&trusting(ca), host, move |listener| {
        let accepted = accept(&listener, &config);
        assert!(accepted.is_err(), "the client has shaken hands");
        accepted
    })
}

#[test]
fn requests_and_answers_pass_in_both_versions() {
    for version in [&version::TLS12, &version::TLS13] {
        let config = server(certificates::server_chain(), None, &[version]);
        let (link, mut peer, events) = connected_to(&config, &trusting(certificates::ca()));
        assert_eq!(peer.conn.protocol_version(), Some(version.version));
        assert_eq!(peer.conn.server_name(), None, "an address is no name");
        assert_eq!(peer.conn.alpn_protocol(), None);
        link.send(request(1, b"ping")).unwrap();
        let mut received = [0; 4];
        peer.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"ping");
        assert_eq!(next(&events), written(1));
        let answer = vec![b'a'; 200_000];
        peer.write_all(&framed(&answer)).unwrap();
        peer.flush().unwrap();
        assert_eq!(*frame(&events), *answer);
        peer.conn.send_close_notify();
        peer.flush().unwrap();
        assert!(closed(link, &events).ends_with("closed the connection"));
    }
}

#[test]
fn a_peer_that_does_not_read_stalls_no_answer_and_no_close() {
    let (link, mut peer, events) = connected();
    link.send(huge_request(1)).unwrap();
    // The writer fills the socket and waits; meanwhile, answers come through.
    for n in 0..20_u8 {
        peer.write_all(&framed(&vec![n; 70_000])).unwrap();
        peer.flush().unwrap();
        assert_eq!(frame(&events)[0], n);
    }
    link.close();
    assert_eq!(join(link), Ok(()));
    nothing_follows(&events);
    // In the middle of a record no goodbye can be said.
    let end = std::io::copy(&mut peer, &mut std::io::sink()).unwrap_err();
    assert_eq!(end.kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn what_is_large_arrives_whole_while_answers_come() {
    let (link, peer, events) = connected();
    let Peer { mut conn, mut sock } = peer;
    link.send(huge_request(1)).unwrap();
    link.send(request(2, b"last")).unwrap();
    let mut received = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    while !received.ends_with(b"last") {
        conn.complete_io(&mut sock).unwrap();
        let mut peer = rustls::Stream::new(&mut conn, &mut sock);
        let bytes = peer.read(&mut buffer).unwrap();
        received.extend_from_slice(&buffer[..bytes]);
        if received.len() / (1 << 22) > (received.len() - bytes) / (1 << 22) {
            peer.write_all(&framed(b"answer")).unwrap();
        }
    }
    assert_eq!(received.len(), 4 + (64 << 20) + 4);
    let (mut answers, mut sent) = (0, Vec::new());
    while answers < 16 || sent.len() < 2 {
        match next(&events) {
            LinkEvent::Frame { frame, .. } if *frame == *b"answer" => answers += 1,
            LinkEvent::Written { correlation_id, .. } => sent.push(correlation_id),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(sent, [1, 2]);
    link.close();
    assert_eq!(join(link), Ok(()));
}

#[test]
fn keys_that_are_changed_meanwhile_change_nothing() {
    let config = server(certificates::server(), None, &[&version::TLS13]);
    let (link, mut peer, events) = connected_to(&config, &trusting(certificates::ca()));
    for n in 0..50_u8 {
        // It also asks for new keys of ours, which are due before our next record.
        peer.conn.refresh_traffic_keys().unwrap();
        peer.write_all(&framed(&[n; 10])).unwrap();
        peer.flush().unwrap();
        assert_eq!(*frame(&events), [n; 10]);
        link.send(request(i32::from(n), &[n; 10])).unwrap();
        let mut received = [0; 10];
        peer.read_exact(&mut received).unwrap();
        assert_eq!(received, [n; 10]);
        assert_eq!(next(&events), written(i32::from(n)));
    }
    link.close();
    assert_eq!(join(link), Ok(()));
}

#[test]
fn the_peer_is_told_goodbye() {
    let (link, mut peer, _events) = connected();
    link.close();
    assert_eq!(join(link), Ok(()));
    // Without it this is an error: UnexpectedEof.
    assert_eq!(peer.read(&mut [0; 16]).unwrap(), 0);
}

#[test]
fn a_stream_that_ends_in_mid_answer_or_without_a_goodbye_is_told() {
    let (link, mut peer, events) = connected();
    peer.write_all(&framed(b"answer")[..7]).unwrap();
    peer.flush().unwrap();
    drop(peer);
    assert!(closed(link, &events).ends_with("in the middle of a response"));
    let (link, peer, events) = connected();
    drop(peer);
    assert!(closed(link, &events).ends_with("closed the connection"));
}

#[test]
fn garbage_among_the_records_ends_the_link_and_the_peer_is_told_why() {
    let (link, peer, events) = connected();
    let Peer { mut conn, mut sock } = peer;
    sock.write_all(b"\x17\x03\x03\x00\x10not what it says")
        .unwrap();
    let reason = closed(link, &events);
    assert!(reason.contains("it broke the TLS protocol"), "{reason}");
    let told = loop {
        conn.read_tls(&mut sock).unwrap();
        if let Err(error) = conn.process_new_packets() {
            break error;
        }
    };
    assert_eq!(
        told,
        rustls::Error::AlertReceived(rustls::AlertDescription::BadRecordMac)
    );
}

#[test]
fn an_answer_that_came_before_garbage_is_delivered_before_the_end() {
    let (link, peer, events) = connected();
    let Peer { mut conn, mut sock } = peer;
    let mut bytes = Vec::new();
    conn.writer().write_all(&framed(b"answer")).unwrap();
    while conn.wants_write() {
        conn.write_tls(&mut bytes).unwrap();
    }
    bytes.extend_from_slice(GARBAGE);
    sock.write_all(&bytes).unwrap();
    assert_eq!(*frame(&events), *b"answer");
    let reason = closed(link, &events);
    assert!(reason.contains("it broke the TLS protocol"), "{reason}");
}

#[test]
fn a_second_link_resumes_the_session_of_the_first() {
    let (config, tls) = (good_server(), trusting(certificates::ca()));
    let kind = |tls: &TlsConfig| {
        let (link, mut peer, events) = connected_to(&config, tls);
        let kind = peer.conn.handshake_kind().unwrap();
        // Tickets come with the first answer.
        peer.write_all(&framed(b"answer")).unwrap();
        peer.flush().unwrap();
        frame(&events);
        link.close();
        assert_eq!(join(link), Ok(()));
        kind
    };
    assert_eq!(kind(&tls), HandshakeKind::Full);
    assert_eq!(kind(&tls.clone()), HandshakeKind::Resumed);
}

#[test]
fn each_form_of_key_and_certificate_is_shown_to_a_peer_that_demands_one() {
    use certificates as c;
    let demanding = server(c::server(), Some(c::ca()), BOTH);
    for (certificate, key) in [
        (c::client(), c::client_key()),
        (c::client(), c::client_key_sec1()),
        (c::client_chain(), c::client_key()),
        (c::client_rsa(), c::client_rsa_key()),
        (c::client_rsa(), c::client_rsa_key_pkcs1()),
    ] {
        let (link, peer, _events) = connected_to(&demanding, &with_identity(certificate, key));
        let shown = peer.conn.peer_certificates().unwrap();
        assert_eq!(shown, chain(certificate));
        link.close();
        assert_eq!(join(link), Ok(()));
    }
}

/// Scenario 38.
#[test]
fn a_certificate_that_is_not_to_be_trusted_is_refused_with_its_reason_and_what_to_do() {
    use certificates as c;
    let connect = "connect to 127.0.0.1:PORT failed: ";
    assert_eq!(
        refused_by(c::server_wrong_name(), c::ca(), "127.0.0.1"),
        format!(
            "{connect}its certificate is for elsewhere.example, not for 127.0.0.1; use a name that it has in \
             KAFKA_BOOTSTRAP_SERVERS, or the brokers' advertised.listeners, or have one issued for this name"
        )
    );
    assert_eq!(
        refused_by(c::server_unknown_authority(), c::ca(), "127.0.0.1"),
        format!(
            "{connect}its certificate is by an authority that is not trusted; set KAFKA_SSL_CA_LOCATION to a PEM file with that \
             authority's certificate"
        )
    );
    let expired = refused_by(c::server_expired(), c::ca(), "127.0.0.1");
    assert!(
        expired.starts_with(&format!("{connect}its certificate expired ")),
        "{expired}"
    );
}

/// Scenario 38.
#[test]
fn built_in_roots_do_not_trust_a_private_authority() {
    let config = good_server();
    let tls = TlsConfig::new(&Roots::BuiltIn, None).unwrap();
    let reason = refused(&tls, "127.0.0.1", move |listener| {
        accept(&listener, &config)
    });
    assert!(reason.contains("KAFKA_SSL_CA_LOCATION"), "{reason}");
}

/// Scenario 38. With TLS 1.3 the client learns of it only after the handshake, with 1.2 in it.
#[test]
fn a_peer_that_demands_a_certificate_and_gets_none_or_a_wrong_one_says_so() {
    use certificates as c;
    let stranger = with_identity(c::client_unknown_authority(), c::client_key());
    for (tls, words) in [
        (
            trusting(c::ca()),
            "demands a client certificate; set KAFKA_SSL_CERT",
        ),
        (
            stranger,
            "it does not accept the client certificate (UnknownCA)",
        ),
    ] {
        let demanding = server(c::server(), Some(c::ca()), &[&version::TLS13]);
        let (listener, port) = listener();
        let (link, events) = open(&tls, "127.0.0.1", port);
        let accepted = accept(&listener, &demanding);
        assert!(accepted.is_err());
        let connection = CONNECTION;
        assert_eq!(next(&events), LinkEvent::Connected { connection });
        let LinkEvent::Closed {
            reason, is_refusal, ..
        } = next(&events)
        else {
            panic!("not the end")
        };
        assert!(reason.contains(words) && is_refusal, "{reason}");
        assert_eq!(join(link), Ok(()));

        let demanding = server(c::server(), Some(c::ca()), &[&version::TLS12]);
        let reason = refused(&tls, "127.0.0.1", move |listener| {
            accept(&listener, &demanding)
        });
        assert!(reason.contains(words), "{reason}");
    }
}

/// Scenario 38.
#[test]
fn a_port_that_speaks_something_else_is_recognised() {
    let tls = trusting(certificates::ca());
    let hang_up: fn(TcpStream) = |mut socket| {
        // As a broker does that takes the handshake for a length.
        let _ = socket.read(&mut [0; 4096]);
    };
    let http: fn(TcpStream) = |mut socket| {
        let _ = socket.read(&mut [0; 4096]);
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    };
    let kafka: fn(TcpStream) = |mut socket| {
        let _ = socket.read(&mut [0; 4096]);
        let _ = socket.write_all(&framed(b"answer"));
    };
    for (serve, words) in [
        (
            hang_up,
            "failed: it closed the connection during the TLS handshake: does this port speak TLS?",
        ),
        (http, "failed: it speaks HTTP, not TLS: check the address"),
        (
            kafka,
            "failed: it does not speak TLS; check the port, and KAFKA_SECURITY_PROTOCOL",
        ),
    ] {
        let reason = refused(&tls, "127.0.0.1", move |listener| {
            let (socket, _) = listener.accept().unwrap();
            serve(socket);
            Err(ErrorKind::Other.into())
        });
        assert!(reason.contains(words), "{reason}");
    }
}

#[test]
fn a_port_that_says_nothing_is_left_in_time_and_a_close_does_not_wait_for_it() {
    let (listener, port) = listener();
    let tls = trusting(certificates::ca());
    let (events, receiver) = unbounded();
    let mut config = config("127.0.0.1", port);
    config.tls = Some(tls);
    config.connect_timeout = std::time::Duration::from_millis(300);
    let link = Link::open(config.clone(), events).unwrap();
    let LinkEvent::ConnectFailed { reason, .. } = next(&receiver) else {
        panic!("connected");
    };
    assert!(
        reason.contains("it does not answer the TLS handshake"),
        "{reason}"
    );
    assert_eq!(join(link), Ok(()));

    let (events, receiver) = unbounded();
    config.connect_timeout = NEVER;
    let link = Link::open(config, events).unwrap();
    let (_first, _) = listener.accept().unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    assert!(peer.read(&mut [0; 100]).unwrap() > 0, "it shakes hands");
    link.close();
    assert_eq!(join(link), Ok(()));
    nothing_follows(&receiver);
}

#[test]
fn a_name_is_told_without_the_dot_at_its_end() {
    let name = |host: &str| {
        let host = host.to_owned();
        server_name(&HostPort { host, port: 1 })
    };
    assert_eq!(name("kafka.example.").unwrap().to_str(), "kafka.example");
    assert_eq!(name("::1").unwrap().to_str(), "::1");
    assert!(name("a b").is_err());
    let (listener, port) = listener();
    let (link, events) = open(&trusting(certificates::ca()), "localhost", port);
    let peer = accept(&listener, &good_server()).unwrap();
    assert_eq!(peer.conn.server_name(), Some("localhost"));
    let connection = CONNECTION;
    assert_eq!(next(&events), LinkEvent::Connected { connection });
    drop(link);
}
