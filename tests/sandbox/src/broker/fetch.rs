//! Fetch and `ListOffsets`: enough for a consumer that assigns itself partitions, as `kcat -C` does.
//!
//! Only the leader answers. A Fetch without enough data waits under the state's condition until there is some, at most
//! as long as the request says and [`WAIT_MAX`]. There are no fetch sessions (session id 0, KIP-227 allows it).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{
    FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse,
};

use super::faults::Ordered;
use super::state::{Partition, State};
use super::topics::throttle_ms;
use super::{Origin, Shared};

/// The longest that a Fetch waits for data.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// The timestamps that stand for places (`ListOffsetsRequest`).
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
/// The first version of `ListOffsets` that tells the leader epoch.
const LEADER_EPOCH_SINCE: i16 = 4;

pub(crate) fn answer(
    shared: &Shared,
    origin: Origin,
    request: &FetchRequest,
    ordered: Option<&Ordered>,
) -> FetchResponse {
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(WAIT_MAX);
    let enough = usize::try_from(request.min_bytes).unwrap_or(0);
    let mut found = Vec::new();
    shared.wait_for(wait, |state| {
        let (bytes, failed, topics) = read(state, origin, request, ordered);
        found = topics;
        failed || bytes >= enough || !origin.lives(state)
    });
    FetchResponse::default()
        .with_throttle_time_ms(throttle_ms(ordered))
        .with_responses(found)
}

fn read(
    state: &State,
    origin: Origin,
    request: &FetchRequest,
    ordered: Option<&Ordered>,
) -> (usize, bool, Vec<FetchableTopicResponse>) {
    let bytes_max = usize::try_from(request.max_bytes).unwrap_or(0);
    let (mut total, mut failed) = (0, false);
    let mut topics = Vec::new();
    for topic in &request.topics {
        let mut partitions = Vec::new();
        for wanted in &topic.partitions {
            let data = PartitionData::default().with_partition_index(wanted.partition);
            let led = match ordered.and_then(|ordered| ordered.error(wanted.partition)) {
                Some(code) => Err(code),
                None => led(state, origin, &topic.topic, wanted.partition),
            };
            let left = usize::try_from(wanted.partition_max_bytes)
                .unwrap_or(0)
                .min(bytes_max.saturating_sub(total));
            let read =
                led.and_then(|partition| batches(partition, wanted.fetch_offset, left, total == 0));
            partitions.push(match read {
                Err(code) => {
                    failed = true;
                    data.with_error_code(code)
                        .with_high_watermark(-1)
                        .with_records(Some(Bytes::new()))
                }
                Ok((records, partition)) => {
                    total += records.len();
                    data.with_high_watermark(partition.log.end_offset())
                        .with_last_stable_offset(partition.log.end_offset())
                        .with_log_start_offset(partition.log.start_offset())
                        .with_records(Some(records))
                }
            });
        }
        topics.push(
            FetchableTopicResponse::default()
                .with_topic(topic.topic.clone())
                .with_partitions(partitions),
        );
    }
    (total, failed, topics)
}

fn batches(
    partition: &Partition,
    offset: i64,
    left: usize,
    at_least_one: bool,
) -> Result<(Bytes, &Partition), i16> {
    let log = &partition.log;
    if offset < log.start_offset() || offset > log.end_offset() {
        return Err(ResponseError::OffsetOutOfRange.code());
    }
    let mut records = BytesMut::new();
    for batch in log.read(offset, left, at_least_one) {
        records.extend_from_slice(&batch);
    }
    Ok((records.freeze(), partition))
}

fn led<'a>(
    state: &'a State,
    origin: Origin,
    topic: &str,
    index: i32,
) -> Result<&'a Partition, i16> {
    let partition = state
        .topics
        .get(topic)
        .and_then(|topic| topic.partitions.get(usize::try_from(index).ok()?));
    let partition = partition.ok_or(ResponseError::UnknownTopicOrPartition.code())?;
    if partition.leader == origin.node {
        Ok(partition)
    } else {
        Err(ResponseError::NotLeaderOrFollower.code())
    }
}

pub(crate) fn list_offsets(
    shared: &Shared,
    origin: Origin,
    request: &ListOffsetsRequest,
    version: i16,
    ordered: Option<&Ordered>,
) -> ListOffsetsResponse {
    let state = shared.lock();
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| {
            let response = ListOffsetsPartitionResponse::default()
                .with_partition_index(wanted.partition_index);
            if let Some(code) = ordered.and_then(|ordered| ordered.error(wanted.partition_index)) {
                return response.with_error_code(code);
            }
            match led(&state, origin, &topic.name, wanted.partition_index) {
                Err(code) => response.with_error_code(code),
                Ok(partition) => {
                    let (offset, timestamp) = find(partition, wanted.timestamp);
                    response
                        .with_offset(offset)
                        .with_timestamp(timestamp)
                        .with_leader_epoch(
                            // Earlier answers have no place for it.
                            if version >= LEADER_EPOCH_SINCE {
                                partition.leader_epoch
                            } else {
                                -1
                            },
                        )
                }
            }
        });
        ListOffsetsTopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    let topics = topics.collect();
    ListOffsetsResponse::default()
        .with_throttle_time_ms(throttle_ms(ordered))
        .with_topics(topics)
}

fn find(partition: &Partition, timestamp: i64) -> (i64, i64) {
    let log = &partition.log;
    match timestamp {
        LATEST => (log.end_offset(), -1),
        EARLIEST => (log.start_offset(), -1),
        MAX_TIMESTAMP => log
            .max_timestamp()
            .and_then(|largest| log.first_since(largest))
            .unwrap_or((-1, -1)),
        since => log.first_since(since).unwrap_or((-1, -1)),
    }
}
