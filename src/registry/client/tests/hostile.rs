//! Answers that no registry gives: each is an error of one line, never an id, never a panic, whatever it says.

use super::*;
use crate::foreign::is_showable;

/// More than the parser of JSON goes along with.
const DEPTH: usize = 10_000;
/// A line of a log: foreign words are cut off long before.
const LINE_CHARS_MAX: usize = 1000;
/// Random answers.
const ANSWERS: u64 = 60;

fn http(status: u16, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} Words\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// What a registration makes of the bytes: asked once, and not again.
fn outcome_of(answer: Vec<u8>) -> Result<u32, String> {
    let server = Server::start(vec![Raw(answer)]);
    let timing = Timing {
        start_deadline: Duration::ZERO,
        ..Timing::default()
    };
    let mut client = RegistryClient::new(config(&[&server]), timing, fastrand::Rng::with_seed(1));
    let outcome = client.schema_id(SCHEMA, &never());
    server.finish();
    outcome.map_err(|error| {
        let line = error.to_string();
        assert!(line.chars().all(is_showable), "{line:?}");
        assert!(line.chars().count() < LINE_CHARS_MAX, "{line}");
        line
    })
}

/// Scenario 40.
#[test]
fn json_of_the_wrong_shape_holds_no_id() {
    for body in [
        "",
        "null",
        "7",
        "\"id\"",
        "[]",
        "[{\"id\":7}]",
        "{\"ID\":7}",
        "{\"id\":null}",
        "{\"id\":true}",
        "{\"id\":[7]}",
        "{\"id\":{\"id\":7}}",
        "{\"id\":1.5}",
        "{\"id\":1e3}",
        "{\"id\":-9223372036854775808}",
        "{\"id\":18446744073709551616}",
        "{\"id\":7} {\"id\":8}",
        "{\"id\":7",
        "\u{feff}{\"id\":7}",
        "{\"message\":\"\\u001b[31m\\n\\ud800\"}",
    ] {
        let line = outcome_of(http(200, body.as_bytes())).unwrap_err();
        assert!(
            line.contains("does not answer as a schema registry does"),
            "{body}: {line}"
        );
    }
    let line = outcome_of(http(200, b"{\"id\":7,\"name\":\"\xff\xfe\0\"}")).unwrap_err();
    assert!(line.contains("does not answer as"), "{line}");
}

/// Scenario 40.
#[test]
fn nesting_without_end_is_an_error_in_a_success_and_in_a_refusal() {
    for open in ["[", "{\"id\":", "{\"message\":[", "{\"error_code\":{\"a\":"] {
        let body = open.repeat(DEPTH);
        for (status, told) in [
            (200, "does not answer as a schema registry does"),
            (409, "(409)"),
            (422, "(422)"),
        ] {
            let line = outcome_of(http(status, body.as_bytes())).unwrap_err();
            assert!(line.contains(told), "{line}");
        }
    }
}

/// Scenario 40.
#[test]
fn a_refusal_counts_whatever_its_words_are() {
    for (body, told) in [
        (&b""[..], "refuses the request (418)"),
        (b"null", "null"),
        (b"{\"error_code\":\"40401\",\"message\":7}", "40401"),
        (b"{\"error_code\":-1,\"message\":\"W0rds\"}", "W0rds"),
        (
            b"{\"error_code\":99999999999,\"message\":\"W0rds\"}",
            "W0rds",
        ),
        (b"\xff\xfe\0\x1b[31mW0rds", "W0rds"),
    ] {
        let line = outcome_of(http(418, body)).unwrap_err();
        assert!(
            line.contains("(418)") && line.contains(told),
            "{body:?}: {line}"
        );
    }
    let length = usize::try_from(ANSWER_BYTES_MAX).unwrap() + 1;
    let line = outcome_of(http(409, &vec![b'x'; length])).unwrap_err();
    assert!(line.contains("(409)"), "{line}");
}

/// Scenario 40.
#[test]
fn what_is_hardly_http_is_an_error() {
    let sound = http(200, b"{\"id\":7}");
    assert_eq!(outcome_of(sound.clone()), Ok(7));
    // Cut anywhere, but for the last bytes of JSON, without which there is no id.
    for len in 0..sound.len() {
        let cut = sound[..len].to_vec();
        assert!(outcome_of(cut).is_err(), "{len} bytes were enough");
    }
    let field = b"x: y\r\n".repeat(100_000);
    for answer in [
        b"HTTP/1.1 99999 Words\r\n\r\n{\"id\":7}".to_vec(),
        b"HTTP/9.9 200 OK\r\n\r\n{\"id\":7}".to_vec(),
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{\"id\":7}".to_vec(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\n{\"id\":7}".to_vec(),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n{".to_vec(),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n{\"id\":7}".to_vec(),
        [b"HTTP/1.1 200 OK\r\n", &field[..], b"\r\n{\"id\":7}"].concat(),
        vec![b'H'; 1 << 20],
        vec![0; 1 << 20],
    ] {
        let shown = String::from_utf8_lossy(&answer[..answer.len().min(80)]).into_owned();
        assert!(outcome_of(answer).is_err(), "{shown:?}");
    }
}

/// Scenario 40.
#[test]
fn random_damage_to_an_answer_is_an_error_or_an_answer() {
    let sound = http(200, b"{\"subject\":\"s\",\"version\":1,\"id\":7}");
    for seed in 0..ANSWERS {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut answer = sound.clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..answer.len());
            answer[at] = random.u8(..);
        }
        // The assertions are those of `outcome_of`; what is printed is seen if one fails.
        eprintln!("seed {seed}");
        let _ = outcome_of(answer);
    }
}
