//! What each code of a Produce answer leads to, and what time does.

use kafka_protocol::messages::produce_response::BatchIndexAndErrorMessage;

use super::*;

fn next_produce(rig: &mut Rig) -> Asked {
    rig.advance_until(secs(3), |rig| !rig.produces.is_empty());
    rig.produces.remove(0)
}

/// Scenarios 14 and 23.
#[test]
fn codes_7_and_20_leave_the_fate_open_and_the_same_bytes_go_out_again() {
    for code in [2, 7, 19, 20, 89] {
        let mut rig = Rig::simple().warmed_up();
        rig.count(ApiKey::Metadata);
        rig.send(&["a"]);
        let first = rig.take_produce();
        rig.code(&first, code);
        assert!(rig.produces.is_empty(), "backoff");
        let again = next_produce(&mut rig);
        assert_eq!(again.batch().bytes, first.batch().bytes);
        rig.code(&again, 46);
        assert_eq!(rig.ledger.acknowledged, 2);
        assert_eq!(rig.count(ApiKey::Metadata), 0);
    }
}

#[test]
fn a_duplicate_is_a_success() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a", "b"]);
    let produce = rig.take_produce();
    rig.code(&produce, 46);
    assert_eq!(rig.ledger.acknowledged, 3);
    assert!(matches!(
        rig.events[..],
        [Event::Acknowledged { records: 2, .. }]
    ));
}

/// Scenarios 15, 16 and 17.
#[test]
fn the_first_in_line_out_of_order_begins_a_new_epoch_at_0_and_later_ones_follow() {
    for code in [45, 59, 47] {
        let mut rig = Rig::simple().warmed_up();
        for value in ["a", "b", "c"] {
            rig.send(&[value]);
        }
        for sent in std::mem::take(&mut rig.produces) {
            assert!(rig.produces.is_empty(), "nothing before all are back");
            rig.code(&sent, code);
        }
        for (sequence, value) in ["a", "b", "c"].into_iter().enumerate() {
            let produce = next_produce(&mut rig);
            assert_eq!(produce.batch().values(), [value]);
            let sequence = i32::try_from(sequence).unwrap();
            assert_eq!(produce.batch().stamp(), (1000, 1, sequence), "code {code}");
            rig.ack(&produce);
        }
        assert_eq!(rig.ledger.acknowledged, 4);
        assert_eq!(
            rig.count(ApiKey::InitProducerId),
            1,
            "raised without asking"
        );
    }
}

#[test]
fn a_producer_id_that_is_not_known_any_more_is_replaced_and_nothing_is_lost() {
    let mut rig = Rig::simple().warmed_up();
    for value in ["a", "b"] {
        rig.send(&[value]);
    }
    for sent in std::mem::take(&mut rig.produces) {
        rig.code(&sent, 49);
    }
    for (sequence, value) in (0..).zip(["a", "b"]) {
        let produce = next_produce(&mut rig);
        assert_eq!(produce.batch().values(), [value]);
        let (id, _, base_sequence) = produce.batch().stamp();
        assert_ne!(id, 1000);
        assert_eq!(base_sequence, sequence);
        rig.ack(&produce);
    }
    assert_eq!(rig.ledger.acknowledged, 3);
    assert_eq!(rig.count(ApiKey::InitProducerId), 2);
}

/// Scenario 15.
#[test]
fn a_later_one_out_of_order_only_waits_for_the_first() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    rig.send(&["b"]);
    let (a, b) = (rig.produces.remove(0), rig.produces.remove(0));
    rig.code(&a, 7);
    rig.code(&b, 45);
    for sent in [a, b] {
        let produce = next_produce(&mut rig);
        assert_eq!(produce.batch().bytes, sent.batch().bytes);
        rig.ack(&produce);
    }
    assert_eq!(rig.ledger.acknowledged, 3);
}

/// Scenario 15.
#[test]
fn one_of_open_fate_that_is_out_of_order_only_waits_for_the_first_too() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    rig.send(&["b"]);
    let (a, b) = (rig.produces.remove(0), rig.produces.remove(0));
    rig.code(&a, 19);
    rig.code(&b, 7);
    for codes in [[19, 45], [0, 46]] {
        let again = [next_produce(&mut rig), next_produce(&mut rig)];
        for ((again, sent), code) in again.iter().zip([&a, &b]).zip(codes) {
            assert_eq!(again.batch().bytes, sent.batch().bytes);
            rig.code(again, code);
        }
    }
    assert_eq!((rig.ledger.acknowledged, rig.ledger.failed), (3, 0));
}

/// Scenario 21.
#[test]
fn a_batch_too_large_is_halved_at_once_and_keeps_its_sequences() {
    for idempotence in [true, false] {
        let config = ProducerConfig {
            idempotence,
            ..config()
        };
        let mut rig = Rig::ready(config, FakeCluster::new(1, 1)).warmed_up();
        rig.send(&["a", "b", "c"]);
        rig.send(&["d"]);
        let (whole, next) = (rig.produces.remove(0), rig.produces.remove(0));
        rig.code(&whole, 10);
        rig.code(&next, if idempotence { 45 } else { 7 });
        let sent_at = rig.now;
        let mut seen = Vec::new();
        for _ in 0..3 {
            let produce = next_produce(&mut rig);
            let batch = produce.batch();
            seen.push((batch.values().concat(), batch.stamp()));
            rig.ack(&produce);
        }
        assert!(rig.now - sent_at < ms(200));
        let stamp = |sequence| {
            if idempotence {
                (1000, 0, sequence)
            } else {
                (-1, -1, -1)
            }
        };
        let expected = [("ab", stamp(1)), ("c", stamp(3)), ("d", stamp(4))];
        let seen: Vec<_> = seen
            .iter()
            .map(|(values, stamp)| (values.as_str(), *stamp))
            .collect();
        assert_eq!(seen, expected);
        assert_eq!(rig.ledger.acknowledged, 5);
        assert_eq!(rig.client.buffered_bytes(), 0);
    }
}

/// Scenario 21.
#[test]
fn no_batch_is_as_large_as_the_refused_one_until_metadata_are_renewed() {
    let mut rig = Rig::simple().warmed_up();
    let values = ["a"; 12].map(|value| value.repeat(60));
    let push_all = |rig: &mut Rig| values.iter().for_each(|value| rig.push(value));
    let records_sent = |rig: &mut Rig| {
        let mut sent = Vec::new();
        while rig.ledger.settled() < rig.ledger.pushed {
            let produce = next_produce(rig);
            sent.push(produce.batch().records.len());
            rig.ack(&produce);
        }
        sent
    };
    push_all(&mut rig);
    let whole = next_produce(&mut rig);
    assert_eq!(whole.batch().records.len(), 12);
    rig.code(&whole, 10);
    assert_eq!(records_sent(&mut rig), [6, 6]);
    push_all(&mut rig);
    assert_eq!(records_sent(&mut rig), [6, 6], "and not refused before");
    rig.advance(secs(4 * 60));
    push_all(&mut rig);
    assert_eq!(records_sent(&mut rig), [6, 6], "still remembered");
    rig.advance(secs(6 * 60));
    push_all(&mut rig);
    assert_eq!(records_sent(&mut rig), [12]);
}

/// Scenario 21.
#[test]
fn a_single_record_too_large_fails_and_the_next_batch_begins_a_new_epoch() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    let produce = rig.take_produce();
    rig.code(&produce, 10);
    assert_eq!(rig.ledger.failed, 1);
    let line = &rig.failures()[0];
    assert!(
        line.contains("partition 0: MESSAGE_TOO_LARGE (10); raise the topic's max.message.bytes"),
        "{line}"
    );
    rig.send(&["b"]);
    assert_eq!(rig.take_produce().batch().stamp(), (1000, 1, 0));
}

/// Scenario 21.
#[test]
fn an_invalid_record_fails_its_batch_with_the_brokers_words_and_a_new_epoch_follows() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a", "b"]);
    rig.send(&["c"]);
    let (bad, behind) = (rig.produces.remove(0), rig.produces.remove(0));
    let mut response = bad.produced(|_| 87);
    response.responses[0].partition_responses[0].record_errors = vec![
        BatchIndexAndErrorMessage::default()
            .with_batch_index(1)
            .with_batch_index_error_message(Some(
                "a compacted\n topic needs\u{202e}\u{1b}[31m\u{2028} keys".into(),
            )),
    ];
    rig.answer(&bad, &response);
    assert_eq!(rig.ledger.failed, 2);
    let line = &rig.failures()[0];
    assert!(
        line.contains("INVALID_RECORD (87): a compacted topic needs[31m keys;"),
        "{line}"
    );
    rig.send(&["d"]);
    assert!(rig.produces.is_empty(), "nothing new behind a hole");
    rig.code(&behind, 45);
    for (value, sequence) in [("c", 0), ("d", 1)] {
        let produce = next_produce(&mut rig);
        assert_eq!(produce.batch().values(), [value]);
        assert_eq!(produce.batch().stamp(), (1000, 1, sequence));
        rig.ack(&produce);
    }
    assert_eq!((rig.ledger.acknowledged, rig.ledger.failed), (3, 2));
}

#[test]
fn codes_that_no_retry_helps_fail_the_batch_and_the_next_goes_on() {
    for code in [17, 18, 21, 29, 32, 42, 76, 87] {
        let mut rig = Rig::simple().warmed_up();
        rig.send(&["a"]);
        let produce = rig.take_produce();
        rig.code(&produce, code);
        assert_eq!(rig.ledger.failed, 1, "code {code}");
        rig.send(&["b"]);
        let produce = rig.take_produce();
        rig.ack(&produce);
        assert_eq!(rig.ledger.acknowledged, 2, "code {code}");
    }
}

#[test]
fn an_unknown_code_fails_the_batch_and_keeps_its_number() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    let produce = rig.take_produce();
    rig.code(&produce, 4711);
    assert_eq!(rig.failures(), ["partition 0: unknown error code 4711"]);
}

#[test]
fn a_refusal_of_every_write_is_fatal_said_once_with_what_to_do_and_adds_up() {
    let mut rig = Rig::ready(config(), FakeCluster::new(1, 3));
    for partition in 0..3 {
        rig.push_keyed(partition, "a").unwrap();
    }
    rig.advance(LINGER);
    rig.settle();
    let produce = rig.take_produce();
    rig.code(&produce, 31);
    let line = rig.fatal().unwrap().to_string();
    assert!(
        line.contains("refused Produce: CLUSTER_AUTHORIZATION_FAILED (31); grant"),
        "{line}"
    );
    assert!(matches!(rig.events.last(), Some(Event::Fatal(_))));
    assert!(rig.client.is_closed());
    assert_eq!(rig.ledger.settled(), 3);
    assert_eq!(rig.client.buffered_bytes(), 0);
}

/// Scenario 19.
#[test]
fn when_the_epochs_are_used_up_a_new_producer_id_is_asked_for() {
    let mut cluster = FakeCluster::new(1, 1);
    cluster.producer = (1000, i16::MAX - 1);
    let mut rig = Rig::ready(config(), cluster).warmed_up();
    rig.send(&["a"]);
    let produce = rig.take_produce();
    assert_eq!(produce.batch().stamp(), (1000, i16::MAX - 1, 1));
    rig.code(&produce, 45);
    let again = next_produce(&mut rig);
    assert_eq!(again.batch().stamp(), (1001, 0, 0));
    rig.ack(&again);
    assert_eq!(rig.count(ApiKey::InitProducerId), 2);
    assert_eq!(rig.ledger.acknowledged, 2);
}

#[test]
fn what_is_never_sent_fails_at_the_delivery_timeout() {
    let mut rig = Rig::simple();
    rig.cluster.leaders = vec![-1];
    rig.refusing.insert("broker-1".to_owned());
    let connection = rig.connections("broker-1")[0];
    rig.cut(connection);
    rig.push("a");
    rig.advance(ms(119_999));
    assert_eq!(rig.ledger.failed, 0);
    rig.advance(ms(1));
    rig.settle();
    assert_eq!(rig.ledger.failed, 1);
    assert!(
        rig.failures()[0].contains("delivery timeout, after 0 attempts"),
        "{:?}",
        rig.failures()
    );
    assert_eq!(rig.client.buffered_bytes(), 0);
}

/// Scenario 20.
#[test]
fn what_waits_for_a_retry_fails_at_the_delivery_timeout_and_a_new_epoch_follows() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    let begun = rig.now;
    while rig.ledger.failed == 0 {
        assert!(rig.now - begun < DELIVERY_TIMEOUT + secs(1));
        rig.advance(ms(10));
        if let Some(produce) = rig.produces.pop() {
            rig.code(&produce, 19);
        }
    }
    let line = &rig.failures()[0];
    assert!(line.contains("NOT_ENOUGH_REPLICAS (19)"), "{line}");
    rig.push("b");
    let produce = next_produce(&mut rig);
    assert_eq!(produce.batch().stamp(), (1000, 1, 0));
}

/// Scenario 20.
#[test]
fn what_was_sent_after_an_expired_batch_keeps_its_sequence_and_fails_if_the_broker_misses_one() {
    for expired_was_written in [false, true] {
        let mut rig = Rig::simple().warmed_up();
        rig.send(&["a"]);
        rig.advance(secs(5));
        rig.send(&["b"]);
        rig.refusing.insert("broker-1".to_owned());
        let sent = rig.produces[1].batch().bytes;
        let connection = rig.produces[0].connection;
        rig.cut(connection);
        let cutting_it_fine = |rig: &Rig| rig.ledger.failed == 1;
        rig.advance_until(DELIVERY_TIMEOUT, cutting_it_fine);
        rig.refusing.clear();
        rig.advance(ms(1));
        rig.advance_until(secs(3), |rig| !rig.produces.is_empty());
        let b = rig.take_produce();
        assert_eq!(b.batch().bytes, sent);
        if expired_was_written {
            rig.ack(&b);
        } else {
            // It went unanswered: with a new sequence it could be written twice.
            rig.code(&b, 45);
        }
        let expected = if expired_was_written { (2, 1) } else { (1, 2) };
        assert_eq!((rig.ledger.acknowledged, rig.ledger.failed), expected);
    }
}

/// Scenario 13.
#[test]
fn what_is_in_flight_at_the_delivery_timeout_waits_for_its_fate() {
    let config = ProducerConfig {
        delivery_timeout: secs(5),
        ..config()
    };
    for acknowledged in [true, false] {
        let mut rig = Rig::ready(config.clone(), FakeCluster::new(1, 1)).warmed_up();
        rig.send(&["a"]);
        let produce = rig.take_produce();
        rig.advance(secs(20));
        assert_eq!(rig.ledger.failed, 0);
        rig.code(&produce, if acknowledged { 0 } else { 7 });
        assert_eq!(rig.ledger.acknowledged, 1 + usize::from(acknowledged));
        assert_eq!(rig.ledger.failed, usize::from(!acknowledged));
    }
}

#[test]
fn the_order_within_a_partition_outlives_any_mix_of_failures() {
    let mut rig = Rig::simple().warmed_up();
    for value in ["a", "b", "c", "d", "e"] {
        rig.send(&[value]);
    }
    // The second is refused for good: what follows comes back, and goes out in order under a new epoch.
    for (sent, code) in std::mem::take(&mut rig.produces)
        .into_iter()
        .zip([0, 87, 45, 45, 45])
    {
        rig.code(&sent, code);
    }
    rig.push("f");
    let mut order = Vec::new();
    while rig.ledger.settled() < rig.ledger.pushed {
        let produce = next_produce(&mut rig);
        order.extend(produce.batch().values());
        rig.ack(&produce);
    }
    assert_eq!(order, ["c", "d", "e", "f"]);
}

/// Scenario 13.
#[test]
fn nothing_goes_out_behind_a_batch_that_may_have_been_written() {
    let mut rig = Rig::simple().warmed_up();
    for value in ["a", "b", "c", "d", "e"] {
        rig.send(&[value]);
    }
    // A broker knows the last five: with one more behind it, it would take `a` for a stranger and write it twice.
    for (sent, code) in std::mem::take(&mut rig.produces)
        .into_iter()
        .zip([20, 0, 0, 0, 0])
    {
        rig.code(&sent, code);
    }
    rig.send(&["f"]);
    for _ in 0..3 {
        let again = next_produce(&mut rig);
        assert_eq!(again.batch().values(), ["a"]);
        rig.advance(ms(100));
        assert!(rig.produces.is_empty());
        rig.code(&again, 19);
    }
    let again = next_produce(&mut rig);
    rig.code(&again, 46);
    assert_eq!(next_produce(&mut rig).batch().values(), ["f"]);
}
