//! The client against a scripted server on loopback.

mod hostile;
mod standing;

use super::*;
use crate::http::ANSWER_BYTES_MAX;
use crate::registry::config::Credentials;
use crossbeam_channel::{Sender, never, unbounded};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

const SCHEMA: &str = "syntax = \"proto3\";";

/// Answers one connection after the other from a script, and remembers what it was asked.
struct Server {
    url: String,
    requests: Receiver<String>,
    thread: JoinHandle<()>,
}

enum Answer {
    Status(u16, &'static str),
    Raw(Vec<u8>),
    /// Close the connection without a word.
    Nothing,
}

use Answer::{Nothing, Raw, Status};

impl Server {
    fn start(script: Vec<Answer>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = unbounded();
        let thread = std::thread::spawn(move || {
            for answer in script {
                let (stream, _) = listener.accept().unwrap();
                serve(stream, answer, &sender);
            }
        });
        Server {
            url,
            requests,
            thread,
        }
    }

    /// The requests, head and body; waits until the script is used up.
    fn finish(self) -> Vec<String> {
        self.thread.join().unwrap();
        self.requests.try_iter().collect()
    }
}

fn serve(stream: TcpStream, answer: Answer, requests: &Sender<String>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap() == 0 {
            break;
        }
    }
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    requests
        .send(head + std::str::from_utf8(&body).unwrap())
        .unwrap();
    let bytes = match answer {
        Status(status, body) => format!(
            "HTTP/1.1 {status} Words\r\ncontent-type: {CONTENT_TYPE}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
        Raw(bytes) => bytes,
        Nothing => return,
    };
    // A client may have read enough before the end.
    drop(reader.get_mut().write_all(&bytes));
}

fn config(urls: &[&Server]) -> RegistryConfig {
    RegistryConfig {
        urls: urls.iter().map(|server| server.url.clone()).collect(),
        credentials: None,
        bearer: None,
        tls: None,
        auto_register: true,
        subject: "js_shoe-value".to_owned(),
    }
}

fn client(config: RegistryConfig) -> RegistryClient {
    let timing = Timing {
        backoff_min: Duration::from_micros(10),
        backoff_max: Duration::from_micros(100),
        ..Timing::default()
    };
    RegistryClient::new(config, timing, fastrand::Rng::with_seed(1))
}

/// What one answer to a registration makes of it.
fn problem_of(answer: Answer) -> (Problem, String) {
    let server = Server::start(vec![answer]);
    let error = client(config(&[&server]))
        .schema_id(SCHEMA, &never())
        .unwrap_err();
    server.finish();
    let text = error.to_string();
    assert!(!text.contains('\n'));
    match error {
        RegistryError::Failed { problem, .. } => (problem, text),
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn the_schema_is_registered_and_its_id_returned() {
    let server = Server::start(vec![Status(200, r#"{"id":100042}"#)]);
    assert_eq!(
        client(config(&[&server])).schema_id(SCHEMA, &never()),
        Ok(100_042)
    );
    let request = &server.finish()[0];
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("POST /subjects/js_shoe-value/versions?normalize=true HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.to_ascii_lowercase()
            .contains(&format!("content-type: {CONTENT_TYPE}"))
    );
    assert!(!head.to_ascii_lowercase().contains("authorization"));
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({"schemaType": "PROTOBUF", "schema": SCHEMA})
    );
}

#[test]
fn without_registration_the_schema_is_looked_up() {
    let server = Server::start(vec![Status(
        200,
        r#"{"subject":"s","version":1,"id":7,"schema":""}"#,
    )]);
    let mut config = config(&[&server]);
    config.auto_register = false;
    config.subject = "a/b c%ü".to_owned();
    assert_eq!(client(config).schema_id(SCHEMA, &never()), Ok(7));
    let request = &server.finish()[0];
    assert!(
        request.starts_with("POST /subjects/a%2Fb%20c%25%C3%BC?normalize=true HTTP/1.1\r\n"),
        "{request}"
    );
}

#[test]
fn credentials_are_sent_and_never_printed() {
    let server = Server::start(vec![
        Status(200, "[]"),
        Status(
            401,
            r#"{"error_code":401,"message":"Not Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==, open sesame"}"#,
        ),
    ]);
    let mut config = config(&[&server]);
    config.credentials = Some(Credentials {
        user: "Aladdin".to_owned(),
        password: Secret::new("open sesame".to_owned()),
    });
    let mut client = client(config);
    assert!(!format!("{client:?}").contains("QWxh"));
    assert_eq!(client.check(&never()), Ok(()));
    let error = client.schema_id(SCHEMA, &never()).unwrap_err();
    let told = format!("{error} {error:?} {client:?}");
    assert!(!told.contains("sesame") && !told.contains("QWxh"), "{told}");
    assert!(told.contains("Not Basic [hidden], [hidden];"), "{told}");
    assert!(
        error
            .to_string()
            .contains("does not accept the credentials"),
        "{error}"
    );
    for request in server.finish() {
        // The example of RFC 7617, section 2.
        assert!(
            request.contains("authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            "{request}"
        );
    }
}

#[test]
fn every_refusal_has_its_class_and_keeps_the_registrys_words() {
    let cases = [
        (
            401,
            r#"{"error_code":401,"message":"W0rds"}"#,
            Problem::Unauthorized {
                sent: Sent::Nothing,
            },
        ),
        (
            403,
            r#"{"error_code":40301,"message":"W0rds"}"#,
            Problem::Forbidden,
        ),
        (
            404,
            r#"{"error_code":40401,"message":"W0rds"}"#,
            Problem::SubjectNotFound,
        ),
        (
            404,
            r#"{"error_code":40403,"message":"W0rds"}"#,
            Problem::SchemaNotFound,
        ),
        (
            409,
            r#"{"error_code":409,"message":"W0rds"}"#,
            Problem::Incompatible,
        ),
        (
            409,
            r#"{"error_code":40901,"message":"W0rds"}"#,
            Problem::Incompatible,
        ),
        (
            422,
            r#"{"error_code":42201,"message":"W0rds"}"#,
            Problem::InvalidSchema,
        ),
        (
            422,
            r#"{"error_code":42205,"message":"W0rds"}"#,
            Problem::NotPermitted,
        ),
        (
            422,
            r#"{"error_code":42299,"message":"W0rds"}"#,
            Problem::Refused {
                status: 422,
                code: Some(42299),
            },
        ),
        (
            413,
            "W0rds",
            Problem::Refused {
                status: 413,
                code: None,
            },
        ),
    ];
    let mut texts = std::collections::HashSet::new();
    for (status, body, expected) in cases {
        let (problem, text) = problem_of(Status(status, body));
        assert_eq!(problem, expected);
        assert!(text.contains(": W0rds; "), "{text}");
        assert!(
            text.contains("http://127.0.0.1:") && text.contains("js_shoe-value"),
            "{text}"
        );
        texts.insert(text.split_once(") ").unwrap().1.to_owned());
    }
    assert_eq!(
        texts.len(),
        cases.len() - 1,
        "each class has words of its own"
    );
}

#[test]
fn what_is_no_registry_is_said_to_be_none() {
    for answer in [
        Status(200, "<html>Welcome</html>"),
        Status(200, "{}"),
        Status(200, r#"{"id":-1}"#),
        Status(200, r#"{"id":4294967296}"#),
        Status(200, r#"{"id":"7"}"#),
        Status(404, "<html>nginx</html>"),
        Raw(b"\x16\x02\x01\x00\x02\x02\x46\r\n\r\n".to_vec()),
    ] {
        let (problem, text) = problem_of(answer);
        assert_eq!(problem, Problem::NotARegistry, "{text}");
    }
}

/// Scenario 38.
#[test]
fn trouble_with_tls_is_an_answer_with_its_own_advice() {
    let (problem, text) = problem_of(Raw(b"\x15\x03\x01\x00\x02\x02\x46".to_vec()));
    assert_eq!(problem, Problem::Untrusted);
    assert!(
        text.ends_with("speaks TLS, not plain HTTP; write https in SCHEMA_REGISTRY_URL"),
        "{text}"
    );
}

#[test]
fn an_endless_answer_is_given_up() {
    let length = usize::try_from(ANSWER_BYTES_MAX).unwrap() + 1;
    let mut answer =
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n")
            .into_bytes();
    answer.resize(answer.len() + length, b' ');
    let (problem, text) = problem_of(Raw(answer));
    assert_eq!(problem, Problem::NotARegistry);
    assert!(text.contains("longer than 1048576 bytes"), "{text}");
}

#[test]
fn a_redirect_is_told_and_not_followed() {
    let answer = b"HTTP/1.1 307 Away\r\nlocation: https://u:secret@other.example/x\r\ncontent-length: 0\r\n\r\n";
    let (problem, text) = problem_of(Raw(answer.to_vec()));
    assert_eq!(problem, Problem::Redirected);
    assert!(text.contains("to https://other.example/x;"), "{text}");
}

#[test]
fn a_redirect_to_where_the_password_stands_is_told_without_it() {
    for (location, told) in [
        ("https://u:p@ss/w0rd@other/", "to https://other/;"),
        (
            "https://other/?k=p%40ss%2fw0rd",
            "to https://other/?k=[hidden];",
        ),
        ("/cDp1OnBAc3MvdzByZA", "to /cDp1On[hidden]A;"),
    ] {
        let head = "HTTP/1.1 302 Away\r\ncontent-length: 0";
        let answer = Raw(format!("{head}\r\nlocation: {location}\r\n\r\n").into_bytes());
        let server = Server::start(vec![answer]);
        let mut config = config(&[&server]);
        config.credentials = Some(Credentials {
            user: "u".to_owned(),
            password: Secret::new("p@ss/w0rd".to_owned()),
        });
        let error = client(config).check(&never()).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
        server.finish();
    }
}

#[test]
fn the_next_url_is_asked_after_passing_trouble_only() {
    for trouble in [
        Status(503, ""),
        Status(429, ""),
        Status(500, r#"{"error_code":50003,"message":"m"}"#),
        Nothing,
    ] {
        let first = Server::start(vec![trouble]);
        let second = Server::start(vec![Status(200, r#"{"id":2}"#)]);
        assert_eq!(
            client(config(&[&first, &second])).schema_id(SCHEMA, &never()),
            Ok(2)
        );
        assert_eq!(first.finish().len(), 1);
        assert_eq!(second.finish().len(), 1);
    }
    for answer in [Status(401, ""), Status(409, ""), Status(422, "")] {
        let first = Server::start(vec![answer]);
        let second = Server::start(vec![]);
        assert!(
            client(config(&[&first, &second]))
                .schema_id(SCHEMA, &never())
                .is_err()
        );
        first.finish();
        assert_eq!(second.finish().len(), 0);
    }
}

#[test]
fn passing_trouble_is_retried_until_it_passes() {
    let server = Server::start(vec![
        Nothing,
        Status(503, ""),
        Status(408, ""),
        Status(504, ""),
        Status(200, "[\"a\"]"),
    ]);
    assert_eq!(client(config(&[&server])).check(&never()), Ok(()));
    let requests = server.finish();
    assert_eq!(requests.len(), 5);
    assert!(
        requests
            .iter()
            .all(|request| request.starts_with("GET /subjects HTTP/1.1\r\n"))
    );
}

#[test]
fn trouble_that_does_not_pass_ends_at_the_deadline_with_the_last_words() {
    let server = Server::start(vec![Status(
        500,
        r#"{"error_code":50001,"message":"W0rds"}"#,
    )]);
    let timing = Timing {
        start_deadline: Duration::ZERO,
        ..Timing::default()
    };
    let mut client = RegistryClient::new(config(&[&server]), timing, fastrand::Rng::with_seed(1));
    let error = client.check(&never()).unwrap_err();
    assert!(matches!(error, RegistryError::GaveUp { .. }));
    assert!(
        error
            .to_string()
            .contains("has trouble with its store (50001): W0rds;"),
        "{error}"
    );
    server.finish();
}

#[test]
fn a_stop_ends_the_wait() {
    let server = Server::start(vec![Status(503, "")]);
    let config = config(&[&server]);
    let timing = Timing {
        backoff_min: Duration::from_secs(3600),
        backoff_max: Duration::from_secs(3600),
        ..Timing::default()
    };
    let mut client = RegistryClient::new(config, timing, fastrand::Rng::with_seed(1));
    let (stop, interrupt) = crossbeam_channel::bounded(1);
    let waiting = std::thread::spawn(move || client.check(&interrupt));
    server.finish();
    drop(stop);
    assert_eq!(waiting.join().unwrap(), Err(RegistryError::Interrupted));
}
