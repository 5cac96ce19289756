//! What the broker refuses, and that it takes what is right: batches, sequences, requests.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::io::{Read, Write};

use bytes::Bytes;
use common::{Client, TOPIC, altered, batch, encode, one_node, produce_request, stamped, start};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::records::Compression;
use sandbox::{Config, SequenceRules};

#[test]
fn a_right_batch_is_appended_and_read_back_record_for_record() {
    let sandbox = one_node();
    let mut client = Client::to(&sandbox);
    assert_eq!(client.produce(1, &batch(2)).base_offset, 0);
    let answer = client.produce(1, &batch(3));
    assert_eq!(
        (
            answer.error_code,
            answer.base_offset,
            answer.log_start_offset
        ),
        (0, 2, 0)
    );
    let records = sandbox.records(TOPIC);
    assert_eq!(records.iter().map(Vec::len).collect::<Vec<_>>(), [0, 5, 0]);
    let last = records[1].last().unwrap();
    assert_eq!((last.offset, last.timestamp), (4, 1_700_000_000_002));
    assert_eq!(last.key, Some(Bytes::from("key-2")));
    assert_eq!(last.value, Some(Bytes::from("value-2")));
    assert_eq!(sandbox.violations(), Vec::<String>::new());
}

#[test]
fn every_codec_is_read() {
    let gzip = |plain: &[u8]| {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(plain).unwrap();
        writer.finish().unwrap()
    };
    let snappy = |plain: &[u8]| snap::raw::Encoder::new().compress_vec(plain).unwrap();
    let xerial = |plain: &[u8]| {
        let mut framed = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01".to_vec();
        for block in plain.chunks(50) {
            let block = snap::raw::Encoder::new().compress_vec(block).unwrap();
            framed.extend(u32::try_from(block.len()).unwrap().to_be_bytes());
            framed.extend(block);
        }
        framed
    };
    let lz4 = |plain: &[u8]| {
        let mut writer = lz4_flex::frame::FrameEncoder::new(Vec::new());
        writer.write_all(plain).unwrap();
        writer.finish().unwrap()
    };
    let zstd = |plain: &[u8]| {
        ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest)
    };
    let sandbox = one_node();
    let mut client = Client::to(&sandbox);
    let batches = [
        encode(40, -1, -1, -1, Compression::Gzip, gzip),
        encode(40, -1, -1, -1, Compression::Snappy, snappy),
        encode(40, -1, -1, -1, Compression::Snappy, xerial),
        encode(40, -1, -1, -1, Compression::Lz4, lz4),
        encode(40, -1, -1, -1, Compression::Zstd, zstd),
    ];
    for batch in &batches {
        assert_eq!(client.produce(0, batch).error_message, None);
    }
    let records = &sandbox.records(TOPIC)[0];
    assert_eq!(records.len(), 200);
    assert!(
        records
            .iter()
            .all(|record| record.value.as_ref().unwrap().starts_with(b"value-"))
    );
    let codecs: Vec<&str> = sandbox.batches(TOPIC)[0]
        .iter()
        .map(|batch| batch.compression)
        .collect();
    assert_eq!(codecs, ["gzip", "snappy", "snappy", "lz4", "zstd"]);
    let old = client.try_produce(6, 0, &batches[4]).unwrap();
    assert_eq!(old.error_code, 76, "zstd before Produce v7");
}

#[test]
fn a_wrong_batch_is_refused_with_the_brokers_code_and_noted() {
    let compressed = encode(3, -1, -1, -1, Compression::Gzip, <[u8]>::to_vec);
    let linked_lz4 = encode(3, -1, -1, -1, Compression::Lz4, |plain| {
        let info = lz4_flex::frame::FrameInfo::new().block_mode(lz4_flex::frame::BlockMode::Linked);
        let mut writer = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        writer.write_all(plain).unwrap();
        writer.finish().unwrap()
    });
    let mut flipped = batch(3);
    *flipped.last_mut().unwrap() ^= 1;
    let cases: Vec<(&str, i16, Vec<u8>)> = vec![
        ("no batch", 2, Vec::new()),
        ("cut short", 2, batch(3)[..70].to_vec()),
        ("bad checksum", 2, flipped),
        (
            "length beyond the bytes",
            2,
            altered(batch(3), |batch| batch[11] += 1),
        ),
        ("magic 1", 87, altered(batch(3), |batch| batch[16] = 1)),
        ("two batches", 87, [batch(1), batch(1)].concat()),
        ("base offset", 87, altered(batch(3), |batch| batch[7] = 1)),
        (
            "more records said",
            87,
            altered(batch(3), |batch| (batch[26], batch[60]) = (3, 4)),
        ),
        (
            "fewer records said",
            87,
            altered(batch(3), |batch| (batch[26], batch[60]) = (1, 2)),
        ),
        (
            "last offset delta",
            87,
            altered(batch(3), |batch| batch[26] = 7),
        ),
        (
            "no records",
            87,
            altered(batch(3), |batch| (batch[23..27].fill(255), batch[60] = 0).1),
        ),
        (
            "control batch",
            87,
            altered(batch(3), |batch| batch[22] |= 0x20),
        ),
        (
            "transactional batch",
            87,
            altered(batch(3), |batch| batch[22] |= 0x10),
        ),
        ("codec 5", 87, altered(batch(3), |batch| batch[22] |= 5)),
        ("not gzip", 87, compressed),
        ("linked lz4 blocks", 87, linked_lz4),
        (
            "largest timestamp",
            87,
            altered(batch(3), |batch| batch[42] ^= 1),
        ),
        (
            "epoch without producer",
            87,
            altered(batch(3), |batch| batch[51..53].fill(0)),
        ),
        ("offset delta", 87, altered(batch(3), |batch| batch[64] = 2)),
        ("never handed out", 49, stamped(3, 999_999, 0, 0)),
    ];
    let sandbox = one_node();
    let mut client = Client::to(&sandbox);
    for (noted, (case, code, batch)) in (1..).zip(cases) {
        let answer = client.produce(0, &batch);
        assert_eq!(
            answer.error_code, code,
            "{case}: {:?}",
            answer.error_message
        );
        assert_eq!(answer.base_offset, -1, "{case}");
        assert_eq!(
            sandbox.violations().len(),
            noted,
            "{case}: {:?}",
            sandbox.violations()
        );
    }
    assert_eq!(sandbox.record_count(TOPIC), 0);
}

#[test]
fn too_large_unknown_and_acks_have_their_codes() {
    let sandbox = start(Config {
        message_bytes_max: 200,
        ..Config::default()
    });
    let mut client = Client::to(&sandbox);
    assert_eq!(client.produce(0, &batch(10)).error_code, 10);
    assert_eq!(client.produce(3, &batch(1)).error_code, 3);
    assert_eq!(client.produce(-1, &batch(1)).error_code, 3);
    assert_eq!(
        sandbox.violations(),
        Vec::<String>::new(),
        "no client is at fault for these"
    );
    let answer = client.call(9, &produce_request(2, 0, &batch(1))).unwrap();
    assert_eq!(common::only_partition(&answer).error_code, 21);
    assert_eq!(sandbox.violations().len(), 1);
    assert_eq!(
        sandbox
            .refusals()
            .iter()
            .map(|refused| refused.code)
            .collect::<Vec<_>>(),
        [10, 3, 3, 21]
    );
}

#[test]
fn acks_zero_has_no_answer_and_an_error_cuts() {
    let sandbox = one_node();
    let mut client = Client::to(&sandbox);
    client.send(9, &produce_request(0, 0, &batch(2)));
    assert_eq!(
        client.produce(0, &batch(1)).base_offset,
        2,
        "the next answer is the next request's"
    );
    client.send(9, &produce_request(0, 7, &batch(2)));
    assert!(client.is_closed());
}

#[test]
fn a_duplicate_is_answered_with_its_offset_and_not_appended() {
    let sandbox = one_node();
    let mut client = Client::to(&sandbox);
    let id = client.producer_id();
    for n in 0..6 {
        assert_eq!(
            client.produce(0, &stamped(2, id, 0, n * 2)).base_offset,
            i64::from(n) * 2
        );
    }
    let again = client.produce(0, &stamped(2, id, 0, 2));
    assert_eq!((again.error_code, again.base_offset), (0, 2));
    assert_eq!(sandbox.violations(), Vec::<String>::new());
    assert_eq!(
        client.produce(0, &stamped(2, id, 0, 0)).error_code,
        45,
        "older than five batches"
    );
    assert_eq!(sandbox.record_count(TOPIC), 12);
}

#[test]
fn sequences_and_epochs_are_kept_and_a_gap_in_a_quiet_cluster_is_a_violation() {
    let sandbox = one_node();
    let mut client = Client::to(&sandbox);
    let id = client.producer_id();
    assert_eq!(client.produce(0, &stamped(2, id, 0, 0)).error_code, 0);
    assert_eq!(
        client.produce(1, &stamped(1, id, 0, 0)).error_code,
        0,
        "each partition counts for itself"
    );
    assert_eq!(client.produce(0, &stamped(1, id, 0, 3)).error_code, 45);
    assert_eq!(sandbox.violations().len(), 1);
    sandbox.drop_connections();
    let mut client = Client::to(&sandbox);
    assert_eq!(client.produce(0, &stamped(1, id, 0, 3)).error_code, 45);
    assert_eq!(
        sandbox.violations().len(),
        1,
        "after a disturbance it may happen"
    );
    assert_eq!(client.produce(0, &stamped(1, id, 1, 0)).error_code, 0);
    assert_eq!(client.produce(0, &stamped(1, id, 0, 2)).error_code, 47);
}

#[test]
fn forgotten_producers_are_unknown_to_old_brokers_only() {
    for (sequences, code) in [(SequenceRules::Modern, 0), (SequenceRules::Legacy, 59)] {
        let sandbox = start(Config {
            sequences,
            ..Config::default()
        });
        let mut client = Client::to(&sandbox);
        let id = client.producer_id();
        assert_eq!(client.produce(0, &stamped(2, id, 0, 0)).error_code, 0);
        sandbox.forget_producers();
        assert_eq!(
            client.produce(0, &stamped(1, id, 0, 2)).error_code,
            code,
            "{sequences:?}"
        );
        assert_eq!(sandbox.violations(), Vec::<String>::new());
    }
}

#[test]
fn a_request_that_is_no_request_closes_the_connection_and_is_noted() {
    let sandbox = one_node();
    let closes = |send: &dyn Fn(&mut Client)| {
        let before = sandbox.violations().len();
        let mut client = Client::to(&sandbox);
        send(&mut client);
        assert!(client.is_closed());
        assert_eq!(
            sandbox.violations().len(),
            before + 1,
            "{:?}",
            sandbox.violations()
        );
    };
    let raw =
        |bytes: &'static [u8]| move |client: &mut Client| client.stream.write_all(bytes).unwrap();
    closes(&raw(&[0, 0, 0, 3]));
    closes(&raw(&[0xff; 4]));
    closes(&raw(b"GET / HTTP/1.1\r\n\r\n"));
    closes(&raw(&[0, 0, 0, 10, 0x7f, 0, 0, 0, 0, 0, 0, 1, 0, 0]));
    closes(&|client| _ = client.send_raw(ApiKey::Metadata as i16, 13, &[]));
    closes(&|client| _ = client.send_raw(ApiKey::Produce as i16, 2, &[0; 30]));
    closes(&|client| _ = client.send_raw(ApiKey::JoinGroup as i16, 0, &[0; 30]));
    closes(&|client| _ = client.send_raw(ApiKey::Metadata as i16, 4, &[0, 0]));
    closes(&|client| _ = client.send_raw(ApiKey::Metadata as i16, 4, &[0, 0, 0, 0, 1, 0]));
}

#[test]
fn a_client_without_a_name_is_noted_and_served() {
    let sandbox = one_node();
    let mut client = Client::to(&sandbox);
    client.name = "";
    assert_eq!(client.produce(0, &batch(1)).error_code, 0);
    assert_eq!(sandbox.violations().len(), 1);
}

#[test]
fn discard_mode_counts_and_keeps_nothing() {
    let sandbox = start(Config {
        discard: true,
        ..Config::default()
    });
    let mut client = Client::to(&sandbox);
    let id = client.producer_id();
    for n in 0..3 {
        assert_eq!(
            client.produce(0, &stamped(100, id, 0, n * 100)).base_offset,
            i64::from(n) * 100
        );
    }
    let mut wrong = batch(3);
    *wrong.last_mut().unwrap() ^= 1;
    assert_eq!(client.produce(0, &wrong).error_code, 2);
    assert_eq!(sandbox.record_count(TOPIC), 300);
    assert!(sandbox.records(TOPIC).iter().all(Vec::is_empty));
}

#[test]
fn retention_drops_the_oldest_batches_of_all_partitions_and_counts_on() {
    let size = batch(10).len();
    let sandbox = start(Config {
        retention_bytes: Some(size * 3),
        ..Config::default()
    });
    let mut client = Client::to(&sandbox);
    for partition in [0, 1, 0, 0, 1] {
        assert_eq!(client.produce(partition, &batch(10)).error_code, 0);
    }
    let kept: Vec<Vec<i64>> = sandbox
        .batches(TOPIC)
        .iter()
        .map(|own| own.iter().map(|batch| batch.base_offset).collect())
        .collect();
    assert_eq!(kept, [vec![10, 20], vec![10], vec![]]);
    assert_eq!(
        sandbox.look(|state| state.partition_record_counts(TOPIC)),
        [30, 20, 0]
    );
    assert_eq!(client.produce(0, &batch(1)).log_start_offset, 20);
}

#[test]
fn a_peer_that_stops_in_the_middle_of_a_frame_harms_nobody() {
    let sandbox = one_node();
    let mut half = Client::to(&sandbox);
    half.stream.write_all(&[0, 0, 1, 0, 0]).unwrap();
    half.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(half.stream.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(Client::to(&sandbox).produce(0, &batch(1)).error_code, 0);
}
