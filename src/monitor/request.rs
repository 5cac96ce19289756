//! What a client asks for: the request line, once the header block that it begins is there.
//!
//! Invariant: at most [`HEAD_BYTES_MAX`] are kept of what a client sends. Headers and bodies mean nothing here: nothing that is
//! asked for depends on them.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Instant;

use httparse::{EMPTY_HEADER, Status};

use super::timed;

/// Longest request line with its header block.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Most headers.
const HEADERS_MAX: usize = 100;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: Method,
    /// Without the query, which means nothing here.
    pub(super) path: String,
}

/// As far as it makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
    Other,
}

/// Why there is no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is not HTTP/1, or ends halfway.
    Bad,
    /// Its header block is longer than any that this server must know.
    TooLarge,
    /// The deadline is over.
    TooLate,
    /// There is nobody left to answer to.
    Gone,
}

/// Waits for a request.
pub(super) fn read(stream: &TcpStream, until: Instant) -> Result<Request, Refused> {
    let mut head = [0; HEAD_BYTES_MAX];
    let mut length = 0;
    loop {
        let room = head.get_mut(length..).unwrap_or_default();
        length += match timed::read(stream, room, until) {
            Ok(0) if length == 0 => return Err(Refused::Gone),
            Ok(0) => return Err(Refused::Bad),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::TimedOut => return Err(Refused::TooLate),
            Err(_) => return Err(Refused::Gone),
        };
        let sent = head.get(..length).unwrap_or_default();
        if let Some(request) = parse(sent)? {
            return Ok(request);
        }
        if length == HEAD_BYTES_MAX {
            return Err(Refused::TooLarge);
        }
    }
}

/// `None`: there is more to come.
fn parse(head: &[u8]) -> Result<Option<Request>, Refused> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(Status::Partial) => return Ok(None),
        Ok(Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Refused::TooLarge),
        Err(_) => return Err(Refused::Bad),
    }
    let (Some(method), Some(target)) = (request.method, request.path) else {
        return Err(Refused::Bad);
    };
    Ok(Some(Request {
        method: match method {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            _ => Method::Other,
        },
        path: path_of(target).to_owned(),
    }))
}

/// Of a target in origin form, or in the absolute form that proxies send (RFC 9112, section 3.2).
fn path_of(target: &str) -> &str {
    let end = target.find(['?', '#']).unwrap_or(target.len());
    let target = target.get(..end).unwrap_or(target);
    let Some(authority) = target.strip_prefix("http://") else {
        return target;
    };
    let path = authority.find('/').and_then(|at| authority.get(at..));
    path.unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_read_in_each_of_its_forms() {
        for (target, path) in [
            ("/", "/"),
            ("/metrics", "/metrics"),
            ("/metrics?name[]=x#y", "/metrics"),
            ("http://127.0.0.1:9187/metrics?x", "/metrics"),
            ("http://localhost?x", "/"),
            ("*", "*"),
        ] {
            assert_eq!(path_of(target), path, "{target}");
        }
    }

    #[test]
    fn a_request_is_complete_with_its_header_block_and_not_before() {
        let whole = b"HEAD /readyz HTTP/1.0\r\nHost: here\r\nX: y\r\n\r\nmore";
        let end = whole.len() - b"more".len();
        for length in 0..end {
            assert_eq!(parse(&whole[..length]), Ok(None), "{length}");
        }
        let request = Request {
            method: Method::Head,
            path: "/readyz".to_owned(),
        };
        for length in end..=whole.len() {
            assert_eq!(parse(&whole[..length]), Ok(Some(request.clone())));
        }
    }

    #[test]
    fn what_is_no_request_is_known_before_its_end() {
        for bad in [
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
            b"GET  / HTTP/1.1\r\n",
            b"GET / HTTP/2.0\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\n",
            b"GET / HTTP/1.1\r\nA: b\0c\r\n",
            b"GET /\r\n\r\n",
        ] {
            assert_eq!(parse(bad), Err(Refused::Bad), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn so_many_headers_are_too_many() {
        let head = |headers| format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(headers));
        assert!(matches!(parse(head(HEADERS_MAX).as_bytes()), Ok(Some(_))));
        let refused = parse(head(HEADERS_MAX + 1).as_bytes());
        assert_eq!(refused, Err(Refused::TooLarge));
    }
}
