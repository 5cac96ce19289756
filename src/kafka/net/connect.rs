//! From addresses to a connection: all of a host's addresses, one after the other, each with a fair share of the time, the TLS
//! handshake included.
//!
//! The stream that is connecting is always known to the link's [`Control`], so that the link's end aborts it. Nothing
//! here tries an address twice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::control::Control;
use super::reason::{Peer, Reason, connect_words};
use super::stream::Stream;
use super::tls::Session;
use crate::kafka::config::HostPort;
use crate::tls::TlsConfig;

/// The least time that an address gets, however many there are; the last one tried may overstep the deadline by it.
pub const CONNECT_SHARE_MS_MIN: u64 = 250;

/// Connects to the first address that takes it.
///
/// # Errors
/// The reason, when none takes it by the deadline. When the link ends first, any reason.
pub(super) fn connect(
    peer: &Peer,
    host: &HostPort,
    tls: Option<&TlsConfig>,
    addresses: &[SocketAddr],
    deadline: Instant,
    control: &Control,
) -> Result<Arc<Stream>, Reason> {
    let (mut failures, mut refusals) = (Vec::new(), 0);
    for (tried, &address) in addresses.iter().enumerate() {
        let time_left = deadline.saturating_duration_since(Instant::now());
        if control.has_ended() || (time_left.is_zero() && tried > 0) {
            break;
        }
        let share = share(time_left, addresses.len() - tried);
        let begun = Instant::now();
        let stream = match try_one(address, share, control) {
            Ok(stream) => stream,
            Err(error) => {
                failures.push((address, connect_words(&error, share)));
                continue;
            }
        };
        match tls.map(|tls| Session::establish(tls, host, &stream, begun + share)) {
            None => return Ok(stream),
            Some(Ok(session)) => {
                stream.encrypt(session);
                return Ok(stream);
            }
            Some(Err(failure)) => {
                refusals += usize::from(failure.is_refusal);
                failures.push((address, format!("failed: {failure}")));
            }
        }
    }
    let untried = addresses.len() - failures.len();
    Err(Reason {
        words: peer.cannot_connect(&failures, untried),
        is_refusal: refusals > 0 && refusals == addresses.len(),
    })
}

/// Connects to one address.
pub(super) fn try_one(
    address: SocketAddr,
    timeout: Duration,
    control: &Control,
) -> std::io::Result<Arc<Stream>> {
    let stream = Arc::new(Stream::new(address)?);
    if !control.adopt(&stream) {
        return Err(std::io::ErrorKind::ConnectionAborted.into());
    }
    stream.connect(address, timeout)?;
    Ok(stream)
}

/// What one of `addresses_left` gets of `time_left`.
fn share(time_left: Duration, addresses_left: usize) -> Duration {
    let parts = u32::try_from(addresses_left).unwrap_or(u32::MAX).max(1);
    (time_left / parts).max(Duration::from_millis(CONNECT_SHARE_MS_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_gets_a_fair_share_and_never_too_little() {
        let second = Duration::from_secs(1);
        assert_eq!(share(9 * second, 3), 3 * second);
        assert_eq!(share(9 * second, 1), 9 * second);
        let least = Duration::from_millis(CONNECT_SHARE_MS_MIN);
        assert_eq!(share(second, 1_000), least);
        assert_eq!(share(Duration::ZERO, 1), least);
    }
}
