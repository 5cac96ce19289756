//! The APIs and versions that the sandbox speaks, and `ApiVersions`, which tells them.
//!
//! An unsupported `ApiVersions` version is answered with error 35 in version 0 and the whole list (KIP-511); any other
//! unsupported request closes the connection. The client's software name is checked as brokers check it.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};

use super::faults::Ordered;
use super::topics::throttle_ms;
use crate::config::Config;

/// API, lowest version, highest version.
const SUPPORTED: [(ApiKey, i16, i16); 10] = [
    (ApiKey::Produce, 3, 12),
    (ApiKey::Fetch, 4, 12),
    (ApiKey::ListOffsets, 1, 7),
    (ApiKey::Metadata, 1, 12),
    // librdkafka writes lz4 only to brokers that have it.
    (ApiKey::FindCoordinator, 0, 3),
    (ApiKey::ApiVersions, 0, 4),
    (ApiKey::CreateTopics, 2, 7),
    (ApiKey::InitProducerId, 0, 5),
    // Version 0 is advertised, as brokers do and librdkafka wants it, and ends in a violation.
    (ApiKey::SaslHandshake, 0, 1),
    (ApiKey::SaslAuthenticate, 0, 2),
];
/// The version of an answer that says the version was not supported.
pub(crate) const UNSUPPORTED_ANSWER_VERSION: i16 = 0;

/// Whether requests of this version are taken.
pub(crate) fn is_supported(config: &Config, api: ApiKey, version: i16) -> bool {
    supported(config).any(|(key, min, max)| key == api && (min..=max).contains(&version))
}

fn supported(config: &Config) -> impl Iterator<Item = (ApiKey, i16, i16)> {
    SUPPORTED.into_iter().map(|(api, min, max)| {
        let replaced = config.versions.iter().rev().find(|range| range.api == api);
        replaced.map_or((api, min, max), |range| (api, range.min, range.max))
    })
}

/// Answers a version that is supported; the other value is what the client did wrong.
pub(crate) fn answer(
    config: &Config,
    request: &ApiVersionsRequest,
    version: i16,
    ordered: Option<&Ordered>,
) -> (ApiVersionsResponse, Option<String>) {
    if let Some(code) = ordered.and_then(Ordered::whole_error) {
        return (ApiVersionsResponse::default().with_error_code(code), None);
    }
    for text in [
        &request.client_software_name,
        &request.client_software_version,
    ] {
        if version >= 3 && !is_software_name(text) {
            let wrong = format!("client software name or version {:?}", &**text);
            let code = ResponseError::InvalidRequest.code();
            return (
                ApiVersionsResponse::default().with_error_code(code),
                Some(wrong),
            );
        }
    }
    (
        list(config).with_throttle_time_ms(throttle_ms(ordered)),
        None,
    )
}

/// The answer to a version that is not supported, in version 0.
pub(crate) fn unsupported(config: &Config) -> ApiVersionsResponse {
    list(config).with_error_code(ResponseError::UnsupportedVersion.code())
}

fn list(config: &Config) -> ApiVersionsResponse {
    let keys = supported(config).map(|(api, min, max)| {
        ApiVersion::default()
            .with_api_key(api as i16)
            .with_min_version(min)
            .with_max_version(max)
    });
    ApiVersionsResponse::default().with_api_keys(keys.collect())
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`, from Kafka's `ApiVersionsRequest`.
fn is_software_name(text: &str) -> bool {
    let ends = |letter: Option<u8>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
    ends(text.bytes().next())
        && ends(text.bytes().last())
        && text
            .bytes()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == b'-' || letter == b'.')
}
