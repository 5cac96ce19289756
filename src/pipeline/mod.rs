//! The threads, joined up: a run from its first line to its last.
//!
//! Main thread: tells the user, starts the others, waits for the stop, joins them in the order in which the data flows.
//! `generator` makes chunks of records, `producer` hands them to the Kafka client core and drives its links, `stats` reports,
//! `signals` turns signals into the stop, `registry` asks for the schema's id, `token` renews the token that brokers want, if
//! they do, `monitor` serves those who look, and `watchdog` tells a service manager how it stands, each where it is wanted. Invariant: whatever the end, the books are
//! printed and every thread is joined; but a second signal waits for nobody who asks over HTTP, nor for the service manager.

mod asking;
pub mod chunk;
pub mod dry_run;
pub mod generator;
mod ledger_file;
mod notify;
mod producer;
pub mod schedule;
pub mod shutdown;
pub mod source;
mod start;
mod threads;
mod token;
mod watch;
mod watchers;

pub use notify::END_MAX;

use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use log::Level;

use crate::error::{Error, Exit};
use crate::http::Timing;
use crate::kafka::config::MessageKey;
use crate::registry::RegistryClient;
use crate::report::event::Event;
use crate::report::figures;
use crate::report::log::{block, books, tell};
use crate::report::repeat::ErrorSummary;
use crate::report::reporter::{Reporter, SUMMARY_INTERVAL};
use crate::report::stats::Stats;
use crate::report::text;
use crate::report::view::Awaited;
use crate::settings::{Common, Settings, duration};
use crate::shoe::ShoeGenerator;
use asking::Asking;
use chunk::{Chunk, ChunkRing};
use generator::{Generator, Limits};
use ledger_file::{Ended, LedgerFile};
use producer::{ProducerInputs, ProducerOutcome};
use schedule::Schedule;
use shutdown::{SignalThread, Stop, StopReason};
use threads::Threads;
use token::TokenThread;
use watch::Question;
use watchers::Watchers;

/// Chunks between the generator and the producer: one is filled, one is emptied, two are on their way.
const CHUNKS: usize = 4;

/// Produces until it is told to stop, and tells the user all along. `warnings` belong after the first line.
pub fn run(settings: &Settings, warnings: &[String]) -> Exit {
    run_with(settings, warnings, source::shoes)
}

/// [`run`] with another source of records than shoes as they are: benchmarks make wider ones.
pub fn run_with<W, E>(
    settings: &Settings,
    warnings: &[String],
    source: impl FnOnce(ShoeGenerator, Vec<u8>, MessageKey) -> W,
) -> Exit
where
    W: FnMut(u64, &mut Chunk, Instant, i64) -> Result<(), E> + Send + 'static,
    E: Display,
{
    log::info!(event = "starting"; "{}", text::STARTING);
    for warning in warnings {
        log::warn!(event = "warning", kind = "settings"; "⚠️ {warning}");
    }
    let seed = seed(&settings.common);
    let mut file = LedgerFile::begin(settings, seed);
    let mut run = match Run::begin() {
        Ok(run) => run,
        Err(error) => {
            tell_failure(&error);
            file.note(&error);
            return file.end(Exit::Incomplete, None);
        }
    };
    describe(settings, seed);
    let source = |prefix| {
        let generator = ShoeGenerator::new(seed, settings.common.instance_id);
        source(generator, prefix, settings.kafka.message_key)
    };
    let produced = run
        .be_watched(settings, seed)
        .and_then(|questions| run.produce(settings, source, questions));
    if let Some(error) = run.told.take() {
        file.note(&error);
    }
    if let Err(error) = produced {
        run.stop.stop(StopReason::Failed);
        file.note(&error);
        run.failed(&error);
    }
    run.end(file)
}

fn describe(settings: &Settings, seed: u64) {
    let interval = duration::format(settings.common.interval);
    let registry = settings.registry.urls.join(",");
    let (servers, topic) = (settings.cluster(), &settings.kafka.topic);
    let instance_id = settings.common.instance_id;
    let event = Event::new("configuration")
        .text("cluster", servers.as_str())
        .text("topic", topic.as_str())
        .seconds("message_interval_seconds", settings.common.interval)
        .text("registry", registry.as_str())
        // As text: many programs that read JSON keep only 53 bits of a number.
        .text("seed", seed.to_string())
        .count("instance_id", instance_id.into());
    let lines = text::configuration(&servers, topic, &interval, &registry);
    let seed = text::seed(seed, instance_id);
    block(Level::Info, &event, lines.into_iter().chain([seed]));
}

fn tell_failure(error: &Error) {
    log::error!(event = "error", kind = error.kind(); "❌ {error}");
}

/// What lasts from the first line to the last.
struct Run {
    stop: Stop,
    signals: SignalThread,
    threads: Threads,
    watchers: Option<Watchers>,
    token: Option<TokenThread>,
    registry: Option<Asking>,
    stats: Arc<Stats>,
    errors: Arc<ErrorSummary>,
    unsent: u64,
    failed: bool,
    /// What was told in the middle of the run that it fails by.
    told: Option<Error>,
}

impl Run {
    fn begin() -> Result<Self, Error> {
        let (stop, threads) = (Stop::new(), Threads::default());
        Ok(Self {
            signals: watch_signals(&stop, &threads)?,
            threads,
            watchers: None,
            token: None,
            registry: None,
            stop,
            stats: counters(Instant::now())?,
            errors: Arc::new(ErrorSummary::new()),
            unsent: 0,
            failed: false,
            told: None,
        })
    }

    fn failed(&mut self, error: &Error) {
        self.failed = true;
        tell_failure(error);
    }

    /// Tells at once why the run ends, which may take a while.
    fn cannot_go_on(&mut self, error: Error) {
        self.failed(&error);
        self.told = Some(error);
        self.stop.stop(StopReason::Failed);
    }

    /// Lets those look who want to. Returns where the producer thread finds their questions.
    fn be_watched(&mut self, settings: &Settings, seed: u64) -> Result<Receiver<Question>, Error> {
        let (stop, stats, errors) = (&self.stop, &self.stats, &self.errors);
        let (watchers, questions) =
            Watchers::start(settings, seed, stop, stats, errors, &self.threads)?;
        self.watchers = Some(watchers);
        Ok(questions)
    }

    /// Everything between the configuration and the final statistics. A stop before the loop has begun is no error.
    fn produce<W, E>(
        &mut self,
        settings: &Settings,
        source: impl FnOnce(Vec<u8>) -> W,
        questions: Receiver<Question>,
    ) -> Result<(), Error>
    where
        W: FnMut(u64, &mut Chunk, Instant, i64) -> Result<(), E> + Send + 'static,
        E: Display,
    {
        log::info!(event = "initializing"; "{}", text::INITIALIZING);
        let mut registry = RegistryClient::new(
            settings.registry.clone(),
            Timing::default(),
            fastrand::Rng::new(),
        )
        .heard_by(self.listener("registry"));
        let Some(tokens) = self.tokens(settings, &mut registry)? else {
            self.tell_why();
            return Ok(());
        };
        let Some(prefix) = self.serializer(settings, registry)? else {
            self.tell_why();
            return Ok(());
        };

        self.awaits(Awaited::Brokers);
        let ring = ChunkRing::new(CHUNKS);
        let (ready_in, ready) = bounded(1);
        let inputs = ProducerInputs {
            config: settings.kafka.clone(),
            seed: fastrand::u64(..),
            shutdown_timeout: settings.common.shutdown_timeout,
            chunks: ring.full_out,
            empties: ring.empty_in,
            ready: ready_in,
            tokens,
            questions,
            stop: self.stop.clone(),
            stats: Arc::clone(&self.stats),
            errors: Arc::clone(&self.errors),
        };
        let mut summed_up = Instant::now();
        let producer = self.spawn("producer", move || producer::run(inputs))?;
        let interval = settings.common.stats_interval.unwrap_or(SUMMARY_INTERVAL);
        if self.is_ready(&ready, interval, &mut summed_up) {
            // The statistics thread, which sums up from now on, does not know of the wait.
            self.errors.flush(summed_up.elapsed());
            let begun = Instant::now();
            let generated = self.generate(settings, source(prefix), ring.full_in, ring.empty_out);
            block(Level::Info, &Event::new("closing"), text::CLOSING);
            let summed_up = generated.as_ref().copied().unwrap_or(begun);
            self.close(producer, summed_up)?;
            generated.map(|_| ())
        } else {
            drop(ring.full_in);
            self.close(producer, summed_up)?;
            self.tell_why();
            Ok(())
        }
    }

    /// The loop: from the first message until the generator has ended. Returns up to when repeated errors are summed up.
    fn generate<E: Display>(
        &mut self,
        settings: &Settings,
        write: impl FnMut(u64, &mut Chunk, Instant, i64) -> Result<(), E> + Send + 'static,
        full: Sender<Chunk>,
        empty: Receiver<Chunk>,
    ) -> Result<Instant, Error> {
        let common = &settings.common;
        log::info!(event = "producer_created"; "{}", text::PRODUCER_CREATED);
        block(
            Level::Info,
            &Event::new("loop_starting"),
            text::STARTING_LOOP,
        );
        let start = Instant::now();
        self.stats.begin(start);
        let (stop, stats, errors) = (
            self.stop.clone(),
            Arc::clone(&self.stats),
            Arc::clone(&self.errors),
        );
        let schedule = Schedule::new(common.interval, start);
        let limits = limits(common, start);
        let step = generator::step_within(settings.kafka.linger);
        let generator = self.spawn("generator", move || {
            Generator {
                schedule,
                step,
                limits,
                full,
                empty,
                stop: &stop,
                stats: &stats,
                errors: &errors,
            }
            .run(write)
        })?;
        let event = Event::new("loop_started").seconds("message_interval_seconds", common.interval);
        let interval = duration::format(common.interval);
        tell(Level::Info, &event, text::loop_started(&interval));
        if let Some(watchers) = &self.watchers {
            watchers.ready();
        }
        let watched = self.threads.watched("stats", &self.stop);
        let (stats, errors) = (Arc::clone(&self.stats), Arc::clone(&self.errors));
        let reporter = Reporter::start(stats, errors, common, watched)
            .map_err(system("starting the thread for statistics"))
            .map_err(|error| self.cannot_go_on(error));
        // Nothing is ever sent: the end of the wait is the stop.
        let _ = self.stop.receiver().recv();
        self.tell_why();
        let generated = join("generator", generator).map(|_| ());
        log::info!(event = "loop_stopping"; "{}", text::LOOP_STOPPING);
        let reported = reporter.map_or(Ok(start), |reporter| {
            reporter
                .join()
                .map_err(|_| Error::Panicked { thread: "stats" })
        });
        generated.and(reported)
    }

    /// Starts a thread whose breaking down ends the run.
    fn spawn<T: Send + 'static>(
        &self,
        name: &'static str,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<T>, Error> {
        let watched = self.threads.watched(name, &self.stop);
        spawn(name, move || {
            let _watched = watched;
            body()
        })
    }

    fn tell_why(&self) {
        let (reason, line) = match self.stop.reason() {
            Some(StopReason::Count) => ("count", text::COUNT_REACHED),
            Some(StopReason::Duration) => ("duration", text::DURATION_REACHED),
            Some(StopReason::Failed) => ("failure", text::CANNOT_GO_ON),
            Some(StopReason::Signal(_)) | None => ("signal", text::SIGNAL_RECEIVED),
        };
        log::info!(event = "shutdown", reason = reason; "{line}");
    }

    /// Waits until everything is delivered, or given up. Errors are summed up that came since `summed_up`: the statistics
    /// thread, which does so otherwise, has ended by now or never started.
    fn close(
        &mut self,
        producer: JoinHandle<ProducerOutcome>,
        summed_up: Instant,
    ) -> Result<(), Error> {
        let outcome = join("producer", producer)?;
        self.errors.flush(summed_up.elapsed());
        self.unsent = outcome.unsent;
        if let Some(watchers) = &self.watchers {
            watchers.last_seen(outcome.status);
        }
        if self.unsent > 0 {
            let records = text::records(self.unsent);
            log::error!(event = "unsent", records = self.unsent; "❌ {records} never sent before the end");
        }
        match outcome.fatal {
            None => Ok(()),
            Some(error) => Err(Error::Kafka(error)),
        }
    }

    /// The last lines, and how the process ends.
    fn end(mut self, mut file: LedgerFile) -> Exit {
        if self.signals.join().is_err() {
            self.failed = true;
            let error = Error::Panicked { thread: "signals" };
            file.note(&error);
            tell_failure(&error);
        }
        let ledger = self.stats.ledger(self.unsent);
        let delivered =
            !self.failed && ledger.all_delivered() && self.stop.second_signal().is_none();
        if self.stop.second_signal().is_some() {
            log::warn!(event = "second_signal"; "{}", text::SECOND_SIGNAL_RECEIVED);
        }
        if delivered {
            block(Level::Info, &Event::new("closed"), text::CLOSED);
        }
        let total = self.stats.total(Instant::now());
        books(
            &figures::final_event(&total, &ledger),
            figures::final_statistics(&total, &ledger),
        );
        // Behind the books: they may take a moment to end, which a second signal does not wait for.
        let mut asked = Ok(());
        if self.stop.second_signal().is_none() {
            let watched = self.watchers.take().map_or(Ok(()), Watchers::join);
            let token = self.token.take().map_or(Ok(()), TokenThread::join);
            let registry = self.registry.take().map_or(Ok(()), Asking::join);
            asked = watched.and(token).and(registry);
        }
        if let Err(error) = &asked {
            file.note(error);
            tell_failure(error);
        }
        let exit = match self.stop.second_signal() {
            Some(signal) => Exit::Signal(signal.exit_code()),
            None if delivered && asked.is_ok() => Exit::Delivered,
            None => Exit::Incomplete,
        };
        let ended = Ended {
            reason: self.stop.reason().unwrap_or(StopReason::Failed),
            total,
            ledger,
            failures: self.stats.failures(),
        };
        file.end(exit, Some(ended))
    }
}

/// The seed that the user chose, or one drawn now.
fn seed(common: &Common) -> u64 {
    common.seed.unwrap_or_else(|| fastrand::u64(..))
}

fn watch_signals(stop: &Stop, threads: &Threads) -> Result<SignalThread, Error> {
    let watched = threads.watched("signals", stop);
    SignalThread::start(stop.clone(), watched).map_err(system("starting the thread for signals"))
}

fn counters(start: Instant) -> Result<Arc<Stats>, Error> {
    let stats = Stats::new(start).map_err(io::Error::other);
    stats.map(Arc::new).map_err(system("making a histogram"))
}

fn limits(common: &Common, start: Instant) -> Limits {
    Limits {
        count: common.count,
        deadline: common
            .duration
            .and_then(|duration| start.checked_add(duration)),
    }
}

fn system(doing: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |error| Error::System { doing, error }
}

fn spawn<T: Send + 'static>(
    name: &'static str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Error> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(system("starting a thread"))
}

fn join<T>(thread: &'static str, handle: JoinHandle<T>) -> Result<T, Error> {
    handle.join().map_err(|_| Error::Panicked { thread })
}
