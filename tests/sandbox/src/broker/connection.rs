//! One connection of one node: frames in, answers out, one request at a time.
//!
//! A frame's bytes are read into one buffer that is used again for the next frame, and requests are slices of it: a
//! large Produce request is never copied on its way to the checks. A request that cannot be decoded to its last byte,
//! or whose version is not supported, closes the connection, as a broker does. Ordered faults take effect here.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use bytes::{Buf, Bytes};
use kafka_protocol::messages::{ApiKey, RequestHeader};
use kafka_protocol::protocol::Decodable;

use super::faults::{Fault, Ordered};
use super::produce::{self, Produced};
use super::request::{Answer, Head, Request, decode_all_but, frame};
use super::sasl::{Admission, Authenticator};
use super::versions::{self, UNSUPPORTED_ANSWER_VERSION};
use super::{Origin, Shared, fetch, metadata, topics};
use crate::tls::{Handshake, Stream};

/// The largest request: a broker's `socket.request.max.bytes` default.
const REQUEST_BYTES_MAX: usize = 100 * 1024 * 1024;
/// API key, version and correlation id: what every request begins with.
const REQUEST_BYTES_MIN: usize = 8;
/// How a TLS client begins: a handshake record of version 3.x.
const CLIENT_HELLO: [u8; 2] = [0x16, 3];
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
    let note = |handshake| shared.update(|state| state.note_handshake(handshake));
    if let Some(stream) = Stream::accept(stream, shared.tls.as_ref(), note) {
        let sasl = Authenticator::new(shared, origin.node);
        let connection = Connection {
            shared,
            origin,
            stream,
            sasl,
        };
        // Whatever ended it, the client sees a closed connection and learns no more.
        let _ended = connection.run();
    }
    shared.update(|state| {
        if let Some(node) = state.node(origin.node) {
            node.connections -= 1;
        }
    });
}

struct Connection<'a> {
    shared: &'a Shared,
    origin: Origin,
    stream: Stream,
    sasl: Authenticator,
}

/// How a connection goes on after a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Request,
    /// Ends in order: TLS says so too.
    Close,
    /// Ends as if the network had broken.
    Cut,
}

impl Connection<'_> {
    fn run(mut self) -> io::Result<()> {
        let mut buffer = Vec::new();
        loop {
            let length = self.read_frame(&mut buffer)?;
            // The whole buffer becomes shared bytes and comes back below without a copy, once no slice is left.
            let whole = Bytes::from(buffer);
            let next = self.handle(whole.slice(..length))?;
            buffer = Vec::from(whole);
            match next {
                Next::Request => {}
                Next::Close => {
                    self.stream.close();
                    return Ok(());
                }
                Next::Cut => return Ok(()),
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
            if prefix.starts_with(&CLIENT_HELLO) {
                // A mistake in a client's settings, and none of the client.
                self.shared.update(|state| {
                    state.note_handshake(Handshake {
                        error: Some("TLS at a port without it".to_owned()),
                        ..Handshake::default()
                    });
                });
                return Err(io::ErrorKind::InvalidData.into());
            }
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

    /// Handles one request.
    fn handle(&mut self, mut frame: Bytes) -> io::Result<Next> {
        let Some(head) = self.read_head(&mut frame) else {
            return Ok(Next::Close);
        };
        self.shared.update(|state| state.note_request(head.api));
        if head.client_id.is_empty() {
            self.wrong(Some(&head), "no client id");
        }
        if let Some(next) = self.admit(&head)? {
            return Ok(next);
        }
        if !versions::is_supported(&self.shared.config, head.api, head.version) {
            return self.refuse_version(&head);
        }
        let Some(request) = self.decode(&head, frame) else {
            return Ok(Next::Close);
        };
        let partitions = request.partitions();
        let node = self.origin.node;
        let ordered = self
            .shared
            .update(|state| state.faults.take(head.api, node, &partitions));
        self.suffer(&head, &request, ordered.as_ref())
    }

    /// Does a request under its fault.
    fn suffer(
        &mut self,
        head: &Head,
        request: &Request,
        ordered: Option<&Ordered>,
    ) -> io::Result<Next> {
        let fault = ordered.map(|ordered| &ordered.fault);
        match fault {
            Some(Fault::Delay(time)) if !self.shared.pause(self.origin, *time) => {
                return Ok(Next::Cut);
            }
            Some(Fault::HoldRequest(gate)) => gate.pass(),
            Some(Fault::DropBefore) => return Ok(Next::Cut),
            Some(Fault::HangBefore) => return self.hang(),
            Some(Fault::Raw(bytes)) => return self.stream.write_all(bytes).map(|()| Next::Cut),
            Some(Fault::RawBeneathTls(bytes)) => {
                return self.stream.write_beneath(bytes).map(|()| Next::Cut);
            }
            _ => {}
        }
        let (mut frame, last) = match self.answer(head, request, ordered) {
            Answer::Frame(frame) => (frame, false),
            Answer::Last(frame) => (frame, true),
            Answer::Silent => return Ok(Next::Request),
            Answer::Cut => return Ok(Next::Cut),
        };
        match fault {
            Some(Fault::HoldAnswer(gate)) => gate.pass(),
            Some(Fault::DropAfter) => return Ok(Next::Cut),
            Some(Fault::HangAfter) => return self.hang(),
            Some(Fault::Truncate(bytes)) => {
                frame.truncate(*bytes);
                return self.stream.write_all(&frame).map(|()| Next::Cut);
            }
            Some(Fault::Overwrite(from, bytes)) => {
                let places = frame.iter_mut().skip(*from);
                places.zip(bytes).for_each(|(place, byte)| *place = *byte);
            }
            Some(Fault::UpdateKeys) => self.stream.update_keys(),
            _ => {}
        }
        self.stream.write_all(&frame)?;
        Ok(match fault {
            Some(Fault::CloseAfter) => Next::Close,
            _ if last => Next::Close,
            _ => Next::Request,
        })
    }

    /// Whether this API may be spoken now; if not, how the connection ends.
    fn admit(&mut self, head: &Head) -> io::Result<Option<Next>> {
        match self.sasl.admit(head.api) {
            Admission::Pass => return Ok(None),
            Admission::Close(wrong) => {
                if let Some(wrong) = wrong {
                    self.wrong(Some(head), wrong);
                }
                self.shared.update(|state| state.disturbed = true);
            }
            Admission::Illegal(wrong) => {
                self.wrong(Some(head), wrong);
                if let Some(Answer::Frame(frame)) = Authenticator::illegal(head) {
                    self.stream.write_all(&frame)?;
                }
            }
            Admission::Expired => self.shared.update(|state| {
                state.disturbed = true;
                state.expired_sessions += 1;
            }),
        }
        Ok(Some(Next::Close))
    }

    /// Reads and forgets until the client gives up.
    fn hang(&mut self) -> io::Result<Next> {
        io::copy(&mut self.stream, &mut io::sink()).map(|_| Next::Cut)
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

    fn refuse_version(&mut self, head: &Head) -> io::Result<Next> {
        if head.api != ApiKey::ApiVersions {
            self.wrong(Some(head), "the version is not supported");
            return Ok(Next::Close);
        }
        let response = versions::unsupported(&self.shared.config);
        match frame(
            head,
            head.correlation_id,
            UNSUPPORTED_ANSWER_VERSION,
            &response,
        ) {
            Answer::Frame(frame) => self.stream.write_all(&frame).map(|()| Next::Request),
            _ => Ok(Next::Cut),
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

    fn answer(&mut self, head: &Head, request: &Request, ordered: Option<&Ordered>) -> Answer {
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
            Request::SaslHandshake(request) => {
                let verdict = self.sasl.handshake(shared, request, version, ordered);
                wrongs.extend(verdict.wrong.map(str::to_owned));
                verdict.frame(head, id)
            }
            Request::SaslAuthenticate(request) => {
                let verdict = self.sasl.authenticate(shared, request, version, ordered);
                wrongs.extend(verdict.wrong.map(str::to_owned));
                verdict.frame(head, id)
            }
            Request::ApiVersions(request) => {
                let (response, wrong) = versions::answer(&shared.config, request, version, ordered);
                wrongs.extend(wrong);
                let unsupported = kafka_protocol::error::ResponseError::UnsupportedVersion.code();
                let old = response.error_code == unsupported;
                if response.error_code == 0 {
                    self.sasl.versions_told();
                }
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
