//! Brokers that die again and again under full load: every record that was generated is in the log, once, in its place.
//!
//! Nothing here depends on the machine's speed: a life ends when the topic has taken so many more records, however long
//! that takes, and the topic is compared with what was generated, however much that was.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use sandbox::Config;
use support::shoes::assert_all;
use support::{Ledger, Peers, Program};

const DEATHS: i32 = 10;
/// How many records more make a life.
const LIFE_RECORDS: u64 = 5000;

/// 50,000 a second, and little memory: what a dead broker makes wait is soon caught up with.
fn start(peers: &Peers) -> Program {
    peers
        .setup("--interval 20us --stats-interval 100ms")
        .env("KAFKA_BUFFER_MEMORY", "3MiB")
        .start()
}

/// Waits until the topic has taken so many more records.
fn live(peers: &Peers) {
    let taken = peers.kafka.record_count("js_shoe");
    peers.wait_records(taken + LIFE_RECORDS);
}

/// The signal ends the run with everything delivered, and with not one line of an error.
#[track_caller]
fn end(peers: &Peers, program: Program) {
    program.signal("INT");
    let ended = program.end();
    ended.expect_code(0);
    let errors = ended.lines.iter().filter(|line| line.starts_with('❌'));
    assert_eq!(errors.count(), 0, "{}", ended.stderr());
    let ledger = ended.ledger();
    assert_eq!(ledger, Ledger::all(ledger.generated));
    assert_all(&peers.kafka, ledger.generated);
}

/// Scenarios 2 and 4.
#[test]
fn one_broker_that_dies_ten_times_under_full_load_loses_and_duplicates_nothing() {
    let peers = Peers::start();
    let mut program = start(&peers);
    live(&peers);
    for _ in 0..DEATHS {
        peers.kafka.kill_node(1);
        program.line("⚠️ ");
        peers.kafka.restart_node(1).unwrap();
        live(&peers);
    }
    end(&peers, program);
}

/// Scenarios 2 and 6.
#[test]
fn leaders_that_die_and_move_under_full_load_lose_and_duplicate_nothing() {
    let peers = Peers::with(Config {
        nodes: 3,
        topics: vec![("js_shoe".to_owned(), 6)],
        ..Config::default()
    });
    let program = start(&peers);
    live(&peers);
    for death in 0..DEATHS {
        // Its partitions go to the other two, and do not come back to it by themselves.
        let node = death % 3 + 1;
        peers.kafka.kill_node(node);
        live(&peers);
        peers.kafka.restart_node(node).unwrap();
        for partition in [death % 6, (death + 3) % 6] {
            peers.kafka.move_leader("js_shoe", partition, node);
        }
        live(&peers);
    }
    end(&peers, program);
}
