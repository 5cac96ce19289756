//! The cluster: every version of every API, topics, leaders, nodes that die and come back, and reading.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use common::{Client, PATIENCE, TOPIC, batch, fresh_producer, nodes, one_node, start};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, BrokerId, CreateTopicsRequest, FetchRequest,
    FindCoordinatorRequest, ListOffsetsRequest, MetadataRequest, MetadataResponse,
    SaslAuthenticateRequest, SaslHandshakeRequest, TopicName,
};
use kafka_protocol::protocol::{Decodable, StrBytes};
use sandbox::{Config, Sandbox, VersionRange};

fn name(topic: &'static str) -> TopicName {
    TopicName(StrBytes::from_static_str(topic))
}

fn metadata_of(topic: &'static str) -> MetadataRequest {
    let topic = MetadataRequestTopic::default().with_name(Some(name(topic)));
    MetadataRequest::default()
        .with_topics(Some(vec![topic]))
        .with_allow_auto_topic_creation(true)
}

fn api_versions() -> ApiVersionsRequest {
    ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("test"))
        .with_client_software_version(StrBytes::from_static_str("1.0"))
}

fn fetch(partition: i32, offset: i64, wait_ms: i32, bytes_max: i32) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(bytes_max);
    let topic = FetchTopic::default()
        .with_topic(name(TOPIC))
        .with_partitions(vec![partition]);
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(bytes_max)
        .with_topics(vec![topic])
}

fn leaders(response: &MetadataResponse) -> Vec<i32> {
    response.topics[0]
        .partitions
        .iter()
        .map(|partition| partition.leader_id.0)
        .collect()
}

#[test]
fn every_advertised_version_is_answered() {
    let sandbox = nodes(2);
    let mut client = Client::to(&sandbox);
    let offer = client.call(3, &api_versions()).unwrap();
    assert_eq!((offer.error_code, offer.api_keys.len()), (0, 10));
    for offered in offer.api_keys {
        for version in offered.min_version..=offered.max_version {
            match ApiKey::try_from(offered.api_key).unwrap() {
                ApiKey::ApiVersions => {
                    let request = if version < 3 {
                        ApiVersionsRequest::default()
                    } else {
                        api_versions()
                    };
                    assert_eq!(client.call(version, &request).unwrap().api_keys.len(), 10);
                }
                ApiKey::Metadata => {
                    let response = client.call(version, &metadata_of(TOPIC)).unwrap();
                    assert_eq!(leaders(&response), [1, 2, 1], "v{version}");
                    assert_eq!(response.brokers.len(), 2);
                }
                // There is no SASL on this listener, and the connection lives on.
                ApiKey::SaslHandshake => {
                    let request = SaslHandshakeRequest::default();
                    assert_eq!(client.call(version, &request).unwrap().error_code, 34);
                }
                ApiKey::SaslAuthenticate => {
                    let request = SaslAuthenticateRequest::default();
                    assert_eq!(client.call(version, &request).unwrap().error_code, 34);
                }
                ApiKey::InitProducerId => {
                    assert_eq!(
                        client.call(version, &fresh_producer()).unwrap().error_code,
                        0
                    );
                }
                ApiKey::Produce => {
                    assert_eq!(
                        client
                            .try_produce(version, 0, &batch(1))
                            .unwrap()
                            .error_code,
                        0
                    );
                    assert_eq!(
                        client
                            .try_produce(version, 1, &batch(1))
                            .unwrap()
                            .error_code,
                        6
                    );
                }
                ApiKey::Fetch => {
                    let response = client.call(version, &fetch(0, 0, 0, 1000)).unwrap();
                    assert_eq!(
                        response.responses[0].partitions[0].error_code, 0,
                        "v{version}"
                    );
                }
                ApiKey::ListOffsets => {
                    let partition = ListOffsetsPartition::default().with_timestamp(-1);
                    let topic = ListOffsetsTopic::default()
                        .with_name(name(TOPIC))
                        .with_partitions(vec![partition]);
                    let request = ListOffsetsRequest::default()
                        .with_replica_id(BrokerId(-1))
                        .with_topics(vec![topic]);
                    let response = client.call(version, &request).unwrap();
                    assert_eq!(response.topics[0].partitions[0].error_code, 0, "v{version}");
                }
                ApiKey::FindCoordinator => {
                    let request = FindCoordinatorRequest::default();
                    assert_eq!(client.call(version, &request).unwrap().error_code, 15);
                }
                ApiKey::CreateTopics => {
                    let topic = CreatableTopic::default()
                        .with_name(TopicName(StrBytes::from_string(format!("topic-{version}"))))
                        .with_num_partitions(2)
                        .with_replication_factor(1);
                    let request =
                        CreateTopicsRequest::default().with_topics(vec![topic.clone(), topic]);
                    let codes = client
                        .call(version, &request)
                        .unwrap()
                        .topics
                        .iter()
                        .map(|one| one.error_code)
                        .collect::<Vec<_>>();
                    assert_eq!(codes, [0, 36], "v{version}");
                }
                other => unreachable!("{other:?} is not tested"),
            }
        }
    }
    assert_eq!(sandbox.violations(), Vec::<String>::new());
}

#[test]
fn an_unsupported_api_versions_is_answered_in_version_0_with_the_list() {
    let versions = vec![VersionRange {
        api: ApiKey::ApiVersions,
        min: 0,
        max: 2,
    }];
    let sandbox = start(Config {
        versions,
        ..Config::default()
    });
    let mut client = Client::to(&sandbox);
    client.send(3, &api_versions());
    let mut frame = client.read_frame().unwrap().slice(4..);
    let response = kafka_protocol::messages::ApiVersionsResponse::decode(&mut frame, 0).unwrap();
    assert_eq!(response.error_code, 35);
    let own = response
        .api_keys
        .iter()
        .find(|one| one.api_key == 18)
        .unwrap();
    assert_eq!((own.min_version, own.max_version), (0, 2));
    assert_eq!(
        client
            .call(2, &ApiVersionsRequest::default())
            .unwrap()
            .error_code,
        0,
        "the connection goes on"
    );
    assert_eq!(sandbox.violations(), Vec::<String>::new());
}

#[test]
fn a_client_without_a_proper_software_name_is_refused() {
    let sandbox = one_node();
    let request = api_versions().with_client_software_name(StrBytes::from_static_str("-test"));
    assert_eq!(
        Client::to(&sandbox).call(3, &request).unwrap().error_code,
        42
    );
    assert_eq!(sandbox.violations().len(), 1);
}

#[test]
fn an_unknown_topic_is_an_error_unless_it_may_be_created() {
    let strict = one_node();
    let response = Client::to(&strict).call(12, &metadata_of("other")).unwrap();
    assert_eq!(response.topics[0].error_code, 3);
    let lenient = start(Config {
        auto_create_partitions: Some(5),
        ..Config::default()
    });
    let refused = metadata_of("other").with_allow_auto_topic_creation(false);
    assert_eq!(
        Client::to(&lenient).call(12, &refused).unwrap().topics[0].error_code,
        3
    );
    assert_eq!(
        leaders(
            &Client::to(&lenient)
                .call(12, &metadata_of("other"))
                .unwrap()
        ),
        [1; 5]
    );
}

#[test]
fn a_recreated_topic_is_empty_and_has_another_id() {
    let sandbox = one_node();
    let mut client = Client::to(&sandbox);
    assert_eq!(client.produce(0, &batch(1)).error_code, 0);
    let before = client.call(12, &metadata_of(TOPIC)).unwrap().topics[0].topic_id;
    assert_eq!(sandbox.delete_topic(TOPIC), 1);
    assert_eq!(client.produce(0, &batch(1)).error_code, 3);
    assert!(sandbox.create_topic(TOPIC, 1));
    assert_ne!(
        client.call(12, &metadata_of(TOPIC)).unwrap().topics[0].topic_id,
        before
    );
    assert_eq!(client.produce(0, &batch(1)).base_offset, 0);
}

#[test]
fn only_the_leader_appends_and_the_others_say_who_it_is() {
    let sandbox = nodes(3);
    let mut client = Client::to(&sandbox);
    let answer = client.try_produce(10, 1, &batch(1)).unwrap();
    assert_eq!(
        (answer.error_code, answer.current_leader.leader_id.0),
        (6, 2)
    );
    sandbox.move_leader(TOPIC, 1, 1);
    assert_eq!(client.produce(1, &batch(1)).error_code, 0);
    let response = client.call(12, &metadata_of(TOPIC)).unwrap();
    assert_eq!(leaders(&response), [1, 1, 3]);
    assert_eq!(response.topics[0].partitions[1].leader_epoch, 1);
    sandbox.move_leader(TOPIC, 1, -1);
    let response = client.call(12, &metadata_of(TOPIC)).unwrap();
    assert_eq!(
        (
            response.topics[0].partitions[1].error_code,
            leaders(&response)[1]
        ),
        (5, -1)
    );
    assert_eq!(sandbox.violations(), Vec::<String>::new());
}

#[test]
fn a_killed_node_is_gone_at_once_and_another_one_leads() {
    let sandbox = nodes(2);
    let mut client = Client::to(&sandbox);
    assert_eq!(client.produce(0, &batch(1)).error_code, 0);
    sandbox.kill_node(1);
    assert!(client.is_closed());
    assert!(std::net::TcpStream::connect(sandbox.address(1).unwrap()).is_err());
    let mut other = Client::connect(sandbox.address(2).unwrap());
    let response = other.call(12, &metadata_of(TOPIC)).unwrap();
    assert_eq!(
        (leaders(&response), response.brokers.len()),
        (vec![2, 2, 2], 1)
    );
    assert_eq!(
        other.produce(0, &batch(1)).base_offset,
        1,
        "nothing is lost with it"
    );
    sandbox.restart_node(1).unwrap();
    let response = Client::to(&sandbox).call(12, &metadata_of(TOPIC)).unwrap();
    assert_eq!(
        (leaders(&response), response.brokers.len()),
        (vec![2, 2, 2], 2)
    );
}

#[test]
fn a_single_node_comes_back_on_its_port_with_its_data() {
    let sandbox = one_node();
    for n in 0..5 {
        assert_eq!(Client::to(&sandbox).produce(0, &batch(1)).base_offset, n);
        sandbox.kill_node(1);
        assert!(std::net::TcpStream::connect(sandbox.address(1).unwrap()).is_err());
        sandbox.restart_node(1).unwrap();
    }
    assert_eq!(sandbox.record_count(TOPIC), 5);
}

#[test]
fn refused_connections_leave_the_open_ones_alone() {
    let sandbox = one_node();
    let mut client = Client::to(&sandbox);
    assert_eq!(client.produce(0, &batch(1)).error_code, 0);
    sandbox.refuse_connections(1);
    assert!(std::net::TcpStream::connect(sandbox.address(1).unwrap()).is_err());
    assert_eq!(client.produce(0, &batch(1)).error_code, 0);
    sandbox.accept_connections(1).unwrap();
    assert_eq!(Client::to(&sandbox).produce(0, &batch(1)).error_code, 0);
}

#[test]
fn dropping_the_sandbox_ends_it() {
    let sandbox = one_node();
    let mut client = Client::to(&sandbox);
    assert!(sandbox.wait_for(|state| state.connections() == 1, PATIENCE));
    let address = sandbox.address(1).unwrap();
    drop(sandbox);
    assert!(client.is_closed());
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_taken_port_is_an_error() {
    let first = one_node();
    let port = first.address(1).unwrap().port();
    assert!(
        Sandbox::start(Config {
            port,
            ..Config::default()
        })
        .is_err()
    );
}

#[test]
fn fetch_returns_whole_batches_from_an_offset_within_its_bounds() {
    let sandbox = one_node();
    let mut client = Client::to(&sandbox);
    let size = i32::try_from(batch(2).len()).unwrap();
    for _ in 0..3 {
        client.produce(0, &batch(2));
    }
    let mut read = |offset, bytes_max| {
        let response = client.call(11, &fetch(0, offset, 0, bytes_max)).unwrap();
        let data = response.responses[0].partitions[0].clone();
        (
            data.error_code,
            data.records.unwrap().len(),
            data.high_watermark,
        )
    };
    let size_of = |batches: i32| usize::try_from(size * batches).unwrap();
    assert_eq!(read(0, size * 9), (0, size_of(3), 6));
    assert_eq!(
        read(3, size * 9),
        (0, size_of(2), 6),
        "the batch that holds offset 3 begins at 2"
    );
    assert_eq!(read(0, size * 2), (0, size_of(2), 6));
    assert_eq!(read(0, 1), (0, size_of(1), 6), "at least one batch");
    assert_eq!(read(6, size), (0, 0, 6));
    assert_eq!(read(7, size).0, 1);
}

#[test]
fn a_fetch_waits_for_data() {
    let sandbox = one_node();
    let mut reader = Client::to(&sandbox);
    let id = reader.send(11, &fetch(0, 0, 20_000, 10_000));
    assert!(sandbox.wait_for(|state| state.requests(ApiKey::Fetch) == 1, PATIENCE));
    Client::to(&sandbox).produce(0, &batch(1));
    let response = reader.receive::<FetchRequest>(11, id).unwrap();
    assert_eq!(
        response.responses[0].partitions[0]
            .records
            .as_ref()
            .unwrap()
            .len(),
        batch(1).len()
    );
}

#[test]
fn offsets_are_found_by_place_and_by_time() {
    let sandbox = one_node();
    let mut client = Client::to(&sandbox);
    client.produce(0, &batch(5));
    let first = 1_700_000_000_000;
    for (timestamp, found) in [
        (-2, 0),
        (-1, 5),
        (-3, 4),
        (0, 0),
        (first + 3, 3),
        (first + 9, -1),
    ] {
        let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default()
            .with_name(name(TOPIC))
            .with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(vec![topic]);
        let response = client.call(7, &request).unwrap();
        assert_eq!(
            response.topics[0].partitions[0].offset, found,
            "for {timestamp}"
        );
    }
}

#[test]
fn nodes_are_called_as_the_configuration_says() {
    let sandbox = start(Config {
        host: "elsewhere.example".to_owned(),
        ..Config::default()
    });
    let response = Client::to(&sandbox).call(12, &metadata_of(TOPIC)).unwrap();
    assert_eq!(&*response.brokers[0].host, "elsewhere.example");
}
