//! Brokers that are too old, behind the times or slow to connect to.

use super::network::with_leader;
use super::*;
use crate::kafka::net::CONNECT_SHARE_MS_MIN;

fn next_produce(rig: &mut Rig) -> Asked {
    rig.advance_until(secs(3), |rig| !rig.produces.is_empty());
    rig.produces.remove(0)
}

fn warnings(rig: &Rig) -> Vec<&str> {
    let events = rig.events.iter();
    let messages = events.filter_map(|event| match event {
        Event::Warning { message, .. } => Some(message.as_str()),
        _ => None,
    });
    messages.collect()
}

/// Scenario 4.
#[test]
fn trouble_with_one_broker_is_told_apart_from_that_with_another_and_codes_by_their_number() {
    let kinds = |rig: &Rig| -> BTreeSet<String> {
        let events = rig.events.iter();
        let kinds = events.filter_map(|event| match event {
            Event::Warning { kind, .. } => Some(kind.clone()),
            _ => None,
        });
        kinds.collect()
    };
    let mut rig = Rig::ready(config(), FakeCluster::new(2, 4));
    for partition in 0..4 {
        rig.push_keyed(partition, "x").unwrap();
    }
    rig.advance(LINGER);
    rig.settle();
    for produce in std::mem::take(&mut rig.produces) {
        let code = if produce.host == "broker-1" { 19 } else { 20 };
        rig.code(&produce, code);
    }
    let codes = [
        "NOT_ENOUGH_REPLICAS (19)",
        "NOT_ENOUGH_REPLICAS_AFTER_APPEND (20)",
    ];
    assert_eq!(kinds(&rig), codes.map(str::to_owned).into());
    rig.events.clear();
    rig.refusing = ["broker-1", "broker-2"].map(str::to_owned).into();
    for host in ["broker-1", "broker-2"] {
        let connection = rig.connections(host)[0];
        rig.cut(connection);
    }
    rig.advance(secs(3));
    let connections = [
        "connecting broker-1:9092",
        "connecting broker-2:9092",
        "connection broker-1:9092",
        "connection broker-2:9092",
    ];
    assert_eq!(kinds(&rig), connections.map(str::to_owned).into());
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

/// Broker 2 leads since epoch 8, as broker 1 said; metadata still says what `metadata` makes of it.
fn leader_moved(metadata: impl FnOnce(&mut FakeCluster)) -> Rig {
    let mut cluster = FakeCluster::new(2, 1);
    cluster.leaders = vec![1];
    metadata(&mut cluster);
    let mut rig = Rig::ready(config(), cluster).warmed_up();
    rig.send(&["a"]);
    let produce = rig.take_produce();
    rig.answer(&produce, &with_leader(&produce, 2, 8));
    let produce = next_produce(&mut rig);
    assert_eq!(produce.host, "broker-2");
    rig.ack(&produce);
    rig
}

fn next_leader(mut rig: Rig) -> String {
    rig.count(ApiKey::Metadata);
    rig.advance(secs(5 * 60));
    assert_eq!(rig.count(ApiKey::Metadata), 1);
    rig.send(&["b"]);
    next_produce(&mut rig).host
}

/// Scenario 6.
#[test]
fn a_broker_that_lags_behind_does_not_lead_back_to_the_old_leader() {
    assert_eq!(next_leader(leader_moved(|_| ())), "broker-2");
}

/// Scenario 26.
#[test]
fn a_topic_that_was_made_anew_is_followed_though_its_epochs_begin_again() {
    let mut rig = leader_moved(|_| ());
    rig.cluster.topic_id = 2;
    rig.cluster.leader_epoch = 0;
    assert_eq!(next_leader(rig), "broker-1");
}

/// Scenario 26.
#[test]
fn without_topic_ids_or_epochs_the_last_answer_is_the_one_that_counts() {
    let before_ids = |cluster: &mut FakeCluster| {
        cluster.versions.insert(3, (0, 9));
    };
    assert_eq!(next_leader(leader_moved(before_ids)), "broker-1");
    let without_epochs = |cluster: &mut FakeCluster| cluster.leader_epoch = -1;
    assert_eq!(next_leader(leader_moved(without_epochs)), "broker-1");
}

#[test]
fn a_partition_whose_leader_only_an_outdated_answer_names_is_asked_about_again() {
    let mut rig = leader_moved(|_| ());
    // Broker 2 does not lead any more either, and metadata lags behind for a while.
    rig.send(&["b"]);
    let produce = rig.take_produce();
    rig.count(ApiKey::Metadata);
    rig.code(&produce, 6);
    rig.advance(secs(2));
    assert!(rig.produces.is_empty());
    assert!((2..10).contains(&rig.count(ApiKey::Metadata)));
    rig.cluster.leader_epoch = 9;
    assert_eq!(next_produce(&mut rig).host, "broker-1");
}

#[test]
fn an_epoch_that_no_metadata_ever_reaches_is_not_believed_past_the_delivery_timeout() {
    let mut rig = Rig::ready(config(), FakeCluster::new(2, 1)).warmed_up();
    rig.send(&["a"]);
    let produce = rig.take_produce();
    rig.answer(&produce, &with_leader(&produce, 2, i32::MAX));
    let produce = next_produce(&mut rig);
    rig.code(&produce, 6);
    rig.advance(DELIVERY_TIMEOUT);
    assert!(rig.produces.is_empty());
    assert_eq!(rig.ledger.failed, 1);
    rig.push("b");
    assert_eq!(next_produce(&mut rig).host, "broker-1");
}

/// Scenario 31.
#[test]
fn a_connection_gets_longer_to_be_made_with_every_failure_of_its_node_until_it_works() {
    let config = ProducerConfig {
        delivery_timeout: secs(600),
        ..config()
    };
    let mut rig = Rig::ready(config, FakeCluster::new(1, 1)).warmed_up();
    // Accepted, and nothing ever answered: six times.
    for _ in 0..6 {
        rig.cluster.script(ApiKey::ApiVersions, |_| None);
    }
    rig.refusing.insert("boot".to_owned());
    rig.connects.clear();
    rig.connect_timeouts.clear();
    let connection = rig.connections("broker-1")[0];
    rig.cut(connection);
    rig.push("a");
    let mut cut_at = rig.now;
    let mut tried = Vec::new();
    while tried.len() < 7 {
        rig.advance_until(secs(40), |rig| !rig.connects.is_empty());
        let to = rig.connects.remove(0);
        let timeout = rig.connect_timeouts.remove(0);
        if to == "broker-1" {
            tried.push((timeout, rig.now - std::mem::replace(&mut cut_at, rig.now)));
        }
    }
    let around = |secs: u64, told: Duration| (ms(secs * 800)..=ms(secs * 1200)).contains(&told);
    for (n, expected) in [10, 20, 30, 30].into_iter().enumerate() {
        assert!(around(expected, tried[n].0), "{n}: {tried:?}");
        // The client itself keeps to what it told.
        let waited = tried[n + 1].1;
        assert!(
            (tried[n].0..tried[n].0 + secs(2)).contains(&waited),
            "{n}: {tried:?}"
        );
    }
    assert_ne!(tried[2].0, tried[3].0, "jitter");
    rig.advance_until(secs(1), |rig| !rig.produces.is_empty());
    let produce = rig.take_produce();
    rig.ack(&produce);
    // It worked: the next time is short again.
    rig.connect_timeouts.clear();
    rig.cut(produce.connection);
    rig.advance(secs(1));
    rig.send(&["b"]);
    assert!(
        around(10, rig.connect_timeouts[0]),
        "{:?}",
        rig.connect_timeouts
    );
}

#[test]
fn however_many_leaders_metadata_names_few_are_connected_ahead_and_connections_are_bounded() {
    let mut rig = Rig::ready(config(), FakeCluster::new(600, 600));
    assert_eq!(rig.connects.len(), 33, "the first 32, and the way in");
    for partition in 0..600 {
        rig.push_keyed(partition, "a").unwrap();
    }
    rig.advance(LINGER);
    assert_eq!(rig.links.len(), 500);
    // One that ends makes room for another.
    assert!(rig.connections("broker-501").is_empty());
    let connection = rig.connections("broker-1")[0];
    rig.cut(connection);
    assert_eq!(rig.links.len(), 500);
    assert_eq!(rig.connections("broker-501").len(), 1);
}

#[test]
fn a_link_that_gives_up_in_its_time_is_heard_before_the_client_gives_up_itself() {
    let mut rig = Rig::new(config(), FakeCluster::new(1, 1));
    rig.hanging.insert("boot".to_owned());
    rig.settle();
    let given = rig.connect_timeouts[0];
    // A link may overstep what it was given by the least time that an address gets.
    rig.advance(given + ms(CONNECT_SHARE_MS_MIN));
    assert!(rig.closes.is_empty());
    let connection = rig.connections("boot")[0];
    let reason = "connect to boot:9092 (10.0.0.1) timed out after 10.0 s";
    rig.links.remove(&connection);
    rig.client
        .handle_connect_failed(connection, reason, rig.now);
    rig.settle();
    assert!(
        matches!(&rig.events[..], [Event::Warning { message, .. }] if message == reason),
        "{:?}",
        rig.events
    );
    // One that never says anything is given up soon after all the same.
    let mut rig = Rig::new(config(), FakeCluster::new(1, 1));
    rig.hanging.insert("boot".to_owned());
    let began = rig.now;
    rig.advance_until(secs(20), |rig| !rig.closes.is_empty());
    let overstepped = (rig.now - began).saturating_sub(rig.connect_timeouts[0]);
    assert!(overstepped <= secs(1), "{overstepped:?}");
}

#[test]
fn a_host_name_that_cannot_be_shown_is_not_believed() {
    for host in ["evil\nhost", "evil\u{202e}host", "evil\u{2028}host"] {
        let mut cluster = FakeCluster::new(1, 1);
        cluster.moved.insert(1, host);
        let mut rig = Rig::ready(config(), cluster);
        rig.push("a");
        rig.advance(secs(2));
        assert_eq!(rig.connects, ["boot"]);
    }
}

/// Scenario 29.
#[test]
fn a_connection_that_is_being_made_to_an_old_address_is_not_waited_for() {
    let mut rig = Rig::ready(config(), FakeCluster::new(2, 2)).warmed_up();
    rig.hanging.insert("broker-2".to_owned());
    let connection = rig.connections("broker-2")[0];
    rig.cut(connection);
    rig.push_keyed(1, "a").unwrap();
    rig.advance(ms(500));
    assert_eq!(rig.connects.last().map(String::as_str), Some("broker-2"));
    rig.cluster.moved.insert(2, "elsewhere");
    // Whatever makes the client look again.
    rig.send(&["b"]);
    let produce = rig.take_produce();
    rig.code(&produce, 3);
    rig.advance(secs(1));
    let hosts: Vec<&str> = rig
        .produces
        .iter()
        .map(|asked| asked.host.as_str())
        .collect();
    assert!(hosts.contains(&"elsewhere"), "{hosts:?}");
}

/// Scenarios 7 and 28.
#[test]
fn when_every_known_broker_is_silent_the_configured_address_leads_to_the_new_ones() {
    let mut rig = Rig::ready(config(), FakeCluster::new(2, 2)).warmed_up();
    rig.send(&["a"]);
    let sent = rig.take_produce();
    // Nothing is refused and nothing ends: packets are just lost from now on.
    for link in rig.links.values_mut() {
        link.hung = true;
    }
    rig.hanging = ["broker-1", "broker-2"].map(str::to_owned).into();
    rig.cluster.brokers = vec![7, 8];
    rig.cluster.leaders = vec![7, 8];
    rig.cluster.leader_epoch += 1;
    rig.advance_until(REQUEST_TIMEOUT * 2 + secs(5), |rig| {
        !rig.produces.is_empty()
    });
    let again = rig.take_produce();
    assert_eq!(again.host, "broker-7");
    assert_eq!(again.batch().bytes, sent.batch().bytes);
    rig.ack(&again);
    assert_eq!(rig.ledger.acknowledged, rig.ledger.pushed);
}
