//! One broker: its name, its port, encryption, authentication, versions.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::STEP_TIMEOUT;
use super::table::{Step, Table};
use crate::crypto;
use crate::kafka::client::dialogue::{Dialogue, Heard};
use crate::kafka::config::{HostPort, ProducerConfig, Sasl};
use crate::kafka::net::probe::{Probe, look_up};
use crate::kafka::sasl;
use crate::kafka::wire::frame::RequestFrame;
use crate::secret::Secret;

/// A broker that has let us in.
pub(super) struct Broker {
    probe: Probe,
    pub(super) dialogue: Dialogue,
    /// It closed the connection.
    pub(super) hung_up: bool,
}

impl Broker {
    /// Goes as far as it can with the broker at `address`.
    pub(super) fn approach(
        config: &ProducerConfig,
        token: Option<&Secret>,
        name: &str,
        address: &HostPort,
        table: &mut Table<impl Write>,
    ) -> Option<Broker> {
        let addresses = look_up(address, STEP_TIMEOUT);
        let addresses = table.tried(Step::NameResolution, addresses, |found| {
            resolved(address, found)
        })?;
        let connected = connect(name, address, &addresses);
        let (mut probe, _) = table.tried(Step::Tcp, connected, |(_, words)| words.clone())?;
        let encrypted = match &config.tls {
            None => None,
            Some(tls) => match probe.encrypt(tls) {
                Ok(version) => Some(version),
                Err(why) => {
                    table.fails(Step::Tls, &format!("{address}: {why}"));
                    return None;
                }
            },
        };
        let nonce_key = match config.sasl {
            Some(Sasl::Scram(..)) => crypto::random_key(),
            _ => None,
        };
        let (dialogue, first) = Dialogue::begin(config, nonce_key, token, Instant::now());
        let mut broker = Broker {
            probe,
            dialogue,
            hung_up: false,
        };
        let answer = broker.probe.ask(first);
        // Whether our certificate is accepted shows in the first answer only (RFC 8446, section 4.4.2).
        match (&answer, encrypted) {
            (Err(failure), Some(_)) if failure.is_refusal => {
                table.fails(Step::Tls, &failure.words);
                return None;
            }
            (_, Some(version)) => {
                let words =
                    format!("{address}: {version}, its certificate is trusted and for this name");
                table.holds(Step::Tls, &words);
            }
            (_, None) => {}
        }
        broker.be_let_in(
            config,
            address,
            answer.map_err(|failure| failure.words),
            table,
        )?;
        Some(broker)
    }

    fn be_let_in(
        &mut self,
        config: &ProducerConfig,
        address: &HostPort,
        mut answer: Result<Vec<u8>, String>,
        table: &mut Table<impl Write>,
    ) -> Option<()> {
        loop {
            let heard = answer.and_then(|frame| {
                let heard = self.dialogue.hear(&frame, Instant::now());
                heard.map_err(|why| format!("{address}: {why}"))
            });
            match heard {
                Ok(Heard::Next(request)) => {
                    answer = self.probe.ask(request).map_err(|failure| failure.words);
                }
                Ok(_) => break,
                Err(why) => {
                    let step = if self.dialogue.is_authenticating() {
                        Step::Sasl
                    } else {
                        Step::ApiVersions
                    };
                    table.fails(step, &why);
                    return None;
                }
            }
        }
        if let Some(sasl) = &config.sasl {
            let words = format!("{address}: {}", authenticated(sasl));
            table.holds(Step::Sasl, &words);
        }
        let versions = self.dialogue.versions();
        table.holds(Step::ApiVersions, &format!("{address}: {versions}"));
        Some(())
    }

    /// Asks something once the broker has let us in.
    pub(super) fn ask(
        &mut self,
        request: impl FnOnce(&mut Dialogue, Instant) -> Option<RequestFrame>,
    ) -> Result<Heard, String> {
        let request = request(&mut self.dialogue, Instant::now())
            .ok_or_else(|| "the broker does not speak this request".to_owned())?;
        let answer = self.probe.ask(request).map_err(|failure| {
            self.hung_up = failure.is_end;
            failure.words
        })?;
        self.dialogue.hear(&answer, Instant::now())
    }
}

fn authenticated(sasl: &Sasl) -> String {
    let mechanism = sasl::mechanism(sasl);
    match sasl {
        Sasl::Plain(login) | Sasl::Scram(_, login) => {
            format!("authenticated as {} by {mechanism}", login.user)
        }
        Sasl::OAuthBearer { .. } => format!("authenticated by {mechanism}"),
    }
}

fn resolved(address: &HostPort, found: &[SocketAddr]) -> String {
    let addresses: Vec<String> = found.iter().map(|found| found.ip().to_string()).collect();
    if address.host.parse::<IpAddr>().is_ok() {
        format!("{} is an address: nothing to resolve", address.host)
    } else {
        format!("{} → {}", address.host, addresses.join(", "))
    }
}

/// Connects to the first address that takes it. (A link goes on to the next one where TLS fails, too.)
fn connect(
    name: &str,
    address: &HostPort,
    addresses: &[SocketAddr],
) -> Result<(Probe, String), String> {
    let mut failures = Vec::new();
    for &ip in addresses {
        let at = if address.to_string() == ip.to_string() {
            String::new()
        } else {
            format!(" at {}", ip.ip())
        };
        match Probe::connect(name, address, ip, STEP_TIMEOUT) {
            Ok(probe) if failures.is_empty() => {
                return Ok((probe, format!("{address} is open{at}")));
            }
            Ok(probe) => {
                let words = format!("{address} is open{at}, but{}", failures.join(","));
                return Ok((probe, words));
            }
            Err(why) => failures.push(format!("{at} {why}")),
        }
    }
    Err(format!(
        "{address}{}; check the port, firewalls, and that the broker runs",
        failures.join(",")
    ))
}
