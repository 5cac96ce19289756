//! From nothing to `Ready`, or to a clear word why not.

mod deadline;

use kafka_protocol::messages::{
    ApiVersionsResponse, InitProducerIdResponse, ProducerId, api_versions_response,
};

use super::*;
use crate::kafka::config::NewTopic;
use crate::kafka::wire::ErrorCode;

fn host(name: &str) -> HostPort {
    HostPort {
        host: name.to_owned(),
        port: 9092,
    }
}

#[test]
fn it_is_ready_after_two_round_trips_and_then_connects_every_leader() {
    let mut rig = Rig::new(config(), FakeCluster::new(3, 6));
    rig.settle();
    assert!(matches!(rig.events[..], [Event::Ready { partitions: 6 }]));
    let order: Vec<(ApiKey, &str)> = rig.asked.iter().map(|a| (a.api, a.host.as_str())).collect();
    // Metadata and the producer id are asked for together.
    assert_eq!(
        order[..3],
        [
            (ApiKey::ApiVersions, "boot"),
            (ApiKey::Metadata, "boot"),
            (ApiKey::InitProducerId, "boot"),
        ]
    );
    assert_eq!(
        rig.round_trips, 3,
        "two to be ready, one for the leaders' versions"
    );
    assert_eq!(rig.connects, ["boot", "broker-1", "broker-2", "broker-3"]);
    assert_eq!(rig.closes, ["boot"], "it has done its work");
    assert!(rig.client.wants_records());
}

#[test]
fn nothing_is_taken_before_the_topic_is_known() {
    let mut rig = Rig::new(config(), FakeCluster::new(1, 1));
    assert!(!rig.client.wants_records());
    assert_eq!(rig.push_keyed(0, "too early"), Err(Full));
    rig.settle();
    assert!(rig.client.wants_records());
    rig.push("in time");
}

#[test]
fn without_idempotence_no_producer_id_is_asked_for() {
    let config = ProducerConfig {
        idempotence: false,
        ..config()
    };
    let mut rig = Rig::ready(config, FakeCluster::new(1, 1));
    assert_eq!(rig.count(ApiKey::InitProducerId), 0);
}

#[test]
fn an_address_that_refuses_or_hangs_is_passed_over() {
    for hangs in [false, true] {
        let config = ProducerConfig {
            bootstrap_servers: vec![host("bad"), host("good")],
            ..config()
        };
        for _ in 0..5 {
            let mut rig = Rig::new(config.clone(), FakeCluster::new(1, 1));
            rig.refusing.insert("bad".to_owned());
            if hangs {
                rig.hanging.insert("bad".to_owned());
            }
            rig.advance_until(secs(2), |rig| rig.client.wants_records());
        }
    }
}

#[test]
fn no_broker_for_30_seconds_is_fatal_with_the_last_reason_and_nothing_more_is_tried() {
    let mut rig = Rig::new(config(), FakeCluster::new(1, 1));
    rig.refusing.insert("boot".to_owned());
    rig.advance(ms(29_999));
    assert!(rig.fatal().is_none());
    assert!(
        rig.connects.len() > 20,
        "it kept trying: {}",
        rig.connects.len()
    );
    assert!(
        rig.connects.len() < 60,
        "with backoff: {}",
        rig.connects.len()
    );
    rig.connects.clear();
    rig.advance(ms(2));
    rig.settle();
    let line = rig.fatal().unwrap().to_string();
    assert!(
        line.contains("within 30 s (tried boot:9092): connect to boot:9092 refused"),
        "{line}"
    );
    assert!(rig.client.is_closed());
    assert_eq!(rig.client.poll_timeout(), None);
    assert!(rig.links.is_empty());
    assert!(rig.connects.is_empty(), "{:?}", rig.connects);
}

/// Scenario 31.
#[test]
fn a_connection_that_is_accepted_and_never_answers_is_given_up_and_another_tried() {
    let mut rig = Rig::new(config(), FakeCluster::new(1, 1));
    rig.cluster.script(ApiKey::ApiVersions, |_| None);
    rig.advance(ms(7_999));
    assert_eq!(rig.connects.len(), 1);
    rig.advance_until(secs(5), |rig| rig.client.wants_records());
    assert_eq!(rig.closes[0], "boot");
}

/// Scenario 31.
#[test]
fn a_metadata_request_that_is_never_answered_is_noticed_without_other_input() {
    let mut rig = Rig::new(config(), FakeCluster::new(1, 1));
    rig.cluster.script(ApiKey::Metadata, |_| None);
    let config = ProducerConfig {
        request_timeout: secs(3),
        // Or the producer id's answer would be such an input.
        idempotence: false,
        ..config()
    };
    rig.client = Client::new(config, 1, rig.now);
    rig.advance_until(secs(4), |rig| rig.client.wants_records());
}

/// Scenario 31. A broker that hangs shall not keep the others' news from us for a whole request timeout.
#[test]
fn what_any_broker_can_answer_is_asked_of_another_when_one_is_silent() {
    for api in [ApiKey::Metadata, ApiKey::InitProducerId] {
        let servers = ["a", "b"].map(host).to_vec();
        let config = ProducerConfig {
            bootstrap_servers: servers,
            ..config()
        };
        let mut rig = Rig::new(config, FakeCluster::new(1, 1));
        rig.cluster.script(api, |_| None);
        rig.advance_until(secs(5), |rig| rig.client.wants_records());
        assert_eq!(rig.count(api), 2, "{api:?}");
    }
}

/// Scenario 32.
#[test]
fn an_old_brokers_error_35_without_a_list_leads_to_version_0() {
    let mut rig = Rig::new(config(), FakeCluster::new(1, 1));
    rig.cluster.script(ApiKey::ApiVersions, |asked| {
        let refusal = ApiVersionsResponse::default().with_error_code(35);
        Some(asked.answer_with(0, &refusal))
    });
    rig.settle();
    assert!(rig.client.wants_records());
    let versions: Vec<i16> = rig.asked.iter().map(|asked| asked.version).collect();
    assert_eq!(versions[..2], [3, 0]);
    assert_eq!(rig.connects[..1], ["boot"]);
}

fn refusal_with_hint(asked: &Asked, max: i16) -> Vec<u8> {
    let hint = api_versions_response::ApiVersion::default()
        .with_api_key(18)
        .with_max_version(max);
    let refusal = ApiVersionsResponse::default()
        .with_error_code(35)
        .with_api_keys(vec![hint]);
    asked.answer_with(0, &refusal)
}

/// Scenario 32.
#[test]
fn error_35_with_a_list_leads_to_the_version_that_it_hints_at() {
    let mut rig = Rig::new(config(), FakeCluster::new(1, 1));
    rig.cluster.script(ApiKey::ApiVersions, |asked| {
        Some(refusal_with_hint(asked, 2))
    });
    rig.settle();
    assert!(rig.client.wants_records());
    let versions: Vec<i16> = rig.asked.iter().map(|asked| asked.version).collect();
    assert_eq!(versions[..2], [3, 2]);
}

/// Scenario 32.
#[test]
fn a_hint_that_does_not_decrease_closes_the_connection_instead_of_asking_for_ever() {
    let mut rig = Rig::new(config(), FakeCluster::new(1, 1));
    for max in [3, 4, -1] {
        rig.cluster.script(ApiKey::ApiVersions, move |asked| {
            Some(refusal_with_hint(asked, max))
        });
    }
    rig.advance_until(secs(1), |rig| rig.client.wants_records());
    assert_eq!(rig.closes[..3], ["boot", "boot", "boot"]);
}

/// Scenario 33.
#[test]
fn a_broker_without_a_common_version_is_fatal_and_says_what_it_speaks() {
    let mut cluster = FakeCluster::new(1, 1);
    cluster.versions.insert(0, (0, 2));
    let mut rig = Rig::new(config(), cluster);
    rig.settle();
    let line = rig.fatal().unwrap().to_string();
    assert!(
        line.contains("bootstrap-1 (boot:9092) speaks 0 to 2 of Produce"),
        "{line}"
    );
    assert!(rig.client.is_closed());
}

#[test]
fn a_broker_that_is_too_old_for_zstd_is_fatal_and_says_so_and_takes_what_is_not_zstd() {
    let zstd = ProducerConfig {
        compression: Compression::Zstd,
        ..config()
    };
    for (config, produce_max, is_fatal) in [
        (zstd.clone(), 6, true),
        (zstd, 7, false),
        (config(), 6, false),
    ] {
        let mut cluster = FakeCluster::new(1, 1);
        cluster.versions.insert(0, (0, produce_max));
        let mut rig = Rig::new(config, cluster);
        rig.settle();
        let line = rig.fatal().map(ToString::to_string);
        assert_eq!(line.is_some(), is_fatal, "{line:?}");
        if let Some(line) = line {
            assert!(
                line.starts_with("bootstrap-1 (boot:9092) is too old for zstd: Kafka 2.1"),
                "{line}"
            );
        }
    }
}

#[test]
fn versions_are_the_highest_that_both_speak() {
    let mut cluster = FakeCluster::new(1, 1);
    // Redpanda's.
    cluster.versions = [(0, (0, 7)), (3, (0, 8)), (18, (0, 3)), (22, (0, 3))].into();
    let mut rig = Rig::ready(config(), cluster);
    rig.send(&["one"]);
    let produce = rig.take_produce();
    assert_eq!(produce.version, 7);
    rig.ack(&produce);
    assert_eq!(rig.ledger.acknowledged, 1);
    let version = |api| {
        rig.asked
            .iter()
            .find(|asked| asked.api == api)
            .unwrap()
            .version
    };
    assert_eq!(version(ApiKey::Metadata), 8);
    assert_eq!(version(ApiKey::InitProducerId), 3);
}

/// Scenario 33.
#[test]
fn a_broker_that_offers_versions_which_it_no_longer_has_is_asked_in_the_newest_of_ours() {
    // Kafka 4 takes none below 3, and offers 0 for the sake of old clients.
    for (offered, spoken) in [((0, 13), 12), ((0, 3), 3), ((3, 3), 3)] {
        let mut cluster = FakeCluster::new(1, 1);
        cluster.versions.insert(0, offered);
        let mut rig = Rig::ready(config(), cluster);
        rig.send(&["a"]);
        let produce = rig.take_produce();
        assert_eq!(produce.version, spoken, "{offered:?}");
        rig.ack(&produce);
        assert_eq!(rig.ledger.acknowledged, 1);
    }
}

/// Scenario 27.
#[test]
fn a_missing_topic_is_fatal_after_some_seconds_with_what_to_do() {
    let mut cluster = FakeCluster::new(1, 1);
    cluster.topic_error = 3;
    let mut rig = Rig::new(config(), cluster);
    rig.advance(ms(2900));
    assert!(rig.fatal().is_none());
    rig.advance(secs(2));
    let line = rig.fatal().unwrap().to_string();
    assert!(
        line.contains("topic shoes does not exist; create it, check KAFKA_TOPIC"),
        "{line}"
    );
    assert!(rig.client.is_closed());
    assert!(rig.count(ApiKey::Metadata) < 15);
}

#[test]
fn a_topic_that_appears_within_some_seconds_is_waited_for() {
    let mut cluster = FakeCluster::new(1, 1);
    cluster.topic_error = 3;
    let mut rig = Rig::new(config(), cluster);
    rig.advance(secs(2));
    rig.cluster.topic_error = 0;
    rig.advance_until(secs(2), |rig| rig.client.wants_records());
}

fn creating() -> Rig {
    let mut cluster = FakeCluster::new(3, 0);
    cluster.topic_error = 3;
    cluster.controller = 2;
    let config = ProducerConfig {
        create_topic: Some(NewTopic {
            partitions: 4,
            replication: 3,
        }),
        ..config()
    };
    Rig::new(config, cluster)
}

#[test]
fn a_missing_topic_is_created_through_the_controller_if_that_is_wanted() {
    let mut rig = creating();
    rig.advance_until(secs(1), |rig| rig.client.wants_records());
    assert!(matches!(
        rig.events.last(),
        Some(Event::Ready { partitions: 4 })
    ));
    assert_eq!(rig.count(ApiKey::CreateTopics), 1);
}

#[test]
fn a_controller_that_moved_is_asked_again_and_a_topic_that_is_there_already_is_fine() {
    let mut rig = creating();
    rig.cluster.creation_code = 41;
    rig.settle();
    rig.cluster.controller = 3;
    rig.advance(secs(1));
    rig.cluster.creation_code = 36;
    rig.advance(secs(1));
    rig.cluster.topic_error = 0;
    rig.cluster.leaders = vec![1];
    rig.advance_until(secs(2), |rig| rig.client.wants_records());
    assert!(rig.count(ApiKey::CreateTopics) >= 2);
}

#[test]
fn a_topic_that_cannot_be_created_is_fatal_with_the_brokers_words() {
    let mut rig = creating();
    rig.cluster.creation_code = 38;
    rig.settle();
    let line = rig.fatal().unwrap().to_string();
    assert!(
        line.contains(
            "could not be created: INVALID_REPLICATION_FACTOR (38): no, thanks; a topic has"
        ),
        "{line}"
    );
}

#[test]
fn who_may_not_create_the_topic_is_told_to_get_that_right_and_not_the_one_to_write() {
    let mut rig = creating();
    rig.cluster.creation_code = 29;
    rig.settle();
    let line = rig.fatal().unwrap().to_string();
    assert!(
        line.contains("TOPIC_AUTHORIZATION_FAILED (29): no, thanks; grant this user CREATE"),
        "{line}"
    );
}

#[test]
fn a_topic_that_may_not_be_read_is_fatal_at_once() {
    let mut cluster = FakeCluster::new(1, 1);
    cluster.topic_error = 29;
    let mut rig = Rig::new(config(), cluster);
    rig.settle();
    let expected = FatalError::TopicRefused {
        topic: TOPIC.to_owned(),
        code: ErrorCode::TOPIC_AUTHORIZATION_FAILED,
    };
    assert_eq!(rig.fatal(), Some(&expected));
}

#[test]
fn a_producer_id_is_asked_for_again_while_the_coordinator_loads_and_refused_for_good_otherwise() {
    let mut rig = Rig::new(config(), FakeCluster::new(1, 1));
    for code in [14, 15, 14] {
        rig.cluster.script(ApiKey::InitProducerId, move |asked| {
            let response = InitProducerIdResponse::default().with_error_code(code);
            Some(asked.answer_with(asked.version, &response))
        });
    }
    rig.advance_until(secs(2), |rig| rig.client.wants_records());
    assert_eq!(rig.count(ApiKey::InitProducerId), 4);

    let mut rig = Rig::new(config(), FakeCluster::new(1, 1));
    rig.cluster.script(ApiKey::InitProducerId, |asked| {
        let response = InitProducerIdResponse::default().with_error_code(31);
        Some(asked.answer_with(asked.version, &response))
    });
    rig.settle();
    let line = rig.fatal().unwrap().to_string();
    assert!(
        line.contains("CLUSTER_AUTHORIZATION_FAILED (31); grant this user WRITE on the topic, with brokers before 2.8 also IDEMPOTENT_WRITE on the cluster"),
        "{line}"
    );
}

#[test]
fn a_producer_id_or_epoch_below_zero_breaks_the_connection_off_and_is_never_used() {
    let servers = ["a", "b"].map(host).to_vec();
    for (id, epoch) in [(-1, 0), (7, -1), (-1, -1), (i64::MIN, i16::MIN)] {
        let config = ProducerConfig {
            bootstrap_servers: servers.clone(),
            ..config()
        };
        let mut rig = Rig::new(config, FakeCluster::new(1, 1));
        rig.cluster.script(ApiKey::InitProducerId, move |asked| {
            let response = InitProducerIdResponse::default()
                .with_producer_id(ProducerId(id))
                .with_producer_epoch(epoch);
            Some(asked.answer_with(asked.version, &response))
        });
        rig.advance_until(secs(2), |rig| rig.client.wants_records());
        let asked: Vec<&str> = rig
            .asked
            .iter()
            .filter(|asked| asked.api == ApiKey::InitProducerId)
            .map(|asked| asked.host.as_str())
            .collect();
        assert!(asked.len() == 2 && asked[0] != asked[1], "{asked:?}");
        assert_eq!(rig.closes[..1], asked[..1]);
        let told = format!("an answer with producer id {id}, epoch {epoch}");
        let line = rig.events.iter().find_map(|event| match event {
            Event::Warning { message, .. } => Some(message.as_str()),
            _ => None,
        });
        assert!(line.is_some_and(|line| line.contains(&told)), "{line:?}");
    }
}

/// Scenario 35.
#[test]
fn a_topic_without_partitions_is_asked_about_until_it_has_some() {
    let mut cluster = FakeCluster::new(1, 1);
    cluster.leaders.clear();
    let mut rig = Rig::new(config(), cluster);
    rig.advance(secs(10));
    assert!(!rig.client.wants_records());
    let only_warned = |event: &Event| matches!(event, Event::Warning { .. });
    assert!(rig.events.iter().all(only_warned), "{:?}", rig.events);
    rig.events.clear();
    let asked = rig.count(ApiKey::Metadata);
    assert!((8..30).contains(&asked), "{asked}");
    rig.cluster.leaders = vec![1, 1];
    rig.advance_until(secs(2), |rig| rig.client.wants_records());
    assert!(matches!(rig.events[..], [Event::Ready { partitions: 2 }]));
}

/// Scenario 35.
#[test]
fn a_partition_without_a_leader_is_asked_about_until_it_has_one() {
    let mut cluster = FakeCluster::new(1, 2);
    cluster.leaders = vec![1, -1];
    let mut rig = Rig::ready(config(), cluster);
    rig.push_keyed(1, "waits").unwrap();
    rig.advance(secs(10));
    assert!(rig.produces.is_empty());
    let asked = rig.count(ApiKey::Metadata);
    assert!((8..30).contains(&asked), "{asked}");
    rig.cluster.leaders[1] = 1;
    rig.advance_until(secs(2), |rig| !rig.produces.is_empty());
}

/// Scenario 35.
#[test]
fn a_leader_that_metadata_gives_no_address_of_is_asked_about_again() {
    let mut cluster = FakeCluster::new(1, 1);
    cluster.leaders = vec![2];
    let mut rig = Rig::ready(config(), cluster);
    rig.push("waits");
    rig.advance(secs(1));
    rig.cluster.brokers.push(2);
    rig.advance_until(secs(2), |rig| !rig.produces.is_empty());
    assert_eq!(rig.produces[0].host, "broker-2");
}
