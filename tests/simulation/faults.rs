//! What goes wrong, and how it is healed.
//!
//! A fault is drawn among the kinds that the plan allows. Some break something and schedule its repair; others are orders that
//! brokers carry out with the next requests. [`World::heal`] undoes all of them.

use crate::cluster::{Door, Node, PartitionId, State};
use crate::damage::Repair;
use crate::plan::one_of;
use crate::time::{MINUTE, Micros, SECOND};
use crate::world::{Happening, World};

/// Codes that fail a batch.
pub(crate) const REFUSALS: &[i16] = &[-1, 17, 18, 21, 29, 32, 42, 76, 87, 4711];

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $share:literal,)*) => {
        /// A kind of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            pub(crate) const ALL: &[Kind] = &[$(Kind::$kind,)*];

            /// In how many histories of a hundred it may occur.
            pub(crate) fn share(self) -> u8 {
                match self {
                    $(Kind::$kind => $share,)*
                }
            }

            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Kind::$kind => stringify!($kind),)*
                }
            }
        }
    };
}

kinds! {
    /// A broker's process ends, or its machine: then nobody tells the clients. It comes back.
    Crash: 40,
    /// All brokers at once.
    CrashAll: 15,
    /// A broker is stopped and goes on later.
    Freeze: 30,
    /// Another replica leads; the old leader learns of it later.
    MoveLeader: 50,
    /// A follower falls behind and is not in sync for a while.
    Lag: 25,
    /// An established connection ends.
    Cut: 40,
    /// An established connection carries nothing any more, and does not end.
    Silence: 20,
    /// A broker does not read for a while.
    Block: 20,
    /// What a broker answers takes long to arrive.
    Delay: 20,
    /// New connections are refused.
    Refuse: 20,
    /// New connections are never made.
    Hang: 20,
    /// A retriable error before the write.
    Retriable: 40,
    /// An error that fails the batch.
    Refusal: 20,
    /// `MESSAGE_TOO_LARGE`.
    TooLarge: 20,
    /// The broker denies the sequence, epoch or producer id.
    Fencing: 25,
    /// An error although the batch was written.
    AfterWrite: 40,
    /// An answer, or the connection before it, is lost.
    LoseAnswer: 40,
    /// An answer is cut short, lengthened, or has the wrong correlation id.
    SpoilAnswer: 15,
    /// An answer lacks a partition.
    MissingPartition: 15,
    /// Quotas.
    Throttle: 15,
    /// `ApiVersions` is answered with `UNSUPPORTED_VERSION`.
    Negotiation: 10,
    /// `ApiVersions` is answered with another error.
    NegotiationCode: 10,
    /// The password is refused: it is being changed.
    Password: 10,
    /// `CreateTopics` is answered with a retriable error, whether or not the topic was made.
    Creation: 20,
    /// Metadata without leaders or with errors.
    Metadata: 25,
    /// The coordinator of producer ids has trouble.
    ProducerIds: 10,
    /// The topic is deleted, and made anew later.
    Recreate: 10,
    /// The topic gets another partition.
    Grow: 10,
    /// Every broker is replaced: other ids, other hosts.
    ReplaceAll: 12,
    /// Every broker gets another host name.
    Readdress: 10,
    /// Retention removes what is old.
    Retention: 15,
    /// Brokers forget the producers of which nothing is open (`producer.id.expiration.ms`), and the next batch is not taken.
    Forget: 25,
    /// A replica that is not in sync may lead.
    Unclean: 10,
    /// The client's machine stands still: all its timers are late.
    ClientFreeze: 15,
    /// Nothing is produced for so long that connections idle out.
    Idle: 10,
    /// `CLUSTER_AUTHORIZATION_FAILED`: the client cannot go on.
    Unauthorized: 2,
}

/// Orders to the brokers.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) codes_before_write: Vec<i16>,
    pub(crate) codes_after_write: Vec<i16>,
    pub(crate) metadata_codes: Vec<i16>,
    pub(crate) producer_id_codes: Vec<i16>,
    pub(crate) negotiation_codes: Vec<i16>,
    pub(crate) creation_codes: Vec<i16>,
    pub(crate) answers_lost: u32,
    pub(crate) answers_spoiled: u32,
    pub(crate) partitions_missing: u32,
    pub(crate) negotiations_refused: u32,
    pub(crate) passwords_refused: u32,
    pub(crate) throttled: u32,
    pub(crate) generator_idle_until: Micros,
}

impl World {
    /// Something goes wrong, and the next thing is scheduled.
    pub(crate) fn strike(&mut self) {
        if self.calm || self.owner.client.is_closed() {
            return;
        }
        // While nothing is produced, little happens.
        let idle = self.faults.generator_idle_until > self.now;
        let pause = self.plan.fault_pause * if idle { 100 } else { 2 };
        let pause = self.rng.u64(0..pause);
        self.after(pause, Happening::Fault);
        let kinds: Vec<Kind> = self.plan.faults.iter().copied().collect();
        if let Some(kind) = self.rng.choice(kinds) {
            self.count(kind.name());
            self.note(|| format!("FAULT {}", kind.name()));
            self.cause(kind);
        }
    }

    fn some_node(&mut self) -> i32 {
        let doors = self.cluster.doors();
        self.rng.choice(doors).unwrap()
    }

    /// A short while mostly, a long one sometimes.
    pub(crate) fn a_while(&mut self) -> Micros {
        if self.rng.u8(0..8) == 0 {
            self.rng.u64(0..90 * SECOND)
        } else {
            self.rng.u64(0..6 * SECOND)
        }
    }

    pub(crate) fn cause(&mut self, kind: Kind) {
        match kind {
            Kind::Crash
            | Kind::CrashAll
            | Kind::Freeze
            | Kind::Refuse
            | Kind::Hang
            | Kind::ReplaceAll
            | Kind::Readdress => self.hit_brokers(kind),
            Kind::MoveLeader
            | Kind::Unclean
            | Kind::Lag
            | Kind::Recreate
            | Kind::Grow
            | Kind::Retention
            | Kind::Forget => self.hit_topic(kind),
            Kind::Cut | Kind::Silence | Kind::Block | Kind::Delay => self.hit_connection(kind),
            Kind::ClientFreeze | Kind::Idle => self.hit_client(kind),
            _ => self.order(kind),
        }
    }

    fn hit_brokers(&mut self, kind: Kind) {
        let unclean = self.plan.faults.contains(&Kind::Unclean);
        match kind {
            Kind::Crash => {
                let node = self.some_node();
                self.crash(node, unclean);
            }
            Kind::CrashAll => {
                for node in self.cluster.doors() {
                    self.crash(node, unclean);
                }
            }
            Kind::Freeze => {
                let id = self.some_node();
                if self.node(id).works() {
                    self.node(id).state = State::Frozen;
                }
                let (thaw, noticed) = (self.a_while(), self.rng.u64(SECOND..10 * SECOND));
                self.after(thaw, Happening::Repair(Repair::Thaw(id)));
                self.after(noticed, Happening::NoticeLoss(id, unclean));
            }
            Kind::Refuse | Kind::Hang => {
                let id = self.some_node();
                let until = self.a_while();
                self.after(until, Happening::Repair(Repair::Accept(id)));
                self.node(id).door = match kind {
                    Kind::Refuse => Door::Refuses,
                    _ => Door::Hangs,
                };
            }
            Kind::ReplaceAll => self.replace_all(),
            Kind::Readdress => {
                let now = self.now;
                for (id, node) in &mut self.cluster.nodes {
                    if node.state != State::Retired {
                        node.host = format!("broker-{id}-at-{now}");
                    }
                }
                self.spread();
            }
            _ => {}
        }
    }

    fn hit_topic(&mut self, kind: Kind) {
        match kind {
            Kind::MoveLeader | Kind::Unclean => {
                if let Some(partition) = self.some_partition() {
                    self.elect(partition, kind == Kind::Unclean);
                    self.spread();
                }
            }
            Kind::Lag => {
                if let Some(id) = self.some_partition() {
                    let partition = self.cluster.partition(id);
                    let leader = partition.leader;
                    let follower = partition
                        .isr
                        .iter()
                        .copied()
                        .find(|&node| Some(node) != leader);
                    if let Some(follower) = follower {
                        partition.shrink(follower);
                        let lags = self.a_while();
                        let until = self.now + lags;
                        self.cluster.lagging.insert((id, follower), until);
                        self.at(until, Happening::Replicate(id, follower));
                        self.settle_waiting();
                    }
                }
            }
            Kind::Recreate => self.delete_topic(),
            Kind::Grow => {
                let current = self
                    .cluster
                    .current
                    .map(|topic| &self.cluster.topics[topic]);
                let small = current.is_some_and(|topic| topic.partitions.len() < 8);
                if small && !self.cluster.standing().is_empty() {
                    self.cluster.add_partition();
                    self.spread();
                }
            }
            Kind::Forget => {
                // It takes a day of silence: no producer lives to see it twice.
                self.plan.faults.remove(&kind);
                // What they were asked long ago would be new to them.
                for connection in self.connections.values_mut().filter(|c| !c.up) {
                    connection.forget();
                }
                for id in self.cluster.partition_ids() {
                    let partition = self.cluster.partition(id);
                    let numbers = partition.numbers();
                    if numbers.iter().all(|&n| self.check.is_acknowledged(n)) {
                        self.cluster.partition(id).forget_producers();
                        self.count("producers forgotten");
                    }
                }
                self.faults.codes_before_write.push(2);
            }
            Kind::Retention => {
                let legacy = self.plan.judgement.legacy;
                for id in self.cluster.partition_ids() {
                    let gone = self.cluster.partition(id).delete_old(legacy);
                    self.check.lose(&gone);
                    self.check.uncount(&gone);
                }
            }
            _ => {}
        }
    }

    fn hit_connection(&mut self, kind: Kind) {
        let until = self.now + self.a_while();
        let Some(id) = self.some_connection() else {
            return;
        };
        match kind {
            Kind::Cut => self.cut(id, "connection reset by peer"),
            Kind::Silence => self.silence(id),
            Kind::Delay => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.to_owner_at = until;
                }
            }
            _ => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.blocked_until = until;
                }
            }
        }
    }

    fn hit_client(&mut self, kind: Kind) {
        match kind {
            // Once the client is told to close, it shall.
            Kind::ClientFreeze if self.run_until < self.now => {}
            Kind::ClientFreeze => {
                let until = if self.rng.u8(0..10) == 0 {
                    self.rng.u64(0..10 * MINUTE)
                } else {
                    self.a_while()
                };
                self.owner.frozen_until = self.owner.frozen_until.max(self.now + until);
            }
            Kind::Idle => {
                // Once is enough.
                self.plan.faults.remove(&kind);
                let until = self.rng.u64(8 * MINUTE..12 * MINUTE);
                self.faults.generator_idle_until = self.now + until;
                self.run_until += until;
            }
            _ => {}
        }
    }

    /// Faults that brokers carry out with the next requests.
    fn order(&mut self, kind: Kind) {
        let often = self.rng.u32(1..8);
        let faults = &mut self.faults;
        match kind {
            Kind::LoseAnswer => faults.answers_lost = often.min(3),
            Kind::SpoilAnswer => faults.answers_spoiled = often.min(3),
            Kind::MissingPartition => faults.partitions_missing = often.min(3),
            Kind::Throttle => faults.throttled = often,
            Kind::Negotiation => faults.negotiations_refused = often,
            Kind::Password => faults.passwords_refused = often,
            _ => {}
        }
        for _ in 0..often {
            let rng = &mut self.rng;
            let faults = &mut self.faults;
            match kind {
                Kind::Retriable => faults.codes_before_write.push(one_of(
                    rng,
                    &[2, 3, 5, 6, 9, 13, 19, 56, 72, 74, 80, 89, 100, 103, 129],
                )),
                Kind::Refusal => faults.codes_before_write.push(one_of(rng, REFUSALS)),
                Kind::TooLarge => faults.codes_before_write.push(10),
                Kind::Fencing => faults
                    .codes_before_write
                    .push(one_of(rng, &[45, 47, 49, 59])),
                Kind::AfterWrite => faults
                    .codes_after_write
                    .push(one_of(rng, &[3, 6, 7, 20, 56])),
                Kind::Metadata => faults.metadata_codes.push(one_of(rng, &[3, 5, 5, 29, -1])),
                Kind::NegotiationCode => faults.negotiation_codes.push(one_of(rng, &[-1, 42, 58])),
                Kind::Creation => faults.creation_codes.push(one_of(rng, &[5, 7, 41, 89])),
                Kind::ProducerIds => {
                    faults
                        .producer_id_codes
                        .push(one_of(rng, &[7, 14, 15, 16, 41, 51]));
                    // What makes the client ask.
                    faults.codes_before_write.push(49);
                }
                Kind::Unauthorized => {
                    faults.codes_before_write.push(31);
                    self.check.may_be_fatal = true;
                }
                _ => {}
            }
        }
    }

    pub(crate) fn node(&mut self, id: i32) -> &mut Node {
        self.cluster.nodes.get_mut(&id).unwrap()
    }

    fn some_partition(&mut self) -> Option<PartitionId> {
        let topic = self.cluster.current?;
        let index = self
            .rng
            .usize(0..self.cluster.topics[topic].partitions.len());
        Some(PartitionId { topic, index })
    }

    fn some_connection(&mut self) -> Option<u64> {
        let standing = self.standing_connections();
        self.rng.choice(standing)
    }
}
