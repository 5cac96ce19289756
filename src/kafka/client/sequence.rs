//! Producer id, epoch and sequences of one partition (KIP-98, KIP-360).
//!
//! Invariant: within an epoch the sequences of a partition's batches are gapless, in the order in which the batches were
//! first sent, and a batch keeps its sequence for as long as it is unknown whether a broker has written it. Sequences count
//! records, not batches, and wrap from 2³¹ − 1 to 0.

use crate::kafka::wire::record_batch::ProducerStamp;

/// What `InitProducerId` gave, with the epoch as raised since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProducerIdentity {
    pub(super) id: i64,
    pub(super) epoch: i16,
}

/// Hands out the sequences of one partition.
#[derive(Debug, Default)]
pub(super) struct Sequencer {
    identity: Option<ProducerIdentity>,
    next: i32,
    /// A sequence was given to a batch that failed: the next batch would leave a hole behind it.
    hole: bool,
}

/// There is no higher epoch: a new producer id must be asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EpochExhausted {
    /// The producer id that is spent.
    pub(super) id: i64,
}

impl Sequencer {
    /// Whether sequences can be handed out, and without a hole.
    pub(super) fn is_sound(&self) -> bool {
        self.identity.is_some() && !self.hole
    }

    /// Whether there is an identity at all.
    pub(super) fn has_identity(&self) -> bool {
        self.identity.is_some()
    }

    /// Starts at sequence 0 of `identity`.
    pub(super) fn adopt(&mut self, identity: ProducerIdentity) {
        *self = Self {
            identity: Some(identity),
            next: 0,
            hole: false,
        };
    }

    /// The stamp of the next batch, of `records` records.
    pub(super) fn assign(&mut self, records: usize) -> Option<ProducerStamp> {
        let ProducerIdentity { id, epoch } = self.identity?;
        let stamp = ProducerStamp {
            producer_id: id,
            producer_epoch: epoch,
            base_sequence: self.next,
        };
        self.next = advance(self.next, records);
        Some(stamp)
    }

    /// A batch with a sequence failed for good.
    pub(super) fn left_a_hole(&mut self) {
        self.hole = true;
    }

    /// No further epoch of this producer id is of use.
    pub(super) fn spend(&mut self) {
        if let Some(identity) = &mut self.identity {
            identity.epoch = i16::MAX;
        }
    }

    /// Begins the next epoch, at sequence 0. No batch of the old one may still be on its way.
    pub(super) fn raise_epoch(&mut self) -> Result<(), EpochExhausted> {
        let Some(ProducerIdentity { id, epoch }) = self.identity else {
            return Ok(());
        };
        if let Some(epoch) = epoch.checked_add(1).filter(|&raised| raised < i16::MAX) {
            self.adopt(ProducerIdentity { id, epoch });
            Ok(())
        } else {
            self.identity = None;
            Err(EpochExhausted { id })
        }
    }
}

/// The sequence after `records` records from `sequence` on (`DefaultRecordBatch.incrementSequence`).
pub(super) fn advance(sequence: i32, records: usize) -> i32 {
    const MODULUS: u64 = 1 << 31;
    let next = (u64::from(sequence.unsigned_abs()) + records as u64) % MODULUS;
    i32::try_from(next).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario 19.
    #[test]
    fn sequences_count_records_and_wrap_to_zero_after_the_largest() {
        assert_eq!(advance(0, 10), 10);
        assert_eq!(advance(i32::MAX, 1), 0);
        assert_eq!(advance(i32::MAX - 1, 5), 3);
    }

    #[test]
    fn a_raised_epoch_starts_at_zero_and_the_last_one_asks_for_a_new_id() {
        let mut sequencer = Sequencer::default();
        assert_eq!(sequencer.assign(1), None);
        sequencer.adopt(ProducerIdentity {
            id: 7,
            epoch: i16::MAX - 2,
        });
        assert_eq!(sequencer.assign(3).unwrap().base_sequence, 0);
        assert_eq!(sequencer.assign(3).unwrap().base_sequence, 3);
        sequencer.left_a_hole();
        assert!(!sequencer.is_sound());
        sequencer.raise_epoch().unwrap();
        let stamp = sequencer.assign(1).unwrap();
        assert_eq!(
            (stamp.producer_epoch, stamp.base_sequence),
            (i16::MAX - 1, 0)
        );
        assert!(sequencer.is_sound());
        assert_eq!(sequencer.raise_epoch(), Err(EpochExhausted { id: 7 }));
        assert!(!sequencer.has_identity());
    }
}
