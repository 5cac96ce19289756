//! The client core in the hands of a hostile peer: in whatever it waits for, a bad answer costs the connection and a line in
//! the log, and no record.

use std::time::Duration;

use continuous_producer::kafka::client::ConnectionId;
use continuous_producer::kafka::config::Acks;
use continuous_producer::kafka::wire::message::ApiKey;

use super::damage::{Seeded, compact, cuts, lies, mutated};
use super::rig::{Asked, Rig};

/// Records that are on their way in the state `Produce`.
const RECORDS: u32 = 12;
/// Damaged answers a state, of each kind.
const CASES: usize = 1500;
/// More than any backoff.
const LONG: Duration = Duration::from_secs(2);
/// `UNKNOWN_TOPIC_OR_PARTITION`.
const UNKNOWN_TOPIC: i16 = 3;

/// What the client waits for.
const STATES: [ApiKey; 7] = [
    ApiKey::ApiVersions,
    ApiKey::SaslHandshake,
    ApiKey::SaslAuthenticate,
    ApiKey::Metadata,
    ApiKey::InitProducerId,
    ApiKey::CreateTopics,
    ApiKey::Produce,
];

/// A client that waits for the answer to `api`, on which connection, and what it asked.
fn waiting_for(api: ApiKey) -> (Rig, ConnectionId, Asked) {
    let authenticates = matches!(api, ApiKey::SaslHandshake | ApiKey::SaslAuthenticate);
    let mut rig = Rig::new(Acks::All, authenticates.then_some("a-password"), 1);
    if api == ApiKey::CreateTopics {
        rig.serve(Some(ApiKey::Metadata));
        let asker = rig.awaiting(ApiKey::Metadata)[0];
        let asked = rig.links[&asker].asked[0];
        rig.frame(asker, &asked.answer(UNKNOWN_TOPIC));
    }
    rig.serve(Some(api));
    if api == ApiKey::Produce {
        (0..RECORDS).for_each(|key| rig.push(key));
        assert_eq!(rig.ledger.pushed, RECORDS as usize);
    }
    let connection = *rig.awaiting(api).first().unwrap();
    let asked = rig.links[&connection].asked[0];
    (rig, connection, asked)
}

fn told(api: ApiKey, seed: u64) -> Seeded {
    Seeded::new(seed, format!("waiting for {}", api.name()))
}

/// The connection is closed, one line says why, and what was asked is asked again on another one.
fn expect_broken_off(rig: &mut Rig, connection: ConnectionId) {
    assert!(!rig.client.is_closed(), "{:?}", rig.lines);
    assert_eq!(rig.closed.last(), Some(&connection));
    let reason = rig.lines.last().unwrap();
    assert!(reason.contains(":9092): "), "no address in {reason}");
    // What comes after that is not for anybody.
    let lines = rig.lines.len();
    rig.frame(connection, &[0; 10]);
    assert_eq!(rig.lines.len(), lines, "{:?}", rig.lines);
}

/// With peers in good health again everything that was pushed is acknowledged.
fn expect_recovery(rig: &mut Rig) {
    for key in 0..RECORDS {
        rig.serve(None);
        rig.advance(LONG);
        rig.serve(None);
        rig.push(key);
    }
    rig.serve(None);
    let ledger = &rig.ledger;
    assert!(ledger.pushed > 0, "{:?}", rig.lines);
    assert_eq!(ledger.acknowledged, ledger.pushed, "{:?}", rig.lines);
    rig.finish();
}

/// Scenario 9.
#[test]
fn a_sound_answer_is_taken_in_every_state() {
    for api in STATES {
        let (mut rig, connection, asked) = waiting_for(api);
        rig.frame(connection, &asked.answer(0));
        assert!(!rig.closed.contains(&connection), "{:?}", rig.lines);
        expect_recovery(&mut rig);
    }
}

/// Scenarios 9 and 37.
#[test]
fn a_cut_answer_costs_the_connection_and_no_record() {
    for api in STATES {
        let _told = told(api, 0);
        let (_, _, asked) = waiting_for(api);
        let sound = asked.answer(0);
        for cut in cuts(&sound) {
            let (mut rig, connection, _) = waiting_for(api);
            rig.frame(connection, cut);
            expect_broken_off(&mut rig, connection);
            rig.finish();
        }
        for len in [0, 4, sound.len() / 2, sound.len() - 1] {
            let (mut rig, connection, _) = waiting_for(api);
            rig.frame(connection, &sound[..len]);
            expect_broken_off(&mut rig, connection);
            expect_recovery(&mut rig);
        }
    }
}

/// Scenario 10.
#[test]
fn a_peer_that_hangs_up_instead_of_answering_costs_no_record() {
    for api in STATES {
        let _told = told(api, 0);
        let (mut rig, connection, asked) = waiting_for(api);
        rig.cut(connection);
        rig.frame(connection, &asked.answer(0));
        expect_recovery(&mut rig);
    }
}

/// Scenario 36.
#[test]
fn an_answer_to_another_request_costs_the_connection_and_no_record() {
    for api in STATES {
        let _told = told(api, 0);
        let (mut rig, connection, asked) = waiting_for(api);
        let another = Asked {
            correlation_id: asked.correlation_id + 1,
            ..asked
        };
        rig.frame(connection, &another.answer(0));
        expect_broken_off(&mut rig, connection);
        expect_recovery(&mut rig);
    }
}

/// Scenario 36.
#[test]
fn an_answer_that_nobody_waits_for_costs_the_connection_and_no_record() {
    for twice in [false, true] {
        let (mut rig, connection, asked) = waiting_for(ApiKey::Produce);
        rig.serve(None);
        assert!(rig.links[&connection].asked.is_empty());
        let again = asked.answer(0);
        rig.frame(connection, if twice { &again } else { b"any" });
        expect_broken_off(&mut rig, connection);
        expect_recovery(&mut rig);
    }
}

/// Scenario 37.
#[test]
fn whatever_comes_in_place_of_an_answer_every_record_stays_in_the_count() {
    for api in STATES {
        let mut told = told(api, 7);
        let (_, _, asked) = waiting_for(api);
        let sound = asked.answer(0);
        let mut frames: Vec<Vec<u8>> = lies(&sound, 0, &mut told.random).collect();
        told.random.shuffle(&mut frames);
        frames.truncate(CASES);
        frames.extend((0..CASES).map(|_| mutated(&sound, &mut told.random)));
        for frame in &frames {
            let (mut rig, connection, _) = waiting_for(api);
            rig.frame(connection, frame);
            let is_closed = rig.closed.last() == Some(&connection);
            if is_closed && !rig.client.is_closed() {
                expect_broken_off(&mut rig, connection);
            }
            rig.finish();
        }
    }
}

/// What a broker of any code says is one line, whatever its own words are.
#[test]
fn every_code_in_every_answer_leaves_every_record_in_the_count() {
    for api in STATES {
        for code in (-2..=140).chain([i16::MIN, i16::MAX]) {
            let (mut rig, connection, asked) = waiting_for(api);
            rig.frame(connection, &asked.answer(code));
            rig.finish();
        }
    }
}

/// As many brokers, or partitions, as an answer may name: time and memory grow with the answer, not with its square.
#[test]
fn an_answer_that_names_a_multitude_is_taken_in_stride() {
    const MULTITUDE: u32 = 150_000;
    // Metadata version 12: no throttle, …
    let before = [0, 0, 0, 0, 0];
    let broker = |id: u32| [&id.to_be_bytes()[..], b"\x02h\x00\x00\x23\x84\x00\x00"].concat();
    let partition = |index: u32| {
        let mut partition = vec![0, 0];
        partition.extend_from_slice(&index.to_be_bytes());
        // Led by broker 1 in epoch 0, nobody else has it.
        partition.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 0]);
        partition
    };
    let controller = [0, 0, 0, 0, 1];
    let topic = [&[2, 0, 0, 6][..], b"shoes", &[0; 17]].concat();
    let brokers: Vec<u8> = (0..MULTITUDE).flat_map(broker).collect();
    let partitions: Vec<u8> = (0..MULTITUDE).flat_map(partition).collect();
    let of_brokers = [&compact(MULTITUDE)[..], &brokers, &controller, &[1, 0]].concat();
    let of_partitions = [
        &compact(2)[..],
        &broker(0),
        &broker(1),
        &controller,
        &topic,
        &compact(MULTITUDE),
        &partitions,
        &[0x80, 0, 0, 0, 0, 0],
    ];
    for body in [of_brokers, of_partitions.concat()] {
        let (mut rig, connection, asked) = waiting_for(ApiKey::Metadata);
        assert_eq!(asked.version, 12);
        let id = asked.correlation_id.to_be_bytes();
        rig.frame(connection, &[&id[..], &before, &body].concat());
        assert!(rig.closed.is_empty(), "{:?}", rig.lines);
        rig.finish();
    }
}
