//! Which brokers there are, which of them can be asked, and when to ask anew.
//!
//! The configured addresses are nodes like any other, with negative ids; they are turned to while no broker is known, and
//! again when none of the known ones answers. Invariant: a node has at most one connection. This module never sends anything.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::event::ConnectionId;
use super::trouble::Reason;
use super::{CONNECT_TIMEOUT, CONNECT_TIMEOUT_MAX};
use crate::kafka::config::HostPort;

const RECONNECT_BACKOFF: Duration = Duration::from_millis(50);
const RECONNECT_BACKOFF_MAX: Duration = Duration::from_secs(1);
/// A broker that refuses who we are is tried ever more rarely: some lock an account after a few refusals.
const REFUSAL_BACKOFF: Duration = Duration::from_secs(1);
const REFUSAL_BACKOFF_MAX: Duration = Duration::from_secs(10);
const REFRESH_BACKOFF: Duration = Duration::from_millis(100);
const REFRESH_BACKOFF_MAX: Duration = Duration::from_secs(1);
/// How old metadata may grow (`metadata.max.age.ms`).
pub(super) const METADATA_AGE_MAX: Duration = Duration::from_secs(5 * 60);

/// A broker, or an address to begin with.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) address: HostPort,
    pub(super) connection: Option<ConnectionId>,
    /// How long its next connection may take.
    pub(super) setup: Backoff,
    /// Why its last connection ended or could not be made, if none has worked since.
    pub(super) failure: Option<Reason>,
    backoff: Backoff,
    /// How long it is left alone after the next refusal.
    refusals: Backoff,
    not_before: Option<Instant>,
    /// There was a connection to it before.
    pub(super) was_connected: bool,
}

impl Node {
    fn new(address: HostPort) -> Self {
        let backoff = Backoff::new(RECONNECT_BACKOFF, RECONNECT_BACKOFF_MAX);
        Self {
            address,
            connection: None,
            setup: Backoff::new(CONNECT_TIMEOUT, CONNECT_TIMEOUT_MAX),
            failure: None,
            refusals: Backoff::new(REFUSAL_BACKOFF, REFUSAL_BACKOFF_MAX),
            backoff,
            not_before: None,
            was_connected: false,
        }
    }

    /// Until when it is left alone after a failure, if that is still to come.
    pub(super) fn left_alone_until(&self, now: Instant) -> Option<Instant> {
        self.not_before.filter(|&at| at > now)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Cluster {
    nodes: BTreeMap<i32, Node>,
    pub(super) controller: Option<i32>,
    pub(super) refresh: Refresh,
}

impl Cluster {
    /// Knows nothing but where to begin, in an order of its own so that not every client begins at the same broker.
    pub(super) fn new(bootstrap: &[HostPort], rng: &mut fastrand::Rng) -> Self {
        let mut order: Vec<&HostPort> = bootstrap.iter().collect();
        rng.shuffle(&mut order);
        let nodes = (1..)
            .zip(order)
            .map(|(n, address): (i32, _)| (-n, Node::new(address.clone())))
            .collect();
        Self {
            nodes,
            controller: None,
            refresh: Refresh::new(),
        }
    }

    pub(super) fn node(&self, id: i32) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// Those that metadata has named, by their ids.
    pub(super) fn brokers(&self) -> impl Iterator<Item = (i32, &Node)> {
        self.nodes.range(0..).map(|(&id, node)| (id, node))
    }

    pub(super) fn node_mut(&mut self, id: i32) -> Option<&mut Node> {
        self.nodes.get_mut(&id)
    }

    /// What logs and threads call a node.
    pub(super) fn name(id: i32) -> String {
        if id < 0 {
            format!("bootstrap-{}", id.unsigned_abs())
        } else {
            format!("broker-{id}")
        }
    }

    /// Its name and where it is.
    pub(super) fn describe(&self, id: i32) -> String {
        let name = Self::name(id);
        self.node(id)
            .map_or(name.clone(), |node| format!("{name} ({})", node.address))
    }

    /// A broker that metadata named. `true` if its address has changed.
    pub(super) fn learn(&mut self, id: i32, address: HostPort) -> bool {
        let node = self
            .nodes
            .entry(id)
            .or_insert_with(|| Node::new(address.clone()));
        let changed = node.address != address;
        if changed {
            node.address = address;
            node.setup.reset();
            node.backoff.reset();
            node.not_before = None;
        }
        changed
    }

    /// Forgets brokers that metadata does not name any more, unless they are still connected.
    pub(super) fn retain(&mut self, named: impl Fn(i32) -> bool) {
        self.nodes
            .retain(|&id, node| id < 0 || named(id) || node.connection.is_some());
    }

    /// Forgets every broker: back to the configured addresses (KIP-1102).
    pub(super) fn forget_brokers(&mut self) {
        self.nodes.retain(|&id, _| id < 0);
        self.controller = None;
        self.refresh.want();
    }

    /// Someone to connect to for a question that any broker can answer: a known broker that has not failed, or else whoever was
    /// left alone for longest, the configured addresses included. Not whoever failed least: one that goes on failing after it
    /// seemed to work would keep the others from being tried.
    pub(super) fn anyone_to_connect(&self, now: Instant) -> Candidate {
        let unconnected = || {
            self.nodes
                .iter()
                .filter(|(_, node)| node.connection.is_none())
        };
        let healthy = unconnected().find(|&(&id, node)| id >= 0 && node.backoff.failures() == 0);
        if let Some((&id, _)) = healthy {
            return Candidate::Node(id);
        }
        let free = unconnected().filter(|(_, node)| node.left_alone_until(now).is_none());
        // Bootstrap ids count down from −1: the order of the shuffled list is that of falling ids.
        match free.min_by_key(|&(&id, node)| (node.not_before, std::cmp::Reverse(id))) {
            Some((&id, _)) => Candidate::Node(id),
            None => Candidate::NotBefore(
                unconnected()
                    .filter_map(|(_, node)| node.left_alone_until(now))
                    .min(),
            ),
        }
    }

    /// A connection to the node ended, or never began. `was_ready`: it had been of use.
    pub(super) fn disconnected(
        &mut self,
        id: i32,
        was_ready: bool,
        reason: Reason,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.connection = None;
            node.failure = Some(reason);
            if !was_ready {
                node.setup.after_failure(rng);
            }
            node.not_before = Some(now + node.backoff.after_failure(rng));
        }
    }

    /// The node does not believe who we are. Comes after [`Cluster::disconnected`].
    pub(super) fn refused(&mut self, id: i32, now: Instant, rng: &mut fastrand::Rng) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.not_before = Some(now + node.refusals.after_failure(rng));
        }
    }

    /// The connection to the node was closed by us, in peace.
    pub(super) fn parted(&mut self, id: i32) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.connection = None;
        }
    }

    /// The node answered.
    pub(super) fn works(&mut self, id: i32) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.failure = None;
            node.setup.reset();
            node.backoff.reset();
            node.refusals.reset();
        }
    }
}

/// What [`Cluster::anyone_to_connect`] finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Candidate {
    Node(i32),
    NotBefore(Option<Instant>),
}

/// When to ask for metadata.
#[derive(Debug)]
pub(super) struct Refresh {
    wanted: bool,
    asked_on: Option<ConnectionId>,
    known_at: Option<Instant>,
    not_before: Option<Instant>,
    backoff: Backoff,
}

impl Refresh {
    fn new() -> Self {
        let backoff = Backoff::new(REFRESH_BACKOFF, REFRESH_BACKOFF_MAX);
        Self {
            wanted: true,
            asked_on: None,
            known_at: None,
            not_before: None,
            backoff,
        }
    }

    /// What is known is in doubt.
    pub(super) fn want(&mut self) {
        self.wanted = true;
    }

    /// What is known is in doubt once it is so old. Returns when that will be, if it is not yet.
    pub(super) fn want_at_age(&mut self, age: Duration, now: Instant) -> Option<Instant> {
        let at = self.known_at.map(|known_at| known_at + age);
        let later = at.filter(|&at| at > now);
        self.wanted |= later.is_none();
        later
    }

    /// Whether an answer ever came.
    pub(super) fn was_answered(&self) -> bool {
        self.known_at.is_some()
    }

    /// The earliest instant to ask at; `None`: at once. Means nothing while an answer is awaited.
    fn earliest(&self) -> Option<Instant> {
        let aged = self
            .known_at
            .map(|at| at + METADATA_AGE_MAX)
            .filter(|_| !self.wanted);
        aged.max(self.not_before)
    }

    /// Whether to ask, and if not, from when on.
    pub(super) fn due(&self, now: Instant) -> Due {
        if let Some(connection) = self.asked_on {
            return Due::AwaitedOn(connection);
        }
        match self.earliest() {
            Some(at) if at > now => Due::At(at),
            _ => Due::Now,
        }
    }

    pub(super) fn asked(&mut self, connection: ConnectionId) {
        self.asked_on = Some(connection);
    }

    /// An answer came. If it leaves something open the next question follows, with backoff.
    pub(super) fn answered(&mut self, complete: bool, now: Instant, rng: &mut fastrand::Rng) {
        self.asked_on = None;
        self.known_at = Some(now);
        self.wanted = !complete;
        let wait = self.backoff.after_failure(rng);
        if complete {
            self.backoff.reset();
        }
        self.not_before = Some(now + wait);
    }

    /// A connection ended: the answer will not come on it.
    pub(super) fn disconnected(&mut self, connection: ConnectionId) {
        if self.asked_on == Some(connection) {
            self.asked_on = None;
        }
    }
}

/// What [`Refresh::due`] answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Now,
    At(Instant),
    AwaitedOn(ConnectionId),
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn address(host: &str) -> HostPort {
        HostPort {
            host: host.to_owned(),
            port: 9092,
        }
    }

    fn reason(now: Instant) -> Reason {
        Reason::words("refused", now)
    }

    fn cluster(bootstrap: &[&str]) -> (Cluster, fastrand::Rng) {
        let mut rng = fastrand::Rng::with_seed(1);
        let bootstrap: Vec<HostPort> = bootstrap.iter().map(|host| address(host)).collect();
        (Cluster::new(&bootstrap, &mut rng), rng)
    }

    #[test]
    fn every_configured_address_is_tried_before_one_is_tried_again() {
        let (mut cluster, mut rng) = cluster(&["a", "b", "c"]);
        let mut now = Instant::now();
        for _ in 0..3 {
            let mut tried = Vec::new();
            for _ in 0..3 {
                now += RECONNECT_BACKOFF_MAX * 2;
                let Candidate::Node(id) = cluster.anyone_to_connect(now) else {
                    unreachable!("all are free again");
                };
                tried.push(id);
                cluster.disconnected(id, false, reason(now), now, &mut rng);
            }
            assert_eq!(tried, [-1, -2, -3]);
        }
    }

    /// Tries one after the other for as long; how often each was tried.
    fn try_for(
        cluster: &mut Cluster,
        rng: &mut fastrand::Rng,
        long: Duration,
        try_one: impl Fn(&mut Cluster, i32, &mut fastrand::Rng, Instant) -> Duration,
    ) -> BTreeMap<i32, usize> {
        let begun = Instant::now();
        let (mut now, mut tried) = (begun, BTreeMap::new());
        while now < begun + long {
            match cluster.anyone_to_connect(now) {
                Candidate::Node(id) => {
                    *tried.entry(id).or_default() += 1;
                    now += try_one(cluster, id, rng, now);
                    cluster.disconnected(id, false, reason(now), now, rng);
                }
                Candidate::NotBefore(at) => now = at.unwrap(),
            }
        }
        tried
    }

    #[test]
    fn the_way_in_is_tried_as_often_as_each_of_many_brokers_that_are_gone_however_long() {
        let (mut cluster, mut rng) = cluster(&["a"]);
        for id in 1..=40 {
            cluster.learn(id, address("gone"));
        }
        let hour = Duration::from_secs(60 * 60);
        let tried = try_for(&mut cluster, &mut rng, hour, |_, _, _, _| {
            Duration::from_millis(100)
        });
        let (least, most) = (tried.values().min(), tried.values().max());
        assert_eq!(tried.len(), 41);
        assert!(most.unwrap() - least.unwrap() < 5, "{tried:?}");
    }

    #[test]
    fn brokers_that_only_negotiate_do_not_keep_the_way_in_from_being_tried() {
        let (mut cluster, mut rng) = cluster(&["a"]);
        cluster.learn(4, address("d"));
        cluster.learn(5, address("e"));
        let minute = Duration::from_secs(60);
        let tried = try_for(&mut cluster, &mut rng, minute, |cluster, id, _, _| {
            if id > 0 {
                cluster.works(id);
            }
            Duration::from_millis(100)
        });
        assert!(tried[&-1] > 30, "{tried:?}");
    }

    #[test]
    fn known_brokers_come_before_configured_addresses_until_they_fail() {
        let (mut cluster, mut rng) = cluster(&["a"]);
        let now = Instant::now();
        cluster.learn(4, address("d"));
        assert_eq!(cluster.anyone_to_connect(now), Candidate::Node(4));
        cluster.disconnected(4, false, reason(now), now, &mut rng);
        assert_eq!(cluster.anyone_to_connect(now), Candidate::Node(-1));
        cluster.node_mut(-1).unwrap().connection = Some(1);
        let Candidate::NotBefore(Some(at)) = cluster.anyone_to_connect(now) else {
            unreachable!("it failed just now");
        };
        assert!(at > now);
        assert_eq!(cluster.anyone_to_connect(at), Candidate::Node(4));
    }

    #[test]
    fn a_new_address_is_not_made_to_wait_for_the_old_ones_failures() {
        let (mut cluster, mut rng) = cluster(&["a"]);
        let now = Instant::now();
        cluster.learn(4, address("old"));
        cluster.disconnected(4, false, reason(now), now, &mut rng);
        cluster.learn(4, address("old"));
        assert!(cluster.node(4).unwrap().left_alone_until(now).is_some());
        cluster.learn(4, address("new"));
        assert_eq!(cluster.node(4).unwrap().left_alone_until(now), None);
        assert_eq!(cluster.describe(4), "broker-4 (new:9092)");
    }

    #[test]
    fn brokers_that_are_gone_are_forgotten_but_connected_ones_and_the_way_in_are_not() {
        let (mut cluster, _) = cluster(&["a"]);
        cluster.learn(4, address("d"));
        cluster.learn(5, address("e"));
        cluster.node_mut(5).unwrap().connection = Some(1);
        cluster.retain(|_| false);
        assert!(cluster.node(4).is_none() && cluster.node(5).is_some());
        cluster.forget_brokers();
        assert!(cluster.node(5).is_none() && cluster.node(-1).is_some());
    }

    #[test]
    fn metadata_is_asked_for_at_once_then_when_it_is_old_or_doubted_but_never_in_a_hurry() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut now = Instant::now();
        let mut refresh = Refresh::new();
        assert_eq!(refresh.due(now), Due::Now);
        refresh.asked(1);
        assert_eq!(refresh.due(now), Due::AwaitedOn(1));
        refresh.disconnected(2);
        assert_eq!(refresh.due(now), Due::AwaitedOn(1));
        refresh.disconnected(1);
        assert_eq!(refresh.due(now), Due::Now);
        refresh.answered(true, now, &mut rng);
        assert_eq!(refresh.due(now), Due::At(now + METADATA_AGE_MAX));
        refresh.want();
        let Due::At(soon) = refresh.due(now) else {
            unreachable!("an answer came just now");
        };
        assert!(soon > now && soon <= now + Duration::from_millis(120));
        // An answer that leaves something open: again and again, but ever more slowly.
        let mut asked = 0;
        let until = now + Duration::from_secs(60);
        while now < until {
            match refresh.due(now) {
                Due::At(at) => now = at,
                due => {
                    assert_eq!(due, Due::Now);
                    refresh.answered(false, now, &mut rng);
                    asked += 1;
                }
            }
        }
        assert!((50..90).contains(&asked), "{asked}");
    }
}
