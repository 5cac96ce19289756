//! A partition's log: raw batches in memory, in the order of their offsets.
//!
//! Offsets have no gaps, and `end_offset` counts every record ever appended, kept or not. The log hands batches out as
//! they are; only [`super::batch`] knows what is in them. Never decides whether a batch may be appended.

use std::collections::VecDeque;

use bytes::Bytes;

use super::batch::{self, Header, Record};
use super::compression::codec_name;

/// What a producer put into one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchInfo {
    /// The first record's offset.
    pub base_offset: i64,
    /// How many records.
    pub record_count: i32,
    /// The size with its header, compressed if it was.
    pub bytes: usize,
    /// `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    pub compression: &'static str,
    /// -1 where the producer is not idempotent, as the next two.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The first record's sequence.
    pub base_sequence: i32,
}

/// The batches of one partition.
#[derive(Debug, Default)]
pub(crate) struct PartitionLog {
    batches: VecDeque<Stored>,
    start_offset: i64,
    end_offset: i64,
}

#[derive(Debug)]
struct Stored {
    header: Header,
    base_offset: i64,
    bytes: Bytes,
}

impl Stored {
    fn end_offset(&self) -> i64 {
        self.base_offset + i64::from(self.header.record_count)
    }
}

impl PartitionLog {
    /// The offset of the oldest record that is kept.
    pub(crate) fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// The offset that the next record will have.
    pub(crate) fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// Appends a checked batch and keeps it; returns its first record's offset.
    pub(crate) fn append(&mut self, header: Header, batch: &[u8], leader_epoch: i32) -> i64 {
        let base_offset = self.end_offset;
        let bytes = batch::place(batch, base_offset, leader_epoch);
        self.end_offset += i64::from(header.record_count);
        self.batches.push_back(Stored {
            header,
            base_offset,
            bytes,
        });
        base_offset
    }

    /// Counts a batch's records without keeping them; returns the first one's offset.
    pub(crate) fn count(&mut self, header: &Header) -> i64 {
        let base_offset = self.end_offset;
        self.end_offset += i64::from(header.record_count);
        self.start_offset = self.end_offset;
        base_offset
    }

    /// Drops the oldest batch; returns its size in bytes, 0 if there is none.
    pub(crate) fn drop_oldest(&mut self) -> usize {
        let Some(oldest) = self.batches.pop_front() else {
            return 0;
        };
        self.start_offset = oldest.end_offset();
        oldest.bytes.len()
    }

    /// Whole batches from the one that holds `offset` on, up to `bytes_max`, but at least one if `at_least_one`.
    pub(crate) fn read(&self, offset: i64, bytes_max: usize, at_least_one: bool) -> Vec<Bytes> {
        let first = self
            .batches
            .partition_point(|batch| batch.end_offset() <= offset);
        let mut batches = Vec::new();
        let mut total = 0;
        for batch in self.batches.iter().skip(first) {
            total += batch.bytes.len();
            if total > bytes_max && !(at_least_one && batches.is_empty()) {
                break;
            }
            batches.push(batch.bytes.clone());
        }
        batches
    }

    /// The first record at or after a time, as (offset, timestamp).
    pub(crate) fn first_since(&self, timestamp: i64) -> Option<(i64, i64)> {
        let late_enough = self
            .batches
            .iter()
            .filter(|batch| batch.header.max_timestamp >= timestamp);
        late_enough
            .flat_map(|batch| batch::records(&batch.bytes))
            .find(|record| record.timestamp >= timestamp)
            .map(|record| (record.offset, record.timestamp))
    }

    /// The largest timestamp that is kept.
    pub(crate) fn max_timestamp(&self) -> Option<i64> {
        self.batches
            .iter()
            .map(|batch| batch.header.max_timestamp)
            .max()
    }

    /// The raw batches, for whoever decodes them outside the lock.
    pub(crate) fn raw(&self) -> Vec<Bytes> {
        self.batches
            .iter()
            .map(|batch| batch.bytes.clone())
            .collect()
    }

    pub(crate) fn infos(&self) -> Vec<BatchInfo> {
        self.batches.iter().map(Stored::info).collect()
    }
}

impl Stored {
    fn info(&self) -> BatchInfo {
        BatchInfo {
            base_offset: self.base_offset,
            record_count: self.header.record_count,
            bytes: self.bytes.len(),
            compression: codec_name(self.header.attributes),
            producer_id: self.header.producer_id,
            producer_epoch: self.header.producer_epoch,
            base_sequence: self.header.base_sequence,
        }
    }
}

/// The records of raw batches.
pub(crate) fn decode(batches: &[Bytes]) -> Vec<Record> {
    batches.iter().flat_map(batch::records).collect()
}
