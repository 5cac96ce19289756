//! Finds the addresses of a host, for no longer than a request may take.
//!
//! The system's resolver cannot be interrupted: it is asked in a thread, which is left alone where it takes longer. What is an address
//! already needs none. As ureq's own resolver does it, but a thread that the system refuses is an error here and no panic.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::thread::Builder;

use crossbeam_channel::{RecvTimeoutError, bounded};
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

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
        let found = match host.parse::<SocketAddr>() {
            Ok(address) => vec![address],
            Err(_) => look_up(host, timeout)?,
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
    match answer.recv_timeout(*timeout.after) {
        Ok(found) => Ok(found?),
        Err(RecvTimeoutError::Timeout) => Err(Error::Timeout(timeout.reason)),
        Err(RecvTimeoutError::Disconnected) => Err(Error::HostNotFound),
    }
}
