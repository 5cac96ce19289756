//! The broker: every node's connections answer out of one shared state.
//!
//! A connection's thread reads a request, takes its fault, lets the API's handler do it under the state's lock, and
//! writes the answer: one at a time, in order, as a real broker does. What a client does wrong is noted as a violation
//! with the node, the API and the client's id in front of it. Nothing here is shared with the program under test.

pub(crate) mod batch;
mod compression;
mod connection;
pub(crate) mod faults;
mod fetch;
pub(crate) mod log;
mod metadata;
mod produce;
mod producer_state;
mod request;
mod sasl;
pub(crate) mod state;
mod topics;
mod versions;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use crate::config::Config;
use crate::net::{lock, wait_until};
use crate::tls::Tls;

pub(crate) use connection::serve;
use state::State;

/// What all nodes and the test share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) changed: Condvar,
    /// How connections are encrypted, if they are.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    state: Mutex<State>,
}

/// Which connection a request came by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) node: i32,
    pub(crate) generation: u64,
}

impl Shared {
    pub(crate) fn new(config: Config, state: State) -> io::Result<Self> {
        let tls = config.security.tls.as_ref();
        Ok(Self {
            tls: tls.map(Tls::server_config).transpose()?,
            config,
            changed: Condvar::new(),
            state: Mutex::new(state),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Changes the state and wakes whoever waits for a change.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits for a condition; returns whether it came true in time.
    pub(crate) fn wait_for(
        &self,
        timeout: Duration,
        mut condition: impl FnMut(&State) -> bool,
    ) -> bool {
        wait_until(self.lock(), &self.changed, timeout, |state| {
            condition(state)
        })
        .1
    }

    /// Lets time pass, unless the node dies; returns whether it lives.
    pub(crate) fn pause(&self, origin: Origin, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        !self.wait_for(
            deadline.saturating_duration_since(Instant::now()),
            |state| !origin.lives(state),
        )
    }
}

impl Origin {
    /// Whether the node lives that this connection was made to.
    pub(crate) fn lives(self, state: &State) -> bool {
        state.is_alive(self.node, self.generation)
    }
}
