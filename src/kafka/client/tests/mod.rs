//! Tests of the client through its public interface, in virtual time.
//!
//! [`Rig`] plays owner and network: it carries requests to a [`FakeCluster`] and answers back without delay, unless a test
//! says otherwise, except for Produce requests, which wait for the test's word. It keeps the ledger of every record, and after
//! every step it checks that the client will not spin: once everything is drained, `poll_timeout` lies in the future; and that
//! it has not put off what nobody will wake it for.

mod broker;
mod brokers;
mod closing;
mod epochs;
mod errors;
mod fate;
mod network;
mod partition;
mod producing;
mod recovery;
mod sasl;
mod session;
mod starting;
mod status;
mod steady;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use kafka_protocol::messages::{ApiKey, ProduceResponse};

use self::broker::{Asked, FakeCluster};
use super::partitioner::by_key;
use super::{Action, Client, ConnectionId, Event, FatalError, Full, Record};
use crate::kafka::config::{Acks, Compression, HostPort, MessageKey, ProducerConfig};

pub(super) const TOPIC: &str = "shoes";
/// What the rig's actions may add up to at one instant before it is a loop.
const ROUNDS_MAX: usize = 1000;

const LINGER: Duration = Duration::from_millis(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(120);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn config() -> ProducerConfig {
    ProducerConfig {
        bootstrap_servers: vec![HostPort {
            host: "boot".to_owned(),
            port: 9092,
        }],
        topic: TOPIC.to_owned(),
        acks: Acks::All,
        idempotence: true,
        compression: Compression::None,
        linger: LINGER,
        batch_size: 1000,
        max_in_flight: 5,
        buffer_memory: 1 << 20,
        delivery_timeout: DELIVERY_TIMEOUT,
        request_timeout: REQUEST_TIMEOUT,
        client_id: "a-client".to_owned(),
        message_key: MessageKey::Id,
        create_topic: None,
        tls: None,
        sasl: None,
    }
}

/// What has become of the records.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Ledger {
    pushed: usize,
    acknowledged: usize,
    failed: usize,
    unsent: usize,
    unanswered: usize,
}

impl Ledger {
    fn settled(&self) -> usize {
        self.acknowledged + self.failed + self.unsent + self.unanswered
    }
}

struct Link {
    host: String,
    connected: bool,
    /// A request was left without an answer: so is all that follows, for answers come in order.
    hung: bool,
}

struct Rig {
    client: Client,
    now: Instant,
    cluster: FakeCluster,
    links: BTreeMap<ConnectionId, Link>,
    /// Hosts that refuse connections, with a reason.
    refusing: BTreeSet<String>,
    /// Hosts whose connections are never made.
    hanging: BTreeSet<String>,
    /// Every request, in order, but for Produce.
    asked: Vec<Asked>,
    /// Produce requests that wait for an answer.
    produces: Vec<Asked>,
    /// Produce requests that were sent and not answered, by connection and correlation id: what is asked behind them is
    /// answered behind them.
    unanswered: BTreeSet<(ConnectionId, i32)>,
    held: Vec<(ConnectionId, Vec<u8>)>,
    /// Whether requests are reported as written at once.
    writes: bool,
    events: Vec<Event>,
    ledger: Ledger,
    /// How often requests were carried out and answers back.
    round_trips: usize,
    connects: Vec<String>,
    connect_timeouts: Vec<Duration>,
    closes: Vec<String>,
}

impl Rig {
    fn new(config: ProducerConfig, cluster: FakeCluster) -> Self {
        let now = Instant::now();
        Self {
            client: Client::new(config, 1, now),
            now,
            cluster,
            links: BTreeMap::new(),
            refusing: BTreeSet::new(),
            hanging: BTreeSet::new(),
            asked: Vec::new(),
            produces: Vec::new(),
            unanswered: BTreeSet::new(),
            held: Vec::new(),
            writes: true,
            events: Vec::new(),
            ledger: Ledger::default(),
            round_trips: 0,
            connects: Vec::new(),
            connect_timeouts: Vec::new(),
            closes: Vec::new(),
        }
    }

    /// Started, with every leader connected.
    fn ready(config: ProducerConfig, cluster: FakeCluster) -> Self {
        let mut rig = Self::new(config, cluster);
        rig.settle();
        assert!(
            matches!(rig.events[..], [Event::Ready { .. }]),
            "{:?}",
            rig.events
        );
        rig.events.clear();
        rig
    }

    /// One broker, one partition, default settings.
    fn simple() -> Self {
        Self::ready(config(), FakeCluster::new(1, 1))
    }

    fn drain(&mut self) -> Vec<Action> {
        let actions: Vec<Action> = std::iter::from_fn(|| self.client.poll_action(self.now))
            .take(ROUNDS_MAX)
            .collect();
        assert!(actions.len() < ROUNDS_MAX, "actions without end");
        assert!(!self.client.dirty, "it has more to do, and does not say so");
        while let Some(event) = self.client.poll_event() {
            let over = self
                .events
                .iter()
                .any(|event| matches!(event, Event::Fatal(_)));
            assert!(!over, "after the fatal event: {event:?}");
            match &event {
                Event::Acknowledged { records, due } => {
                    let told: u32 = due.iter().map(|(_, count)| count).sum();
                    assert_eq!(told as usize, *records, "due times");
                    self.ledger.acknowledged += records;
                }
                Event::Failed { records, .. } => self.ledger.failed += records,
                Event::Abandoned { unsent, unanswered } => {
                    self.ledger.unsent += unsent;
                    self.ledger.unanswered += unanswered;
                }
                _ => {}
            }
            self.events.push(event);
        }
        actions
    }

    /// Carries what the client wants to the network, and answers back, until nothing moves at this instant.
    fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let actions = self.drain();
            if !actions.is_empty() {
                self.carry(actions);
            } else if self.client.poll_timeout().is_some_and(|at| at <= self.now) {
                self.client.handle_timeout(self.now);
                let actions = self.drain();
                assert!(
                    self.client.poll_timeout().is_none_or(|at| at > self.now),
                    "the client would spin"
                );
                self.carry(actions);
            } else {
                return;
            }
        }
        let connects = &self.connects[self.connects.len().saturating_sub(3)..];
        panic!("the client does not come to rest; last connections {connects:?}");
    }

    fn carry(&mut self, actions: Vec<Action>) {
        let mut answers = Vec::new();
        for action in actions {
            match action {
                Action::Connect {
                    connection,
                    address,
                    timeout,
                    ..
                } => {
                    let host = address.host;
                    self.connects.push(host.clone());
                    self.connect_timeouts.push(timeout);
                    if !self.hanging.contains(&host) {
                        answers.push((connection, None));
                    }
                    let link = Link {
                        host,
                        connected: false,
                        hung: false,
                    };
                    self.links.insert(connection, link);
                }
                Action::Send { connection, frame } => {
                    let link = self.links.get_mut(&connection).unwrap();
                    assert!(link.connected, "sent before the connection stands");
                    let asked = Asked::read(connection, &link.host, &frame);
                    drop(frame);
                    if let Some(server) = &mut self.cluster.sasl {
                        server.receive(&asked, self.now);
                    }
                    if self.writes {
                        let id = asked.correlation_id;
                        self.client.handle_written(connection, id, self.now);
                    }
                    if asked.api == ApiKey::Produce {
                        if asked.acks() != 0 {
                            self.unanswered.insert((connection, asked.correlation_id));
                            self.produces.push(asked);
                        }
                        continue;
                    }
                    if !link.hung {
                        let waits = self.unanswered.iter().any(|(on, _)| *on == connection);
                        match self.cluster.answer(&asked) {
                            Some(frame) if waits => self.held.push((connection, frame)),
                            Some(frame) => answers.push((connection, Some(frame))),
                            None => link.hung = true,
                        }
                    }
                    self.asked.push(asked);
                }
                Action::Close { connection } => {
                    let link = self.links.remove(&connection).expect("closed twice");
                    self.closes.push(link.host);
                    self.forget(connection);
                }
            }
        }
        self.round_trips += usize::from(answers.iter().any(|(_, frame)| frame.is_some()));
        for (connection, frame) in answers {
            let Some(link) = self.links.get_mut(&connection) else {
                continue;
            };
            if let Some(frame) = frame {
                self.client.handle_frame(connection, &frame, self.now);
            } else if self.refusing.contains(&link.host) {
                let reason = format!("connect to {}:9092 refused", link.host);
                self.links.remove(&connection);
                self.client
                    .handle_connect_failed(connection, &reason, self.now);
            } else {
                link.connected = true;
                self.client.handle_connected(connection, self.now);
            }
        }
    }

    /// Lets time pass, waking the client whenever it asked to be woken.
    fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        for _ in 0..100 * ROUNDS_MAX {
            self.settle();
            match self.client.poll_timeout() {
                Some(at) if at <= until => self.now = at,
                _ => {
                    self.now = until;
                    return;
                }
            }
        }
        panic!("woken without end");
    }

    /// Lets time pass until `done`; panics when it takes more than `limit`.
    fn advance_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) {
        let until = self.now + limit;
        loop {
            self.settle();
            if done(self) {
                return;
            }
            match self.client.poll_timeout() {
                Some(at) if at <= until => self.now = at,
                at => panic!(
                    "not within {limit:?}; next wake-up in {:?}; last events {:?}",
                    at.map(|at| at - self.now),
                    &self.events[self.events.len().saturating_sub(3)..]
                ),
            }
        }
    }

    fn push_keyed(&mut self, partition: usize, value: &str) -> Result<(), Full> {
        let partitions = self.cluster.leaders.len();
        let key = (0..u32::MAX)
            .map(u32::to_be_bytes)
            .find(|key| by_key(key, partitions) == partition)
            .unwrap();
        let record = Record {
            key: Some(&key),
            value: value.as_bytes(),
            timestamp_ms: 1_700_000_000_000,
            due: self.now,
        };
        self.client.push(&record, self.now)?;
        self.ledger.pushed += 1;
        Ok(())
    }

    /// Pushes to partition 0, and nothing else.
    fn push(&mut self, value: &str) {
        self.push_keyed(0, value).unwrap();
    }

    /// One batch: pushed, and past its linger.
    fn send(&mut self, values: &[&str]) {
        for value in values {
            self.push(value);
        }
        self.advance(LINGER);
        self.settle();
    }

    /// The Produce request that waits, and no other.
    fn take_produce(&mut self) -> Asked {
        assert_eq!(self.produces.len(), 1, "{:?}", self.produces);
        self.produces.remove(0)
    }

    /// Answers a request, and settles.
    fn answer(&mut self, asked: &Asked, response: &ProduceResponse) {
        let frame = asked.answer_with(asked.version, response);
        let connection = asked.connection;
        self.unanswered.remove(&(connection, asked.correlation_id));
        self.frame(connection, &frame);
        if self.unanswered.iter().all(|(on, _)| *on != connection) {
            let held = std::mem::take(&mut self.held).into_iter();
            let (now_free, still) = held.partition(|(on, _)| *on == connection);
            self.held = still;
            let now_free: Vec<(ConnectionId, Vec<u8>)> = now_free;
            for (connection, frame) in now_free {
                self.frame(connection, &frame);
            }
        }
    }

    /// What was on its way on a connection that is gone.
    fn forget(&mut self, connection: ConnectionId) {
        self.produces.retain(|asked| asked.connection != connection);
        self.unanswered.retain(|(on, _)| *on != connection);
        self.held.retain(|(on, _)| *on != connection);
    }

    fn frame(&mut self, connection: ConnectionId, frame: &[u8]) {
        self.client.handle_frame(connection, frame, self.now);
        self.settle();
    }

    /// Answers every batch of a request with a code.
    fn code(&mut self, asked: &Asked, code: i16) {
        self.answer(asked, &asked.produced(|_| code));
    }

    fn ack(&mut self, asked: &Asked) {
        self.code(asked, 0);
    }

    /// A first batch was sent and acknowledged: the window is open.
    fn warmed_up(mut self) -> Self {
        self.send(&["warm-up"]);
        let first = self.take_produce();
        self.ack(&first);
        assert_eq!(self.ledger.acknowledged, 1);
        self.events.clear();
        self
    }

    fn cut(&mut self, connection: ConnectionId) {
        let link = self.links.remove(&connection).unwrap();
        self.forget(connection);
        let reason = format!("{}: connection reset by peer", link.host);
        self.client.handle_closed(connection, &reason, self.now);
        self.settle();
    }

    /// Where connections to `host` are, in the order in which they were made.
    fn connections(&self, host: &str) -> Vec<ConnectionId> {
        let to = self.links.iter().filter(|(_, link)| link.host == host);
        to.map(|(&connection, _)| connection).collect()
    }

    fn fatal(&self) -> Option<&FatalError> {
        self.events.iter().find_map(|event| match event {
            Event::Fatal(error) => Some(error),
            _ => None,
        })
    }

    /// The lines of failed records, and of the fatal error.
    fn failures(&self) -> Vec<String> {
        let line = |event: &Event| match event {
            Event::Failed { error, .. } => Some(error.to_string()),
            Event::Fatal(error) => Some(error.to_string()),
            _ => None,
        };
        self.events.iter().filter_map(line).collect()
    }

    /// How often an API was asked for since the last call.
    fn count(&mut self, api: ApiKey) -> usize {
        let count = self.asked.iter().filter(|asked| asked.api == api).count();
        self.asked.retain(|asked| asked.api != api);
        count
    }
}
