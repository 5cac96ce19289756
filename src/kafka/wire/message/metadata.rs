//! `Metadata` (3): the brokers of a cluster, and who leads the partitions of a topic.
//!
//! Keeps what a producer needs (replica lists, racks and permissions are stepped over). Names every topic by name: in requests
//! the ids of versions 10 and later are zero.

use std::ops::RangeInclusive;

use super::{ApiKey, EncodeBody, Request};
use crate::kafka::wire::ErrorCode;
use crate::kafka::wire::codec::{DecodeError, Reader, Writer};

/// The bytes of a topic id (a UUID).
const TOPIC_ID_BYTES: usize = 16;

/// Asks for the brokers and for some topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetadataRequest<'a> {
    /// Topics to describe; none when empty (never "all").
    pub topics: &'a [&'a str],
    /// Whether a broker may create what is missing. Before version 4 the broker alone decides.
    pub allow_auto_topic_creation: bool,
}

/// The cluster as one broker sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataResponse {
    /// How long the broker wants to be left alone; 0 before version 3.
    pub throttle_time_ms: i32,
    /// Every live broker.
    pub brokers: Vec<MetadataBroker>,
    /// None before version 2.
    pub cluster_id: Option<String>,
    /// −1 when there is none.
    pub controller_id: i32,
    /// The topics that were asked for.
    pub topics: Vec<MetadataTopic>,
}

/// A broker's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataBroker {
    /// Its number in the cluster.
    pub node_id: i32,
    /// As the broker advertises it.
    pub host: String,
    /// As sent: not yet checked to be a TCP port.
    pub port: i32,
}

/// What tells a topic from another of the same name, made after the first was deleted (KIP-516).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicId(pub u128);

/// A topic, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataTopic {
    /// 3 when it does not exist, 29 when it must not be seen, …
    pub error: ErrorCode,
    /// Null only in version 12, for a topic that was asked by an id.
    pub name: Option<String>,
    /// None before version 10, and where the broker has none.
    pub id: Option<TopicId>,
    /// In no particular order.
    pub partitions: Vec<MetadataPartition>,
}

/// Who leads a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetadataPartition {
    /// 5 while there is no leader, 9 when a replica is down, …
    pub error: ErrorCode,
    /// Its number in the topic.
    pub index: i32,
    /// −1 when there is none.
    pub leader_id: i32,
    /// −1 before version 7.
    pub leader_epoch: i32,
}

impl Request for MetadataRequest<'_> {
    const API: ApiKey = ApiKey::Metadata;
    const VERSIONS: RangeInclusive<i16> = 1..=12;
    const FLEXIBLE_SINCE: i16 = 9;
    type Response = MetadataResponse;

    fn decode_body(r: &mut Reader<'_>, version: i16) -> Result<MetadataResponse, DecodeError> {
        let response = MetadataResponse {
            throttle_time_ms: if version >= 3 {
                r.i32("throttle_time_ms")?
            } else {
                0
            },
            brokers: r.array("brokers", decode_broker)?,
            cluster_id: if version >= 2 {
                r.nullable_string("cluster_id")?.map(str::to_owned)
            } else {
                None
            },
            controller_id: r.i32("controller_id")?,
            topics: r.array("topics", |r| decode_topic(r, version))?,
        };
        if (8..=10).contains(&version) {
            r.i32("cluster_authorized_operations")?;
        }
        r.skip_tagged_fields()?;
        Ok(response)
    }
}

fn decode_broker(r: &mut Reader<'_>) -> Result<MetadataBroker, DecodeError> {
    let broker = MetadataBroker {
        node_id: r.i32("node_id")?,
        host: r.string("host")?.to_owned(),
        port: r.i32("port")?,
    };
    r.nullable_string("rack")?;
    r.skip_tagged_fields()?;
    Ok(broker)
}

fn decode_topic(r: &mut Reader<'_>, version: i16) -> Result<MetadataTopic, DecodeError> {
    let error = ErrorCode(r.i16("topic error_code")?);
    let name = if version >= 12 {
        r.nullable_string("topic name")?
    } else {
        Some(r.string("topic name")?)
    };
    let id = if version >= 10 {
        let id = r.bytes("topic_id", TOPIC_ID_BYTES)?.try_into();
        id.map_or(0, u128::from_be_bytes)
    } else {
        0
    };
    r.bool("is_internal")?;
    let partitions = r.array("partitions", |r| decode_partition(r, version))?;
    if version >= 8 {
        r.i32("topic_authorized_operations")?;
    }
    r.skip_tagged_fields()?;
    Ok(MetadataTopic {
        error,
        name: name.map(str::to_owned),
        id: (id != 0).then_some(TopicId(id)),
        partitions,
    })
}

fn decode_partition(r: &mut Reader<'_>, version: i16) -> Result<MetadataPartition, DecodeError> {
    let partition = MetadataPartition {
        error: ErrorCode(r.i16("partition error_code")?),
        index: r.i32("partition_index")?,
        leader_id: r.i32("leader_id")?,
        leader_epoch: if version >= 7 {
            r.i32("leader_epoch")?
        } else {
            -1
        },
    };
    r.skip_i32_array("replica_nodes")?;
    r.skip_i32_array("isr_nodes")?;
    if version >= 5 {
        r.skip_i32_array("offline_replicas")?;
    }
    r.skip_tagged_fields()?;
    Ok(partition)
}

impl EncodeBody for MetadataRequest<'_> {
    fn encode_body(&self, w: &mut Writer<'_>, version: i16) {
        w.array(self.topics, |w, topic| {
            if version >= 10 {
                w.raw(&[0; TOPIC_ID_BYTES]);
            }
            w.string(topic);
            w.no_tagged_fields();
        });
        if version >= 4 {
            w.bool(self.allow_auto_topic_creation);
        }
        if (8..=10).contains(&version) {
            w.bool(false); // include_cluster_authorized_operations
        }
        if version >= 8 {
            w.bool(false); // include_topic_authorized_operations
        }
        w.no_tagged_fields();
    }
}
