//! A reusable buffer of encoded records: what travels from the generator to the producer, and back empty.
//!
//! The records lie end to end (key, then value) in one buffer. An index says where each ends, and runs say when they were
//! made and when they were due: at full speed many share both. Invariants: the ends in the index never fall, and the last one
//! is where the records end; the runs count as many records as the index has.
//! A chunk never shrinks: cleared and filled again it allocates nothing. It never looks into what it carries.

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
    /// Records up to `used`; behind it room, whose bytes mean nothing.
    data: Vec<u8>,
    used: usize,
    entries: Vec<Entry>,
    runs: Vec<Run>,
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

/// How long a record is that [`Chunk::push_within`] takes: the key comes first, the value right behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// `None`: no key.
    pub key: Option<usize>,
    /// Bytes of the value.
    pub value: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    key_len: u32,
    end: u32,
}

/// Records in a row that were made and due at the same time.
#[derive(Debug, Clone, Copy)]
struct Run {
    records: usize,
    timestamp_ms: i64,
    due: Instant,
}

impl Chunk {
    /// An empty chunk with room for `bytes` of records and [`CHUNK_RECORDS_MAX`] index entries.
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            data: Vec::with_capacity(bytes),
            used: 0,
            entries: Vec::with_capacity(CHUNK_RECORDS_MAX),
            runs: Vec::with_capacity(CHUNK_RECORDS_MAX),
        }
    }

    /// Appends a record; `write_value` appends the value to the buffer that it is given and must leave alone what the
    /// buffer holds already. Taken even when the chunk [is full](Self::is_full): the buffer then grows. Fewer than
    /// 4 GiB in all, which `is_full` sees to by far.
    pub fn push(
        &mut self,
        due: Instant,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        write_value: impl FnOnce(&mut Vec<u8>),
    ) {
        self.data.truncate(self.used);
        self.data.extend_from_slice(key.unwrap_or_default());
        let start = self.data.len();
        write_value(&mut self.data);
        debug_assert!(self.data.len() >= start, "a record took bytes away");
        let lengths = Lengths {
            key: key.map(<[u8]>::len),
            value: self.data.len() - start,
        };
        self.add(due, timestamp_ms, lengths);
    }

    /// Appends a record that `write` writes at the beginning of the `room` bytes that it is given, whatever they hold, and
    /// whose lengths it returns. What it stores behind these does not count, so it may store at fixed widths. The buffer grows
    /// if need be.
    ///
    /// # Errors
    /// That of `write`; nothing of the record then stays behind.
    #[inline]
    pub fn push_within<E>(
        &mut self,
        due: Instant,
        timestamp_ms: i64,
        room: usize,
        write: impl FnOnce(&mut [u8]) -> Result<Lengths, E>,
    ) -> Result<(), E> {
        let end = self.used + room;
        if self.data.len() < end {
            self.make_room(end);
        }
        let lengths = write(self.data.get_mut(self.used..end).unwrap_or_default())?;
        debug_assert!(lengths.key.unwrap_or(0) + lengths.value <= room);
        self.add(due, timestamp_ms, lengths);
        Ok(())
    }

    #[cold]
    fn make_room(&mut self, end: usize) {
        self.data.resize(end.max(self.data.capacity()), 0);
    }

    #[inline]
    fn add(&mut self, due: Instant, timestamp_ms: i64, lengths: Lengths) {
        self.used += lengths.key.unwrap_or(0) + lengths.value;
        self.entries.push(Entry {
            key_len: lengths.key.map_or(NO_KEY, index_u32),
            end: index_u32(self.used),
        });
        match self.runs.last_mut() {
            Some(run) if run.due == due && run.timestamp_ms == timestamp_ms => run.records += 1,
            _ => self.runs.push(Run {
                records: 1,
                timestamp_ms,
                due,
            }),
        }
    }

    /// The records in the order in which they were pushed.
    pub fn records(&self) -> Records<'_> {
        self.records_from(Place::default())
    }

    /// The records from `place` on, where [`Records`] of this chunk were.
    #[inline]
    pub fn records_from(&self, place: Place) -> Records<'_> {
        Records { chunk: self, place }
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

    /// The timestamp of the last record, in milliseconds since 1970; `None` without records.
    #[inline]
    pub fn last_timestamp_ms(&self) -> Option<i64> {
        self.runs.last().map(|run| run.timestamp_ms)
    }

    /// Bytes of keys and values that it holds.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.used
    }

    /// Whether the next record might not fit any more without the buffer growing.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.entries.len() >= CHUNK_RECORDS_MAX || self.used + CHUNK_RECORD_ROOM_BYTES > CHUNK_BYTES
    }

    /// Forgets the records and keeps the memory.
    pub fn clear(&mut self) {
        self.used = 0;
        self.entries.clear();
        self.runs.clear();
    }
}

/// A place between two records of a chunk.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    /// Records before it.
    record: usize,
    /// Where the next one begins.
    start: u32,
    run: usize,
    /// Records of that run before it.
    in_run: usize,
}

impl Place {
    /// How many records of the chunk come before it.
    pub fn records_before(self) -> usize {
        self.record
    }
}

/// Iterates over the records of a chunk.
#[derive(Debug)]
pub struct Records<'a> {
    chunk: &'a Chunk,
    place: Place,
}

impl Records<'_> {
    /// The place before the next record.
    #[inline]
    pub fn place(&self) -> Place {
        self.place
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        let place = &mut self.place;
        let entry = self.chunk.entries.get(place.record)?;
        let run = self.chunk.runs.get(place.run)?;
        let bytes = place.start as usize..entry.end as usize;
        let bytes = self.chunk.data.get(bytes)?;
        let (key, value) = if entry.key_len == NO_KEY {
            (None, bytes)
        } else {
            let (key, value) = bytes.split_at_checked(entry.key_len as usize)?;
            (Some(key), value)
        };
        place.record += 1;
        place.start = entry.end;
        place.in_run += 1;
        if place.in_run == run.records {
            (place.run, place.in_run) = (place.run + 1, 0);
        }
        Some(Record {
            key,
            value,
            timestamp_ms: run.timestamp_ms,
            due: run.due,
        })
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
        let records: Vec<_> = chunk.records().collect();
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
    }

    #[test]
    fn a_record_that_cannot_be_encoded_leaves_nothing_behind() {
        let now = Instant::now();
        let mut chunk = Chunk::with_capacity(CHUNK_BYTES);
        let mut write = |byte: u8, value: Result<usize, &'static str>| {
            chunk.push_within(now, 1, 8, |room| {
                room.fill(byte);
                value.map(|value| Lengths {
                    key: Some(1),
                    value,
                })
            })
        };
        assert_eq!(write(1, Ok(2)), Ok(()));
        assert_eq!(write(2, Err("no")), Err("no"));
        assert_eq!(write(3, Ok(1)), Ok(()));
        let values: Vec<_> = chunk
            .records()
            .map(|record| (record.key, record.value))
            .collect();
        let expected = [(Some(&[1][..]), &[1, 1][..]), (Some(&[3]), &[3])];
        assert_eq!(values, expected);
    }

    #[test]
    fn records_that_are_written_in_either_way_lie_side_by_side() {
        let now = Instant::now();
        let mut chunk = Chunk::with_capacity(4);
        for byte in 0..10 {
            let lengths = Lengths {
                key: None,
                value: 3,
            };
            let written = chunk.push_within(now, 0, 100, |room| {
                room.fill(byte);
                Ok::<_, ()>(lengths)
            });
            assert_eq!(written, Ok(()));
            chunk.push(now, 0, Some(b"key"), |out| out.push(byte));
        }
        let values: Vec<_> = chunk
            .records()
            .map(|record| record.value.to_vec())
            .collect();
        let expected = (0..10).flat_map(|byte| [vec![byte; 3], vec![byte]]);
        assert_eq!(values, expected.collect::<Vec<_>>());
    }

    #[test]
    fn what_is_read_from_a_place_on_is_what_was_not_read_before_it() {
        let start = Instant::now();
        let mut chunk = Chunk::with_capacity(CHUNK_BYTES);
        for n in 0..20_u8 {
            let due = start + Duration::from_millis(u64::from(n / 3));
            chunk.push(due, i64::from(n / 7), Some(&[n]), |out| out.push(n));
        }
        let all: Vec<_> = chunk.records().collect();
        for read in 0..=all.len() {
            let mut iter = chunk.records();
            assert_eq!(iter.by_ref().take(read).count(), read);
            let place = iter.place();
            assert_eq!(place.records_before(), read);
            assert!(chunk.records_from(place).eq(all[read..].iter().copied()));
        }
    }

    #[test]
    fn a_cleared_chunk_is_empty_and_is_filled_again_without_allocating() {
        let now = Instant::now();
        let mut chunk = Chunk::with_capacity(CHUNK_BYTES);
        let mut counts = Vec::new();
        let pointers = |chunk: &Chunk| (chunk.data.as_ptr(), chunk.entries.as_ptr());
        let before = pointers(&chunk);
        for _ in 0..3 {
            while !chunk.is_full() {
                let lengths = Lengths {
                    key: Some(36),
                    value: 98,
                };
                let written = chunk.push_within(now, 0, 200, |_| Ok::<_, ()>(lengths));
                assert_eq!(written, Ok(()));
            }
            counts.push(chunk.len());
            chunk.clear();
            assert!(chunk.is_empty() && chunk.bytes() == 0 && chunk.records().next().is_none());
        }
        assert_eq!(pointers(&chunk), before);
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
        assert_eq!(chunk.records().next().unwrap().value.len(), 2 * CHUNK_BYTES);
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
