//! Metadata: which nodes live, and who leads what.
//!
//! Only living nodes are listed, as brokers do; a partition without a leader carries `LEADER_NOT_AVAILABLE` (5). An
//! unknown topic is an error, unless the configuration and the request both allow creating it.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::Shared;
use super::faults::Ordered;
use super::state::{NO_LEADER, Partition, State, Topic};
use super::topics::throttle_ms;

/// The cluster's id, the same for every sandbox.
const CLUSTER_ID: &str = "sandbox";

pub(crate) fn answer(
    shared: &Shared,
    request: &MetadataRequest,
    version: i16,
    ordered: Option<&Ordered>,
) -> MetadataResponse {
    let may_create = version < 4 || request.allow_auto_topic_creation;
    let creates = shared.config.auto_create_partitions.filter(|_| may_create);
    let wanted = request.topics.as_ref();
    shared.update(|state| {
        let mut topics: Vec<MetadataResponseTopic> = match wanted {
            // Before version 1 an empty list meant all; the sandbox does not speak it.
            None => state
                .topics
                .iter()
                .map(|(name, topic)| describe(name, topic, state))
                .collect(),
            Some(wanted) => {
                let names = wanted
                    .iter()
                    .map(|topic| topic.name.as_ref().map_or("", |name| &***name));
                names.map(|name| find(state, name, creates)).collect()
            }
        };
        if let Some(ordered) = ordered {
            order_errors(&mut topics, ordered);
        }
        let alive = state.alive();
        let brokers = state.nodes.iter().filter(|node| node.alive).map(|node| {
            MetadataResponseBroker::default()
                .with_node_id(BrokerId(node.id))
                .with_host(StrBytes::from_string(shared.config.host.clone()))
                .with_port(i32::from(node.port))
        });
        MetadataResponse::default()
            .with_throttle_time_ms(throttle_ms(ordered))
            .with_brokers(brokers.collect())
            .with_cluster_id(Some(StrBytes::from_static_str(CLUSTER_ID)))
            .with_controller_id(BrokerId(alive.first().copied().unwrap_or(NO_LEADER)))
            .with_topics(topics)
    })
}

fn find(state: &mut State, name: &str, creates: Option<usize>) -> MetadataResponseTopic {
    if let Some(partitions) = creates.filter(|_| !name.is_empty()) {
        state.create_topic(name, partitions);
    }
    match state.topics.get(name) {
        Some(topic) => describe(name, topic, state),
        None => MetadataResponseTopic::default()
            .with_name(Some(topic_name(name)))
            .with_error_code(ResponseError::UnknownTopicOrPartition.code()),
    }
}

fn describe(name: &str, topic: &Topic, state: &State) -> MetadataResponseTopic {
    let partitions = (0..)
        .zip(&topic.partitions)
        .map(|(index, partition)| describe_partition(index, partition, state));
    MetadataResponseTopic::default()
        .with_name(Some(topic_name(name)))
        .with_topic_id(topic.id)
        .with_partitions(partitions.collect())
}

fn describe_partition(
    index: i32,
    partition: &Partition,
    state: &State,
) -> MetadataResponsePartition {
    let ids = |alive_only: bool| {
        let nodes = state
            .nodes
            .iter()
            .filter(move |node| node.alive || !alive_only);
        nodes.map(|node| BrokerId(node.id)).collect::<Vec<_>>()
    };
    let code = if partition.leader == NO_LEADER {
        ResponseError::LeaderNotAvailable.code()
    } else {
        0
    };
    MetadataResponsePartition::default()
        .with_error_code(code)
        .with_partition_index(index)
        .with_leader_id(BrokerId(partition.leader))
        .with_leader_epoch(partition.leader_epoch)
        .with_replica_nodes(ids(false))
        .with_isr_nodes(ids(true))
}

fn order_errors(topics: &mut [MetadataResponseTopic], ordered: &Ordered) {
    for topic in topics {
        if let Some(code) = ordered.whole_error() {
            topic.error_code = code;
            topic.partitions.clear();
        }
        for partition in &mut topic.partitions {
            if let Some(code) = ordered.error(partition.partition_index) {
                partition.error_code = code;
                partition.leader_id = BrokerId(NO_LEADER);
            }
        }
    }
}

pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}
