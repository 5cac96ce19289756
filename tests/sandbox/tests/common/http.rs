//! A bare HTTP client: one request, one answer, with or without TLS.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use sandbox::Registry;
use serde_json::Value;

use super::PATIENCE;

/// The header that every POST to a registry needs.
pub(crate) const TYPE: &str = "Content-Type: application/vnd.schemaregistry.v1+json\r\n";

/// A connection to a server.
pub(crate) struct Http<S = TcpStream>(pub(crate) BufReader<S>);

impl Http {
    pub(crate) fn to(registry: &Registry) -> Self {
        Self::at(&registry.url())
    }

    /// At a URL, of which the path does not matter.
    pub(crate) fn at(url: &str) -> Self {
        let stream = TcpStream::connect(address(url)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }
}

/// The address in a URL.
pub(crate) fn address(url: &str) -> SocketAddr {
    url.split('/').nth(2).unwrap().parse().unwrap()
}

impl<S: Read + Write> Http<S> {
    pub(crate) fn send(&mut self, method: &str, target: &str, headers: &str, body: &str) {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: registry\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
    }

    /// Status, head and body.
    pub(crate) fn receive(&mut self) -> (u16, String, String) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(
                self.0.read_line(&mut head).unwrap(),
                0,
                "cut short: {head:?}"
            );
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head
            .split("Content-Length: ")
            .nth(1)
            .unwrap()
            .split("\r\n")
            .next()
            .unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        (status, head, String::from_utf8(body).unwrap())
    }

    pub(crate) fn get(&mut self, target: &str) -> (u16, Value) {
        self.send("GET", target, "", "");
        let (status, _, body) = self.receive();
        (status, serde_json::from_str(&body).unwrap())
    }

    pub(crate) fn post(&mut self, target: &str, body: &Value) -> (u16, Value) {
        self.send("POST", target, TYPE, &body.to_string());
        let (status, _, body) = self.receive();
        (status, serde_json::from_str(&body).unwrap())
    }

    pub(crate) fn is_closed(&mut self) -> bool {
        self.0.read(&mut [0; 1]).unwrap() == 0
    }
}
