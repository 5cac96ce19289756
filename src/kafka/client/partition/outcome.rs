//! What becomes of a batch that was sent, and of those that wait too long.
//!
//! Each answer of a broker ends in one of these. Whatever leaves the order for good gives its memory back through
//! [`Batch::finish`]; whatever stays keeps its bytes and its place.

use std::time::Instant;

use super::{Abandoned, BatchId, Fate, GivenUp, Partition, Rules, Tracked};
use crate::kafka::client::accumulator::Batch;
use crate::kafka::client::memory::Memory;
use crate::kafka::client::trouble::{Reason, Recovery, Trouble};

impl Partition {
    /// The broker has the batch. One that was sent since a trouble began ends it. One that was sent before proves nothing; but
    /// without anything left that waits there is no trouble either.
    pub(in super::super) fn acknowledge(
        &mut self,
        id: BatchId,
        now: Instant,
    ) -> Option<(Batch, Option<Recovery>)> {
        let position = self.position(id)?;
        self.overtake(position);
        let tracked = self.tracked.remove(position)?;
        let mut recovery = None;
        if let Fate::Sent { connection, at } = tracked.fate {
            self.confirmed_on = Some(connection);
            if let Some(trouble) = self.trouble.take_if(|trouble| trouble.since <= at) {
                recovery = trouble.over(tracked.batch.records + self.records(), now);
            } else if self.is_empty() {
                self.trouble = None;
            }
        }
        self.backoff.reset();
        self.acknowledged += tracked.batch.records as u64;
        Some((tracked.batch, recovery))
    }

    /// Something keeps the records that are here from being acknowledged; `reason`, if there is anything new to say.
    pub(in super::super) fn troubled(&mut self, reason: Option<Reason>, now: Instant) {
        let trouble = self.trouble.get_or_insert_with(|| Trouble::new(now));
        if reason.is_some() {
            trouble.reason = reason;
        }
    }

    /// What went wrong last since the last acknowledgement.
    pub(in super::super) fn reason(&self) -> Option<&Reason> {
        self.trouble.as_ref()?.reason.as_ref()
    }

    /// Records are given up.
    pub(super) fn lost(&mut self, records: usize) -> usize {
        if let Some(trouble) = &mut self.trouble {
            trouble.failed += records;
        }
        records
    }

    /// The batch will not be sent again. `may_be_written`: the answer that says so does not say that it is not in the log. Its
    /// sequence, if it had one, is missing from now on.
    pub(in super::super) fn fail(&mut self, id: BatchId, may_be_written: bool) -> Option<GivenUp> {
        let position = self.position(id)?;
        let tracked = self.tracked.remove(position)?;
        if may_be_written {
            self.overtake(position);
        }
        Some(self.give_up(position, tracked))
    }

    /// `tracked` was taken from `position`.
    fn give_up(&mut self, position: usize, tracked: Tracked) -> GivenUp {
        if tracked.may_be_written {
            self.overtake(position);
        }
        self.sequencer.left_a_hole();
        self.lost(tracked.batch.records);
        GivenUp {
            batch: tracked.batch,
            may_be_written: tracked.may_be_written,
        }
    }

    /// Something that was sent after the first `earlier` batches may be in the log without them. A broker that knows the
    /// producer takes nothing out of order; but one that has lost what it knew takes any sequence (KIP-360).
    fn overtake(&mut self, earlier: usize) {
        for tracked in self.tracked.iter_mut().take(earlier) {
            tracked.overtaken = true;
        }
    }

    fn position(&self, id: BatchId) -> Option<usize> {
        self.tracked.iter().position(|tracked| tracked.id == id)
    }

    /// The batch is to be sent again, the same bytes.
    pub(in super::super) fn retry(
        &mut self,
        id: BatchId,
        may_be_written: bool,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) {
        let Some(tracked) = self.tracked.iter_mut().find(|tracked| tracked.id == id) else {
            return;
        };
        tracked.fate = Fate::Retry;
        tracked.may_be_written |= may_be_written;
        self.troubled(None, now);
        // Batches that come back together are one failure.
        if self.retry_at.is_none_or(|at| at <= now) {
            self.retry_at = Some(now + self.backoff.after_failure(rng));
        }
    }

    /// Another node leads since `epoch`: what failed because of that need not wait.
    pub(in super::super) fn follow(&mut self, leader: i32, epoch: i32) {
        self.leader = Some(leader);
        self.leader_epoch = self.leader_epoch.max(epoch);
        self.retry_at = None;
    }

    /// The broker's sequence for this partition is another than ours. If the batch is the next in line, the broker has lost
    /// what we know of (or a failed batch left a hole): a new epoch starts. A later one only follows the first's fate.
    ///
    /// One of open fate fails then: it may lie in the log of a leader that this one does not know of yet, or in a request that
    /// was never answered and is still to be carried out. With a new sequence it could be written twice.
    pub(in super::super) fn out_of_order(
        &mut self,
        id: BatchId,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) -> Option<GivenUp> {
        let position = self.position(id)?;
        self.raise_epoch |= position == 0;
        if self.raise_epoch && self.tracked.get(position)?.may_be_written {
            let tracked = self.tracked.remove(position)?;
            return Some(self.give_up(position, tracked));
        }
        self.retry(id, false, now, rng);
        None
    }

    /// The broker knows nothing of the producer id: no epoch of it will do. Else as [`Partition::epoch_refused`].
    pub(in super::super) fn identity_refused(
        &mut self,
        id: BatchId,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) -> Option<GivenUp> {
        self.sequencer.spend();
        self.epoch_refused(id, now, rng)
    }

    /// The broker asks for a new epoch, whatever the batch's place. It has not even looked whether it knows the batch: if that
    /// was open it stays open for ever, and the batch fails.
    pub(in super::super) fn epoch_refused(
        &mut self,
        id: BatchId,
        now: Instant,
        rng: &mut fastrand::Rng,
    ) -> Option<GivenUp> {
        self.raise_epoch = true;
        let position = self.position(id)?;
        if self.tracked.get(position)?.may_be_written {
            let tracked = self.tracked.remove(position)?;
            return Some(self.give_up(position, tracked));
        }
        self.retry(id, false, now, rng);
        None
    }

    /// The batch is too large for the broker: two halves take its place and its sequences. What cannot be halved fails: a
    /// single record; and what the broker may have written before its limit was lowered. By their sequences the halves would
    /// be other batches to it, and it would write them again.
    ///
    /// For the life of metadata, no batch is made as large as the refused one: each would cost a refusal.
    pub(in super::super) fn split(
        &mut self,
        id: BatchId,
        rules: &mut Rules,
        memory: &mut Memory,
    ) -> Option<GivenUp> {
        let position = self.position(id)?;
        let mut whole = self.tracked.remove(position)?;
        let known_by_its_sequence = rules.idempotence && whole.may_be_written;
        if whole.batch.records < 2 || known_by_its_sequence {
            return Some(self.give_up(position, whole));
        }
        match whole.batch.split(rules.compression, memory) {
            Ok((left, right)) => {
                let half = left.open_bytes.max(right.open_bytes);
                rules.batch_size = rules.batch_size.min(half);
                for (offset, batch) in [left, right].into_iter().enumerate() {
                    let half = Tracked {
                        id: self.next_batch_id(),
                        batch,
                        fate: Fate::Retry,
                        may_be_written: whole.may_be_written,
                        overtaken: whole.overtaken,
                    };
                    self.tracked.insert(position + offset, half);
                }
                None
            }
            Err(batch) => {
                whole.batch = batch;
                Some(self.give_up(position, whole))
            }
        }
    }

    /// Fails what is older than the delivery timeout and not on its way, oldest first.
    pub(in super::super) fn expire(
        &mut self,
        rules: &Rules,
        memory: &mut Memory,
        now: Instant,
    ) -> Option<(usize, u32)> {
        let expired = |created: Instant| created + rules.delivery_timeout <= now;
        if let Some(tracked) = self.tracked.front() {
            if tracked.fate != Fate::Retry || !expired(tracked.batch.created) {
                return None;
            }
            let GivenUp { batch, .. } = self.fail(tracked.id, false)?;
            let attempts = batch.attempts;
            return Some((batch.finish(memory).0, attempts));
        }
        if let Some(batch) = self.ready.front() {
            if !expired(batch.created) {
                return None;
            }
            let records = self.ready.pop_front()?.finish(memory).0;
            return Some((self.lost(records), 0));
        }
        let records = self
            .open
            .take_if(|open| expired(open.created))?
            .discard(memory);
        Some((self.lost(records), 0))
    }

    /// When [`Partition::expire`] will next have something to do, if time alone brings it.
    pub(in super::super) fn expires_at(&self, rules: &Rules) -> Option<Instant> {
        let created = if let Some(tracked) = self.tracked.front() {
            (tracked.fate == Fate::Retry).then_some(tracked.batch.created)
        } else if let Some(batch) = self.ready.front() {
            Some(batch.created)
        } else {
            self.open.as_ref().map(|open| open.created)
        };
        created.map(|created| created + rules.delivery_timeout)
    }

    /// Gives up everything that is here.
    pub(in super::super) fn abandon(&mut self, memory: &mut Memory) -> Abandoned {
        let mut abandoned = Abandoned::default();
        for tracked in self.tracked.drain(..) {
            let unanswered = tracked.may_be_written || tracked.fate != Fate::Retry;
            let (records, _) = tracked.batch.finish(memory);
            abandoned.unanswered += if unanswered { records } else { 0 };
            abandoned.unsent += if unanswered { 0 } else { records };
        }
        for batch in self.ready.drain(..) {
            abandoned.unsent += batch.finish(memory).0;
        }
        if let Some(open) = self.open.take() {
            abandoned.unsent += open.discard(memory);
        }
        abandoned
    }
}
