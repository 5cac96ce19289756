//! The producer as a state machine.
//!
//! It has no socket, no clock, no thread and no randomness of its own: time is an argument, the seed is given, and the same
//! inputs give the same outputs. So a simulation can drive it through any history of a cluster, in virtual time.
//!
//! ```text
//!             push(record)                      poll_action() ─▶ Connect | Send | Close
//!   owner ──▶ handle_connected | _frame | … ──▶ poll_event()  ─▶ Acknowledged | Failed | Warning | Fatal
//!             handle_timeout, close             poll_timeout()
//! ```
//!
//! After every input the owner takes all actions and events, then waits for the next input, at most until `poll_timeout`.
//!
//! * `accumulator`: records become batches. `memory`: what they may take, and the buffers that go round in it.
//! * `partition`: the order of a partition's batches; **when a batch may be sent**.
//! * `sequence`: producer id, epoch, sequences. `partitioner`: which partition.
//! * `trouble`: what goes wrong, since when, and what it cost.
//! * `session`: one connection. `credentials`: who we say we are. `cluster`: which brokers there are.
//! * `drive`: what to do next. `ask`: whom to ask and to connect to. `produce`: which batches go out together.
//! * `answers`, `produced`: what an answer means.
//! * `identify`: when to authenticate anew, and what a refusal means.
//! * `status`: what is shown of all this.
//!
//! Invariant: every record that `push` took comes out exactly once, in [`Event::Acknowledged`], [`Event::Failed`] or
//! [`Event::Abandoned`].
//!
//! # When a batch may fail, and why nothing else may fail it
//!
//! With idempotence (KIP-98) an acknowledged record is in the log exactly once, and in order within its partition; a failed or
//! abandoned one is there at most once, and not behind what was sent after it. Without idempotence each comes out once too,
//! but a retry may write it twice: the three rules below do not hold, and a batch is halved whatever became of it before.
//!
//! The fate of a batch is **open** when an attempt ended and it may have been written: the connection ended, no answer came in
//! time, or the answer's code is not proof that nothing was appended (`ErrorCode::may_have_been_written`). Three rules:
//!
//! 1. It is sent again as it is: the same bytes under the same sequence. A broker knows the last five batches of a producer in
//!    a partition; it answers 0 or 46 if it has the batch now, 45 if it does not.
//! 2. Nothing goes out behind it, so that it stays among these five.
//! 3. No new sequence is given to it, not even if it is denied: by a leader that was deposed and does not know it yet, or while
//!    a request that was never answered is still to be carried out, that proves nothing. So before a new epoch (KIP-360,
//!    raised here, not asked for) or a new producer id begins, the broker is asked about every open batch of the partition
//!    under its old sequence, and what it does not know again fails.
//!
//! | a batch fails when | as | and it is in the log at most once, because |
//! | --- | --- | --- |
//! | its code says that no retry helps, or is unknown | [`Refused`](DeliveryError::Refused) | it is not sent again |
//! | it is too large (10) and cannot be halved | [`Refused`](DeliveryError::Refused) | 10 is sent before the append |
//! | either happens while its fate is open | [`OutcomeUnknown`](DeliveryError::OutcomeUnknown) | its halves would be other batches to the broker: it is not halved and not sent again |
//! | it is denied (45, 59), not only for want of one before it, or its epoch or id refused (47, 49), while its fate is open | [`OutcomeUnknown`](DeliveryError::OutcomeUnknown) | rule 3: it is not sent again |
//! | sequences begin anew after something behind it may have been written, which only a broker that forgot the producer does | [`Overtaken`](DeliveryError::Overtaken) | it is proven absent, and would come too late |
//! | `delivery.timeout.ms` is over since its first record, it is the oldest, and it is not on its way | [`TimedOut`](DeliveryError::TimedOut) | it is not sent again |
//! | it cannot be compressed | [`Unsealable`](DeliveryError::Unsealable) | it was never sent |
//! | the close's deadline comes, or a fatal error | [`Event::Abandoned`] | no connection is left |
//!
//! A batch that fails after it got a sequence leaves a hole: what was sent behind it is settled, nothing new goes out, and then
//! the epoch is raised. A batch is never failed by a count of retries, nor by anything that happens on the way to a broker:
//!
//! * a connection that ends, is silent, or is not made in time (KIP-601): another is made;
//! * a leader that moved: metadata says where to, or the answer itself does (KIP-951). An older leader epoch of the same topic
//!   id is not believed, for a leader of old times would not know what the new one has (KIP-320);
//! * a leader that is silent, frozen or cut off from the others: these are asked, and what it was sent goes to the leader that they
//!   name;
//! * brokers that are gone: the configured addresses are tried beside them as soon as nobody can be asked, so that KIP-899 and
//!   the five minutes of KIP-1102 need no rule of their own; code 129 goes back to them at once;
//! * a broker that speaks no version of ours, or does not believe who we are, once the client runs: it is left alone for a
//!   while, the others are used;
//! * a session that expires: the client authenticates anew before, while what is in flight stays in flight (KIP-368).
//!
//! What cannot be promised: that brokers keep what they acknowledged. A topic that is deleted, or an unclean election, takes
//! records with it. Nor that a request which a broker had taken off the socket is not carried out after sequences began anew
//! under another producer id: an epoch fences what is older, an id does not. What is given up by then may come to lie in the log,
//! once, behind what was sent after it.

mod accumulator;
mod answers;
mod ask;
mod backoff;
mod cluster;
mod credentials;
pub mod dialogue;
mod drive;
mod event;
mod identify;
mod memory;
mod partition;
mod partitioner;
mod produce;
mod produced;
mod sequence;
mod session;
pub mod status;
mod trouble;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use accumulator::{DueTimes, Record};
pub use event::{Action, ConnectionId, DeliveryError, Event, FatalError};
pub use identify::DEMANDS_SASL;

use cluster::Cluster;
use credentials::Credentials;
use memory::Memory;
use partition::{Partition, Pushed, Rules};
use partitioner::Sticky;
use sequence::ProducerIdentity;
use session::{Session, SessionError};
use status::Counters;

use super::config::ProducerConfig;
use super::sasl::Nonces;
use super::wire::compression::CompressionError;
use super::wire::message::TopicId;
use crate::secret::Secret;

/// How long a client looks for a usable broker before it gives up at the start.
pub const START_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a node's connection may take to be made, to settle versions and to authenticate
/// (`socket.connection.setup.timeout.ms`). It doubles with every failure of that node, up to [`CONNECT_TIMEOUT_MAX`], and is
/// jittered by 20 % (KIP-601).
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest time for that, before jitter (`socket.connection.setup.timeout.max.ms`).
pub const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(30);
/// What a record costs beside key and value, at most: lengths, deltas, header count and its due time.
const RECORD_OVERHEAD_BYTES_MAX: usize = 64;

/// The memory is full: the record was not taken. Push it again when [`Client::wants_records`] says so.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// A producer to one topic. See the module.
#[derive(Debug)]
pub struct Client {
    config: ProducerConfig,
    credentials: Credentials,
    rules: Rules,
    rng: fastrand::Rng,
    memory: Memory,
    /// Those that the topic has, and behind them those that it had before it was made anew with fewer.
    partitions: Vec<Partition>,
    /// How many the topic has.
    partition_count: usize,
    sticky: Sticky,
    cluster: Cluster,
    sessions: BTreeMap<ConnectionId, Session>,
    next_connection: ConnectionId,
    identity: Identity,
    phase: Phase,
    started: Instant,
    topic_missing_since: Option<Instant>,
    /// Which topic of this name it is, where brokers say.
    topic_id: Option<TopicId>,
    topic_creation: TopicCreation,
    /// When a batch was too large the last time, since when smaller ones are made.
    too_large_at: Option<Instant>,
    /// Bytes of a record that did not fit: batches leave without lingering until it does.
    refused_bytes: Option<usize>,
    /// Why nobody could be asked, or the topic not be found, the last time.
    last_error: Option<Arc<str>>,
    first_partition: usize,
    dirty: bool,
    wake_at: Option<Instant>,
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
    counters: Counters,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Looking for the topic, and for a producer id.
    Starting,
    Running,
    /// No more records; what is here is delivered, until the deadline.
    Closing {
        deadline: Instant,
    },
    Closed,
}

/// The producer id that partitions begin with.
#[derive(Debug, Default)]
struct Identity {
    current: Option<ProducerIdentity>,
    asked_on: Option<ConnectionId>,
    not_before: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq)]
enum TopicCreation {
    NotWanted,
    Wanted,
    AskedOn(ConnectionId),
}

impl Client {
    /// A client that will begin to connect at the first [`Client::poll_action`].
    pub fn new(mut config: ProducerConfig, seed: u64, now: Instant) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        Self {
            credentials: Credentials::new(config.sasl.take()),
            rules: Rules {
                idempotence: config.idempotence,
                compression: config.compression,
                batch_size: config.batch_size,
                linger: config.linger,
                delivery_timeout: config.delivery_timeout,
            },
            memory: Memory::new(config.buffer_memory),
            cluster: Cluster::new(&config.bootstrap_servers, &mut rng),
            rng,
            partitions: Vec::new(),
            partition_count: 0,
            sticky: Sticky::default(),
            sessions: BTreeMap::new(),
            next_connection: 1,
            identity: Identity::default(),
            phase: Phase::Starting,
            started: now,
            topic_missing_since: None,
            topic_id: None,
            topic_creation: TopicCreation::NotWanted,
            too_large_at: None,
            refused_bytes: None,
            last_error: None,
            first_partition: 0,
            dirty: true,
            wake_at: None,
            actions: VecDeque::new(),
            events: VecDeque::new(),
            counters: Counters::default(),
            config,
        }
    }

    /// What SCRAM's nonces are derived from, which must not be foreseen: from the operating system's random numbers. Without it
    /// no SCRAM authentication begins.
    pub fn set_nonce_key(&mut self, key: [u8; 32]) {
        self.credentials.set_nonces(Nonces::new(key));
    }

    /// The newest OAuth token: every authentication from now on begins with it. Sessions that stand go on. Until there is one,
    /// no connection comes to be used.
    pub fn set_token(&mut self, token: Secret) {
        self.credentials.set_token(token);
    }

    /// Whether [`Client::push`] makes sense: the topic is known, the client is not closing, and there is room.
    pub fn wants_records(&self) -> bool {
        self.phase == Phase::Running
            && self
                .memory
                .fits(self.refused_bytes.unwrap_or(RECORD_OVERHEAD_BYTES_MAX))
    }

    /// Bytes of records that are neither acknowledged nor failed.
    pub fn buffered_bytes(&self) -> usize {
        self.memory.used()
    }

    /// Records that were sent and not answered; not those that wait to be sent again.
    pub fn records_in_flight(&self) -> usize {
        self.partitions
            .iter()
            .map(Partition::records_unanswered)
            .sum()
    }

    /// Everything is answered or given up, and every connection is closed.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Takes a record.
    ///
    /// # Errors
    /// When the memory is full, or the client is not running.
    pub fn push(&mut self, record: &Record<'_>, now: Instant) -> Result<(), Full> {
        let bytes =
            record.key.map_or(0, <[u8]>::len) + record.value.len() + RECORD_OVERHEAD_BYTES_MAX;
        if self.phase != Phase::Running || !self.memory.fits(bytes) {
            self.dirty |= self.refused_bytes.is_none();
            self.refused_bytes = Some(bytes);
            return Err(Full);
        }
        self.refused_bytes = None;
        let slot = if let Some(key) = record.key {
            partitioner::by_key(key, self.partition_count)
        } else {
            let led = |slot: usize| {
                self.partitions
                    .get(slot)
                    .is_some_and(|p| p.leader.is_some())
            };
            self.sticky.choose(self.partition_count, led, &mut self.rng)
        };
        let Some(partition) = self.partitions.get_mut(slot) else {
            return Err(Full);
        };
        match partition.push(record, &self.rules, &mut self.memory, now) {
            Ok(Pushed::Joined) => {}
            Ok(Pushed::Opened) => self.dirty = true,
            Ok(Pushed::Completed) => {
                self.dirty = true;
                self.sticky.batch_left(slot);
            }
            Err((records, error)) => self.unsealable(records, &error),
        }
        Ok(())
    }

    fn unsealable(&mut self, records: usize, error: &CompressionError) {
        self.dirty = true;
        self.events.push_back(Event::Failed {
            records,
            error: DeliveryError::Unsealable(error.to_string()),
        });
    }

    /// A connection stands.
    pub fn handle_connected(&mut self, connection: ConnectionId, now: Instant) {
        self.dirty = true;
        if let Some(session) = self.sessions.get_mut(&connection) {
            let frame = session.handle_connected(now);
            if let Some(node) = self.cluster.node_mut(session.node) {
                let again = std::mem::replace(&mut node.was_connected, true);
                self.counters.reconnects += u64::from(again);
            }
            self.actions.push_back(Action::Send { connection, frame });
        }
    }

    /// A connection could not be made. `reason` is one line that says where to.
    pub fn handle_connect_failed(&mut self, connection: ConnectionId, reason: &str, now: Instant) {
        self.disconnected(connection, reason, now);
    }

    /// A request has been handed to the operating system.
    pub fn handle_written(&mut self, connection: ConnectionId, correlation_id: i32, now: Instant) {
        let Some(session) = self.sessions.get_mut(&connection) else {
            return;
        };
        let node = session.node;
        let unanswered = session.handle_written(correlation_id, now);
        if !unanswered.is_empty() {
            // With acks=0 there is no other sign that the broker is of use.
            self.cluster.works(node);
            self.dirty = true;
        }
        for (slot, id) in unanswered {
            self.acknowledge(slot, id, now);
        }
    }

    /// An answer has come: a frame without its length prefix.
    pub fn handle_frame(&mut self, connection: ConnectionId, frame: &[u8], now: Instant) {
        self.dirty = true;
        let Some(session) = self.sessions.get_mut(&connection) else {
            return;
        };
        let node = session.node;
        let outcome = match session.handle_frame(frame, &mut self.credentials, now) {
            Ok(answer) => {
                // Versions are told to everybody, also by a listener that hangs up at the next request.
                if answer.is_a_service() {
                    self.cluster.works(node);
                }
                self.handle_answer(connection, node, answer, now)
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => {}
            Err(SessionError::Broken(reason)) => self.break_off(connection, &reason, now),
            // One wrong broker among good ones, as while they are replaced one by one: the others are used.
            Err(SessionError::TooOld(reason)) if self.phase != Phase::Starting => {
                self.break_off(connection, &reason, now);
            }
            Err(SessionError::TooOld(reason)) => {
                let reason = format!("{} {reason}", self.cluster.describe(node));
                self.fail(FatalError::TooOld { reason });
            }
            Err(SessionError::Unauthenticated(error)) => {
                self.unauthenticated(connection, error, now);
            }
        }
    }

    /// A connection has ended. `reason` is one line that says which.
    pub fn handle_closed(&mut self, connection: ConnectionId, reason: &str, now: Instant) {
        match self.doubt_about(connection) {
            Some(doubt) => self.disconnected(connection, &format!("{reason}{doubt}"), now),
            None => self.disconnected(connection, reason, now),
        }
    }

    /// A connection could not be made, or has ended, because one side does not accept the other's certificate. `reason` is one
    /// line that says which and why.
    pub fn handle_refused(&mut self, connection: ConnectionId, reason: &str, now: Instant) {
        if self.phase == Phase::Starting && self.sessions.contains_key(&connection) {
            let reason = reason.to_owned();
            self.fail(FatalError::Untrusted { reason });
        } else {
            self.disconnected(connection, reason, now);
        }
    }

    /// The instant that [`Client::poll_timeout`] named has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.dirty |= self.wake_at.is_some_and(|at| at <= now);
    }

    /// No more records: everything that is here is delivered, or given up at the deadline. A later call may bring the
    /// deadline forward.
    pub fn close(&mut self, deadline: Instant) {
        self.dirty = true;
        match &mut self.phase {
            Phase::Starting | Phase::Running => self.phase = Phase::Closing { deadline },
            Phase::Closing { deadline: earlier } => *earlier = deadline.min(*earlier),
            Phase::Closed => {}
        }
    }

    /// What is to be done on the network. `None` only when nothing is left to do before [`Client::poll_timeout`]: one look may
    /// make another necessary, as when a producer id is found to be spent.
    pub fn poll_action(&mut self, now: Instant) -> Option<Action> {
        while self.actions.is_empty() && std::mem::take(&mut self.dirty) {
            self.drive(now);
        }
        let action = self.actions.pop_front();
        if let Some(Action::Send { frame, .. }) = &action {
            self.counters.sent(frame);
        }
        action
    }

    /// What has happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Takes the list of an [`Event::Acknowledged`] back, for another batch: who does so spares each batch an allocation.
    pub fn take_back(&mut self, due: DueTimes) {
        self.memory.give_due_times(due);
    }

    /// When to call [`Client::handle_timeout`], if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.wake_at
    }
}

#[cfg(test)]
mod tests;
