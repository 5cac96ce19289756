//! What a run shows over HTTP: metrics for Prometheus, whether it lives and delivers, its status as JSON, and a page that draws that.
//!
//! ```text
//!  monitor ── accept ──▶ monitor-0 … monitor-15     one connection each: a request, an answer, the end
//!     ▲                      │
//!     └── who has left ◀─────┘
//! ```
//!
//! Invariant: whoever asks, however slowly or wrongly, disturbs nobody else: connections, bytes and time are bounded, and who
//! has been there longest makes room for who comes. A panic of what is shown costs one answer. Never: a second request on a
//! connection, a change of anything in the run, a log line above `debug` for what a client does.

mod answer;
mod connection;
mod door;
mod page;
mod request;
mod timed;

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use socket2::SockRef;

use self::door::{Door, Event};
use crate::host_names;
use crate::kafka::config::HostPort;

/// How many connections there may be at a time.
pub const CONNECTIONS_MAX: usize = 16;
/// How long a request may take from when its connection was accepted to its last byte.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take until its answer is written, likewise.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may then take to hang up. Who closes on it while it still sends may take the answer from it.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
/// Bound of making the connection that wakes the `monitor` thread where nothing else does.
const WAKE_TIMEOUT: Duration = Duration::from_secs(1);

/// What there is to be shown. Asked by several threads at a time, and as often as clients like.
pub trait Shown: Send + Sync {
    /// In Prometheus' text format, version 0.0.4.
    fn metrics(&self) -> String;
    /// As JSON: an object, which `docs/metrics.md` describes and the page reads.
    fn status(&self) -> String;
    /// Whether the process does what it should, or had better be started anew.
    fn health(&self) -> Verdict;
    /// Whether messages arrive.
    fn readiness(&self) -> Verdict;
}

/// Yes or no, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Yes.
    pub good: bool,
    /// For people; one line or few.
    pub text: String,
}

/// Why there is no server.
#[derive(Debug)]
pub enum NotStarted {
    /// The name has no address, or the address cannot be had.
    Listening(io::Error),
    /// The system refuses a thread.
    Thread(io::Error),
}

/// How patient the server is.
#[derive(Debug, Clone, Copy)]
struct Patience {
    request: Duration,
    answer: Duration,
    linger: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            request: REQUEST_TIMEOUT,
            answer: ANSWER_TIMEOUT,
            linger: LINGER_TIMEOUT,
        }
    }
}

/// A server that answers from [`Server::start`] until [`Server::join`]. Dropping it ends it without waiting for its threads.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    listener: Arc<TcpListener>,
    events: Sender<Event>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens and answers from here on. Port 0 is any that is free.
    ///
    /// # Errors
    /// [`NotStarted`].
    pub fn start(address: &HostPort, shown: Arc<dyn Shown>) -> Result<Server, NotStarted> {
        Self::start_with(address, shown, Patience::default())
    }

    fn start_with(
        address: &HostPort,
        shown: Arc<dyn Shown>,
        patience: Patience,
    ) -> Result<Server, NotStarted> {
        let (listener, address) = listen(address).map_err(NotStarted::Listening)?;
        let listener = Arc::new(listener);
        let (events, happened) = bounded(door::EVENTS_MAX);
        let door = Door::new(
            Arc::clone(&listener),
            shown,
            patience,
            events.clone(),
            happened,
        );
        let thread = Builder::new()
            .name("monitor".to_owned())
            .spawn(move || door.run())
            .map_err(NotStarted::Thread)?;
        Ok(Server {
            address,
            listener,
            events,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it at once, answers under way too, and waits until none of its threads is left.
    pub fn join(mut self) {
        self.end();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::debug!(event = "monitor"; "the monitor thread had panicked");
        }
    }

    /// The event goes first: whatever wakes the thread, it finds that.
    fn end(&self) {
        // There is always room for it.
        let _ = self.events.try_send(Event::End);
        // Only Linux wakes an `accept` so.
        if SockRef::from(&*self.listener)
            .shutdown(Shutdown::Both)
            .is_err()
        {
            let _ = TcpStream::connect_timeout(&reachable(self.address), WAKE_TIMEOUT);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end();
        }
    }
}

/// A name that has both kinds of addresses, as `localhost` has, means the older one, which every scraper can reach.
fn listen(address: &HostPort) -> io::Result<(TcpListener, SocketAddr)> {
    let mut addresses: Vec<SocketAddr> = match host_names::known(&address.host, address.port) {
        Some(known) => known,
        None => (address.host.as_str(), address.port)
            .to_socket_addrs()?
            .collect(),
    };
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let listener = TcpListener::bind(addresses.as_slice())?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Whether a server could listen there: does so for a moment, and says where.
///
/// # Errors
/// The name has no address, or the address cannot be had.
pub fn try_out(address: &HostPort) -> io::Result<SocketAddr> {
    listen(address).map(|(_, address)| address)
}

/// Whoever listens at every address is reached at this machine's own.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests;
