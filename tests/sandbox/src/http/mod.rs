//! An HTTP server on loopback, with or without TLS: what the registry and the token endpoint have in common.
//!
//! Every request is recorded before it is answered, so that a test can see what was sent, credentials included. Faults
//! meet the next requests in the order in which they were ordered. What an answer says is the owner's business.

mod message;

use std::collections::VecDeque;
use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustls::ServerConfig;

use crate::broker::faults::Gate;
use crate::net::{Acceptor, Port, lock, wait_until};
use crate::tls::{Handshake, Stream, Tls};
pub use message::HttpRequest;
pub(crate) use message::{HttpResponse, query_is_true, segments};
use message::{percent_decode, read_request, write_response};

/// How much of a huge body is sent at a time, in bytes.
const HUGE_PIECE_BYTES: usize = 8 * 1024;

/// What happens to a request.
#[derive(Debug, Clone)]
pub enum HttpFault {
    /// Answered with this status and body; nothing is done.
    Status(u16, String),
    /// Answered with 307 and this location; nothing is done.
    Redirect(String),
    /// The same, with this status.
    RedirectAs(u16, String),
    /// Done when the gate is opened.
    Hold(Gate),
    /// Never answered; the connection stays open.
    Hang,
    /// The connection is cut without an answer, in TLS without a `close_notify`.
    Close,
    /// These bytes are sent instead of an answer, then the connection is cut.
    Garbage(Vec<u8>),
    /// Answered 200 with a body of so many bytes of white space.
    HugeBody(u64),
}

/// A running server.
pub(crate) struct HttpServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    acceptor: Acceptor,
}

type Answer = dyn Fn(&HttpRequest) -> HttpResponse + Send + Sync;

struct Shared {
    tls: Option<Arc<ServerConfig>>,
    content_type: &'static str,
    answer: Box<Answer>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    faults: VecDeque<HttpFault>,
    requests: Vec<HttpRequest>,
    handshakes: Vec<Handshake>,
}

impl HttpServer {
    /// Starts a server; `content_type` is that of every answer, ordered or not.
    pub(crate) fn start(
        name: &str,
        port: u16,
        tls: Option<&Tls>,
        content_type: &'static str,
        answer: impl Fn(&HttpRequest) -> HttpResponse + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            tls: tls.map(Tls::server_config).transpose()?,
            content_type,
            answer: Box::new(answer),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let port = Port::reserve(port)?;
        let address = port.address();
        let serving = Arc::clone(&shared);
        let acceptor = Acceptor::new(name.to_owned(), port, move |stream| {
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

    /// Scheme, address and port, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        let scheme = match self.shared.tls {
            None => "http",
            Some(_) => "https",
        };
        format!("{scheme}://{}", self.address)
    }

    pub(crate) fn stop(&self) {
        self.acceptor.close();
        self.acceptor.drop_connections();
    }

    pub(crate) fn restart(&self) -> io::Result<()> {
        self.acceptor.open()
    }

    pub(crate) fn fail_next(&self, fault: &HttpFault, times: usize) {
        lock(&self.shared.state)
            .faults
            .extend(std::iter::repeat_n(fault.clone(), times));
    }

    pub(crate) fn clear_faults(&self) {
        lock(&self.shared.state).faults.clear();
    }

    pub(crate) fn requests(&self) -> Vec<HttpRequest> {
        lock(&self.shared.state).requests.clone()
    }

    pub(crate) fn handshakes(&self) -> Vec<Handshake> {
        lock(&self.shared.state).handshakes.clone()
    }

    pub(crate) fn wait_handshakes(&self, count: usize, timeout: Duration) -> Vec<Handshake> {
        let state = lock(&self.shared.state);
        let enough = |state: &mut State| state.handshakes.len() >= count;
        let waited = wait_until(state, &self.shared.changed, timeout, enough);
        waited.0.handshakes.clone()
    }

    pub(crate) fn wait_for(
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
        let note = |handshake| {
            lock(&self.state).handshakes.push(handshake);
            self.changed.notify_all();
        };
        let Some(stream) = Stream::accept(stream, self.tls.as_ref(), note) else {
            return Ok(());
        };
        let mut stream = BufReader::new(stream);
        while self.serve_one(&mut stream)? {}
        stream.get_mut().close();
        Ok(())
    }

    /// Serves a request; returns whether the connection goes on. If it is cut, that is an error.
    fn serve_one(&self, stream: &mut BufReader<Stream>) -> io::Result<bool> {
        let request = match read_request(stream) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(false),
            Err(problem) if problem.kind() == io::ErrorKind::InvalidData => {
                let body = format!("{{\"error_code\":400,\"message\":\"Bad request: {problem}\"}}");
                let response = HttpResponse::new(400, self.content_type, body);
                return write_response(stream.get_mut(), &response).map(|()| false);
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
        self.answer(stream, &request, fault)?;
        Ok(!close)
    }

    /// Answers a request under its fault.
    fn answer(
        &self,
        stream: &mut BufReader<Stream>,
        request: &HttpRequest,
        fault: Option<HttpFault>,
    ) -> io::Result<()> {
        let cut = || Err(io::ErrorKind::ConnectionAborted.into());
        let empty = |status| HttpResponse::new(status, self.content_type, String::new());
        let response = match fault {
            None => (self.answer)(request),
            Some(HttpFault::Hold(gate)) => {
                gate.pass();
                (self.answer)(request)
            }
            Some(HttpFault::Status(status, body)) => {
                HttpResponse::new(status, self.content_type, body)
            }
            Some(HttpFault::Redirect(location)) => empty(307).with("Location", &location),
            Some(HttpFault::RedirectAs(status, location)) => {
                empty(status).with("Location", &location)
            }
            Some(HttpFault::Hang) => {
                io::copy(stream, &mut io::sink())?;
                return cut();
            }
            Some(HttpFault::Close) => return cut(),
            Some(HttpFault::Garbage(bytes)) => {
                stream.get_mut().write_all(&bytes)?;
                return cut();
            }
            Some(HttpFault::HugeBody(bytes)) => {
                self.write_huge(stream.get_mut(), bytes)?;
                return cut();
            }
        };
        write_response(stream.get_mut(), &response)
    }

    fn write_huge(&self, writer: &mut Stream, bytes: u64) -> io::Result<()> {
        let content_type = self.content_type;
        write!(
            writer,
            "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {bytes}\r\n\r\n"
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
}

/// The pairs of a form (`application/x-www-form-urlencoded`); `None` if it is none.
pub(crate) fn form(text: &str) -> Option<Vec<(String, String)>> {
    let decode = |text: &str| percent_decode(&text.replace('+', " "));
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((decode(name)?, decode(value)?))
        })
        .collect()
}
