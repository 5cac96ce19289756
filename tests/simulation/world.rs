//! A history: what happens, in the order of its virtual time.
//!
//! Everything that will happen waits in one queue. Invariant: the same seed gives the same history, to the last byte: there is
//! one random generator, no clock, no thread, and no map without an order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use continuous_producer::kafka::client::ConnectionId;

use crate::check::Check;
use crate::cluster::{Cluster, PartitionId};
use crate::damage::Repair;
use crate::faults::{Faults, Kind};
use crate::network::Connection;
use crate::owner::Owner;
use crate::plan::{Ending, Plan};
use crate::time::{MS, Micros, SECOND};
use crate::wire::Wire;

/// How long the client may need after all is well again: a request that is never answered, a connection that is never made,
/// a broker that asked for silence, and the backoff of each.
const RECOVERY_MAX: Micros = 160 * SECOND;
/// How long a client that is in order may need for a few records.
const PROBE_MAX: Micros = 10 * SECOND;
const PROBE_RECORDS: usize = 4;
/// More than this happens in no history that comes to an end.
const HAPPENINGS_MAX: u64 = 3_000_000;

/// What happens.
#[derive(Debug)]
pub(crate) enum Happening {
    // To the client's owner.
    Wake,
    Generate,
    Connected(ConnectionId),
    ConnectFailed(ConnectionId, &'static str),
    Written(ConnectionId, i32),
    Frame(ConnectionId, Vec<u8>),
    Closed(ConnectionId, &'static str),
    Close(Micros),
    // To the brokers.
    Arrive(ConnectionId, Vec<u8>),
    Replicate(PartitionId, i32),
    Learn(i32),
    TimeOut(u64),
    NoticeLoss(i32, bool),
    Repair(Repair),
    Fault,
    // To the history.
    End,
    Steady,
    Recovered(usize),
    Probed(usize),
    MustBeClosed,
}

impl Happening {
    fn concerns_owner(&self) -> bool {
        matches!(
            self,
            Self::Wake
                | Self::Generate
                | Self::Connected(_)
                | Self::ConnectFailed(..)
                | Self::Written(..)
                | Self::Frame(..)
                | Self::Closed(..)
                | Self::Close(_)
        )
    }
}

struct Entry {
    at: Micros,
    order: u64,
    what: Happening,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// See the module.
pub(crate) struct World {
    pub(crate) rng: fastrand::Rng,
    pub(crate) plan: Plan,
    pub(crate) now: Micros,
    base: Instant,
    queue: BinaryHeap<Reverse<Entry>>,
    next_order: u64,
    pub(crate) cluster: Cluster,
    pub(crate) connections: BTreeMap<ConnectionId, Connection>,
    pub(crate) owner: Owner,
    pub(crate) faults: Faults,
    pub(crate) check: Check,
    pub(crate) wire: Wire,
    /// All faults are healed, and there are no more.
    pub(crate) calm: bool,
    pub(crate) run_until: Micros,
    /// The client had something to do after all was healed.
    warmed_up: bool,
    journal: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(seed: u64, with_journal: bool) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let plan = Plan::draw(&mut rng);
        let base = Instant::now();
        let mut world = Self {
            now: 0,
            base,
            queue: BinaryHeap::new(),
            next_order: 0,
            cluster: Cluster::new(&plan),
            connections: BTreeMap::new(),
            owner: Owner::new(&plan, rng.u64(..), base),
            faults: Faults::default(),
            check: Check::new(&plan.client),
            wire: Wire::new(&plan.client),
            calm: false,
            run_until: plan.run,
            warmed_up: false,
            journal: with_journal.then(Vec::new),
            rng,
            plan,
        };
        let text = format!("{:?}", world.plan);
        world.note(|| text);
        world
    }

    /// From the beginning to the end.
    pub(crate) fn run(&mut self) {
        self.settle();
        self.after(0, Happening::Generate);
        self.after(self.plan.run, Happening::End);
        // The topic is made at the beginning or not at all.
        if self.plan.faults.remove(&Kind::Creation) {
            self.cause(Kind::Creation);
        }
        let first = self.rng.u64(0..2 * self.plan.fault_pause);
        self.after(first, Happening::Fault);
        let mut count = 0;
        while let Some(Reverse(entry)) = self.queue.pop() {
            count += 1;
            assert!(count < HAPPENINGS_MAX, "the history does not end");
            self.now = self.now.max(entry.at);
            if entry.what.concerns_owner() && self.owner.frozen_until > self.now {
                let until = self.owner.frozen_until;
                self.at(until, entry.what);
            } else {
                self.happen(entry.what);
            }
        }
        self.note(|| "nothing is left to happen".to_owned());
        assert!(self.owner.client.is_closed(), "the client was never closed");
        assert!(self.owner.links.is_empty(), "connections are left behind");
        self.check.conclude();
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Wake
            | Happening::Generate
            | Happening::Connected(_)
            | Happening::ConnectFailed(..)
            | Happening::Written(..)
            | Happening::Frame(..)
            | Happening::Closed(..)
            | Happening::Close(_) => self.owner_hears(what),
            Happening::Arrive(connection, bytes) => self.arrive(connection, bytes),
            Happening::Replicate(partition, node) => self.fetch(partition, node),
            Happening::Learn(node) => self.learn(node),
            Happening::TimeOut(waiting) => self.settle_one(waiting, true),
            Happening::NoticeLoss(node, unclean) => self.lost(node, unclean),
            Happening::Repair(repair) => self.repair(repair),
            Happening::Fault => self.strike(),
            Happening::End => self.end(),
            Happening::Steady => self.steady(),
            Happening::Recovered(settled) => self.recovered(settled),
            Happening::Probed(expected) => self.probed(expected),
            Happening::MustBeClosed if self.owner.frozen_until > self.now => {
                self.at(self.owner.frozen_until + MS, Happening::MustBeClosed);
            }
            Happening::MustBeClosed => {
                assert!(self.owner.client.is_closed(), "not closed by its deadline");
            }
        }
    }

    fn end(&mut self) {
        if self.now < self.run_until {
            return self.at(self.run_until, Happening::End);
        }
        match self.plan.ending {
            Ending::Calm => {
                self.note(|| "CALM: everything is healed".to_owned());
                self.heal();
                let begin = self.owner.frozen_until.max(self.now);
                self.check.well_since = self.patience().map(|patience| (begin, patience));
                let settled = self.check.settled();
                self.at(begin + RECOVERY_MAX, Happening::Recovered(settled));
            }
            Ending::Abrupt { patience } => self.close(patience),
        }
    }

    /// How long it may take until something is acknowledged again when all is well: a request that is never answered, then a
    /// connection that says nothing until its setup is over (30 s, and a jitter of 20 %); a broker that asked for silence
    /// before. Nobody can say it where partitions are gone.
    fn patience(&self) -> Option<Micros> {
        let faults = &self.plan.faults;
        let request = self.plan.client.request_timeout.as_micros();
        let silence = if faults.contains(&Kind::Throttle) {
            60
        } else {
            0
        };
        let patience = Micros::try_from(request).unwrap() + (40 + silence) * SECOND;
        (!faults.contains(&Kind::Recreate)).then_some(patience)
    }

    fn close(&mut self, patience: Micros) {
        self.note(|| format!("CLOSE within {patience} us"));
        self.after(0, Happening::Close(patience));
        self.run_until = 0;
    }

    /// Long after everything was healed the client has settled everything, and works. A slow network may need longer, as long
    /// as there is progress from the `settled` records of before.
    fn recovered(&mut self, settled: usize) {
        if self.owner.fatal {
            return;
        }
        if self.owner.client.buffered_bytes() > 0 && self.check.settled() > settled {
            let settled = self.check.settled();
            return self.after(RECOVERY_MAX, Happening::Recovered(settled));
        }
        assert!(self.owner.ready, "it never became ready");
        assert_eq!(
            (
                self.check.settled() as u64,
                self.owner.client.buffered_bytes()
            ),
            (self.check.next(), 0),
            "not settled long after everything was healed: {}",
            self.check.books()
        );
        let pushed = (0..PROBE_RECORDS).take_while(|_| self.push_one()).count();
        assert!(pushed > 0, "an empty client takes no record");
        self.settle();
        // The first records may find out that the partition is gone for which they were taken.
        let shrunk = self.plan.faults.contains(&Kind::Recreate);
        if shrunk && !std::mem::replace(&mut self.warmed_up, true) {
            let settled = self.check.settled();
            return self.after(RECOVERY_MAX, Happening::Recovered(settled));
        }
        let expected = self.check.acknowledged + pushed;
        self.after(PROBE_MAX, Happening::Probed(expected));
    }

    fn probed(&mut self, expected: usize) {
        assert_eq!(
            self.check.acknowledged,
            expected,
            "records after the recovery are not acknowledged: {}",
            self.check.books()
        );
        self.close(PROBE_MAX);
    }

    pub(crate) fn at(&mut self, at: Micros, what: Happening) {
        self.next_order += 1;
        self.queue.push(Reverse(Entry {
            at,
            order: self.next_order,
            what,
        }));
    }

    pub(crate) fn after(&mut self, delay: Micros, what: Happening) {
        self.at(self.now + delay, what);
    }

    pub(crate) fn instant(&self) -> Instant {
        self.base + Duration::from_micros(self.now)
    }

    /// The first microsecond that is not before an instant.
    pub(crate) fn micros(&self, at: Instant) -> Micros {
        let nanos = at.saturating_duration_since(self.base).as_nanos();
        Micros::try_from(nanos.div_ceil(1000)).unwrap()
    }

    pub(crate) fn base(&self) -> Instant {
        self.base
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(journal) = &mut self.journal {
            let (seconds, micros) = (self.now / SECOND, self.now % SECOND);
            journal.push(format!("{seconds:>4}.{micros:06} {}", line()));
        }
    }

    pub(crate) fn journal(&self) -> &[String] {
        self.journal.as_deref().unwrap_or_default()
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.check.occurred.entry(what).or_default() += 1;
    }
}
