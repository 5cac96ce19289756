//! Who drives the client: carries out its actions, hands it what happens, and gives it records, as the producer thread does.
//!
//! Invariant: after every input all actions and events are taken, and the client is woken when it asked to be. A client that asks
//! to be woken at once, again and again, would spin: that fails the history.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use continuous_producer::kafka::client::{Action, Client, ConnectionId, Event, Record};
use continuous_producer::kafka::config::MessageKey;

use crate::plan::Plan;
use crate::time::{MS, Micros, SECOND};
use crate::world::{Happening, World};

/// What may be done at one instant before it is a loop.
const ACTIONS_MAX: usize = 10_000;
/// What a batch needs beside its records, and a client beside its limit: the headers of open and of halved batches.
const SLACK_BYTES: usize = 4_000;
/// Connections that may be begun: at once, and in each second of a history.
const CONNECTS_MAX: u64 = 100;
const CONNECTS_PER_SECOND_MAX: u64 = 20;
const DAY_MS: i64 = 86_400_000;

/// See the module.
pub(crate) struct Owner {
    pub(crate) client: Client,
    pub(crate) links: BTreeSet<ConnectionId>,
    /// Nothing reaches it before.
    pub(crate) frozen_until: Micros,
    wakes_at: Option<Micros>,
    pub(crate) ready: bool,
    pub(crate) fatal: bool,
    connects: u64,
}

impl Owner {
    pub(crate) fn new(plan: &Plan, seed: u64, base: Instant) -> Self {
        Self {
            client: Client::new(plan.client.clone(), seed, base),
            links: BTreeSet::new(),
            frozen_until: 0,
            wakes_at: None,
            ready: false,
            fatal: false,
            connects: 0,
        }
    }
}

impl World {
    pub(crate) fn owner_hears(&mut self, what: Happening) {
        let now = self.instant();
        let client = &mut self.owner.client;
        let linked = |links: &BTreeSet<ConnectionId>, connection| links.contains(connection);
        match what {
            Happening::Wake => {
                self.owner.wakes_at = None;
                if client.poll_timeout().is_some_and(|at| at <= now) {
                    client.handle_timeout(now);
                    self.settle();
                    let next = self.owner.client.poll_timeout();
                    assert!(next.is_none_or(|at| at > now), "the client spins");
                    return;
                }
            }
            Happening::Generate => self.generate(),
            Happening::Connected(id) if linked(&self.owner.links, &id) => {
                client.handle_connected(id, now);
            }
            Happening::ConnectFailed(id, reason) if self.owner.links.remove(&id) => {
                self.wire.gone(id);
                client.handle_connect_failed(id, reason, now);
            }
            Happening::Written(id, correlation) if linked(&self.owner.links, &id) => {
                self.wire.written(id, correlation);
                client.handle_written(id, correlation, now);
            }
            Happening::Frame(id, frame) if linked(&self.owner.links, &id) => {
                self.wire.answered(id, &frame, now);
                client.handle_frame(id, &frame, now);
            }
            Happening::Closed(id, reason) if self.owner.links.remove(&id) => {
                self.wire.gone(id);
                client.handle_closed(id, reason, now);
            }
            Happening::Close(patience) => {
                client.close(now + Duration::from_micros(patience));
                self.after(patience + MS, Happening::MustBeClosed);
            }
            _ => return,
        }
        self.settle();
    }

    /// Takes all actions and events, and arranges to be woken. What has happened is heard before what follows from it is done.
    pub(crate) fn settle(&mut self) {
        let now = self.instant();
        for _ in 0..ACTIONS_MAX {
            let action = self.owner.client.poll_action(now);
            while let Some(event) = self.owner.client.poll_event() {
                self.hear(event);
            }
            match action {
                Some(action) => self.act(action),
                None => return self.arrange(),
            }
        }
        panic!("actions and events without end");
    }

    fn arrange(&mut self) {
        let limit = self.plan.client.buffer_memory;
        let used = self.owner.client.buffered_bytes();
        assert!(
            used <= limit + SLACK_BYTES,
            "{used} bytes are buffered, {limit} allowed"
        );
        let wakes_at = self.owner.client.poll_timeout();
        self.wire.check(used, wakes_at);
        let Some(at) = wakes_at else {
            return;
        };
        let at = self.micros(at).max(self.now);
        if self.owner.wakes_at.is_none_or(|earlier| at < earlier) {
            self.owner.wakes_at = Some(at);
            self.at(at, Happening::Wake);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Connect {
                connection,
                address,
                timeout,
                ..
            } => {
                self.wire.begun(connection, self.instant() + timeout);
                assert!(
                    self.owner.links.insert(connection),
                    "a connection's number again"
                );
                self.owner.connects += 1;
                let allowed = CONNECTS_MAX + CONNECTS_PER_SECOND_MAX * (self.now / SECOND);
                assert!(self.owner.connects <= allowed, "a storm of connections");
                self.connect(connection, &address);
            }
            Action::Send { connection, frame } => {
                assert!(
                    self.owner.links.contains(&connection),
                    "sent on no connection"
                );
                self.send(connection, &frame);
            }
            Action::Close { connection } => {
                assert!(
                    self.owner.links.remove(&connection),
                    "closed what is closed"
                );
                self.wire.gone(connection);
                self.hang_up(connection);
            }
        }
    }

    fn hear(&mut self, event: Event) {
        assert!(!self.owner.fatal, "after the fatal event: {event:?}");
        self.note(|| format!("client: {}", summary(&event)));
        match event {
            Event::Ready { .. } => {
                assert!(!self.owner.ready, "ready twice");
                self.owner.ready = true;
            }
            Event::Acknowledged { records, due } => {
                let told: u32 = due.iter().map(|(_, count)| count).sum();
                assert_eq!(told as usize, records, "due times");
                let (base, now) = (self.base(), self.now);
                for (due, _) in due {
                    let number = (due - base).as_nanos();
                    let number = u64::try_from(number).unwrap();
                    self.check.acknowledge(number, now);
                    self.wire.acknowledged(number);
                }
            }
            Event::Failed { records, error } => {
                let now = self.now;
                self.count(error.kind());
                self.check.fail(records, &error, now);
                self.wire.failed(&error);
            }
            Event::Abandoned { unsent, unanswered } => self.check.abandon(unsent, unanswered),
            Event::Fatal(error) => {
                let quiet = self.plan.faults.is_empty() && self.plan.topic_exists;
                let expected = self.check.may_be_fatal || (!self.owner.ready && !quiet);
                assert!(expected, "gave up: {error}");
                self.owner.fatal = true;
                self.count("gave up");
            }
            Event::Recovered { .. } => self.count("leader back"),
            Event::Warning { .. } => {}
        }
    }

    fn generate(&mut self) {
        if self.owner.client.is_closed() {
            return;
        }
        let pause = self.rng.u64(0..=self.plan.pause);
        self.after(pause, Happening::Generate);
        let over = self.now > self.run_until + SECOND;
        if over || self.faults.generator_idle_until > self.now {
            return;
        }
        for _ in 0..self.rng.u64(0..=self.plan.burst) {
            if !self.owner.client.wants_records() || !self.push_one() {
                return;
            }
        }
    }

    /// The next record, unless there is no room for it.
    pub(crate) fn push_one(&mut self) -> bool {
        let number = self.check.next();
        let key = self.rng.u64(0..self.plan.keys).to_be_bytes();
        let keyed = self.plan.client.message_key == MessageKey::Id;
        let mut value = number.to_be_bytes().to_vec();
        value.resize(8 + self.rng.usize(0..=self.plan.padding), 0xAB);
        // The wall clock is stepped as it likes.
        let timestamp_ms = 1_700_000_000_000 + self.rng.i64(-DAY_MS..DAY_MS);
        let record = Record {
            key: keyed.then_some(&key[..]),
            value: &value,
            timestamp_ms,
            due: self.base() + Duration::from_nanos(number),
        };
        let now = self.instant();
        let taken = self.owner.client.push(&record, now).is_ok();
        if taken {
            let now = self.now;
            self.check.pushed(now);
        }
        taken
    }
}

fn summary(event: &Event) -> String {
    match event {
        Event::Acknowledged { records, .. } => format!("{records} records acknowledged"),
        Event::Failed { records, error } => format!("{records} records failed: {error}"),
        event => format!("{event:?}"),
    }
}
