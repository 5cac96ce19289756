//! A cluster that changes under the program: what waits goes where it may, nothing is lost or written twice.
//!
//! How the client core copes with each change is its own tests' business; here the whole program meets them under load.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use sandbox::{ApiKey, Config, Fault, FaultRule, SequenceRules};
use support::shoes::{self, Expected, assert_all};
use support::{Ledger, Peers, Program};

const BOTH_RULES: [SequenceRules; 2] = [SequenceRules::Modern, SequenceRules::Legacy];
/// `UNKNOWN_PRODUCER_ID`, which only old brokers answer.
const UNKNOWN_PRODUCER_ID: i16 = 59;

fn peers(nodes: usize, sequences: SequenceRules) -> Peers {
    Peers::with(Config {
        nodes,
        sequences,
        ..Config::default()
    })
}

/// Waits until the topic has taken so many more records.
fn wait_more(peers: &Peers, records: u64) {
    peers.wait_records(peers.kafka.record_count("js_shoe") + records);
}

/// The signal ends the run with everything delivered; returns how much that was.
#[track_caller]
fn end(program: Program) -> u64 {
    program.signal("INT");
    let ended = program.end();
    ended.expect_code(0);
    let ledger = ended.ledger();
    assert_eq!(ledger, Ledger::all(ledger.generated));
    ledger.generated
}

/// An old broker denies what was on its way when it lost its memory; sent under a new sequence it could be written twice.
#[track_caller]
fn end_with_unknown_outcomes(program: Program) -> Ledger {
    program.signal("INT");
    let ended = program.end();
    let ledger = ended.ledger();
    ended.expect_code(i32::from(ledger.failed > 0));
    assert_eq!(ledger.generated, ledger.acknowledged + ledger.failed);
    for line in ended.lines.iter().filter(|line| line.contains("failed: ")) {
        assert!(line.contains("outcome unknown"), "{line}");
    }
    ledger
}

#[track_caller]
fn assert_refused(peers: &Peers, code: i16, is_refused: bool) {
    let refusals = peers.kafka.refusals();
    assert_eq!(
        refusals.iter().any(|refused| refused.code == code),
        is_refused,
        "{refusals:?}"
    );
}

/// Scenarios 17 and 18.
#[test]
fn a_broker_that_has_forgotten_the_producer_is_no_trouble() {
    for rules in BOTH_RULES {
        let peers = peers(1, rules);
        let program = peers.setup("--interval 1ms").start();
        for _ in 0..3 {
            wait_more(&peers, 50);
            peers.kafka.forget_producers();
        }
        wait_more(&peers, 50);
        assert_all(&peers.kafka, end(program));
        assert_refused(&peers, UNKNOWN_PRODUCER_ID, rules == SequenceRules::Legacy);
    }
}

/// Scenario 23.
#[test]
fn a_partition_with_too_few_replicas_takes_its_records_once_it_has_them_and_holds_no_other_up() {
    let peers = Peers::start();
    let too_few = FaultRule::new(ApiKey::Produce, Fault::Error(19)).partition(1);
    peers.kafka.fault(too_few.times(usize::MAX));
    let mut program = peers.setup("--interval 1ms").start();
    let line = program.line("⚠️ ");
    assert!(
        line.contains("partition 1: NOT_ENOUGH_REPLICAS (19)"),
        "{line}"
    );
    peers.wait("five refusals, and the others' records", |state| {
        let refused = usize::MAX - state.pending_faults(ApiKey::Produce);
        let counts = state.partition_record_counts("js_shoe");
        assert_eq!(counts[1], 0);
        refused >= 5 && counts[0] >= 50 && counts[2] >= 50
    });
    peers.kafka.clear_faults();
    peers.wait("a record of that partition", |state| {
        state.partition_record_counts("js_shoe")[1] > 0
    });
    assert_all(&peers.kafka, end(program));
}

/// Scenario 26.
#[test]
fn a_topic_deleted_and_made_anew_under_load_gets_all_that_the_old_one_did_not() {
    for rules in BOTH_RULES {
        for partitions in [3, 7] {
            let peers = peers(1, rules);
            let mut program = peers.setup("--interval 200us").start();
            wait_more(&peers, 500);
            let gone = peers.kafka.delete_topic("js_shoe");
            program.line("topic js_shoe does not exist any more");
            peers.kafka.create_topic("js_shoe", partitions);
            peers.wait("records in every partition", |state| {
                let counts = state.partition_record_counts("js_shoe");
                counts.iter().all(|&count| count > 0)
            });
            let ledger = if rules == SequenceRules::Modern {
                Ledger::all(end(program))
            } else {
                end_with_unknown_outcomes(program)
            };
            let expected = Expected {
                settled: partitions == 3,
                ..Expected::default()
            };
            let held = shoes::numbers(&peers.kafka, expected, ledger.generated);
            assert_eq!(gone + held.len() as u64, ledger.acknowledged);
            assert_refused(&peers, UNKNOWN_PRODUCER_ID, rules == SequenceRules::Legacy);
        }
    }
}

/// One address that leads to whichever node it is told, as a load balancer's does.
struct Door {
    address: SocketAddr,
    leads_to: Arc<Mutex<SocketAddr>>,
}

impl Door {
    fn to(node: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let leads_to = Arc::new(Mutex::new(node));
        let now = Arc::clone(&leads_to);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // A node that is dead takes nobody: the client is dropped.
                if let Ok(node) = TcpStream::connect(*now.lock().unwrap()) {
                    pass(client.try_clone().unwrap(), node.try_clone().unwrap());
                    pass(node, client);
                }
            }
        });
        Self { address, leads_to }
    }

    fn lead_to(&self, node: SocketAddr) {
        *self.leads_to.lock().unwrap() = node;
    }
}

/// Passes on what comes, and the end.
fn pass(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        // An end with an error is an end too.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}

/// Scenario 28.
#[test]
fn when_every_broker_is_replaced_the_configured_address_leads_to_the_new_ones() {
    let peers = peers(4, SequenceRules::Modern);
    let address = |node| peers.kafka.address(node).unwrap();
    for node in [3, 4] {
        peers.kafka.kill_node(node);
    }
    let door = Door::to(address(1));
    let mut program = peers
        .setup("--interval 1ms")
        .env("KAFKA_BOOTSTRAP_SERVERS", door.address.to_string())
        .start();
    wait_more(&peers, 100);
    for node in [1, 2] {
        peers.kafka.kill_node(node);
    }
    program.line("⚠️ ");
    for node in [3, 4] {
        peers.kafka.restart_node(node).unwrap();
    }
    door.lead_to(address(4));
    wait_more(&peers, 100);
    assert_all(&peers.kafka, end(program));
}

/// Scenarios 9 and 37.
#[test]
fn an_answer_with_hostile_lengths_costs_its_connection_and_nothing_else() {
    let lengths = [
        // As a varint 2³²−1.
        vec![0xff, 0xff, 0xff, 0xff, 0x0f],
        i32::MAX.to_be_bytes().to_vec(),
        (-2_i32).to_be_bytes().to_vec(),
    ];
    // Where the first count of something stands in each answer's frame.
    for (api, at) in [
        (ApiKey::ApiVersions, 10),
        (ApiKey::InitProducerId, 8),
        (ApiKey::Metadata, 13),
        (ApiKey::Produce, 9),
    ] {
        let peers = Peers::start();
        for length in &lengths {
            let fault = Fault::Overwrite(at, length.clone());
            peers.kafka.fault(FaultRule::new(api, fault));
        }
        let ended = peers.setup("--count 500 --interval 0").run();
        assert_eq!(ended.code, Some(0), "{api:?}:\n{}", ended.stderr());
        assert_eq!(peers.kafka.look(|state| state.pending_faults(api)), 0);
        assert_all(&peers.kafka, 500);
        let told = |line: &String| line.starts_with("⚠️ ") && line.contains("unreadable answer");
        assert!(ended.lines.iter().any(told), "{api:?}: {}", ended.stderr());
    }
}
