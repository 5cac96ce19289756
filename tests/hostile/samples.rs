//! Sound answers in every version that we speak, written by `kafka-protocol`: what damage is done to.
//!
//! Each is rich in what can go wrong: several brokers, topics and partitions, records at fault, tagged fields that we know and
//! that we don't, empty strings, nulls where the protocol has them, strings around the length at which a compact length grows.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use continuous_producer::kafka::wire::message::{
    self as ours, ApiKey, ApiVersionsRequest, CreateTopicsRequest, InitProducerIdRequest,
    MetadataRequest, ProduceRequest, Request, SaslAuthenticateRequest, SaslHandshakeRequest,
};
use kafka_protocol::messages::{
    ApiVersionsResponse, BrokerId, CreateTopicsResponse, InitProducerIdResponse, MetadataResponse,
    ProduceResponse, ResponseHeader, SaslAuthenticateResponse, SaslHandshakeResponse, TopicName,
    api_versions_response::*, create_topics_response::*, metadata_response::*, produce_response::*,
};
use kafka_protocol::protocol::{Encodable, HeaderVersion, StrBytes};

/// The topic of [`answer`], beside others.
pub(crate) const TOPIC: &str = "shoes";
/// How many partitions it has.
pub(crate) const PARTITIONS: i32 = 3;
/// Brokers 1 to 3 lead them, in turn.
pub(crate) const BROKERS: i32 = 3;
/// A tag that Kafka does not know either.
const UNKNOWN_TAG: i32 = 1000;

/// A sound answer.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    /// Without its length.
    pub(crate) frame: Vec<u8>,
}

/// One of every request and version.
pub(crate) fn all() -> Vec<Sample> {
    fn of<R: Request>() -> impl Iterator<Item = Sample> {
        R::VERSIONS.map(|version| {
            let correlation_id = 77 + i32::from(version);
            let frame = answer(R::API, version, correlation_id, 0);
            Sample {
                api: R::API,
                version,
                correlation_id,
                frame,
            }
        })
    }
    let mut samples: Vec<Sample> = of::<ApiVersionsRequest>().collect();
    samples.extend(of::<MetadataRequest>());
    samples.extend(of::<ProduceRequest>());
    samples.extend(of::<InitProducerIdRequest>());
    samples.extend(of::<CreateTopicsRequest>());
    samples.extend(of::<SaslHandshakeRequest>());
    samples.extend(of::<SaslAuthenticateRequest>());
    samples
}

/// The answer of a broker in good health, to whatever was asked about [`TOPIC`]; `code` is what it says of the topic, or of its
/// partitions.
pub(crate) fn answer(api: ApiKey, version: i16, correlation_id: i32, code: i16) -> Vec<u8> {
    match api {
        ApiKey::ApiVersions => framed(&api_versions(version), version, correlation_id),
        ApiKey::Metadata => framed(&metadata(version, code), version, correlation_id),
        ApiKey::Produce => framed(&produce(version, code), version, correlation_id),
        ApiKey::InitProducerId => framed(&init_producer_id(version), version, correlation_id),
        ApiKey::CreateTopics => framed(&create_topics(version, code), version, correlation_id),
        ApiKey::SaslHandshake => framed(&sasl_handshake(code), version, correlation_id),
        ApiKey::SaslAuthenticate => {
            framed(&sasl_authenticate(version, code), version, correlation_id)
        }
    }
}

fn framed<T: Encodable + HeaderVersion>(body: &T, version: i16, correlation_id: i32) -> Vec<u8> {
    let header_version = T::header_version(version);
    let header = ResponseHeader::default()
        .with_correlation_id(correlation_id)
        .with_unknown_tagged_fields(tagged(header_version >= 1));
    let mut out = BytesMut::new();
    header.encode(&mut out, header_version).unwrap();
    body.encode(&mut out, version).unwrap();
    out.to_vec()
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

fn tagged(flexible: bool) -> BTreeMap<i32, Bytes> {
    let fields = [
        (UNKNOWN_TAG, Bytes::from_static(b"from the future")),
        (UNKNOWN_TAG + 1, Bytes::new()),
    ];
    fields.into_iter().filter(|_| flexible).collect()
}

fn api_versions(version: i16) -> ApiVersionsResponse {
    let flexible = version >= ApiVersionsRequest::FLEXIBLE_SINCE;
    let ranges = [
        (0, 3, 12),
        (3, 0, 12),
        (17, 0, 1),
        (18, 0, 4),
        (19, 2, 7),
        (22, 0, 5),
        (36, 0, 2),
    ];
    let ranges = ranges.map(|(key, min, max)| {
        ApiVersion::default()
            .with_api_key(key)
            .with_min_version(min)
            .with_max_version(max)
            .with_unknown_tagged_fields(tagged(flexible))
    });
    let response = ApiVersionsResponse::default()
        .with_api_keys(ranges.into())
        .with_unknown_tagged_fields(tagged(flexible));
    if !flexible {
        return response;
    }
    let feature = SupportedFeatureKey::default()
        .with_name(text("metadata.version"))
        .with_max_version(25);
    response
        .with_supported_features(vec![feature])
        .with_finalized_features_epoch(9)
        .with_zk_migration_ready(true)
}

fn metadata(version: i16, code: i16) -> MetadataResponse {
    let flexible = version >= MetadataRequest::FLEXIBLE_SINCE;
    let brokers = (1..=BROKERS).map(|id| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(id))
            .with_host(text(&format!("broker-{id}")))
            .with_port(9092)
            .with_rack((id > 1).then(|| text(if id > 2 { "" } else { "rack" })))
            .with_unknown_tagged_fields(tagged(flexible))
    });
    let mut topics = vec![
        metadata_topic(version, TOPIC, PARTITIONS).with_error_code(code),
        metadata_topic(version, &"long".repeat(32), 1),
        metadata_topic(version, "", 0),
    ];
    if version >= 12 {
        topics.push(metadata_topic(version, "", 1).with_name(None));
    }
    MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_cluster_id((version >= 2).then(|| text("a cluster")))
        .with_controller_id(BrokerId(1))
        .with_topics(topics)
        .with_unknown_tagged_fields(tagged(flexible))
}

fn metadata_topic(version: i16, name: &str, partitions: i32) -> MetadataResponseTopic {
    let flexible = version >= MetadataRequest::FLEXIBLE_SINCE;
    let ids = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect();
    let partitions = (0..partitions).map(|index| {
        let partition = MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(BrokerId(index % BROKERS + 1))
            .with_replica_nodes(ids(&[1, 2, 3]))
            .with_isr_nodes(ids(&[1, 2]))
            .with_offline_replicas(if version >= 5 { ids(&[3]) } else { vec![] })
            .with_unknown_tagged_fields(tagged(flexible));
        match version {
            7.. => partition.with_leader_epoch(4),
            _ => partition,
        }
    });
    MetadataResponseTopic::default()
        .with_name(Some(topic(name)))
        .with_partitions(partitions.collect())
        .with_unknown_tagged_fields(tagged(flexible))
}

fn produce(version: i16, code: i16) -> ProduceResponse {
    let flexible = version >= ProduceRequest::FLEXIBLE_SINCE;
    let topics = [(TOPIC, PARTITIONS), ("", 1), ("empty", 0)].map(|(name, partitions)| {
        let partitions = (0..partitions).map(|index| produced(version, index, code));
        TopicProduceResponse::default()
            .with_name(topic(name))
            .with_partition_responses(partitions.collect())
            .with_unknown_tagged_fields(tagged(flexible))
    });
    let endpoints = (1..=BROKERS).filter(|_| version >= 10).map(|id| {
        NodeEndpoint::default()
            .with_node_id(BrokerId(id))
            .with_host(text(&format!("broker-{id}")))
            .with_port(9092)
            .with_rack((id > 1).then(|| text("rack")))
            .with_unknown_tagged_fields(tagged(true))
    });
    ProduceResponse::default()
        .with_responses(topics.into())
        .with_node_endpoints(endpoints.collect())
        .with_unknown_tagged_fields(tagged(flexible))
}

fn produced(version: i16, index: i32, code: i16) -> PartitionProduceResponse {
    let flexible = version >= ProduceRequest::FLEXIBLE_SINCE;
    let mut partition = PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(code)
        .with_base_offset(1 << 40)
        .with_unknown_tagged_fields(tagged(flexible));
    if version >= 8 {
        let fault = |at: i32, words: Option<&str>| {
            BatchIndexAndErrorMessage::default()
                .with_batch_index(at)
                .with_batch_index_error_message(words.map(text))
                .with_unknown_tagged_fields(tagged(flexible))
        };
        let faults = [None, Some(""), Some("no key\n\u{1b}[31m\u{7f}")];
        partition = partition
            .with_record_errors(
                (0..)
                    .zip(faults)
                    .map(|(at, told)| fault(at, told))
                    .collect(),
            )
            .with_error_message((index > 0).then(|| text(&"words\t".repeat(30))));
    }
    if version >= 10 {
        let leader = LeaderIdAndEpoch::default()
            .with_leader_id(BrokerId(index % BROKERS + 1))
            .with_leader_epoch(5)
            .with_unknown_tagged_fields(tagged(true));
        partition = partition.with_current_leader(leader);
    }
    partition
}

fn init_producer_id(version: i16) -> InitProducerIdResponse {
    let flexible = version >= InitProducerIdRequest::FLEXIBLE_SINCE;
    InitProducerIdResponse::default()
        .with_producer_id(4000.into())
        .with_producer_epoch(1)
        .with_unknown_tagged_fields(tagged(flexible))
}

fn sasl_handshake(code: i16) -> SaslHandshakeResponse {
    let mechanisms = ["PLAIN", "", "SCRAM-SHA-256\r\n"];
    SaslHandshakeResponse::default()
        .with_error_code(code)
        .with_mechanisms(mechanisms.map(text).into())
}

fn sasl_authenticate(version: i16, code: i16) -> SaslAuthenticateResponse {
    let flexible = version >= SaslAuthenticateRequest::FLEXIBLE_SINCE;
    SaslAuthenticateResponse::default()
        .with_error_code(code)
        .with_error_message((code != 0).then(|| text("no\r\nway")))
        .with_auth_bytes(Bytes::from_static(b"the server's words"))
        .with_session_lifetime_ms(if version >= 1 { 60_000 } else { 0 })
        .with_unknown_tagged_fields(tagged(flexible))
}

fn create_topics(version: i16, code: i16) -> CreateTopicsResponse {
    let flexible = version >= ours::CreateTopicsRequest::FLEXIBLE_SINCE;
    let topics = [(TOPIC, None), ("", Some("")), ("other", Some("no\r\nway"))];
    let topics = topics.map(|(name, words)| {
        let topic = CreatableTopicResult::default()
            .with_name(topic(name))
            .with_error_code(code)
            .with_error_message(words.map(text))
            .with_unknown_tagged_fields(tagged(flexible));
        if !flexible {
            return topic;
        }
        let config = |value: Option<&str>| {
            CreatableTopicConfigs::default()
                .with_name(text("retention.ms"))
                .with_value(value.map(text))
                .with_unknown_tagged_fields(tagged(true))
        };
        let configs = words.map(|_| vec![config(None), config(Some("")), config(Some("1"))]);
        topic.with_num_partitions(PARTITIONS).with_configs(configs)
    });
    CreateTopicsResponse::default()
        .with_topics(topics.into())
        .with_unknown_tagged_fields(tagged(flexible))
}
