//! Record batches, read back: to split one that a broker finds too large, and to test what was built.
//!
//! Invariant: a batch that is not whole and consistent is an error at a named byte, never a panic and never a record made up.
//! Never checks the checksum: the batches that are read here never left this process's memory.

use std::borrow::Cow;

use super::{
    BATCH_BYTES_MAX, BATCH_HEADER_BYTES, BatchBuilder, CODEC_MASK, Full, MAGIC, UNCOUNTED_BYTES,
    at, put,
};
use crate::kafka::wire::codec::{DecodeError, Problem, Reader};
use crate::kafka::wire::compression::Compression;

/// A record as it was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it was created.
    pub timestamp_ms: i64,
    /// None is not the same as empty.
    pub key: Option<&'a [u8]>,
    /// Never null: a producer of ours writes no tombstones.
    pub value: &'a [u8],
}

/// Two batches with the records of one, half of them each in their order; the first has the odd one. A batch with one record leaves the
/// second empty. Both must be sealed and stamped anew.
///
/// # Errors
/// A batch that is not one of ours.
pub fn split(batch: &[u8]) -> Result<(BatchBuilder, BatchBuilder), DecodeError> {
    let batch = decompress(batch)?;
    let records = records(&batch)?;
    let first_half = records.left - records.left / 2;
    let mut first = BatchBuilder::new(Vec::new(), batch.len());
    let mut second = BatchBuilder::new(Vec::new(), batch.len());
    for (nth, record) in (0..).zip(records) {
        let record = record?;
        let half = if nth < first_half {
            &mut first
        } else {
            &mut second
        };
        half.try_push(record.timestamp_ms, record.key, record.value)
            .map_err(|Full| {
                // Half of a batch fits in a batch, unless its timestamps are further apart than 64 bits.
                Reader::new(&batch, false).error(
                    "record",
                    Problem::Unsupported {
                        value: record.timestamp_ms,
                    },
                )
            })?;
    }
    Ok((first, second))
}

/// The same batch without compression. Its checksum is not renewed.
///
/// # Errors
/// A batch that is malformed, or whose records decompress to more than a batch can hold.
pub fn decompress(batch: &[u8]) -> Result<Cow<'_, [u8]>, DecodeError> {
    let header = Header::read(batch)?;
    if header.compression == Compression::None {
        return Ok(Cow::Borrowed(batch));
    }
    let (head, packed) = batch
        .split_at_checked(BATCH_HEADER_BYTES)
        .unwrap_or_default();
    let records = header
        .compression
        .decompress(packed, BATCH_BYTES_MAX - BATCH_HEADER_BYTES)
        .map_err(|error| {
            Reader::new(batch, false).error("records", Problem::Compression(error.to_string()))
        })?;
    let counted = BATCH_HEADER_BYTES + records.len() - UNCOUNTED_BYTES;
    let mut raw = [head, &records].concat();
    put(
        &mut raw,
        at::LENGTH,
        i32::try_from(counted).unwrap_or(i32::MAX).to_be_bytes(),
    );
    put(
        &mut raw,
        at::ATTRIBUTES,
        (header.attributes & !CODEC_MASK).to_be_bytes(),
    );
    Ok(Cow::Owned(raw))
}

/// The records of an uncompressed batch, one after the other. Headers of records are skipped.
///
/// # Errors
/// A header that is malformed, says another format than version 2, or that the batch is compressed.
pub fn records(batch: &[u8]) -> Result<Records<'_>, DecodeError> {
    let header = Header::read(batch)?;
    let mut reader = Reader::new(batch, false);
    reader.bytes("batch header", BATCH_HEADER_BYTES)?;
    if header.compression != Compression::None {
        let value = header.attributes.into();
        return Err(reader.error("attributes", Problem::Unsupported { value }));
    }
    Ok(Records {
        reader,
        left: header.record_count,
        base_timestamp_ms: header.base_timestamp_ms,
    })
}

/// Iterates over the records of a batch; ends after the first error.
#[derive(Debug)]
pub struct Records<'a> {
    reader: Reader<'a>,
    left: i32,
    base_timestamp_ms: i64,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = match self.left {
            0 if self.reader.left() == 0 => return None,
            0 => {
                let left = self.reader.left();
                Err(self
                    .reader
                    .error("records", Problem::LeftoverBytes { left }))
            }
            _ => self.read(),
        };
        self.left = match record {
            Ok(_) => self.left - 1,
            Err(_) => 0,
        };
        if record.is_err() {
            self.reader = Reader::new(&[], false);
        }
        Some(record)
    }
}

impl<'a> Records<'a> {
    fn read(&mut self) -> Result<Record<'a>, DecodeError> {
        let length = self.reader.varint("record length")?;
        let length = non_negative(&self.reader, "record length", length)?;
        let mut r = self.reader.nested("record", length)?;
        r.i8("record attributes")?;
        let timestamp_delta = r.varlong("timestamp delta")?;
        r.varint("offset delta")?;
        let key = nullable_bytes(&mut r, "key")?;
        let value = nullable_bytes(&mut r, "value")?;
        let value = value.ok_or_else(|| r.error("value", Problem::UnexpectedNull))?;
        let headers = r.varint("header count")?;
        for _ in 0..non_negative(&r, "header count", headers)? {
            nullable_bytes(&mut r, "header key")?;
            nullable_bytes(&mut r, "header value")?;
        }
        r.finish("record")?;
        Ok(Record {
            timestamp_ms: self.base_timestamp_ms.wrapping_add(timestamp_delta),
            key,
            value,
        })
    }
}

fn nullable_bytes<'a>(
    r: &mut Reader<'a>,
    field: &'static str,
) -> Result<Option<&'a [u8]>, DecodeError> {
    match r.varint(field)? {
        -1 => Ok(None),
        length => {
            let length = non_negative(r, field, length)?;
            r.bytes(field, length).map(Some)
        }
    }
}

fn non_negative(r: &Reader<'_>, field: &'static str, length: i32) -> Result<usize, DecodeError> {
    usize::try_from(length).map_err(|_| r.error(field, Problem::NegativeLength { length }))
}

/// What reading needs of a header.
struct Header {
    attributes: i16,
    compression: Compression,
    base_timestamp_ms: i64,
    record_count: i32,
}

impl Header {
    /// `batch` must be exactly one batch.
    fn read(batch: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(batch, false);
        r.i64("base_offset")?;
        let length = r.i32("batch_length")?;
        let length = non_negative(&r, "batch_length", length)?;
        let mut r = {
            let counted = r.nested("batch", length)?;
            r.finish("batch")?;
            counted
        };
        r.i32("partition_leader_epoch")?;
        let magic = r.i8("magic")?;
        if magic != MAGIC {
            return Err(r.error(
                "magic",
                Problem::Unsupported {
                    value: magic.into(),
                },
            ));
        }
        r.i32("crc")?;
        let attributes = r.i16("attributes")?;
        let compression = Compression::from_code(attributes & CODEC_MASK).ok_or_else(|| {
            r.error(
                "attributes",
                Problem::Unsupported {
                    value: attributes.into(),
                },
            )
        })?;
        r.i32("last_offset_delta")?;
        let base_timestamp_ms = r.i64("base_timestamp")?;
        r.i64("max_timestamp")?;
        r.i64("producer_id")?;
        r.i16("producer_epoch")?;
        r.i32("base_sequence")?;
        let record_count = r.i32("record count")?;
        non_negative(&r, "record count", record_count)?;
        Ok(Self {
            attributes,
            compression,
            base_timestamp_ms,
            record_count,
        })
    }
}
