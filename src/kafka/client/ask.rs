//! Whom to ask, and whom to connect to.
//!
//! Metadata, the producer id and the topic's creation are asked of whoever is there; a connection is begun to whoever leads a
//! partition that has records, and to someone at all while nobody can be asked; never to more than
//! [`CONNECTIONS_MAX`] for the leaders' sake, whatever metadata says. Nothing here waits: what must wait sets the
//! wake-up.

use std::time::{Duration, Instant};

use super::cluster::{Candidate, Cluster, Due};
use super::drive::timeout_ms;
use super::event::{Action, ConnectionId};
use super::session::{ANSWER_PATIENCE, Session};
use super::{Client, TopicCreation};
use crate::kafka::wire::message::CreateTopicsRequest;

/// How long one candidate may take to connect before another is tried beside it.
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);
/// How many connections there may be; a leader beyond them is connected to when another connection has ended. No topic has so
/// many leaders, and a peer may name hundreds of thousands. Only while none of these answers is one more begun a second.
const CONNECTIONS_MAX: usize = 500;
/// How much longer than it was given an owner may take to say why a connection could not be made: it knows each address's
/// reason, where the client would only know that it took too long.
const CONNECT_GRACE: Duration = Duration::from_millis(500);

impl Client {
    /// Metadata, producer id, topic creation: asked of whoever is there.
    pub(super) fn ask(&mut self, now: Instant) {
        let mut unheard = false;
        match self.cluster.refresh.due(now) {
            Due::Now => unheard |= !self.ask_metadata(now),
            Due::At(at) => self.wake(at),
            Due::AwaitedOn(connection) => {
                unheard |= self.is_out_of_patience(connection, now) && !self.ask_metadata(now);
            }
        }
        if self.rules.idempotence && self.identity.current.is_none() {
            match (self.identity.asked_on, self.identity.not_before) {
                (Some(connection), _) => {
                    unheard |=
                        self.is_out_of_patience(connection, now) && !self.ask_producer_id(now);
                }
                (None, Some(at)) if at > now => self.wake(at),
                (None, _) => unheard |= !self.ask_producer_id(now),
            }
        }
        if unheard {
            self.connect_anyone(now);
        }
        if self.topic_creation == TopicCreation::Wanted {
            self.ask_create_topic(now);
        }
    }

    /// Whether a broker has not answered for so long that another is to be asked. If that is still to come, it wakes then.
    fn is_out_of_patience(&mut self, connection: ConnectionId, now: Instant) -> bool {
        let session = self.sessions.get(&connection);
        let Some(until) = session.and_then(Session::answers_until) else {
            return false;
        };
        if until > now {
            self.wake(until);
        }
        until <= now
    }

    /// The usable session with the least to do, of those that answer.
    fn anyone(&self, now: Instant, can: impl Fn(&Session) -> bool) -> Option<ConnectionId> {
        let usable = self
            .sessions
            .iter()
            .filter(|(_, session)| session.is_usable(now) && session.answers(now) && can(session));
        usable
            .min_by_key(|(_, session)| session.produce_in_flight())
            .map(|(&connection, _)| connection)
    }

    fn ask_metadata(&mut self, now: Instant) -> bool {
        let Some(connection) = self.anyone(now, |_| true) else {
            return false;
        };
        let Some(session) = self.sessions.get_mut(&connection) else {
            return false;
        };
        let Some(frame) = session.ask_metadata(&self.config.topic, now) else {
            return false;
        };
        self.cluster.refresh.asked(connection);
        self.wake(now + ANSWER_PATIENCE);
        self.actions.push_back(Action::Send { connection, frame });
        true
    }

    fn ask_producer_id(&mut self, now: Instant) -> bool {
        let Some(connection) = self.anyone(now, Session::can_init_producer_id) else {
            return false;
        };
        let Some(session) = self.sessions.get_mut(&connection) else {
            return false;
        };
        let Some(frame) = session.ask_producer_id(now) else {
            return false;
        };
        self.identity.asked_on = Some(connection);
        self.wake(now + ANSWER_PATIENCE);
        self.actions.push_back(Action::Send { connection, frame });
        true
    }

    fn ask_create_topic(&mut self, now: Instant) {
        let (Some(controller), Some(topic)) = (self.cluster.controller, self.config.create_topic)
        else {
            self.cluster.refresh.want();
            return;
        };
        let Some(connection) = self.connected(controller, now) else {
            return;
        };
        let request = CreateTopicsRequest {
            topic: &self.config.topic,
            partitions: topic.partitions,
            replication: topic.replication,
            timeout_ms: timeout_ms(self.config.request_timeout),
        };
        let Some(session) = self.sessions.get_mut(&connection) else {
            return;
        };
        if let Some(frame) = session.ask_create_topic(&request, now) {
            self.topic_creation = TopicCreation::AskedOn(connection);
            self.actions.push_back(Action::Send { connection, frame });
        }
    }

    /// Nobody can be asked: connect to someone, unless a connection, or its renewal, has just been begun.
    fn connect_anyone(&mut self, now: Instant) {
        let pending = self.sessions.values().filter_map(Session::pending_since);
        if let Some(begun) = pending.max()
            && begun + CONNECT_PATIENCE > now
        {
            return self.wake(begun + CONNECT_PATIENCE);
        }
        if let Some(until) = self
            .sessions
            .values()
            .filter_map(Session::quiet_until)
            .filter(|&at| at > now)
            .min()
        {
            self.wake(until);
        }
        match self.cluster.anyone_to_connect(now) {
            Candidate::Node(node) => {
                self.connect(node, now);
                self.wake(now + CONNECT_PATIENCE);
            }
            Candidate::NotBefore(Some(at)) => self.wake(at),
            Candidate::NotBefore(None) => {}
        }
    }

    /// Connects to whoever leads a partition that has records. One without a leader that works is in trouble.
    pub(super) fn connect_leaders(&mut self, now: Instant) {
        let mut needed: Vec<i32> = Vec::new();
        for partition in self.partitions.iter_mut().filter(|p| !p.is_empty()) {
            let leader = partition
                .leader
                .and_then(|leader| self.cluster.node(leader));
            if leader.is_none_or(|node| node.failure.is_some()) {
                partition.troubled(None, now);
            }
            needed.extend(partition.leader);
        }
        needed.sort_unstable();
        needed.dedup();
        for node in needed {
            self.connected(node, now);
        }
    }

    /// The usable connection to a node; if there is none yet, one is begun, or a wake-up set for when it may be.
    pub(super) fn connected(&mut self, node: i32, now: Instant) -> Option<ConnectionId> {
        let known = self.cluster.node(node)?;
        if let Some(connection) = known.connection {
            let session = self.sessions.get(&connection)?;
            if session.is_usable(now) {
                return Some(connection);
            }
            if let Some(until) = session.quiet_until().filter(|&until| until > now) {
                self.wake(until);
            }
            return None;
        }
        match known.left_alone_until(now) {
            Some(at) => self.wake(at),
            None if self.sessions.len() < CONNECTIONS_MAX => self.connect(node, now),
            // The end of one of them is an input.
            None => {}
        }
        None
    }

    fn connect(&mut self, id: i32, now: Instant) {
        let Some(node) = self.cluster.node_mut(id) else {
            return;
        };
        let connection = self.next_connection;
        self.next_connection += 1;
        node.connection = Some(connection);
        let address = node.address.clone();
        let timeout = node.setup.current(&mut self.rng);
        let session = Session::new(
            id,
            &self.config.client_id,
            self.config.compression,
            self.config.request_timeout,
            timeout + CONNECT_GRACE,
            now,
        );
        self.sessions.insert(connection, session);
        self.actions.push_back(Action::Connect {
            connection,
            name: Cluster::name(id),
            address,
            timeout,
        });
    }
}
