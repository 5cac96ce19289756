//! Brokers that are too old, behind the times or slow to connect to.

use super::*;

fn next_produce(rig: &mut Rig) -> Asked {
    rig.advance_until(secs(3), |rig| !rig.produces.is_empty());
    rig.produces.remove(0)
}

fn warnings(rig: &Rig) -> Vec<&str> {
    let message = |event| match event {
        &Event::Warning { ref message, .. } => Some(message.as_str()),
        _ => None,
    };
    rig.events.iter().filter_map(message).collect()
}

/// The next broker that is asked for its versions speaks an old Produce.
fn speaks_too_old(rig: &mut Rig) {
    let mut versions = rig.cluster.versions.clone();
    versions.insert(0, (0, 2));
    let answer = FakeCluster {
        versions,
        ..FakeCluster::new(1, 1)
    };
    let answer = answer.api_versions();
    rig.cluster.script(ApiKey::ApiVersions, move |asked| {
        Some(asked.answer_with(asked.version, &answer))
    });
}

/// Scenario 3.
#[test]
fn a_broker_that_became_too_old_is_warned_of_and_left_alone_while_the_others_go_on() {
    let mut rig = Rig::ready(config(), FakeCluster::new(2, 2)).warmed_up();
    let connection = rig.connections("broker-2")[0];
    for _ in 0..8 {
        speaks_too_old(&mut rig);
    }
    rig.cut(connection);
    rig.connects.clear();
    rig.push_keyed(1, "waits").unwrap();
    let begun = rig.now;
    while rig.now - begun < secs(3) {
        rig.send(&["goes on"]);
        let produce = next_produce(&mut rig);
        assert_eq!(produce.host, "broker-1");
        rig.ack(&produce);
        rig.advance(ms(100));
    }
    let tried = rig.connects.len();
    assert!((4..=8).contains(&tried), "with backoff: {:?}", rig.connects);
    let words = "broker-2 (broker-2:9092): speaks 0 to 2 of Produce, we speak 3 to 12";
    let warned = warnings(&rig);
    assert!(warned.iter().any(|line| line.contains(words)), "{warned:?}");
    // It is replaced by one that speaks what we do.
    rig.cluster.replies.clear();
    let produce = next_produce(&mut rig);
    assert_eq!(produce.batch().values(), ["waits"]);
    rig.ack(&produce);
    assert_eq!(rig.ledger.acknowledged, rig.ledger.pushed);
}

#[test]
fn a_broker_that_only_negotiates_and_never_agrees_is_tried_ever_more_slowly() {
    let mut rig = Rig::simple().warmed_up();
    for _ in 0..100 {
        rig.cluster.script(ApiKey::ApiVersions, |asked| {
            let refusal =
                kafka_protocol::messages::ApiVersionsResponse::default().with_error_code(35);
            Some(asked.answer_with(0, &refusal))
        });
    }
    let connection = rig.connections("broker-1")[0];
    rig.connects.clear();
    rig.cut(connection);
    rig.push("waits");
    rig.advance(secs(10));
    let to_broker = rig.connects.iter().filter(|host| *host == "broker-1");
    assert!((8..=20).contains(&to_broker.count()), "{:?}", rig.connects);
}
