//! Requests: ours and theirs must be the same bytes, headers and lengths included.

use bytes::BytesMut;
use continuous_producer::kafka::wire::message::{self as ours, encode_request};
use kafka_protocol::messages as theirs;
use kafka_protocol::messages::{RequestHeader, TopicName};
use kafka_protocol::protocol::{Encodable, HeaderVersion};

use super::{Case, text};

#[test]
fn api_versions_requests_are_the_same_bytes() {
    Case::for_each::<ours::ApiVersionsRequest>(|case| {
        let (id, client, name, software) = (
            case.random.i32(..),
            case.string(),
            case.string(),
            case.string(),
        );
        let mut out = Vec::new();
        let request = ours::ApiVersionsRequest {
            client_software_name: &name,
            client_software_version: &software,
        };
        encode_request(&mut out, id, &client, case.version, &request);
        let request = theirs::ApiVersionsRequest::default()
            .with_client_software_name(case.since(3, |_| text(&name)))
            .with_client_software_version(case.since(3, |_| text(&software)));
        assert_eq!(out, their_request(18, case.version, id, &client, &request));
    });
}

#[test]
fn metadata_requests_are_the_same_bytes() {
    Case::for_each::<ours::MetadataRequest>(|case| {
        let (id, client, topics) = (case.random.i32(..), case.string(), case.list(Case::string));
        let create = case.version < 4 || case.random.bool();
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        let mut out = Vec::new();
        let request = ours::MetadataRequest {
            topics: &names,
            allow_auto_topic_creation: create,
        };
        encode_request(&mut out, id, &client, case.version, &request);
        let topics = topics.iter().map(|name| {
            theirs::metadata_request::MetadataRequestTopic::default()
                .with_name(Some(TopicName(text(name))))
        });
        let request = theirs::MetadataRequest::default()
            .with_topics(Some(topics.collect()))
            .with_allow_auto_topic_creation(create);
        assert_eq!(out, their_request(3, case.version, id, &client, &request));
    });
}

#[test]
fn init_producer_id_requests_are_the_same_bytes() {
    Case::for_each::<ours::InitProducerIdRequest>(|case| {
        let (id, client) = (case.random.i32(..), case.string());
        let (producer_id, producer_epoch) = if case.version >= 3 {
            (case.random.i64(..), case.random.i16(..))
        } else {
            (-1, -1)
        };
        let mut out = Vec::new();
        let request = ours::InitProducerIdRequest {
            producer_id,
            producer_epoch,
        };
        encode_request(&mut out, id, &client, case.version, &request);
        let request = theirs::InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(i32::MAX)
            .with_producer_id(producer_id.into())
            .with_producer_epoch(producer_epoch);
        assert_eq!(out, their_request(22, case.version, id, &client, &request));
    });
}

#[test]
fn create_topics_requests_are_the_same_bytes() {
    Case::for_each::<ours::CreateTopicsRequest>(|case| {
        let (id, client, topic) = (case.random.i32(..), case.string(), case.string());
        let request = ours::CreateTopicsRequest {
            topic: &topic,
            partitions: case.random.i32(..),
            replication: case.random.i16(..),
            timeout_ms: case.random.i32(..),
        };
        let mut out = Vec::new();
        encode_request(&mut out, id, &client, case.version, &request);
        let topic = theirs::create_topics_request::CreatableTopic::default()
            .with_name(TopicName(text(&topic)))
            .with_num_partitions(request.partitions)
            .with_replication_factor(request.replication);
        let request = theirs::CreateTopicsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(request.timeout_ms);
        assert_eq!(out, their_request(19, case.version, id, &client, &request));
    });
}

#[test]
fn sasl_handshake_requests_are_the_same_bytes() {
    Case::for_each::<ours::SaslHandshakeRequest>(|case| {
        let (id, client, mechanism) = (case.random.i32(..), case.string(), case.string());
        let mut out = Vec::new();
        let request = ours::SaslHandshakeRequest {
            mechanism: &mechanism,
        };
        encode_request(&mut out, id, &client, case.version, &request);
        let request = theirs::SaslHandshakeRequest::default().with_mechanism(text(&mechanism));
        assert_eq!(out, their_request(17, case.version, id, &client, &request));
    });
}

#[test]
fn sasl_authenticate_requests_are_the_same_bytes() {
    Case::for_each::<ours::SaslAuthenticateRequest>(|case| {
        let (id, client, auth_bytes) = (case.random.i32(..), case.string(), case.bytes());
        let mut out = Vec::new();
        let request = ours::SaslAuthenticateRequest {
            auth_bytes: &auth_bytes,
        };
        encode_request(&mut out, id, &client, case.version, &request);
        let request = theirs::SaslAuthenticateRequest::default().with_auth_bytes(auth_bytes);
        assert_eq!(out, their_request(36, case.version, id, &client, &request));
    });
}

#[test]
fn produce_requests_are_the_same_bytes_once_the_batches_are_in_place() {
    use continuous_producer::kafka::wire::frame::RequestFrame;
    use theirs::produce_request::{PartitionProduceData, TopicProduceData};

    Case::for_each::<ours::ProduceRequest>(|case| {
        let (id, client, topic) = (case.random.i32(..), case.string(), case.string());
        let batches = case.list(|case| (case.random.i32(..), case.bytes()));
        let partitions: Vec<_> = batches
            .iter()
            .map(|(index, batch)| ours::PartitionBatch {
                index: *index,
                batch_bytes: batch.len(),
            })
            .collect();
        let request = ours::ProduceRequest {
            acks: case.random.i16(..),
            timeout_ms: case.random.i32(..),
            topic: &topic,
            partitions: &partitions,
        };
        let mut frame = RequestFrame {
            correlation_id: id,
            skeleton: Vec::new().into(),
            cuts: vec![7; 3],
            batches: batches
                .iter()
                .map(|(_, batch)| batch.to_vec().into())
                .collect(),
        };
        ours::encode_produce(
            &mut frame.skeleton,
            &mut frame.cuts,
            id,
            &client,
            case.version,
            &request,
        );
        let partitions = batches.iter().map(|(index, batch)| {
            PartitionProduceData::default()
                .with_index(*index)
                .with_records(Some(batch.clone()))
        });
        let topic = TopicProduceData::default()
            .with_name(TopicName(text(&topic)))
            .with_partition_data(partitions.collect());
        let request = theirs::ProduceRequest::default()
            .with_acks(request.acks)
            .with_timeout_ms(request.timeout_ms)
            .with_topic_data(vec![topic]);
        let sent = frame.slices().collect::<Vec<_>>().concat();
        assert_eq!(sent, their_request(0, case.version, id, &client, &request));
        assert_eq!(frame.len(), sent.len());
    });
}

/// A whole request as `kafka-protocol` writes it.
fn their_request<T: Encodable + HeaderVersion>(
    key: i16,
    version: i16,
    id: i32,
    client: &str,
    body: &T,
) -> Vec<u8> {
    let header = RequestHeader::default()
        .with_request_api_key(key)
        .with_request_api_version(version)
        .with_correlation_id(id)
        .with_client_id(Some(text(client)));
    let mut out = BytesMut::new();
    header.encode(&mut out, T::header_version(version)).unwrap();
    body.encode(&mut out, version).unwrap();
    let length = i32::try_from(out.len()).unwrap();
    [&length.to_be_bytes()[..], &out].concat()
}
