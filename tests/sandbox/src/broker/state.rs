//! The cluster's state: nodes, topics with their logs and leaders, producer ids, faults, and what was noticed.
//!
//! One lock holds all of it, so that every node sees the same data at once: a perfectly replicated cluster. A partition
//! has a leader that is alive, or none (-1); its leader epoch grows with every change. Does no I/O.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use kafka_protocol::messages::ApiKey;
use uuid::Uuid;

use super::faults::Faults;
use super::log::PartitionLog;
use super::producer_state::Producers;
use super::sasl::scram::SaltedOf;
use crate::config::Config;
use crate::security::{Mechanism, ScramLie};
use crate::tls::Handshake;

/// The leader of a partition that has none.
pub(crate) const NO_LEADER: i32 = -1;
/// How many violations, refusals, handshakes and logins are kept.
const NOTES_MAX: usize = 10_000;
/// How many violations are printed; the rest is only counted.
const ANNOUNCED_MAX: u64 = 20;

/// What [`crate::Sandbox::wait_for`] looks at.
#[derive(Debug)]
pub struct State {
    pub(crate) nodes: Vec<Node>,
    pub(crate) topics: BTreeMap<String, Topic>,
    pub(crate) faults: Faults,
    pub(crate) next_producer_id: i64,
    /// A fault or a change of the cluster has happened: sequences may rightly be out of order from here on.
    pub(crate) disturbed: bool,
    /// By user. They may change while sessions last.
    pub(crate) passwords: HashMap<String, String>,
    pub(crate) scram_lie: Option<ScramLie>,
    pub(crate) salted: HashMap<SaltedOf, Vec<u8>>,
    pub(crate) denied_logins: u64,
    pub(crate) expired_sessions: u64,
    logins: Vec<Login>,
    announce: bool,
    violations: Vec<String>,
    violation_count: u64,
    refusals: Vec<Refused>,
    handshakes: Vec<Handshake>,
    requests: HashMap<i16, u64>,
    kept: Kept,
    topics_created: u128,
}

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: i32,
    pub(crate) port: u16,
    pub(crate) alive: bool,
    pub(crate) connections: usize,
    /// Grows with every kill: a connection that was accepted before is dead, whatever it still has to say.
    pub(crate) generation: u64,
}

/// One topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    pub(crate) partitions: Vec<Partition>,
}

/// One partition.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    pub(crate) leader: i32,
    pub(crate) leader_epoch: i32,
    pub(crate) log: PartitionLog,
    pub(crate) producers: Producers,
}

/// A batch that was answered with an error of the broker's own, not with an ordered one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The topic that was named.
    pub topic: String,
    /// The partition that was named.
    pub partition: i32,
    /// The error code answered.
    pub code: i16,
    /// Why.
    pub message: String,
}

/// A client that was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The node that it showed itself to.
    pub node: i32,
    /// How.
    pub mechanism: Mechanism,
    /// Who it is: the user, or the token's subject.
    pub user: String,
    /// Whether it had been let in before on the same connection (KIP-368).
    pub again: bool,
    /// SASL extensions (KIP-342), in the order in which they came.
    pub extensions: Vec<(String, String)>,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: usize,
    order: VecDeque<(Arc<str>, usize)>,
}

impl State {
    pub(crate) fn new(ports: &[u16], config: &Config) -> Self {
        let nodes = (1..).zip(ports).map(|(id, &port)| Node {
            id,
            port,
            alive: true,
            connections: 0,
            generation: 0,
        });
        let mut state = Self {
            nodes: nodes.collect(),
            topics: BTreeMap::new(),
            faults: Faults::default(),
            next_producer_id: 1000,
            disturbed: false,
            passwords: config.security.passwords(),
            scram_lie: None,
            salted: HashMap::new(),
            denied_logins: 0,
            expired_sessions: 0,
            logins: Vec::new(),
            announce: config.announce,
            violations: Vec::new(),
            violation_count: 0,
            refusals: Vec::new(),
            handshakes: Vec::new(),
            requests: HashMap::new(),
            kept: Kept::default(),
            topics_created: 0,
        };
        for (name, partitions) in &config.topics {
            state.create_topic(name, *partitions);
        }
        state
    }

    /// The names of the topics.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(String::as_str)
    }

    /// How many records a topic has ever taken; 0 for an unknown one.
    pub fn record_count(&self, topic: &str) -> u64 {
        self.partition_record_counts(topic).iter().sum()
    }

    /// The same, a partition each.
    pub fn partition_record_counts(&self, topic: &str) -> Vec<u64> {
        let partitions = self
            .topics
            .get(topic)
            .map_or(&[][..], |topic| &topic.partitions);
        partitions
            .iter()
            .map(|partition| partition.log.end_offset().cast_unsigned())
            .collect()
    }

    /// How many requests of an API have come, on all nodes, whatever became of them.
    pub fn requests(&self, api: ApiKey) -> u64 {
        self.requests.get(&(api as i16)).copied().unwrap_or(0)
    }

    /// How many connections are open, on all nodes.
    pub fn connections(&self) -> usize {
        self.nodes.iter().map(|node| node.connections).sum()
    }

    /// How many requests of an API the ordered faults are still waiting for.
    pub fn pending_faults(&self, api: ApiKey) -> usize {
        self.faults.pending(api)
    }

    /// The node that leads a partition; `None` if there is none, or no such partition.
    pub fn leader(&self, topic: &str, partition: usize) -> Option<i32> {
        let partition = self.topics.get(topic)?.partitions.get(partition)?;
        (partition.leader != NO_LEADER).then_some(partition.leader)
    }

    /// What no correct client ever does, in the order in which it was noticed.
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// How many there were, of which [`State::violations`] holds the first 10,000.
    pub fn violation_count(&self) -> u64 {
        self.violation_count
    }

    /// The batches that were not appended for a reason of the broker's own.
    pub fn refusals(&self) -> &[Refused] {
        &self.refusals
    }

    /// Every TLS handshake, in the order in which it ended, whether it came about or not.
    pub fn handshakes(&self) -> &[Handshake] {
        &self.handshakes
    }

    /// The clients that were let in by SASL, in order, re-authentications included.
    pub fn logins(&self) -> &[Login] {
        &self.logins
    }

    /// How often a client authenticated again on a connection that lived on.
    pub fn reauthentications(&self) -> usize {
        self.logins.iter().filter(|login| login.again).count()
    }

    /// How often a client was not let in.
    pub fn denied_logins(&self) -> u64 {
        self.denied_logins
    }

    /// How many connections were cut because a request came after the end of their session.
    pub fn expired_sessions(&self) -> u64 {
        self.expired_sessions
    }

    pub(crate) fn note_login(&mut self, login: Login) {
        if self.logins.len() < NOTES_MAX {
            self.logins.push(login);
        }
    }

    pub(crate) fn note_handshake(&mut self, handshake: Handshake) {
        if self.handshakes.len() < NOTES_MAX {
            self.handshakes.push(handshake);
        }
    }

    pub(crate) fn note_request(&mut self, api: ApiKey) {
        *self.requests.entry(api as i16).or_default() += 1;
    }

    pub(crate) fn note_violation(&mut self, message: String) {
        self.violation_count += 1;
        if self.announce && self.violation_count <= ANNOUNCED_MAX {
            eprintln!("sandbox: VIOLATION: {message}");
            if self.violation_count == ANNOUNCED_MAX {
                eprintln!("sandbox: further violations are only counted");
            }
        }
        if self.violations.len() < NOTES_MAX {
            self.violations.push(message);
        }
    }

    pub(crate) fn note_refusal(&mut self, refused: Refused) {
        if self.refusals.len() < NOTES_MAX {
            self.refusals.push(refused);
        }
    }

    pub(crate) fn node(&mut self, id: i32) -> Option<&mut Node> {
        self.nodes.iter_mut().find(|node| node.id == id)
    }

    pub(crate) fn is_alive(&self, id: i32, generation: u64) -> bool {
        self.nodes
            .iter()
            .any(|node| node.id == id && node.alive && node.generation == generation)
    }

    pub(crate) fn partition(&mut self, topic: &str, index: i32) -> Option<&mut Partition> {
        self.topics
            .get_mut(topic)?
            .partitions
            .get_mut(usize::try_from(index).ok()?)
    }

    /// Creates a topic unless it exists; leaders go round the living nodes.
    pub(crate) fn create_topic(&mut self, name: &str, partitions: usize) -> bool {
        if self.topics.contains_key(name) {
            return false;
        }
        let alive = self.alive();
        let leaders = alive
            .iter()
            .copied()
            .cycle()
            .chain(std::iter::repeat(NO_LEADER));
        let partitions = leaders
            .take(partitions)
            .map(|leader| Partition {
                leader,
                ..Partition::default()
            })
            .collect();
        self.topics_created += 1;
        // Any id will do that differs from every other; the nil one would say that there is none.
        let id = Uuid::from_u128((0x5a4d_b0c5 << 96) | self.topics_created);
        self.topics
            .insert(name.to_owned(), Topic { id, partitions });
        true
    }

    /// Remembers that a batch is kept, and drops the oldest ones while more than `limit` bytes are.
    pub(crate) fn keep(&mut self, topic: &Arc<str>, partition: usize, bytes: usize, limit: usize) {
        self.kept.bytes += bytes;
        self.kept.order.push_back((Arc::clone(topic), partition));
        while self.kept.bytes > limit {
            let Some((topic, partition)) = self.kept.order.pop_front() else {
                break;
            };
            let partition = self
                .topics
                .get_mut(&*topic)
                .and_then(|topic| topic.partitions.get_mut(partition));
            let dropped = partition.map_or(0, |partition| partition.log.drop_oldest());
            self.kept.bytes -= dropped.min(self.kept.bytes);
        }
    }

    /// Gives every partition without a living leader one, if any node lives.
    pub(crate) fn elect(&mut self) {
        let alive = self.alive();
        let mut candidates = alive.iter().copied().cycle();
        for partition in self
            .topics
            .values_mut()
            .flat_map(|topic| &mut topic.partitions)
        {
            if !alive.contains(&partition.leader) {
                partition.lead(candidates.next().unwrap_or(NO_LEADER));
            }
        }
    }

    /// The ids of the nodes that are alive.
    pub(crate) fn alive(&self) -> Vec<i32> {
        self.nodes
            .iter()
            .filter(|node| node.alive)
            .map(|node| node.id)
            .collect()
    }
}

impl Partition {
    /// Changes the leader, and with it the leader epoch.
    pub(crate) fn lead(&mut self, leader: i32) {
        if self.leader != leader {
            self.leader = leader;
            self.leader_epoch += 1;
        }
    }
}
