//! What a partition's trouble was, and that it is over.

use super::*;

fn next_produce(rig: &mut Rig) -> Asked {
    rig.advance_until(secs(3), |rig| !rig.produces.is_empty());
    rig.produces.remove(0)
}

/// `(partition, after, waited, failed)` of every recovery since the last call.
fn recoveries(rig: &mut Rig) -> Vec<(i32, Duration, usize, usize)> {
    let told = |event: &Event| match *event {
        Event::Recovered {
            partition,
            after,
            waited,
            failed,
        } => Some((partition, after, waited, failed)),
        _ => None,
    };
    let recoveries = rig.events.iter().filter_map(told).collect();
    rig.events.clear();
    recoveries
}

fn warnings(rig: &Rig) -> Vec<&str> {
    let events = rig.events.iter();
    let told = events.filter_map(|event| match event {
        Event::Warning { message, .. } => Some(message.as_str()),
        _ => None,
    });
    told.collect()
}

fn lose(rig: &mut Rig, host: &str) {
    rig.refusing.insert(host.to_owned());
    for connection in rig.connections(host) {
        rig.cut(connection);
    }
}

/// Everything that is sent is acknowledged, for so long.
fn acknowledge_all(rig: &mut Rig, period: Duration) {
    let until = rig.now + period;
    while rig.now < until {
        while !rig.produces.is_empty() {
            let produce = rig.produces.remove(0);
            rig.ack(&produce);
        }
        rig.advance(ms(10));
    }
}

/// Scenario 1.
#[test]
fn a_leader_that_is_back_after_a_while_is_told_of_once_with_all_that_waited() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a", "b"]);
    lose(&mut rig, "broker-1");
    let lost_at = rig.now;
    rig.advance(secs(10));
    for _ in 0..7 {
        rig.push("waits too");
    }
    rig.advance(secs(2));
    rig.refusing.clear();
    let first = next_produce(&mut rig);
    rig.ack(&first);
    let expected = (0, rig.now - lost_at, 9, 0);
    acknowledge_all(&mut rig, secs(5));
    rig.send(&["later"]);
    acknowledge_all(&mut rig, secs(5));
    assert_eq!(recoveries(&mut rig), [expected]);
    assert!((secs(12)..secs(14)).contains(&expected.1), "{expected:?}");
    assert_eq!(rig.ledger.acknowledged, rig.ledger.pushed);
}

/// Scenario 5.
#[test]
fn a_broker_that_is_silent_for_long_is_told_of_once_and_so_is_that_it_answers_again() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a", "b"]);
    let sent_at = rig.now;
    for _ in 0..4 {
        rig.send(&["in flight too"]);
    }
    rig.advance(sent_at + ms(9_999) - rig.now);
    assert_eq!(warnings(&rig), Vec::<&str>::new());
    for _ in 0..7 {
        rig.push("waits too");
    }
    rig.advance(secs(10));
    let silent = "broker-1 (broker-1:9092) has not answered for 10 s";
    assert_eq!(warnings(&rig), [silent]);
    let first = next_produce(&mut rig);
    rig.ack(&first);
    let expected = (0, rig.now - sent_at, 13, 0);
    acknowledge_all(&mut rig, secs(5));
    assert_eq!(warnings(&rig), [silent]);
    assert_eq!(recoveries(&mut rig), [expected]);
    assert!((secs(19)..secs(21)).contains(&expected.1), "{expected:?}");
    // The next time is another.
    rig.send(&["c"]);
    rig.advance(secs(11));
    assert_eq!(warnings(&rig), [silent]);
}

#[test]
fn the_end_of_a_connection_is_told_unless_it_has_been_idle_for_long() {
    for (idle, told) in [(ms(0), 1), (secs(59), 1), (secs(61), 0)] {
        let mut rig = Rig::ready(config(), FakeCluster::new(2, 2)).warmed_up();
        rig.advance(idle);
        rig.events.clear();
        let connection = rig.connections("broker-2")[0];
        rig.cut(connection);
        assert_eq!(warnings(&rig).len(), told, "{idle:?}: {:?}", rig.events);
    }
}

#[test]
fn a_leader_that_only_moved_is_not_worth_a_word() {
    let mut rig = Rig::ready(config(), FakeCluster::new(2, 1)).warmed_up();
    rig.send(&["a"]);
    let produce = rig.take_produce();
    rig.cluster.leaders = vec![2];
    rig.cluster.leader_epoch += 1;
    rig.code(&produce, 6);
    acknowledge_all(&mut rig, secs(5));
    assert_eq!(rig.ledger.acknowledged, 2);
    assert_eq!(recoveries(&mut rig), []);
}

/// Scenarios 20 and 23.
#[test]
fn each_partition_tells_of_its_own_recovery_and_of_what_failed_meanwhile() {
    let mut rig = Rig::ready(config(), FakeCluster::new(1, 2));
    for partition in 0..2 {
        rig.push_keyed(partition, "fails").unwrap();
    }
    let begun = rig.now;
    let mut late = false;
    while rig.ledger.failed < 2 {
        assert!(rig.now - begun < DELIVERY_TIMEOUT + secs(2));
        if !late && rig.now - begun > secs(100) {
            late = rig.push_keyed(1, "waits").is_ok();
        }
        rig.advance(ms(50));
        for produce in std::mem::take(&mut rig.produces) {
            rig.code(&produce, 19);
        }
    }
    rig.push_keyed(0, "new").unwrap();
    acknowledge_all(&mut rig, secs(3));
    let told = recoveries(&mut rig);
    let numbers: BTreeSet<_> = told.iter().map(|&(p, _, w, f)| (p, w, f)).collect();
    assert_eq!(numbers, [(0, 1, 1), (1, 1, 1)].into());
    assert_eq!(told.len(), 2);
}

#[test]
fn what_was_sent_before_the_trouble_does_not_end_it() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a"]);
    rig.send(&["b"]);
    let (a, b) = (rig.produces.remove(0), rig.produces.remove(0));
    rig.advance(ms(1));
    rig.code(&a, 20);
    rig.ack(&b);
    let begun = rig.now;
    while rig.now - begun < secs(5) {
        let again = next_produce(&mut rig);
        rig.code(&again, 20);
    }
    let again = next_produce(&mut rig);
    rig.code(&again, 46);
    let expected = (0, rig.now - begun, 1, 0);
    assert_eq!(recoveries(&mut rig), [expected]);
}

#[test]
fn an_empty_partition_is_in_no_trouble_however_long_its_leader_is_away() {
    // One that was never in trouble, and one whose last batch was acknowledged in the midst of it.
    for in_flight in [false, true] {
        let mut rig = Rig::ready(config(), FakeCluster::new(3, 3)).warmed_up();
        if in_flight {
            rig.send(&["a"]);
            rig.advance(ms(10));
        }
        rig.cluster.leaders[0] = -1;
        // The other partition makes the client look again.
        rig.push_keyed(1, "looks").unwrap();
        rig.advance(LINGER);
        rig.settle();
        let looks = rig.produces.pop().unwrap();
        rig.code(&looks, 9);
        rig.advance(secs(5));
        acknowledge_all(&mut rig, ms(100));
        recoveries(&mut rig);
        rig.advance(secs(600));
        rig.cluster.leaders[0] = 1;
        rig.advance(secs(5));
        rig.send(&["b"]);
        acknowledge_all(&mut rig, secs(5));
        assert_eq!(recoveries(&mut rig), [], "in flight: {in_flight}");
        assert_eq!(rig.ledger.acknowledged, rig.ledger.pushed);
    }
}

/// Scenario 20.
#[test]
fn each_partitions_failure_tells_what_its_own_trouble_was() {
    let mut rig = Rig::ready(config(), FakeCluster::new(4, 4));
    for partition in 0..4 {
        rig.push_keyed(partition, "fails").unwrap();
    }
    // Partition 0: fewer replicas than wanted. 1: told to look elsewhere, and then the leader is gone. 2: no leader at all.
    rig.cluster.leaders[2] = -1;
    rig.refusing.insert("broker-2".to_owned());
    let begun = rig.now;
    while rig.ledger.failed < 3 {
        assert!(rig.now - begun < DELIVERY_TIMEOUT + secs(2));
        rig.advance(ms(50));
        for produce in std::mem::take(&mut rig.produces) {
            match produce.host.as_str() {
                "broker-1" => rig.code(&produce, 19),
                "broker-2" => {
                    rig.code(&produce, 6);
                    lose(&mut rig, "broker-2");
                }
                "broker-3" => rig.code(&produce, 6),
                _ => rig.ack(&produce),
            }
        }
    }
    let mut lines = rig.failures();
    lines.sort();
    let expected = [
        "NOT_ENOUGH_REPLICAS (19))",
        "connect to broker-2:9092 refused)",
        "it has no leader: LEADER_NOT_AVAILABLE (5))",
    ];
    assert_eq!(lines.len(), 3);
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.ends_with(expected), "{lines:?}");
    }
}

/// Scenario 26.
#[test]
fn what_fails_after_the_topic_was_deleted_or_when_nobody_answers_says_so() {
    for deleted in [true, false] {
        let mut rig = Rig::simple().warmed_up();
        rig.send(&["a"]);
        let produce = rig.take_produce();
        rig.cluster.topic_error = 3;
        rig.code(&produce, 3);
        rig.advance(secs(2));
        if !deleted {
            lose(&mut rig, "broker-1");
            lose(&mut rig, "boot");
        }
        rig.advance(DELIVERY_TIMEOUT);
        let line = rig.failures().remove(0);
        let expected = if deleted {
            "(topic shoes does not exist any more)"
        } else {
            "refused)"
        };
        assert!(line.ends_with(expected), "{line}");
    }
}
