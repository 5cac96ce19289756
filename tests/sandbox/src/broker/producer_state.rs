//! What a partition remembers of each idempotent producer, and the judgement of the next batch.
//!
//! Follows Kafka's `ProducerStateEntry` and `ProducerAppendInfo`: the last five batches of the current epoch are
//! remembered, an exact repetition of one of them is a duplicate that is answered with its first offset, and anything
//! else must follow on without a gap. Judging changes nothing; only [`ProducerEntry::remember`] does.

use std::collections::{HashMap, VecDeque};

use kafka_protocol::error::ResponseError;

use crate::config::SequenceRules;

/// How many batches of a producer are remembered: Kafka's `NUM_BATCHES_TO_RETAIN`.
const BATCHES_REMEMBERED: usize = 5;

/// What each producer id last wrote to one partition.
#[derive(Debug, Default)]
pub(crate) struct Producers(HashMap<i64, ProducerEntry>);

/// A batch as its producer stamped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) first_sequence: i32,
    /// At least 1.
    pub(crate) records: i32,
}

/// What is to be done with a stamped batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Append,
    /// Written before, from this offset on.
    Duplicate(i64),
    Refuse(i16, String),
}

#[derive(Debug)]
struct ProducerEntry {
    epoch: i16,
    batches: VecDeque<Remembered>,
}

#[derive(Debug)]
struct Remembered {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
}

impl Producers {
    /// Judges a batch by what is remembered.
    pub(crate) fn judge(&self, stamp: Stamp, rules: SequenceRules) -> Verdict {
        let Some(entry) = self.0.get(&stamp.producer_id) else {
            return match rules {
                SequenceRules::Legacy if stamp.first_sequence != 0 => Verdict::Refuse(
                    ResponseError::UnknownProducerId.code(),
                    format!("nothing is known of producer {}", stamp.producer_id),
                ),
                _ => Verdict::Append,
            };
        };
        entry.judge(stamp, rules)
    }

    /// Remembers a batch that was appended.
    pub(crate) fn remember(&mut self, stamp: Stamp, base_offset: i64) {
        let entry = self
            .0
            .entry(stamp.producer_id)
            .or_insert_with(|| ProducerEntry {
                epoch: stamp.epoch,
                batches: VecDeque::new(),
            });
        entry.remember(stamp, base_offset);
    }

    /// Forgets every producer, as a broker does when their ids expire.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

impl ProducerEntry {
    fn judge(&self, stamp: Stamp, rules: SequenceRules) -> Verdict {
        let Stamp {
            producer_id,
            epoch,
            first_sequence,
            ..
        } = stamp;
        if epoch < self.epoch {
            return Verdict::Refuse(
                ResponseError::InvalidProducerEpoch.code(),
                format!(
                    "epoch {epoch} of producer {producer_id} is older than the last seen {}",
                    self.epoch
                ),
            );
        }
        let out_of_order = ResponseError::OutOfOrderSequenceNumber.code();
        if epoch > self.epoch {
            if first_sequence == 0 {
                return Verdict::Append;
            }
            return Verdict::Refuse(
                out_of_order,
                format!(
                    "sequence {first_sequence} of producer {producer_id} opens the new epoch {epoch}, not 0"
                ),
            );
        }
        let last_sequence = stamp.last_sequence();
        let same = |batch: &&Remembered| {
            batch.first_sequence == first_sequence && batch.last_sequence == last_sequence
        };
        if let Some(batch) = self.batches.iter().find(same) {
            return Verdict::Duplicate(batch.base_offset);
        }
        let expected = self
            .batches
            .back()
            .map_or(0, |batch| next_sequence(batch.last_sequence, 1));
        if first_sequence == expected {
            return Verdict::Append;
        }
        let older = self
            .batches
            .front()
            .is_some_and(|batch| last_sequence < batch.first_sequence);
        let code = match rules {
            SequenceRules::Legacy if older => ResponseError::DuplicateSequenceNumber.code(),
            _ => out_of_order,
        };
        Verdict::Refuse(
            code,
            format!(
                "sequence {first_sequence} of producer {producer_id} epoch {epoch} came, {expected} was due"
            ),
        )
    }

    fn remember(&mut self, stamp: Stamp, base_offset: i64) {
        if self.epoch != stamp.epoch {
            self.epoch = stamp.epoch;
            self.batches.clear();
        }
        if self.batches.len() == BATCHES_REMEMBERED {
            self.batches.pop_front();
        }
        self.batches.push_back(Remembered {
            first_sequence: stamp.first_sequence,
            last_sequence: stamp.last_sequence(),
            base_offset,
        });
    }
}

impl Stamp {
    fn last_sequence(self) -> i32 {
        next_sequence(self.first_sequence, self.records - 1)
    }
}

/// Sequences wrap from 2³¹−1 to 0 (`DefaultRecordBatch.incrementSequence`).
fn next_sequence(sequence: i32, by: i32) -> i32 {
    match sequence.checked_add(by) {
        Some(next) => next,
        None => by - (i32::MAX - sequence) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(epoch: i16, first_sequence: i32, records: i32) -> Stamp {
        Stamp {
            producer_id: 7,
            epoch,
            first_sequence,
            records,
        }
    }

    fn append(producers: &mut Producers, stamp: Stamp, offset: i64) {
        assert_eq!(
            producers.judge(stamp, SequenceRules::Modern),
            Verdict::Append
        );
        producers.remember(stamp, offset);
    }

    fn code(verdict: Verdict) -> i16 {
        match verdict {
            Verdict::Refuse(code, _) => code,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn only_the_last_five_batches_are_known_as_duplicates() {
        let mut producers = Producers::default();
        for n in 0..6 {
            append(&mut producers, stamp(0, n * 10, 10), i64::from(n) * 10);
        }
        assert_eq!(
            producers.judge(stamp(0, 10, 10), SequenceRules::Modern),
            Verdict::Duplicate(10)
        );
        assert_eq!(
            producers.judge(stamp(0, 50, 10), SequenceRules::Modern),
            Verdict::Duplicate(50)
        );
        assert_eq!(
            code(producers.judge(stamp(0, 0, 10), SequenceRules::Modern)),
            45
        );
        assert_eq!(
            code(producers.judge(stamp(0, 0, 10), SequenceRules::Legacy)),
            46
        );
        assert_eq!(
            code(producers.judge(stamp(0, 50, 9), SequenceRules::Modern)),
            45,
            "not the same batch"
        );
    }

    #[test]
    fn a_gap_is_out_of_order_and_remembers_nothing() {
        let mut producers = Producers::default();
        append(&mut producers, stamp(0, 0, 3), 0);
        assert_eq!(
            code(producers.judge(stamp(0, 4, 1), SequenceRules::Modern)),
            45
        );
        append(&mut producers, stamp(0, 3, 1), 3);
    }

    #[test]
    fn an_epoch_starts_at_sequence_zero_and_fences_the_older_one() {
        let mut producers = Producers::default();
        append(&mut producers, stamp(0, 0, 3), 0);
        assert_eq!(
            code(producers.judge(stamp(1, 3, 1), SequenceRules::Modern)),
            45
        );
        append(&mut producers, stamp(1, 0, 1), 3);
        assert_eq!(
            code(producers.judge(stamp(0, 3, 1), SequenceRules::Modern)),
            47
        );
        append(&mut producers, stamp(1, 1, 1), 4);
    }

    #[test]
    fn an_unknown_producer_may_start_anywhere_on_modern_brokers_only() {
        let producers = Producers::default();
        assert_eq!(
            producers.judge(stamp(0, 9, 1), SequenceRules::Modern),
            Verdict::Append
        );
        assert_eq!(
            code(producers.judge(stamp(0, 9, 1), SequenceRules::Legacy)),
            59
        );
        assert_eq!(
            producers.judge(stamp(0, 0, 1), SequenceRules::Legacy),
            Verdict::Append
        );
    }

    #[test]
    fn sequences_wrap_to_zero() {
        let mut producers = Producers::default();
        append(&mut producers, stamp(0, i32::MAX - 1, 3), 0);
        assert_eq!(
            producers.judge(stamp(0, i32::MAX - 1, 3), SequenceRules::Modern),
            Verdict::Duplicate(0)
        );
        append(&mut producers, stamp(0, 1, 1), 3);
        producers.forget();
        append(&mut producers, stamp(0, i32::MAX, 1), 4);
        append(&mut producers, stamp(0, 0, 1), 5);
    }
}
