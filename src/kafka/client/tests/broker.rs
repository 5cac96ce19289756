//! The other end of the wire: reads requests and writes answers with `kafka-protocol`, so that our codec is not its own
//! witness. Knows who leads what; has no opinion on when to answer, which is the rig's business.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, BrokerId, CreateTopicsRequest, CreateTopicsResponse,
    InitProducerIdResponse, MetadataResponse, ProduceRequest, ProduceResponse, ProducerId,
    RequestHeader, ResponseHeader, TopicName, api_versions_response::ApiVersion,
    create_topics_response::CreatableTopicResult, metadata_response::*, produce_response::*,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use kafka_protocol::records::{Record, RecordBatchDecoder};

use super::TOPIC;
use super::sasl::server::SaslServer;
use crate::kafka::client::ConnectionId;
use crate::kafka::wire::frame::RequestFrame;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) connection: ConnectionId,
    pub(super) host: String,
    pub(super) correlation_id: i32,
    pub(super) api: ApiKey,
    pub(super) version: i16,
    pub(super) body: Bytes,
}

impl Asked {
    pub(super) fn read(connection: ConnectionId, host: &str, frame: &RequestFrame) -> Self {
        let bytes: Vec<u8> = frame.slices().flatten().copied().collect();
        assert_eq!(bytes.len(), frame.len());
        let (prefix, rest) = bytes.split_first_chunk::<4>().unwrap();
        assert_eq!(u32::from_be_bytes(*prefix) as usize, rest.len());
        let (code, version) = (
            i16::from_be_bytes([rest[0], rest[1]]),
            i16::from_be_bytes([rest[2], rest[3]]),
        );
        let api = ApiKey::try_from(code).unwrap();
        let mut body = Bytes::copy_from_slice(rest);
        let header = RequestHeader::decode(&mut body, api.request_header_version(version)).unwrap();
        assert_eq!(header.correlation_id, frame.correlation_id);
        assert_eq!(header.client_id.as_deref(), Some("a-client"));
        Self {
            connection,
            host: host.to_owned(),
            correlation_id: header.correlation_id,
            api,
            version,
            body,
        }
    }

    /// The frame, without its length, that answers with `body`.
    pub(super) fn answer_with(&self, version: i16, body: &impl Encodable) -> Vec<u8> {
        let mut out = BytesMut::new();
        ResponseHeader::default()
            .with_correlation_id(self.correlation_id)
            .encode(&mut out, self.api.response_header_version(version))
            .unwrap();
        body.encode(&mut out, version).unwrap();
        out.to_vec()
    }

    /// The batches of a Produce request.
    pub(super) fn batches(&self) -> Vec<SentBatch> {
        let request = ProduceRequest::decode(&mut self.body.clone(), self.version).unwrap();
        assert_eq!(request.transactional_id, None);
        assert_eq!(request.topic_data.len(), 1);
        assert_eq!(request.topic_data[0].name.as_str(), TOPIC);
        let partitions = request
            .topic_data
            .into_iter()
            .flat_map(|t| t.partition_data);
        let batches: Vec<SentBatch> = partitions
            .map(|partition| SentBatch::read(partition.index, partition.records.unwrap()))
            .collect();
        for (n, batch) in batches.iter().enumerate() {
            assert!(
                batches[..n].iter().all(|b| b.partition != batch.partition),
                "two batches of a partition in one request"
            );
        }
        batches
    }

    /// The one batch of a Produce request.
    pub(super) fn batch(&self) -> SentBatch {
        let mut batches = self.batches();
        assert_eq!(batches.len(), 1);
        batches.remove(0)
    }

    pub(super) fn acks(&self) -> i16 {
        ProduceRequest::decode(&mut self.body.clone(), self.version)
            .unwrap()
            .acks
    }

    /// Answers each batch with what `code` says of its partition.
    pub(super) fn produced(&self, code: impl Fn(i32) -> i16) -> ProduceResponse {
        let partitions = self.batches().into_iter().map(|batch| {
            PartitionProduceResponse::default()
                .with_index(batch.partition)
                .with_error_code(code(batch.partition))
                .with_base_offset(0)
        });
        ProduceResponse::default().with_responses(vec![
            TopicProduceResponse::default()
                .with_name(topic_name())
                .with_partition_responses(partitions.collect()),
        ])
    }
}

/// A batch as it arrived, its checksum verified.
#[derive(Debug, Clone)]
pub(super) struct SentBatch {
    pub(super) partition: i32,
    pub(super) bytes: Bytes,
    pub(super) records: Vec<Record>,
}

impl SentBatch {
    fn read(partition: i32, bytes: Bytes) -> Self {
        let records = RecordBatchDecoder::decode(&mut bytes.clone())
            .unwrap()
            .records;
        assert!(!records.is_empty());
        Self {
            partition,
            bytes,
            records,
        }
    }

    /// `(producer id, epoch, first sequence)`
    pub(super) fn stamp(&self) -> (i64, i16, i32) {
        let first = &self.records[0];
        (first.producer_id, first.producer_epoch, first.sequence)
    }

    pub(super) fn values(&self) -> Vec<String> {
        let value =
            |record: &Record| String::from_utf8(record.value.as_ref().unwrap().to_vec()).unwrap();
        self.records.iter().map(value).collect()
    }
}

pub(super) fn topic_name() -> TopicName {
    TopicName(StrBytes::from_static_str(TOPIC))
}

/// Writes the answer to a request; `None`: it is never answered.
pub(super) type Reply = Box<dyn FnOnce(&Asked) -> Option<Vec<u8>>>;

/// What all brokers agree on. Broker *n* is at host `broker-n`; every other host is a door to the same cluster.
pub(super) struct FakeCluster {
    pub(super) versions: BTreeMap<i16, (i16, i16)>,
    pub(super) brokers: Vec<i32>,
    /// Brokers that are elsewhere than at `broker-n`.
    pub(super) moved: BTreeMap<i32, &'static str>,
    /// The leader of each partition; −1 for none.
    pub(super) leaders: Vec<i32>,
    pub(super) leader_epoch: i32,
    /// Told from Metadata version 10 on.
    pub(super) topic_id: u128,
    pub(super) topic_error: i16,
    pub(super) controller: i32,
    pub(super) producer: (i64, i16),
    /// What comes before the ordinary answers.
    pub(super) replies: BTreeMap<i16, VecDeque<Reply>>,
    pub(super) creation_code: i16,
    pub(super) producer_id_error: i16,
    /// Who demands to know who asks.
    pub(super) sasl: Option<SaslServer>,
}

impl FakeCluster {
    /// `brokers` brokers, numbered from 1; `partitions` partitions, led by them in turn.
    pub(super) fn new(brokers: i32, partitions: i32) -> Self {
        let versions = [
            (0, (0, 12)),
            (3, (0, 13)),
            (17, (0, 1)),
            (18, (0, 4)),
            (19, (2, 7)),
            (22, (0, 5)),
            (36, (0, 2)),
        ];
        Self {
            versions: versions.into(),
            brokers: (1..=brokers).collect(),
            moved: BTreeMap::new(),
            leaders: (0..partitions).map(|p| p % brokers + 1).collect(),
            leader_epoch: 7,
            topic_id: 1,
            topic_error: 0,
            controller: 1,
            producer: (1000, 0),
            replies: BTreeMap::new(),
            creation_code: 0,
            producer_id_error: 0,
            sasl: None,
        }
    }

    /// The next request of this kind gets this answer.
    pub(super) fn script(
        &mut self,
        api: ApiKey,
        reply: impl FnOnce(&Asked) -> Option<Vec<u8>> + 'static,
    ) {
        let replies = self.replies.entry(api as i16).or_default();
        replies.push_back(Box::new(reply));
    }

    pub(super) fn answer(&mut self, asked: &Asked) -> Option<Vec<u8>> {
        let scripted = self.replies.get_mut(&(asked.api as i16));
        if let Some(reply) = scripted.and_then(VecDeque::pop_front) {
            return reply(asked);
        }
        let version = asked.version;
        Some(match asked.api {
            ApiKey::ApiVersions => asked.answer_with(version, &self.api_versions()),
            ApiKey::Metadata => {
                let mut response = self.metadata();
                if version >= 10 {
                    response.topics[0].topic_id =
                        format!("{:032x}", self.topic_id).parse().unwrap();
                }
                asked.answer_with(version, &response)
            }
            ApiKey::InitProducerId => asked.answer_with(version, &self.producer_id()),
            ApiKey::CreateTopics => asked.answer_with(version, &self.create_topic(asked)),
            ApiKey::SaslHandshake | ApiKey::SaslAuthenticate => {
                self.sasl.as_mut().unwrap().answer(asked)
            }
            api => panic!("{api:?} is not asked of the cluster"),
        })
    }

    pub(super) fn api_versions(&self) -> ApiVersionsResponse {
        let range = |(&key, &(min, max)): (&i16, &(i16, i16))| {
            ApiVersion::default()
                .with_api_key(key)
                .with_min_version(min)
                .with_max_version(max)
        };
        ApiVersionsResponse::default().with_api_keys(self.versions.iter().map(range).collect())
    }

    pub(super) fn metadata(&self) -> MetadataResponse {
        let broker = |&id: &i32| {
            let host = match self.moved.get(&id) {
                Some(&host) => StrBytes::from_static_str(host),
                None => StrBytes::from_string(format!("broker-{id}")),
            };
            MetadataResponseBroker::default()
                .with_node_id(BrokerId(id))
                .with_host(host)
                .with_port(9092)
        };
        let partition = |(index, &leader): (i32, &i32)| {
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(BrokerId(leader))
                .with_leader_epoch(self.leader_epoch)
                .with_error_code(if leader < 0 { 5 } else { 0 })
        };
        let partitions = match self.topic_error {
            0 => (0..).zip(&self.leaders).map(partition).collect(),
            _ => Vec::new(),
        };
        MetadataResponse::default()
            .with_brokers(self.brokers.iter().map(broker).collect())
            .with_controller_id(BrokerId(self.controller))
            .with_topics(vec![
                MetadataResponseTopic::default()
                    .with_name(Some(topic_name()))
                    .with_error_code(self.topic_error)
                    .with_partitions(partitions),
            ])
    }

    fn producer_id(&mut self) -> InitProducerIdResponse {
        if self.producer_id_error != 0 {
            return InitProducerIdResponse::default().with_error_code(self.producer_id_error);
        }
        let (id, epoch) = self.producer;
        self.producer = (id + 1, 0);
        InitProducerIdResponse::default()
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(epoch)
    }

    fn create_topic(&mut self, asked: &Asked) -> CreateTopicsResponse {
        assert_eq!(asked.host, format!("broker-{}", self.controller));
        let request = CreateTopicsRequest::decode(&mut asked.body.clone(), asked.version).unwrap();
        assert_eq!(request.topics.len(), 1);
        let topic = &request.topics[0];
        if self.creation_code == 0 {
            assert_eq!(topic.name.as_str(), TOPIC);
            self.topic_error = 0;
            self.leaders = vec![1; usize::try_from(topic.num_partitions).unwrap()];
        }
        CreateTopicsResponse::default().with_topics(vec![
            CreatableTopicResult::default()
                .with_name(topic.name.clone())
                .with_error_code(self.creation_code)
                .with_error_message(
                    (self.creation_code != 0).then(|| StrBytes::from_static_str("no, thanks")),
                ),
        ])
    }
}
