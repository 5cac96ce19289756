//! One connection of one node: frames in, answers out, one request at a time.
//!
//! A frame's bytes are read into one buffer that is used again for the next frame, and requests are slices of it: a
//! large Produce request is never copied on its way to the checks. A request that cannot be decoded to its last byte,
//! or whose version is not supported, closes the connection, as a broker does. Ordered faults take effect here.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::panic::{self, AssertUnwindSafe};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, CreateTopicsRequest, FetchRequest, FindCoordinatorRequest,
    InitProducerIdRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest, RequestHeader,
    ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable};

use super::faults::{Fault, Ordered};
use super::produce::{self, Produced};
use super::versions::{self, UNSUPPORTED_ANSWER_VERSION};
use super::{Origin, Shared, fetch, metadata, topics};

/// The largest request: a broker's `socket.request.max.bytes` default.
const REQUEST_BYTES_MAX: usize = 100 * 1024 * 1024;
/// API key, version and correlation id: what every request begins with.
const REQUEST_BYTES_MIN: usize = 8;
/// Makes a correlation id that no request has.
const CORRELATION_ID_FLIP: i32 = 0x5555_5555;

/// Serves a connection until either side ends it.
pub(crate) fn serve(shared: &Shared, node: i32, stream: TcpStream) {
    let origin = shared.update(|state| {
        let node = state.node(node)?;
        node.connections += 1;
        Some(Origin {
            node: node.id,
            generation: node.generation,
        })
    });
    let Some(origin) = origin else { return };
    let _delay = stream.set_nodelay(true);
    let connection = Connection {
        shared,
        origin,
        stream,
    };
    // Whatever ended it, the client sees a closed connection and learns no more.
    let _ended = connection.run();
    shared.update(|state| {
        if let Some(node) = state.node(origin.node) {
            node.connections -= 1;
        }
    });
}

struct Connection<'a> {
    shared: &'a Shared,
    origin: Origin,
    stream: TcpStream,
}

/// A request's header, and where it came from in words.
struct Head {
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    client_id: String,
}

/// What goes back.
enum Answer {
    Frame(BytesMut),
    Silent,
    Cut,
}

impl Connection<'_> {
    fn run(mut self) -> io::Result<()> {
        let mut buffer = Vec::new();
        loop {
            let length = self.read_frame(&mut buffer)?;
            // The whole buffer becomes shared bytes and comes back below without a copy, once no slice is left.
            let whole = Bytes::from(buffer);
            let go_on = self.handle(whole.slice(..length))?;
            buffer = Vec::from(whole);
            if !go_on {
                return Ok(());
            }
        }
    }

    fn read_frame(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let mut prefix = [0; 4];
        self.stream.read_exact(&mut prefix)?;
        let length = i32::from_be_bytes(prefix);
        let in_bounds = usize::try_from(length).ok();
        let in_bounds =
            in_bounds.filter(|length| (REQUEST_BYTES_MIN..=REQUEST_BYTES_MAX).contains(length));
        let Some(length) = in_bounds else {
            self.wrong(None, &format!("a frame of {length} bytes"));
            return Err(io::ErrorKind::InvalidData.into());
        };
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        // `resize` made it long enough.
        let Some(frame) = buffer.get_mut(..length) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        self.stream.read_exact(frame)?;
        Ok(length)
    }

    /// Handles one request; returns whether the connection goes on.
    fn handle(&mut self, mut frame: Bytes) -> io::Result<bool> {
        let Some(head) = self.read_head(&mut frame) else {
            return Ok(false);
        };
        self.shared.update(|state| state.note_request(head.api));
        if head.client_id.is_empty() {
            self.wrong(Some(&head), "no client id");
        }
        if !versions::is_supported(&self.shared.config, head.api, head.version) {
            return self.refuse_version(&head);
        }
        let Some(request) = self.decode(&head, frame) else {
            return Ok(false);
        };
        let partitions = request.partitions();
        let node = self.origin.node;
        let ordered = self
            .shared
            .update(|state| state.faults.take(head.api, node, &partitions));
        self.suffer(&head, &request, ordered.as_ref())
    }

    /// Does a request under its fault; returns whether the connection goes on.
    fn suffer(
        &mut self,
        head: &Head,
        request: &Request,
        ordered: Option<&Ordered>,
    ) -> io::Result<bool> {
        let fault = ordered.map(|ordered| &ordered.fault);
        match fault {
            Some(Fault::Delay(time)) if !self.shared.pause(self.origin, *time) => return Ok(false),
            Some(Fault::HoldRequest(gate)) => gate.pass(),
            Some(Fault::DropBefore) => return Ok(false),
            Some(Fault::HangBefore) => return self.hang(),
            Some(Fault::Raw(bytes)) => return self.stream.write_all(bytes).map(|()| false),
            _ => {}
        }
        let mut frame = match self.answer(head, request, ordered) {
            Answer::Frame(frame) => frame,
            Answer::Silent => return Ok(true),
            Answer::Cut => return Ok(false),
        };
        match fault {
            Some(Fault::HoldAnswer(gate)) => gate.pass(),
            Some(Fault::DropAfter) => return Ok(false),
            Some(Fault::HangAfter) => return self.hang(),
            Some(Fault::Truncate(bytes)) => {
                frame.truncate(*bytes);
                return self.stream.write_all(&frame).map(|()| false);
            }
            Some(Fault::Overwrite(from, bytes)) => {
                let places = frame.iter_mut().skip(*from);
                places.zip(bytes).for_each(|(place, byte)| *place = *byte);
            }
            _ => {}
        }
        self.stream.write_all(&frame).map(|()| true)
    }

    /// Reads and forgets until the client gives up.
    fn hang(&mut self) -> io::Result<bool> {
        io::copy(&mut self.stream, &mut io::sink()).map(|_| false)
    }

    fn read_head(&self, frame: &mut Bytes) -> Option<Head> {
        let mut start = frame.clone();
        let (key, version) = (start.try_get_i16().ok()?, start.try_get_i16().ok()?);
        let Ok(api) = ApiKey::try_from(key) else {
            self.wrong(None, &format!("API key {key} does not exist"));
            return None;
        };
        let header = decode_all_but(frame, |frame| {
            RequestHeader::decode(frame, api.request_header_version(version))
        });
        match header {
            Ok(header) => Some(Head {
                api,
                version,
                correlation_id: header.correlation_id,
                client_id: header
                    .client_id
                    .map(|id| id.to_string())
                    .unwrap_or_default(),
            }),
            Err(error) => {
                self.wrong(
                    None,
                    &format!("malformed header of {api:?} v{version}: {error}"),
                );
                None
            }
        }
    }

    fn refuse_version(&mut self, head: &Head) -> io::Result<bool> {
        if head.api != ApiKey::ApiVersions {
            self.wrong(Some(head), "the version is not supported");
            return Ok(false);
        }
        let response = versions::unsupported(&self.shared.config);
        match frame(
            head,
            head.correlation_id,
            UNSUPPORTED_ANSWER_VERSION,
            &response,
        ) {
            Answer::Frame(frame) => self.stream.write_all(&frame).map(|()| true),
            _ => Ok(false),
        }
    }

    fn decode(&self, head: &Head, mut body: Bytes) -> Option<Request> {
        let decoded = decode_all_but(&mut body, |body| {
            Request::decode(head.api, body, head.version)
        });
        match decoded {
            Ok(Some(request)) if body.is_empty() => return Some(request),
            Ok(Some(_)) => self.wrong(
                Some(head),
                &format!("{} bytes follow the request", body.len()),
            ),
            Ok(None) => self.wrong(Some(head), "the API is not supported"),
            Err(error) => self.wrong(Some(head), &format!("malformed: {error}")),
        }
        None
    }

    fn answer(&self, head: &Head, request: &Request, ordered: Option<&Ordered>) -> Answer {
        let (shared, origin, version) = (self.shared, self.origin, head.version);
        let flip = matches!(
            ordered.map(|ordered| &ordered.fault),
            Some(Fault::WrongCorrelationId)
        );
        let id = if flip {
            head.correlation_id ^ CORRELATION_ID_FLIP
        } else {
            head.correlation_id
        };
        let mut wrongs = Vec::new();
        let answer = match request {
            Request::Produce(request) => {
                match produce::answer(shared, origin, request, version, ordered, &mut wrongs) {
                    Produced::Answer(response) => frame(head, id, version, &response),
                    Produced::Silent => Answer::Silent,
                    Produced::Cut => Answer::Cut,
                }
            }
            Request::Fetch(request) => frame(
                head,
                id,
                version,
                &fetch::answer(shared, origin, request, ordered),
            ),
            Request::ListOffsets(request) => frame(
                head,
                id,
                version,
                &fetch::list_offsets(shared, origin, request, version, ordered),
            ),
            Request::Metadata(request) => frame(
                head,
                id,
                version,
                &metadata::answer(shared, request, version, ordered),
            ),
            Request::CreateTopics(request) => {
                frame(head, id, version, &topics::create(shared, request, ordered))
            }
            Request::FindCoordinator => frame(head, id, version, &topics::find_coordinator()),
            Request::InitProducerId(request) => {
                let (response, wrong) = topics::init_producer_id(shared, request, ordered);
                wrongs.extend(wrong);
                frame(head, id, version, &response)
            }
            Request::ApiVersions(request) => {
                let (response, wrong) = versions::answer(&shared.config, request, version, ordered);
                wrongs.extend(wrong);
                let unsupported = kafka_protocol::error::ResponseError::UnsupportedVersion.code();
                let old = response.error_code == unsupported;
                frame(
                    head,
                    id,
                    if old {
                        UNSUPPORTED_ANSWER_VERSION
                    } else {
                        version
                    },
                    &response,
                )
            }
        };
        for wrong in wrongs {
            self.wrong(Some(head), &wrong);
        }
        answer
    }

    /// Notes what a correct client never does.
    fn wrong(&self, head: Option<&Head>, what: &str) {
        let node = self.origin.node;
        let message = match head {
            Some(Head {
                api,
                version,
                client_id,
                ..
            }) => {
                format!("node {node}, {api:?} v{version} from {client_id:?}: {what}")
            }
            None => format!("node {node}: {what}"),
        };
        self.shared.update(|state| state.note_violation(message));
    }
}

/// A request of an API that the sandbox has.
enum Request {
    Produce(ProduceRequest),
    Fetch(FetchRequest),
    ListOffsets(ListOffsetsRequest),
    Metadata(MetadataRequest),
    FindCoordinator,
    ApiVersions(ApiVersionsRequest),
    CreateTopics(CreateTopicsRequest),
    InitProducerId(InitProducerIdRequest),
}

impl Request {
    fn decode(api: ApiKey, body: &mut Bytes, version: i16) -> Result<Option<Self>, String> {
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
            _ => return Ok(None),
        };
        decoded.map(Some).map_err(|error| error.to_string())
    }

    fn partitions(&self) -> Vec<i32> {
        match self {
            Self::Produce(request) => produce::partitions(request),
            _ => Vec::new(),
        }
    }
}

/// Decodes; the codec trusts some counts that it should not, and its panics are errors here.
fn decode_all_but<T, E: ToString>(
    bytes: &mut Bytes,
    decode: impl FnOnce(&mut Bytes) -> Result<T, E>,
) -> Result<T, String> {
    match panic::catch_unwind(AssertUnwindSafe(|| decode(bytes))) {
        Ok(decoded) => decoded.map_err(|error| error.to_string()),
        Err(_) => Err("a length or a count beyond all bounds".to_owned()),
    }
}

/// A whole frame; an answer that cannot be encoded in this version is a defect of the sandbox, and cuts.
fn frame(head: &Head, correlation_id: i32, version: i16, response: &impl Encodable) -> Answer {
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
