//! Decoding under a counting allocator. Shared with the fuzz targets.

use continuous_producer::foreign::is_showable;
use continuous_producer::kafka::wire::codec::{DecodeError, ELEMENT_BYTES_MAX};
use continuous_producer::kafka::wire::frame::FRAME_BYTES_MAX;
use continuous_producer::kafka::wire::message::{
    ApiKey, ApiVersionsRequest, CreateTopicsRequest, InitProducerIdRequest, MetadataRequest,
    ProduceRequest, SaslAuthenticateRequest, SaslHandshakeRequest, decode_response,
};

/// An empty topic of a Produce response takes 3 bytes of a frame and 48 of memory, for a moment twice while its array grows.
/// Nothing takes more a byte.
const MEMORY_PER_BYTE_MAX: usize = 2 * 16;
/// However long the frame: what arrays may take, for a moment twice, and as many bytes of strings as came.
const MEMORY_MAX: usize = 2 * ELEMENT_BYTES_MAX + FRAME_BYTES_MAX;
/// An array makes room for a few elements at once.
const MEMORY_AT_LEAST: usize = 1024;
/// One line of a log.
const REASON_BYTES_MAX: usize = 200;

/// Decodes a frame, whoever sent it, and asserts what holds for every frame: no more memory than is due to the bytes that are
/// there, and an error that can be printed as it is.
pub(crate) fn decode(
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    frame: &[u8],
) -> Result<(), DecodeError> {
    let mut outcome = Ok(());
    let allocated = allocation_counter::measure(|| {
        outcome = match api {
            ApiKey::ApiVersions => {
                decode_response::<ApiVersionsRequest>(frame, correlation_id, version).map(drop)
            }
            ApiKey::Metadata => {
                decode_response::<MetadataRequest>(frame, correlation_id, version).map(drop)
            }
            ApiKey::Produce => {
                decode_response::<ProduceRequest>(frame, correlation_id, version).map(drop)
            }
            ApiKey::InitProducerId => {
                decode_response::<InitProducerIdRequest>(frame, correlation_id, version).map(drop)
            }
            ApiKey::CreateTopics => {
                decode_response::<CreateTopicsRequest>(frame, correlation_id, version).map(drop)
            }
            ApiKey::SaslHandshake => {
                decode_response::<SaslHandshakeRequest>(frame, correlation_id, version).map(drop)
            }
            ApiKey::SaslAuthenticate => {
                decode_response::<SaslAuthenticateRequest>(frame, correlation_id, version).map(drop)
            }
        };
    });
    let bytes_max = (MEMORY_PER_BYTE_MAX * frame.len() + MEMORY_AT_LEAST).min(MEMORY_MAX);
    assert!(
        allocated.bytes_max <= bytes_max as u64,
        "{} bytes of memory for {} of {} version {version}",
        allocated.bytes_max,
        frame.len(),
        api.name(),
    );
    if let Err(error) = &outcome {
        let reason = error.to_string();
        assert!(
            reason.len() <= REASON_BYTES_MAX && reason.chars().all(is_showable),
            "{reason:?}"
        );
    }
    outcome
}
