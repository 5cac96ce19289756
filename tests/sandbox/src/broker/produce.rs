//! Produce: every partition's batch is checked, judged by its producer's sequence, and appended or refused by itself.
//!
//! Batches are checked before the lock is taken and appended under it, so an answered offset is final. Nothing is
//! appended by a node that is dead or does not lead. With acks 0 there is no answer, and an error cuts the connection
//! (as Kafka's `KafkaApis.handleProduceRequest` does).

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse,
    TopicProduceResponse,
};
use kafka_protocol::messages::{BrokerId, ProduceRequest, ProduceResponse};
use kafka_protocol::protocol::StrBytes;

use super::batch::{self, Header, Refusal};
use super::faults::{Fault, Ordered};
use super::producer_state::Verdict;
use super::state::{NO_LEADER, Refused, State};
use super::topics::throttle_ms;
use super::{Origin, Shared};

/// The acks that exist: none, the leader's, all replicas'.
const ACKS: [i16; 3] = [0, 1, -1];
/// The first version whose answer names the leader after an error 6 (KIP-951).
const CURRENT_LEADER_SINCE: i16 = 10;

/// What becomes of the request.
pub(crate) enum Produced {
    Answer(ProduceResponse),
    /// acks 0, and all went well.
    Silent,
    /// acks 0 and an error, or the node died.
    Cut,
}

/// The partitions that a request names.
pub(crate) fn partitions(request: &ProduceRequest) -> Vec<i32> {
    let partitions = request
        .topic_data
        .iter()
        .flat_map(|topic| &topic.partition_data);
    partitions.map(|partition| partition.index).collect()
}

/// Does a request; what the client did wrong is added to `wrongs`.
pub(crate) fn answer(
    shared: &Shared,
    origin: Origin,
    request: &ProduceRequest,
    version: i16,
    ordered: Option<&Ordered>,
    wrongs: &mut Vec<String>,
) -> Produced {
    examine(request, wrongs);
    let config = &shared.config;
    let mut checked = Vec::new();
    for topic in &request.topic_data {
        for data in &topic.partition_data {
            let batch = data.records.clone().unwrap_or_default();
            let header = batch::check(&batch, version, config.message_bytes_max, config.discard);
            checked.push((&*topic.name, data, batch, header));
        }
    }
    let mut checked = checked.into_iter();
    let answered = shared.update(|state| {
        if !origin.lives(state) {
            return None;
        }
        let append = Append {
            shared,
            origin,
            acks: request.acks,
            version,
            ordered,
        };
        let topics = request.topic_data.iter().map(|topic| {
            let own = checked.by_ref().take(topic.partition_data.len());
            let partitions = own.map(|(name, data, batch, header)| {
                append.partition(state, name, data, &batch, header, wrongs)
            });
            TopicProduceResponse::default()
                .with_name(topic.name.clone())
                .with_partition_responses(partitions.collect())
        });
        let responses: Vec<TopicProduceResponse> = topics.collect();
        let moved = ResponseError::NotLeaderOrFollower.code();
        let mut all = responses
            .iter()
            .flat_map(|topic| &topic.partition_responses);
        let endpoints = if version >= CURRENT_LEADER_SINCE
            && all.any(|partition| partition.error_code == moved)
        {
            endpoints(state, &config.host)
        } else {
            Vec::new()
        };
        Some((responses, endpoints))
    });
    let Some((responses, endpoints)) = answered else {
        return Produced::Cut;
    };
    if request.acks != 0 {
        let response = ProduceResponse::default()
            .with_responses(responses)
            .with_node_endpoints(endpoints);
        return Produced::Answer(response.with_throttle_time_ms(throttle_ms(ordered)));
    }
    let failed = responses
        .iter()
        .flat_map(|topic| &topic.partition_responses)
        .any(|one| one.error_code != 0);
    if failed {
        Produced::Cut
    } else {
        Produced::Silent
    }
}

fn examine(request: &ProduceRequest, wrongs: &mut Vec<String>) {
    if let Some(id) = &request.transactional_id {
        wrongs.push(format!(
            "transactional id {:?}, and nobody began a transaction",
            &***id
        ));
    }
    if !ACKS.contains(&request.acks) {
        wrongs.push(format!("acks {} does not exist", request.acks));
    }
    let mut named = HashSet::new();
    for topic in &request.topic_data {
        for data in &topic.partition_data {
            if !named.insert((&*topic.name, data.index)) {
                wrongs.push(format!(
                    "{}-{} is named twice in one request",
                    &**topic.name, data.index
                ));
            }
        }
    }
    if named.is_empty() {
        wrongs.push("the request names no partition".to_owned());
    }
}

fn endpoints(state: &State, host: &str) -> Vec<NodeEndpoint> {
    let alive = state.nodes.iter().filter(|node| node.alive);
    let endpoint = alive.map(|node| {
        NodeEndpoint::default()
            .with_node_id(BrokerId(node.id))
            .with_host(StrBytes::from_string(host.to_owned()))
            .with_port(i32::from(node.port))
    });
    endpoint.collect()
}

struct Append<'a> {
    shared: &'a Shared,
    origin: Origin,
    acks: i16,
    version: i16,
    ordered: Option<&'a Ordered>,
}

impl Append<'_> {
    fn partition(
        &self,
        state: &mut State,
        topic: &str,
        data: &PartitionProduceData,
        batch: &Bytes,
        header: Result<Header, Refusal>,
        wrongs: &mut Vec<String>,
    ) -> PartitionProduceResponse {
        let response = PartitionProduceResponse::default()
            .with_index(data.index)
            .with_base_offset(-1)
            .with_log_append_time_ms(-1)
            .with_log_start_offset(-1);
        if let Some(code) = self.ordered.and_then(|ordered| ordered.error(data.index)) {
            // A batch may be refused as ordered and be malformed all the same.
            if let Err(refusal) = header
                && refusal.violation
            {
                wrongs.push(format!("{topic}-{}: {}", data.index, refusal.message));
            }
            return self.as_ordered(state, topic, response.with_error_code(code));
        }
        let written =
            header.and_then(|header| self.append(state, topic, data.index, batch, header));
        let refusal = match written {
            Ok((base_offset, log_start_offset)) => {
                let afterwards = self
                    .ordered
                    .and_then(|ordered| ordered.error_afterwards(data.index));
                return match afterwards {
                    Some(code) => response.with_error_code(code),
                    None => response
                        .with_base_offset(base_offset)
                        .with_log_start_offset(log_start_offset),
                };
            }
            Err(refusal) => refusal,
        };
        if refusal.violation {
            wrongs.push(format!("{topic}-{}: {}", data.index, refusal.message));
        }
        state.note_refusal(Refused {
            topic: topic.to_owned(),
            partition: data.index,
            code: refusal.code,
            message: refusal.message.clone(),
        });
        let response = response
            .with_error_code(refusal.code)
            .with_error_message(Some(StrBytes::from_string(refusal.message)));
        self.with_leader(state, topic, response)
    }

    fn as_ordered(
        &self,
        state: &mut State,
        topic: &str,
        mut response: PartitionProduceResponse,
    ) -> PartitionProduceResponse {
        if let Some(Fault::RecordErrors(_, records)) = self.ordered.map(|ordered| &ordered.fault) {
            let errors = records.iter().map(|(index, message)| {
                BatchIndexAndErrorMessage::default()
                    .with_batch_index(*index)
                    .with_batch_index_error_message(Some(StrBytes::from_string(message.clone())))
            });
            response.record_errors = errors.collect();
        }
        self.with_leader(state, topic, response)
    }

    /// An error 6 tells who leads instead, from the version on that can.
    fn with_leader(
        &self,
        state: &mut State,
        topic: &str,
        response: PartitionProduceResponse,
    ) -> PartitionProduceResponse {
        let tells = self.version >= CURRENT_LEADER_SINCE
            && response.error_code == ResponseError::NotLeaderOrFollower.code();
        let Some(partition) = state.partition(topic, response.index).filter(|_| tells) else {
            return response;
        };
        let leader = LeaderIdAndEpoch::default()
            .with_leader_id(BrokerId(partition.leader))
            .with_leader_epoch(partition.leader_epoch);
        response.with_current_leader(leader)
    }

    /// Appends a batch; returns its first offset and the log's.
    fn append(
        &self,
        state: &mut State,
        topic: &str,
        index: i32,
        batch: &Bytes,
        header: Header,
    ) -> Result<(i64, i64), Refusal> {
        let config = &self.shared.config;
        if !ACKS.contains(&self.acks) {
            return Err(Refusal::plain(
                ResponseError::InvalidRequiredAcks.code(),
                format!("acks {}", self.acks),
            ));
        }
        let (disturbed, next_producer_id) = (state.disturbed, state.next_producer_id);
        let partition = state.partition(topic, index).ok_or_else(|| {
            let code = ResponseError::UnknownTopicOrPartition.code();
            Refusal::plain(code, format!("{topic}-{index} does not exist"))
        })?;
        if partition.leader != self.origin.node {
            let code = ResponseError::NotLeaderOrFollower.code();
            let leader = partition.leader;
            let leads = if leader == NO_LEADER {
                "nobody leads".to_owned()
            } else {
                format!("node {leader} leads")
            };
            return Err(Refusal::plain(code, format!("{leads} {topic}-{index}")));
        }
        if let Some(stamp) = header.stamp() {
            if stamp.producer_id >= next_producer_id {
                let message = format!("producer id {} was never handed out", stamp.producer_id);
                return Err(Refusal::violation(
                    ResponseError::InvalidProducerIdMapping,
                    message,
                ));
            }
            match partition.producers.judge(stamp, config.sequences) {
                Verdict::Append => partition
                    .producers
                    .remember(stamp, partition.log.end_offset()),
                Verdict::Duplicate(base_offset) => {
                    return Ok((base_offset, partition.log.start_offset()));
                }
                // In a cluster to which nothing happened, it is the client that lost the order.
                Verdict::Refuse(code, message) => {
                    return Err(Refusal {
                        code,
                        message,
                        violation: !disturbed,
                    });
                }
            }
        }
        if config.discard {
            return Ok((partition.log.count(&header), partition.log.start_offset()));
        }
        let base_offset = partition.log.append(header, batch, partition.leader_epoch);
        if let (Some(limit), Ok(index)) = (config.retention_bytes, usize::try_from(index)) {
            state.keep(&Arc::from(topic), index, batch.len(), limit);
        }
        let partition = state.partition(topic, index);
        let start_offset = partition.map_or(-1, |partition| partition.log.start_offset());
        Ok((base_offset, start_offset))
    }
}
