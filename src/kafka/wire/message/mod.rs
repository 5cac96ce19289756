//! Requests and their responses: one file a pair, each with its API key, versions, and both directions that a client needs.
//!
//! A request type carries its own protocol facts, so that negotiation, encoding and decoding are one function each for all of
//! them. Invariant: every version in [`Request::VERSIONS`] is encoded and decoded exactly as Apache Kafka's message schemas say
//! (tests compare with an independent implementation, byte by byte). Never decides anything about what an answer means.

use std::ops::RangeInclusive;

use super::codec::{DecodeError, Frame, Problem, Reader, Writer};

mod api_versions;
mod create_topics;
mod init_producer_id;
mod metadata;
mod produce;
mod sasl_authenticate;
mod sasl_handshake;

pub use api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
pub use create_topics::{CreateTopicsRequest, CreateTopicsResponse, CreatedTopic};
pub use init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
pub use metadata::{
    MetadataBroker, MetadataPartition, MetadataRequest, MetadataResponse, MetadataTopic, TopicId,
};
pub use produce::{
    NodeEndpoint, PartitionBatch, ProduceRequest, ProduceResponse, ProducedPartition,
    ProducedTopic, RecordError, encode_produce,
};
pub use sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse};
pub use sasl_handshake::{SaslHandshakeRequest, SaslHandshakeResponse};

/// The requests that a producer sends, with their numbers on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApiKey {
    /// Writes record batches.
    Produce = 0,
    /// Brokers, topics, partitions and leaders.
    Metadata = 3,
    /// Names a mechanism to authenticate by.
    SaslHandshake = 17,
    /// Which versions a broker speaks.
    ApiVersions = 18,
    /// Creates topics.
    CreateTopics = 19,
    /// Hands out a producer id.
    InitProducerId = 22,
    /// One step of an authentication.
    SaslAuthenticate = 36,
}

impl ApiKey {
    /// All of them, by their numbers.
    pub const ALL: [ApiKey; 7] = [
        ApiKey::Produce,
        ApiKey::Metadata,
        ApiKey::SaslHandshake,
        ApiKey::ApiVersions,
        ApiKey::CreateTopics,
        ApiKey::InitProducerId,
        ApiKey::SaslAuthenticate,
    ];

    /// The number on the wire.
    pub fn code(self) -> i16 {
        self as i16
    }

    /// The name in Kafka's documentation.
    pub fn name(self) -> &'static str {
        match self {
            ApiKey::Produce => "Produce",
            ApiKey::Metadata => "Metadata",
            ApiKey::SaslHandshake => "SaslHandshake",
            ApiKey::ApiVersions => "ApiVersions",
            ApiKey::CreateTopics => "CreateTopics",
            ApiKey::InitProducerId => "InitProducerId",
            ApiKey::SaslAuthenticate => "SaslAuthenticate",
        }
    }
}

/// What is known of a request without its content.
pub trait Request {
    /// Which request it is.
    const API: ApiKey;
    /// The versions that we speak.
    const VERSIONS: RangeInclusive<i16>;
    /// The first version with compact lengths and tagged fields (KIP-482).
    const FLEXIBLE_SINCE: i16;
    /// What a broker answers.
    type Response;

    /// Reads the answer's body; the header was read before.
    ///
    /// # Errors
    /// Whatever is malformed. Bytes after the body are left in the reader.
    fn decode_body(reader: &mut Reader<'_>, version: i16) -> Result<Self::Response, DecodeError>;
}

/// A request whose bytes all lie in one buffer: every one but Produce, for which see [`encode_produce`].
pub trait EncodeBody: Request {
    /// Writes what follows the header.
    fn encode_body(&self, out: &mut Writer<'_>, version: i16);
}

/// Appends a whole frame to `out`: length, header, body. `version` must be one that was negotiated.
pub fn encode_request<R: EncodeBody>(
    out: &mut Vec<u8>,
    correlation_id: i32,
    client_id: &str,
    version: i16,
    request: &R,
) {
    let mut frame = Frame::begin(out);
    encode_header::<R>(&mut frame, correlation_id, client_id, version);
    request.encode_body(&mut frame.writer(version >= R::FLEXIBLE_SINCE), version);
}

/// Reads an answer from a whole frame (without its length): header, body, and nothing after it.
///
/// # Errors
/// A malformed answer, one that is too long, or one to another request: the connection is not to be used any more.
pub fn decode_response<R: Request>(
    frame: &[u8],
    correlation_id: i32,
    version: i16,
) -> Result<R::Response, DecodeError> {
    let mut reader = Reader::new(frame, false);
    decode_header::<R>(&mut reader, correlation_id, version)
        .and_then(|()| R::decode_body(&mut reader, version))
        .and_then(|response| reader.finish("response").map(|()| response))
        .map_err(|error| error.in_response(R::API.name(), version))
}

/// The highest version that a broker and we both speak.
pub fn negotiate<R: Request>(broker_min: i16, broker_max: i16) -> Option<i16> {
    let version = broker_max.min(*R::VERSIONS.end());
    (version >= broker_min && R::VERSIONS.contains(&version)).then_some(version)
}

/// Request header v1, or v2 in flexible versions. The client id is a classic string in both (KIP-482).
fn encode_header<R: Request>(
    frame: &mut Frame<'_>,
    correlation_id: i32,
    client_id: &str,
    version: i16,
) {
    debug_assert!(
        R::VERSIONS.contains(&version),
        "{} version {version}",
        R::API.name()
    );
    let mut classic = frame.writer(false);
    classic.i16(R::API.code());
    classic.i16(version);
    classic.i32(correlation_id);
    classic.string(client_id);
    frame
        .writer(version >= R::FLEXIBLE_SINCE)
        .no_tagged_fields();
}

/// Response header v0, or v1 in flexible versions; always v0 for `ApiVersions` (KIP-511), which must be readable by a client
/// that does not know yet what the broker speaks. Leaves the reader set for the body.
fn decode_header<R: Request>(
    reader: &mut Reader<'_>,
    expected: i32,
    version: i16,
) -> Result<(), DecodeError> {
    let received = reader.i32("correlation_id")?;
    if received != expected {
        let problem = Problem::WrongCorrelationId { expected, received };
        return Err(reader.error("correlation_id", problem));
    }
    reader.set_flexible(version >= R::FLEXIBLE_SINCE);
    match R::API {
        ApiKey::ApiVersions => Ok(()),
        _ => reader.skip_tagged_fields(),
    }
}
