//! A cluster that is another one than before: topics, leaders, addresses, memories and clocks that change under the client.

use super::super::broker::SentBatch;
use super::*;

/// A broker that knows nothing of the producer: whether it takes any sequence first, or (before Kafka 2.5) says 59 to all
/// but 0. Returns what it took.
fn taken_without_memory(rig: &mut Rig, is_old: bool, count: usize) -> Vec<SentBatch> {
    let mut taken: Vec<SentBatch> = Vec::new();
    while taken.iter().map(|batch| batch.records.len()).sum::<usize>() < count {
        let produce = next_produce(rig);
        let batch = produce.batch();
        if is_old && taken.is_empty() && batch.stamp().2 != 0 {
            rig.code(&produce, 59);
        } else {
            taken.push(batch);
            rig.ack(&produce);
        }
    }
    taken
}

fn values(batches: &[SentBatch]) -> Vec<String> {
    batches.iter().flat_map(SentBatch::values).collect()
}

/// Scenario 26.
#[test]
fn what_waits_for_a_deleted_topic_goes_to_the_one_made_anew() {
    for is_old in [false, true] {
        let mut rig = Rig::simple().warmed_up();
        rig.send(&["a"]);
        rig.send(&["b"]);
        rig.cluster.topic_error = 3;
        for sent in std::mem::take(&mut rig.produces) {
            rig.code(&sent, 3);
        }
        rig.push("c");
        rig.advance(secs(20));
        assert!(rig.produces.is_empty());
        rig.cluster.topic_error = 0;
        // An old broker denies a and b, which were on their way at the deletion: under new sequences they could be there twice.
        let expected: &[&str] = if is_old { &["c"] } else { &["a", "b", "c"] };
        let taken = taken_without_memory(&mut rig, is_old, expected.len());
        assert_eq!(values(&taken), expected);
        let (_, epoch, sequence) = taken[0].stamp();
        assert_eq!((epoch, sequence), if is_old { (1, 0) } else { (0, 1) });
        let expected = if is_old { (2, 2) } else { (4, 0) };
        assert_eq!((rig.ledger.acknowledged, rig.ledger.failed), expected);
        assert!(rig.fatal().is_none());
    }
}

/// Scenario 26.
#[test]
fn a_topic_made_anew_with_more_partitions_is_used_whole() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    let old = rig.take_produce();
    rig.cluster.leaders = vec![1, 1, 1];
    rig.code(&old, 3);
    rig.advance_until(secs(2), |rig| !rig.produces.is_empty());
    for partition in 0..3 {
        rig.push_keyed(partition, "new").unwrap();
    }
    let mut partitions = BTreeSet::new();
    while rig.ledger.acknowledged < 5 {
        let produce = next_produce(&mut rig);
        partitions.extend(produce.batches().iter().map(|batch| batch.partition));
        rig.ack(&produce);
    }
    assert_eq!(partitions, BTreeSet::from([0, 1, 2]));
}

/// Scenario 26.
#[test]
fn a_topic_made_anew_with_fewer_partitions_takes_all_but_what_was_on_its_way_to_the_others() {
    let mut rig = Rig::ready(config(), FakeCluster::new(1, 3)).warmed_up();
    rig.push_keyed(2, "homeless").unwrap();
    rig.advance(LINGER);
    rig.settle();
    let old = rig.take_produce();
    (rig.cluster.leaders, rig.cluster.topic_id) = (vec![1], 2);
    rig.code(&old, 3);
    rig.advance(secs(2));
    rig.count(ApiKey::Metadata);
    for key in (0..10_u32).map(u32::to_be_bytes) {
        let record = Record {
            key: Some(&key),
            value: b"new",
            timestamp_ms: 0,
            due: rig.now,
        };
        rig.client.push(&record, rig.now).unwrap();
    }
    rig.advance(LINGER);
    rig.settle();
    let produce = rig.take_produce();
    assert_eq!(produce.batch().values(), ["new"; 10]);
    rig.ack(&produce);
    rig.advance(DELIVERY_TIMEOUT);
    rig.settle();
    assert_eq!((rig.ledger.acknowledged, rig.ledger.failed), (11, 1));
    assert_eq!(rig.client.buffered_bytes(), 0);
    assert!(rig.count(ApiKey::Metadata) < 3, "nothing is left open");
    let line = &rig.failures()[0];
    assert!(
        line.contains("partition 2") && line.contains("(3)"),
        "{line}"
    );
}

/// Scenario 18.
#[test]
fn after_a_silence_in_which_the_producer_id_expired_nothing_is_lost() {
    for is_old in [false, true] {
        let mut rig = Rig::ready(config(), FakeCluster::new(2, 2)).warmed_up();
        // Brokers forget a producer after a day (`producer.id.expiration.ms`).
        rig.advance(secs(25 * 3600));
        rig.settle();
        for value in ["a", "b", "c"] {
            rig.send(&[value]);
        }
        let taken = taken_without_memory(&mut rig, is_old, 3);
        assert_eq!(values(&taken), ["a", "b", "c"]);
        assert_eq!((rig.ledger.acknowledged, rig.ledger.failed), (4, 0));
    }
}

/// Scenario 29.
#[test]
fn a_broker_that_comes_back_under_another_address_is_found_there() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    let sent = rig.take_produce();
    rig.refusing.insert("broker-1".to_owned());
    let mut moved = rig.cluster.metadata();
    moved.brokers[0].host = "moved-1".into();
    rig.cluster.script(ApiKey::Metadata, move |asked| {
        Some(asked.answer_with(asked.version, &moved))
    });
    rig.cut(sent.connection);
    let again = next_produce(&mut rig);
    assert_eq!(again.host, "moved-1");
    assert_eq!(again.batch().bytes, sent.batch().bytes);
    rig.ack(&again);
    assert_eq!(rig.ledger.acknowledged, 2);
}

/// Scenario 35.
#[test]
fn partitions_and_leaders_that_are_gone_for_a_while_only_make_records_wait() {
    for leaders in [vec![], vec![-1], vec![9]] {
        let mut rig = Rig::simple().warmed_up();
        rig.send(&["a"]);
        let sent = rig.take_produce();
        let back = std::mem::replace(&mut rig.cluster.leaders, leaders);
        rig.count(ApiKey::Metadata);
        rig.code(&sent, 6);
        rig.advance(secs(60));
        assert!(rig.produces.is_empty());
        let asked = rig.count(ApiKey::Metadata);
        assert!((40..80).contains(&asked), "{asked}");
        rig.cluster.leaders = back;
        let again = next_produce(&mut rig);
        assert_eq!(again.batch().bytes, sent.batch().bytes);
        rig.ack(&again);
        assert_eq!(rig.ledger.acknowledged, 2);
        assert_eq!(rig.ledger.failed, 0);
    }
}

/// Scenario 43.
#[test]
fn timestamps_of_a_clock_that_is_stepped_back_and_forth_arrive_as_they_were_told() {
    let now_ms = 1_700_000_000_000;
    let year_ms = 365 * 24 * 3600 * 1000;
    let told = [
        now_ms,
        now_ms - year_ms,
        0,
        now_ms + 10 * year_ms,
        now_ms,
        -1,
    ];
    let mut rig = Rig::simple().warmed_up();
    for (n, timestamp_ms) in (0..).zip(told) {
        let record = Record {
            key: Some(b"key"),
            value: &[b'0' + n],
            timestamp_ms,
            due: rig.now,
        };
        rig.client.push(&record, rig.now).unwrap();
    }
    rig.advance(LINGER);
    rig.settle();
    let produce = rig.take_produce();
    let batch = produce.batch();
    let read: Vec<i64> = batch
        .records
        .iter()
        .map(|record| record.timestamp)
        .collect();
    assert_eq!(read, told);
    assert_eq!(batch.values(), ["0", "1", "2", "3", "4", "5"]);
    rig.ack(&produce);
    assert_eq!(rig.ledger.acknowledged, 1 + told.len());
}

/// Scenario 30.
#[test]
fn a_request_that_crosses_the_brokers_idle_close_is_sent_again_on_a_new_connection() {
    let mut rig = Rig::simple().warmed_up();
    rig.advance(secs(8 * 60));
    rig.send(&["a"]);
    rig.send(&["b"]);
    let sent: Vec<_> = rig.produces.iter().map(|p| p.batch().bytes).collect();
    let old = rig.produces[0].connection;
    // The broker closed before it read any of it.
    rig.cut(old);
    for bytes in sent {
        let again = next_produce(&mut rig);
        assert_ne!(again.connection, old);
        assert_eq!(again.batch().bytes, bytes);
        rig.ack(&again);
    }
    assert_eq!((rig.ledger.acknowledged, rig.ledger.failed), (3, 0));
}
