//! The client against a scripted endpoint on loopback.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use crossbeam_channel::never;

use super::*;

const SECRET: &str = "s3cret/+ x";

/// Answers one connection after the other; gives back what it was asked.
struct Endpoint {
    url: String,
    thread: JoinHandle<Vec<String>>,
}

impl Endpoint {
    /// Status and body; status 0 closes without a word.
    fn start(script: Vec<(u16, &'static str)>) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/token?tenant=7", listener.local_addr().unwrap());
        let thread = thread::spawn(move || {
            let answers = script.into_iter();
            answers
                .map(|(status, body)| {
                    let mut reader = BufReader::new(listener.accept().unwrap().0);
                    let request = request_of(&mut reader);
                    let head = format!(
                        "HTTP/1.1 {status} Words\r\nlocation: http://x/\r\nconnection: close"
                    );
                    let length = body.len();
                    if status != 0 {
                        let answer = format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}");
                        reader.get_mut().write_all(answer.as_bytes()).unwrap();
                    }
                    request
                })
                .collect()
        });
        Endpoint { url, thread }
    }

    fn client(&self) -> TokenClient {
        self.client_with(Timing {
            backoff_min: Duration::from_micros(10),
            backoff_max: Duration::from_micros(100),
            ..Timing::default()
        })
    }

    fn client_with(&self, timing: Timing) -> TokenClient {
        let config = TokenConfig {
            url: self.url.clone(),
            client_id: "me:1".to_owned(),
            client_secret: Secret::new(SECRET.to_owned()),
            scope: Some("a b".to_owned()),
            tls: None,
        };
        TokenClient::new(config, timing, fastrand::Rng::with_seed(1))
    }

    fn requests(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

fn request_of(reader: &mut impl BufRead) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0);
    }
    let length = head.lines().find_map(|line| {
        let line = line.to_ascii_lowercase();
        line.strip_prefix("content-length: ")?.parse().ok()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    head + std::str::from_utf8(&body).unwrap()
}

/// What one answer comes to.
fn outcome_of(status: u16, body: &'static str) -> Result<Token, TokenError> {
    let endpoint = Endpoint::start(vec![(status, body)]);
    let client = endpoint.client();
    let outcome = client.fetch();
    endpoint.requests();
    // The last one is of the header, whose base64 begins with the client's id.
    for secret in [SECRET, "t0ken", "s3cret", "OnMzY3JldCUyRiUyQiUyMHg"] {
        let seen = format!("{client:?} {outcome:?}");
        assert!(!seen.contains(secret), "{seen}");
        if let Err(error) = &outcome {
            assert!(!error.to_string().contains(secret), "{error}");
        }
    }
    outcome
}

#[test]
fn neither_what_was_sent_nor_what_was_given_is_repeated() {
    let odd = outcome_of(201, r#"{"access_token":"t0ken","token_type":"Bearer"}"#);
    let words = odd.unwrap_err().to_string();
    assert!(words.contains("status 201"), "{words}");
    let echoed = "bad: Authorization: Basic bWUlM0ExOnMzY3JldCUyRiUyQiUyMHg=";
    let words = outcome_of(400, echoed).unwrap_err().to_string();
    assert!(
        words.contains("bad: Authorization: Basic [hidden]"),
        "{words}"
    );
}

#[test]
fn a_token_is_asked_for_as_the_standard_says() {
    let endpoint = Endpoint::start(vec![(
        200,
        r#"{"access_token":"t0ken.a-b_c~+/==","token_type":"bearer","expires_in":3600}"#,
    )]);
    let token = endpoint.client().fetch().unwrap();
    assert_eq!(token.value.expose(), "t0ken.a-b_c~+/==");
    assert_eq!(token.expires_in, Duration::from_secs(3600));
    let request = &endpoint.requests()[0];
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("POST /token?tenant=7 HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(head.contains("content-type: application/x-www-form-urlencoded"));
    // "me%3A1:s3cret%2F%2B%20x"
    assert!(
        head.contains("authorization: Basic bWUlM0ExOnMzY3JldCUyRiUyQiUyMHg="),
        "{head}"
    );
    assert_eq!(body, "grant_type=client_credentials&scope=a%20b");
}

#[test]
fn a_lifetime_may_be_quoted_or_missing_and_is_bounded() {
    for (body, seconds) in [
        (r#"{"access_token":"t0ken"}"#, 300),
        (r#"{"access_token":"t0ken","expires_in":null}"#, 300),
        (r#"{"access_token":"t0ken","expires_in":"3599"}"#, 3599),
        (r#"{"access_token":"t0ken","expires_in":3600.0}"#, 3600),
        (r#"{"access_token":"t0ken","expires_in":"59.9"}"#, 59),
        (
            r#"{"access_token":"t0ken","expires_in":99999999999}"#,
            2_592_000,
        ),
    ] {
        let token = outcome_of(200, body).unwrap();
        assert_eq!(token.expires_in.as_secs(), seconds, "{body}");
    }
}

#[test]
fn what_is_no_token_is_told_without_repeating_it() {
    for body in [
        "t0ken",
        "{}",
        r#"{"access_token":7}"#,
        r#"{"access_token":""}"#,
        r#"{"access_token":"t0ken\n"}"#,
        r#"{"access_token":"t0ken\u0001"}"#,
        r#"{"access_token":"t0ken","token_type":"mac"}"#,
        r#"{"access_token":"t0ken","expires_in":-1}"#,
        r#"{"access_token":"t0ken","expires_in":-0.5}"#,
        r#"{"access_token":"t0ken","expires_in":"inf"}"#,
        r#"{"access_token":"t0ken","expires_in":"NaN"}"#,
        r#"{"access_token":"t0ken","expires_in":"soon"}"#,
    ] {
        let error = outcome_of(200, body).unwrap_err().to_string();
        assert!(
            error.contains("does not answer as a token endpoint does"),
            "{error}"
        );
    }
}

#[test]
fn every_refusal_has_its_class_its_words_and_its_advice() {
    let invalid = r#"{"error":"invalid_client","error_description":"W0rds\n of s3cret/+ x and s3cret%2F%2B%20x"}"#;
    for (status, body, problem, words) in [
        (
            401,
            invalid,
            Problem::Unauthorized(401),
            "invalid_client: W0rds of [hidden] and [hidden]; check KAFKA_API_KEY",
        ),
        (
            400,
            invalid,
            Problem::Unauthorized(400),
            "does not accept the client (400)",
        ),
        (401, "", Problem::Unauthorized(401), "(401); check"),
        (
            400,
            r#"{"error":"invalid_scope"}"#,
            Problem::InvalidScope,
            "KAFKA_OAUTH_SCOPE",
        ),
        (
            400,
            r#"{"error":"unauthorized_client"}"#,
            Problem::NotAllowed,
            "client_credentials",
        ),
        (403, "W0rds", Problem::Refused(403), "(403): W0rds;"),
        (404, "<html>", Problem::NotAnEndpoint, "status 404"),
        (307, "", Problem::Redirected, "redirects elsewhere"),
        (503, "", Problem::Unavailable(503), "(503)"),
        (0, "", Problem::Unreachable, "not reachable"),
    ] {
        let error = outcome_of(status, body).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(!error.to_string().contains("tenant"), "{error}");
        match error {
            TokenError::Failed { problem: told, .. } => assert_eq!(told, problem),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn passing_trouble_is_waited_out_and_a_refusal_is_not() {
    let token = r#"{"access_token":"t0ken"}"#;
    let endpoint = Endpoint::start(vec![(0, ""), (503, ""), (429, ""), (200, token)]);
    let token = endpoint.client().fetch_at_start(&never()).unwrap();
    assert_eq!(token.value.expose(), "t0ken");
    assert_eq!(endpoint.requests().len(), 4);

    let endpoint = Endpoint::start(vec![(401, "")]);
    let error = endpoint.client().fetch_at_start(&never()).unwrap_err();
    assert!(matches!(error, TokenError::Failed { .. }));
    assert_eq!(endpoint.requests().len(), 1);
}

#[test]
fn trouble_that_does_not_pass_ends_at_the_deadline_and_a_stop_ends_it_at_once() {
    let endpoint = Endpoint::start(vec![(503, "")]);
    let mut client = endpoint.client_with(Timing {
        start_deadline: Duration::ZERO,
        ..Timing::default()
    });
    let error = client.fetch_at_start(&never()).unwrap_err();
    assert!(
        error.to_string().contains("(503)") && error.to_string().contains("gave up"),
        "{error}"
    );
    endpoint.requests();

    let (stop, interrupt) = crossbeam_channel::bounded(1);
    drop(stop);
    assert_eq!(
        client.fetch_at_start(&interrupt),
        Err(TokenError::Interrupted)
    );
}

#[test]
fn a_request_that_is_never_answered_is_ended_from_another_thread() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = Endpoint {
        url: format!("http://{}/", listener.local_addr().unwrap()),
        thread: thread::spawn(Vec::new),
    };
    let client = endpoint.client_with(Timing {
        request_timeout: Duration::from_secs(3600),
        ..Timing::default()
    });
    let canceller = client.canceller();
    let asking = thread::spawn(move || client.fetch());
    // It is being waited for when the request has come.
    let mut reader = BufReader::new(listener.accept().unwrap().0);
    request_of(&mut reader);
    canceller.cancel();
    assert!(asking.join().unwrap().is_err());
}
