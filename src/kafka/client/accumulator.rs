//! Records on their way into batches.
//!
//! Invariant: the bytes charged to [`Memory`] are those of every record that was pushed and is neither acknowledged nor
//! failed. This module never decides when or where a batch is sent.

use std::mem::size_of;
use std::sync::Arc;
use std::time::Instant;

use super::memory::Memory;
use super::sequence::advance;
use crate::kafka::wire::Compression;
use crate::kafka::wire::compression::CompressionError;
use crate::kafka::wire::record_batch::{BatchBuilder, ProducerStamp, split, stamp};

/// When the records of a batch were due, run by run: records that were due at the same instant share an entry.
pub type DueTimes = Vec<(Instant, u32)>;

/// A batch that still takes records.
#[derive(Debug)]
pub(super) struct OpenBatch {
    builder: BatchBuilder,
    due: DueTimes,
    charge: usize,
    pub(super) created: Instant,
}

/// One record to be produced, as the caller holds it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Decides the partition; `None`: sticky.
    pub key: Option<&'a [u8]>,
    /// What is said.
    pub value: &'a [u8],
    /// `CreateTime`, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// When the record should have been made; its latency counts from then.
    pub due: Instant,
}

impl OpenBatch {
    pub(super) fn new(memory: &mut Memory, bytes_max: usize, now: Instant) -> Self {
        let builder = BatchBuilder::new(memory.take_buffer(now), bytes_max);
        let charge = builder.bytes();
        memory.charge(charge);
        Self {
            builder,
            due: memory.take_due_times(),
            charge,
            created: now,
        }
    }

    /// Adds a record; `false` if the batch is full, and then nothing has changed.
    pub(super) fn try_push(&mut self, record: &Record<'_>, memory: &mut Memory) -> bool {
        let before = self.builder.bytes();
        if self
            .builder
            .try_push(record.timestamp_ms, record.key, record.value)
            .is_err()
        {
            return false;
        }
        let mut grown = self.builder.bytes() - before;
        match self.due.last_mut() {
            Some((due, count)) if *due == record.due => *count += 1,
            _ => {
                self.due.push((record.due, 1));
                grown += size_of::<(Instant, u32)>();
            }
        }
        self.charge += grown;
        memory.charge(grown);
        true
    }

    /// Closes the batch. The charge follows the bytes that compression leaves.
    pub(super) fn seal(
        self,
        compression: Compression,
        memory: &mut Memory,
    ) -> Result<Batch, (Unsealable, CompressionError)> {
        let records = self.builder.record_count();
        let open_bytes = self.builder.bytes();
        match self.builder.seal(compression) {
            Ok(sealed) => {
                let bytes = memory.trimmed(sealed.into_vec());
                let charge = self.charge.saturating_sub(open_bytes) + bytes.len();
                memory.release(self.charge);
                memory.charge(charge);
                Ok(Batch {
                    bytes: Arc::new(bytes),
                    records,
                    due: self.due,
                    charge,
                    created: self.created,
                    attempts: 0,
                    open_bytes,
                    stamped: None,
                })
            }
            Err(error) => {
                memory.release(self.charge);
                Err((Unsealable { records }, error))
            }
        }
    }

    pub(super) fn records(&self) -> usize {
        self.builder.record_count()
    }

    /// Gives the batch up: its memory is free again.
    pub(super) fn discard(self, memory: &mut Memory) -> usize {
        memory.release(self.charge);
        self.builder.record_count()
    }
}

/// What is known of a batch that could not be compressed.
#[derive(Debug)]
pub(super) struct Unsealable {
    pub(super) records: usize,
}

/// A complete batch. Its bytes are shared with the link that writes them, never copied for a resend.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) records: usize,
    pub(super) due: DueTimes,
    pub(super) created: Instant,
    pub(super) attempts: u32,
    /// How long it was before compression.
    pub(super) open_bytes: usize,
    stamped: Option<ProducerStamp>,
    charge: usize,
}

impl Batch {
    /// Writes who produces it and the sequence of its first record. Copies the bytes only if a link still holds them.
    pub(super) fn stamp(&mut self, stamped: Option<ProducerStamp>) {
        self.stamped = stamped;
        stamp(Arc::make_mut(&mut self.bytes).as_mut_slice(), stamped);
    }

    /// Two batches with the first and the second half of the records and of the sequences (for `MESSAGE_TOO_LARGE`); the
    /// batch itself if it cannot be halved.
    pub(super) fn split(
        self,
        compression: Compression,
        memory: &mut Memory,
    ) -> Result<(Batch, Batch), Batch> {
        let Ok((left, right)) = split(&self.bytes) else {
            return Err(self);
        };
        let (left_records, right_records) = (left.record_count(), right.record_count());
        let (left_open, right_open) = (left.bytes(), right.bytes());
        let (Ok(left), Ok(right)) = (left.seal(compression), right.seal(compression)) else {
            return Err(self);
        };
        let (left_due, right_due) = split_due(&self.due, left_records);
        let half = |bytes: Vec<u8>, open_bytes, records, due: DueTimes| Batch {
            charge: bytes.len() + due.len() * size_of::<(Instant, u32)>(),
            bytes: Arc::new(bytes),
            records,
            due,
            created: self.created,
            attempts: self.attempts,
            open_bytes,
            stamped: None,
        };
        let mut halves = (
            half(
                memory.trimmed(left.into_vec()),
                left_open,
                left_records,
                left_due,
            ),
            half(
                memory.trimmed(right.into_vec()),
                right_open,
                right_records,
                right_due,
            ),
        );
        halves.0.stamp(self.stamped);
        halves.1.stamp(self.stamped.map(|whole| ProducerStamp {
            base_sequence: advance(whole.base_sequence, left_records),
            ..whole
        }));
        memory.charge(halves.0.charge + halves.1.charge);
        self.finish(memory);
        Ok(halves)
    }

    /// The batch is over, one way or the other: memory and buffer go back.
    pub(super) fn finish(self, memory: &mut Memory) -> (usize, DueTimes) {
        memory.release(self.charge);
        memory.recycle(self.bytes);
        (self.records, self.due)
    }
}

/// The due times of the first `records` records, and those of the rest.
fn split_due(due: &[(Instant, u32)], records: usize) -> (DueTimes, DueTimes) {
    let mut left = u32::try_from(records).unwrap_or(u32::MAX);
    let mut halves = (DueTimes::new(), DueTimes::new());
    for &(at, count) in due {
        let first = count.min(left);
        left -= first;
        if first > 0 {
            halves.0.push((at, first));
        }
        if count > first {
            halves.1.push((at, count - first));
        }
    }
    halves
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(due: Instant) -> Record<'static> {
        Record {
            key: Some(b"key"),
            value: b"a value",
            timestamp_ms: 1_700_000_000_000,
            due,
        }
    }

    #[test]
    fn every_byte_charged_is_released_when_the_batch_is_over() {
        for compression in [Compression::None, Compression::Gzip] {
            let now = Instant::now();
            let mut memory = Memory::new(1 << 20);
            let mut open = OpenBatch::new(&mut memory, 1000, now);
            while open.try_push(&record(now), &mut memory) {}
            assert!(memory.used() >= 900);
            let batch = open.seal(compression, &mut memory).unwrap();
            let records = batch.records;
            let (left, right) = batch.split(compression, &mut memory).unwrap();
            assert_eq!(left.records + right.records, records);
            assert!(memory.used() > 0);
            left.finish(&mut memory);
            right.finish(&mut memory);
            assert_eq!(memory.used(), 0);
            let open = OpenBatch::new(&mut memory, 1000, now);
            open.discard(&mut memory);
            assert_eq!(memory.used(), 0);
        }
    }

    #[test]
    fn a_batch_that_waits_holds_little_more_memory_than_it_is_charged_for() {
        let now = Instant::now();
        for compression in [Compression::None, Compression::Gzip] {
            for records in [1, usize::MAX] {
                let mut memory = Memory::new(1 << 24);
                let mut open = OpenBatch::new(&mut memory, 1 << 20, now);
                let mut pushed = 0;
                while pushed < records && open.try_push(&record(now), &mut memory) {
                    pushed += 1;
                }
                let batch = open.seal(compression, &mut memory).unwrap();
                let (held, charged) = (batch.bytes.capacity(), memory.used());
                assert!(held <= 2 * charged, "{held} bytes held, {charged} charged");
            }
        }
    }

    #[test]
    fn records_due_at_the_same_instant_share_an_entry_and_halves_share_the_runs() {
        let now = Instant::now();
        let later = now + std::time::Duration::from_millis(1);
        let mut memory = Memory::new(1 << 20);
        let mut open = OpenBatch::new(&mut memory, 100_000, now);
        for due in [now, now, now, later, later] {
            assert!(open.try_push(&record(due), &mut memory));
        }
        let batch = open.seal(Compression::None, &mut memory).unwrap();
        assert_eq!(batch.due, [(now, 3), (later, 2)]);
        assert_eq!(
            split_due(&batch.due, 2),
            (vec![(now, 2)], vec![(now, 1), (later, 2)])
        );
    }
}
