//! Requests over TLS against a server on loopback, and what their failures are called.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::tls::pem::{self, Identity};
use crate::tls::{Roots, TlsConfig};

macro_rules! certificate {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/sandbox/certificates/", $name))
    };
}

const CA: &[u8] = certificate!("ca.pem");
const OTHER_CA: &[u8] = certificate!("other-ca.pem");
const SERVER: &[u8] = certificate!("server-chain.pem");
const WRONG_NAME: &[u8] = certificate!("server-wrong-name.pem");
const EXPIRED: &[u8] = certificate!("server-expired.pem");
const SERVER_KEY: &[u8] = certificate!("server-key.pem");
const CLIENT: &[u8] = certificate!("client-chain.pem");
const CLIENT_KEY: &[u8] = certificate!("client-key.pem");

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

/// Serves one connection.
struct Server {
    authority: String,
    thread: JoinHandle<()>,
}

impl Server {
    fn start(serve: impl FnOnce(TcpStream) + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let thread = thread::spawn(move || serve(listener.accept().unwrap().0));
        Server { authority, thread }
    }

    /// With this certificate; `demanding`: wants one of the client's.
    fn with_tls(chain: &[u8], demanding: bool) -> Server {
        let config = server_config(chain, demanding);
        Server::start(move |stream| {
            let connection = ServerConnection::new(config).unwrap();
            answer(StreamOwned::new(connection, stream));
        })
    }

    /// What a request to it came to.
    fn ask(self, scheme: &str, tls: Option<&TlsConfig>) -> Result<Vec<u8>, Failure> {
        self.ask_within(&Timing::default(), scheme, tls)
    }

    fn ask_within(
        self,
        timing: &Timing,
        scheme: &str,
        tls: Option<&TlsConfig>,
    ) -> Result<Vec<u8>, Failure> {
        let agent = agent(timing, "*/*", tls);
        let url = format!("{scheme}://{}/", self.authority);
        let has_identity = tls.is_some_and(TlsConfig::has_identity);
        let answer = agent.get(url).call().and_then(read);
        self.thread.join().unwrap();
        answer.map_err(|error| Failure::of(error, Names::REGISTRY, has_identity))
    }
}

fn server_config(chain: &[u8], demanding: bool) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls_graviola::default_provider());
    let mut roots = RootCertStore::empty();
    for root in pem::certificates(CA).unwrap() {
        roots.add(root).unwrap();
    }
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = if demanding {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let chain = pem::certificates(chain).unwrap();
    let key = pem::key(SERVER_KEY).unwrap();
    Arc::new(builder.with_single_cert(chain, key).unwrap())
}

/// Reads a request and answers it, as far as the other side goes along.
fn answer(mut stream: impl Read + Write) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return,
        }
    }
    let _ = stream.write_all(ANSWER).and_then(|()| stream.flush());
}

fn trusting(ca: &[u8]) -> TlsConfig {
    TlsConfig::new(&Roots::Given(pem::certificates(ca).unwrap()), None).unwrap()
}

#[track_caller]
fn tls_words(outcome: Result<Vec<u8>, Failure>) -> String {
    match outcome {
        Err(Failure::Tls(words)) => words,
        other => panic!("{other:?}"),
    }
}

/// Scenario 38.
#[test]
fn a_trusted_server_is_spoken_to_and_the_given_roots_may_stand_beside_the_built_in_ones() {
    let server = Server::with_tls(SERVER, false);
    assert_eq!(server.ask("https", Some(&trusting(CA))), Ok(b"ok".to_vec()));
    let both = Roots::BuiltInAnd(pem::certificates(CA).unwrap());
    let tls = TlsConfig::new(&both, None).unwrap();
    let server = Server::with_tls(SERVER, false);
    assert_eq!(server.ask("https", Some(&tls)), Ok(b"ok".to_vec()));
}

/// Scenario 38.
#[test]
fn a_server_that_is_not_trusted_is_told_with_what_to_do() {
    for (chain, ca, words) in [
        (SERVER, Some(OTHER_CA), "SCHEMA_REGISTRY_SSL_CA_LOCATION"),
        (SERVER, None, "an authority that is not trusted"),
        (WRONG_NAME, Some(CA), "not for 127.0.0.1"),
        (EXPIRED, Some(CA), "its certificate expired"),
    ] {
        let tls = match ca {
            Some(ca) => trusting(ca),
            None => TlsConfig::new(&Roots::BuiltIn, None).unwrap(),
        };
        let told = tls_words(Server::with_tls(chain, false).ask("https", Some(&tls)));
        assert!(told.contains(words), "{told}");
    }
}

/// Scenario 38.
#[test]
fn a_client_certificate_is_shown_and_its_absence_told() {
    let told = tls_words(Server::with_tls(SERVER, true).ask("https", Some(&trusting(CA))));
    assert!(told.contains("demands a client certificate"), "{told}");
    let chain = pem::certificates(CLIENT).unwrap();
    let identity = Identity::new(chain, pem::key(CLIENT_KEY).unwrap());
    let tls = TlsConfig::new(
        &Roots::Given(pem::certificates(CA).unwrap()),
        Some(&identity),
    )
    .unwrap();
    let server = Server::with_tls(SERVER, true);
    assert_eq!(server.ask("https", Some(&tls)), Ok(b"ok".to_vec()));
}

/// Scenario 38.
#[test]
fn http_and_https_are_not_taken_for_each_other() {
    let told = tls_words(Server::with_tls(SERVER, false).ask("http", None));
    assert!(
        told.contains("write https in SCHEMA_REGISTRY_URL"),
        "{told}"
    );
    let plain = Server::start(answer_plainly);
    let told = tls_words(plain.ask("https", Some(&trusting(CA))));
    assert!(told.starts_with("it does not speak TLS"), "{told}");
}

#[test]
fn a_server_that_says_nothing_in_the_handshake_is_called_that() {
    let server = Server::start(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let timing = Timing {
        request_timeout: Duration::from_millis(200),
        connect_timeout: Duration::from_millis(200),
        ..Timing::default()
    };
    let told = server.ask_within(&timing, "https", Some(&trusting(CA)));
    let Err(Failure::Unreachable(words)) = told else {
        panic!("{told:?}");
    };
    assert!(words.contains("no answer to the TLS handshake"), "{words}");
}

/// What a server of plain HTTP says to a handshake.
fn answer_plainly(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 5]);
    let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
}

#[test]
fn an_https_url_is_never_spoken_to_in_the_clear() {
    let server = Server::start(|mut stream| {
        let mut said = Vec::new();
        stream.read_to_end(&mut said).unwrap();
        assert_eq!(said, b"");
    });
    assert!(server.ask("https", None).is_err());
}

#[test]
fn a_connection_that_is_cut_during_the_handshake_may_pass() {
    let outcome = Server::start(drop).ask("https", Some(&trusting(CA)));
    assert!(
        matches!(outcome, Err(Failure::Unreachable(_))),
        "{outcome:?}"
    );
}

#[test]
fn a_timeout_is_told_in_words_of_ours() {
    for (timeout, words) in [
        (Timeout::Connect, "no connection in time"),
        (Timeout::Global, "no answer in time"),
    ] {
        let wrapped = ureq::Error::Io(ureq::Error::Timeout(timeout).into_io());
        for error in [ureq::Error::Timeout(timeout), wrapped] {
            let Failure::Unreachable(told) = Failure::of(error, Names::REGISTRY, false) else {
                panic!()
            };
            assert!(told == words || told == "no answer in time", "{told}");
        }
    }
}

#[test]
fn pauses_double_up_to_their_bound() {
    let timing = Timing::default();
    let mut rng = fastrand::Rng::with_seed(1);
    let mut backoff = Backoff::new(&timing);
    let mut bound = timing.backoff_min;
    for _ in 0..10 {
        assert!(backoff.pause(&mut rng) <= bound);
        bound = (bound * 2).min(timing.backoff_max);
    }
}

#[test]
fn credentials_become_a_header_that_no_log_shows() {
    // The example of RFC 7617, section 2.
    let basic = basic("Aladdin", "open sesame");
    assert_eq!(basic.expose(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    let header = secret_header(&basic).unwrap();
    assert!(!format!("{header:?}").contains("QWxh"));
    assert!(secret_header(&Secret::new("a\nb".to_owned())).is_none());
}

#[test]
fn urls_are_shown_without_credentials() {
    assert_eq!(without_credentials("http://u:p@h:1/x@y"), "http://h:1/x@y");
    assert_eq!(without_credentials("http://h:1"), "http://h:1");
    assert_eq!(
        without_credentials("https://u:p%40@[::1]:8081"),
        "https://[::1]:8081"
    );
}
