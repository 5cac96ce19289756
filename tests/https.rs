//! The Schema Registry over TLS (scenario 38), and the token endpoint: a stand-in for both on loopback, whose certificate is the
//! sandbox's, and the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use continuous_producer::tls::pem;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use support::{Ended, Peers, Setup};

const CA: &str = include_str!("sandbox/certificates/ca.pem");
const OTHER_CA: &str = include_str!("sandbox/certificates/other-ca.pem");
const SERVER: &[u8] = include_bytes!("sandbox/certificates/server-chain.pem");
const SERVER_KEY: &[u8] = include_bytes!("sandbox/certificates/server-key.pem");

/// A value that stands nowhere else.
const SECRET: &str = "hush-4c1d";
const TOKEN: &str = "t0ken-77ae";

/// How a client of TLS begins.
const TLS_HANDSHAKE: u8 = 22;

/// Answers what begins so in this way: status and body.
type Answers = &'static [(&'static str, u16, &'static str)];

const REGISTRY: Answers = &[
    ("GET /subjects", 200, "[]"),
    ("POST /subjects/js_shoe-value/versions", 200, r#"{"id":7}"#),
];

/// Speaks HTTP, with TLS if it has a configuration.
struct StandIn {
    authority: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl StandIn {
    fn start(answers: Answers, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                serve(stream, tls.clone(), answers, &noted);
            }
        });
        let authority = format!("localhost:{port}");
        Self { authority, seen }
    }

    fn encrypted(answers: Answers) -> Self {
        let provider = Arc::new(rustls_graviola::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                pem::certificates(SERVER).unwrap(),
                pem::key(SERVER_KEY).unwrap(),
            );
        Self::start(answers, Some(Arc::new(config.unwrap())))
    }

    /// The requests so far, head and body.
    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    answers: Answers,
    seen: &Mutex<Vec<String>>,
) {
    match tls {
        Some(config) => {
            let connection = ServerConnection::new(config).unwrap();
            answer(StreamOwned::new(connection, stream), answers, seen);
        }
        None => answer(stream, answers, seen),
    }
}

/// One request; a client that breaks off has its reasons.
fn answer(mut stream: impl Read + Write, answers: Answers, seen: &Mutex<Vec<String>>) {
    let Some(request) = request_of(&mut stream) else {
        return;
    };
    let known = answers
        .iter()
        .find(|(start, _, _)| request.starts_with(start));
    let (_, status, body) = known.unwrap_or(&("", 404, ""));
    seen.lock().unwrap().push(request);
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} Words\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    let _ = stream
        .write_all(format!("{head}{body}").as_bytes())
        .and_then(|()| stream.flush());
}

fn request_of(stream: &mut impl Read) -> Option<String> {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        request.push(byte[0]);
        if request == [TLS_HANDSHAKE] {
            return Some("a handshake of TLS".to_owned());
        }
    }
    let head = String::from_utf8(request).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some(head + &String::from_utf8(body).unwrap())
}

/// The program against the sandbox's broker and this registry.
fn with_registry(peers: &Peers, scheme: &str, registry: &StandIn) -> Setup {
    peers
        .setup("--count 3 --interval 0 --log-level debug")
        .env(
            "SCHEMA_REGISTRY_URL",
            format!("{scheme}://{}", registry.authority),
        )
        .env("SCHEMA_REGISTRY_API_KEY", "user")
        .env("SCHEMA_REGISTRY_API_SECRET", SECRET)
        .file("ca.pem", CA)
        .file("other-ca.pem", OTHER_CA)
}

#[track_caller]
fn expect_refused(ended: &Ended, by: &str, words: &[&str]) {
    ended.expect_code(1).expect_no(SECRET).expect_no(TOKEN);
    let line = ended.line(&format!("❌ {by} "));
    for words in words {
        assert!(line.contains(words), "no {words:?} in {line}");
    }
}

/// Scenario 38.
#[test]
fn a_registry_over_tls_is_used_if_its_authority_is_trusted() {
    for variable in ["SCHEMA_REGISTRY_SSL_CA_LOCATION", "KAFKA_SSL_CA_LOCATION"] {
        let (peers, registry) = (Peers::start(), StandIn::encrypted(REGISTRY));
        let ended = with_registry(&peers, "https", &registry)
            .env(variable, "ca.pem")
            .run();
        ended.expect_code(0).expect_no(SECRET);
        assert_eq!(peers.kafka.record_count("js_shoe"), 3);
        for request in registry.seen() {
            // "user:hush-4c1d"
            assert!(
                request.contains("authorization: Basic dXNlcjpodXNoLTRjMWQ="),
                "{request}"
            );
        }
    }
}

/// Scenario 38.
#[test]
fn a_registry_that_is_not_trusted_ends_the_run_at_once_and_is_told_nothing() {
    let (peers, registry) = (Peers::start(), StandIn::encrypted(REGISTRY));
    for ca in [Some("other-ca.pem"), None] {
        let mut setup = with_registry(&peers, "https", &registry);
        if let Some(ca) = ca {
            setup = setup.env("SCHEMA_REGISTRY_SSL_CA_LOCATION", ca);
        }
        let ended = setup.run();
        expect_refused(
            &ended,
            "schema registry",
            &[
                &registry.authority,
                "by an authority that is not trusted",
                "SCHEMA_REGISTRY_SSL_CA_LOCATION",
            ],
        );
        ended.expect_no("retrying");
    }
    assert_eq!(registry.seen(), Vec::<String>::new());
}

/// Scenario 38.
#[test]
fn http_and_https_are_not_taken_for_each_other() {
    let peers = Peers::start();
    let registry = StandIn::encrypted(REGISTRY);
    let ended = with_registry(&peers, "http", &registry).run();
    let words = ["speaks TLS, not plain HTTP", "https"];
    expect_refused(&ended, "schema registry", &words);
    let ended = with_registry(&peers, "https", &StandIn::start(REGISTRY, None)).run();
    expect_refused(&ended, "schema registry", &["does not speak TLS"]);
}

const GIVES_TOKENS: Answers = &[(
    "POST /token",
    200,
    r#"{"access_token":"t0ken-77ae","token_type":"Bearer","expires_in":3600}"#,
)];
const GIVES_NONE: Answers = &[(
    "POST /token",
    401,
    r#"{"error":"invalid_client","error_description":"hush-4c1d is wrong"}"#,
)];
/// Lets the check pass and nothing else, so that the run ends before brokers are asked.
const UNWILLING: Answers = &[("GET /subjects", 200, "[]"), ("POST ", 409, "")];

/// The program with OAUTHBEARER, a token endpoint, and a registry that is shown the token.
fn with_tokens(peers: &Peers, endpoint: &StandIn, registry: &StandIn) -> Setup {
    peers
        .setup("--count 3 --log-level debug --security-protocol SASL_PLAINTEXT")
        .env(
            "SCHEMA_REGISTRY_URL",
            format!("http://{}", registry.authority),
        )
        .env(
            "SCHEMA_REGISTRY_BEARER_AUTH_CREDENTIALS_SOURCE",
            "SASL_OAUTHBEARER_INHERIT",
        )
        .env("KAFKA_SASL_MECHANISM", "OAUTHBEARER")
        .env("KAFKA_API_KEY", "client")
        .env("KAFKA_API_SECRET", SECRET)
        .env(
            "KAFKA_OAUTH_TOKEN_ENDPOINT_URL",
            format!("https://{}/token", endpoint.authority),
        )
        .env("KAFKA_OAUTH_SCOPE", "kafka")
        .env("KAFKA_OAUTH_EXTENSIONS", "identityPoolId=pool-2")
        .env("KAFKA_SSL_CA_LOCATION", "ca.pem")
        .file("ca.pem", CA)
}

#[test]
fn the_registry_is_shown_the_token_that_the_endpoint_gave() {
    let peers = Peers::start();
    let endpoint = StandIn::encrypted(GIVES_TOKENS);
    let registry = StandIn::start(UNWILLING, None);
    let ended = with_tokens(&peers, &endpoint, &registry).run();
    expect_refused(&ended, "schema registry", &["(409)"]);
    let asked = endpoint.seen();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].ends_with("grant_type=client_credentials&scope=kafka"));
    // "client:hush-4c1d"
    assert!(asked[0].contains("authorization: Basic Y2xpZW50Omh1c2gtNGMxZA=="));
    for request in registry.seen() {
        assert!(request.contains("authorization: Bearer t0ken-77ae\r\n"));
        assert!(request.contains("confluent-identity-pool-id: pool-2\r\n"));
    }
    assert_eq!(registry.seen().len(), 2);
}

#[test]
fn an_endpoint_that_refuses_ends_the_run_before_anyone_else_is_asked() {
    let peers = Peers::start();
    let endpoint = StandIn::encrypted(GIVES_NONE);
    let registry = StandIn::start(REGISTRY, None);
    let ended = with_tokens(&peers, &endpoint, &registry).run();
    expect_refused(
        &ended,
        "token endpoint",
        &[
            "https://localhost:",
            "does not accept the client (401): invalid_client: [hidden] is wrong;",
            "KAFKA_API_SECRET",
        ],
    );
    assert_eq!((endpoint.seen().len(), registry.seen().len()), (1, 0));
    assert_eq!(peers.kafka.look(sandbox::State::connections), 0);
}

#[test]
fn a_stop_ends_the_wait_for_a_token() {
    let peers = Peers::start();
    let gone = StandIn {
        authority: "localhost:1".to_owned(),
        seen: Arc::default(),
    };
    let mut program = with_tokens(&peers, &gone, &gone).start();
    program.line("⚠️ token endpoint https://localhost:1/token is not reachable");
    program.signal("TERM");
    program.end().expect_code(0).expect_no(SECRET);
}
