//! A session on its own: what it takes for an answer, and when it has waited long enough.

use super::*;
use crate::kafka::client::credentials::Credentials;
use crate::kafka::client::session::{Session, SessionError};

const CONNECT: Duration = Duration::from_secs(10);

fn session(now: Instant) -> Session {
    Session::new(
        1,
        "a-client",
        Compression::None,
        REQUEST_TIMEOUT,
        CONNECT,
        now,
    )
}

fn negotiated(now: Instant) -> Session {
    let mut session = session(now);
    let frame = session.handle_connected(now);
    let asked = Asked::read(1, "broker-1", &frame);
    let versions = FakeCluster::new(1, 1).api_versions();
    let answer = asked.answer_with(asked.version, &versions);
    session
        .handle_frame(&answer, &mut Credentials::default(), now)
        .unwrap();
    session
}

#[test]
fn nothing_can_be_asked_before_versions_are_settled() {
    let now = Instant::now();
    let mut session = session(now);
    assert!(session.ask_metadata(TOPIC, now).is_none());
    session.handle_connected(now);
    assert!(session.ask_metadata(TOPIC, now).is_none());
    assert!(!session.is_ready());
    assert!(negotiated(now).ask_metadata(TOPIC, now).is_some());
}

#[test]
fn connecting_and_negotiating_share_one_deadline() {
    let now = Instant::now();
    let mut session = session(now);
    assert_eq!(session.deadline(), Some(now + CONNECT));
    session.handle_connected(now + secs(9));
    assert_eq!(session.deadline(), Some(now + CONNECT));
    assert_eq!(session.overdue(now + secs(9)), None);
    let words = session.overdue(now + CONNECT);
    assert_eq!(words.as_deref(), Some("no answer to the first request"));
}

#[test]
fn the_oldest_request_sets_the_deadline_and_without_one_there_is_none() {
    let now = Instant::now();
    let mut session = negotiated(now);
    assert_eq!(session.deadline(), None);
    assert_eq!(session.idle_since(), Some(now));
    session.ask_metadata(TOPIC, now + secs(1)).unwrap();
    session.ask_producer_id(now + secs(2)).unwrap();
    assert_eq!(session.deadline(), Some(now + secs(1) + REQUEST_TIMEOUT));
    assert_eq!(session.idle_since(), None);
    let words = session.overdue(now + secs(31));
    assert_eq!(words.as_deref(), Some("no answer within 30s"));
}

#[test]
fn answers_are_taken_in_the_order_of_the_requests_only() {
    let now = Instant::now();
    let mut session = negotiated(now);
    session.ask_metadata(TOPIC, now).unwrap();
    let second = session.ask_metadata(TOPIC, now).unwrap();
    let asked = Asked::read(1, "broker-1", &second);
    let early = asked.answer_with(asked.version, &FakeCluster::new(1, 1).metadata());
    let error = session
        .handle_frame(&early, &mut Credentials::default(), now)
        .unwrap_err();
    assert!(matches!(error, SessionError::Broken(_)), "{error:?}");
}

/// Scenario 37.
#[test]
fn every_cut_of_an_answer_is_an_error_and_never_a_panic() {
    let now = Instant::now();
    let frame = negotiated(now).ask_metadata(TOPIC, now).unwrap();
    let asked = Asked::read(1, "broker-1", &frame);
    let whole = asked.answer_with(asked.version, &FakeCluster::new(3, 6).metadata());
    for length in 0..=whole.len() {
        let mut session = negotiated(now);
        session.ask_metadata(TOPIC, now).unwrap();
        let taken = session.handle_frame(&whole[..length], &mut Credentials::default(), now);
        let taken = taken.is_ok();
        assert_eq!(taken, length == whole.len(), "{length} bytes");
    }
}
