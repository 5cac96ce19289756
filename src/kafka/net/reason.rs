//! The words for why a link failed or ended: one line, with host and port, the system's own words without its error
//! numbers, and nothing that a peer could use to mess up a terminal.
//!
//! Nothing here decides anything; it only phrases.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::tls::TlsFailure;
use crate::foreign::{is_showable, os_words};
use crate::kafka::config::HostPort;

/// A host name may come from a broker's metadata; more than this of it says nothing (RFC 1035 allows 255).
const HOST_CHARS_MAX: usize = 255;
/// So many of the addresses that failed are told of; the others are counted.
const FAILURES_TOLD_MAX: usize = 4;

/// Why a link could not be made, or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reason {
    /// One line.
    pub(super) words: String,
    /// One side does not accept the other's certificate: until something is changed, trying again is no use.
    pub(super) is_refusal: bool,
}

impl From<String> for Reason {
    fn from(words: String) -> Self {
        let is_refusal = false;
        Self { words, is_refusal }
    }
}

/// Who is at the other end, as it is called in reasons.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    name: String,
    /// `host:port`
    at: String,
    host: String,
}

impl Peer {
    pub(super) fn new(name: &str, address: &HostPort) -> Self {
        let host: String = address
            .host
            .chars()
            .filter(|&c| is_showable(c))
            .take(HOST_CHARS_MAX)
            .collect();
        let at = HostPort {
            host: host.clone(),
            port: address.port,
        }
        .to_string();
        Peer {
            name: name.to_owned(),
            at,
            host,
        }
    }

    pub(super) fn cannot_resolve(&self, why: &str) -> String {
        format!("cannot resolve host {}: {why}", self.host)
    }

    /// `failures`: each address that was tried and how that ended; `untried`: how many there was no time for.
    pub(super) fn cannot_connect(
        &self,
        failures: &[(SocketAddr, String)],
        untried: usize,
    ) -> String {
        if let [(address, why)] = failures
            && untried == 0
        {
            return if self.at == address.to_string() {
                format!("connect to {} {why}", self.at)
            } else {
                format!("connect to {} ({}) {why}", self.at, address.ip())
            };
        }
        let mut told: Vec<String> = failures
            .iter()
            .take(FAILURES_TOLD_MAX)
            .map(|(address, why)| format!("{address} {why}"))
            .collect();
        let untold = failures.len().saturating_sub(FAILURES_TOLD_MAX);
        if untold > 0 {
            told.push(format!("{untold} more failed"));
        }
        if untried > 0 {
            told.push(format!("no time left for {untried} more"));
        }
        format!("connect to {} failed: {}", self.at, told.join("; "))
    }

    /// The stream ended where no frame was begun.
    pub(super) fn closed(&self) -> String {
        self.says("closed the connection")
    }

    pub(super) fn closed_in_mid_frame(&self) -> String {
        self.says("closed the connection in the middle of a response")
    }

    /// Reading or writing failed.
    pub(super) fn lost(&self, error: &io::Error) -> Reason {
        if let Some(failure) = TlsFailure::within(error) {
            return Reason {
                words: self.has(&failure.words),
                is_refusal: failure.is_refusal,
            };
        }
        let words = match error.kind() {
            io::ErrorKind::BrokenPipe => self.closed(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
                self.says("reset the connection")
            }
            io::ErrorKind::TimedOut => self.says("does not answer any more"),
            _ => self.has(&format_args!("connection failed: {}", os_words(error))),
        };
        words.into()
    }

    /// What it sent cannot be right.
    pub(super) fn has(&self, what: &dyn Display) -> String {
        format!("{} ({}): {what}", self.name, self.at)
    }

    fn says(&self, what: &str) -> String {
        format!("{} ({}) {what}", self.name, self.at)
    }
}

/// How an attempt at one address ended, to follow the address in a sentence.
pub(super) fn connect_words(error: &io::Error, share: Duration) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refused".to_owned(),
        io::ErrorKind::TimedOut => format!("timed out after {}", seconds(share)),
        _ => format!("failed: {}", os_words(error)),
    }
}

/// Rounded, because a share of what is left of a timeout is never a round number.
pub(super) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(host: &str) -> Peer {
        let address = HostPort {
            host: host.to_owned(),
            port: 9092,
        };
        Peer::new("broker-1", &address)
    }

    fn failure(address: &str, why: &str) -> (SocketAddr, String) {
        (address.parse().unwrap(), why.to_owned())
    }

    #[test]
    fn one_address_makes_a_short_sentence() {
        let refused = failure("127.0.0.1:9092", "refused");
        assert_eq!(
            peer("127.0.0.1").cannot_connect(std::slice::from_ref(&refused), 0),
            "connect to 127.0.0.1:9092 refused"
        );
        assert_eq!(
            peer("localhost").cannot_connect(&[refused], 0),
            "connect to localhost:9092 (127.0.0.1) refused"
        );
    }

    #[test]
    fn many_addresses_are_told_up_to_a_bound() {
        let failures: Vec<_> = (1..=6)
            .map(|n| failure(&format!("10.0.0.{n}:9092"), "refused"))
            .collect();
        assert_eq!(
            peer("kafka.example").cannot_connect(&failures, 3),
            "connect to kafka.example:9092 failed: 10.0.0.1:9092 refused; 10.0.0.2:9092 refused; \
             10.0.0.3:9092 refused; 10.0.0.4:9092 refused; 2 more failed; no time left for 3 more"
        );
    }

    #[test]
    fn the_system_s_words_come_without_its_numbers() {
        let error = io::Error::from_raw_os_error(111);
        assert!(error.to_string().contains("os error"));
        assert!(!os_words(&error).contains("os error"));
        assert!(!os_words(&error).is_empty());
    }

    #[test]
    fn a_host_name_cannot_forge_a_line() {
        let reason = peer("evil\n\u{1b}[31m\u{202e}host").closed();
        assert!(reason.chars().all(is_showable));
        assert!(peer(&"x".repeat(10_000)).closed().len() < 400);
    }

    #[test]
    fn an_ipv6_address_is_bracketed() {
        assert_eq!(
            peer("::1").closed(),
            "broker-1 ([::1]:9092) closed the connection"
        );
    }
}
