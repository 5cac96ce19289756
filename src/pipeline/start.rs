//! What a run waits for before its loop begins: the first token, the schema's id, the brokers and the topic.
//!
//! Each wait ends with a stop, which is no error.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded, never, select};
use log::Level;

use super::Run;
use super::asking::Asking;
use super::token::TokenThread;
use crate::error::Error;
use crate::http::{Listener, Timing};
use crate::oauth::TokenClient;
use crate::registry::frame::prefix;
use crate::registry::{RegistryClient, RegistryError};
use crate::report::event::Event;
use crate::report::log::tell;
use crate::report::text;
use crate::report::view::Awaited;
use crate::secret::Secret;
use crate::settings::Settings;
use crate::shoe::{MESSAGE_INDEXES, SCHEMA};

impl Run {
    /// Those who look learn what is waited for.
    pub(super) fn awaits(&self, awaited: Awaited) {
        if let Some(watchers) = &self.watchers {
            watchers.awaits(awaited);
        }
    }

    /// Counts trouble of the start, which the log has already.
    pub(super) fn listener(&self, kind: &'static str) -> Listener {
        let errors = Arc::clone(&self.errors);
        Listener::new(move |words| errors.count(Level::Warn, kind, words))
    }

    /// Where brokers' tokens come from; the first is there, and the registry is given it. Nothing ever comes if they want none.
    /// `None`: stopped before there was one.
    pub(super) fn tokens(
        &mut self,
        settings: &Settings,
        registry: &mut RegistryClient,
    ) -> Result<Option<Receiver<Secret>>, Error> {
        let Some(config) = settings.token.clone() else {
            return Ok(Some(never()));
        };
        self.awaits(Awaited::Token);
        let watched = self.threads.watched("token", &self.stop);
        let client = TokenClient::new(config, Timing::default(), fastrand::Rng::new())
            .heard_by(self.listener("token"));
        let (thread, tokens) = TokenThread::start(client, Arc::clone(&self.errors), watched)?;
        self.token = Some(thread);
        let first = select! {
            recv(tokens.first) -> first => first,
            recv(self.stop.receiver()) -> _ => return Ok(None),
        };
        match first {
            Ok(Ok(token)) => {
                registry.set_token(&token);
                Ok(Some(tokens.all))
            }
            Ok(Err(error)) => Err(Error::Token(error)),
            Err(_) => Err(Error::Panicked { thread: "token" }),
        }
    }

    /// Registers the schema, or finds it: what goes before every message. `None`: stopped before it was known.
    pub(super) fn serializer(
        &mut self,
        settings: &Settings,
        mut registry: RegistryClient,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.awaits(Awaited::Registry);
        log::info!(event = "registry_testing"; "{}", text::TESTING_REGISTRY);
        let (answers_in, answers) = bounded(1);
        let watched = self.threads.watched("registry", &self.stop);
        let (canceller, stop) = (registry.canceller(), self.stop.clone());
        self.registry = Some(Asking::begin("registry", canceller, watched, move || {
            let tested = registry.check(stop.receiver()).map(|()| None);
            let is_well = tested.is_ok();
            // Nobody waits any more once a stop has come.
            if answers_in.send(tested).is_ok() && is_well {
                let id = registry.schema_id(SCHEMA, stop.receiver()).map(Some);
                let _ = answers_in.send(id);
            }
        })?);
        loop {
            let answer = select! {
                recv(answers) -> answer => answer,
                recv(self.stop.receiver()) -> _ => return Ok(None),
            };
            match answer {
                Ok(Ok(None)) => {
                    let event = Event::new("registry_verified").text("status", "healthy");
                    tell(Level::Info, &event, text::registry_verified("healthy"));
                    log::info!(event = "generator_initialized"; "{}", text::GENERATOR_INITIALIZED);
                }
                Ok(Ok(Some(id))) => {
                    log::info!(event = "serializer_created"; "{}", text::SERIALIZER_CREATED);
                    let subject = settings.registry.subject.as_str();
                    log::debug!(event = "schema", schema_id = id, subject = subject; "Schema id {id} under subject {subject}");
                    return Ok(Some(prefix(id, MESSAGE_INDEXES)));
                }
                Ok(Err(RegistryError::Interrupted)) => return Ok(None),
                Ok(Err(error)) => return Err(Error::Registry(error)),
                Err(_) => return Err(Error::Panicked { thread: "registry" }),
            }
        }
    }

    /// Waits until the producer takes records, and sums repeated errors up meanwhile. `false`: stopped before that.
    pub(super) fn is_ready(
        &self,
        ready: &Receiver<usize>,
        interval: Duration,
        summed_up: &mut Instant,
    ) -> bool {
        loop {
            select! {
                recv(ready) -> partitions => return partitions.is_ok(),
                recv(self.stop.receiver()) -> _ => return false,
                default(interval.saturating_sub(summed_up.elapsed())) => {
                    self.errors.flush(summed_up.elapsed());
                    *summed_up = Instant::now();
                }
            }
        }
    }
}
