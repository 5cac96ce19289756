//! Delivery while brokers fail: nothing acknowledged is lost, nothing is duplicated or reordered, every failure is counted.
//!
//! How the client core copes with each history is the simulation's business; here the whole program meets the commonest ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use sandbox::{ApiKey, Config, Fault, FaultRule, Gate};
use support::shoes::{self, Expected, assert_all};
use support::{Ledger, Peers, Setup};

/// Orders a fault for some Produce requests, after a first good one.
fn fault(peers: &Peers, fault: Fault, times: usize) {
    let rule = FaultRule::new(ApiKey::Produce, fault);
    peers.kafka.fault(rule.after(1).times(times));
}

/// Many small batches: several requests in flight on each connection.
fn many_batches(peers: &Peers, count: u64) -> Setup {
    peers
        .setup(&format!("--count {count} --interval 0"))
        .env("KAFKA_BATCH_SIZE", "5000")
}

fn several_nodes(nodes: usize) -> Peers {
    Peers::with(Config {
        nodes,
        topics: vec![("js_shoe".to_owned(), 6)],
        ..Config::default()
    })
}

#[test]
fn a_broker_that_is_down_at_the_start_is_waited_for() {
    let peers = Peers::start();
    peers.kafka.kill_node(1);
    let mut program = peers.setup("--count 100 --interval 0").start();
    let line = program.line("⚠️ ");
    assert!(
        line.contains("refused") && line.contains(&peers.kafka.bootstrap_servers()),
        "{line}"
    );
    peers.kafka.restart_node(1).unwrap();
    let ended = program.end();
    ended.expect_code(0);
    assert_eq!(ended.ledger(), Ledger::all(100));
    assert_all(&peers.kafka, 100);
}

/// The one test that waits for the start's deadline.
#[test]
fn a_cluster_where_nothing_listens_ends_the_run_with_one_clear_line() {
    let peers = Peers::start();
    peers.kafka.kill_node(1);
    let ended = peers.setup("").run();
    ended.expect_code(1);
    let line = ended.line("❌ Kafka: ");
    for words in [
        "no Kafka broker could be used within 30 s",
        &peers.kafka.bootstrap_servers(),
        "refused",
        "check KAFKA_BOOTSTRAP_SERVERS",
    ] {
        assert!(line.contains(words), "{line}");
    }
    let stderr = ended.stderr();
    let summed_up = stderr.matches(" more times in the last 10s").count();
    assert!(summed_up >= 2, "{stderr}");
    assert_eq!(ended.ledger(), Ledger::all(0));
}

#[test]
fn what_is_no_broker_is_told_by_what_it_says() {
    for (says, name) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "HTTP"),
        (&[0x15, 3, 3, 0, 2, 2, 40], "TLS"),
    ] {
        let peers = Peers::start();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // Something is asked before anything is said.
            stream.read_exact(&mut [0; 8]).unwrap();
            stream.write_all(says).unwrap();
            // Until the program hangs up: closing with its bytes unread would reset the connection.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        });
        let flags = format!("--bootstrap-servers {address}");
        let mut program = peers.setup(&flags).start();
        let line = program.line("⚠️ ");
        assert!(line.contains(name) && line.contains(&address), "{line}");
        program.signal("INT");
        program.end().expect_code(0);
        server.join().unwrap();
    }
}

/// Scenarios 3 and 4.
#[test]
fn brokers_that_die_and_return_cost_nothing() {
    let peers = several_nodes(3);
    let mut program = peers.setup("--interval 1ms --stats-interval 100ms").start();
    peers.wait_records(100);
    peers.die_and_return(&mut program, 50);
    program.signal("INT");
    let ended = program.end();
    ended.expect_code(0);
    let ledger = ended.ledger();
    assert_eq!(ledger, Ledger::all(ledger.generated));
    assert_all(&peers.kafka, ledger.generated);
}

/// Scenario 6.
#[test]
fn leaders_that_move_are_followed() {
    let peers = several_nodes(3);
    let program = peers.setup("--interval 1ms").start();
    peers.wait_records(50);
    for (partition, node) in [(0, 3), (1, 3), (2, 1), (3, 2), (4, 1), (5, 2), (0, 1)] {
        peers.kafka.move_leader("js_shoe", partition, node);
        let count = peers.kafka.record_count("js_shoe");
        peers.wait_records(count + 20);
    }
    program.signal("INT");
    let ended = program.end();
    ended.expect_code(0);
    assert_all(&peers.kafka, ended.ledger().generated);
}

/// Scenarios 10, 11 and 12.
#[test]
fn a_lost_request_or_answer_is_sent_again_and_not_duplicated() {
    for lost in [
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::Truncate(0),
        Fault::Truncate(7),
    ] {
        for times in [1, 3] {
            let peers = Peers::start();
            fault(&peers, lost.clone(), times);
            let ended = many_batches(&peers, 1000).run();
            assert_eq!(ended.code, Some(0), "{lost:?}:\n{}", ended.stderr());
            assert_eq!(ended.ledger(), Ledger::all(1000), "{lost:?}");
            assert_all(&peers.kafka, 1000);
            assert_eq!(
                peers
                    .kafka
                    .look(|state| state.pending_faults(ApiKey::Produce)),
                0
            );
        }
    }
}

/// Scenarios 9 and 36.
#[test]
fn an_answer_that_makes_no_sense_cuts_the_connection_and_costs_nothing() {
    for nonsense in [
        Fault::WrongCorrelationId,
        Fault::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        Fault::Raw(vec![0x15, 3, 3, 0, 2, 2, 40]),
        Fault::Raw(vec![0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
        Fault::Raw(vec![0xff; 64]),
    ] {
        let peers = Peers::start();
        fault(&peers, nonsense.clone(), 1);
        let ended = many_batches(&peers, 1000).run();
        assert_eq!(ended.code, Some(0), "{nonsense:?}:\n{}", ended.stderr());
        assert_eq!(ended.ledger(), Ledger::all(1000));
        assert_all(&peers.kafka, 1000);
        ended.line("⚠️ ");
    }
}

/// Every code after which the same records may still be taken.
///
/// Scenarios 16 and 22.
#[test]
fn error_codes_that_pass_cost_nothing() {
    for code in [2, 3, 5, 6, 7, 9, 10, 13, 19, 20, 45, 46, 47, 56, 59, 80, 89] {
        let peers = Peers::start();
        // A duplicate is one only if the records are there.
        let refused = if code == 46 {
            Fault::ErrorAfterwards(code)
        } else {
            Fault::Error(code)
        };
        fault(&peers, refused, 2);
        let ended = many_batches(&peers, 600).run();
        assert_eq!(ended.code, Some(0), "code {code}:\n{}", ended.stderr());
        assert_eq!(ended.ledger(), Ledger::all(600), "code {code}");
        assert_all(&peers.kafka, 600);
    }
}

/// Scenario 14.
#[test]
fn records_that_were_written_behind_an_error_are_not_written_twice() {
    for code in [7, 20] {
        let peers = Peers::start();
        fault(&peers, Fault::ErrorAfterwards(code), 2);
        let ended = many_batches(&peers, 600).run();
        assert_eq!(ended.code, Some(0), "code {code}:\n{}", ended.stderr());
        assert_all(&peers.kafka, 600);
    }
}

/// How many records a line says have failed.
fn records_failed(line: &str) -> u64 {
    let (number, _) = line[4..].split_once(" record").unwrap();
    number.parse().unwrap()
}

#[test]
fn error_codes_that_do_not_pass_are_counted_and_told_once() {
    for (code, name) in [
        (17, "INVALID_TOPIC_EXCEPTION"),
        (29, "AUTHORIZATION"),
        (87, "INVALID_RECORD"),
        (1234, "1234"),
    ] {
        // One partition: so each of the two requests that are refused has one batch. And no summary but those at the end.
        let peers = Peers::with(Config {
            topics: vec![("js_shoe".to_owned(), 1)],
            ..Config::default()
        });
        fault(&peers, Fault::Error(code), 2);
        let ended = many_batches(&peers, 600).arg("--stats-interval=1h").run();
        ended.expect_code(1);
        let ledger = ended.ledger();
        let held = shoes::numbers(&peers.kafka, Expected::default(), 600).len() as u64;
        assert_eq!((ledger.generated, ledger.unsent), (600, 0));
        assert!(
            ledger.failed > 0 && ledger.acknowledged == held,
            "{ledger:?}, {held} held"
        );
        let told: Vec<&String> = ended
            .lines
            .iter()
            .filter(|line| line.starts_with("❌ ") && line.contains(name))
            .collect();
        let [first, again] = told[..] else {
            panic!("not two lines:\n{}", ended.stderr());
        };
        assert!(
            !first.contains("(repeated") && again.contains("(repeated 1 more time in the last "),
            "{told:?}"
        );
        let failed: u64 = told.iter().map(|line| records_failed(line)).sum();
        assert_eq!(failed, ledger.failed, "{told:?}");
        ended.line(&format!("   ❌ Errors: {}", ledger.failed));
    }
}

/// Scenario 20.
#[test]
fn records_that_are_not_taken_before_the_delivery_timeout_are_failed() {
    let peers = Peers::start();
    peers.kafka.fail_next(ApiKey::Produce, 19, usize::MAX);
    let ended = peers
        .setup("--count 100 --interval 0")
        .env("KAFKA_DELIVERY_TIMEOUT", "1s")
        .env("KAFKA_REQUEST_TIMEOUT", "500ms")
        .run();
    ended.expect_code(1);
    let expected = Ledger {
        generated: 100,
        acknowledged: 0,
        failed: 100,
        unsent: 0,
    };
    assert_eq!(ended.ledger(), expected);
    let line = ended
        .lines
        .iter()
        .find(|line| line.contains("before the delivery timeout"))
        .unwrap();
    assert!(line.contains("NOT_ENOUGH_REPLICAS (19)"), "{line}");
    assert_eq!(peers.kafka.record_count("js_shoe"), 0);
}

/// Scenarios 5 and 31.
#[test]
fn a_broker_that_stops_answering_is_left_after_the_request_timeout() {
    for mute in [Fault::HangBefore, Fault::HangAfter] {
        let peers = Peers::start();
        fault(&peers, mute.clone(), 1);
        let ended = many_batches(&peers, 1000)
            .env("KAFKA_REQUEST_TIMEOUT", "500ms")
            .run();
        assert_eq!(ended.code, Some(0), "{mute:?}:\n{}", ended.stderr());
        assert_eq!(ended.ledger(), Ledger::all(1000));
        assert_all(&peers.kafka, 1000);
    }
}

/// Scenario 34.
#[test]
fn a_throttled_producer_goes_on() {
    let peers = Peers::start();
    fault(&peers, Fault::Throttle(200), 3);
    let ended = many_batches(&peers, 1000).run();
    ended.expect_code(0);
    assert_all(&peers.kafka, 1000);
}

/// Scenario 30.
#[test]
fn connections_cut_again_and_again_cost_nothing() {
    let peers = several_nodes(2);
    let program = peers.setup("--interval 1ms").start();
    for round in 1..10 {
        peers.wait_records(round * 20);
        peers.kafka.drop_connections();
    }
    peers.wait_records(300);
    program.signal("INT");
    let ended = program.end();
    ended.expect_code(0);
    assert_all(&peers.kafka, ended.ledger().generated);
}

/// A mistake of an address: a port behind which nobody ever answers.
///
/// Scenario 31.
#[test]
fn a_port_that_takes_connections_and_says_nothing_does_not_hide_the_broker() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let peers = Peers::start();
    let servers = format!(
        "{},{}",
        mute.local_addr().unwrap(),
        peers.kafka.bootstrap_servers()
    );
    let ended = peers
        .setup("--count 10 --interval 0 --bootstrap-servers")
        .arg(servers)
        .run();
    ended.expect_code(0);
    assert_all(&peers.kafka, 10);
}

#[test]
fn an_answer_that_comes_late_is_still_an_answer() {
    let peers = Peers::start();
    let gate = Gate::new();
    fault(&peers, Fault::HoldAnswer(gate.clone()), 1);
    let mut program = many_batches(&peers, 1000).start();
    program.line("⏳ Waiting");
    gate.open();
    let ended = program.end();
    ended.expect_code(0).expect_no("⚠️");
    assert_all(&peers.kafka, 1000);
}
