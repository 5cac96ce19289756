//! A reusable buffer of encoded records: what travels from the generator to the producer, and back empty.
//!
//! The records lie end to end (key, then value) in one buffer, and an index says where each ends, when it was made and
//! when it was due. Invariant: the ends in the index never fall, and the last one is the buffer's length.
//! A chunk never shrinks: cleared and filled again it allocates nothing. It never looks into what it carries.

use std::convert::Infallible;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};

/// Bytes of records that a chunk is meant to hold.
pub const CHUNK_BYTES: usize = 256 * 1024;

/// Records that a chunk is meant to hold.
pub const CHUNK_RECORDS_MAX: usize = 4096;

/// A chunk with less room than this counts as full, so that the next record does not make the buffer grow.
pub const CHUNK_RECORD_ROOM_BYTES: usize = 1024;

/// Key length in the index of a record that has no key.
const NO_KEY: u32 = u32::MAX;

/// Encoded records and where each of them lies.
#[derive(Debug)]
pub struct Chunk {
    data: Vec<u8>,
    entries: Vec<Entry>,
}

/// One record of a [`Chunk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// `None` is Kafka's null key, which is not the same as an empty one.
    pub key: Option<&'a [u8]>,
    /// The encoded value.
    pub value: &'a [u8],
    /// Wall-clock time at which it was made, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// When the schedule wanted it: latency counts from here.
    pub due: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    key_len: u32,
    end: u32,
    timestamp_ms: i64,
    due: Instant,
}

impl Chunk {
    /// An empty chunk with room for `bytes` of records and [`CHUNK_RECORDS_MAX`] index entries.
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            data: Vec::with_capacity(bytes),
            entries: Vec::with_capacity(CHUNK_RECORDS_MAX),
        }
    }

    /// Appends a record; `write_value` appends the value to the buffer that it is given and must leave alone what the
    /// buffer holds already. Taken even when the chunk [is full](Self::is_full): the buffer then grows. Fewer than
    /// 4 GiB in all, which `is_full` sees to by far.
    #[inline]
    pub fn push(
        &mut self,
        due: Instant,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        write_value: impl FnOnce(&mut Vec<u8>),
    ) {
        let Ok(()) = self.try_push(due, timestamp_ms, key, |out| {
            write_value(out);
            Ok::<(), Infallible>(())
        });
    }

    /// [`push`](Self::push) of a value that may turn out not to be encodable.
    ///
    /// # Errors
    /// That of `write_value`; nothing of the record then stays behind.
    #[inline]
    pub fn try_push<E>(
        &mut self,
        due: Instant,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        write_value: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.data.len();
        let key_len = key.map_or(NO_KEY, |key| {
            self.data.extend_from_slice(key);
            index_u32(key.len())
        });
        if let Err(error) = write_value(&mut self.data) {
            self.data.truncate(start);
            return Err(error);
        }
        debug_assert!(self.data.len() >= start, "a record took bytes away");
        self.entries.push(Entry {
            key_len,
            end: index_u32(self.data.len()),
            timestamp_ms,
            due,
        });
        Ok(())
    }

    /// The `index`-th record, counted from 0.
    #[inline]
    pub fn get(&self, index: usize) -> Option<Record<'_>> {
        let entry = self.entries.get(index)?;
        let start = match index.checked_sub(1) {
            Some(previous) => self.entries.get(previous)?.end,
            None => 0,
        };
        let bytes = self.data.get(start as usize..entry.end as usize)?;
        let (key, value) = if entry.key_len == NO_KEY {
            (None, bytes)
        } else {
            let (key, value) = bytes.split_at_checked(entry.key_len as usize)?;
            (Some(key), value)
        };
        Some(Record {
            key,
            value,
            timestamp_ms: entry.timestamp_ms,
            due: entry.due,
        })
    }

    /// The records in the order in which they were pushed.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        (0..self.len()).map_while(|index| self.get(index))
    }

    /// How many records it holds.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds no record.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of keys and values that it holds.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// Whether the next record might not fit any more without the buffer growing.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.entries.len() >= CHUNK_RECORDS_MAX
            || self.data.len() + CHUNK_RECORD_ROOM_BYTES > CHUNK_BYTES
    }

    /// Forgets the records and keeps the memory.
    pub fn clear(&mut self) {
        self.data.clear();
        self.entries.clear();
    }
}

/// The two channels that chunks go round in: full ones one way, empty ones back.
#[derive(Debug)]
pub struct ChunkRing {
    /// Generator's end: full chunks go in here. Never blocks, since it has room for every chunk there is.
    pub full_in: Sender<Chunk>,
    /// Producer's end: full chunks come out here; disconnected after the generator's last one.
    pub full_out: Receiver<Chunk>,
    /// Producer's end: empty (or still filled, the generator clears them) chunks go back in here. Never blocks.
    pub empty_in: Sender<Chunk>,
    /// Generator's end: empty chunks come out here. Waiting for one is the backpressure.
    pub empty_out: Receiver<Chunk>,
}

impl ChunkRing {
    /// `chunks` empty chunks of [`CHUNK_BYTES`], all waiting for the generator. These are all that there will ever be.
    pub fn new(chunks: usize) -> Self {
        let (full_in, full_out) = bounded(chunks);
        let (empty_in, empty_out) = bounded(chunks);
        for _ in 0..chunks {
            // Cannot fail: the channel has room for all of them and its receiver is alive.
            let _ = empty_in.try_send(Chunk::with_capacity(CHUNK_BYTES));
        }
        Self {
            full_in,
            full_out,
            empty_in,
            empty_out,
        }
    }
}

/// A length or an offset as the index keeps it. [`Chunk::push`] says why it fits.
#[inline]
fn index_u32(value: usize) -> u32 {
    debug_assert!(value < NO_KEY as usize, "a chunk of 4 GiB");
    u32::try_from(value).unwrap_or(NO_KEY - 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn records_come_out_as_they_went_in() {
        let start = Instant::now();
        let later = start + Duration::from_millis(7);
        let mut chunk = Chunk::with_capacity(CHUNK_BYTES);
        chunk.push(start, 1, Some(b"key"), |out| {
            out.extend_from_slice(b"value");
        });
        chunk.push(later, 2, None, |out| out.extend_from_slice(b"keyless"));
        chunk.push(later, 3, Some(b""), |_| ());
        let records: Vec<_> = chunk.iter().collect();
        let expected = [
            (Some(&b"key"[..]), &b"value"[..], 1, start),
            (None, b"keyless", 2, later),
            (Some(b""), b"", 3, later),
        ];
        assert_eq!(
            records,
            expected.map(|(key, value, timestamp_ms, due)| Record {
                key,
                value,
                timestamp_ms,
                due
            })
        );
        assert_eq!((chunk.len(), chunk.bytes()), (3, 15));
        assert_eq!(chunk.get(3), None);
    }

    #[test]
    fn a_record_that_cannot_be_encoded_leaves_nothing_behind() {
        let now = Instant::now();
        let mut chunk = Chunk::with_capacity(CHUNK_BYTES);
        chunk.push(now, 1, Some(b"a"), |out| out.push(1));
        let failed = chunk.try_push(now, 2, Some(b"b"), |out| {
            out.extend_from_slice(b"half a val");
            Err("no")
        });
        assert_eq!(failed, Err("no"));
        chunk.push(now, 3, Some(b"c"), |out| out.push(3));
        let values: Vec<_> = chunk
            .iter()
            .map(|record| (record.key, record.value))
            .collect();
        assert_eq!(values, [(Some(&b"a"[..]), &[1][..]), (Some(b"c"), &[3])]);
    }

    #[test]
    fn a_cleared_chunk_is_empty_and_is_filled_again_without_allocating() {
        let now = Instant::now();
        let mut chunk = Chunk::with_capacity(CHUNK_BYTES);
        let mut counts = Vec::new();
        let pointers = (chunk.data.as_ptr(), chunk.entries.as_ptr());
        for _ in 0..3 {
            while !chunk.is_full() {
                chunk.push(now, 0, Some(&[1; 36]), |out| {
                    out.extend_from_slice(&[2; 98]);
                });
            }
            counts.push(chunk.len());
            chunk.clear();
            assert!(chunk.is_empty() && chunk.bytes() == 0 && chunk.get(0).is_none());
        }
        assert_eq!((chunk.data.as_ptr(), chunk.entries.as_ptr()), pointers);
        assert_eq!(counts, [1949; 3]);
    }

    #[test]
    fn a_chunk_is_full_by_records_as_well_as_by_bytes() {
        let now = Instant::now();
        let mut chunk = Chunk::with_capacity(CHUNK_BYTES);
        for _ in 0..CHUNK_RECORDS_MAX {
            assert!(!chunk.is_full());
            chunk.push(now, 0, None, |out| out.push(0));
        }
        assert!(chunk.is_full());
    }

    #[test]
    fn an_oversized_record_is_still_taken_whole() {
        let mut chunk = Chunk::with_capacity(CHUNK_BYTES);
        chunk.push(Instant::now(), 0, Some(b"k"), |out| {
            out.resize(out.len() + 2 * CHUNK_BYTES, 9);
        });
        assert_eq!(chunk.get(0).unwrap().value.len(), 2 * CHUNK_BYTES);
        assert!(chunk.is_full());
    }

    #[test]
    fn a_ring_holds_its_chunks_and_no_more() {
        let ring = ChunkRing::new(3);
        assert_eq!(ring.empty_out.len(), 3);
        for _ in 0..3 {
            ring.full_in
                .try_send(ring.empty_out.try_recv().unwrap())
                .unwrap();
        }
        assert!(ring.empty_out.try_recv().is_err());
    }
}
