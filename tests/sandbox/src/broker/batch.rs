//! Record batches, format v2: the checks that a broker makes before it appends one, and reading the records back.
//!
//! Refusals and their order follow Kafka's `ProduceRequest.validateRecords`, `UnifiedLog.analyzeAndValidateRecords` and
//! `LogValidator`; where Kafka silently repairs (inner offsets, the largest timestamp) a batch is refused, because a
//! correct producer needs no repair. Never believes a length or a count, never panics on what a client sent.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;

use super::compression::{codec_name, decompress};
use super::producer_state::Stamp;

/// Bytes before the records.
pub(crate) const HEADER_BYTES: usize = 61;
/// Bytes that the batch's own length field does not count: base offset and the length itself.
const LOG_OVERHEAD_BYTES: usize = 12;
/// Where the bytes begin that the checksum covers: at the attributes.
const CHECKED_FROM: usize = 21;
/// The attribute bit of a transactional batch.
const TRANSACTIONAL: i16 = 1 << 4;
/// The attribute bit of a control batch.
const CONTROL: i16 = 1 << 5;
/// Produce versions before this one know no zstd (KIP-110).
const ZSTD_SINCE_PRODUCE: i16 = 7;
const ZSTD: i16 = 4;

/// A record as a consumer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the partition.
    pub offset: i64,
    /// Milliseconds since the epoch, as the producer said.
    pub timestamp: i64,
    /// `None` is a record without a key.
    pub key: Option<Bytes>,
    /// `None` is a tombstone.
    pub value: Option<Bytes>,
}

/// Why a batch was not appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: i16,
    pub(crate) message: String,
    /// A correct client never causes it, whatever the cluster went through.
    pub(crate) violation: bool,
}

/// A batch's header, decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) base_offset: i64,
    batch_length: i32,
    magic: i8,
    crc: u32,
    pub(crate) attributes: i16,
    last_offset_delta: i32,
    first_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) record_count: i32,
}

impl Refusal {
    pub(crate) fn violation(error: ResponseError, message: impl Into<String>) -> Self {
        Self {
            code: error.code(),
            message: message.into(),
            violation: true,
        }
    }

    pub(crate) fn plain(code: i16, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            violation: false,
        }
    }
}

impl Header {
    /// What the producer stamped, if it is an idempotent one.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        (self.producer_id >= 0).then_some(Stamp {
            producer_id: self.producer_id,
            epoch: self.producer_epoch,
            first_sequence: self.base_sequence,
            records: self.record_count,
        })
    }

    fn read(mut batch: &[u8]) -> Option<Self> {
        if batch.len() < HEADER_BYTES {
            return None;
        }
        let base_offset = batch.try_get_i64().ok()?;
        let batch_length = batch.try_get_i32().ok()?;
        let _leader_epoch = batch.try_get_i32().ok()?;
        Some(Self {
            base_offset,
            batch_length,
            magic: batch.try_get_i8().ok()?,
            crc: batch.try_get_u32().ok()?,
            attributes: batch.try_get_i16().ok()?,
            last_offset_delta: batch.try_get_i32().ok()?,
            first_timestamp: batch.try_get_i64().ok()?,
            max_timestamp: batch.try_get_i64().ok()?,
            producer_id: batch.try_get_i64().ok()?,
            producer_epoch: batch.try_get_i16().ok()?,
            base_sequence: batch.try_get_i32().ok()?,
            record_count: batch.try_get_i32().ok()?,
        })
    }
}

/// Checks what one partition of a Produce request holds. `shallow` leaves the records themselves unread.
pub(crate) fn check(
    batch: &Bytes,
    version: i16,
    bytes_max: usize,
    shallow: bool,
) -> Result<Header, Refusal> {
    let invalid = |message: String| Refusal::violation(ResponseError::InvalidRecord, message);
    let corrupt = |message: String| Refusal::violation(ResponseError::CorruptMessage, message);
    let header = Header::read(batch)
        .ok_or_else(|| corrupt(format!("{} bytes are no record batch", batch.len())))?;
    if header.magic != 2 {
        return Err(invalid(format!(
            "magic {} where Produce v{version} takes 2 only",
            header.magic
        )));
    }
    let length = usize::try_from(header.batch_length)
        .unwrap_or(0)
        .saturating_add(LOG_OVERHEAD_BYTES);
    if length > batch.len() || length < HEADER_BYTES {
        return Err(corrupt(format!(
            "batch length {length} where {} bytes came",
            batch.len()
        )));
    }
    if length < batch.len() {
        return Err(invalid(format!(
            "{} bytes follow the only batch a partition may have",
            batch.len() - length
        )));
    }
    if header.attributes & 0x7 == ZSTD && version < ZSTD_SINCE_PRODUCE {
        let message = format!("zstd in Produce v{version}");
        return Err(Refusal::violation(
            ResponseError::UnsupportedCompressionType,
            message,
        ));
    }
    if header.base_offset != 0 {
        return Err(invalid(format!(
            "base offset {} instead of 0",
            header.base_offset
        )));
    }
    if batch.len() > bytes_max {
        let message = format!("batch of {} bytes where {bytes_max} are taken", batch.len());
        return Err(Refusal::plain(
            ResponseError::MessageTooLarge.code(),
            message,
        ));
    }
    let crc = crc32c::crc32c(batch.get(CHECKED_FROM..).unwrap_or_default());
    if crc != header.crc {
        return Err(corrupt(format!(
            "CRC-32C {:#010x} said, {crc:#010x} computed",
            header.crc
        )));
    }
    check_counts(&header).map_err(invalid)?;
    if !shallow {
        check_records(&header, batch).map_err(invalid)?;
    }
    Ok(header)
}

fn check_counts(header: &Header) -> Result<(), String> {
    let Header {
        record_count,
        last_offset_delta,
        producer_id,
        producer_epoch,
        base_sequence,
        ..
    } = *header;
    if record_count <= 0 || i64::from(last_offset_delta) + 1 != i64::from(record_count) {
        return Err(format!(
            "{record_count} records with a last offset delta of {last_offset_delta}"
        ));
    }
    if header.attributes & CONTROL != 0 {
        return Err("clients may not write control batches".to_owned());
    }
    if header.attributes & TRANSACTIONAL != 0 {
        return Err("transactional batch, and nobody began a transaction".to_owned());
    }
    if codec_name(header.attributes) == "unknown" {
        return Err(format!(
            "compression type {} does not exist",
            header.attributes & 0x7
        ));
    }
    let stamped = producer_id >= 0 && producer_epoch >= 0 && base_sequence >= 0;
    if !stamped && (producer_id, producer_epoch, base_sequence) != (-1, -1, -1) {
        return Err(format!(
            "producer {producer_id}, epoch {producer_epoch}, sequence {base_sequence}"
        ));
    }
    Ok(())
}

fn check_records(header: &Header, batch: &Bytes) -> Result<(), String> {
    let mut largest = i64::MIN;
    let mut count = 0;
    read_records(header, batch, |record| {
        if record.offset != count {
            return Err(format!("offset delta {} in place {count}", record.offset));
        }
        count += 1;
        largest = largest.max(record.timestamp);
        Ok(())
    })?;
    if count != i64::from(header.record_count) {
        return Err(format!(
            "{count} records where the header says {}",
            header.record_count
        ));
    }
    if largest != header.max_timestamp {
        return Err(format!(
            "largest timestamp {largest} where the header says {}",
            header.max_timestamp
        ));
    }
    Ok(())
}

/// A batch as the log keeps it: base offset and leader epoch filled in, which the checksum does not cover.
pub(crate) fn place(batch: &[u8], base_offset: i64, leader_epoch: i32) -> Bytes {
    let mut placed = BytesMut::with_capacity(batch.len());
    placed.put_i64(base_offset);
    placed.put_slice(batch.get(8..12).unwrap_or_default());
    placed.put_i32(leader_epoch);
    placed.put_slice(batch.get(16..).unwrap_or_default());
    placed.freeze()
}

/// The records of a batch that was checked, with their offsets in the partition.
pub(crate) fn records(batch: &Bytes) -> Vec<Record> {
    let mut records = Vec::new();
    if let Some(header) = Header::read(batch) {
        // It was checked before it was kept; in discard mode none is.
        let _checked = read_records(&header, batch, |record| {
            records.push(record);
            Ok(())
        });
    }
    records
}

fn read_records(
    header: &Header,
    batch: &Bytes,
    mut each: impl FnMut(Record) -> Result<(), String>,
) -> Result<(), String> {
    let mut rest = decompress(
        header.attributes,
        &batch.slice(HEADER_BYTES.min(batch.len())..),
    )?;
    let mut place = 0_u64;
    while !rest.is_empty() {
        let body = varint_bytes(&mut rest).flatten();
        let mut body = body.ok_or_else(|| format!("record {place} is cut short"))?;
        let record =
            read_record(header, &mut body).ok_or_else(|| format!("record {place} is malformed"))?;
        if !body.is_empty() {
            return Err(format!("record {place} has {} bytes too many", body.len()));
        }
        each(record)?;
        place += 1;
    }
    Ok(())
}

fn read_record(header: &Header, body: &mut Bytes) -> Option<Record> {
    let _attributes = body.try_get_i8().ok()?;
    let timestamp = header.first_timestamp.checked_add(varint(body)?)?;
    let offset = header.base_offset.checked_add(varint(body)?)?;
    let key = varint_bytes(body)?;
    let value = varint_bytes(body)?;
    for _ in 0..u32::try_from(varint(body)?).ok()? {
        std::str::from_utf8(&varint_bytes(body)??).ok()?;
        varint_bytes(body)?;
    }
    Some(Record {
        offset,
        timestamp,
        key,
        value,
    })
}

/// Bytes behind a zigzag length; the inner `None` is the null of length -1.
#[allow(clippy::option_option)]
fn varint_bytes(from: &mut Bytes) -> Option<Option<Bytes>> {
    match varint(from)? {
        -1 => Some(None),
        length => {
            let length = usize::try_from(length)
                .ok()
                .filter(|&length| length <= from.len())?;
            Some(Some(from.split_to(length)))
        }
    }
}

/// A zigzag varint of at most ten bytes.
fn varint(from: &mut Bytes) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = from.try_get_u8().ok()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    None
}
