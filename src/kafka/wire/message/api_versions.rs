//! `ApiVersions` (18): what a broker speaks. The first request on every connection (KIP-35, KIP-511).
//!
//! A broker that does not know the version that was asked answers error 35 in version 0, whatever was asked; since Kafka 2.4
//! with its own range for this API as a hint. Never negotiates: that is the caller's business.

use std::ops::RangeInclusive;

use super::{ApiKey, EncodeBody, Request};
use crate::kafka::wire::ErrorCode;
use crate::kafka::wire::codec::{DecodeError, Reader, Writer};

/// Asks which versions of which requests a broker speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiVersionsRequest<'a> {
    /// Must match `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`, or the broker answers error 42 (KIP-511).
    pub client_software_name: &'a str,
    /// As the name.
    pub client_software_version: &'a str,
}

/// What a broker speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiVersionsResponse {
    /// 35 when the broker does not speak the version of the request.
    pub error: ErrorCode,
    /// A range for each request.
    pub api_versions: Vec<ApiVersion>,
    /// How long the broker wants to be left alone; 0 before version 1.
    pub throttle_time_ms: i32,
}

/// The versions of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiVersion {
    /// A number, because brokers know requests that we don't.
    pub api_key: i16,
    /// The lowest.
    pub min_version: i16,
    /// The highest.
    pub max_version: i16,
}

impl Request for ApiVersionsRequest<'_> {
    const API: ApiKey = ApiKey::ApiVersions;
    const VERSIONS: RangeInclusive<i16> = 0..=4;
    const FLEXIBLE_SINCE: i16 = 3;
    type Response = ApiVersionsResponse;

    fn decode_body(r: &mut Reader<'_>, version: i16) -> Result<ApiVersionsResponse, DecodeError> {
        let error = ErrorCode(r.i16("error_code")?);
        let version = if error == ErrorCode::UNSUPPORTED_VERSION {
            r.set_flexible(false);
            0
        } else {
            version
        };
        let api_versions = r.array("api_keys", |r| {
            let api_version = ApiVersion {
                api_key: r.i16("api_key")?,
                min_version: r.i16("min_version")?,
                max_version: r.i16("max_version")?,
            };
            r.skip_tagged_fields()?;
            Ok(api_version)
        })?;
        let throttle_time_ms = if version >= 1 {
            r.i32("throttle_time_ms")?
        } else {
            0
        };
        r.skip_tagged_fields()?;
        Ok(ApiVersionsResponse {
            error,
            api_versions,
            throttle_time_ms,
        })
    }
}

impl EncodeBody for ApiVersionsRequest<'_> {
    fn encode_body(&self, w: &mut Writer<'_>, version: i16) {
        if version >= 3 {
            w.string(self.client_software_name);
            w.string(self.client_software_version);
            w.no_tagged_fields();
        }
    }
}
