//! A request off the wire and an answer onto it: what the sandbox can decode, and whole frames.
//!
//! Decoding goes by `kafka-protocol`, whose panics are errors here. Does nothing with what it decodes.

use std::panic::{self, AssertUnwindSafe};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, CreateTopicsRequest, FetchRequest, FindCoordinatorRequest,
    InitProducerIdRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest, ResponseHeader,
    SaslAuthenticateRequest, SaslHandshakeRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable};

use super::produce;

/// A request's header, and where it came from in words.
pub(crate) struct Head {
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: String,
}

/// What goes back.
pub(crate) enum Answer {
    Frame(BytesMut),
    /// A frame, behind which the connection is closed.
    Last(BytesMut),
    Silent,
    Cut,
}

/// A request of an API that the sandbox has.
pub(crate) enum Request {
    Produce(ProduceRequest),
    Fetch(FetchRequest),
    ListOffsets(ListOffsetsRequest),
    Metadata(MetadataRequest),
    FindCoordinator,
    ApiVersions(ApiVersionsRequest),
    CreateTopics(CreateTopicsRequest),
    InitProducerId(InitProducerIdRequest),
    SaslHandshake(SaslHandshakeRequest),
    SaslAuthenticate(SaslAuthenticateRequest),
}

impl Request {
    pub(crate) fn decode(
        api: ApiKey,
        body: &mut Bytes,
        version: i16,
    ) -> Result<Option<Self>, String> {
        let decoded = match api {
            ApiKey::Produce => ProduceRequest::decode(body, version).map(Self::Produce),
            ApiKey::Fetch => FetchRequest::decode(body, version).map(Self::Fetch),
            ApiKey::ListOffsets => ListOffsetsRequest::decode(body, version).map(Self::ListOffsets),
            ApiKey::Metadata => MetadataRequest::decode(body, version).map(Self::Metadata),
            ApiKey::FindCoordinator => {
                FindCoordinatorRequest::decode(body, version).map(|_| Self::FindCoordinator)
            }
            ApiKey::ApiVersions => ApiVersionsRequest::decode(body, version).map(Self::ApiVersions),
            ApiKey::CreateTopics => {
                CreateTopicsRequest::decode(body, version).map(Self::CreateTopics)
            }
            ApiKey::InitProducerId => {
                InitProducerIdRequest::decode(body, version).map(Self::InitProducerId)
            }
            ApiKey::SaslHandshake => {
                SaslHandshakeRequest::decode(body, version).map(Self::SaslHandshake)
            }
            ApiKey::SaslAuthenticate => {
                SaslAuthenticateRequest::decode(body, version).map(Self::SaslAuthenticate)
            }
            _ => return Ok(None),
        };
        decoded.map(Some).map_err(|error| error.to_string())
    }

    pub(crate) fn partitions(&self) -> Vec<i32> {
        match self {
            Self::Produce(request) => produce::partitions(request),
            _ => Vec::new(),
        }
    }
}

/// Decodes; the codec trusts some counts that it should not, and its panics are errors here.
pub(crate) fn decode_all_but<T, E: ToString>(
    bytes: &mut Bytes,
    decode: impl FnOnce(&mut Bytes) -> Result<T, E>,
) -> Result<T, String> {
    match panic::catch_unwind(AssertUnwindSafe(|| decode(bytes))) {
        Ok(decoded) => decoded.map_err(|error| error.to_string()),
        Err(_) => Err("a length or a count beyond all bounds".to_owned()),
    }
}

/// A whole frame; an answer that cannot be encoded in this version is a defect of the sandbox, and cuts.
pub(crate) fn frame(
    head: &Head,
    correlation_id: i32,
    version: i16,
    response: &impl Encodable,
) -> Answer {
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    let header = ResponseHeader::default().with_correlation_id(correlation_id);
    let header_version = head.api.response_header_version(version);
    let encoded = header
        .encode(&mut frame, header_version)
        .and_then(|()| response.encode(&mut frame, version));
    let length = i32::try_from(frame.len() - 4);
    match (encoded, length, frame.get_mut(..4)) {
        (Ok(()), Ok(length), Some(prefix)) => prefix.copy_from_slice(&length.to_be_bytes()),
        (Err(error), ..) => {
            eprintln!(
                "sandbox: {:?} v{version} cannot be answered: {error}",
                head.api
            );
            return Answer::Cut;
        }
        _ => return Answer::Cut,
    }
    Answer::Frame(frame)
}
