//! One partition as its replicas hold it: the log, what the leader remembers of each producer, who is in sync.
//!
//! Follows `ProducerStateManager`, `ProducerAppendInfo` and `Partition` of Apache Kafka. The replicas share one log, of which
//! each holds a prefix: what a new leader lacks is cut off for all. What a leader writes that is none any more goes astray: it
//! knows of it until it follows. Invariant: what lies below the high watermark is held by every replica that is in sync, so
//! only an unclean election can cut it off.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::time::Micros;

/// How many batches of a producer are remembered (`ProducerStateEntry.NUM_BATCHES_TO_RETAIN`).
const BATCHES_REMEMBERED: usize = 5;

/// Producer id, epoch, first and last sequence of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) first: i32,
    pub(crate) last: i32,
}

/// A batch in the log: the numbers of its records.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) numbers: Vec<u64>,
    pub(crate) stamp: Option<Stamp>,
    appended: Micros,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    /// Stamp, and how long the log must be to hold the batch.
    batches: VecDeque<(Stamp, usize)>,
    last_seen: Micros,
}

/// What becomes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Append,
    /// It is there already: the log must be so long to hold it.
    Duplicate(usize),
    Refuse(i16),
}

/// How brokers judge sequences.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judgement {
    /// Before KIP-360: an unknown producer may only begin at sequence 0, and what is older than all that is remembered counts
    /// as a duplicate.
    pub(crate) legacy: bool,
    /// After how long without a batch a producer is forgotten (`producer.id.expiration.ms`).
    pub(crate) expiry: Micros,
    /// A duplicate is answered with code 46, not with success.
    pub(crate) says_duplicate: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) log: Vec<Entry>,
    /// What retention has left over begins here.
    pub(crate) log_start: usize,
    producers: BTreeMap<i64, Producer>,
    pub(crate) leader: Option<i32>,
    pub(crate) epoch: i32,
    /// How much of the log each replica holds.
    pub(crate) held: BTreeMap<i32, usize>,
    pub(crate) isr: BTreeSet<i32>,
    pub(crate) high_watermark: usize,
    /// What leaders wrote after they had been deposed, behind the prefix that they hold.
    astray: BTreeMap<i32, Vec<Stamp>>,
}

impl Partition {
    /// An empty one, led by the first of those in sync.
    pub(crate) fn new(replicas: &[i32], in_sync: &[i32]) -> Self {
        Self {
            log: Vec::new(),
            log_start: 0,
            producers: BTreeMap::new(),
            leader: in_sync.first().copied(),
            epoch: 0,
            held: replicas.iter().map(|&node| (node, 0)).collect(),
            isr: in_sync.iter().copied().collect(),
            high_watermark: 0,
            astray: BTreeMap::new(),
        }
    }

    /// What the leader does with a batch.
    pub(crate) fn judge(&self, stamp: Stamp, rules: Judgement) -> Verdict {
        judge(&self.producers, stamp, rules)
    }

    /// The leader forgets a producer of whom it has heard nothing for so long. Whether it did.
    pub(crate) fn forgets(&mut self, producer_id: i64, rules: Judgement, now: Micros) -> bool {
        let producer = self.producers.get(&producer_id);
        let expired = producer.is_some_and(|producer| producer.last_seen + rules.expiry < now);
        if expired {
            self.producers.remove(&producer_id);
        }
        expired
    }

    /// What one that led once does with a batch: it knows what it holds, and what it wrote since to no avail.
    pub(crate) fn judge_astray(&mut self, node: i32, stamp: Stamp, rules: Judgement) -> Verdict {
        let held = self.held.get(&node).copied().unwrap_or(0);
        let mut producers = self.producers_until(held);
        let astray = self.astray.entry(node).or_default();
        for &stamp in astray.iter() {
            remember(&mut producers, stamp, usize::MAX, 0);
        }
        let verdict = judge(&producers, stamp, rules);
        if verdict == Verdict::Append {
            astray.push(stamp);
        }
        verdict
    }

    /// The leader writes a batch; returns how long the log is then.
    pub(crate) fn append(&mut self, numbers: Vec<u64>, stamp: Option<Stamp>, now: Micros) -> usize {
        self.log.push(Entry {
            numbers,
            stamp,
            appended: now,
        });
        let end = self.log.len();
        if let Some(stamp) = stamp {
            remember(&mut self.producers, stamp, end, now);
        }
        if let Some(held) = self.leader.and_then(|leader| self.held.get_mut(&leader)) {
            *held = end;
        }
        self.advance();
        end
    }

    /// A replica fetches all that the leader has, and joins those in sync.
    pub(crate) fn replicate(&mut self, node: i32) {
        let end = self.log.len();
        self.astray.remove(&node);
        if let Some(held) = self.held.get_mut(&node) {
            *held = end;
            self.isr.insert(node);
        }
        self.advance();
    }

    /// A replica is not in sync any more. The last one always is.
    pub(crate) fn shrink(&mut self, node: i32) {
        if self.isr.len() > 1 {
            self.isr.remove(&node);
        }
        self.advance();
    }

    fn advance(&mut self) {
        let held = self.isr.iter().filter_map(|node| self.held.get(node));
        let safe = held.min().copied().unwrap_or(0);
        self.high_watermark = self.high_watermark.max(safe);
    }

    /// Another replica leads, with what it holds. Returns the records that were cut off, and whether it was in sync.
    pub(crate) fn elect(&mut self, node: i32) -> (Vec<u64>, bool) {
        let end = self.held.get(&node).copied().unwrap_or(0);
        let clean = self.isr.contains(&node);
        self.leader = Some(node);
        self.astray.remove(&node);
        self.epoch += 1;
        if !clean {
            self.isr = BTreeSet::from([node]);
        }
        (self.cut_off(end), clean)
    }

    /// The leader loses the end of its log, though nothing that all replicas hold.
    pub(crate) fn lose_tail(&mut self, end: usize) -> Vec<u64> {
        self.cut_off(end.max(self.high_watermark))
    }

    fn cut_off(&mut self, end: usize) -> Vec<u64> {
        if end >= self.log.len() {
            return Vec::new();
        }
        let kept_from = self.log_start.saturating_sub(end);
        let lost: Vec<u64> = self
            .log
            .drain(end..)
            .skip(kept_from)
            .flat_map(|entry| entry.numbers)
            .collect();
        for held in self.held.values_mut() {
            *held = (*held).min(end);
        }
        self.high_watermark = self.high_watermark.min(end);
        self.log_start = self.log_start.min(end);
        self.rebuild();
        lost
    }

    /// What a leader knows of producers comes from its log.
    fn rebuild(&mut self) {
        self.producers = self.producers_until(self.log.len());
    }

    fn producers_until(&self, end: usize) -> BTreeMap<i64, Producer> {
        let mut producers = BTreeMap::new();
        let kept = (1..).zip(&self.log).take(end).skip(self.log_start);
        for (end, entry) in kept {
            if let Some(stamp) = entry.stamp {
                remember(&mut producers, stamp, end, entry.appended);
            }
        }
        producers
    }

    /// Retention removes all that every replica holds; before KIP-360 its producers are forgotten with it.
    pub(crate) fn delete_old(&mut self, legacy: bool) -> Vec<u64> {
        let begin = std::mem::replace(&mut self.log_start, self.high_watermark);
        let gone = self
            .log
            .iter()
            .take(self.high_watermark)
            .skip(begin)
            .flat_map(|entry| entry.numbers.iter().copied())
            .collect();
        if legacy {
            self.rebuild();
        }
        gone
    }

    /// The records of the log that retention has left.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let kept = self.log.iter().skip(self.log_start);
        kept.flat_map(|entry| entry.numbers.iter().copied())
            .collect()
    }

    /// As if none had written anything.
    pub(crate) fn forget_producers(&mut self) {
        self.producers.clear();
    }

    /// The last record of the log that retention has left.
    pub(crate) fn last_number(&self) -> Option<u64> {
        let last = self.log.get(self.log_start..)?.last()?;
        last.numbers.last().copied()
    }

    /// Who wrote the last batch of the log.
    pub(crate) fn last_producer(&self) -> Option<i64> {
        Some(self.log.last()?.stamp?.producer_id)
    }
}

fn judge(producers: &BTreeMap<i64, Producer>, stamp: Stamp, rules: Judgement) -> Verdict {
    let Some(producer) = producers.get(&stamp.producer_id) else {
        return if rules.legacy && stamp.first != 0 {
            Verdict::Refuse(59)
        } else {
            Verdict::Append
        };
    };
    if stamp.epoch < producer.epoch {
        return Verdict::Refuse(47);
    }
    if stamp.epoch > producer.epoch {
        return if stamp.first == 0 {
            Verdict::Append
        } else {
            Verdict::Refuse(45)
        };
    }
    if let Some((_, end)) = producer.batches.iter().find(|(known, _)| *known == stamp) {
        return Verdict::Duplicate(*end);
    }
    match (producer.batches.front(), producer.batches.back()) {
        (_, Some((last, _))) if stamp.first == successor(last.last) => Verdict::Append,
        (Some((oldest, _)), _) if rules.legacy && stamp.last < oldest.first => Verdict::Refuse(46),
        _ => Verdict::Refuse(45),
    }
}

fn remember(producers: &mut BTreeMap<i64, Producer>, stamp: Stamp, end: usize, now: Micros) {
    let fresh = || Producer {
        epoch: stamp.epoch,
        batches: VecDeque::new(),
        last_seen: now,
    };
    let producer = producers.entry(stamp.producer_id).or_insert_with(fresh);
    if producer.epoch != stamp.epoch {
        *producer = fresh();
    }
    producer.last_seen = now;
    producer.batches.push_back((stamp, end));
    if producer.batches.len() > BATCHES_REMEMBERED {
        producer.batches.pop_front();
    }
}

/// Sequences wrap from 2³¹−1 to 0.
fn successor(sequence: i32) -> i32 {
    sequence.checked_add(1).unwrap_or(0)
}
