//! `CreateTopics`, `InitProducerId` and `FindCoordinator`: the small requests that hand something out.
//!
//! A producer id is new each time, whatever the request carries, as Kafka's coordinator does for a producer without a
//! transactional id. There are no groups and no transactions: every coordinator is unavailable.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, CreateTopicsResponse, FindCoordinatorResponse,
    InitProducerIdRequest, InitProducerIdResponse, ProducerId,
};
use kafka_protocol::protocol::StrBytes;

use super::Shared;
use super::faults::{Fault, Ordered};
use super::state::State;

/// The most partitions that a topic may be created with.
const PARTITIONS_MAX: usize = 10_000;
/// The longest name of a topic, in characters.
const TOPIC_NAME_MAX: usize = 249;

pub(crate) fn create(
    shared: &Shared,
    request: &CreateTopicsRequest,
    ordered: Option<&Ordered>,
) -> CreateTopicsResponse {
    let results = shared.update(|state| {
        let each = request
            .topics
            .iter()
            .map(|topic| create_one(state, topic, request.validate_only, ordered));
        each.collect()
    });
    CreateTopicsResponse::default()
        .with_throttle_time_ms(throttle_ms(ordered))
        .with_topics(results)
}

fn create_one(
    state: &mut State,
    topic: &CreatableTopic,
    validate_only: bool,
    ordered: Option<&Ordered>,
) -> CreatableTopicResult {
    let result = CreatableTopicResult::default().with_name(topic.name.clone());
    if let Some(code) = ordered.and_then(Ordered::whole_error) {
        return result
            .with_error_code(code)
            .with_error_message(Some(StrBytes::from_static_str("as ordered")));
    }
    match validate(state, topic) {
        Err((error, message)) => result
            .with_error_code(error.code())
            .with_error_message(Some(StrBytes::from_string(message))),
        Ok((partitions, replicas)) => {
            if !validate_only {
                state.create_topic(&topic.name, partitions);
            }
            let id = state
                .topics
                .get(&**topic.name)
                .map(|topic| topic.id)
                .unwrap_or_default();
            result
                .with_topic_id(id)
                .with_num_partitions(i32::try_from(partitions).unwrap_or(i32::MAX))
                .with_replication_factor(replicas)
        }
    }
}

fn validate(
    state: &State,
    topic: &CreatableTopic,
) -> Result<(usize, i16), (ResponseError, String)> {
    let name: &str = &topic.name;
    let legal = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'_' | b'-');
    let named = (1..=TOPIC_NAME_MAX).contains(&name.len())
        && name.bytes().all(legal)
        && name != "."
        && name != "..";
    if !named {
        return Err((
            ResponseError::InvalidTopicException,
            format!("{name:?} is no name for a topic"),
        ));
    }
    if state.topics.contains_key(name) {
        return Err((
            ResponseError::TopicAlreadyExists,
            format!("Topic '{name}' already exists."),
        ));
    }
    let partitions = match topic.num_partitions {
        -1 => Ok(1),
        count => usize::try_from(count),
    };
    let partitions = partitions
        .ok()
        .filter(|count| (1..=PARTITIONS_MAX).contains(count));
    let partitions = partitions.ok_or_else(|| {
        (
            ResponseError::InvalidPartitions,
            format!("{} partitions", topic.num_partitions),
        )
    })?;
    let nodes = i16::try_from(state.alive().len()).unwrap_or(i16::MAX);
    match topic.replication_factor {
        -1 => Ok((partitions, 1)),
        replicas if (1..=nodes).contains(&replicas) => Ok((partitions, replicas)),
        replicas => Err((
            ResponseError::InvalidReplicationFactor,
            format!("replication factor {replicas} with {nodes} brokers alive"),
        )),
    }
}

/// Hands out a producer id; the other value is what the client did wrong.
pub(crate) fn init_producer_id(
    shared: &Shared,
    request: &InitProducerIdRequest,
    ordered: Option<&Ordered>,
) -> (InitProducerIdResponse, Option<String>) {
    let response = InitProducerIdResponse::default().with_throttle_time_ms(throttle_ms(ordered));
    let refuse = |response: InitProducerIdResponse, code| {
        response
            .with_error_code(code)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    };
    if let Some(code) = ordered.and_then(Ordered::whole_error) {
        return (refuse(response, code), None);
    }
    let half_known = (request.producer_id.0 == -1) != (request.producer_epoch == -1);
    if request.transactional_id.is_some() || half_known {
        let wrong = format!(
            "transactional id {:?}, producer {}, epoch {}",
            request.transactional_id, request.producer_id.0, request.producer_epoch
        );
        return (
            refuse(response, ResponseError::InvalidRequest.code()),
            Some(wrong),
        );
    }
    let id = shared.update(|state| {
        state.next_producer_id += 1;
        state.next_producer_id - 1
    });
    (
        response
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(0),
        None,
    )
}

pub(crate) fn find_coordinator() -> FindCoordinatorResponse {
    FindCoordinatorResponse::default()
        .with_error_code(ResponseError::CoordinatorNotAvailable.code())
        .with_node_id(BrokerId(-1))
        .with_port(-1)
}

pub(crate) fn throttle_ms(ordered: Option<&Ordered>) -> i32 {
    match ordered.map(|ordered| &ordered.fault) {
        Some(Fault::Throttle(ms)) => *ms,
        _ => 0,
    }
}
