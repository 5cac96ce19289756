//! Broker addresses: `host:port,host:port`, IPv6 as `[::1]:9092`, port 9092 where none is given; and the address to listen on,
//! of the same form.
//!
//! Invariant: an accepted host is an IPv6 address or a name of letters, digits, `.`, `-` and `_`; a port is 1 to 65535, and to
//! listen on also 0.
//! Nothing here resolves a name.

use std::net::{IpAddr, Ipv6Addr};

use super::problem::Problem;
use crate::host_names;
use crate::kafka::config::HostPort;

/// Kafka's usual port.
pub const KAFKA_PORT: u16 = 9092;

/// The port to listen on where none is given.
pub const LISTEN_PORT: u16 = 9400;

/// All interfaces.
const ANY_HOST: &str = "0.0.0.0";

/// Most bootstrap servers that are accepted.
pub const SERVERS_MAX: usize = 64;

/// Longest host name (RFC 1035).
const HOST_BYTES_MAX: usize = 253;

/// Parses a comma-separated list; empty places in it are skipped, as Kafka's own client does, and repeats are dropped.
///
/// # Errors
/// A place is no address, none is left, or there are more than [`SERVERS_MAX`].
pub fn parse_list(text: &str) -> Result<Vec<HostPort>, Problem> {
    let mut servers = Vec::new();
    for place in text
        .split(',')
        .map(str::trim)
        .filter(|place| !place.is_empty())
    {
        let server = parse_one(place).map_err(|problem| match problem.suggestion {
            Some(meant) if !text.contains('@') => {
                Problem::new(problem.what).suggest(text.trim().replacen(place, &meant, 1))
            }
            _ => Problem::new(problem.what),
        })?;
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    if servers.is_empty() {
        return Err(Problem::new("names no server"));
    }
    if servers.len() > SERVERS_MAX {
        return Err(Problem::new(format!("more than {SERVERS_MAX} servers")));
    }
    Ok(servers)
}

/// Parses `host`, `host:port`, `[v6]` or `[v6]:port`.
///
/// # Errors
/// Not such an address; the usual slips (a scheme, a path, bare IPv6) are named.
pub fn parse_one(text: &str) -> Result<HostPort, Problem> {
    if let Some((_, rest)) = text.split_once("://") {
        return Err(
            Problem::new("a scheme does not belong here (see KAFKA_SECURITY_PROTOCOL)")
                .suggest(rest.trim_end_matches('/')),
        );
    }
    let (host, port) = split_port(text)?;
    Ok(HostPort {
        host: parse_host(host)?,
        port: port.map_or(Ok(KAFKA_PORT), parse_port)?,
    })
}

/// Parses an address to listen on, as [`parse_one`] does; port 0 stands for any that is free.
///
/// # Errors
/// Not such an address. Neither is `:9400`, for on which interfaces a service can be reached should be said and not guessed.
pub fn parse_listen(text: &str) -> Result<HostPort, Problem> {
    if let Some((_, rest)) = text.split_once("://") {
        return Err(
            Problem::new("a scheme does not belong here").suggest(rest.trim_end_matches('/'))
        );
    }
    if text.starts_with('/') || text.starts_with("unix:") {
        return Err(Problem::new(
            "a socket in the file system cannot be listened on, only host:port",
        ));
    }
    if let Some((address, _)) = text.split_once('/') {
        return Err(Problem::new("a path does not belong here").suggest(address));
    }
    let (host, port) = split_port(text)?;
    let port = match port {
        None => LISTEN_PORT,
        Some("0") => 0,
        Some(port) => {
            parse_port(port).map_err(|_| Problem::new("a port is a number from 0 to 65535"))?
        }
    };
    let named = match host {
        "" | "*" => {
            let meant = format!("{ANY_HOST}:{port}");
            return Err(Problem::new("no host; all interfaces are 0.0.0.0, or [::]").suggest(meant));
        }
        host => parse_host(host)?,
    };
    // A number alone is a port and no host.
    match host.parse::<u16>() {
        Ok(port) if port > 0 => {
            let meant = format!("127.0.0.1:{port}");
            Err(Problem::new("a port without a host").suggest(meant))
        }
        _ => Ok(HostPort { host: named, port }),
    }
}

/// The host (IPv6 still in brackets) and what follows the colon, if one does.
pub(super) fn split_port(text: &str) -> Result<(&str, Option<&str>), Problem> {
    if text.starts_with('[') {
        let Some(end) = text.find(']') else {
            return Err(Problem::new("the bracket is not closed"));
        };
        let (host, rest) = text.split_at_checked(end + 1).unwrap_or((text, ""));
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(Problem::new("text after the bracket")),
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(
            Problem::new("an IPv6 address belongs in brackets").suggest(format!("[{text}]"))
        );
    }
    match text.split_once(':') {
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text, None)),
    }
}

/// A name, an IPv4 address, or an IPv6 address in brackets (which are dropped; a zone such as `%eth0` is kept).
pub(super) fn parse_host(text: &str) -> Result<String, Problem> {
    if let Some(address) = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        let (ip, zone) = address.split_once('%').unwrap_or((address, "0"));
        let zone_fits = !zone.is_empty()
            && zone
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        return match ip.parse::<Ipv6Addr>() {
            Ok(_) if zone_fits => Ok(address.to_owned()),
            _ => Err(Problem::new("no IPv6 address between the brackets")),
        };
    }
    if text.is_empty() {
        return Err(Problem::new("no host"));
    }
    if text.len() > HOST_BYTES_MAX {
        return Err(Problem::new(format!(
            "a host name longer than {HOST_BYTES_MAX} characters"
        )));
    }
    match text
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '_'))
    {
        Some('@') => Err(Problem::new("a user does not belong here")),
        Some('/') => Err(Problem::new("a path does not belong here")),
        Some(bad) => Err(Problem::new(format!(
            "a host name with the character {bad:?}"
        ))),
        None => Ok(text.to_owned()),
    }
}

/// A port from 1 to 65535.
pub(super) fn parse_port(text: &str) -> Result<u16, Problem> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ => Err(Problem::new("a port is a number from 1 to 65535")),
    }
}

/// Whether a host is this machine, so that nobody listens on the way to it. IPv6 with or without brackets.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host_names::is_loopback(host),
    }
}

/// Writes what [`parse_list`] reads.
pub fn format_list(servers: &[HostPort]) -> String {
    servers
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> HostPort {
        HostPort {
            host: host.to_owned(),
            port,
        }
    }

    #[test]
    fn this_machine_is_known_by_each_of_its_names() {
        for host in ["localhost", "a.LOCALHOST.", "127.1.2.3", "::1", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["local", "localhost.example", "10.0.0.1", "::2", "[fe80::1]"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn servers_are_names_or_addresses_with_kafkas_port_by_default() {
        for (text, servers) in [
            ("localhost:9092", vec![at("localhost", 9092)]),
            ("a:1,b:2", vec![at("a", 1), at("b", 2)]),
            (" a , b:2 ,", vec![at("a", 9092), at("b", 2)]),
            (
                "[::1]:19092,[fe80::1%eth0]",
                vec![at("::1", 19092), at("fe80::1%eth0", 9092)],
            ),
            ("10.0.0.1", vec![at("10.0.0.1", 9092)]),
            ("a,a:9092", vec![at("a", 9092)]),
            (
                "pkc-x.eu.confluent.cloud:65535",
                vec![at("pkc-x.eu.confluent.cloud", 65535)],
            ),
        ] {
            assert_eq!(parse_list(text), Ok(servers), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            ",",
            ":9092",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:b",
            "a:1:2",
            "[::1",
            "[::1]x",
            "[::1]:",
            "[a]:1",
            "a b:1",
            "a/b",
            "u:p@h:1",
            "größe:1",
            "[fe80::1%]:1",
            &"x".repeat(254),
            &vec!["h"; 65]
                .iter()
                .enumerate()
                .map(|(i, h)| format!("{h}{i}"))
                .collect::<Vec<_>>()
                .join(","),
        ] {
            assert!(parse_list(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_usual_slips_are_recognised() {
        for (text, meant) in [
            ("PLAINTEXT://localhost:9092", "localhost:9092"),
            ("http://broker:9092/", "broker:9092"),
            ("a:1,SASL_SSL://b:2", "a:1,b:2"),
            ("::1", "[::1]"),
        ] {
            assert_eq!(
                parse_list(text).unwrap_err().suggestion.as_deref(),
                Some(meant),
                "{text}"
            );
        }
    }

    #[test]
    fn an_address_to_listen_on_has_a_port_of_its_own_and_may_leave_it_to_the_system() {
        for (text, address) in [
            ("127.0.0.1", at("127.0.0.1", 9400)),
            ("localhost:0", at("localhost", 0)),
            ("[::]", at("::", 9400)),
            ("[::1]:1234", at("::1", 1234)),
            ("0.0.0.0:65535", at("0.0.0.0", 65535)),
        ] {
            assert_eq!(parse_listen(text), Ok(address.clone()), "{text}");
            assert_eq!(parse_listen(&address.to_string()), Ok(address), "{text}");
        }
    }

    #[test]
    fn an_address_to_listen_on_that_leaves_the_host_out_is_asked_back() {
        for (text, meant) in [
            (":9400", Some("0.0.0.0:9400")),
            (":0", Some("0.0.0.0:0")),
            ("*:9100", Some("0.0.0.0:9100")),
            ("9400", Some("127.0.0.1:9400")),
            ("http://localhost:9400/", Some("localhost:9400")),
            ("::", Some("[::]")),
            ("", Some("0.0.0.0:9400")),
            (":x", None),
            ("h:65536", None),
            ("h:00", None),
            ("h:", None),
            ("h/metrics", Some("h")),
            ("127.0.0.1:19400/metrics", Some("127.0.0.1:19400")),
            ("unix:/tmp/x", None),
            ("/run/x", None),
            ("a,b", None),
        ] {
            let problem = parse_listen(text).unwrap_err();
            assert_eq!(problem.suggestion.as_deref(), meant, "{text}: {problem:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_to_listen_on_is_said_in_its_own_words() {
        for (text, words) in [
            ("h:65536", "from 0 to 65535"),
            ("h:", "from 0 to 65535"),
            ("unix:/tmp/x", "a socket in the file system"),
            ("/tmp/x", "a socket in the file system"),
            ("127.0.0.1:19400/metrics", "a path does not belong here"),
        ] {
            let problem = parse_listen(text).unwrap_err();
            assert!(problem.what.contains(words), "{text}: {problem:?}");
        }
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let servers = parse_list("[::1]:9092,kafka:19092").unwrap();
        assert_eq!(format_list(&servers), "[::1]:9092,kafka:19092");
        assert_eq!(parse_list(&format_list(&servers)), Ok(servers));
    }
}
