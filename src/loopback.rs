//! Which names are this machine, known without asking anybody: `localhost`, and whatever ends in `.localhost`.
//!
//! RFC 6761, section 6.3: such names are special, and always the loopback addresses. What is statically linked has to know by
//! itself: musl reads `/etc/hosts` for it, and where there is no such file it asks a name server. The system is not asked even
//! where it could answer, so that what counts as this machine (no warning about a password in the clear) is this machine for
//! certain; a hosts file that says otherwise of such a name is not followed. Looks nothing else up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// In the order in which they are tried: more servers listen at the older one.
const ADDRESSES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// Whether a host name is this machine. In any case, with a dot at its end or without.
pub fn is_name(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost") && name.split('.').all(|label| !label.is_empty())
}

/// Where a name of this machine leads to; nothing for any other.
pub fn addresses(host: &str, port: u16) -> Option<[SocketAddr; 2]> {
    is_name(host).then(|| ADDRESSES.map(|address| SocketAddr::new(address, port)))
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
            assert!(is_name(name), "{name}");
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
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn both_addresses_are_given_the_older_one_first() {
        let given = addresses("kafka.localhost", 9092).map(|both| both.map(|one| one.to_string()));
        let expected = ["127.0.0.1:9092", "[::1]:9092"].map(str::to_owned);
        assert_eq!(given, Some(expected));
        assert_eq!(addresses("kafka.example", 9092), None);
    }
}
