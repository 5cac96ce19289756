//! One partition's batches, from the first record to the broker's answer.
//!
//! ```text
//!  push ─▶ open ─▶ ready ─▶ tracked: Sent ─▶ acknowledged | failed
//!                                ▲    │
//!                                └ Retry ◀─ unknown outcome, retriable code
//! ```
//!
//! **When a batch may be sent.** In order. With idempotence at most [`IDEMPOTENT_WINDOW`] at a time, and one alone until this
//! connection has acknowledged one. As soon as one waits for a retry nothing that comes after it is sent, and it goes out
//! again only when everything that was sent after it has come back. With idempotence nothing goes out behind a batch that may
//! have been written: the broker recognises it only while it is among the last [`IDEMPOTENT_WINDOW`].
//!
//! **When a batch may fail**, and why nothing else may fail it, is told in one place: the [client](super)'s module.

mod outcome;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::accumulator::{Batch, OpenBatch, Record};
use super::backoff::Backoff;
use super::memory::Memory;
use super::sequence::{EpochExhausted, ProducerIdentity, Sequencer};
use super::trouble::Trouble;
use crate::kafka::wire::Compression;
use crate::kafka::wire::compression::CompressionError;

/// How many batches a broker remembers a producer and partition by (`ProducerStateEntry.NUM_BATCHES_TO_RETAIN`).
pub(super) const IDEMPOTENT_WINDOW: usize = 5;
const RETRY_BACKOFF: Duration = Duration::from_millis(100);
const RETRY_BACKOFF_MAX: Duration = Duration::from_secs(1);

/// What a partition must know of its producer to decide.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) idempotence: bool,
    pub(super) compression: Compression,
    pub(super) batch_size: usize,
    pub(super) linger: Duration,
    pub(super) delivery_timeout: Duration,
}

/// The moment at which a partition is asked for a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Instant,
    /// The connection on which the batch would go out.
    pub(super) connection: u64,
    /// Batches leave without lingering: the memory is full, or the client closes.
    pub(super) flush: bool,
    /// The producer id that is current.
    pub(super) identity: Option<ProducerIdentity>,
}

/// Names a batch across its resends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchId(u64);

/// What [`Partition::poll_send`] answers.
#[derive(Debug)]
pub(super) enum Poll {
    /// This batch is to be sent now; it counts as sent.
    Send(BatchId, Arc<Vec<u8>>),
    /// The open batch may be sent now, but should wait for more records until this instant.
    Linger(Instant),
    /// Nothing before this instant, unless something else happens.
    Wait(Option<Instant>),
    /// The epochs of this producer id are used up.
    Exhausted(EpochExhausted),
    /// The records of a batch could not be compressed: so many have failed.
    Unsealable(usize, CompressionError),
    /// So many records have failed, because a new sequence would put them behind what was sent after them.
    Overtaken(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Sent { connection: u64, at: Instant },
    Retry,
}

/// A batch that has a place in the order.
#[derive(Debug)]
struct Tracked {
    id: BatchId,
    batch: Batch,
    fate: Fate,
    /// A broker may have it already: its fate is open.
    may_be_written: bool,
    /// One that was first sent after it may be in the log already.
    overtaken: bool,
}

/// A batch that left the order for good without an acknowledgement.
#[derive(Debug)]
pub(super) struct GivenUp {
    pub(super) batch: Batch,
    /// A broker may have it already: it is in the log once or not at all.
    pub(super) may_be_written: bool,
}

/// What a record did to the open batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It joined others.
    Joined,
    /// It is the first of a batch.
    Opened,
    /// It is the first of a batch, since the one before was full.
    Completed,
}

/// What a partition holds when it is given up.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Abandoned {
    /// Records that no broker has.
    pub(super) unsent: usize,
    /// Records that were sent and whose fate is unknown.
    pub(super) unanswered: usize,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) index: i32,
    /// The node that leads it, as far as is known.
    pub(super) leader: Option<i32>,
    /// Since which epoch; −1 where brokers do not say.
    pub(super) leader_epoch: i32,
    open: Option<OpenBatch>,
    ready: VecDeque<Batch>,
    tracked: VecDeque<Tracked>,
    sequencer: Sequencer,
    raise_epoch: bool,
    confirmed_on: Option<u64>,
    retry_at: Option<Instant>,
    backoff: Backoff,
    trouble: Option<Trouble>,
    next_id: u64,
    /// Records that were acknowledged.
    pub(super) acknowledged: u64,
    /// Records in batches that were sent again.
    pub(super) retried: u64,
}

impl Partition {
    pub(super) fn new(index: i32) -> Self {
        Self {
            index,
            leader: None,
            leader_epoch: -1,
            open: None,
            ready: VecDeque::new(),
            tracked: VecDeque::new(),
            sequencer: Sequencer::default(),
            raise_epoch: false,
            confirmed_on: None,
            retry_at: None,
            backoff: Backoff::new(RETRY_BACKOFF, RETRY_BACKOFF_MAX),
            trouble: None,
            next_id: 0,
            acknowledged: 0,
            retried: 0,
        }
    }

    /// Adds a record.
    pub(super) fn push(
        &mut self,
        record: &Record<'_>,
        rules: &Rules,
        memory: &mut Memory,
        now: Instant,
    ) -> Result<Pushed, (usize, CompressionError)> {
        if let Some(open) = &mut self.open
            && open.try_push(record, memory)
        {
            return Ok(Pushed::Joined);
        }
        let pushed = if self.open.is_some() {
            Pushed::Completed
        } else {
            Pushed::Opened
        };
        let sealed = self.seal_open(rules, memory);
        let mut open = OpenBatch::new(memory, rules.batch_size, now);
        let taken = open.try_push(record, memory);
        debug_assert!(taken, "an empty batch takes any record");
        self.open = Some(open);
        sealed.map(|()| pushed)
    }

    fn seal_open(
        &mut self,
        rules: &Rules,
        memory: &mut Memory,
    ) -> Result<(), (usize, CompressionError)> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let batch = open
            .seal(rules.compression, memory)
            .map_err(|(lost, error)| (lost.records, error))?;
        self.ready.push_back(batch);
        Ok(())
    }

    /// Whether anything is here that is neither acknowledged nor failed.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_none() && self.ready.is_empty() && self.tracked.is_empty()
    }

    /// Records that were sent and not answered; not those that wait to be sent again.
    pub(super) fn records_unanswered(&self) -> usize {
        let on_their_way = self.tracked.iter().filter(|t| t.fate != Fate::Retry);
        on_their_way.map(|tracked| tracked.batch.records).sum()
    }

    /// What keeps the records that are here from being acknowledged.
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// Records that are neither acknowledged nor failed.
    pub(super) fn records(&self) -> usize {
        let ready: usize = self.ready.iter().map(|batch| batch.records).sum();
        let open = self.open.as_ref().map_or(0, OpenBatch::records);
        let tracked = self.tracked.iter().map(|tracked| tracked.batch.records);
        tracked.sum::<usize>() + ready + open
    }

    /// The next batch to be sent, if the rules allow one. See the module for them.
    pub(super) fn poll_send(
        &mut self,
        moment: &Moment,
        rules: &Rules,
        memory: &mut Memory,
    ) -> Poll {
        if let Some(at) = self.retry_at {
            if at > moment.now {
                return Poll::Wait(Some(at));
            }
            self.retry_at = None;
        }
        if rules.idempotence
            && let Err(poll) = self.settle_sequences(moment, rules, memory)
        {
            return poll;
        }
        if let Some(position) = self
            .tracked
            .iter()
            .position(|tracked| tracked.fate == Fate::Retry)
        {
            return self.resend(position, moment, rules);
        }
        let follows_a_hole = rules.idempotence && !self.sequencer.is_sound();
        if follows_a_hole || !self.may_follow(self.tracked.len(), moment, rules) {
            return Poll::Wait(None);
        }
        if self.ready.is_empty()
            && let Some(open) = &self.open
        {
            let leaves_at = open.created + rules.linger;
            if !moment.flush && leaves_at > moment.now {
                return Poll::Linger(leaves_at);
            }
            if let Err((records, error)) = self.seal_open(rules, memory) {
                return Poll::Unsealable(records, error);
            }
        }
        self.send_new(moment, rules)
    }

    /// Makes sure that the next stamp continues what the broker has seen: a batch that failed left a hole, which only a new
    /// epoch closes; so does the broker's word that a sequence was out of order.
    ///
    /// Before anything gets a new sequence every open fate is settled, by asking the broker about one after the other under
    /// the old sequences: it knows them again, or they fail. What was overtaken is given up.
    fn settle_sequences(
        &mut self,
        moment: &Moment,
        rules: &Rules,
        memory: &mut Memory,
    ) -> Result<(), Poll> {
        let hole =
            self.tracked.is_empty() && self.sequencer.has_identity() && !self.sequencer.is_sound();
        if self.raise_epoch || hole {
            if self.in_flight() > 0 {
                return Err(Poll::Wait(None));
            }
            if let Some(open) = self.tracked.iter().position(|batch| batch.may_be_written) {
                return Err(self.resend(open, moment, rules));
            }
            if let Some(late) = self.tracked.iter().position(|batch| batch.overtaken)
                && let Some(late) = self.tracked.remove(late)
            {
                self.lost(late.batch.records);
                return Err(Poll::Overtaken(late.batch.finish(memory).0));
            }
            self.raise_epoch = false;
            self.sequencer.raise_epoch().map_err(Poll::Exhausted)?;
            self.restamp();
        }
        if !self.sequencer.has_identity() {
            let Some(identity) = moment.identity else {
                return Err(Poll::Wait(None));
            };
            self.sequencer.adopt(identity);
            self.restamp();
        }
        Ok(())
    }

    fn restamp(&mut self) {
        for tracked in &mut self.tracked {
            debug_assert!(!tracked.may_be_written && !tracked.overtaken);
            tracked
                .batch
                .stamp(self.sequencer.assign(tracked.batch.records));
        }
        self.confirmed_on = None;
    }

    fn resend(&mut self, position: usize, moment: &Moment, rules: &Rules) -> Poll {
        let later_on_its_way = self
            .tracked
            .iter()
            .skip(position)
            .any(|tracked| tracked.fate != Fate::Retry);
        if later_on_its_way || !self.may_follow(position, moment, rules) {
            return Poll::Wait(None);
        }
        let Some(tracked) = self.tracked.get_mut(position) else {
            return Poll::Wait(None);
        };
        tracked.fate = Fate::Sent {
            connection: moment.connection,
            at: moment.now,
        };
        tracked.batch.attempts += 1;
        self.retried += tracked.batch.records as u64;
        Poll::Send(tracked.id, Arc::clone(&tracked.batch.bytes))
    }

    fn send_new(&mut self, moment: &Moment, rules: &Rules) -> Poll {
        let Some(mut batch) = self.ready.pop_front() else {
            return Poll::Wait(None);
        };
        batch.stamp(if rules.idempotence {
            self.sequencer.assign(batch.records)
        } else {
            None
        });
        batch.attempts += 1;
        let id = self.next_batch_id();
        let bytes = Arc::clone(&batch.bytes);
        let fate = Fate::Sent {
            connection: moment.connection,
            at: moment.now,
        };
        self.tracked.push_back(Tracked {
            id,
            batch,
            fate,
            may_be_written: false,
            overtaken: false,
        });
        Poll::Send(id, bytes)
    }

    fn next_batch_id(&mut self) -> BatchId {
        self.next_id += 1;
        BatchId(self.next_id)
    }

    fn in_flight(&self) -> usize {
        self.tracked
            .iter()
            .filter(|tracked| tracked.fate != Fate::Retry)
            .count()
    }

    /// Whether another batch may go out now, behind the first `before` tracked ones.
    fn may_follow(&self, before: usize, moment: &Moment, rules: &Rules) -> bool {
        if !rules.idempotence {
            return true;
        }
        let window = if self.confirmed_on == Some(moment.connection) {
            IDEMPOTENT_WINDOW
        } else {
            1
        };
        let mut earlier = self.tracked.iter().take(before);
        self.in_flight() < window && !earlier.any(|tracked| tracked.may_be_written)
    }
}
