//! `CreateTopics` (19): creates one topic with the broker's own defaults for its configuration.
//!
//! Version 4 is the first in which −1 partitions or replicas mean the broker's default (KIP-464). Keeps of the answer what says
//! whether the topic is there now.

use std::ops::RangeInclusive;

use super::{ApiKey, EncodeBody, Request};
use crate::kafka::wire::ErrorCode;
use crate::kafka::wire::codec::{DecodeError, Reader, Writer};

/// The bytes of a topic id (a UUID).
const TOPIC_ID_BYTES: usize = 16;

/// Asks the controller for a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreateTopicsRequest<'a> {
    /// Its name.
    pub topic: &'a str,
    /// At least 1; −1 for the broker's default from version 4 on.
    pub partitions: i32,
    /// As `partitions`.
    pub replication: i16,
    /// How long the broker may take.
    pub timeout_ms: i32,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTopicsResponse {
    /// How long the broker wants to be left alone.
    pub throttle_time_ms: i32,
    /// One for each topic that was asked for.
    pub topics: Vec<CreatedTopic>,
}

/// What became of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its name.
    pub name: String,
    /// 36 when it exists already, 41 when another broker is to be asked, …
    pub error: ErrorCode,
    /// The broker's own words.
    pub error_message: Option<String>,
}

impl Request for CreateTopicsRequest<'_> {
    const API: ApiKey = ApiKey::CreateTopics;
    const VERSIONS: RangeInclusive<i16> = 2..=7;
    const FLEXIBLE_SINCE: i16 = 5;
    type Response = CreateTopicsResponse;

    fn decode_body(r: &mut Reader<'_>, version: i16) -> Result<CreateTopicsResponse, DecodeError> {
        let response = CreateTopicsResponse {
            throttle_time_ms: r.i32("throttle_time_ms")?,
            topics: r.array("topics", |r| decode_topic(r, version))?,
        };
        r.skip_tagged_fields()?;
        Ok(response)
    }
}

fn decode_topic(r: &mut Reader<'_>, version: i16) -> Result<CreatedTopic, DecodeError> {
    let name = r.string("topic name")?.to_owned();
    if version >= 7 {
        r.bytes("topic_id", TOPIC_ID_BYTES)?;
    }
    let topic = CreatedTopic {
        name,
        error: ErrorCode(r.i16("topic error_code")?),
        error_message: r.nullable_string("error_message")?.map(str::to_owned),
    };
    if version >= 5 {
        r.i32("num_partitions")?;
        r.i16("replication_factor")?;
        r.nullable_array("configs", skip_config)?;
    }
    r.skip_tagged_fields()?;
    Ok(topic)
}

fn skip_config(r: &mut Reader<'_>) -> Result<(), DecodeError> {
    r.string("config name")?;
    r.nullable_string("config value")?;
    r.bool("read_only")?;
    r.i8("config_source")?;
    r.bool("is_sensitive")?;
    r.skip_tagged_fields()
}

impl EncodeBody for CreateTopicsRequest<'_> {
    fn encode_body(&self, w: &mut Writer<'_>, _version: i16) {
        w.array(&[self], |w, request| {
            w.string(request.topic);
            w.i32(request.partitions);
            w.i16(request.replication);
            w.length(0); // assignments: the broker's choice
            w.length(0); // configs: the broker's defaults
            w.no_tagged_fields();
        });
        w.i32(self.timeout_ms);
        w.bool(false); // validate_only
        w.no_tagged_fields();
    }
}
