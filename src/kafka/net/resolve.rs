//! From a host name to addresses, on a thread that nobody has to wait for.
//!
//! `getaddrinfo` can hang for as long as the system's resolver is configured to, and nothing can interrupt it. So it
//! has a short-lived thread of its own, and its answer comes through a channel: whoever waits gives up when the link
//! ends or the time is over. The thread of a given-up lookup ends by itself when the system answers; the number of such
//! threads is bounded. Addresses and names of this machine are known without one.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;
use std::time::Instant;

use crossbeam_channel::{bounded, select};

use super::control::Control;
use super::reason::{Peer, seconds};
use crate::foreign::os_words;
use crate::host_names;
use crate::kafka::config::HostPort;

/// Lookups under way in the process, those given up included.
pub const RESOLVERS_MAX: usize = 32;
/// Of a name with more addresses than this the rest is not tried.
const ADDRESSES_MAX: usize = 64;

static RESOLVERS: AtomicUsize = AtomicUsize::new(0);

/// Asks for a name's addresses; may take any time.
pub(super) type Lookup = Box<dyn FnOnce(&HostPort) -> io::Result<Vec<SocketAddr>> + Send>;

/// Asks the system.
pub(super) fn system_lookup(address: &HostPort) -> io::Result<Vec<SocketAddr>> {
    let addresses = (address.host.as_str(), address.port).to_socket_addrs()?;
    Ok(addresses.take(ADDRESSES_MAX).collect())
}

/// The addresses of a host, never none, in the order in which the system wants them tried. An address needs no lookup, nor
/// does a name of this machine.
///
/// # Errors
/// The reason, when there is no address by the deadline. When the link ends first, any reason.
pub(super) fn resolve(
    peer: &Peer,
    name: &str,
    address: &HostPort,
    lookup: Lookup,
    deadline: Instant,
    control: &Control,
) -> Result<Vec<SocketAddr>, String> {
    if let Some(addresses) = host_names::known(&address.host, address.port) {
        return Ok(addresses);
    }
    let Some(permit) = Permit::take(&RESOLVERS, RESOLVERS_MAX) else {
        return Err(peer.cannot_resolve(&format!(
            "{RESOLVERS_MAX} earlier lookups are still unanswered, check the system's name servers"
        )));
    };
    let (answer, answers) = bounded(1);
    let asked = address.clone();
    let resolver = Builder::new()
        .name(format!("{name}-resolve"))
        .spawn(move || {
            let _permit = permit;
            // Nobody waits for it any more when the send fails.
            let _ = answer.send(lookup(&asked));
        })
        .map_err(|error| peer.cannot_resolve(&os_words(&error)))?;

    let time_left = deadline.saturating_duration_since(Instant::now());
    select! {
        recv(answers) -> answer => match answer {
            Ok(Ok(addresses)) if addresses.is_empty() => Err(peer.cannot_resolve("it has no address")),
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(error)) => Err(peer.cannot_resolve(&host_names::not_found(&error))),
            // It ended without an answer: it panicked. Its panic becomes this thread's, so that it is not lost.
            Err(_) => match resolver.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                Ok(()) => Err(peer.cannot_resolve("no answer")),
            },
        },
        recv(control.on_end()) -> _ => Err(peer.cannot_resolve("given up")),
        default(time_left) => {
            let reason = format!("no answer within {}", seconds(time_left));
            Err(peer.cannot_resolve(&reason))
        }
    }
}

/// The right to one more thread; returned by dropping it.
struct Permit(&'static AtomicUsize);

impl Permit {
    fn take(taken: &'static AtomicUsize, max: usize) -> Option<Permit> {
        taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| {
                (n < max).then_some(n + 1)
            })
            .ok()
            .map(|_before| Permit(taken))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn resolve_with(
        host: &str,
        lookup: Lookup,
        timeout: Duration,
    ) -> Result<Vec<SocketAddr>, String> {
        let address = HostPort {
            host: host.to_owned(),
            port: 9092,
        };
        resolve(
            &Peer::new("broker-1", &address),
            "broker-1",
            &address,
            lookup,
            Instant::now() + timeout,
            &Control::default(),
        )
    }

    const PATIENCE: Duration = Duration::from_secs(5);

    #[test]
    fn an_address_is_not_looked_up() {
        let never: Lookup = Box::new(|_| panic!("looked up"));
        let expected = vec!["[::1]:9092".parse().unwrap()];
        assert_eq!(resolve_with("::1", never, PATIENCE), Ok(expected));
    }

    #[test]
    fn this_machine_is_not_looked_up() {
        for name in ["localhost", "Kafka.LOCALHOST."] {
            let never: Lookup = Box::new(|_| panic!("looked up"));
            let expected = ["127.0.0.1:9092", "[::1]:9092"].map(|at| at.parse().unwrap());
            assert_eq!(
                resolve_with(name, never, PATIENCE),
                Ok(expected.to_vec()),
                "{name}"
            );
        }
    }

    #[test]
    fn a_lookup_that_fails_is_told_in_the_system_s_words() {
        let fail: Lookup = Box::new(|_| {
            Err(io::Error::other(
                "failed to lookup address information: Name or service not known",
            ))
        });
        assert_eq!(
            resolve_with("x.invalid", fail, PATIENCE),
            Err("cannot resolve host x.invalid: Name or service not known".to_owned())
        );
    }

    #[test]
    fn a_name_without_an_address_is_an_error() {
        let none: Lookup = Box::new(|_| Ok(Vec::new()));
        assert_eq!(
            resolve_with("x.invalid", none, PATIENCE),
            Err("cannot resolve host x.invalid: it has no address".to_owned())
        );
    }

    #[test]
    fn a_resolver_that_hangs_is_given_up_at_the_deadline() {
        let (release, released) = bounded::<()>(0);
        let hang: Lookup = Box::new(move |_| {
            let _ = released.recv();
            Ok(Vec::new())
        });
        assert_eq!(
            resolve_with("x.invalid", hang, Duration::ZERO),
            Err("cannot resolve host x.invalid: no answer within 0.0 s".to_owned())
        );
        drop(release);
    }

    #[test]
    fn hanging_resolvers_are_bounded() {
        static TAKEN: AtomicUsize = AtomicUsize::new(0);
        let first = Permit::take(&TAKEN, 2);
        let second = Permit::take(&TAKEN, 2);
        assert!(first.is_some() && second.is_some());
        assert!(Permit::take(&TAKEN, 2).is_none());
        drop(first);
        assert!(Permit::take(&TAKEN, 2).is_some());
    }
}
