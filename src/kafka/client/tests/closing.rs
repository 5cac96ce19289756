//! The end: everything is delivered, or counted.

use super::*;

/// Scenario 24.
#[test]
fn closing_sends_what_lingers_awaits_every_answer_and_closes_every_connection() {
    let config = ProducerConfig {
        linger: secs(3600),
        delivery_timeout: secs(7200),
        ..config()
    };
    let mut rig = Rig::ready(config, FakeCluster::new(2, 4));
    for partition in 0..4 {
        rig.push_keyed(partition, "x").unwrap();
    }
    rig.settle();
    assert!(rig.produces.is_empty());
    rig.client.close(rig.now + secs(30));
    assert!(!rig.client.wants_records());
    assert_eq!(rig.push_keyed(0, "too late"), Err(Full));
    rig.settle();
    for produce in std::mem::take(&mut rig.produces) {
        assert!(!rig.client.is_closed());
        rig.ack(&produce);
    }
    assert!(rig.client.is_closed());
    assert_eq!(rig.ledger.acknowledged, 4);
    assert!(rig.links.is_empty());
    assert_eq!(rig.client.poll_timeout(), None);
}

#[test]
fn closing_waits_for_retries_too() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    rig.client.close(rig.now + secs(30));
    rig.settle();
    let produce = rig.take_produce();
    rig.cut(produce.connection);
    rig.advance_until(secs(3), |rig| !rig.produces.is_empty());
    assert!(!rig.client.is_closed());
    let produce = rig.take_produce();
    rig.ack(&produce);
    assert!(rig.client.is_closed());
    assert_eq!(rig.ledger.acknowledged, 2);
}

/// Scenario 24.
#[test]
fn at_the_deadline_the_rest_is_given_up_and_counted_exactly() {
    let mut rig = Rig::simple().warmed_up();
    for _ in 0..5 {
        rig.send(&["in flight", "in flight"]);
    }
    for _ in 0..3 {
        rig.push("unsent");
    }
    assert_eq!(rig.produces.len(), 5);
    rig.client.close(rig.now + ms(5_000));
    rig.advance(ms(4_999));
    assert!(!rig.client.is_closed());
    rig.advance(ms(1));
    rig.settle();
    assert!(matches!(
        rig.events[..],
        [Event::Abandoned {
            unsent: 3,
            unanswered: 10
        }]
    ));
    assert!(rig.client.is_closed());
    assert_eq!(rig.client.buffered_bytes(), 0);
    assert!(rig.links.is_empty());
    assert_eq!(rig.ledger.settled(), rig.ledger.pushed);
}

#[test]
fn a_batch_that_a_broker_may_have_counts_as_unanswered_and_a_refused_one_as_unsent() {
    for (code, unsent, unanswered) in [(7, 0, 1), (6, 0, 1), (19, 1, 0)] {
        let mut rig = Rig::simple().warmed_up();
        rig.send(&["a"]);
        let produce = rig.take_produce();
        rig.code(&produce, code);
        rig.client.close(rig.now);
        rig.settle();
        assert_eq!(
            (rig.ledger.unsent, rig.ledger.unanswered),
            (unsent, unanswered)
        );
    }
}

/// Scenario 25.
#[test]
fn closing_with_all_brokers_down_ends_at_the_deadline() {
    let mut rig = Rig::simple().warmed_up();
    rig.refusing = ["broker-1", "boot"].map(str::to_owned).into();
    let connection = rig.connections("broker-1")[0];
    rig.cut(connection);
    rig.push("a");
    rig.advance(secs(20));
    rig.client.close(rig.now + secs(5));
    rig.advance(secs(5));
    rig.settle();
    assert!(rig.client.is_closed());
    assert_eq!(rig.ledger.unsent, 1);
}

#[test]
fn a_second_close_brings_the_deadline_forward_and_never_back() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    rig.client.close(rig.now + secs(20));
    rig.client.close(rig.now + secs(5));
    rig.client.close(rig.now + secs(60));
    rig.advance(secs(5));
    rig.settle();
    assert!(rig.client.is_closed());
}

#[test]
fn closing_while_it_starts_ends_at_once() {
    for hangs in [false, true] {
        let mut rig = Rig::new(config(), FakeCluster::new(1, 1));
        if hangs {
            rig.hanging.insert("boot".to_owned());
        } else {
            rig.cluster.script(ApiKey::Metadata, |_| None);
        }
        rig.settle();
        rig.client.close(rig.now + secs(30));
        rig.settle();
        assert!(rig.client.is_closed());
        assert!(rig.links.is_empty());
        assert!(rig.events.is_empty(), "{:?}", rig.events);
    }
}

#[test]
fn closing_before_anything_was_done_opens_no_connection() {
    let mut rig = Rig::new(config(), FakeCluster::new(1, 1));
    rig.client.close(rig.now);
    rig.settle();
    assert!(rig.client.is_closed());
    assert!(rig.links.is_empty());
    assert!(rig.connects.is_empty(), "{:?}", rig.connects);
}

#[test]
fn after_the_end_nothing_that_still_comes_does_anything() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    let produce = rig.take_produce();
    rig.client.close(rig.now);
    rig.settle();
    let ledger = rig.ledger.clone();
    rig.ack(&produce);
    rig.client
        .handle_closed(produce.connection, "closed", rig.now);
    rig.client.handle_timeout(rig.now);
    rig.client.close(rig.now);
    rig.settle();
    assert_eq!(rig.ledger, ledger);
    assert!(rig.links.is_empty());
}
