//! What a broker's answer means, but for those to Produce (`produced`): which brokers, partitions and leaders there are, and
//! whether records can be taken.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cluster::METADATA_AGE_MAX;
use super::event::{ConnectionId, Event, FatalError};
use super::partition::Partition;
use super::sequence::ProducerIdentity;
use super::session::{Answer, SessionError};
use super::trouble::Reason;
use super::{Client, Phase, TopicCreation};
use crate::foreign::{is_showable, shown};
use crate::kafka::config::HostPort;
use crate::kafka::wire::ErrorCode;
use crate::kafka::wire::error_code::ProduceAction;
use crate::kafka::wire::message::{
    CreateTopicsResponse, InitProducerIdResponse, MetadataResponse, MetadataTopic,
};

/// How long a topic may be unknown at the start: a topic that was just created is not known to every broker at once.
const TOPIC_MISSING_MAX: Duration = Duration::from_secs(3);
/// How long to wait before asking again for a producer id.
const PRODUCER_ID_BACKOFF: Duration = Duration::from_millis(100);
/// How many leaders are connected to at the start, before there is a record for any of them: the others are when there is one.
const CONNECT_AHEAD_MAX: usize = 32;
/// The longest host name (RFC 1035).
const HOST_BYTES_MAX: usize = 255;
/// How many partitions a topic may have before we doubt the answer.
const PARTITIONS_MAX: usize = 100_000;

impl Client {
    pub(super) fn handle_answer(
        &mut self,
        connection: ConnectionId,
        node: i32,
        answer: Answer,
        now: Instant,
    ) -> Result<(), SessionError> {
        match answer {
            Answer::Negotiated => Ok(()),
            Answer::Authenticated(lifetime) => {
                if let (Some(lifetime), Some(session)) =
                    (lifetime, self.sessions.get_mut(&connection))
                {
                    session.renew_within(lifetime, &mut self.rng, now);
                }
                Ok(())
            }
            Answer::Next(frame) => {
                self.actions
                    .push_back(super::Action::Send { connection, frame });
                Ok(())
            }
            Answer::Metadata(response) => {
                self.handle_metadata(response, now);
                Ok(())
            }
            Answer::ProducerId(response) => self.handle_producer_id(&response, now),
            Answer::TopicCreated(response) => {
                self.handle_topic_created(response);
                Ok(())
            }
            Answer::Produced(sent, response) => self.handle_produced(node, sent, response, now),
        }
    }

    fn handle_metadata(&mut self, response: MetadataResponse, now: Instant) {
        for broker in &response.brokers {
            self.learn(broker.node_id, &broker.host, broker.port);
        }
        if !response.brokers.is_empty() {
            // Looked up, not searched: a peer may name hundreds of thousands.
            let named: BTreeSet<i32> = response.brokers.iter().map(|b| b.node_id).collect();
            self.cluster.retain(|id| named.contains(&id));
        }
        self.cluster.controller = Some(response.controller_id).filter(|&id| id >= 0);
        let ours =
            |topic: &MetadataTopic| topic.name.as_deref() == Some(self.config.topic.as_str());
        let complete = match response.topics.into_iter().find(ours) {
            Some(topic) => self.handle_topic(&topic, now),
            None => false,
        };
        self.cluster.refresh.answered(complete, now, &mut self.rng);
        if self
            .too_large_at
            .is_some_and(|at| now >= at + METADATA_AGE_MAX)
        {
            // The topic may take larger batches by now.
            self.too_large_at = None;
            self.rules.batch_size = self.config.batch_size;
        }
        self.begin_if_ready(now);
    }

    /// An address that no broker can have is not taken over: what needs it asks again.
    pub(super) fn learn(&mut self, node: i32, host: &str, port: i32) {
        let sane = (1..=HOST_BYTES_MAX).contains(&host.len()) && host.chars().all(is_showable);
        if let (true, 0.., Ok(port @ 1..)) = (sane, node, u16::try_from(port)) {
            let host = host.to_owned();
            if self.cluster.learn(node, HostPort { host, port }) {
                self.leave_old_address(node);
            }
        }
    }

    /// A connection that stands serves until it ends. One that is still being made would only be waited for.
    fn leave_old_address(&mut self, node: i32) {
        let connection = self.cluster.node(node).and_then(|node| node.connection);
        if let Some(connection) = connection
            && self
                .sessions
                .get(&connection)
                .is_some_and(|session| !session.is_ready())
        {
            self.part(connection);
        }
    }

    /// Takes over the topic's partitions. `false` if something about them is still open.
    fn handle_topic(&mut self, topic: &MetadataTopic, now: Instant) -> bool {
        match topic.error {
            ErrorCode::NONE => {}
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                self.topic_missing(now);
                return false;
            }
            code @ (ErrorCode::TOPIC_AUTHORIZATION_FAILED | ErrorCode::INVALID_TOPIC_EXCEPTION)
                if self.phase == Phase::Starting =>
            {
                self.fail(FatalError::TopicRefused {
                    topic: self.config.topic.clone(),
                    code,
                });
                return false;
            }
            code => {
                let message = format!("topic {}: {code}", self.config.topic);
                self.leaderless(&message, now);
                self.not_ready(code.to_string());
                self.warn("topic", message);
                return false;
            }
        }
        self.topic_missing_since = None;
        self.topic_creation = TopicCreation::NotWanted;
        if topic.partitions.is_empty() && self.partitions.is_empty() {
            self.not_ready("it has no partitions");
            let message = format!("topic {} has no partitions", self.config.topic);
            self.warn("topic", message);
        }
        let count = topic.partitions.len().min(PARTITIONS_MAX);
        for index in self.partitions.len()..count {
            self.partitions
                .push(Partition::new(i32::try_from(index).unwrap_or(i32::MAX)));
        }
        // Only of one and the same topic do leader epochs tell which answer is the newer: those of a topic that was made anew
        // begin at 0 again (KIP-320, KIP-516).
        let comparable = topic.id.is_some() && topic.id == self.topic_id;
        self.topic_id = topic.id.or(self.topic_id);
        // A topic never has fewer partitions than before, unless it was made anew. What waits for one that is gone waits until
        // the topic has it again, or the delivery timeout is over.
        if count > 0 && !(comparable && count < self.partition_count) {
            self.partition_count = count;
        }
        let known: Vec<Option<i32>> = self
            .partitions
            .iter_mut()
            .map(|partition| partition.leader.take())
            .collect();
        for told in &topic.partitions {
            let slot = usize::try_from(told.index).unwrap_or(usize::MAX);
            let (Some(partition), Some(&known)) = (self.partitions.get_mut(slot), known.get(slot))
            else {
                continue;
            };
            let is_outdated = (0..partition.leader_epoch).contains(&told.leader_epoch);
            let leader = if comparable && is_outdated {
                known
            } else {
                partition.leader_epoch = told.leader_epoch;
                Some(told.leader_id).filter(|&leader| leader >= 0)
            };
            // A leader without an address is of no use: another answer may have it.
            partition.leader = leader.filter(|&leader| self.cluster.node(leader).is_some());
            if partition.leader.is_none() && !partition.is_empty() {
                partition.troubled(Some(Reason::no_leader(told.error, now)), now);
            }
        }
        let end = self.partition_count.min(self.partitions.len());
        let (existing, gone) = self.partitions.split_at(end);
        // Without ids an answer with fewer partitions may just be an old one.
        let is_certain = topic.id.is_some() || gone.iter().all(Partition::is_empty);
        count > 0 && is_certain && existing.iter().all(|p| p.leader.is_some())
    }

    fn topic_missing(&mut self, now: Instant) {
        if self.phase != Phase::Starting {
            let message = format!("topic {} does not exist any more", self.config.topic);
            for partition in &mut self.partitions {
                partition.leader = None;
            }
            self.leaderless(&message, now);
            self.warn("topic", message);
            return;
        }
        // What keeps it from being created says more.
        if self.config.create_topic.is_none() || self.last_error.is_none() {
            self.not_ready("it does not exist");
        }
        if self.config.create_topic.is_some() {
            if self.topic_creation == TopicCreation::NotWanted {
                self.topic_creation = TopicCreation::Wanted;
            }
            return;
        }
        let since = *self.topic_missing_since.get_or_insert(now);
        if since + TOPIC_MISSING_MAX <= now {
            self.fail(FatalError::TopicMissing {
                topic: self.config.topic.clone(),
            });
        }
    }

    /// What keeps the client from being ready, in words that follow the topic's name, or the producer id's.
    fn not_ready(&mut self, why: impl Into<Arc<str>>) {
        if self.phase == Phase::Starting {
            self.last_error = Some(why.into());
        }
    }

    /// Why the partitions that have no leader have none.
    fn leaderless(&mut self, words: &str, now: Instant) {
        let words: Arc<str> = words.into();
        for partition in &mut self.partitions {
            if partition.leader.is_none() && !partition.is_empty() {
                let reason = Reason::words(Arc::clone(&words), now);
                partition.troubled(Some(reason), now);
            }
        }
        self.last_error = Some(words);
    }

    fn handle_topic_created(&mut self, response: CreateTopicsResponse) {
        let ours = response
            .topics
            .into_iter()
            .find(|topic| topic.name == self.config.topic);
        // Whatever the answer, metadata shows whether the topic is there; if not, it is asked for again.
        self.topic_creation = TopicCreation::NotWanted;
        self.cluster.refresh.want();
        let Some(created) = ours else { return };
        match created.error {
            ErrorCode::NONE | ErrorCode::TOPIC_ALREADY_EXISTS => {}
            code if is_retriable(code) => self.not_ready(format!("creating it: {code}")),
            code => self.fail(FatalError::TopicNotCreated {
                topic: self.config.topic.clone(),
                code,
                message: created.error_message.as_deref().map(shown),
            }),
        }
    }

    fn handle_producer_id(
        &mut self,
        response: &InitProducerIdResponse,
        now: Instant,
    ) -> Result<(), SessionError> {
        if self.identity.current.is_some() {
            // The late answer of a broker that was silent for so long that another was asked.
            return Ok(());
        }
        self.identity.asked_on = None;
        let (id, epoch) = (response.producer_id, response.producer_epoch);
        match response.error {
            // What is negative means none: a broker would take the batches for those of a producer without idempotence.
            ErrorCode::NONE if id < 0 || epoch < 0 => {
                self.identity.not_before = Some(now + PRODUCER_ID_BACKOFF);
                return Err(SessionError::Broken(format!(
                    "an answer with producer id {id}, epoch {epoch}, which no producer has"
                )));
            }
            ErrorCode::NONE => {
                self.identity.current = Some(ProducerIdentity { id, epoch });
                self.begin_if_ready(now);
            }
            code if is_retriable(code) => {
                // As long as the topic is not ready either, that is what there is to say.
                if !self.partitions.is_empty() {
                    self.not_ready(code.to_string());
                }
                self.identity.not_before = Some(now + PRODUCER_ID_BACKOFF);
                let message = format!("asking for a producer id: {code}");
                self.warn("producer id", message);
            }
            code => self.fail(FatalError::Refused {
                request: "a producer id (KAFKA_ENABLE_IDEMPOTENCE)",
                code,
            }),
        }
        Ok(())
    }

    /// Records can be taken once the topic is known and sequences can be given.
    fn begin_if_ready(&mut self, now: Instant) {
        let identified = self.identity.current.is_some() || !self.rules.idempotence;
        if self.phase != Phase::Starting || self.partitions.is_empty() || !identified {
            return;
        }
        self.phase = Phase::Running;
        self.last_error = None;
        self.events.push_back(Event::Ready {
            partitions: self.partitions.len(),
        });
        let leaders = self.partitions.iter().filter_map(|p| p.leader);
        let leaders: BTreeSet<i32> = leaders.collect();
        for leader in leaders.into_iter().take(CONNECT_AHEAD_MAX) {
            self.connected(leader, now);
        }
    }

    /// Back to the configured addresses (KIP-1102). The brokers' connections end: they would answer as before, and their
    /// numbers may soon mean other brokers.
    pub(super) fn rebootstrap(&mut self, now: Instant) {
        let to_brokers = self
            .sessions
            .iter()
            .filter(|(_, session)| session.node >= 0);
        let connections: Vec<ConnectionId> =
            to_brokers.map(|(&connection, _)| connection).collect();
        for connection in connections {
            self.break_off(connection, "begin anew from the configured servers", now);
        }
        self.cluster.forget_brokers();
        self.topic_id = None;
        for partition in &mut self.partitions {
            partition.leader = None;
        }
    }
}

/// Whether asking again may help, for requests other than Produce.
pub(super) fn is_retriable(code: ErrorCode) -> bool {
    matches!(
        code.produce_action(),
        ProduceAction::Retry | ProduceAction::RetryAfterRefresh
    ) || matches!(
        code,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            | ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::NOT_COORDINATOR
            | ErrorCode::NOT_CONTROLLER
            | ErrorCode::CONCURRENT_TRANSACTIONS
    )
}
