//! `Produce` (0): record batches for partitions that one broker leads.
//!
//! Batches are never copied into the request: [`encode_produce`] writes everything around them and says where each one belongs;
//! the socket gathers the pieces. Never versions 0 to 2, which carry other formats even where a broker offers them, and never
//! 13, which names topics by id.

use std::ops::RangeInclusive;

use super::{ApiKey, Request, encode_header};
use crate::kafka::wire::ErrorCode;
use crate::kafka::wire::codec::{DecodeError, Frame, Reader};

/// The tag of `current_leader` in a partition, and of `node_endpoints` in the response (KIP-951, version 10).
const LEADER_TAG: u32 = 0;

/// Batches of one topic for one broker, without their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProduceRequest<'a> {
    /// −1 all in-sync replicas, 1 the leader, 0 no answer at all.
    pub acks: i16,
    /// How long the broker may wait for replicas.
    pub timeout_ms: i32,
    /// The one topic.
    pub topic: &'a str,
    /// One batch a partition; no partition twice.
    pub partitions: &'a [PartitionBatch],
}

/// Where a batch goes, and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionBatch {
    /// The partition's number in the topic.
    pub index: i32,
    /// Length of the sealed batch.
    pub batch_bytes: usize,
}

/// Appends to `skeleton` a frame without its batches' bytes, which its length counts. `cuts` is cleared and gets, for each
/// partition, the offset in `skeleton` at which its batch belongs.
pub fn encode_produce(
    skeleton: &mut Vec<u8>,
    cuts: &mut Vec<usize>,
    correlation_id: i32,
    client_id: &str,
    version: i16,
    request: &ProduceRequest<'_>,
) {
    cuts.clear();
    let mut frame = Frame::begin(skeleton);
    encode_header::<ProduceRequest<'_>>(&mut frame, correlation_id, client_id, version);
    let mut w = frame.writer(version >= ProduceRequest::FLEXIBLE_SINCE);
    w.null_string(); // transactional_id
    w.i16(request.acks);
    w.i32(request.timeout_ms);
    w.array(&[request], |w, topic| {
        w.string(topic.topic);
        w.array(topic.partitions, |w, partition| {
            w.i32(partition.index);
            w.length(partition.batch_bytes);
            cuts.push(w.position());
            w.no_tagged_fields();
        });
        w.no_tagged_fields();
    });
    w.no_tagged_fields();
    frame.add_absent(
        request
            .partitions
            .iter()
            .map(|partition| partition.batch_bytes)
            .sum(),
    );
}

/// What became of the batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProduceResponse {
    /// How long the broker wants to be left alone.
    pub throttle_time_ms: i32,
    /// As in the request.
    pub topics: Vec<ProducedTopic>,
    /// Addresses of the leaders that partitions name; empty before version 10.
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// What became of a topic's batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducedTopic {
    /// Its name.
    pub name: String,
    /// One for each batch.
    pub partitions: Vec<ProducedPartition>,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducedPartition {
    /// The partition's number in the topic.
    pub index: i32,
    /// See [`ErrorCode::produce_action`].
    pub error: ErrorCode,
    /// The offset of the batch's first record; −1 when unknown.
    pub base_offset: i64,
    /// −1 unless the topic keeps the time of appending.
    pub log_append_time_ms: i64,
    /// The first offset that the partition still has; −1 before version 5.
    pub log_start_offset: i64,
    /// The records at fault, when the broker says so (version 8, KIP-467).
    pub record_errors: Vec<RecordError>,
    /// The broker's own words (version 8, KIP-467).
    pub error_message: Option<String>,
    /// `(leader_id, leader_epoch)` with codes 6 and 74, when the broker knows them (version 10, KIP-951).
    pub current_leader: Option<(i32, i32)>,
}

/// A record that the broker refused, and its batch with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordError {
    /// Its place in the batch.
    pub batch_index: i32,
    /// The broker's own words.
    pub message: Option<String>,
}

/// Where a broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeEndpoint {
    /// Its number in the cluster.
    pub node_id: i32,
    /// As the broker advertises it.
    pub host: String,
    /// As sent: not yet checked to be a TCP port.
    pub port: i32,
}

impl Request for ProduceRequest<'_> {
    const API: ApiKey = ApiKey::Produce;
    const VERSIONS: RangeInclusive<i16> = 3..=12;
    const FLEXIBLE_SINCE: i16 = 9;
    type Response = ProduceResponse;

    fn decode_body(r: &mut Reader<'_>, version: i16) -> Result<ProduceResponse, DecodeError> {
        let topics = r.array("responses", |r| {
            let topic = ProducedTopic {
                name: r.string("topic name")?.to_owned(),
                partitions: r.array("partition_responses", |r| decode_partition(r, version))?,
            };
            r.skip_tagged_fields()?;
            Ok(topic)
        })?;
        let throttle_time_ms = r.i32("throttle_time_ms")?;
        let mut node_endpoints = Vec::new();
        r.tagged_fields(|tag, r| {
            let known = version >= 10 && tag == LEADER_TAG;
            if known {
                node_endpoints = r.array("node_endpoints", decode_endpoint)?;
            }
            Ok(known)
        })?;
        Ok(ProduceResponse {
            throttle_time_ms,
            topics,
            node_endpoints,
        })
    }
}

fn decode_partition(r: &mut Reader<'_>, version: i16) -> Result<ProducedPartition, DecodeError> {
    let mut partition = ProducedPartition {
        index: r.i32("partition index")?,
        error: ErrorCode(r.i16("partition error_code")?),
        base_offset: r.i64("base_offset")?,
        log_append_time_ms: r.i64("log_append_time_ms")?,
        log_start_offset: if version >= 5 {
            r.i64("log_start_offset")?
        } else {
            -1
        },
        record_errors: Vec::new(),
        error_message: None,
        current_leader: None,
    };
    if version >= 8 {
        partition.record_errors = r.array("record_errors", decode_record_error)?;
        partition.error_message = r.nullable_string("error_message")?.map(str::to_owned);
    }
    r.tagged_fields(|tag, r| {
        let known = version >= 10 && tag == LEADER_TAG;
        if known {
            partition.current_leader = decode_leader(r)?;
        }
        Ok(known)
    })?;
    Ok(partition)
}

fn decode_record_error(r: &mut Reader<'_>) -> Result<RecordError, DecodeError> {
    let error = RecordError {
        batch_index: r.i32("batch_index")?,
        message: r
            .nullable_string("batch_index_error_message")?
            .map(str::to_owned),
    };
    r.skip_tagged_fields()?;
    Ok(error)
}

/// −1 says that the broker does not know the leader either.
fn decode_leader(r: &mut Reader<'_>) -> Result<Option<(i32, i32)>, DecodeError> {
    let leader_id = r.i32("leader_id")?;
    let leader_epoch = r.i32("leader_epoch")?;
    r.skip_tagged_fields()?;
    Ok((leader_id >= 0).then_some((leader_id, leader_epoch)))
}

fn decode_endpoint(r: &mut Reader<'_>) -> Result<NodeEndpoint, DecodeError> {
    let endpoint = NodeEndpoint {
        node_id: r.i32("node_id")?,
        host: r.string("host")?.to_owned(),
        port: r.i32("port")?,
    };
    r.nullable_string("rack")?;
    r.skip_tagged_fields()?;
    Ok(endpoint)
}
