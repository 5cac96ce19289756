//! A Schema Registry on loopback, compatible with Confluent's as far as a producer and its consumers need it.
//!
//! Every request is recorded before it is answered, so that a test can see what was sent, credentials included. Faults
//! meet the next requests in the order in which they were ordered. Never compiles a schema.

mod http;
mod store;

use std::collections::VecDeque;
use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::broker::faults::Gate;
use crate::net::{Acceptor, Port, lock, wait_until};
pub use http::HttpRequest;
use http::{HttpResponse, read_request, write_response};
use store::{Answered, Store, error};

/// The type of every answer of the registry's own.
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
/// How much of a huge body is sent at a time, in bytes.
const HUGE_PIECE_BYTES: usize = 8 * 1024;

/// What happens to a request.
#[derive(Debug, Clone)]
pub enum RegistryFault {
    /// Answered with this status and body; nothing is done.
    Status(u16, String),
    /// Answered with 307 and this location; nothing is done.
    Redirect(String),
    /// Done when the gate is opened.
    Hold(Gate),
    /// Never answered; the connection stays open.
    Hang,
    /// The connection is cut without an answer.
    Close,
    /// These bytes are sent instead of an answer, then the connection is cut.
    Garbage(Vec<u8>),
    /// Answered 200 with a body of so many bytes of white space.
    HugeBody(u64),
}

/// How a registry is started.
#[derive(Debug, Clone, Default)]
pub struct RegistrySettings {
    /// 0 takes any free port.
    pub port: u16,
    /// User and password of the basic authentication that every request needs; `None`: none is needed.
    pub credentials: Option<(String, String)>,
}

/// A running registry.
pub struct Registry {
    shared: Arc<Shared>,
    address: SocketAddr,
    acceptor: Acceptor,
}

#[derive(Debug, Default)]
struct Shared {
    /// The only value of `Authorization` that is let in.
    authorization: Option<String>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    store: Store,
    faults: VecDeque<RegistryFault>,
    requests: Vec<HttpRequest>,
}

impl Registry {
    /// Starts a registry without any schema.
    ///
    /// # Errors
    /// The port is taken.
    pub fn start(settings: &RegistrySettings) -> io::Result<Self> {
        let authorization = settings.credentials.as_ref().map(|(user, password)| {
            format!("Basic {}", base64(format!("{user}:{password}").as_bytes()))
        });
        let shared = Arc::new(Shared {
            authorization,
            ..Shared::default()
        });
        let port = Port::reserve(settings.port)?;
        let address = port.address();
        let serving = Arc::clone(&shared);
        let acceptor = Acceptor::new("registry".to_owned(), port, move |stream| {
            // Whatever ended it, the client sees a closed connection and learns no more.
            let _ended = serving.serve(stream);
        });
        acceptor.open()?;
        Ok(Self {
            shared,
            address,
            acceptor,
        })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Refuses connections and cuts those that are open; what is registered stays.
    pub fn stop(&self) {
        self.acceptor.close();
        self.acceptor.drop_connections();
    }

    /// Listens again on the same port.
    ///
    /// # Errors
    /// The port was taken meanwhile, which on Linux cannot be.
    pub fn restart(&self) -> io::Result<()> {
        self.acceptor.open()
    }

    /// Orders a fault for the next so many requests.
    pub fn fail_next(&self, fault: &RegistryFault, times: usize) {
        lock(&self.shared.state)
            .faults
            .extend(std::iter::repeat_n(fault.clone(), times));
    }

    /// Forgets every fault that has not happened yet.
    pub fn clear_faults(&self) {
        lock(&self.shared.state).faults.clear();
    }

    /// All requests so far, in the order in which they came.
    pub fn requests(&self) -> Vec<HttpRequest> {
        lock(&self.shared.state).requests.clone()
    }

    /// The subjects that have a schema.
    pub fn subjects(&self) -> Vec<String> {
        lock(&self.shared.state).store.subjects()
    }

    /// Waits until the requests so far fulfil a condition; returns whether they did in time.
    pub fn wait_for(
        &self,
        mut condition: impl FnMut(&[HttpRequest]) -> bool,
        timeout: Duration,
    ) -> bool {
        let state = lock(&self.shared.state);
        wait_until(state, &self.shared.changed, timeout, |state| {
            condition(&state.requests)
        })
        .1
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut writer = stream.try_clone()?;
        let mut reader = BufReader::new(stream);
        loop {
            let request = match read_request(&mut reader) {
                Ok(Some(request)) => request,
                Ok(None) => return Ok(()),
                Err(problem) if problem.kind() == io::ErrorKind::InvalidData => {
                    let answered = error(400, 400, &format!("Bad request: {problem}"));
                    return write_response(&mut writer, &respond(&answered));
                }
                Err(problem) => return Err(problem),
            };
            let close = request
                .header("connection")
                .is_some_and(|value| value.eq_ignore_ascii_case("close"));
            let fault = {
                let mut state = lock(&self.state);
                state.requests.push(request.clone());
                state.faults.pop_front()
            };
            self.changed.notify_all();
            let go_on = self.answer(&mut reader, &mut writer, &request, fault)?;
            if close || !go_on {
                return Ok(());
            }
        }
    }

    /// Answers a request under its fault; returns whether the connection goes on.
    fn answer(
        &self,
        reader: &mut BufReader<TcpStream>,
        writer: &mut TcpStream,
        request: &HttpRequest,
        fault: Option<RegistryFault>,
    ) -> io::Result<bool> {
        let response = match fault {
            None => respond(&self.act(request)),
            Some(RegistryFault::Hold(gate)) => {
                gate.pass();
                respond(&self.act(request))
            }
            Some(RegistryFault::Status(status, body)) => HttpResponse {
                body: body.into_bytes(),
                ..plain(status)
            },
            Some(RegistryFault::Redirect(location)) => {
                let mut response = plain(307);
                response.headers.push(("Location".to_owned(), location));
                response
            }
            Some(RegistryFault::Hang) => return io::copy(reader, &mut io::sink()).map(|_| false),
            Some(RegistryFault::Close) => return Ok(false),
            Some(RegistryFault::Garbage(bytes)) => return writer.write_all(&bytes).map(|()| false),
            Some(RegistryFault::HugeBody(bytes)) => {
                return write_huge(writer, bytes).map(|()| false);
            }
        };
        write_response(writer, &response).map(|()| true)
    }

    fn act(&self, request: &HttpRequest) -> Answered {
        if self.authorization.is_some()
            && request.header("authorization") != self.authorization.as_deref()
        {
            return error(401, 401, "Unauthorized");
        }
        lock(&self.state).store.answer(request)
    }
}

fn respond((status, body): &Answered) -> HttpResponse {
    let mut response = HttpResponse {
        body: body.to_string().into_bytes(),
        ..plain(*status)
    };
    if *status == 401 {
        response.headers.push((
            "WWW-Authenticate".to_owned(),
            "Basic realm=\"sandbox\"".to_owned(),
        ));
    }
    response
}

fn plain(status: u16) -> HttpResponse {
    let headers = vec![("Content-Type".to_owned(), CONTENT_TYPE.to_owned())];
    HttpResponse {
        status,
        headers,
        body: Vec::new(),
    }
}

fn write_huge(writer: &mut TcpStream, bytes: u64) -> io::Result<()> {
    write!(
        writer,
        "HTTP/1.1 200 OK\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {bytes}\r\n\r\n"
    )?;
    let piece = [b' '; HUGE_PIECE_BYTES];
    let mut left = bytes;
    while left > 0 {
        let now = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(HUGE_PIECE_BYTES);
        writer.write_all(piece.get(..now).unwrap_or_default())?;
        left -= now as u64;
    }
    Ok(())
}

/// RFC 4648 with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let value = (0..3).fold(0_u32, |value, at| {
            value << 8 | group.get(at).copied().map_or(0, u32::from)
        });
        for place in 0..4 {
            let digit = usize::try_from(value >> (18 - 6 * place) & 0x3f).unwrap_or_default();
            let letter = ALPHABET.get(digit).filter(|_| place <= group.len());
            text.push(letter.map_or('=', |&letter| char::from(letter)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_what_the_rfc_says() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, encoded) in vectors {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }
}
