//! What a client is doing, for those who watch it: plain data that says nothing about what is to be done.
//!
//! A [`Status`] is made when someone asks and costs a walk over brokers and partitions; what is counted meanwhile costs a few
//! additions a request. Counters only grow. Nothing here decides anything.

use std::time::{Duration, Instant};

use super::partition::Partition;
use super::session::Session;
use super::trouble::{Reason, SAID_MIN};
use super::{Client, Phase};
use crate::kafka::config::HostPort;
use crate::kafka::wire::frame::RequestFrame;
use crate::kafka::wire::message::ApiKey;

/// Upper bounds in bytes, included, of the classes in which batches are counted by size; the last class has none.
pub const BATCH_SIZES: [u64; 9] = [
    1 << 8,
    1 << 10,
    1 << 12,
    1 << 14,
    1 << 16,
    1 << 18,
    1 << 20,
    1 << 22,
    1 << 24,
];

/// Everything at one instant.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Since the client began.
    pub counters: Counters,
    /// Bytes of records that are neither acknowledged nor failed.
    pub buffered_bytes: usize,
    /// By their ids; none before metadata has named them.
    pub brokers: Vec<BrokerStatus>,
    /// By their numbers; none before metadata has named them.
    pub partitions: Vec<PartitionStatus>,
}

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    requests: [u64; ApiKey::ALL.len()],
    batches_by_size: [u64; BATCH_SIZES.len() + 1],
    /// Bytes of batches that were sent, resent ones again.
    pub sent_bytes: u64,
    /// Records in batches that were sent again.
    pub retried: u64,
    /// Connections made to a node that had one before.
    pub reconnects: u64,
    /// Connections that could not be made, or ended while they were in use.
    pub connection_failures: u64,
}

impl Counters {
    /// Requests by what they ask for.
    pub fn requests(&self) -> impl Iterator<Item = (ApiKey, u64)> {
        ApiKey::ALL.into_iter().zip(self.requests)
    }

    /// Batches that were sent, resent ones again: how many in each class of [`BATCH_SIZES`], then those beyond.
    pub fn batches_by_size(&self) -> &[u64] {
        &self.batches_by_size
    }

    pub(super) fn sent(&mut self, frame: &RequestFrame) {
        let api = ApiKey::ALL
            .iter()
            .position(|api| Some(api.code()) == frame.api_key());
        if let Some(count) = api.and_then(|api| self.requests.get_mut(api)) {
            *count += 1;
        }
        for batch in &frame.batches {
            let bytes = batch.len() as u64;
            let class = BATCH_SIZES.partition_point(|&bound| bound < bytes);
            if let Some(count) = self.batches_by_size.get_mut(class) {
                *count += 1;
            }
            self.sent_bytes += bytes;
        }
    }
}

/// One broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerStatus {
    /// Its `node.id`.
    pub id: i32,
    /// Where it is said to be.
    pub address: HostPort,
    /// How it stands with the connection to it.
    pub connection: ConnectionStatus,
    /// Produce requests that it has not answered.
    pub requests_in_flight: usize,
    /// Why its last connection ended or could not be made, if none has worked since. One line.
    pub failure: Option<String>,
}

/// How it stands with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionStatus {
    /// There is none, and none is needed: no record waits for this broker.
    Idle,
    /// There is none though records wait for it; the next attempt is still to come.
    Lost,
    /// It is being made: TCP, TLS, versions, authentication.
    Connecting,
    /// It can be used.
    Ready,
    /// It stands, but an answer is late.
    Silent,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionStatus {
    /// Its number.
    pub index: i32,
    /// Which broker leads it, as far as is known.
    pub leader: Option<i32>,
    /// Records that wait to be sent, or to be sent again.
    pub waiting: usize,
    /// Records that were sent and not answered.
    pub in_flight: usize,
    /// Records that were acknowledged.
    pub acknowledged: u64,
    /// For how long the records that are here have been kept from being acknowledged, if there are any and that is longer than a
    /// second, and why, if it is known.
    pub trouble: Option<(Duration, Option<String>)>,
}

/// Why no more records are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FullBecause {
    /// Brokers would be sent more at once than the memory holds.
    MemoryIsSmall,
    /// Every broker has all that it may have at once, or something keeps it from taking more.
    BrokersAreSlow,
}

impl Client {
    /// How it stands now.
    pub fn status(&self, now: Instant) -> Status {
        let mut counters = self.counters.clone();
        counters.retried = self.partitions.iter().map(|p| p.retried).sum();
        let partitions = self.partitions.iter().take(self.partition_count);
        Status {
            counters,
            buffered_bytes: self.memory.used(),
            brokers: self.brokers(now),
            partitions: partitions.map(|p| self.partition(p, now)).collect(),
        }
    }

    /// Its own trouble, or that its leader does not answer, which is only doubted yet.
    fn partition(&self, partition: &Partition, now: Instant) -> PartitionStatus {
        let mut status = partition.status(now);
        if status.trouble.is_none()
            && !partition.is_empty()
            && let Some(leader) = partition.leader
            && let Some(since) = self.silent_since(leader, now)
        {
            let reason = format!("{} does not answer", self.cluster.describe(leader));
            status.trouble = Some((now.saturating_duration_since(since), Some(reason)));
        }
        status
    }

    /// Since when a broker has not answered, if that is late.
    fn silent_since(&self, node: i32, now: Instant) -> Option<Instant> {
        let connection = self.cluster.node(node)?.connection?;
        let session = self.sessions.get(&connection)?;
        session.silent_since().filter(|_| !session.answers(now))
    }

    fn brokers(&self, now: Instant) -> Vec<BrokerStatus> {
        let brokers = self.cluster.brokers().map(|(id, node)| {
            let session = node.connection.and_then(|c| self.sessions.get(&c));
            let wait_for_it = |p: &Partition| p.leader == Some(id) && !p.is_empty();
            let connection = match session {
                Some(session) => connection(session, now),
                None if self.partitions.iter().any(wait_for_it) => ConnectionStatus::Lost,
                None => ConnectionStatus::Idle,
            };
            BrokerStatus {
                id,
                address: node.address.clone(),
                connection,
                requests_in_flight: session.map_or(0, Session::produce_in_flight),
                failure: node.failure.as_ref().map(Reason::to_string),
            }
        });
        brokers.collect()
    }

    /// Why it takes no records, if that is for want of memory.
    pub fn full_because(&self, now: Instant) -> Option<FullBecause> {
        if self.phase != Phase::Running || self.wants_records() {
            return None;
        }
        let mut ready = self.sessions.values().filter(|session| session.is_ready());
        let takes_more = |session: &Session| {
            session.answers(now) && session.produce_in_flight() < self.config.max_in_flight
        };
        let all_take_more = ready.next().is_some_and(takes_more) && ready.all(takes_more);
        let in_trouble = |p: &Partition| !p.is_empty() && p.trouble().is_some();
        Some(
            if all_take_more && !self.partitions.iter().any(in_trouble) {
                FullBecause::MemoryIsSmall
            } else {
                FullBecause::BrokersAreSlow
            },
        )
    }
}

fn connection(session: &Session, now: Instant) -> ConnectionStatus {
    if !session.is_ready() {
        ConnectionStatus::Connecting
    } else if !session.answers(now) {
        ConnectionStatus::Silent
    } else {
        ConnectionStatus::Ready
    }
}

impl Partition {
    fn status(&self, now: Instant) -> PartitionStatus {
        let in_flight = self.records_unanswered();
        // The core remembers it until something is acknowledged again; without records it keeps nobody waiting.
        let trouble = self.trouble().filter(|_| !self.is_empty());
        let trouble = trouble.and_then(|trouble| {
            let lasted = now.saturating_duration_since(trouble.since);
            let reason = trouble.reason.as_ref().map(Reason::to_string);
            (lasted >= SAID_MIN).then_some((lasted, reason))
        });
        PartitionStatus {
            index: self.index,
            leader: self.leader,
            waiting: self.records() - in_flight,
            in_flight,
            acknowledged: self.acknowledged,
            trouble,
        }
    }
}
