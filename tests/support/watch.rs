//! What a run shows over HTTP, asked for as anybody may.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crossbeam_channel::never;
use serde_json::Value;

use super::{DEADLINE, Peers, Program, Setup};

/// What a run says of where it can be watched.
const TOLD: &str = "🩺 Metrics: http://";

/// Between two looks, so that who looks leaves the processor to what it waits for. How long it is decides nothing.
const PAUSE: Duration = Duration::from_millis(10);

/// A run's answers.
pub(crate) struct Watched {
    pub(crate) address: String,
}

impl Watched {
    /// Waits until the run has said where; its log is pretty or full.
    pub(crate) fn of(program: &mut Program) -> Self {
        let line = program.line(TOLD);
        let (_, rest) = line.split_once(TOLD).unwrap();
        let (address, _) = rest.split_once('/').unwrap();
        Self {
            address: address.to_owned(),
        }
    }

    /// Status code and body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.try_get(path).unwrap()
    }

    /// `None` where nobody answers, such as after the run.
    pub(crate) fn try_get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let code = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some((code, body.to_owned()))
    }

    pub(crate) fn status(&self) -> Value {
        let (code, body) = self.get("/status");
        assert_eq!(code, 200);
        serde_json::from_str(&body).unwrap()
    }

    /// Asks until it is so.
    pub(crate) fn until<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(seen) = look(self) {
                return seen;
            }
            assert!(begun.elapsed() < DEADLINE, "never: {what}");
            let _ = never::<()>().recv_timeout(PAUSE);
        }
    }

    /// All that is shown until nobody answers any more: every answer that differs from others by more than its numbers.
    pub(crate) fn until_the_end(&self) -> Vec<String> {
        let mut shown = BTreeMap::new();
        self.until("its end", |watched| {
            for path in ["/status", "/metrics", "/readyz", "/healthz"] {
                let Some((_, text)) = watched.try_get(path) else {
                    return Some(());
                };
                let words = text.replace(|c: char| c.is_ascii_digit(), "");
                shown.insert(words, text);
            }
            None
        });
        shown.into_values().collect()
    }

    /// `/status` once it is so.
    pub(crate) fn until_status(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        self.until(what, |watched| Some(watched.status()).filter(&is_so))
    }
}

/// The program, which can be watched, and so it is.
pub(crate) fn start_watched(setup: Setup) -> (Program, Watched) {
    let mut program = setup.env("METRICS_LISTEN", "127.0.0.1:0").start();
    let watched = Watched::of(&mut program);
    (program, watched)
}

/// The same for these peers.
pub(crate) fn watched(peers: &Peers, flags: &str) -> (Program, Watched) {
    start_watched(peers.setup(flags))
}
