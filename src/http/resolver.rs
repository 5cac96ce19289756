//! Finds the addresses of a host, for no longer than a request may take.
//!
//! The system's resolver cannot be interrupted: it is asked in a thread, which is left alone where it takes longer. As ureq's own
//! resolver does it, but a thread that the system refuses is an error here and no panic, and names of this machine are known: such
//! a name never leaves it.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::thread::Builder;

use crossbeam_channel::{RecvTimeoutError, bounded};
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::host_names;

/// More addresses than these are not tried; what ureq takes.
const ADDRESSES_MAX: usize = 16;

/// See the module.
#[derive(Debug)]
pub(super) struct Patient;

impl Resolver for Patient {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(Error::BadUri(uri.to_string()));
        };
        let host = DefaultResolver::host_and_port(scheme, authority)
            .ok_or_else(|| Error::BadUri(uri.to_string()))?;
        let found = match known(&host) {
            Some(addresses) => addresses,
            None => look_up(host, timeout)?,
        };
        let mut addresses = self.empty();
        let family = config.ip_family();
        let wanted = family.keep_wanted(found.into_iter());
        for address in wanted.take(ADDRESSES_MAX) {
            addresses.push(address);
        }
        if addresses.is_empty() {
            return Err(Error::HostNotFound);
        }
        Ok(addresses)
    }
}

/// What needs nobody to be asked: an address, or a name of this machine. The host is written with its port.
fn known(host: &str) -> Option<Vec<SocketAddr>> {
    if let Ok(address) = host.parse() {
        return Some(vec![address]);
    }
    let (name, port) = host.rsplit_once(':')?;
    host_names::known(name, port.parse().ok()?)
}

fn look_up(host: String, timeout: NextTimeout) -> Result<Vec<SocketAddr>, Error> {
    let (answer_in, answer) = bounded(1);
    let asked = move || {
        let found = host.to_socket_addrs().map(Iterator::collect);
        // Nobody waits any more if it took too long.
        let _ = answer_in.send(found);
    };
    let thread = Builder::new().name("resolver".to_owned()).spawn(asked);
    thread.map_err(|error| {
        let words = format!("starting a thread failed: {error}");
        io::Error::new(error.kind(), words)
    })?;
    let why = match answer.recv_timeout(*timeout.after) {
        Ok(Ok(found)) => return Ok(found),
        Ok(Err(error)) => host_names::not_found(&error),
        Err(RecvTimeoutError::Timeout) => "no name server answers in time".to_owned(),
        Err(RecvTimeoutError::Disconnected) => return Err(Error::HostNotFound),
    };
    let words = format!("its name has no address: {why}");
    Err(Error::Io(io::Error::new(io::ErrorKind::NotFound, words)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::Timeout;
    use ureq::unversioned::transport::time::Duration;

    fn resolved(uri: &str) -> Vec<String> {
        let timeout = NextTimeout {
            after: Duration::NotHappening,
            reason: Timeout::Global,
            ..NextTimeout::default()
        };
        let found = Patient.resolve(&uri.parse().unwrap(), &Config::default(), timeout);
        found.unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_of_this_machine_are_its_addresses_whatever_the_system_says() {
        // Nobody's hosts file has these.
        for (uri, both) in [
            (
                "http://Registry.LOCALHOST.:8081/subjects",
                ["127.0.0.1:8081", "[::1]:8081"],
            ),
            ("http://x.localhost", ["127.0.0.1:80", "[::1]:80"]),
            ("https://x.localhost/token", ["127.0.0.1:443", "[::1]:443"]),
        ] {
            assert_eq!(resolved(uri), both, "{uri}");
        }
    }

    #[test]
    fn addresses_are_what_they_say() {
        assert_eq!(resolved("http://127.0.0.1:8081"), ["127.0.0.1:8081"]);
        assert_eq!(resolved("http://[::1]:8081"), ["[::1]:8081"]);
    }
}
