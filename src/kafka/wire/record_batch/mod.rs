//! Record batches, format version 2 (KIP-98): built in place, sealed, stamped.
//!
//! A batch goes through three hands. [`BatchBuilder`] appends records behind 61 bytes that are kept free. [`BatchBuilder::seal`]
//! compresses and fills in the header. [`stamp`] writes who sends it, and the checksum: only then is it known, and a batch that is
//! sent again under a new epoch is stamped again. Invariant: the bytes of a sealed and stamped batch are a whole, valid batch.
//!
//! Pushing a record allocates nothing once the buffer has its size. Layout:
//! <https://kafka.apache.org/documentation/#recordbatch>.

mod records;

use super::codec::{Room, VARINT_BYTES_MAX, VARLONG_BYTES_MAX, Varint};
use super::compression::{Compression, CompressionError};

pub use records::{Record, Records, decompress, records, split};

/// What precedes the records.
pub const BATCH_HEADER_BYTES: usize = 61;
/// A batch's length is an `i32`.
const BATCH_BYTES_MAX: usize = i32::MAX as usize;
/// The beginning of a batch that its length does not count: base offset and the length itself.
const UNCOUNTED_BYTES: usize = 12;
/// The only format since Kafka 0.11.
const MAGIC: i8 = 2;
/// By how much the room that a buffer has for records grows at once.
const ROOM_STEP_BYTES: usize = 16 * 1024;
/// The lowest bits of the attributes are the codec's.
const CODEC_MASK: i16 = 0b111;

/// Where the header's fields are.
mod at {
    pub(super) const LENGTH: usize = 8;
    pub(super) const LEADER_EPOCH: usize = 12;
    pub(super) const MAGIC: usize = 16;
    pub(super) const CRC: usize = 17;
    /// From here on the checksum counts.
    pub(super) const ATTRIBUTES: usize = 21;
    pub(super) const LAST_OFFSET_DELTA: usize = 23;
    pub(super) const BASE_TIMESTAMP: usize = 27;
    pub(super) const MAX_TIMESTAMP: usize = 35;
    pub(super) const PRODUCER_ID: usize = 43;
    pub(super) const PRODUCER_EPOCH: usize = 51;
    pub(super) const BASE_SEQUENCE: usize = 53;
    pub(super) const RECORD_COUNT: usize = 57;
}

/// The most bytes that a record of these lengths can take in a batch, for whoever writes records without a builder.
pub const fn encoded_record_bytes_max(key_len: usize, value_len: usize) -> usize {
    // Length, attributes, timestamp, offset, key length, value length, header count.
    VARINT_BYTES_MAX
        + 1
        + VARLONG_BYTES_MAX
        + VARINT_BYTES_MAX
        + VARINT_BYTES_MAX
        + key_len
        + VARINT_BYTES_MAX
        + value_len
        + 1
}

/// A batch that takes records.
#[derive(Debug)]
pub struct BatchBuilder {
    /// A gap for the header, then records up to `len`; behind it room, whose bytes mean nothing.
    buffer: Vec<u8>,
    len: usize,
    bytes_max: usize,
    record_count: i32,
    base_timestamp_ms: i64,
    max_timestamp_ms: i64,
}

/// A batch that does not take the record: seal it, and push into the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl BatchBuilder {
    /// An empty batch of at most `bytes_max` bytes (header included, before compression), in a buffer that may have been
    /// used before; its content is dropped, its memory kept. It grows as records come, so that a small batch takes little.
    /// Bytes that the buffer has are written over as they are, so one that was not cleared is the cheapest.
    pub fn new(mut buffer: Vec<u8>, bytes_max: usize) -> Self {
        const HEADER_GAP: [u8; BATCH_HEADER_BYTES] = [0; BATCH_HEADER_BYTES];
        if let Some(gap) = buffer.first_chunk_mut() {
            *gap = HEADER_GAP;
        } else {
            buffer.clear();
            buffer.extend_from_slice(&HEADER_GAP);
        }
        Self {
            buffer,
            len: BATCH_HEADER_BYTES,
            bytes_max: bytes_max.min(BATCH_BYTES_MAX),
            record_count: 0,
            base_timestamp_ms: 0,
            max_timestamp_ms: i64::MIN,
        }
    }

    /// Appends a record. An empty batch takes a record that is larger than the batch should be: it could never be sent
    /// otherwise, and the broker's limit is the one that counts.
    ///
    /// # Errors
    /// [`Full`]: the batch is unchanged. The bytes, the number of records or the distance of the timestamps would exceed
    /// what a batch can have. An empty batch is full only for a record that no batch can hold (2 GiB).
    #[inline]
    pub fn try_push(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: &[u8],
    ) -> Result<(), Full> {
        let timestamp_delta = if self.is_empty() {
            0
        } else {
            timestamp_ms
                .checked_sub(self.base_timestamp_ms)
                .ok_or(Full)?
        };
        let key_len = key
            .map_or(Ok(-1), |key| i32::try_from(key.len()))
            .map_err(|_| Full)?;
        let value_len = i32::try_from(value.len()).map_err(|_| Full)?;
        let key = key.unwrap_or_default();

        let attributes = Varint::new(0); // none is defined; a byte, which looks the same
        let timestamp_delta = Varint::new(timestamp_delta);
        let offset_delta = Varint::new(self.record_count);
        let key_len = Varint::new(key_len);
        let value_len = Varint::new(value_len);
        let headers = Varint::new(0); // none
        let numbers = [
            attributes,
            timestamp_delta,
            offset_delta,
            key_len,
            value_len,
            headers,
        ];
        let numbers_bytes: usize = numbers.map(Varint::len).iter().sum();
        let body_bytes = numbers_bytes + key.len() + value.len();
        let body_len = Varint::new(i32::try_from(body_bytes).map_err(|_| Full)?);
        let record_bytes = body_len.len() + body_bytes;
        let bytes_max = if self.is_empty() {
            BATCH_BYTES_MAX
        } else {
            self.bytes_max
        };
        if record_bytes > bytes_max.saturating_sub(self.len) || self.record_count == i32::MAX {
            return Err(Full);
        }

        let end = self.len + record_bytes;
        if end + Room::SLACK_BYTES > self.buffer.len() {
            self.grow(end + Room::SLACK_BYTES);
        }
        let mut room = Room::new(&mut self.buffer, self.len);
        room.varints([body_len, attributes, timestamp_delta, offset_delta, key_len]);
        room.raw(key);
        room.varints([value_len]);
        room.raw(value);
        room.varints([headers]);
        debug_assert_eq!(room.position(), end);
        self.len = end;

        if self.is_empty() {
            self.base_timestamp_ms = timestamp_ms;
        }
        self.max_timestamp_ms = self.max_timestamp_ms.max(timestamp_ms);
        self.record_count += 1;
        Ok(())
    }

    /// Makes room in steps, within a capacity that doubles until it is a full batch's: room is written to when it is made, and
    /// memory that nobody has written to costs nothing.
    #[cold]
    fn grow(&mut self, needed: usize) {
        let full = self.bytes_max.saturating_add(Room::SLACK_BYTES);
        if needed > self.buffer.capacity() {
            let doubled = (2 * self.buffer.capacity()).min(full).max(needed);
            self.buffer.reserve_exact(doubled - self.buffer.len());
        }
        let room = (self.buffer.len() + ROOM_STEP_BYTES).max(needed);
        self.buffer.resize(room.min(self.buffer.capacity()), 0);
    }

    /// How many records it has; at most `i32::MAX`.
    pub fn record_count(&self) -> usize {
        self.record_count.unsigned_abs() as usize
    }

    /// How long it is, header included, before compression.
    pub fn bytes(&self) -> usize {
        self.len
    }

    /// Whether it has no record. An empty batch is not worth sealing: brokers refuse it.
    pub fn is_empty(&self) -> bool {
        self.record_count == 0
    }

    /// Compresses the records and fills in the header. A batch that a codec would not make smaller stays as it is, and says so
    /// in its attributes, as librdkafka does: what is already dense is not worth the consumers' time.
    ///
    /// # Errors
    /// What the codec says; see [`Compression::compress`].
    pub fn seal(mut self, compression: Compression) -> Result<SealedBatch, CompressionError> {
        debug_assert!(!self.is_empty(), "an empty batch is sealed");
        self.buffer.truncate(self.len);
        let compression = self.compress(compression)?;
        let counted = self.buffer.len() - UNCOUNTED_BYTES;
        let header = &mut self.buffer;
        put(
            header,
            at::LENGTH,
            i32::try_from(counted).unwrap_or(i32::MAX).to_be_bytes(),
        );
        put(header, at::LEADER_EPOCH, (-1i32).to_be_bytes());
        put(header, at::MAGIC, MAGIC.to_be_bytes());
        put(header, at::ATTRIBUTES, compression.code().to_be_bytes());
        put(
            header,
            at::LAST_OFFSET_DELTA,
            (self.record_count - 1).to_be_bytes(),
        );
        put(
            header,
            at::BASE_TIMESTAMP,
            self.base_timestamp_ms.to_be_bytes(),
        );
        put(
            header,
            at::MAX_TIMESTAMP,
            self.max_timestamp_ms.to_be_bytes(),
        );
        put(header, at::RECORD_COUNT, self.record_count.to_be_bytes());
        Ok(SealedBatch {
            bytes: self.buffer,
            record_count: self.record_count,
        })
    }

    /// The compressed records take the place of the records in the same buffer, so that the buffer stays in use.
    fn compress(&mut self, compression: Compression) -> Result<Compression, CompressionError> {
        let records = self.buffer.get(BATCH_HEADER_BYTES..).unwrap_or_default();
        if compression == Compression::None {
            return Ok(Compression::None);
        }
        let mut packed = Vec::new();
        compression.compress(records, &mut packed)?;
        if packed.len() >= records.len() {
            return Ok(Compression::None);
        }
        self.buffer.truncate(BATCH_HEADER_BYTES);
        self.buffer.extend_from_slice(&packed);
        Ok(compression)
    }
}

/// A batch whose records and codec are final, and which can be sent once it is stamped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBatch {
    bytes: Vec<u8>,
    record_count: i32,
}

impl SealedBatch {
    /// See [`stamp`].
    pub fn stamp(&mut self, producer: Option<ProducerStamp>) {
        stamp(&mut self.bytes, producer);
    }

    /// The whole batch, header included.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The buffer, which has the capacity of the builder's.
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }

    /// How many records it has.
    pub fn record_count(&self) -> i32 {
        self.record_count
    }
}

/// Under which identity and place in line an idempotent producer sends a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerStamp {
    /// As a broker handed it out.
    pub producer_id: i64,
    /// As a broker handed it out, or bumped.
    pub producer_epoch: i16,
    /// The sequence of the batch's first record in its partition.
    pub base_sequence: i32,
}

/// Without idempotence (`RecordBatch.java`: `NO_PRODUCER_ID`, `NO_PRODUCER_EPOCH`, `NO_SEQUENCE`).
const NO_PRODUCER: ProducerStamp = ProducerStamp {
    producer_id: -1,
    producer_epoch: -1,
    base_sequence: -1,
};

/// Writes who sends a sealed batch (nobody in particular: `None`), and the checksum. May be repeated; the last one counts.
pub fn stamp(batch: &mut [u8], producer: Option<ProducerStamp>) {
    let producer = producer.unwrap_or(NO_PRODUCER);
    put(batch, at::PRODUCER_ID, producer.producer_id.to_be_bytes());
    put(
        batch,
        at::PRODUCER_EPOCH,
        producer.producer_epoch.to_be_bytes(),
    );
    put(
        batch,
        at::BASE_SEQUENCE,
        producer.base_sequence.to_be_bytes(),
    );
    let checksum = crc32c::crc32c(batch.get(at::ATTRIBUTES..).unwrap_or_default());
    put(batch, at::CRC, checksum.to_be_bytes());
}

/// Writes a header field. A buffer without a whole header is a bug of the caller.
fn put<const N: usize>(batch: &mut [u8], offset: usize, value: [u8; N]) {
    let field = batch
        .get_mut(offset..)
        .and_then(|rest| rest.first_chunk_mut::<N>());
    debug_assert!(field.is_some(), "no header field at {offset}");
    if let Some(field) = field {
        *field = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder(bytes_max: usize) -> BatchBuilder {
        BatchBuilder::new(Vec::new(), bytes_max)
    }

    #[test]
    fn a_batch_is_these_very_bytes() {
        let mut batch = builder(1000);
        batch.try_push(1000, Some(b"k"), b"v1").unwrap();
        batch.try_push(999, None, b"").unwrap();
        let mut batch = batch.seal(Compression::None).unwrap();
        batch.stamp(Some(ProducerStamp {
            producer_id: 0x0102,
            producer_epoch: 3,
            base_sequence: 4,
        }));
        let expected = [
            &[0; 8][..],                               // base offset
            &[0, 0, 0, 66],                            // length
            &[0xff; 4],                                // leader epoch
            &[2],                                      // magic
            &batch.bytes()[17..21],                    // checksum, below
            &[0, 0],                                   // attributes
            &[0, 0, 0, 1],                             // last offset delta
            &[0, 0, 0, 0, 0, 0, 0x03, 0xe8],           // base timestamp
            &[0, 0, 0, 0, 0, 0, 0x03, 0xe8],           // max timestamp
            &[0, 0, 0, 0, 0, 0, 1, 2],                 // producer id
            &[0, 3],                                   // producer epoch
            &[0, 0, 0, 4],                             // base sequence
            &[0, 0, 0, 2],                             // records
            &[18, 0, 0, 0, 2, b'k', 4, b'v', b'1', 0], // 9 bytes: attributes, timestamp 0, offset 0, key, value, headers
            &[12, 0, 1, 2, 1, 0, 0], // 6 bytes: attributes, timestamp -1, offset 1, null key, empty value, headers
        ]
        .concat();
        assert_eq!(batch.bytes(), expected);
        assert_eq!(
            batch.bytes()[17..21],
            crc32c::crc32c(&expected[21..]).to_be_bytes()
        );
    }

    #[test]
    fn a_full_batch_refuses_the_record_and_stays_as_it_is() {
        let mut batch = builder(200);
        while batch.try_push(5, Some(b"key"), &[1; 40]) == Ok(()) {}
        assert!(batch.bytes() <= 200 && batch.bytes() + encoded_record_bytes_max(3, 40) > 200);
        let (count, bytes) = (batch.record_count(), batch.bytes());
        assert_eq!(batch.try_push(5, Some(b"key"), &[1; 40]), Err(Full));
        assert_eq!((batch.record_count(), batch.bytes()), (count, bytes));
        let batch = batch.seal(Compression::None).unwrap();
        assert_eq!(
            records(batch.bytes())
                .unwrap()
                .filter_map(Result::ok)
                .count(),
            count
        );
    }

    #[test]
    fn a_batch_is_filled_to_the_last_byte() {
        let mut one = builder(1000);
        one.try_push(0, None, &[0; 50]).unwrap();
        let record_bytes = one.bytes() - BATCH_HEADER_BYTES;
        let mut batch = builder(BATCH_HEADER_BYTES + 2 * record_bytes);
        assert_eq!(batch.try_push(0, None, &[0; 50]), Ok(()));
        assert_eq!(batch.try_push(0, None, &[0; 50]), Ok(()));
        assert_eq!(batch.try_push(0, None, b""), Err(Full));
    }

    #[test]
    fn only_an_empty_batch_takes_an_oversized_record() {
        let mut batch = builder(100);
        assert_eq!(batch.try_push(0, None, &[0; 500]), Ok(()));
        assert_eq!(batch.try_push(0, None, b""), Err(Full));
    }

    #[test]
    fn timestamps_too_far_apart_begin_a_new_batch() {
        let mut batch = builder(1000);
        batch.try_push(i64::MIN, None, b"").unwrap();
        assert_eq!(batch.try_push(1, None, b""), Err(Full));
        assert_eq!(batch.try_push(-1, None, b""), Ok(()));
    }

    #[test]
    fn a_buffer_that_has_held_a_full_batch_is_never_moved_again() {
        let mut batch = builder(100_000);
        while batch.try_push(1, Some(&[7; 36]), &[8; 87]) == Ok(()) {}
        let full = batch.seal(Compression::None).unwrap().into_vec();
        let mut batch = BatchBuilder::new(full, 100_000);
        let before = (batch.buffer.as_ptr(), batch.buffer.capacity());
        while batch.try_push(1, Some(&[7; 36]), &[8; 87]) == Ok(()) {}
        while batch.try_push(1, None, b"") == Ok(()) {}
        assert_eq!((batch.buffer.as_ptr(), batch.buffer.capacity()), before);
    }

    #[test]
    fn a_recycled_buffer_is_used_again() {
        let buffer = Vec::with_capacity(5000);
        let address = buffer.as_ptr();
        let mut batch = BatchBuilder::new(buffer, 4000);
        batch.try_push(1, None, &[7; 3000]).unwrap();
        let buffer = batch.seal(Compression::Lz4).unwrap().into_vec();
        assert_eq!((buffer.as_ptr(), buffer.capacity()), (address, 5000));
    }

    #[test]
    fn what_does_not_get_smaller_is_sent_as_it_is() {
        for compression in Compression::ALL {
            let mut batch = builder(1000);
            batch.try_push(1, None, b"x").unwrap();
            let plain = batch.bytes();
            let batch = batch.seal(compression).unwrap();
            assert_eq!(
                (batch.bytes().len(), batch.bytes()[22]),
                (plain, 0),
                "{compression:?}"
            );
        }
    }

    #[test]
    fn a_batch_can_be_stamped_again() {
        let mut batch = builder(1000);
        batch.try_push(1, None, b"x").unwrap();
        let mut batch = batch.seal(Compression::None).unwrap();
        batch.stamp(None);
        let anonymous = batch.clone();
        batch.stamp(Some(ProducerStamp {
            producer_id: 1,
            producer_epoch: 2,
            base_sequence: 3,
        }));
        assert_ne!(batch, anonymous);
        batch.stamp(None);
        assert_eq!(batch, anonymous);
    }
}
