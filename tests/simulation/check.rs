//! The promise: every acknowledged record is in the log exactly once and in order; every other at most once; the books agree.
//!
//! It is checked where it would be broken, so that the journal ends with the reason. Records have numbers, 0 and up, in the order
//! in which they were pushed. Invariant: a record counts as live once for each log entry that holds it now.

use std::collections::BTreeMap;

use continuous_producer::kafka::client::DeliveryError;
use continuous_producer::kafka::config::{Acks, ProducerConfig};

use crate::cluster::PartitionId;
use crate::time::Micros;

/// `MESSAGE_TOO_LARGE`.
const TOO_LARGE: i16 = 10;

#[derive(Debug, Default, Clone)]
struct Fate {
    pushed: Micros,
    live: u32,
    /// It was in a log and has gone from there for a reason that `acks` does not cover: deletion, retention, unclean election.
    lost: bool,
    acknowledged: bool,
    /// It was written behind what was pushed after it.
    late: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Check {
    idempotence: bool,
    acks: Acks,
    delivery_timeout: Micros,
    fates: Vec<Fate>,
    pub(crate) acknowledged: usize,
    pub(crate) failed: usize,
    /// Records that failed because a broker answered with a code, and how many were answered with it.
    answered: BTreeMap<i16, (usize, usize)>,
    /// Batches that timed out.
    timed_out: usize,
    /// Records that failed and are in no log, as far as the client can prove it.
    absent: usize,
    /// When records were acknowledged last.
    last_acknowledged: Micros,
    /// From when on records that wait shall be acknowledged, and how long that may take.
    pub(crate) well_since: Option<(Micros, Micros)>,
    pub(crate) unsent: usize,
    pub(crate) unanswered: usize,
    /// Something was injected after which a client cannot go on.
    pub(crate) may_be_fatal: bool,
    /// How often what occurred.
    pub(crate) occurred: BTreeMap<&'static str, u64>,
}

impl Check {
    pub(crate) fn new(config: &ProducerConfig) -> Self {
        Self {
            idempotence: config.idempotence,
            acks: config.acks,
            delivery_timeout: Micros::try_from(config.delivery_timeout.as_micros()).unwrap(),
            fates: Vec::new(),
            acknowledged: 0,
            failed: 0,
            answered: BTreeMap::new(),
            timed_out: 0,
            absent: 0,
            last_acknowledged: 0,
            well_since: None,
            unsent: 0,
            unanswered: 0,
            may_be_fatal: false,
            occurred: BTreeMap::new(),
        }
    }

    fn fate(&mut self, number: u64) -> &mut Fate {
        &mut self.fates[usize::try_from(number).unwrap()]
    }

    /// The number of the next record.
    pub(crate) fn next(&self) -> u64 {
        self.fates.len() as u64
    }

    pub(crate) fn pushed(&mut self, now: Micros) {
        self.fates.push(Fate {
            pushed: now,
            ..Fate::default()
        });
    }

    /// A leader wrote a batch behind the record `before`. `fenced`: an older batch of the same producer would be refused.
    pub(crate) fn written(
        &mut self,
        id: PartitionId,
        before: Option<u64>,
        numbers: &[u64],
        fenced: bool,
    ) {
        assert!(
            numbers.is_sorted_by(|a, b| a < b),
            "a batch in disorder: {numbers:?}"
        );
        for &number in numbers {
            let fate = self.fate(number);
            fate.live += 1;
            let live = fate.live;
            if self.idempotence {
                assert_eq!(live, 1, "record {number} is written twice, now to {id:?}");
            }
        }
        let in_order = before.is_none_or(|before| before < numbers[0]);
        if self.idempotence && !in_order {
            // A request of long ago, under a producer id that is not in use any more: no broker can know that it is too late.
            // Its records have failed since, or were acknowledged in a log that is gone.
            assert!(
                !fenced,
                "record {} is written behind record {before:?} in {id:?}",
                numbers[0]
            );
            *self.occurred.entry("written too late").or_default() += 1;
            for &number in numbers {
                let fate = self.fate(number);
                assert!(
                    !fate.acknowledged || fate.lost,
                    "record {number} is written too late"
                );
                fate.late = true;
            }
        }
    }

    pub(crate) fn is_live(&self, number: u64) -> bool {
        self.fates[usize::try_from(number).unwrap()].live > 0
    }

    pub(crate) fn is_acknowledged(&self, number: u64) -> bool {
        self.fates[usize::try_from(number).unwrap()].acknowledged
    }

    /// Records are not in their log any more.
    pub(crate) fn uncount(&mut self, numbers: &[u64]) {
        for &number in numbers {
            self.fate(number).live -= 1;
        }
    }

    /// Records go from their log for a reason that is none of the client's business.
    pub(crate) fn lose(&mut self, numbers: &[u64]) {
        for &number in numbers {
            self.fate(number).lost = true;
        }
    }

    /// Records go that not all replicas had: `acks=all` does not promise less for that.
    pub(crate) fn lose_if_unreplicated(&mut self, numbers: &[u64]) {
        if self.acks != Acks::All {
            self.lose(numbers);
        }
    }

    /// A broker answered a batch of so many records with a code after which it may fail.
    pub(crate) fn refusable(&mut self, code: i16, records: usize) {
        self.answered.entry(code).or_default().1 += records;
    }

    pub(crate) fn acknowledge(&mut self, number: u64, now: Micros) {
        self.last_acknowledged = now;
        let acks = self.acks;
        let fate = self.fate(number);
        assert!(!fate.acknowledged, "record {number} is acknowledged twice");
        assert!(
            !fate.late,
            "record {number} is acknowledged and out of order"
        );
        fate.acknowledged = true;
        if acks != Acks::None {
            assert!(
                fate.live > 0 || fate.lost,
                "record {number} is acknowledged and in no log"
            );
        }
        self.acknowledged += 1;
    }

    pub(crate) fn fail(&mut self, records: usize, error: &DeliveryError, now: Micros) {
        self.failed += records;
        match error {
            DeliveryError::TimedOut { attempts, .. } => {
                self.timed_out += 1;
                self.absent += if *attempts == 0 { records } else { 0 };
                let timeout = self.delivery_timeout;
                // Half of a batch is as old as the other half, which may be acknowledged.
                let (halved, batches) = match self.answered.get(&TOO_LARGE) {
                    Some(_) => (true, 1),
                    None => (false, self.timed_out),
                };
                let old =
                    |fate: &&Fate| (!fate.acknowledged || halved) && fate.pushed + timeout <= now;
                assert!(
                    self.fates.iter().filter(old).nth(batches - 1).is_some(),
                    "timed out before the delivery timeout was over: {error}"
                );
                if let Some((since, patience)) = self.well_since {
                    assert!(
                        now <= self.last_acknowledged.max(since) + patience,
                        "all is well, and nothing is acknowledged any more: {error}"
                    );
                }
            }
            DeliveryError::Refused { code, .. } | DeliveryError::OutcomeUnknown { code, .. } => {
                if matches!(error, DeliveryError::Refused { .. }) {
                    self.absent += records;
                }
                let (failed, answered) = self.answered.entry(code.0).or_default();
                *failed += records;
                assert!(
                    failed <= answered,
                    "{failed} records failed for a code that {answered} were answered with: {error}"
                );
            }
            DeliveryError::Overtaken { .. } => {
                self.absent += records;
                let doubted = !self.answered.is_empty() || self.failed > records;
                assert!(doubted, "nothing was denied, nothing failed: {error}");
            }
            DeliveryError::Unsealable(_) => panic!("{error}"),
        }
    }

    pub(crate) fn abandon(&mut self, unsent: usize, unanswered: usize) {
        self.unsent += unsent;
        self.unanswered += unanswered;
    }

    pub(crate) fn settled(&self) -> usize {
        self.acknowledged + self.failed + self.unsent + self.unanswered
    }

    /// At the end of the history, when nothing is on its way any more.
    pub(crate) fn conclude(&self) {
        assert_eq!(self.settled(), self.fates.len(), "{}", self.books());
        let mut unacknowledged = 0;
        for (number, fate) in self.fates.iter().enumerate() {
            if self.acks != Acks::None && fate.acknowledged {
                assert!(
                    fate.live > 0 || fate.lost,
                    "record {number} was acknowledged and is lost"
                );
            }
            unacknowledged += usize::from(fate.live > 0 && !fate.acknowledged);
        }
        assert!(
            unacknowledged <= self.failed - self.absent + self.unanswered,
            "{unacknowledged} records are in the log that are not acknowledged, but only {} may be of those that failed, {} are unanswered",
            self.failed - self.absent,
            self.unanswered
        );
    }

    /// The books, in a line.
    pub(crate) fn books(&self) -> String {
        format!(
            "{} pushed = {} acknowledged + {} failed + {} unsent + {} unanswered",
            self.fates.len(),
            self.acknowledged,
            self.failed,
            self.unsent,
            self.unanswered
        )
    }
}
