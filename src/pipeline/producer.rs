//! The producer thread: drives the client core.
//!
//! It owns the core and the links and never blocks on any of them: it waits for whichever comes first of a chunk (only while
//! the core wants records), an event from a broker, a new token, the stop, and the core's next deadline. The end of the chunks' channel
//! means that the generator is done; then the core is closed and drained, at most for the shutdown timeout, which counts from
//! the stop. Invariant: every record that arrived in a chunk is acknowledged, failed or counted as unsent.

mod told;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, never, select};

use super::chunk::{Chunk, Place};
use super::shutdown::Stop;
use super::watch::{Inside, Question};
use crate::crypto;
use crate::kafka::client::status::{FullBecause, Status};
use crate::kafka::client::{Action, Client, ConnectionId, FatalError, Record};
use crate::kafka::config::{ProducerConfig, Sasl};
use crate::kafka::net::{Link, LinkConfig, LinkEvent};
use crate::report::recovery::Recoveries;
use crate::report::repeat::ErrorSummary;
use crate::report::stats::{FullLimit, Stats};
use crate::secret::Secret;

/// Events of all links that may wait to be handled. A link that finds the channel full waits, and no other. It bounds how many
/// there are; how much memory they take is bounded by each link, which lets few of its frames wait.
const LINK_EVENTS_MAX: usize = 1024;
/// Requests beside the Produce ones that one connection can have waiting: versions, authentication, metadata, producer id, topic.
const CONTROL_REQUESTS_MAX: usize = 8;

/// While the memory is full, the statistics learn so often for how long it has been.
const FULL_TOLD: Duration = Duration::from_millis(100);

/// How long it waits where no deadline is near: looking up once in so long costs nothing.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// What the producer thread needs.
pub(super) struct ProducerInputs {
    pub(super) config: ProducerConfig,
    /// For jitter, and for the choice of partitions without a key.
    pub(super) seed: u64,
    pub(super) shutdown_timeout: Duration,
    pub(super) chunks: Receiver<Chunk>,
    pub(super) empties: Sender<Chunk>,
    /// Told once, how many partitions there are, when records can be taken.
    pub(super) ready: Sender<usize>,
    /// Tokens for OAUTHBEARER, each in place of the one before it; the first is there if there are any.
    pub(super) tokens: Receiver<Secret>,
    /// What those who look want to know.
    pub(super) questions: Receiver<Question>,
    pub(super) stop: Stop,
    pub(super) stats: Arc<Stats>,
    pub(super) errors: Arc<ErrorSummary>,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct ProducerOutcome {
    /// Records that were generated and never sent.
    pub(super) unsent: u64,
    /// The last that was known of the client.
    pub(super) status: Status,
    /// Why it could not go on, if it could not.
    pub(super) fatal: Option<FatalError>,
}

/// Runs until the chunks' channel is disconnected and everything is answered or given up.
pub(super) fn run(inputs: ProducerInputs) -> ProducerOutcome {
    let (events_in, events) = bounded(LINK_EVENTS_MAX);
    let mut client = Client::new(inputs.config.clone(), inputs.seed, Instant::now());
    // Only SCRAM needs it, and only where there is SCRAM has the processor been checked. Without random numbers the client itself
    // says what it cannot do.
    if matches!(inputs.config.sasl, Some(Sasl::Scram(..)))
        && let Some(key) = crypto::random_key()
    {
        client.set_nonce_key(key);
    }
    if let Ok(token) = inputs.tokens.try_recv() {
        client.set_token(token);
    }
    let requests_max = inputs.config.max_in_flight + CONTROL_REQUESTS_MAX;
    Producer {
        client,
        links: HashMap::new(),
        leaving: Vec::new(),
        requests_max,
        events_in,
        events,
        chunk: None,
        chunks_ended: false,
        is_ready: false,
        recoveries: Recoveries::new(),
        give_up_at: None,
        outcome: ProducerOutcome {
            unsent: 0,
            status: Status::default(),
            fatal: None,
        },
        inputs,
    }
    .run()
}

/// A chunk that is being handed to the core, and how far.
struct Progress {
    chunk: Chunk,
    next: Place,
}

struct Producer {
    inputs: ProducerInputs,
    client: Client,
    links: HashMap<ConnectionId, Link>,
    /// Links that are closed and whose threads are still ending.
    leaving: Vec<Link>,
    requests_max: usize,
    events_in: Sender<LinkEvent>,
    events: Receiver<LinkEvent>,
    chunk: Option<Progress>,
    chunks_ended: bool,
    is_ready: bool,
    recoveries: Recoveries,
    /// When a shutdown that has begun gives up what is unsent.
    give_up_at: Option<Instant>,
    outcome: ProducerOutcome,
}

impl Producer {
    fn run(mut self) -> ProducerOutcome {
        loop {
            let now = Instant::now();
            // Whatever else is ready: chunks that keep coming must not put off what is due.
            self.handle_time(now);
            self.settle(now);
            if self.client.is_closed() {
                break;
            }
            if self.client.wants_records() && self.chunk.is_some() {
                self.push_chunk(now);
            } else {
                self.wait(now);
            }
        }
        self.finish()
    }

    /// Carries out what the core wants done, and passes on what it says.
    fn settle(&mut self, now: Instant) {
        let mut in_flight_changed = false;
        loop {
            if let Some(action) = self.client.poll_action(now) {
                in_flight_changed |= matches!(action, Action::Send { .. });
                self.act(action, now);
            } else if let Some(event) = self.client.poll_event() {
                in_flight_changed = true;
                self.tell(event, now);
            } else {
                break;
            }
        }
        if self.recoveries.due().is_some_and(|at| at <= now) {
            self.tell_recoveries(now);
        }
        // To count them walks all partitions. None is sent without an action, and none comes back without an event.
        if in_flight_changed {
            let in_flight = self.client.records_in_flight() as u64;
            self.inputs.stats.set_in_flight(in_flight);
        }
    }

    fn act(&mut self, action: Action, now: Instant) {
        match action {
            Action::Connect {
                connection,
                name,
                address,
                timeout,
            } => {
                let config = LinkConfig {
                    connection,
                    name,
                    address,
                    tls: self.inputs.config.tls.clone(),
                    connect_timeout: timeout,
                    requests_max: self.requests_max,
                };
                self.connect(config, now);
            }
            Action::Send { connection, frame } => {
                let Some(link) = self.links.get(&connection) else {
                    return;
                };
                // A link that has ended says why in its last event, which is on its way.
                if link.send(frame).is_err() && !link.has_ended() {
                    self.part(connection);
                    self.client.handle_closed(
                        connection,
                        "a connection's queue of requests is full",
                        now,
                    );
                }
            }
            Action::Close { connection } => self.part(connection),
        }
    }

    fn connect(&mut self, config: LinkConfig, now: Instant) {
        let connection = config.connection;
        match Link::open(config, self.events_in.clone()) {
            Ok(link) => {
                self.links.insert(connection, link);
            }
            Err(error) => {
                let reason = format!("cannot start the threads of a connection: {error}");
                self.client.handle_connect_failed(connection, &reason, now);
            }
        }
    }

    /// Lets go of a link; its threads are joined once they have ended.
    fn part(&mut self, connection: ConnectionId) {
        if let Some(link) = self.links.remove(&connection) {
            link.close();
            self.leaving.push(link);
        }
        let (ended, leaving) = std::mem::take(&mut self.leaving)
            .into_iter()
            .partition(Link::is_finished);
        self.leaving = leaving;
        join(ended);
    }

    /// Hands records to the core, until the chunk is empty or the core is full.
    fn push_chunk(&mut self, now: Instant) {
        let Some(Progress { chunk, next }) = &mut self.chunk else {
            return;
        };
        let mut records = chunk.records_from(*next);
        while let Some(record) = records.next() {
            let record = Record {
                key: record.key,
                value: record.value,
                timestamp_ms: record.timestamp_ms,
                due: record.due,
            };
            if self.client.push(&record, now).is_err() {
                return;
            }
            *next = records.place();
        }
        if let Some(Progress { chunk, .. }) = self.chunk.take() {
            // The generator may be gone: then nobody needs it.
            let _ = self.inputs.empties.try_send(chunk);
        }
    }

    fn wait(&mut self, now: Instant) {
        let takes_chunks =
            self.chunk.is_none() && !self.chunks_ended && self.client.wants_records();
        let nothing = never();
        let chunks = if takes_chunks {
            &self.inputs.chunks
        } else {
            &nothing
        };
        let stopping = self.give_up_at.is_some();
        let no_stop = never();
        let stop = if stopping {
            &no_stop
        } else {
            self.inputs.stop.receiver()
        };
        let urgent = if stopping {
            self.inputs.stop.urgent()
        } else {
            &no_stop
        };
        let deadlines = [
            self.client.poll_timeout(),
            self.give_up_at,
            self.recoveries.due(),
        ];
        let until = deadlines.into_iter().flatten().min();
        let timeout = until.map_or(WAIT_MAX, |at| at.saturating_duration_since(now));
        let full = self.client.full_because(now);
        let timeout = full.map_or(timeout, |_| timeout.min(FULL_TOLD));
        select! {
            recv(self.events) -> event => if let Ok(event) = event {
                self.handle(event);
            },
            recv(chunks) -> chunk => match chunk {
                Ok(chunk) => self.chunk = Some(Progress { chunk, next: Place::default() }),
                Err(_) => self.end_of_chunks(),
            },
            recv(self.inputs.tokens) -> token => match token {
                Ok(token) => self.client.set_token(token),
                Err(_) => self.inputs.tokens = never(),
            },
            recv(self.inputs.questions) -> question => match question {
                Ok(question) => self.answer(&question),
                Err(_) => self.inputs.questions = never(),
            },
            recv(stop) -> _ => self.begin_stop(),
            recv(urgent) -> _ => self.give_up(),
            default(timeout) => {}
        }
        if let Some(because) = full {
            let limit = match because {
                FullBecause::MemoryIsSmall => FullLimit::Buffer,
                FullBecause::BrokersAreSlow => FullLimit::Broker,
            };
            self.inputs.stats.add_buffer_full(limit, now.elapsed());
        }
    }

    fn handle(&mut self, event: LinkEvent) {
        let now = Instant::now();
        match event {
            LinkEvent::Connected { connection } => self.client.handle_connected(connection, now),
            LinkEvent::ConnectFailed {
                connection,
                reason,
                is_refusal: false,
            } => {
                self.client.handle_connect_failed(connection, &reason, now);
                self.part(connection);
            }
            LinkEvent::Frame { connection, frame } => {
                self.client.handle_frame(connection, &frame, now);
            }
            LinkEvent::Written {
                connection,
                correlation_id,
            } => {
                self.client.handle_written(connection, correlation_id, now);
            }
            LinkEvent::Closed {
                connection,
                reason,
                is_refusal: false,
            } => {
                self.client.handle_closed(connection, &reason, now);
                self.part(connection);
            }
            LinkEvent::ConnectFailed {
                connection, reason, ..
            }
            | LinkEvent::Closed {
                connection, reason, ..
            } => {
                self.client.handle_refused(connection, &reason, now);
                self.part(connection);
            }
        }
    }

    fn handle_time(&mut self, now: Instant) {
        self.client.handle_timeout(now);
        if self.give_up_at.is_some_and(|at| at <= now) {
            self.give_up();
        }
    }

    /// The generator is done: what is here is all there is.
    fn end_of_chunks(&mut self) {
        self.chunks_ended = true;
        let deadline = self
            .give_up_at
            .unwrap_or_else(|| Instant::now() + self.inputs.shutdown_timeout);
        self.client.close(deadline);
    }

    /// A stop has been asked for. The time for it begins now, even if the core is too full to see the channel's end.
    fn begin_stop(&mut self) {
        let now = Instant::now();
        self.give_up_at = Some(now + self.inputs.shutdown_timeout);
        if !self.is_ready {
            self.give_up();
        }
    }

    /// No more waiting: the core gives up at once what it has, and so does the channel.
    fn give_up(&mut self) {
        self.client.close(Instant::now());
    }

    /// Counts what never reached the core, and joins every link.
    fn finish(mut self) -> ProducerOutcome {
        if let Some(Progress { chunk, next }) = self.chunk.take() {
            self.outcome.unsent += (chunk.len() - next.records_before()) as u64;
        }
        // Ends with the generator, which a stop ends; without one the core would not have closed.
        for chunk in &self.inputs.chunks {
            self.outcome.unsent += chunk.len() as u64;
        }
        let now = Instant::now();
        self.settle(now);
        self.tell_recoveries(now);
        self.outcome.status = self.client.status(now);
        let connections: Vec<ConnectionId> = self.links.keys().copied().collect();
        for connection in connections {
            self.part(connection);
        }
        let leaving = std::mem::take(&mut self.leaving);
        join(leaving);
        self.outcome
    }
}

/// Waits until the threads of these links are gone.
fn join(links: Vec<Link>) {
    for link in links {
        if let Err(panic) = link.join() {
            log::error!(event = "error", kind = "defect"; "❌ {panic}");
        }
    }
}

#[cfg(test)]
mod tests;
