//! What the client shows of itself.

use super::*;
use crate::kafka::client::status::{BATCH_SIZES, ConnectionStatus, FullBecause, Status};
use crate::kafka::wire::message::ApiKey as Api;

fn status(rig: &Rig) -> Status {
    rig.client.status(rig.now)
}

fn requests(status: &Status, api: Api) -> u64 {
    let mut counted = status.counters.requests();
    counted.find(|(counted, _)| *counted == api).unwrap().1
}

#[test]
fn every_request_and_every_batch_is_counted_where_it_belongs() {
    let mut rig = Rig::simple();
    let before = status(&rig);
    assert_eq!(requests(&before, Api::Produce), 0);
    assert!(requests(&before, Api::Metadata) >= 1);
    assert_eq!(requests(&before, Api::InitProducerId), 1);
    assert_eq!(requests(&before, Api::ApiVersions), 2);
    assert_eq!(before.counters.sent_bytes, 0);

    rig.send(&["a", "b"]);
    let produce = rig.take_produce();
    let sent = status(&rig);
    assert_eq!(requests(&sent, Api::Produce), 1);
    let (classes, beyond) = sent.counters.batches_by_size().split_at(BATCH_SIZES.len());
    assert_eq!(classes.iter().sum::<u64>(), 1);
    assert_eq!(classes.first(), Some(&1), "fewer than 256 bytes");
    assert_eq!(beyond, [0]);
    assert!((1..=256).contains(&sent.counters.sent_bytes));
    assert_eq!(sent.counters.retried, 0);
    let [partition] = &sent.partitions[..] else {
        panic!("{sent:?}");
    };
    assert_eq!((partition.in_flight, partition.waiting), (2, 0));
    assert!(sent.buffered_bytes > 0);
    let [broker] = &sent.brokers[..] else {
        panic!("{sent:?}");
    };
    assert_eq!(broker.connection, ConnectionStatus::Ready);
    assert_eq!(broker.requests_in_flight, 1);

    rig.push("waits");
    rig.ack(&produce);
    let after = status(&rig);
    let partition = &after.partitions[0];
    assert_eq!(
        (
            partition.acknowledged,
            partition.waiting,
            partition.in_flight
        ),
        (2, 1, 0)
    );
    assert_eq!(after.brokers[0].requests_in_flight, 0);
}

#[test]
fn a_lost_leader_shows_as_a_failure_a_reconnect_and_retried_records() {
    let mut rig = Rig::simple().warmed_up();
    let before = status(&rig).counters;
    rig.send(&["a", "b", "c"]);
    rig.refusing.insert("broker-1".to_owned());
    let connection = rig.connections("broker-1")[0];
    rig.cut(connection);
    assert_eq!(
        status(&rig).partitions[0].trouble,
        None,
        "not yet for a second"
    );
    rig.advance(secs(3));

    let lost = status(&rig);
    assert!(lost.counters.connection_failures > before.connection_failures + 1);
    // Only the configured address was reached again.
    assert_eq!(lost.counters.reconnects, before.reconnects + 1);
    let broker = &lost.brokers[0];
    assert_ne!(broker.connection, ConnectionStatus::Ready);
    let failure = broker.failure.as_deref().unwrap();
    assert!(failure.contains("refused"), "{failure}");
    let partition = &lost.partitions[0];
    assert_eq!((partition.waiting, partition.in_flight), (3, 0));
    let (lasted, reason) = partition.trouble.clone().unwrap();
    assert!(lasted >= secs(3), "{lasted:?}");
    assert!(reason.is_some());

    rig.refusing.clear();
    rig.advance_until(secs(5), |rig| !rig.produces.is_empty());
    let again = rig.take_produce();
    rig.ack(&again);
    let back = status(&rig);
    assert_eq!(back.counters.retried, 3);
    assert_eq!(back.counters.reconnects, lost.counters.reconnects + 1);
    assert_eq!(back.brokers[0].failure, None);
    assert_eq!(back.partitions[0].trouble, None);
    assert_eq!(back.partitions[0].acknowledged, 4);
}

#[test]
fn a_broker_that_answers_late_shows_as_silent() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    rig.advance(secs(2));
    assert_eq!(status(&rig).brokers[0].connection, ConnectionStatus::Ready);
    rig.advance(secs(2));
    let silent = status(&rig);
    assert_eq!(silent.brokers[0].connection, ConnectionStatus::Silent);
    let (lasted, reason) = silent.partitions[0].trouble.clone().unwrap();
    assert_eq!(lasted, secs(4));
    assert_eq!(
        reason.as_deref(),
        Some("broker-1 (broker-1:9092) does not answer")
    );
}

#[test]
fn a_partition_without_records_keeps_nobody_waiting_whatever_has_become_of_them() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    rig.refusing.insert("broker-1".to_owned());
    let connection = rig.connections("broker-1")[0];
    rig.cut(connection);
    rig.advance(DELIVERY_TIMEOUT + secs(5));
    assert_eq!(rig.ledger.failed, 1);
    let after = status(&rig);
    assert_eq!(after.partitions[0].trouble, None);
    assert_eq!(after.brokers[0].connection, ConnectionStatus::Idle);
}

#[test]
fn a_broker_that_cannot_be_reached_is_lost_while_records_wait_for_it_and_idle_otherwise() {
    let mut rig = Rig::simple();
    let connection = rig.connections("broker-1")[0];
    rig.refusing.insert("broker-1".to_owned());
    rig.cut(connection);
    assert_eq!(status(&rig).brokers[0].connection, ConnectionStatus::Idle);
    rig.push("waits");
    rig.advance_until(secs(5), |rig| {
        status(rig).brokers[0].connection == ConnectionStatus::Lost
    });
}

fn fill(rig: &mut Rig) {
    while rig.push_keyed(0, &"x".repeat(900)).is_ok() {}
    rig.settle();
}

#[test]
fn a_small_memory_is_the_limit_while_brokers_may_be_sent_more() {
    let small = ProducerConfig {
        buffer_memory: 1500,
        ..config()
    };
    let mut rig = Rig::ready(small, FakeCluster::new(1, 1)).warmed_up();
    assert_eq!(rig.client.full_because(rig.now), None);
    fill(&mut rig);
    assert_eq!(
        rig.client.full_because(rig.now),
        Some(FullBecause::MemoryIsSmall)
    );
}

#[test]
fn a_frozen_broker_is_the_limit_though_it_might_be_sent_more() {
    let small = ProducerConfig {
        buffer_memory: 1500,
        ..config()
    };
    let mut rig = Rig::ready(small, FakeCluster::new(1, 1)).warmed_up();
    fill(&mut rig);
    rig.advance(secs(4));
    assert_eq!(
        rig.client.full_because(rig.now),
        Some(FullBecause::BrokersAreSlow)
    );
}

#[test]
fn brokers_are_the_limit_while_they_have_all_they_may_have_or_are_in_trouble() {
    let tight = ProducerConfig {
        max_in_flight: 1,
        buffer_memory: 5000,
        ..config()
    };
    let mut rig = Rig::ready(tight, FakeCluster::new(1, 1)).warmed_up();
    fill(&mut rig);
    assert_eq!(
        rig.client.full_because(rig.now),
        Some(FullBecause::BrokersAreSlow)
    );

    let small = ProducerConfig {
        buffer_memory: 1500,
        ..config()
    };
    let mut rig = Rig::ready(small, FakeCluster::new(1, 1)).warmed_up();
    fill(&mut rig);
    rig.refusing.insert("broker-1".to_owned());
    let connection = rig.connections("broker-1")[0];
    rig.cut(connection);
    assert_eq!(
        rig.client.full_because(rig.now),
        Some(FullBecause::BrokersAreSlow)
    );
}
