//! Sessions that expire, and passwords that change, while the client runs.

use std::collections::VecDeque;

use super::*;

/// How long a broker takes to answer under load.
const ANSWERED_AFTER: Duration = Duration::from_millis(60);

/// A client that runs, with sessions that last for so long.
fn lasting(mut made: (Sasl, SaslServer), lifetime_ms: i64, brokers: i32) -> Rig {
    made.1.lifetime_ms = lifetime_ms;
    let mut rig = with_token(rig(made, brokers), SECRET);
    rig.settle();
    assert!(rig.client.wants_records(), "{:?}", rig.events);
    rig.events.clear();
    rig
}

fn server(rig: &mut Rig) -> &mut SaslServer {
    rig.cluster.sasl.as_mut().unwrap()
}

/// When each exchange on a host's only connection ended.
fn exchanges(rig: &mut Rig, host: &str) -> Vec<Instant> {
    let connection = rig.connections(host)[0];
    let ended = server(rig).authenticated.iter();
    ended
        .filter(|(on, _)| *on == connection)
        .map(|&(_, at)| at)
        .collect()
}

/// Scenario 39.
#[test]
fn authenticating_anew_under_load_loses_duplicates_and_reorders_nothing() {
    for made in [plain(), scram()] {
        let mut rig = lasting(made, 10_000, 1);
        let until = rig.now + secs(60);
        let (mut pushed, mut arrived) = (Vec::new(), Vec::new());
        let (mut waiting, mut held) = (VecDeque::new(), 0);
        while rig.now < until || !waiting.is_empty() || rig.client.buffered_bytes() > 0 {
            if rig.now < until {
                pushed.push(pushed.len().to_string());
                rig.push(pushed.last().unwrap());
            }
            rig.advance(ms(20));
            rig.settle();
            for produce in std::mem::take(&mut rig.produces) {
                arrived.extend(produce.batch().values());
                waiting.push_back((rig.now + ANSWERED_AFTER, produce));
            }
            held += rig.held.len();
            while waiting.front().is_some_and(|(at, _)| *at <= rig.now) {
                let (_, produce) = waiting.pop_front().unwrap();
                rig.ack(&produce);
            }
        }
        assert_eq!(arrived, pushed);
        assert_eq!(rig.ledger.acknowledged, pushed.len());
        assert!(held > 0, "no handshake had to wait for an answer before it");
        assert!((7..=8).contains(&exchanges(&mut rig, "broker-1").len()));
        assert_eq!(rig.closes, ["boot"]);
        assert_eq!(lines(&rig), [""; 0]);
    }
}

#[test]
fn an_idle_session_is_renewed_shortly_before_it_expires_and_goes_on_to_be_idle() {
    let mut rig = lasting(plain(), 60_000, 2);
    rig.advance(secs(8 * 60));
    let mut gaps = BTreeSet::new();
    for host in ["broker-1", "broker-2"] {
        let ended = exchanges(&mut rig, host);
        assert!(ended.len() >= 9, "{}", ended.len());
        for pair in ended.windows(2) {
            let gap = pair[1] - pair[0];
            assert!((ms(51_000)..=ms(57_000)).contains(&gap), "{gap:?}");
            gaps.insert(gap);
        }
    }
    assert!(gaps.len() > 10, "jitter: {gaps:?}");
    assert_eq!((rig.connects.len(), rig.closes.len()), (3, 1));
    // To authenticate anew is no use of a connection: the second broker's is closed in its time.
    rig.advance(secs(2 * 60));
    assert_eq!(rig.closes.len(), 2, "{:?}", rig.closes);
    rig.send(&["a"]);
    let produce = rig.take_produce();
    rig.ack(&produce);
    assert_eq!(rig.ledger.acknowledged, 1);
}

#[test]
fn the_newest_token_is_the_one_that_a_session_is_renewed_with() {
    let mut rig = lasting(bearer(), 60_000, 1);
    server(&mut rig).secret = "renewed".to_owned();
    let mut rig = with_token(rig, "renewed");
    rig.advance(secs(60));
    assert_eq!(exchanges(&mut rig, "broker-1").len(), 2);
    assert_eq!(lines(&rig), [""; 0]);
}

#[test]
fn a_token_that_cannot_be_sent_ends_a_client_that_is_still_starting_and_leaves_nothing_open() {
    let mut made = bearer();
    made.1.lifetime_ms = 3_000;
    let mut rig = with_token(rig(made, 1), SECRET);
    rig.cluster.topic_error = 5;
    rig.settle();
    assert_eq!(exchanges(&mut rig, "boot").len(), 1);
    let mut rig = with_token(rig, "no token");
    rig.advance(secs(5));
    let line = rig.fatal().unwrap().to_string();
    assert!(
        line.contains("the OAuth token is empty, or holds"),
        "{line}"
    );
    assert!(rig.client.is_closed() && rig.links.is_empty());
    assert_eq!(rig.client.poll_timeout(), None);
}

/// Scenario 39.
#[test]
fn a_renewal_that_is_refused_costs_the_connection_and_no_record() {
    let mut rig = lasting(plain(), 60_000, 1);
    rig.send(&["a"]);
    let first = rig.take_produce();
    rig.ack(&first);
    rig.advance(secs(40));
    server(&mut rig).secret = "another".to_owned();
    rig.advance(secs(10));
    rig.send(&["b"]);
    let produce = rig.take_produce();
    let connection = rig.connections("broker-1")[0];
    rig.advance(secs(8));
    rig.push("c");
    // What was in flight is answered before the broker refuses.
    assert!(rig.held.iter().any(|(on, _)| *on == connection));
    rig.code(&produce, 7);
    assert!(rig.fatal().is_none());
    let told = lines(&rig).concat();
    let refusal =
        "broker-1 (broker-1:9092): authentication by PLAIN refused: Authentication failed";
    assert!(told.contains(refusal), "{told}");
    rig.count(ApiKey::SaslHandshake);
    rig.advance(secs(5));
    assert!(rig.produces.is_empty());
    // The broker, and the configured address.
    let tried = rig.count(ApiKey::SaslHandshake);
    assert!((2..=6).contains(&tried), "with backoff: {tried}");
    server(&mut rig).secret = SECRET.to_owned();
    rig.advance_until(secs(13), |rig| !rig.produces.is_empty());
    let again = rig.take_produce();
    assert_eq!(again.batch().bytes, produce.batch().bytes);
    rig.ack(&again);
    rig.advance_until(secs(1), |rig| !rig.produces.is_empty());
    let last = rig.take_produce();
    assert_eq!(last.batch().values(), ["c"]);
    rig.ack(&last);
    assert_eq!(rig.ledger.acknowledged, rig.ledger.pushed);
}

/// Scenario 39.
#[test]
fn a_password_that_is_refused_while_it_runs_fails_records_at_their_timeout_and_nothing_else() {
    let mut rig = lasting(plain(), 0, 1).warmed_up();
    server(&mut rig).secret = "another".to_owned();
    let connection = rig.connections("broker-1")[0];
    rig.cut(connection);
    rig.push("too early");
    rig.advance(DELIVERY_TIMEOUT + secs(1));
    assert!(rig.fatal().is_none() && !rig.client.is_closed());
    assert_eq!(rig.ledger.failed, 1);
    lines(&rig);
    let failed = rig.failures().concat();
    assert!(
        failed.contains("authentication by PLAIN refused"),
        "{failed}"
    );
    server(&mut rig).secret = SECRET.to_owned();
    rig.push("in time");
    rig.advance_until(secs(13), |rig| !rig.produces.is_empty());
    let produce = rig.take_produce();
    assert_eq!(produce.batch().values(), ["in time"]);
}

#[test]
fn a_broker_that_refuses_who_we_are_is_tried_ever_more_rarely() {
    let mut rig = lasting(plain(), 0, 1).warmed_up();
    server(&mut rig).secret = "another".to_owned();
    let connection = rig.connections("broker-1")[0];
    rig.cut(connection);
    rig.push("waits");
    rig.advance(secs(30));
    let before = rig.connects.len();
    rig.advance(secs(60));
    let tries = rig.connects.len() - before;
    // Two nodes, the configured address being one, about every ten seconds each.
    assert!((8..=16).contains(&tries), "{tries}");
}

#[test]
fn a_broker_that_falls_silent_in_mid_renewal_is_given_up_and_nothing_is_lost() {
    for api in [ApiKey::SaslHandshake, ApiKey::SaslAuthenticate] {
        let mut rig = lasting(plain(), 60_000, 1).warmed_up();
        rig.advance(secs(50));
        rig.cluster.script(api, |_| None);
        rig.advance(secs(8));
        rig.push("waits");
        rig.advance(secs(20));
        assert!(rig.produces.is_empty(), "nothing goes out in mid-renewal");
        assert_eq!(rig.connections("broker-1").len(), 1);
        rig.advance_until(secs(10), |rig| !rig.produces.is_empty());
        let told = lines(&rig).concat();
        assert!(told.contains("no answer within 30s"), "{told}");
        let produce = rig.take_produce();
        assert_eq!(produce.batch().values(), ["waits"]);
        rig.ack(&produce);
        assert_eq!(rig.ledger.acknowledged, rig.ledger.pushed);
    }
}

#[test]
fn what_waits_for_a_renewal_does_not_make_another_connection_at_once() {
    let mut rig = lasting(plain(), 60_000, 1).warmed_up();
    rig.advance(secs(50));
    rig.send(&["a"]);
    let produce = rig.take_produce();
    rig.advance_until(secs(8), |rig| !rig.held.is_empty());
    let connects = rig.connects.len();
    // Its answer has the client ask who leads, which it cannot before the end of the exchange.
    rig.code(&produce, 6);
    rig.advance_until(secs(1), |rig| !rig.produces.is_empty());
    assert_eq!(rig.connects.len(), connects);
}

#[test]
fn a_lifetime_below_zero_breaks_the_connection_off() {
    let mut made = plain();
    made.1.lifetime_ms = -1;
    let mut rig = rig(made, 1);
    rig.settle();
    assert_eq!(rig.closes, ["boot"]);
    let told = lines(&rig).concat();
    assert!(told.contains("a session lifetime of -1 ms"), "{told}");
    server(&mut rig).lifetime_ms = 0;
    rig.advance_until(secs(2), |rig| rig.client.wants_records());
}

#[test]
fn an_absurd_lifetime_makes_neither_haste_nor_an_overflow() {
    let mut rig = lasting(plain(), 1, 1);
    rig.advance(secs(60));
    let count = exchanges(&mut rig, "broker-1").len();
    assert!((30..=61).contains(&count), "{count}");
    let mut rig = lasting(plain(), i64::MAX, 1);
    rig.advance(secs(60 * 60));
    assert_eq!(exchanges(&mut rig, "broker-1").len(), 1);
}
