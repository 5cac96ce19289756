//! What is known of host names: which are this machine, `localhost` and whatever ends in `.localhost`, and what the system means
//! that finds no address for one.
//!
//! RFC 6761, section 6.3: such names are special, and always the loopback addresses. What is statically linked has to know by
//! itself: musl reads `/etc/hosts` for it, and where there is no such file it asks a name server. The system is not asked even
//! where it could answer, so that what counts as this machine (no warning about a password in the clear) is this machine for
//! certain; a hosts file that says otherwise of such a name is not followed. Looks nothing up itself.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::foreign::os_words;

/// In the order in which they are tried: more servers listen at the older one.
const ADDRESSES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// Whether a host name is this machine. In any case, with a dot at its end or without.
pub fn is_loopback(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost") && name.split('.').all(|label| !label.is_empty())
}

/// Where a host is that needs no lookup: an address, or a name of this machine. Nothing for any other.
pub fn known(host: &str, port: u16) -> Option<Vec<SocketAddr>> {
    if let Ok(address) = host.parse() {
        return Some(vec![SocketAddr::new(address, port)]);
    }
    is_loopback(host).then(|| {
        ADDRESSES
            .map(|address| SocketAddr::new(address, port))
            .to_vec()
    })
}

/// Why the system found no address for a name: in its own words, without Rust's preface and without its number, but for the one
/// case in which the C libraries have no words that say what to do.
pub fn not_found(error: &io::Error) -> String {
    let words = os_words(error);
    match words
        .strip_prefix("failed to lookup address information: ")
        .unwrap_or(&words)
    {
        // EAI_AGAIN, as musl and as glibc have it.
        "Try again" | "Temporary failure in name resolution" => {
            "no name server answers, check /etc/resolv.conf".to_owned()
        }
        words => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_are_known_in_every_spelling() {
        for name in [
            "localhost",
            "LocalHost",
            "localhost.",
            "kafka.localhost",
            "a.b.LOCALHOST.",
        ] {
            assert!(is_loopback(name), "{name}");
        }
    }

    #[test]
    fn names_that_only_look_like_it_are_not() {
        for name in [
            "",
            ".",
            "local",
            "mylocalhost",
            "localhost.example",
            "localhost..",
            ".localhost",
            "a..localhost",
            "localhost4",
            "127.0.0.1",
        ] {
            assert!(!is_loopback(name), "{name}");
        }
    }

    #[test]
    fn both_addresses_are_given_the_older_one_first() {
        let expected = ["127.0.0.1:9092", "[::1]:9092"].map(|address| address.parse().unwrap());
        assert_eq!(known("kafka.localhost", 9092), Some(expected.to_vec()));
        assert_eq!(known("kafka.example", 9092), None);
    }

    #[test]
    fn that_no_name_server_answers_is_said_whatever_the_c_library_calls_it() {
        for (words, told) in [
            (
                "failed to lookup address information: Try again",
                "no name server answers, check /etc/resolv.conf",
            ),
            (
                "failed to lookup address information: Temporary failure in name resolution",
                "no name server answers, check /etc/resolv.conf",
            ),
            (
                "failed to lookup address information: Name or service not known",
                "Name or service not known",
            ),
        ] {
            assert_eq!(not_found(&io::Error::other(words)), told);
        }
        let error = io::Error::from_raw_os_error(24);
        assert_eq!(not_found(&error), "Too many open files");
    }
}
