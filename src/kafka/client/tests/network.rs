//! Connections that end, peers that break the protocol, leaders that move: what was sent is sent again, the same bytes.

mod changes;

use kafka_protocol::messages::{BrokerId, produce_response};

use super::*;

/// Waits for the next Produce request, wherever it goes.
fn next_produce(rig: &mut Rig) -> Asked {
    rig.advance_until(secs(3), |rig| !rig.produces.is_empty());
    rig.produces.remove(0)
}

/// Scenarios 10 and 12.
#[test]
fn what_was_in_flight_on_a_cut_connection_is_resent_byte_for_byte_and_nothing_overtakes_it() {
    for in_flight in 1..=5 {
        let mut rig = Rig::simple().warmed_up();
        for n in 0..in_flight {
            rig.send(&[&format!("old {n}")]);
        }
        let sent: Vec<_> = rig.produces.iter().map(|p| p.batch().bytes).collect();
        assert_eq!(sent.len(), in_flight);
        let connection = rig.produces[0].connection;
        rig.cut(connection);
        rig.push("new");
        let cut_at = rig.now;
        for bytes in sent {
            let produce = next_produce(&mut rig);
            assert!(rig.now - cut_at < ms(200), "after {:?}", rig.now - cut_at);
            assert_ne!(produce.connection, connection);
            assert_eq!(produce.batch().bytes, bytes);
            // The broker had written it before the connection was cut.
            rig.code(&produce, 46);
        }
        let produce = next_produce(&mut rig);
        assert_eq!(produce.batch().values(), ["new"]);
        rig.ack(&produce);
        assert_eq!(rig.ledger.acknowledged, in_flight + 2);
        assert_eq!(rig.client.buffered_bytes(), 0);
    }
}

#[test]
fn only_what_is_unanswered_is_resent() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    rig.send(&["b"]);
    let first = rig.produces.remove(0);
    rig.ack(&first);
    rig.cut(first.connection);
    let produce = next_produce(&mut rig);
    assert_eq!(produce.batch().values(), ["b"]);
    rig.ack(&produce);
    rig.advance(secs(5));
    assert!(rig.produces.is_empty());
}

fn breaks_off(answer: impl Fn(&Asked) -> Vec<u8>, reason: &str) {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    rig.send(&["b"]);
    let (first, second) = (rig.produces[0].clone(), rig.produces[1].clone());
    rig.closes.clear();
    rig.frame(first.connection, &answer(&first));
    assert_eq!(rig.closes, ["broker-1"]);
    let warned = rig.events.iter().any(|event| {
        matches!(event, Event::Warning { message, .. }
            if message.contains("broker-1 (broker-1:9092)") && message.contains(reason))
    });
    assert!(warned, "{:?}", rig.events);
    for sent in [first, second] {
        let produce = next_produce(&mut rig);
        assert_eq!(produce.batch().bytes, sent.batch().bytes);
        rig.ack(&produce);
    }
    assert_eq!(rig.ledger.acknowledged, 3);
}

/// Scenario 36.
#[test]
fn an_answer_that_lacks_a_partition_closes_the_connection_and_the_batch_is_resent() {
    breaks_off(
        |asked| {
            let mut response = asked.produced(|_| 0);
            response.responses[0].partition_responses.clear();
            asked.answer_with(asked.version, &response)
        },
        "lacks partition 0",
    );
}

/// Scenario 36.
#[test]
fn a_wrong_correlation_id_closes_the_connection_and_the_batch_is_resent() {
    breaks_off(
        |asked| {
            let mut wrong = asked.clone();
            wrong.correlation_id += 1;
            wrong.answer_with(asked.version, &asked.produced(|_| 0))
        },
        "correlation",
    );
}

/// Scenario 9.
#[test]
fn a_truncated_answer_closes_the_connection_and_the_batch_is_resent() {
    breaks_off(
        |asked| {
            let mut frame = asked.answer_with(asked.version, &asked.produced(|_| 0));
            frame.truncate(frame.len() - 3);
            frame
        },
        "unreadable answer",
    );
}

#[test]
fn an_answer_to_nothing_closes_the_connection() {
    let mut rig = Rig::simple();
    let connection = rig.connections("broker-1")[0];
    rig.closes.clear();
    rig.frame(connection, &[0, 0, 0, 9]);
    assert_eq!(rig.closes, ["broker-1"]);
}

/// Scenarios 5 and 13.
#[test]
fn a_request_that_is_not_answered_in_time_closes_the_connection_and_is_resent() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    let hung = rig.take_produce();
    rig.advance(ms(29_999));
    assert!(rig.links.contains_key(&hung.connection));
    rig.advance(ms(2));
    rig.settle();
    assert!(!rig.links.contains_key(&hung.connection));
    let produce = next_produce(&mut rig);
    assert_eq!(produce.batch().bytes, hung.batch().bytes);
}

/// Scenarios 5 and 6.
#[test]
fn a_silent_leader_is_not_waited_for_once_the_others_name_another() {
    let mut rig = Rig::ready(config(), FakeCluster::new(3, 2)).warmed_up();
    rig.push_keyed(0, "a").unwrap();
    rig.advance(ms(10));
    let hung = rig.take_produce();
    let sent_at = rig.now;
    rig.advance(secs(9));
    assert!(
        rig.links.contains_key(&hung.connection),
        "it leads as far as anybody knows"
    );
    rig.cluster.leaders = vec![3, 2];
    rig.cluster.leader_epoch += 1;
    let produce = next_produce(&mut rig);
    assert!(!rig.links.contains_key(&hung.connection));
    assert_eq!(produce.host, "broker-3");
    assert_eq!(produce.batch().bytes, hung.batch().bytes);
    assert!(rig.now < sent_at + secs(12), "{:?}", rig.now - sent_at);
    rig.ack(&produce);
    assert_eq!(rig.ledger.acknowledged, rig.ledger.pushed);
}

/// Scenario 34.
#[test]
fn a_throttled_broker_is_not_doubted_for_the_silence_that_it_asked_for() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    rig.send(&["b"]);
    let first = rig.produces.remove(0);
    rig.count(ApiKey::Metadata);
    rig.connects.clear();
    rig.events.clear();
    rig.answer(&first, &first.produced(|_| 0).with_throttle_time_ms(40_000));
    rig.advance(secs(39));
    assert!(rig.links.contains_key(&first.connection));
    assert!(rig.connects.is_empty(), "{:?}", rig.connects);
    assert_eq!(rig.count(ApiKey::Metadata), 0);
    let warned = |event: &Event| matches!(event, Event::Warning { .. });
    assert!(!rig.events.iter().any(warned), "{:?}", rig.events);
    // From then on it is as late as any other.
    rig.advance(secs(32));
    assert!(!rig.links.contains_key(&first.connection));
}

#[test]
fn the_others_are_asked_about_a_silent_leader_once_a_second_and_about_an_answering_one_not() {
    let mut rig = Rig::ready(config(), FakeCluster::new(2, 1)).warmed_up();
    rig.count(ApiKey::Metadata);
    rig.send(&["a"]);
    rig.advance(ms(2_900));
    assert_eq!(rig.count(ApiKey::Metadata), 0);
    rig.advance(secs(10));
    let asked = rig.count(ApiKey::Metadata);
    assert!((9..=11).contains(&asked), "{asked}");
    let produce = rig.take_produce();
    rig.ack(&produce);
    rig.advance(secs(10));
    assert!(rig.count(ApiKey::Metadata) <= 1);
}

/// Scenarios 6 and 22.
#[test]
fn a_moved_leader_is_looked_up_and_gets_the_same_bytes() {
    for code in [3, 5, 6, 9, 13, 56, 72, 74, 80, 83, 100, 103] {
        let mut rig = Rig::ready(config(), FakeCluster::new(2, 1)).warmed_up();
        rig.send(&["a"]);
        rig.send(&["b"]);
        let (first, second) = (rig.produces.remove(0), rig.produces.remove(0));
        rig.cluster.leaders = vec![2];
        rig.count(ApiKey::Metadata);
        rig.code(&first, code);
        assert!(rig.produces.is_empty(), "the second is still on its way");
        rig.code(&second, code);
        for sent in [first, second] {
            let produce = next_produce(&mut rig);
            assert_eq!(produce.host, "broker-2", "code {code}");
            assert_eq!(produce.batch().bytes, sent.batch().bytes);
            rig.ack(&produce);
        }
        assert_eq!(rig.count(ApiKey::Metadata), 1);
        assert_eq!(rig.ledger.acknowledged, 3);
    }
}

pub(super) fn with_leader(asked: &Asked, leader: i32, epoch: i32) -> ProduceResponse {
    let mut response = asked.produced(|_| 6);
    response.responses[0].partition_responses[0].current_leader =
        produce_response::LeaderIdAndEpoch::default()
            .with_leader_id(BrokerId(leader))
            .with_leader_epoch(epoch);
    let host = format!("broker-{leader}");
    response.with_node_endpoints(vec![
        produce_response::NodeEndpoint::default()
            .with_node_id(BrokerId(leader))
            .with_host(host.into())
            .with_port(9092),
    ])
}

/// Scenario 6.
#[test]
fn a_leader_that_the_answer_names_is_used_at_once_even_if_it_was_not_known() {
    let mut rig = Rig::ready(config(), FakeCluster::new(1, 1)).warmed_up();
    rig.send(&["a"]);
    rig.send(&["b"]);
    let (first, second) = (rig.produces.remove(0), rig.produces.remove(0));
    let asked_at = rig.now;
    rig.answer(&first, &with_leader(&first, 9, 8));
    rig.answer(&second, &with_leader(&second, 9, 8));
    for sent in [first, second] {
        assert_eq!(rig.now, asked_at, "no backoff");
        let produce = rig.take_produce();
        assert_eq!(produce.host, "broker-9");
        assert_eq!(produce.batch().bytes, sent.batch().bytes);
        rig.ack(&produce);
    }
}

#[test]
fn two_brokers_that_name_each_other_are_not_asked_in_turn_without_end() {
    let mut rig = Rig::ready(config(), FakeCluster::new(2, 1)).warmed_up();
    rig.cluster.leader_epoch = 8;
    rig.send(&["a"]);
    let mut sent = 0;
    let begun = rig.now;
    while rig.now - begun < secs(5) {
        rig.advance_until(secs(3), |rig| !rig.produces.is_empty());
        let produce = rig.produces.remove(0);
        let other = if produce.host == "broker-1" { 2 } else { 1 };
        rig.answer(&produce, &with_leader(&produce, other, 8));
        sent += 1;
        assert!(sent < 30, "{sent} times");
    }
}

/// Scenario 34.
#[test]
fn a_throttled_broker_is_left_alone_for_as_long_as_it_asks_but_an_absurd_time_is_not_believed() {
    for (throttle_ms, at_least, at_most) in
        [(700, 700, 710), (i32::MAX, 60_000, 60_010), (-5, 0, 6)]
    {
        let mut rig = Rig::simple().warmed_up();
        rig.send(&["a"]);
        let produce = rig.take_produce();
        rig.answer(
            &produce,
            &produce.produced(|_| 0).with_throttle_time_ms(throttle_ms),
        );
        let throttled_at = rig.now;
        rig.push("b");
        rig.advance_until(secs(70), |rig| !rig.produces.is_empty());
        let waited = rig.now - throttled_at;
        assert!(
            (ms(at_least)..=ms(at_most)).contains(&waited),
            "{throttle_ms}: {waited:?}"
        );
    }
}

/// Scenario 34.
#[test]
fn a_shorter_throttle_does_not_take_back_a_longer_one() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    rig.send(&["b"]);
    let begun = rig.now;
    for throttle_ms in [900, 100] {
        let produce = rig.produces.remove(0);
        rig.answer(
            &produce,
            &produce.produced(|_| 0).with_throttle_time_ms(throttle_ms),
        );
    }
    rig.push("c");
    rig.advance_until(secs(2), |rig| !rig.produces.is_empty());
    assert_eq!(rig.now - begun, ms(900));
}

#[test]
fn an_idle_connection_is_closed_before_the_broker_does_and_opened_again_when_needed() {
    let mut rig = Rig::simple().warmed_up();
    rig.closes.clear();
    // Metadata is refreshed every five minutes, on one connection or the other.
    rig.advance(secs(3600));
    let woken = rig.count(ApiKey::Metadata);
    assert!((5..=14).contains(&woken), "{woken} refreshes");
    rig.send(&["a"]);
    let produce = next_produce(&mut rig);
    rig.ack(&produce);
    assert_eq!(rig.ledger.acknowledged, 2);
}

/// Scenario 30.
#[test]
fn a_second_brokers_connection_that_nothing_goes_over_is_closed_after_nine_minutes() {
    let mut rig = Rig::ready(config(), FakeCluster::new(3, 3));
    rig.closes.clear();
    rig.advance(secs(9 * 60 + 1));
    rig.settle();
    assert_eq!(rig.closes.len(), 2, "{:?}", rig.closes);
}

/// Scenario 28.
#[test]
fn when_every_broker_is_replaced_the_configured_address_leads_to_the_new_ones() {
    let mut rig = Rig::ready(config(), FakeCluster::new(2, 2)).warmed_up();
    for connection in rig.links.keys().copied().collect::<Vec<_>>() {
        rig.cut(connection);
    }
    rig.refusing = ["broker-1", "broker-2"].map(str::to_owned).into();
    rig.cluster.brokers = vec![7, 8];
    rig.cluster.leaders = vec![7, 8];
    rig.push("a");
    rig.advance_until(secs(5), |rig| !rig.produces.is_empty());
    assert_eq!(rig.take_produce().host, "broker-7");
}

#[test]
fn code_129_leads_back_to_the_configured_addresses_and_nothing_is_lost() {
    let mut rig = Rig::ready(config(), FakeCluster::new(2, 2)).warmed_up();
    rig.send(&["a"]);
    rig.send(&["b"]);
    let (first, second) = (rig.produces.remove(0), rig.produces.remove(0));
    rig.cluster.brokers = vec![1, 3];
    rig.cluster.leaders = vec![3, 1];
    rig.closes.clear();
    rig.connects.clear();
    rig.code(&first, 129);
    assert_eq!(rig.closes[..2], ["broker-1", "broker-2"]);
    rig.advance_until(secs(1), |rig| !rig.connects.is_empty());
    assert_eq!(rig.connects[0], "boot");
    for sent in [first, second] {
        let produce = next_produce(&mut rig);
        assert_eq!(produce.host, "broker-3");
        assert_eq!(produce.batch().bytes, sent.batch().bytes);
        rig.ack(&produce);
    }
    assert_eq!(rig.ledger.acknowledged, 3);
}

#[test]
fn metadata_that_is_wanted_while_the_only_broker_is_throttled_does_not_make_it_reconnect_in_a_loop()
{
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    let produce = rig.take_produce();
    rig.connects.clear();
    let response = produce.produced(|_| 3).with_throttle_time_ms(5000);
    rig.answer(&produce, &response);
    rig.advance(secs(4));
    assert!(rig.connects.len() <= 1, "{:?}", rig.connects);
}
