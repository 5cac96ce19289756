//! `InitProducerId` (22): the identity under which an idempotent producer numbers its batches (KIP-98, KIP-360).
//!
//! Never transactional: the transactional id is null, and the transaction timeout, which a broker ignores then, is the largest.

use std::ops::RangeInclusive;

use super::{ApiKey, EncodeBody, Request};
use crate::kafka::wire::ErrorCode;
use crate::kafka::wire::codec::{DecodeError, Reader, Writer};

/// Asks for a producer id; −1 and −1 for a fresh one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InitProducerIdRequest {
    /// The current one, or −1. Not sent before version 3.
    pub producer_id: i64,
    /// The current one, or −1. Not sent before version 3.
    pub producer_epoch: i16,
}

/// A producer id, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InitProducerIdResponse {
    /// How long the broker wants to be left alone.
    pub throttle_time_ms: i32,
    /// 31 when the cluster denies idempotent writes (needed before Kafka 2.8), …
    pub error: ErrorCode,
    /// −1 with an error.
    pub producer_id: i64,
    /// −1 or 0 with an error.
    pub producer_epoch: i16,
}

impl Request for InitProducerIdRequest {
    const API: ApiKey = ApiKey::InitProducerId;
    const VERSIONS: RangeInclusive<i16> = 0..=5;
    const FLEXIBLE_SINCE: i16 = 2;
    type Response = InitProducerIdResponse;

    fn decode_body(
        r: &mut Reader<'_>,
        _version: i16,
    ) -> Result<InitProducerIdResponse, DecodeError> {
        let response = InitProducerIdResponse {
            throttle_time_ms: r.i32("throttle_time_ms")?,
            error: ErrorCode(r.i16("error_code")?),
            producer_id: r.i64("producer_id")?,
            producer_epoch: r.i16("producer_epoch")?,
        };
        r.skip_tagged_fields()?;
        Ok(response)
    }
}

impl EncodeBody for InitProducerIdRequest {
    fn encode_body(&self, w: &mut Writer<'_>, version: i16) {
        w.null_string(); // transactional_id
        w.i32(i32::MAX); // transaction_timeout_ms
        if version >= 3 {
            w.i64(self.producer_id);
            w.i16(self.producer_epoch);
        }
        w.no_tagged_fields();
    }
}
