//! Just enough HTTP/1.1: requests off a connection, responses onto it, keep-alive.
//!
//! Heads and bodies are bounded; a body comes by `Content-Length` or chunked. A request that cannot be understood ends
//! the connection after a 400. Knows nothing of what is asked.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};

use crate::tls::Stream;

/// The largest head taken, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The most headers taken.
const HEADERS_MAX: usize = 100;
/// The largest body taken, in bytes.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest line that announces a chunk, in bytes.
const CHUNK_LINE_BYTES_MAX: u64 = 256;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST` …
    pub method: String,
    /// Path and query, as they were sent: percent-encoded.
    pub target: String,
    /// Names in lower case, values as they were sent.
    pub headers: Vec<(String, String)>,
    /// The body; empty if there is none.
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A response to be sent.
#[derive(Debug, Clone)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl HttpResponse {
    pub(crate) fn new(status: u16, content_type: &str, body: String) -> Self {
        let response = Self {
            status,
            headers: Vec::new(),
            body: body.into_bytes(),
        };
        response.with("Content-Type", content_type)
    }

    /// With another header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Reads the next request; `None` when the client has closed the connection between two.
pub(crate) fn read_request(from: &mut BufReader<Stream>) -> io::Result<Option<HttpRequest>> {
    let Some(head) = read_head(from)? else {
        return Ok(None);
    };
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed
        .parse(&head)
        .map_err(|error| invalid(&error.to_string()))?;
    let headers: Vec<(String, String)> = parsed
        .headers
        .iter()
        .map(|header| {
            (
                header.name.to_ascii_lowercase(),
                String::from_utf8_lossy(header.value).into_owned(),
            )
        })
        .collect();
    let mut request = HttpRequest {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        headers,
        body: Vec::new(),
    };
    if request
        .header("expect")
        .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    {
        from.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    request.body = read_body(from, &request)?;
    Ok(Some(request))
}

/// Sends a response; the connection stays open.
pub(crate) fn write_response(to: &mut Stream, response: &HttpResponse) -> io::Result<()> {
    let mut head = format!(
        "HTTP/1.1 {} {}\r\n",
        response.status,
        reason(response.status)
    );
    for (name, value) in &response.headers {
        let _infallible = write!(head, "{name}: {value}\r\n");
    }
    let _infallible = write!(head, "Content-Length: {}\r\n\r\n", response.body.len());
    let mut whole = head.into_bytes();
    whole.extend_from_slice(&response.body);
    to.write_all(&whole)
}

/// The path's segments, percent-decoded, without the query.
pub(crate) fn segments(target: &str) -> Option<Vec<String>> {
    let path = target.split('?').next().unwrap_or_default();
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(percent_decode)
        .collect()
}

/// Whether the query has this parameter with the value `true`.
pub(crate) fn query_is_true(target: &str, name: &str) -> bool {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    query
        .split('&')
        .any(|pair| pair.split_once('=') == Some((name, "true")))
}

fn read_head(from: &mut BufReader<Stream>) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    loop {
        let left = (HEAD_BYTES_MAX - head.len()) as u64;
        let read = from.by_ref().take(left).read_until(b'\n', &mut head)?;
        if read == 0 {
            return if head.is_empty() {
                Ok(None)
            } else {
                Err(invalid("the head is cut short or too long"))
            };
        }
        if head.ends_with(b"\r\n\r\n") {
            return Ok(Some(head));
        }
    }
}

fn read_body(from: &mut BufReader<Stream>, request: &HttpRequest) -> io::Result<Vec<u8>> {
    if request
        .header("transfer-encoding")
        .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    {
        return read_chunks(from);
    }
    let length = request.header("content-length").unwrap_or("0");
    let length = length
        .trim()
        .parse()
        .ok()
        .filter(|&length| length <= BODY_BYTES_MAX);
    let mut body = vec![0; length.ok_or_else(|| invalid("Content-Length"))?];
    from.read_exact(&mut body)?;
    Ok(body)
}

fn read_chunks(from: &mut BufReader<Stream>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(from)?;
        let length = line.split(';').next().unwrap_or_default().trim();
        let length = usize::from_str_radix(length, 16).map_err(|_| invalid("chunk length"))?;
        if length > BODY_BYTES_MAX - body.len() {
            return Err(invalid("the body is too large"));
        }
        let start = body.len();
        body.resize(start + length, 0);
        from.read_exact(body.get_mut(start..).unwrap_or_default())?;
        // The line end behind a chunk; behind the last one there may be trailers before it.
        while !read_line(from)?.is_empty() {}
        if length == 0 {
            return Ok(body);
        }
    }
}

fn read_line(from: &mut BufReader<Stream>) -> io::Result<String> {
    let mut line = String::new();
    from.by_ref()
        .take(CHUNK_LINE_BYTES_MAX)
        .read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(invalid("a chunk's line")),
    }
}

pub(crate) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        decoded.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(decoded).ok()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "As Ordered",
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
