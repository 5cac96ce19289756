//! The client core and a network of one's own, in virtual time: what it asks is kept until somebody answers, soundly or not.
//! Shared with the fuzz targets.
//!
//! After every input it asserts what holds whatever the peer does: no loop, no wake-up in the past, lines that can be
//! printed, memory in proportion to what came, and at the end that every record is accounted for.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use continuous_producer::foreign::is_showable;
use continuous_producer::kafka::client::{Action, Client, ConnectionId, Event, Record};
use continuous_producer::kafka::config::{
    Acks, Compression, HostPort, Login, MessageKey, NewTopic, ProducerConfig, Sasl,
};
use continuous_producer::kafka::wire::frame::RequestFrame;
use continuous_producer::kafka::wire::message::ApiKey;
use continuous_producer::secret::Secret;

use super::samples::{TOPIC, answer};

/// What may happen at one instant before it is a loop.
const ROUNDS_MAX: usize = 1000;
/// A line of a log.
const LINE_CHARS_MAX: usize = 1000;
/// Handling a frame may cost this much for each of its bytes: decoding, and the brokers and partitions that it names.
const MEMORY_PER_BYTE_MAX: usize = 64;
/// Requests that follow, their batches among them.
const MEMORY_AT_LEAST: usize = 64 * 1024;

/// A request that waits for its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
}

impl Asked {
    fn read(frame: &RequestFrame) -> Self {
        let head = frame.skeleton.get(..12).unwrap();
        let api = i16::from_be_bytes([head[4], head[5]]);
        let api = [
            ApiKey::Produce,
            ApiKey::Metadata,
            ApiKey::ApiVersions,
            ApiKey::CreateTopics,
            ApiKey::InitProducerId,
            ApiKey::SaslHandshake,
            ApiKey::SaslAuthenticate,
        ]
        .into_iter()
        .find(|key| key.code() == api);
        Self {
            api: api.unwrap(),
            version: i16::from_be_bytes([head[6], head[7]]),
            correlation_id: frame.correlation_id,
        }
    }

    /// What a broker in good health says, with `code` where there is one.
    pub(crate) fn answer(self, code: i16) -> Vec<u8> {
        answer(self.api, self.version, self.correlation_id, code)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Link {
    pub(crate) is_connected: bool,
    /// Oldest first.
    pub(crate) asked: VecDeque<Asked>,
    /// Requests that are not yet reported as written.
    unwritten: Vec<i32>,
}

/// What has become of the records.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) pushed: usize,
    pub(crate) acknowledged: usize,
    pub(crate) failed: usize,
    pub(crate) abandoned: usize,
}

pub(crate) struct Rig {
    pub(crate) client: Client,
    pub(crate) now: Instant,
    pub(crate) links: BTreeMap<ConnectionId, Link>,
    /// Connections that the client closed.
    pub(crate) closed: Vec<ConnectionId>,
    pub(crate) ledger: Ledger,
    /// Warnings, failures and the fatal error, as their user reads them.
    pub(crate) lines: Vec<String>,
    pub(crate) is_fatal: bool,
}

impl Rig {
    /// A client that wants to connect, and to authenticate if it has a password.
    pub(crate) fn new(acks: Acks, password: Option<&str>, seed: u64) -> Self {
        let server = |host: &str| HostPort {
            host: host.to_owned(),
            port: 9092,
        };
        let config = ProducerConfig {
            bootstrap_servers: vec![server("one"), server("two")],
            topic: TOPIC.to_owned(),
            acks,
            idempotence: acks == Acks::All,
            compression: Compression::None,
            linger: Duration::ZERO,
            batch_size: 200,
            max_in_flight: 5,
            buffer_memory: 16 * 1024,
            delivery_timeout: Duration::from_secs(120),
            request_timeout: Duration::from_secs(30),
            client_id: "a-client".to_owned(),
            message_key: MessageKey::Id,
            create_topic: Some(NewTopic {
                partitions: 3,
                replication: -1,
            }),
            tls: None,
            sasl: password.map(|password| {
                Sasl::Plain(Login {
                    user: "a-user".to_owned(),
                    password: Secret::new(password.to_owned()),
                })
            }),
        };
        let now = Instant::now();
        let mut rig = Self {
            client: Client::new(config, seed, now),
            now,
            links: BTreeMap::new(),
            closed: Vec::new(),
            ledger: Ledger::default(),
            lines: Vec::new(),
            is_fatal: false,
        };
        rig.settle();
        rig
    }

    /// Takes what the client wants and says, until it has nothing more to say at this instant.
    pub(crate) fn settle(&mut self) {
        self.drain();
        if self.client.poll_timeout().is_some_and(|at| at <= self.now) {
            self.client.handle_timeout(self.now);
            self.drain();
            let next = self.client.poll_timeout();
            assert!(next.is_none_or(|at| at > self.now), "the client would spin");
        }
    }

    fn drain(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let Some(action) = self.client.poll_action(self.now) else {
                while let Some(event) = self.client.poll_event() {
                    self.note(&event);
                }
                return;
            };
            self.carry_out(action);
        }
        panic!("actions without end");
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Connect { connection, .. } => {
                let before = self.links.insert(connection, Link::default());
                assert!(before.is_none(), "connection {connection} is used twice");
            }
            Action::Send { connection, frame } => {
                let link = self.links.get_mut(&connection).unwrap();
                assert!(link.is_connected, "sent before the connection stands");
                link.asked.push_back(Asked::read(&frame));
                link.unwritten.push(frame.correlation_id);
            }
            Action::Close { connection } => {
                assert!(self.links.remove(&connection).is_some(), "closed twice");
                self.closed.push(connection);
            }
        }
    }

    fn note(&mut self, event: &Event) {
        assert!(!self.is_fatal, "after the fatal event: {event:?}");
        let line = match event {
            Event::Ready { .. } | Event::Recovered { .. } => None,
            Event::Acknowledged { records, .. } => {
                self.ledger.acknowledged += records;
                None
            }
            Event::Failed { records, error } => {
                self.ledger.failed += records;
                Some(error.to_string())
            }
            Event::Abandoned { unsent, unanswered } => {
                self.ledger.abandoned += unsent + unanswered;
                None
            }
            Event::Warning { message, .. } => Some(message.clone()),
            Event::Fatal(error) => {
                self.is_fatal = true;
                Some(error.to_string())
            }
        };
        if let Some(line) = line {
            let chars = line.chars().count();
            assert!((1..=LINE_CHARS_MAX).contains(&chars), "{chars} characters");
            assert!(line.chars().all(is_showable), "{line:?}");
            self.lines.push(line);
        }
    }

    /// Pushes a record; what the client does not want now is not pushed.
    pub(crate) fn push(&mut self, key: u32) {
        let record = Record {
            key: Some(&key.to_be_bytes()),
            value: b"a shoe",
            timestamp_ms: 1_700_000_000_000,
            due: self.now,
        };
        if self.client.push(&record, self.now).is_ok() {
            self.ledger.pushed += 1;
        }
        self.settle();
    }

    pub(crate) fn connect(&mut self, connection: ConnectionId) {
        if let Some(link) = self.links.get_mut(&connection)
            && !link.is_connected
        {
            link.is_connected = true;
            self.client.handle_connected(connection, self.now);
        }
        self.settle();
    }

    /// All that was sent has left.
    pub(crate) fn write(&mut self, connection: ConnectionId) {
        let link = self.links.get_mut(&connection);
        for id in link.map_or_else(Vec::new, |link| std::mem::take(&mut link.unwritten)) {
            self.client.handle_written(connection, id, self.now);
        }
        self.settle();
    }

    /// The peer sends a frame.
    pub(crate) fn frame(&mut self, connection: ConnectionId, frame: &[u8]) {
        if let Some(link) = self.links.get_mut(&connection) {
            link.asked.pop_front();
        }
        let mut first = None;
        let allocated = allocation_counter::measure(|| {
            self.client.handle_frame(connection, frame, self.now);
            first = self.client.poll_action(self.now);
        });
        if let Some(action) = first {
            self.carry_out(action);
        }
        let bytes_max = MEMORY_PER_BYTE_MAX * frame.len() + MEMORY_AT_LEAST;
        assert!(
            allocated.bytes_max <= bytes_max as u64,
            "{} bytes of memory for {}",
            allocated.bytes_max,
            frame.len()
        );
        self.settle();
    }

    /// The connection ends.
    pub(crate) fn cut(&mut self, connection: ConnectionId) {
        match self.links.remove(&connection) {
            Some(link) if link.is_connected => {
                self.client
                    .handle_closed(connection, "it is gone", self.now);
            }
            Some(_) => {
                self.client
                    .handle_connect_failed(connection, "it never was", self.now);
            }
            None => {}
        }
        self.settle();
    }

    /// The next wake-up, but no later than in `wait`.
    pub(crate) fn advance(&mut self, wait: Duration) {
        let until = self.now + wait;
        self.now = self.client.poll_timeout().map_or(until, |at| at.min(until));
        self.settle();
    }

    /// The connections on which such a request waits for its answer.
    pub(crate) fn awaiting(&self, api: ApiKey) -> Vec<ConnectionId> {
        let waits = |link: &Link| link.asked.front().is_some_and(|asked| asked.api == api);
        let links = self.links.iter().filter(|(_, link)| waits(link));
        links.map(|(&connection, _)| connection).collect()
    }

    /// Peers are in good health from here on, except that nobody answers `but`.
    pub(crate) fn serve(&mut self, but: Option<ApiKey>) {
        for _ in 0..ROUNDS_MAX {
            let open = |link: &Link| match link.asked.front() {
                None => !link.is_connected,
                Some(asked) => Some(asked.api) != but,
            };
            let next = self.links.iter().find(|(_, link)| open(link));
            let Some((&connection, link)) = next else {
                return;
            };
            match link.asked.front().copied() {
                None => self.connect(connection),
                Some(asked) => {
                    self.write(connection);
                    self.frame(connection, &asked.answer(0));
                }
            }
        }
        panic!("the client does not come to rest");
    }

    /// Ends the client at once, and asserts that no record is missing from the count.
    pub(crate) fn finish(&mut self) {
        if !self.client.is_closed() {
            self.client.close(self.now);
            self.settle();
        }
        assert!(self.client.is_closed());
        assert!(self.links.is_empty(), "a connection is left open");
        let Ledger {
            pushed,
            acknowledged,
            failed,
            abandoned,
        } = self.ledger;
        assert_eq!(pushed, acknowledged + failed + abandoned, "records");
        assert_eq!(self.client.buffered_bytes(), 0, "memory");
    }
}
