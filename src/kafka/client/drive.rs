//! What to do next, looked at afresh after every input.
//!
//! Each step either acts or says through [`Client::wake`] at which instant it would; so `poll_timeout` is never earlier than
//! there is something to do, and an idle client does not wake at all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::{Action, ConnectionId, DeliveryError, Event, FatalError};
use super::partition::Abandoned;
use super::session::{ANSWER_PATIENCE, Session};
use super::trouble::Reason;
use super::{Client, Phase, START_TIMEOUT, TopicCreation};

/// A connection that nothing went over for so long is closed, before the broker does (`connections.max.idle.ms`).
const IDLE_MAX: Duration = Duration::from_secs(9 * 60);
/// That a connection ended which has been idle for longer is no news: many a network clears such connections away.
const IN_USE_MAX: Duration = Duration::from_secs(60);
/// After so long without an answer to a Produce request its broker is in trouble: nothing is done yet, but it is worth a line.
const SILENCE_SAID: Duration = Duration::from_secs(10);
/// While a broker that has records of ours is silent, the others are asked about leaders this often.
const SILENCE_METADATA_AGE: Duration = Duration::from_secs(1);

impl Client {
    pub(super) fn drive(&mut self, now: Instant) {
        self.wake_at = None;
        if self.phase == Phase::Closed {
            return;
        }
        self.check_deadlines(now);
        if self.phase == Phase::Closed {
            return;
        }
        self.check_sessions(now);
        self.renew_sessions(now);
        self.expire(now);
        if matches!(self.phase, Phase::Closing { .. })
            && self
                .partitions
                .iter()
                .all(super::partition::Partition::is_empty)
        {
            return self.shut();
        }
        self.leave_deposed(now);
        self.ask(now);
        self.connect_leaders(now);
        self.produce(now);
        // Last, so that what was begun just now counts too.
        self.tell_silence(now);
        if let Some(at) = self.sessions.values().filter_map(Session::deadline).min() {
            self.wake(at);
        }
    }

    pub(super) fn wake(&mut self, at: Instant) {
        self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// The start's deadline, and the close's.
    fn check_deadlines(&mut self, now: Instant) {
        match self.phase {
            Phase::Starting if self.started + START_TIMEOUT <= now => {
                let error = self.not_started();
                self.fail(error);
            }
            Phase::Starting => self.wake(self.started + START_TIMEOUT),
            Phase::Closing { deadline } if deadline <= now => self.abandon(),
            Phase::Closing { deadline } => self.wake(deadline),
            Phase::Running | Phase::Closed => {}
        }
    }

    /// What has kept the client from being ready.
    fn not_started(&self) -> FatalError {
        let seconds = START_TIMEOUT.as_secs();
        let last = self.last_error.as_deref().map(str::to_owned);
        if !self.cluster.refresh.was_answered() {
            return FatalError::Unreachable {
                tried: self.config.bootstrap_servers.clone(),
                seconds,
                last,
            };
        }
        if self.partitions.is_empty() {
            let topic = self.config.topic.clone();
            return FatalError::TopicNotReady {
                topic,
                seconds,
                last,
            };
        }
        let mut ready = self.sessions.values().filter(|session| session.is_ready());
        let none_can = ready.next().is_some_and(|first| {
            !first.can_init_producer_id() && !ready.any(Session::can_init_producer_id)
        });
        let unknown = "the brokers do not offer InitProducerId".to_owned();
        let last = if none_can { Some(unknown) } else { last };
        FatalError::NoProducerId { seconds, last }
    }

    /// Gives up every record.
    fn abandon(&mut self) {
        let mut all = Abandoned::default();
        for partition in &mut self.partitions {
            let Abandoned { unsent, unanswered } = partition.abandon(&mut self.memory);
            all.unsent += unsent;
            all.unanswered += unanswered;
        }
        if all != Abandoned::default() {
            self.events.push_back(Event::Abandoned {
                unsent: all.unsent,
                unanswered: all.unanswered,
            });
        }
    }

    /// The client cannot go on: everything is given up, and it is closed.
    pub(super) fn fail(&mut self, error: FatalError) {
        if self.phase != Phase::Closed {
            self.abandon();
            self.shut();
            self.events.push_back(Event::Fatal(error));
        }
    }

    fn shut(&mut self) {
        self.phase = Phase::Closed;
        self.wake_at = None;
        let connections = std::mem::take(&mut self.sessions).into_keys();
        self.actions
            .extend(connections.map(|connection| Action::Close { connection }));
    }

    fn check_sessions(&mut self, now: Instant) {
        let overdue: Vec<(ConnectionId, i32, String)> = self
            .sessions
            .iter()
            .filter_map(|(&connection, session)| {
                Some((connection, session.node, session.overdue(now)?))
            })
            .collect();
        for (connection, node, what) in overdue {
            let reason = format!("{}: {what}", self.cluster.describe(node));
            self.actions.push_back(Action::Close { connection });
            self.disconnected(connection, &reason, now);
        }
        let broker_usable = self
            .sessions
            .values()
            .any(|session| session.node >= 0 && session.is_usable(now) && session.answers(now));
        let idle: Vec<(ConnectionId, Instant)> = self
            .sessions
            .iter()
            .filter_map(|(&connection, session)| {
                let since = session.idle_since()?;
                // A configured address has done its work once a broker itself can be asked.
                let spent = session.node < 0 && broker_usable && self.phase == Phase::Running;
                Some((connection, if spent { now } else { since + IDLE_MAX }))
            })
            .collect();
        for (connection, until) in idle {
            if until <= now {
                self.part(connection);
            } else {
                self.wake(until);
            }
        }
    }

    /// A broker that has records of ours and says nothing may just be slow. It keeps its connection until the request timeout,
    /// but the records that wait for it are in trouble since they were sent.
    fn tell_silence(&mut self, now: Instant) {
        let (mut silent, mut next) = (Vec::new(), None);
        for session in self.sessions.values_mut() {
            let Some(since) = session.silent_since() else {
                continue;
            };
            // Once in doubt it is looked after by `leave_deposed`.
            let later = [since + ANSWER_PATIENCE, since + SILENCE_SAID];
            let later = later.into_iter().find(|&at| at > now);
            next = next.into_iter().chain(later).min();
            if later.is_none() && !session.silence_told {
                session.silence_told = true;
                silent.push((session.node, since));
            }
        }
        if let Some(at) = next {
            self.wake(at);
        }
        for (node, since) in silent {
            let message = format!(
                "{} has not answered for {} s",
                self.cluster.describe(node),
                SILENCE_SAID.as_secs()
            );
            let reason = Reason::words(message.as_str(), now);
            let theirs = self.partitions.iter_mut();
            for partition in theirs.filter(|p| p.leader == Some(node) && !p.is_empty()) {
                partition.troubled(Some(reason.clone()), since);
            }
            self.warn(format!("silence {node}"), message);
        }
    }

    /// A leader that is silent may be leader no more: it is frozen or cut off from the others, and cannot say so. They are asked,
    /// and once they name another leader for what was sent to it, nothing is waited for any longer. A broker that was deposed and
    /// is well says so itself, at once.
    fn leave_deposed(&mut self, now: Instant) {
        let (mut deposed, mut next) = (Vec::new(), None);
        for (&connection, session) in &self.sessions {
            let Some(silence) = session.silent_since().map(|since| now - since) else {
                continue;
            };
            if silence < ANSWER_PATIENCE {
                continue;
            }
            let mut unanswered = session.unanswered();
            if unanswered.any(|(slot, _)| self.is_led_by_another(slot, session.node)) {
                deposed.push((connection, session.node, silence));
            } else if let Some(at) = self.cluster.refresh.want_at_age(SILENCE_METADATA_AGE, now) {
                next = next.into_iter().chain([at]).min();
            }
        }
        if let Some(at) = next {
            self.wake(at);
        }
        for (connection, node, silence) in deposed {
            let reason = format!(
                "{} has not answered for {} s, and another broker leads what it was sent",
                self.cluster.describe(node),
                silence.as_secs()
            );
            self.actions.push_back(Action::Close { connection });
            self.disconnected(connection, &reason, now);
        }
    }

    fn is_led_by_another(&self, slot: usize, node: i32) -> bool {
        let leader = self
            .partitions
            .get(slot)
            .and_then(|partition| partition.leader);
        leader.is_some_and(|leader| leader != node)
    }

    /// Closes a connection on which no batch is in flight.
    pub(super) fn part(&mut self, connection: ConnectionId) {
        if let Some(session) = self.sessions.remove(&connection) {
            self.cluster.parted(session.node);
            self.cluster.refresh.disconnected(connection);
            self.actions.push_back(Action::Close { connection });
        }
    }

    /// Closes a connection whose peer broke the protocol. That is always worth a line.
    pub(super) fn break_off(&mut self, connection: ConnectionId, what: &str, now: Instant) {
        let Some(session) = self.sessions.get(&connection) else {
            return;
        };
        let reason = format!("{}: {what}", self.cluster.describe(session.node));
        if !is_in_use(session, now) {
            self.warn("connection", reason.clone());
        }
        self.actions.push_back(Action::Close { connection });
        self.disconnected(connection, &reason, now);
    }

    /// A connection is gone. What was sent on it and not answered may or may not have been written: it is sent again, the
    /// same bytes with the same sequence.
    pub(super) fn disconnected(&mut self, connection: ConnectionId, reason: &str, now: Instant) {
        let Some(session) = self.sessions.remove(&connection) else {
            return;
        };
        self.dirty = true;
        let words: Arc<str> = reason.into();
        let why = Reason::words(Arc::clone(&words), now);
        self.cluster.disconnected(
            session.node,
            session.is_ready(),
            why.clone(),
            now,
            &mut self.rng,
        );
        self.cluster.refresh.disconnected(connection);
        self.cluster.refresh.want();
        if self.identity.asked_on == Some(connection) {
            self.identity.asked_on = None;
        }
        if self.topic_creation == TopicCreation::AskedOn(connection) {
            self.topic_creation = TopicCreation::Wanted;
        }
        // A lost connection must not hide why the next one cannot be made, nor one broker's trouble another's. A broker is known
        // by its address: a configured one may be one that metadata names.
        let stage = if session.is_connecting() {
            "connecting"
        } else {
            "connection"
        };
        let address = self.cluster.node(session.node).map(|node| &node.address);
        let kind = address.map_or(stage.to_owned(), |address| format!("{stage} {address}"));
        let was_in_use = is_in_use(&session, now);
        for (slot, id) in session.unanswered() {
            self.unanswered(slot, id, now);
            if let Some(partition) = self.partitions.get_mut(slot) {
                partition.troubled(Some(why.clone()), now);
            }
        }
        self.last_error = Some(words);
        if was_in_use {
            self.counters.connection_failures += 1;
            self.warn(kind, reason.to_owned());
        }
    }

    pub(super) fn warn(&mut self, kind: impl Into<String>, message: String) {
        let kind = kind.into();
        self.events.push_back(Event::Warning { kind, message });
    }

    fn expire(&mut self, now: Instant) {
        let nobody_answers = !self.sessions.values().any(Session::is_ready);
        for partition in &mut self.partitions {
            while let Some((records, attempts)) =
                partition.expire(&self.rules, &mut self.memory, now)
            {
                let of_the_leader = partition
                    .leader
                    .and_then(|leader| self.cluster.node(leader)?.failure.as_ref());
                let last = match (partition.leader, &self.last_error) {
                    (None, Some(words)) if nobody_answers => Some(words.as_ref().to_owned()),
                    _ => Reason::newer(partition.reason(), of_the_leader).map(Reason::to_string),
                };
                let error = DeliveryError::TimedOut {
                    partition: partition.index,
                    attempts,
                    last,
                };
                self.events.push_back(Event::Failed { records, error });
                // So long without a leader: an epoch that no metadata ever reaches may have been a mistake.
                if partition.leader.is_none() {
                    partition.leader_epoch = -1;
                }
            }
        }
        if let Some(at) = self
            .partitions
            .iter()
            .filter_map(|p| p.expires_at(&self.rules))
            .min()
        {
            self.wake(at);
        }
    }
}

/// Something is in flight, or was a short while ago.
fn is_in_use(session: &Session, now: Instant) -> bool {
    let since = session.idle_since();
    since.is_none_or(|since| now < since + IN_USE_MAX)
}

pub(super) fn timeout_ms(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX)
}
