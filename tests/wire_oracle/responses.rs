//! Responses: what they encode, tagged fields that nobody knows included, decodes to the same values here; and damage is an error.

use std::fmt::Debug;

use bytes::BytesMut;
use continuous_producer::kafka::wire::ErrorCode;
use continuous_producer::kafka::wire::message::{self as ours, Request, decode_response};
use kafka_protocol::messages as theirs;
use kafka_protocol::messages::{ResponseHeader, TopicName};
use kafka_protocol::protocol::{Encodable, HeaderVersion, StrBytes};

use super::{Case, text};

/// Of how many cases a message and version every byte is cut off and damaged: that takes time by the square of the length.
const DAMAGED_CASES: u64 = 8;

#[test]
fn api_versions_responses_decode_to_the_same_values() {
    use theirs::api_versions_response::{ApiVersion, SupportedFeatureKey};

    Case::for_each::<ours::ApiVersionsRequest>(|case| {
        let flexible = case.version >= 3;
        let api_keys = case.list(|case| {
            ApiVersion::default()
                .with_api_key(case.random.i16(..))
                .with_min_version(case.random.i16(..))
                .with_max_version(case.random.i16(..))
                .with_unknown_tagged_fields(case.tagged(flexible))
        });
        let mut response = theirs::ApiVersionsResponse::default()
            .with_error_code(case.random.i16(36..))
            .with_api_keys(api_keys)
            .with_throttle_time_ms(case.since(1, |case| case.random.i32(..)))
            .with_unknown_tagged_fields(case.tagged(flexible));
        if flexible {
            // Tagged fields that Kafka knows and we don't.
            let feature = SupportedFeatureKey::default()
                .with_name(text("metadata.version"))
                .with_max_version(25);
            response = response
                .with_supported_features(case.nullable(|_| feature).into_iter().collect())
                .with_finalized_features_epoch(case.random.i64(..))
                .with_zk_migration_ready(case.random.bool());
        }
        let expected = api_versions_of(&response);
        check_response::<ours::ApiVersionsRequest, _>(case, &response, &expected);
    });
}

#[test]
fn an_unsupported_version_is_answered_in_version_0_whatever_was_asked() {
    Case::for_each::<ours::ApiVersionsRequest>(|case| {
        let hint = theirs::api_versions_response::ApiVersion::default()
            .with_api_key(18)
            .with_max_version(case.random.i16(..));
        let response = theirs::ApiVersionsResponse::default()
            .with_error_code(35)
            .with_api_keys(case.nullable(|_| hint).into_iter().collect());
        let mut out = BytesMut::new();
        ResponseHeader::default()
            .with_correlation_id(9)
            .encode(&mut out, 0)
            .unwrap();
        response.encode(&mut out, 0).unwrap();
        let decoded = decode_response::<ours::ApiVersionsRequest>(&out, 9, case.version).unwrap();
        assert_eq!(decoded, api_versions_of(&response));
    });
}

fn api_versions_of(response: &theirs::ApiVersionsResponse) -> ours::ApiVersionsResponse {
    ours::ApiVersionsResponse {
        error: ErrorCode(response.error_code),
        api_versions: response
            .api_keys
            .iter()
            .map(|api| ours::ApiVersion {
                api_key: api.api_key,
                min_version: api.min_version,
                max_version: api.max_version,
            })
            .collect(),
        throttle_time_ms: response.throttle_time_ms,
    }
}

#[test]
fn metadata_responses_decode_to_the_same_values() {
    Case::for_each::<ours::MetadataRequest>(|case| {
        let flexible = case.version >= 9;
        let brokers = case.list(|case| {
            theirs::metadata_response::MetadataResponseBroker::default()
                .with_node_id(case.random.i32(..).into())
                .with_host(text(&case.string()))
                .with_port(case.random.i32(..))
                .with_rack(case.nullable(|case| text(&case.string())))
                .with_unknown_tagged_fields(case.tagged(flexible))
        });
        let topics = case.list(their_metadata_topic);
        let mut response = theirs::MetadataResponse::default()
            .with_throttle_time_ms(case.since(3, |case| case.random.i32(..)))
            .with_brokers(brokers)
            .with_cluster_id(case.since(2, |case| case.nullable(|case| text(&case.string()))))
            .with_controller_id(case.random.i32(..).into())
            .with_topics(topics)
            .with_unknown_tagged_fields(case.tagged(flexible));
        if (8..=10).contains(&case.version) {
            response = response.with_cluster_authorized_operations(case.random.i32(..));
        }
        let expected = ours::MetadataResponse {
            throttle_time_ms: response.throttle_time_ms,
            brokers: response
                .brokers
                .iter()
                .map(|broker| ours::MetadataBroker {
                    node_id: broker.node_id.0,
                    host: broker.host.to_string(),
                    port: broker.port,
                })
                .collect(),
            cluster_id: owned(response.cluster_id.as_ref()),
            controller_id: response.controller_id.0,
            topics: response.topics.iter().map(our_metadata_topic).collect(),
        };
        check_response::<ours::MetadataRequest, _>(case, &response, &expected);
    });
}

fn their_metadata_topic(case: &mut Case) -> theirs::metadata_response::MetadataResponseTopic {
    let flexible = case.version >= 9;
    let name = TopicName(text(&case.string()));
    let nameless = case.version >= 12 && case.random.bool();
    let partitions = case.list(|case| {
        let ids = |case: &mut Case| case.list(|case| case.random.i32(..).into());
        let partition = theirs::metadata_response::MetadataResponsePartition::default()
            .with_error_code(case.random.i16(..))
            .with_partition_index(case.random.i32(..))
            .with_leader_id(case.random.i32(..).into())
            .with_replica_nodes(ids(case))
            .with_isr_nodes(ids(case))
            .with_offline_replicas(case.since(5, ids))
            .with_unknown_tagged_fields(case.tagged(flexible));
        match case.version {
            7.. => partition.with_leader_epoch(case.random.i32(..)),
            _ => partition,
        }
    });
    let mut topic = theirs::metadata_response::MetadataResponseTopic::default()
        .with_error_code(case.random.i16(..))
        .with_name((!nameless).then_some(name))
        .with_is_internal(case.random.bool())
        .with_partitions(partitions)
        .with_unknown_tagged_fields(case.tagged(flexible));
    if case.version >= 8 {
        topic = topic.with_topic_authorized_operations(case.random.i32(..));
    }
    if case.version >= 10 && case.random.u8(..) > 0 {
        topic.topic_id = case.topic_id().parse().unwrap();
    }
    topic
}

fn our_metadata_topic(
    topic: &theirs::metadata_response::MetadataResponseTopic,
) -> ours::MetadataTopic {
    ours::MetadataTopic {
        error: ErrorCode(topic.error_code),
        name: topic.name.as_ref().map(|name| name.to_string()),
        // A topic without an id has a zero there.
        id: Some(topic.topic_id.as_u128())
            .filter(|&id| id != 0)
            .map(ours::TopicId),
        partitions: topic
            .partitions
            .iter()
            .map(|partition| ours::MetadataPartition {
                error: ErrorCode(partition.error_code),
                index: partition.partition_index,
                leader_id: partition.leader_id.0,
                leader_epoch: partition.leader_epoch,
            })
            .collect(),
    }
}

#[test]
fn init_producer_id_responses_decode_to_the_same_values() {
    Case::for_each::<ours::InitProducerIdRequest>(|case| {
        let response = theirs::InitProducerIdResponse::default()
            .with_throttle_time_ms(case.random.i32(..))
            .with_error_code(case.random.i16(..))
            .with_producer_id(case.random.i64(..).into())
            .with_producer_epoch(case.random.i16(..))
            .with_unknown_tagged_fields(case.tagged(case.version >= 2));
        let expected = ours::InitProducerIdResponse {
            throttle_time_ms: response.throttle_time_ms,
            error: ErrorCode(response.error_code),
            producer_id: response.producer_id.0,
            producer_epoch: response.producer_epoch,
        };
        check_response::<ours::InitProducerIdRequest, _>(case, &response, &expected);
    });
}

#[test]
fn create_topics_responses_decode_to_the_same_values() {
    use theirs::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};

    Case::for_each::<ours::CreateTopicsRequest>(|case| {
        let flexible = case.version >= 5;
        let topics = case.list(|case| {
            let mut topic = CreatableTopicResult::default()
                .with_name(TopicName(text(&case.string())))
                .with_error_code(case.random.i16(..))
                .with_error_message(case.nullable(|case| text(&case.string())))
                .with_unknown_tagged_fields(case.tagged(flexible));
            if flexible {
                let configs = case.nullable(|case| {
                    case.list(|case| {
                        CreatableTopicConfigs::default()
                            .with_name(text(&case.string()))
                            .with_value(case.nullable(|case| text(&case.string())))
                            .with_read_only(case.random.bool())
                            .with_config_source(case.random.i8(..))
                            .with_is_sensitive(case.random.bool())
                            .with_unknown_tagged_fields(case.tagged(true))
                    })
                });
                topic = topic
                    .with_topic_config_error_code(case.random.i16(..))
                    .with_num_partitions(case.random.i32(..))
                    .with_replication_factor(case.random.i16(..))
                    .with_configs(configs);
            }
            if case.version >= 7 {
                topic.topic_id = case.topic_id().parse().unwrap();
            }
            topic
        });
        let response = theirs::CreateTopicsResponse::default()
            .with_throttle_time_ms(case.random.i32(..))
            .with_topics(topics)
            .with_unknown_tagged_fields(case.tagged(flexible));
        let expected = ours::CreateTopicsResponse {
            throttle_time_ms: response.throttle_time_ms,
            topics: response
                .topics
                .iter()
                .map(|topic| ours::CreatedTopic {
                    name: topic.name.to_string(),
                    error: ErrorCode(topic.error_code),
                    error_message: owned(topic.error_message.as_ref()),
                })
                .collect(),
        };
        check_response::<ours::CreateTopicsRequest, _>(case, &response, &expected);
    });
}

#[test]
fn sasl_handshake_responses_decode_to_the_same_values() {
    Case::for_each::<ours::SaslHandshakeRequest>(|case| {
        let response = theirs::SaslHandshakeResponse::default()
            .with_error_code(case.random.i16(..))
            .with_mechanisms(case.list(|case| text(&case.string())));
        let expected = ours::SaslHandshakeResponse {
            error: ErrorCode(response.error_code),
            mechanisms: response
                .mechanisms
                .iter()
                .map(ToString::to_string)
                .collect(),
        };
        check_response::<ours::SaslHandshakeRequest, _>(case, &response, &expected);
    });
}

#[test]
fn sasl_authenticate_responses_decode_to_the_same_values() {
    Case::for_each::<ours::SaslAuthenticateRequest>(|case| {
        let response = theirs::SaslAuthenticateResponse::default()
            .with_error_code(case.random.i16(..))
            .with_error_message(case.nullable(|case| text(&case.string())))
            .with_auth_bytes(case.bytes())
            .with_session_lifetime_ms(case.since(1, |case| case.random.i64(..)))
            .with_unknown_tagged_fields(case.tagged(case.version >= 2));
        let expected = ours::SaslAuthenticateResponse {
            error: ErrorCode(response.error_code),
            error_message: owned(response.error_message.as_ref()),
            auth_bytes: response.auth_bytes.to_vec(),
            session_lifetime_ms: response.session_lifetime_ms,
        };
        check_response::<ours::SaslAuthenticateRequest, _>(case, &response, &expected);
    });
}

#[test]
fn produce_responses_decode_to_the_same_values() {
    use theirs::produce_response::{NodeEndpoint, TopicProduceResponse};

    Case::for_each::<ours::ProduceRequest>(|case| {
        let flexible = case.version >= 9;
        let topics = case.list(|case| {
            TopicProduceResponse::default()
                .with_name(TopicName(text(&case.string())))
                .with_partition_responses(case.list(their_produced_partition))
                .with_unknown_tagged_fields(case.tagged(flexible))
        });
        let endpoints = case.since(10, |case| {
            case.list(|case| {
                NodeEndpoint::default()
                    .with_node_id(case.random.i32(..).into())
                    .with_host(text(&case.string()))
                    .with_port(case.random.i32(..))
                    .with_rack(case.nullable(|case| text(&case.string())))
                    .with_unknown_tagged_fields(case.tagged(true))
            })
        });
        let response = theirs::ProduceResponse::default()
            .with_responses(topics)
            .with_throttle_time_ms(case.random.i32(..))
            .with_node_endpoints(endpoints)
            .with_unknown_tagged_fields(case.tagged(flexible));
        let expected = ours::ProduceResponse {
            throttle_time_ms: response.throttle_time_ms,
            topics: response
                .responses
                .iter()
                .map(|topic| ours::ProducedTopic {
                    name: topic.name.to_string(),
                    partitions: topic
                        .partition_responses
                        .iter()
                        .map(our_produced_partition)
                        .collect(),
                })
                .collect(),
            node_endpoints: response
                .node_endpoints
                .iter()
                .map(|endpoint| ours::NodeEndpoint {
                    node_id: endpoint.node_id.0,
                    host: endpoint.host.to_string(),
                    port: endpoint.port,
                })
                .collect(),
        };
        check_response::<ours::ProduceRequest, _>(case, &response, &expected);
    });
}

fn their_produced_partition(case: &mut Case) -> theirs::produce_response::PartitionProduceResponse {
    use theirs::produce_response::{
        BatchIndexAndErrorMessage, LeaderIdAndEpoch, PartitionProduceResponse,
    };

    let flexible = case.version >= 9;
    let mut partition = PartitionProduceResponse::default()
        .with_index(case.random.i32(..))
        .with_error_code(case.random.i16(..))
        .with_base_offset(case.random.i64(..))
        .with_log_append_time_ms(case.random.i64(..))
        .with_unknown_tagged_fields(case.tagged(flexible));
    if case.version >= 5 {
        partition = partition.with_log_start_offset(case.random.i64(..));
    }
    if case.version >= 8 {
        let errors = case.list(|case| {
            BatchIndexAndErrorMessage::default()
                .with_batch_index(case.random.i32(..))
                .with_batch_index_error_message(case.nullable(|case| text(&case.string())))
                .with_unknown_tagged_fields(case.tagged(flexible))
        });
        partition = partition
            .with_record_errors(errors)
            .with_error_message(case.nullable(|case| text(&case.string())));
    }
    if case.version >= 10 && case.random.bool() {
        let leader = LeaderIdAndEpoch::default()
            .with_leader_id(case.random.i32(-1..).into())
            .with_leader_epoch(case.random.i32(..))
            .with_unknown_tagged_fields(case.tagged(true));
        partition = partition.with_current_leader(leader);
    }
    partition
}

fn our_produced_partition(
    partition: &theirs::produce_response::PartitionProduceResponse,
) -> ours::ProducedPartition {
    let leader = &partition.current_leader;
    ours::ProducedPartition {
        index: partition.index,
        error: ErrorCode(partition.error_code),
        base_offset: partition.base_offset,
        log_append_time_ms: partition.log_append_time_ms,
        log_start_offset: partition.log_start_offset,
        record_errors: partition
            .record_errors
            .iter()
            .map(|error| ours::RecordError {
                batch_index: error.batch_index,
                message: owned(error.batch_index_error_message.as_ref()),
            })
            .collect(),
        error_message: owned(partition.error_message.as_ref()),
        current_leader: (leader.leader_id.0 >= 0)
            .then_some((leader.leader_id.0, leader.leader_epoch)),
    }
}

/// Their response must decode to what is expected; cut anywhere, prolonged or misdirected, it must be an error; damaged, it may
/// decode to anything, but must not panic.
fn check_response<R, T>(case: &mut Case, response: &T, expected: &R::Response)
where
    R: Request<Response: Debug + PartialEq>,
    T: Encodable + HeaderVersion,
{
    let (version, id) = (case.version, case.random.i32(..));
    let header_version = T::header_version(version);
    let tagged = case.tagged(header_version >= 1);
    let header = ResponseHeader::default()
        .with_correlation_id(id)
        .with_unknown_tagged_fields(tagged);
    let mut out = BytesMut::new();
    header.encode(&mut out, header_version).unwrap();
    response.encode(&mut out, version).unwrap();
    let mut frame = out.to_vec();

    assert_eq!(
        &decode_response::<R>(&frame, id, version).unwrap(),
        expected
    );
    let error = decode_response::<R>(&frame, id.wrapping_add(1), version)
        .err()
        .unwrap();
    assert!(error.to_string().contains("correlation_id"), "{error}");
    frame.push(0);
    let error = decode_response::<R>(&frame, id, version).err().unwrap();
    assert!(
        error.to_string().ends_with("1 bytes are left over"),
        "{error}"
    );
    frame.pop();
    if case.seed >= DAMAGED_CASES {
        return;
    }
    for len in 0..frame.len() {
        let cut = decode_response::<R>(&frame[..len], id, version);
        assert!(cut.is_err(), "cut to {len} of {} bytes", frame.len());
    }
    for at in 4..frame.len() {
        let damage = *case.random.choice(&[0, 1, 0x7f, 0x80, 0xff]).unwrap();
        let sound = std::mem::replace(&mut frame[at], damage);
        let _ = decode_response::<R>(&frame, id, version);
        frame[at] = sound;
    }
}

fn owned(text: Option<&StrBytes>) -> Option<String> {
    text.map(ToString::to_string)
}
