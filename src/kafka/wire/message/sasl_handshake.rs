//! `SaslHandshake` (17): names the mechanism by which the client will authenticate (KIP-43).
//!
//! Version 1 alone: after version 0 the mechanism's messages would follow without Kafka's frames around them (KIP-152). Never
//! chooses a mechanism.

use std::ops::RangeInclusive;

use super::{ApiKey, EncodeBody, Request};
use crate::kafka::wire::ErrorCode;
use crate::kafka::wire::codec::{DecodeError, Reader, Writer};

/// Announces a mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaslHandshakeRequest<'a> {
    /// Its registered name, such as `PLAIN`.
    pub mechanism: &'a str,
}

/// Whether the broker will go on with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaslHandshakeResponse {
    /// 33 when the mechanism is not enabled, 34 where the listener knows no SASL, …
    pub error: ErrorCode,
    /// What is enabled.
    pub mechanisms: Vec<String>,
}

impl Request for SaslHandshakeRequest<'_> {
    const API: ApiKey = ApiKey::SaslHandshake;
    const VERSIONS: RangeInclusive<i16> = 1..=1;
    /// Never: this is one past the last version that there is.
    const FLEXIBLE_SINCE: i16 = 2;
    type Response = SaslHandshakeResponse;

    fn decode_body(
        r: &mut Reader<'_>,
        _version: i16,
    ) -> Result<SaslHandshakeResponse, DecodeError> {
        Ok(SaslHandshakeResponse {
            error: ErrorCode(r.i16("error_code")?),
            mechanisms: r.array("mechanisms", |r| r.string("mechanism").map(str::to_owned))?,
        })
    }
}

impl EncodeBody for SaslHandshakeRequest<'_> {
    fn encode_body(&self, w: &mut Writer<'_>, _version: i16) {
        w.string(self.mechanism);
    }
}
