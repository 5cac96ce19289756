//! Who looks at a run from outside: the monitor's server and a service manager's watchdog, each only where it is wanted.
//!
//! Both are there from before the first connection until after the books are closed, so that a start that takes long and a shutdown
//! can be seen too.

use std::sync::Arc;

use crossbeam_channel::Receiver;
use log::Level;

use super::notify::ServiceManager;
use super::shutdown::Stop;
use super::system;
use super::threads::Threads;
use super::watch::{Question, Watch};
use crate::error::Error;
use crate::kafka::client::status::Status;
use crate::monitor::{NotStarted, Server, Shown};
use crate::report::event::Event;
use crate::report::log::tell;
use crate::report::repeat::ErrorSummary;
use crate::report::stats::Stats;
use crate::report::text;
use crate::report::time::now_ms;
use crate::report::view::{Awaited, Facts};
use crate::settings::Settings;

/// All of them.
#[derive(Debug)]
pub(super) struct Watchers {
    watch: Arc<Watch>,
    server: Option<Server>,
    manager: Option<ServiceManager>,
}

impl Watchers {
    /// Lets them look from now on. The second is where the producer thread finds their questions.
    ///
    /// # Errors
    /// `METRICS_LISTEN` cannot be listened on, or the system allows no thread.
    pub(super) fn start(
        settings: &Settings,
        seed: u64,
        stop: &Stop,
        stats: &Arc<Stats>,
        errors: &Arc<ErrorSummary>,
        threads: &Threads,
    ) -> Result<(Self, Receiver<Question>), Error> {
        let (watch, questions) = Watch::new(
            facts(settings, seed),
            settings.common.shutdown_timeout,
            stop.clone(),
            Arc::clone(stats),
            Arc::clone(errors),
            threads.clone(),
        );
        let watch = Arc::new(watch);
        let server = serve(settings, &watch)?;
        let watched = Arc::clone(&watch);
        let manager =
            ServiceManager::start(stop, stats, settings.common.shutdown_timeout, move || {
                watched.alive()
            });
        let watchers = Self {
            watch,
            server,
            manager,
        };
        Ok((watchers, questions))
    }

    /// What the start waits for from now on.
    pub(super) fn awaits(&self, awaited: Awaited) {
        self.watch.awaits(awaited);
    }

    /// Records are produced from now on.
    pub(super) fn ready(&self) {
        if let Some(manager) = &self.manager {
            manager.ready();
        }
    }

    /// The producer thread has ended, and this is the last that it knew.
    pub(super) fn last_seen(&self, client: Status) {
        self.watch.last_seen(client);
    }

    /// The books are closed: nobody looks any more.
    ///
    /// # Errors
    /// A thread panicked.
    pub(super) fn join(self) -> Result<(), Error> {
        self.watch.end();
        let told = self.manager.map_or(Ok(()), ServiceManager::join);
        if let Some(server) = self.server {
            server.join();
        }
        told
    }
}

fn serve(settings: &Settings, watch: &Arc<Watch>) -> Result<Option<Server>, Error> {
    let Some(address) = &settings.common.metrics_listen else {
        return Ok(None);
    };
    let shown: Arc<dyn Shown> = Arc::clone(watch) as Arc<dyn Shown>;
    let server = Server::start(address, shown).map_err(|why| match why {
        NotStarted::Listening(error) => Error::Listen {
            address: address.clone(),
            error,
        },
        NotStarted::Thread(error) => system("starting a thread")(error),
    })?;
    let address = server.address();
    let event = Event::new("metrics_listening").text("address", address.to_string());
    tell(Level::Info, &event, text::metrics_at(address));
    Ok(Some(server))
}

fn facts(settings: &Settings, seed: u64) -> Facts {
    let (common, kafka) = (&settings.common, &settings.kafka);
    Facts {
        cluster: settings.cluster(),
        topic: kafka.topic.clone(),
        registry: settings.registry.urls.join(","),
        seed,
        instance_id: common.instance_id,
        started_ms: now_ms(),
        interval: common.interval,
        count_limit: common.count,
        duration_limit: common.duration,
        buffer_limit: kafka.buffer_memory,
    }
}
