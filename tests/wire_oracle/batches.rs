//! Record batches: what we build they read, what they build we read, under every codec; the checksum is theirs to verify.

use std::io::{Read, Write};

use bytes::{Bytes, BytesMut};
use continuous_producer::kafka::wire::Compression;
use continuous_producer::kafka::wire::record_batch::{
    BatchBuilder, ProducerStamp, SealedBatch, decompress, encoded_record_bytes_max, records, split,
};
use kafka_protocol::compression::{Compressor, Decompressor, Snappy};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    self as theirs, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

/// A record before it is encoded.
type Plain = (i64, Option<Vec<u8>>, Vec<u8>);

const STAMP: ProducerStamp = ProducerStamp {
    producer_id: 4711,
    producer_epoch: 3,
    base_sequence: 1_000_000,
};

/// Lengths on both sides of where varints grow, text that compresses and bytes that don't, timestamps that go back.
fn plain_records(random: &mut fastrand::Rng) -> Vec<Plain> {
    let count = *random.choice(&[1, 2, 63, 64, 65, 300]).unwrap();
    let base = random.i64(-(1 << 50)..1 << 50);
    let spread = *random
        .choice(&[0, 1, 63, 64, 10_000, 1 << 40, 1 << 57])
        .unwrap();
    (0..count)
        .map(|_| {
            let key = random.bool().then(|| plain_bytes(random));
            (
                base + random.i64(-spread..=spread),
                key,
                plain_bytes(random),
            )
        })
        .collect()
}

fn plain_bytes(random: &mut fastrand::Rng) -> Vec<u8> {
    let len = *random
        .choice(&[0, 1, 36, 63, 64, 87, 500, 8191, 8192])
        .unwrap();
    if random.bool() {
        return (0..len).map(|_| random.u8(..)).collect();
    }
    b"shoes, socks and "
        .iter()
        .copied()
        .cycle()
        .take(len)
        .collect()
}

fn build(plain: &[Plain], compression: Compression) -> SealedBatch {
    build_in(b"used before".to_vec(), plain, compression)
}

fn build_in(buffer: Vec<u8>, plain: &[Plain], compression: Compression) -> SealedBatch {
    let mut builder = BatchBuilder::new(buffer, usize::MAX);
    for (timestamp, key, value) in plain {
        let before = builder.bytes();
        builder.try_push(*timestamp, key.as_deref(), value).unwrap();
        let key_len = key.as_ref().map_or(0, Vec::len);
        assert!(builder.bytes() - before <= encoded_record_bytes_max(key_len, value.len()));
    }
    assert_eq!(builder.record_count(), plain.len());
    builder.seal(compression).unwrap()
}

#[test]
fn nothing_that_a_buffer_held_before_is_in_its_next_batch() {
    let mut random = fastrand::Rng::with_seed(9);
    for _ in 0..5 {
        let plain = plain_records(&mut random);
        for compression in Compression::ALL {
            for used_bytes in [1, 60, 61, 1_000_000] {
                let batch_in = |buffer: Vec<u8>| {
                    let mut batch = build_in(buffer, &plain, compression);
                    batch.stamp(Some(STAMP));
                    batch
                };
                assert_eq!(batch_in(vec![0xaa; used_bytes]), batch_in(Vec::new()));
            }
        }
    }
}

/// Decodes with their decoder, which verifies the checksum.
fn read_by_them(batch: &[u8]) -> theirs::RecordSet {
    let mut bytes = Bytes::copy_from_slice(batch);
    let set = RecordBatchDecoder::decode_with_custom_compression(
        &mut bytes,
        Some(|packed: &mut Bytes, codec| Ok(unpack(packed, codec))),
    )
    .unwrap();
    assert!(bytes.is_empty());
    set
}

fn unpack(packed: &mut Bytes, codec: theirs::Compression) -> Bytes {
    let mut raw = Vec::new();
    let read = match codec {
        theirs::Compression::None => return packed.clone(),
        theirs::Compression::Snappy => {
            return Snappy::decompress(packed, |raw| Ok(raw.clone())).unwrap();
        }
        theirs::Compression::Gzip => {
            flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut raw)
        }
        theirs::Compression::Lz4 => {
            lz4_flex::frame::FrameDecoder::new(&packed[..]).read_to_end(&mut raw)
        }
        theirs::Compression::Zstd => ruzstd::decoding::StreamingDecoder::new(&packed[..])
            .unwrap()
            .read_to_end(&mut raw),
    };
    read.unwrap();
    raw.into()
}

#[test]
fn our_batches_are_read_by_them_under_every_codec() {
    for (seed, compression) in (0..).zip(Compression::ALL.into_iter().cycle().take(50)) {
        eprintln!("seed {seed}, {compression:?}");
        let plain = plain_records(&mut fastrand::Rng::with_seed(seed));
        let mut batch = build(&plain, compression);
        let producer = (seed % 3 != 0).then_some(STAMP);
        batch.stamp(producer);

        let info =
            &RecordBatchDecoder::decode_batch_info(&mut Bytes::copy_from_slice(batch.bytes()))
                .unwrap()[0];
        assert_eq!(info.record_count, batch.record_count());
        assert_eq!(info.min_timestamp, plain[0].0);
        assert_eq!((info.min_offset, info.partition_leader_epoch), (0, -1));
        assert!(!info.transactional && !info.control && !info.delete_horizon);
        assert_eq!(info.timestamp_type, TimestampType::Creation);
        let stamped = (info.producer_id, info.producer_epoch, info.base_sequence);
        assert_eq!(
            stamped,
            producer.map_or((-1, -1, -1), |_| (4711, 3, 1_000_000))
        );

        let set = read_by_them(batch.bytes());
        assert_eq!(set.records.len(), plain.len());
        for ((nth, theirs), (timestamp, key, value)) in (0..).zip(&set.records).zip(&plain) {
            assert_eq!(theirs.timestamp, *timestamp);
            assert_eq!(theirs.key.as_deref(), key.as_deref());
            assert_eq!(theirs.value.as_deref(), Some(&value[..]));
            assert_eq!(theirs.offset, nth);
            assert!(theirs.headers.is_empty());
        }
    }
}

#[test]
fn their_batches_are_read_by_us_under_every_codec() {
    for (seed, compression) in (0..).zip(Compression::ALL.into_iter().cycle().take(50)) {
        eprintln!("seed {seed}, {compression:?}");
        let mut random = fastrand::Rng::with_seed(seed);
        let plain = plain_records(&mut random);
        let batch = build_by_them(&plain, compression, &mut random);
        let raw = decompress(&batch).unwrap();
        let ours: Vec<Plain> = records(&raw)
            .unwrap()
            .map(|record| record.unwrap())
            .map(|record| {
                (
                    record.timestamp_ms,
                    record.key.map(<[u8]>::to_vec),
                    record.value.to_vec(),
                )
            })
            .collect();
        assert_eq!(ours, plain);
    }
}

fn build_by_them(plain: &[Plain], compression: Compression, random: &mut fastrand::Rng) -> Bytes {
    let records: Vec<theirs::Record> = (0..)
        .zip(plain)
        .map(|(offset, (timestamp, key, value))| theirs::Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: 5,
            producer_id: 9,
            producer_epoch: 1,
            timestamp_type: TimestampType::Creation,
            offset: offset + 77,
            sequence: i32::try_from(offset).unwrap(),
            timestamp: *timestamp,
            key: key.clone().map(Bytes::from),
            value: Some(value.clone().into()),
            headers: (0..random.usize(..3))
                .map(|n| {
                    (
                        StrBytes::from_string(n.to_string()),
                        random.bool().then(|| Bytes::from_static(b"h")),
                    )
                })
                .collect::<IndexMap<_, _>>(),
        })
        .collect();
    let options = RecordEncodeOptions {
        version: 2,
        compression: [
            theirs::Compression::None,
            theirs::Compression::Gzip,
            theirs::Compression::Snappy,
            theirs::Compression::Lz4,
            theirs::Compression::Zstd,
        ][usize::try_from(compression.code()).unwrap()],
    };
    let pack = |raw: &mut BytesMut, out: &mut BytesMut, codec| {
        out.extend_from_slice(&pack(raw, codec));
        Ok(())
    };
    let mut out = BytesMut::new();
    RecordBatchEncoder::encode_with_custom_compression(&mut out, &records, &options, Some(pack))
        .unwrap();
    out.freeze()
}

fn pack(raw: &[u8], codec: theirs::Compression) -> Vec<u8> {
    match codec {
        theirs::Compression::None => raw.to_vec(),
        theirs::Compression::Snappy => {
            let mut packed = BytesMut::new();
            Snappy::compress(&mut packed, |buffer| {
                buffer.extend_from_slice(raw);
                Ok(())
            })
            .unwrap();
            packed.to_vec()
        }
        theirs::Compression::Gzip => {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(raw).unwrap();
            encoder.finish().unwrap()
        }
        theirs::Compression::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(raw).unwrap();
            encoder.finish().unwrap()
        }
        theirs::Compression::Zstd => {
            ruzstd::encoding::compress_to_vec(raw, ruzstd::encoding::CompressionLevel::Uncompressed)
        }
    }
}

#[test]
fn the_halves_of_a_batch_have_its_records_in_order() {
    for (seed, compression) in (0..).zip(Compression::ALL.into_iter().cycle().take(50)) {
        eprintln!("seed {seed}, {compression:?}");
        let plain = plain_records(&mut fastrand::Rng::with_seed(seed));
        let (first, second) = split(build(&plain, compression).bytes()).unwrap();
        assert_eq!(first.record_count(), plain.len().div_ceil(2));
        let mut together = Vec::new();
        for half in [first, second].into_iter().filter(|half| !half.is_empty()) {
            let mut half = half.seal(compression).unwrap();
            half.stamp(Some(STAMP));
            together.extend(
                read_by_them(half.bytes())
                    .records
                    .into_iter()
                    .map(|record| {
                        (
                            record.timestamp,
                            record.key.map(Vec::from),
                            Vec::from(record.value.unwrap()),
                        )
                    }),
            );
        }
        assert_eq!(together, plain);
    }
}

#[test]
fn a_damaged_batch_is_an_error_or_other_records_but_never_a_panic() {
    for compression in Compression::ALL {
        let mut random = fastrand::Rng::with_seed(5);
        let plain: Vec<Plain> = (0..20)
            .map(|n| (n, Some(b"key".to_vec()), vec![7; 50]))
            .collect();
        let mut batch = build(&plain, compression).into_vec();
        for len in 0..batch.len() {
            assert!(
                split(&batch[..len]).is_err(),
                "{compression:?} cut to {len} bytes"
            );
        }
        for at in 0..batch.len() {
            let sound = std::mem::replace(&mut batch[at], random.u8(..));
            let _ = split(&batch);
            batch[at] = sound;
        }
    }
}
