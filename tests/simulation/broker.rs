//! What a broker does with a request.
//!
//! Requests are read and answers written with `kafka-protocol`, so that our codec is not its own witness. A broker acts on its
//! view of the cluster, and the log on the truth: who leads no more, and does not know it yet, writes what nobody will ever see,
//! and answers when it learns better. Injected errors come before the write or after it, as the real ones do.

use bytes::{Bytes, BytesMut};
use continuous_producer::kafka::client::ConnectionId;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, BrokerId, CreateTopicsRequest, CreateTopicsResponse,
    InitProducerIdResponse, MetadataResponse, ProducerId, RequestHeader, ResponseHeader, TopicName,
    api_versions_response::ApiVersion, create_topics_response::CreatableTopicResult,
    metadata_response::*,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use uuid::Uuid;

use crate::network::Answer;
use crate::plan::{CLIENT_ID, TOPIC, one_of};
use crate::world::World;

pub(crate) use crate::produce::Waiting;

/// A request as a broker has it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) connection: ConnectionId,
    pub(crate) node: i32,
    pub(crate) correlation_id: i32,
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn read(connection: ConnectionId, node: i32, bytes: &[u8]) -> Self {
        let (prefix, rest) = bytes.split_first_chunk::<4>().unwrap();
        assert_eq!(u32::from_be_bytes(*prefix) as usize, rest.len());
        let code = |at: usize| i16::from_be_bytes([rest[at], rest[at + 1]]);
        let (api, version) = (ApiKey::try_from(code(0)).unwrap(), code(2));
        let mut body = Bytes::copy_from_slice(rest);
        let header = RequestHeader::decode(&mut body, api.request_header_version(version)).unwrap();
        assert_eq!(header.client_id.as_deref(), Some(CLIENT_ID));
        Self {
            connection,
            node,
            correlation_id: header.correlation_id,
            api,
            version,
            body,
        }
    }

    pub(crate) fn answer(&self, version: i16, body: &impl Encodable) -> Vec<u8> {
        let mut out = BytesMut::new();
        ResponseHeader::default()
            .with_correlation_id(self.correlation_id)
            .encode(&mut out, self.api.response_header_version(version))
            .unwrap();
        body.encode(&mut out, version).unwrap();
        out.to_vec()
    }
}

pub(crate) fn topic_name() -> TopicName {
    TopicName(StrBytes::from_static_str(TOPIC))
}

impl World {
    pub(crate) fn handle(&mut self, connection: ConnectionId, bytes: &[u8]) {
        let node = self.connections[&connection].node;
        let request = Request::read(connection, node, bytes);
        self.note(|| {
            format!(
                "node {node} on #{connection}: {:?} v{} #{}",
                request.api, request.version, request.correlation_id
            )
        });
        if !self.admits(&request) {
            return;
        }
        let frame = match request.api {
            ApiKey::Produce => return self.produce(&request),
            ApiKey::ApiVersions => self.api_versions(&request),
            ApiKey::Metadata => self.metadata(&request),
            ApiKey::InitProducerId => self.producer_id(&request),
            ApiKey::CreateTopics => self.create(&request),
            api => panic!("{api:?} was asked"),
        };
        self.reply(&request, frame);
    }

    pub(crate) fn reply(&mut self, request: &Request, frame: Vec<u8>) {
        let slot = self.owe(request.connection);
        let answer = self.spoil(frame);
        self.pay(request.connection, slot, answer);
    }

    /// What may happen to an answer on its way.
    pub(crate) fn spoil(&mut self, mut frame: Vec<u8>) -> Answer {
        if self.faults.answers_lost > 0 {
            self.faults.answers_lost -= 1;
            self.count("answer lost");
            return if self.rng.bool() {
                Answer::Cut("connection reset before the answer")
            } else {
                Answer::Lost
            };
        }
        if self.faults.answers_spoiled > 0 {
            self.faults.answers_spoiled -= 1;
            self.count("answer spoiled");
            match self.rng.u8(0..4) {
                0 => frame.truncate(self.rng.usize(0..frame.len())),
                1 => frame[self.rng.usize(0..4)] ^= 0x55,
                2 => frame.push(self.rng.u8(..)),
                _ => return Answer::Cut("FIN in the midst of an answer"),
            }
        }
        Answer::Frame(frame)
    }

    fn api_versions(&mut self, request: &Request) -> Vec<u8> {
        let (produce, metadata, producer_id) = self.plan.versions;
        let own_max = if self.plan.judgement.legacy { 2 } else { 4 };
        let ranges = [
            (0, produce),
            (3, metadata),
            (17, 1),
            (18, own_max),
            (19, if self.plan.judgement.legacy { 4 } else { 7 }),
            (22, producer_id),
            (36, if self.plan.judgement.legacy { 0 } else { 2 }),
        ];
        let range = |(key, max): (i16, i16)| {
            ApiVersion::default()
                .with_api_key(key)
                .with_max_version(max)
                .with_min_version(if key == 19 { 2 } else { 0 })
        };
        let all =
            ApiVersionsResponse::default().with_api_keys(ranges.into_iter().map(range).collect());
        if let Some(code) = self.faults.negotiation_codes.pop() {
            self.count("versions answered with an error");
            let error = ApiVersionsResponse::default().with_error_code(code);
            return request.answer(0, &error);
        }
        let refuses = self.faults.negotiations_refused > 0 && request.version > 0;
        if refuses {
            self.faults.negotiations_refused -= 1;
        }
        if request.version > own_max || refuses {
            // Brokers before 2.4 name no version; later ones name those that they take.
            self.count("versions refused");
            let hint = if own_max < 3 || refuses {
                Vec::new()
            } else {
                vec![range((18, own_max))]
            };
            let refusal = ApiVersionsResponse::default()
                .with_error_code(35)
                .with_api_keys(hint);
            return request.answer(0, &refusal);
        }
        request.answer(request.version, &all.with_throttle_time_ms(self.throttle()))
    }

    /// How long the client is asked to be silent.
    pub(crate) fn throttle(&mut self) -> i32 {
        if self.faults.throttled == 0 {
            return 0;
        }
        self.faults.throttled -= 1;
        self.count("throttled");
        one_of(&mut self.rng, &[1, 50, 700, i32::MAX, -1])
    }

    fn metadata(&mut self, request: &Request) -> Vec<u8> {
        let view = std::rc::Rc::clone(&self.cluster.nodes[&request.node].view);
        let trouble = if self.faults.metadata_codes.is_empty() {
            None
        } else {
            self.faults.metadata_codes.pop()
        };
        let broker = |(id, host): &(i32, String)| {
            MetadataResponseBroker::default()
                .with_node_id(BrokerId(*id))
                .with_host(StrBytes::from_string(host.clone()))
                .with_port(9092)
        };
        let leaderless = trouble == Some(5);
        let partition = |(index, &(leader, epoch)): (i32, &(Option<i32>, i32))| {
            let known = leader
                .filter(|leader| !leaderless && view.brokers.iter().any(|(id, _)| id == leader));
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(BrokerId(known.unwrap_or(-1)))
                .with_leader_epoch(epoch)
                .with_error_code(if known.is_some() { 0 } else { 5 })
        };
        let mut topic = MetadataResponseTopic::default().with_name(Some(topic_name()));
        match (view.topic, trouble) {
            (_, Some(code)) if code != 5 => topic = topic.with_error_code(code),
            (None, _) => topic = topic.with_error_code(3),
            (Some(incarnation), _) => {
                let id = self.cluster.topics[incarnation].id;
                topic = topic
                    .with_topic_id(Uuid::from_u128(id))
                    .with_partitions((0..).zip(&view.leaders).map(partition).collect());
            }
        }
        let response = MetadataResponse::default()
            .with_brokers(view.brokers.iter().map(broker).collect())
            .with_controller_id(BrokerId(view.controller))
            .with_topics(vec![topic])
            .with_throttle_time_ms(self.throttle());
        request.answer(request.version, &response)
    }

    fn producer_id(&mut self, request: &Request) -> Vec<u8> {
        let mut response = InitProducerIdResponse::default()
            .with_throttle_time_ms(self.throttle())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        if let Some(code) = self.faults.producer_id_codes.pop() {
            response = response.with_error_code(code);
        } else {
            let id = self.cluster.next_producer_id;
            self.cluster.next_producer_id += 1;
            self.count("producer id given");
            response = response
                .with_producer_id(ProducerId(id))
                .with_producer_epoch(self.plan.first_epoch);
        }
        request.answer(request.version, &response)
    }

    fn create(&mut self, request: &Request) -> Vec<u8> {
        let asked =
            CreateTopicsRequest::decode(&mut request.body.clone(), request.version).unwrap();
        assert_eq!(asked.topics.len(), 1);
        assert_eq!(asked.topics[0].name.as_str(), TOPIC);
        let view = &self.cluster.nodes[&request.node].view;
        let code = if view.controller != request.node {
            41
        } else if self.cluster.current.is_some() {
            36
        } else if self.faults.creation_codes.len() > 1 {
            self.count("topic not created");
            self.faults.creation_codes.pop().unwrap_or(41)
        } else {
            let partitions = asked.topics[0].num_partitions.unsigned_abs() as usize;
            self.cluster.create_topic(partitions);
            self.note(|| "topic created by the client".to_owned());
            self.spread();
            0
        };
        let code = match self.faults.creation_codes.pop() {
            Some(injected) if code == 0 => {
                self.count("topic created, and an error told");
                injected
            }
            _ => code,
        };
        let response = CreateTopicsResponse::default().with_topics(vec![
            CreatableTopicResult::default()
                .with_name(topic_name())
                .with_error_code(code),
        ]);
        request.answer(request.version, &response)
    }
}
