//! Brokers answer, and yet nothing can be produced: what the line says when the start's deadline comes.

use super::*;

/// The line of the fatal error, which comes at the deadline and not before.
fn line_at_the_deadline(rig: &mut Rig) -> String {
    rig.advance(ms(29_999));
    assert!(rig.fatal().is_none());
    rig.advance(ms(2));
    rig.settle();
    assert!(rig.client.is_closed());
    rig.fatal().unwrap().to_string()
}

fn warned_of(rig: &Rig, words: &str) -> bool {
    rig.events.iter().any(|event| match event {
        Event::Warning { message, .. } => message.contains(words),
        _ => false,
    })
}

/// Scenario 35.
#[test]
fn a_topic_that_never_has_a_partition_is_named_and_so_is_what_is_wrong() {
    let mut cluster = FakeCluster::new(1, 1);
    cluster.leaders.clear();
    let mut rig = Rig::new(config(), cluster);
    let line = line_at_the_deadline(&mut rig);
    assert!(
        line.starts_with("topic shoes could not be used within 30 s: it has no partitions; check"),
        "{line}"
    );
    assert!(warned_of(&rig, "topic shoes has no partitions"));
}

#[test]
fn a_topic_that_is_never_ready_is_told_with_the_brokers_code() {
    let mut cluster = FakeCluster::new(1, 1);
    cluster.topic_error = 5;
    let mut rig = Rig::new(config(), cluster);
    // The topic comes first, whatever else is wrong.
    rig.cluster.producer_id_error = 15;
    let line = line_at_the_deadline(&mut rig);
    assert!(
        line.starts_with(
            "topic shoes could not be used within 30 s: LEADER_NOT_AVAILABLE (5); check"
        ),
        "{line}"
    );
    assert!(warned_of(&rig, "topic shoes: LEADER_NOT_AVAILABLE (5)"));
}

#[test]
fn a_topic_that_the_controller_never_gets_to_create_is_told_with_its_code() {
    let mut rig = creating();
    rig.cluster.creation_code = 7;
    let line = line_at_the_deadline(&mut rig);
    assert!(
        line.starts_with(
            "topic shoes could not be used within 30 s: creating it: REQUEST_TIMED_OUT (7); check"
        ),
        "{line}"
    );
}

#[test]
fn a_producer_id_that_is_never_given_is_told_with_the_brokers_code() {
    let mut rig = Rig::new(config(), FakeCluster::new(1, 1));
    rig.cluster.producer_id_error = 15;
    let line = line_at_the_deadline(&mut rig);
    assert!(
        line.starts_with(
            "no broker gave a producer id within 30 s: COORDINATOR_NOT_AVAILABLE (15); "
        ) && line.contains("KAFKA_ENABLE_IDEMPOTENCE=false"),
        "{line}"
    );
    assert!(warned_of(
        &rig,
        "asking for a producer id: COORDINATOR_NOT_AVAILABLE (15)"
    ));
}

#[test]
fn brokers_that_cannot_give_a_producer_id_are_told_as_such() {
    let mut cluster = FakeCluster::new(1, 1);
    cluster.versions.remove(&22);
    let mut rig = Rig::new(config(), cluster);
    let line = line_at_the_deadline(&mut rig);
    assert!(
        line.starts_with(
            "no broker gave a producer id within 30 s: the brokers do not offer InitProducerId; "
        ),
        "{line}"
    );
}
