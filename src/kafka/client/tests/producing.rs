//! When a batch is sent: linger, size, memory, the window, the order.

use super::*;

#[test]
fn a_batch_leaves_when_its_linger_is_over_and_not_before() {
    let mut rig = Rig::simple();
    rig.push("a");
    rig.advance(ms(3));
    rig.push("b");
    rig.advance(ms(1));
    rig.settle();
    assert!(rig.produces.is_empty());
    rig.advance(ms(1));
    rig.settle();
    let produce = rig.take_produce();
    assert_eq!(produce.batch().values(), ["a", "b"]);
    assert_eq!(produce.acks(), -1);
    assert_eq!(produce.host, "broker-1");
    assert_eq!(rig.client.records_in_flight(), 2);
    rig.ack(&produce);
    assert_eq!(rig.ledger.acknowledged, 2);
    assert_eq!(
        (rig.client.records_in_flight(), rig.client.buffered_bytes()),
        (0, 0)
    );
}

#[test]
fn what_has_lingered_for_half_its_time_goes_along_with_what_leaves_and_the_rest_lingers() {
    let mut rig = Rig::ready(config(), FakeCluster::new(1, 3));
    for partition in 0..3 {
        rig.push_keyed(partition, "x").unwrap();
        rig.advance(ms(2));
        rig.settle();
    }
    // Those that were begun 6 and 4 ms ago; 5 is the linger.
    assert_eq!(rig.take_produce().batches().len(), 2);
    assert!(rig.produces.is_empty());
    rig.advance(ms(2));
    rig.settle();
    assert!(rig.produces.is_empty());
    rig.advance(ms(1));
    rig.settle();
    assert_eq!(rig.take_produce().batches().len(), 1);
}

#[test]
fn a_full_batch_leaves_without_lingering_and_the_rest_lingers() {
    let mut rig = Rig::simple();
    for _ in 0..3 {
        rig.push(&"x".repeat(400));
    }
    rig.settle();
    let produce = rig.take_produce();
    assert_eq!(produce.batch().records.len(), 2);
    rig.ack(&produce);
    assert!(rig.produces.is_empty());
    rig.advance(LINGER);
    rig.settle();
    assert_eq!(rig.take_produce().batch().records.len(), 1);
}

#[test]
fn the_first_batch_is_alone_until_acknowledged_and_then_five_may_be_in_flight() {
    let mut rig = Rig::simple();
    for n in 0..8 {
        rig.send(&[&n.to_string()]);
    }
    let first = rig.take_produce();
    assert_eq!(first.batch().stamp(), (1000, 0, 0));
    rig.ack(&first);
    // What gathered meanwhile left as one batch.
    rig.settle();
    assert_eq!(rig.produces.len(), 1);
    for n in 8..20 {
        rig.send(&[&n.to_string()]);
    }
    assert_eq!(rig.produces.len(), 5);
    let sequences: Vec<i32> = rig.produces.iter().map(|p| p.batch().stamp().2).collect();
    assert_eq!(sequences, [1, 8, 9, 10, 11]);
    while !rig.produces.is_empty() {
        let oldest = rig.produces.remove(0);
        rig.ack(&oldest);
    }
    assert_eq!(rig.ledger.acknowledged, 20);
}

#[test]
fn a_new_connection_has_to_acknowledge_one_before_the_window_opens() {
    let mut rig = Rig::simple().warmed_up();
    let connection = rig.connections("broker-1")[0];
    rig.cut(connection);
    rig.push("a");
    rig.advance_until(secs(1), |rig| !rig.produces.is_empty());
    rig.send(&["b"]);
    rig.send(&["c"]);
    let first = rig.take_produce();
    rig.ack(&first);
    rig.send(&["d"]);
    assert_eq!(rig.produces.len(), 2);
}

#[test]
fn max_in_flight_bounds_the_requests_of_a_broker_over_all_its_partitions() {
    let config = ProducerConfig {
        max_in_flight: 2,
        ..config()
    };
    let mut rig = Rig::ready(config, FakeCluster::new(1, 6));
    for partition in 0..6 {
        rig.push_keyed(partition, "x").unwrap();
        rig.advance(LINGER);
    }
    assert_eq!(rig.produces.len(), 2);
    let first = rig.produces.remove(0);
    rig.ack(&first);
    assert_eq!(rig.produces.len(), 2);
    // The third took everything that had become ready meanwhile.
    assert_eq!(rig.produces[1].batches().len(), 4);
}

#[test]
fn a_request_takes_one_batch_of_each_partition_and_each_broker_gets_its_own() {
    let mut rig = Rig::ready(config(), FakeCluster::new(2, 4));
    for _ in 0..3 {
        for partition in 0..4 {
            rig.push_keyed(partition, &"x".repeat(600)).unwrap();
        }
    }
    rig.settle();
    assert_eq!(rig.produces.len(), 2);
    let mut partitions: Vec<Vec<i32>> = rig
        .produces
        .iter()
        .map(|produce| {
            produce
                .batches()
                .iter()
                .map(|batch| batch.partition)
                .collect()
        })
        .collect();
    partitions.sort();
    assert_eq!(partitions, [[0, 2], [1, 3]]);
}

#[test]
fn a_large_request_is_cut_and_the_partitions_left_out_come_first_in_the_next() {
    let config = ProducerConfig {
        batch_size: 3 << 20,
        buffer_memory: 64 << 20,
        max_in_flight: 1,
        ..config()
    };
    let mut rig = Rig::ready(config, FakeCluster::new(1, 5));
    let large = "x".repeat(3 << 20);
    let push = |rig: &mut Rig| {
        for partition in 0..5 {
            rig.push_keyed(partition, &large).unwrap();
        }
        rig.advance(LINGER);
        rig.settle();
    };
    let partitions = |asked: &Asked| -> Vec<i32> {
        asked
            .batches()
            .iter()
            .map(|batch| batch.partition)
            .collect()
    };
    push(&mut rig);
    let first = rig.take_produce();
    assert_eq!(partitions(&first), [0, 1, 2]);
    push(&mut rig);
    rig.ack(&first);
    let second = rig.take_produce();
    assert_eq!(partitions(&second), [3, 4, 0]);
}

/// Scenario 44.
#[test]
fn a_full_memory_refuses_flushes_and_wants_records_again_when_there_is_room() {
    let config = ProducerConfig {
        buffer_memory: 4000,
        linger: secs(3600),
        delivery_timeout: secs(7200),
        batch_size: 100_000,
        ..config()
    };
    let mut rig = Rig::ready(config, FakeCluster::new(1, 1));
    let value = "x".repeat(500);
    while rig.push_keyed(0, &value).is_ok() {
        rig.settle();
        assert!(rig.produces.is_empty());
        assert!(rig.client.buffered_bytes() <= 4000);
    }
    assert_eq!(rig.ledger.pushed, 7);
    assert!(!rig.client.wants_records());
    rig.settle();
    // An hour's linger, and yet it is on its way: waiting would help nobody.
    let produce = rig.take_produce();
    assert_eq!(produce.batch().records.len(), 7);
    rig.ack(&produce);
    assert!(rig.client.wants_records());
    rig.push(&value);
    rig.advance(secs(1));
    assert!(rig.produces.is_empty(), "the flush is over");
}

#[test]
fn a_record_larger_than_the_memory_is_taken_when_nothing_else_is_there() {
    let config = ProducerConfig {
        buffer_memory: 1000,
        ..config()
    };
    let mut rig = Rig::ready(config, FakeCluster::new(1, 1));
    rig.push(&"x".repeat(5000));
    assert!(!rig.client.wants_records());
    assert_eq!(rig.push_keyed(0, "y"), Err(Full));
    rig.settle();
    let produce = rig.take_produce();
    rig.ack(&produce);
    assert!(rig.client.wants_records());
}

#[test]
fn with_acks_0_a_record_counts_when_it_is_written() {
    let config = ProducerConfig {
        acks: Acks::None,
        idempotence: false,
        ..config()
    };
    let mut rig = Rig::ready(config, FakeCluster::new(1, 1));
    rig.writes = false;
    rig.send(&["a", "b"]);
    let connection = rig.connections("broker-1")[0];
    assert_eq!(rig.ledger.acknowledged, 0);
    // ApiVersions was 0.
    rig.client.handle_written(connection, 1, rig.now);
    rig.settle();
    assert_eq!(rig.ledger.acknowledged, 2);
    assert_eq!(rig.client.buffered_bytes(), 0);
}

#[test]
fn with_acks_0_what_is_never_written_is_sent_again_on_the_next_connection() {
    let config = ProducerConfig {
        acks: Acks::None,
        idempotence: false,
        ..config()
    };
    let mut rig = Rig::ready(config, FakeCluster::new(1, 1));
    rig.writes = false;
    rig.send(&["a"]);
    let connection = rig.connections("broker-1")[0];
    rig.cut(connection);
    rig.writes = true;
    rig.advance_until(secs(2), |rig| rig.ledger.acknowledged == 1);
}

#[test]
fn with_acks_1_and_without_idempotence_batches_carry_no_sequence_and_no_window_holds_them() {
    let config = ProducerConfig {
        acks: Acks::Leader,
        idempotence: false,
        max_in_flight: 7,
        ..config()
    };
    let mut rig = Rig::ready(config, FakeCluster::new(1, 1));
    for _ in 0..9 {
        rig.send(&["x"]);
    }
    assert_eq!(rig.produces.len(), 7);
    for produce in rig.produces.clone() {
        assert_eq!(produce.acks(), 1);
        assert_eq!(produce.batch().stamp(), (-1, -1, -1));
        rig.produces.remove(0);
        rig.ack(&produce);
    }
    let last = rig.take_produce();
    rig.ack(&last);
    assert_eq!(rig.ledger.acknowledged, 9);
}

#[test]
fn records_without_a_key_stick_to_a_partition_and_move_on_with_its_batch() {
    let mut rig = Rig::ready(config(), FakeCluster::new(1, 4));
    let mut seen = BTreeSet::new();
    for _ in 0..40 {
        for value in [&b"a"[..], b"b", b"c"] {
            let record = Record {
                key: None,
                value,
                timestamp_ms: 0,
                due: rig.now,
            };
            rig.client.push(&record, rig.now).unwrap();
        }
        rig.advance(LINGER);
        rig.settle();
        let produce = rig.take_produce();
        let batch = produce.batch();
        assert_eq!(batch.values(), ["a", "b", "c"]);
        seen.insert(batch.partition);
        rig.ack(&produce);
    }
    assert_eq!(seen.len(), 4);
}

#[test]
fn with_acks_0_a_leader_that_takes_records_again_is_not_punished_for_long_gone_failures() {
    let config = ProducerConfig {
        acks: Acks::None,
        idempotence: false,
        ..config()
    };
    let mut rig = Rig::ready(config, FakeCluster::new(2, 2));
    for _ in 0..8 {
        for _ in 0..20 {
            rig.push_keyed(0, "x").unwrap();
            rig.push_keyed(1, "x").unwrap();
            rig.advance(secs(1));
        }
        let connection = rig.connections("broker-2")[0];
        rig.cut(connection);
        rig.push_keyed(1, "x").unwrap();
        let before = rig.now;
        rig.advance_until(secs(5), |rig| !rig.connections("broker-2").is_empty());
        assert!(rig.now - before < ms(200), "{:?}", rig.now - before);
    }
}

#[test]
fn records_without_a_key_avoid_a_partition_that_lost_its_leader() {
    let mut rig = Rig::ready(config(), FakeCluster::new(1, 3));
    let push = |rig: &mut Rig| {
        let record = Record {
            key: None,
            value: b"x",
            timestamp_ms: 0,
            due: rig.now,
        };
        rig.client.push(&record, rig.now).unwrap();
    };
    push(&mut rig);
    rig.advance(LINGER);
    rig.settle();
    let produce = rig.take_produce();
    let lost = usize::try_from(produce.batch().partition).unwrap();
    rig.cluster.leaders[lost] = -1;
    rig.code(&produce, 6);
    rig.advance(secs(2));
    for _ in 0..20 {
        push(&mut rig);
        rig.advance(LINGER);
        rig.settle();
        let produce = rig.take_produce();
        rig.ack(&produce);
    }
    assert_eq!(rig.ledger.acknowledged, 20);
}
