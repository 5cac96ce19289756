//! How a run ends: whatever ends it, and whatever the brokers do meanwhile, every record is accounted for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use sandbox::{ApiKey, Config, Fault, FaultRule, Gate, RegistryFault};
use support::shoes::{self, Expected, assert_all};
use support::{Ledger, Peers, Setup};

const SHUTDOWN: &str = "⏹️ Shutdown signal received. Stopping production...";
const LAST_LINE_OF_CLOSING: &str = "⏳ Waiting for all messages to be processed...";

/// A cluster whose default topic has one partition, so that its batches form one queue.
fn one_partition() -> Peers {
    Peers::with(Config {
        topics: vec![("js_shoe".to_owned(), 1)],
        ..Config::default()
    })
}

/// Every Produce request from now on: nothing is done, nothing is answered.
fn hang(peers: &Peers) {
    let fault = FaultRule::new(ApiKey::Produce, Fault::HangBefore);
    peers.kafka.fault(fault.times(usize::MAX));
}

#[test]
fn the_first_signal_ends_the_run_with_everything_delivered() {
    for signal in ["INT", "TERM"] {
        for interval in ["1ms", "0"] {
            let peers = Peers::start();
            let mut program = peers.setup(&format!("--interval {interval}")).start();
            peers.wait_records(100);
            program.signal(signal);
            program.line(SHUTDOWN);
            let ended = program.end();
            ended.expect_code(0);
            let ledger = ended.ledger();
            assert_eq!(ledger, Ledger::all(ledger.generated), "{signal} {interval}");
            assert_eq!(peers.kafka.record_count("js_shoe"), ledger.generated);
            // At full speed there are too many to make again in a debug build.
            if interval != "0" {
                assert_all(&peers.kafka, ledger.generated);
            }
        }
    }
}

#[test]
fn a_hang_up_ends_the_run_too_unless_it_was_ignored_from_the_start() {
    // Whoever runs the tests may have been started by nohup.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = u64::from_str_radix(mask.unwrap().trim(), 16).unwrap() & 1 == 1;
    for ignored in [true, ignored] {
        let peers = Peers::start();
        let mut setup = peers.setup("--interval 1ms");
        if ignored {
            setup = setup.ignoring("HUP");
        }
        let program = setup.start();
        peers.wait_records(1);
        program.signal("HUP");
        if ignored {
            // Had the first one counted, this were the second.
            program.signal("INT");
        }
        let ended = program.end();
        ended.expect_code(0);
        ended.line(SHUTDOWN);
        assert_all(&peers.kafka, ended.ledger().generated);
    }
}

#[test]
fn the_duration_ends_the_run_with_everything_delivered() {
    for interval in ["1ms", "1h", "10ms"] {
        let peers = Peers::start();
        let flags = format!("--interval {interval} --duration 300ms");
        let ended = peers.setup(&flags).run();
        ended.expect_code(0);
        ended.line("⏹️ Run duration reached. Stopping production...");
        assert_eq!(
            ended.lines.iter().filter(|line| *line == SHUTDOWN).count(),
            0
        );
        let ledger = ended.ledger();
        assert_eq!(ledger, Ledger::all(ledger.generated));
        assert!(ledger.generated > 0);
        if interval == "1h" {
            assert_eq!(ledger.generated, 1);
        }
        assert_all(&peers.kafka, ledger.generated);
    }
}

/// Scenario 41.
#[test]
fn a_second_signal_ends_the_shutdown_at_once_with_the_books() {
    for (signals, code) in [
        (["INT", "INT"], 130),
        (["TERM", "TERM"], 143),
        (["TERM", "INT"], 130),
        (["INT", "TERM"], 143),
    ] {
        let peers = one_partition();
        hang(&peers);
        let mut program = peers.setup("--interval 1h").start();
        wait_asked(&peers, 1);
        program.signal(signals[0]);
        program.line(LAST_LINE_OF_CLOSING);
        program.signal(signals[1]);
        let ended = program.end();
        ended.expect_code(code);
        ended.line("⏹️ Second shutdown signal received. Ending at once...");
        ended.expect_no("✅ Graceful shutdown completed");
        assert_eq!(ended.ledger(), lost(1, 0));
    }
}

/// Scenario 24.
#[test]
fn what_is_sent_and_not_answered_in_time_is_failed_and_what_is_not_sent_is_unsent() {
    let peers = one_partition();
    hang(&peers);
    // The first batch is on its way while the others are made: one in flight until a first answer has come.
    let mut program = peers
        .setup("--count 5000 --interval 0 --shutdown-timeout 300ms")
        .env("KAFKA_BATCH_SIZE", "10000")
        .start();
    program.line("⏹️ Message count reached. Stopping production...");
    let ended = program.end();
    ended.expect_code(1).expect_no("✅ Graceful shutdown");
    let ledger = ended.ledger();
    assert_eq!((ledger.generated, ledger.acknowledged), (5000, 0));
    assert!((1..200).contains(&ledger.failed), "one batch: {ledger:?}");
    let line = ended.line("sent and not acknowledged");
    assert!(
        line.starts_with(&format!("❌ {} records", ledger.failed)),
        "{line}"
    );
    let line = ended.line("never sent");
    assert!(
        line.starts_with(&format!("❌ {} records", ledger.unsent)),
        "{line}"
    );
    assert_eq!(peers.kafka.record_count("js_shoe"), 0);
}

/// Scenario 25.
#[test]
fn a_signal_while_every_broker_is_dead_ends_in_bounded_time_with_exact_books() {
    let peers = Peers::with(Config {
        nodes: 2,
        ..Config::default()
    });
    let mut program = peers
        .setup("--interval 5ms --shutdown-timeout 300ms --log-level debug")
        .start();
    peers.wait_records(20);
    peers.kafka.kill_node(1);
    peers.kafka.kill_node(2);
    program.line("⚠️ ");
    program.line("Message ");
    program.signal("TERM");
    program.line(SHUTDOWN);
    let ended = program.end();
    ended.expect_code(1);
    let ledger = ended.ledger();
    let held = shoes::numbers(&peers.kafka, Expected::default(), ledger.generated).len() as u64;
    // An answer may have been lost with its broker.
    assert!(ledger.acknowledged <= held, "{ledger:?}, {held} held");
    assert!(
        held <= ledger.acknowledged + ledger.failed,
        "{ledger:?}, {held} held"
    );
    assert!(ledger.unsent > 0, "{ledger:?}");
}

#[test]
fn a_record_whose_answer_was_lost_is_never_called_unsent() {
    let peers = one_partition();
    peers
        .kafka
        .fault(FaultRule::new(ApiKey::Produce, Fault::DropAfter));
    hang(&peers);
    let program = peers
        .setup("--interval 1h --shutdown-timeout 300ms")
        .start();
    wait_asked(&peers, 2);
    program.signal("INT");
    let ended = program.end();
    ended.expect_code(1);
    assert_eq!(ended.ledger(), lost(1, 0));
    assert_eq!(peers.kafka.record_count("js_shoe"), 1);

    // The same where it waits to be sent again, and nobody is there.
    let peers = one_partition();
    let gate = Gate::new();
    let fault = Fault::HoldAnswer(gate.clone());
    peers.kafka.fault(FaultRule::new(ApiKey::Produce, fault));
    let mut program = peers
        .setup("--interval 1h --shutdown-timeout 300ms")
        .start();
    peers.wait_records(1);
    peers.kafka.refuse_connections(1);
    peers.kafka.drop_connections();
    gate.open();
    program.line("closed the connection");
    program.signal("INT");
    let ended = program.end();
    ended.expect_code(1);
    assert_eq!(ended.ledger(), lost(1, 0));
}

/// Scenario 24.
#[test]
fn a_full_buffer_is_drained_after_the_signal() {
    let peers = one_partition();
    let gate = peers.kafka.hold_next(ApiKey::Produce);
    let mut program = peers
        .setup("--interval 100us --stats-interval 100ms")
        .env("KAFKA_BUFFER_MEMORY", "3MiB")
        .start();
    program.line("Behind=");
    program.signal("TERM");
    program.line(LAST_LINE_OF_CLOSING);
    gate.open();
    let ended = program.end();
    ended.expect_code(0);
    let ledger = ended.ledger();
    assert_eq!(ledger, Ledger::all(ledger.generated));
    assert_all(&peers.kafka, ledger.generated);
}

/// Had the signal not ended them, they would have given up after the start's deadline with another exit code.
#[test]
fn a_signal_ends_a_start_that_waits_for_its_peers() {
    let registry_down = |peers: &Peers| peers.registry.stop();
    let registry_busy = |peers: &Peers| {
        let busy = RegistryFault::Status(503, String::new());
        peers.registry.fail_next(&busy, 1000);
    };
    let registry_mute = |peers: &Peers| peers.registry.fail_next(&RegistryFault::Hang, 1000);
    let broker_down = |peers: &Peers| peers.kafka.kill_node(1);
    let broker_mute = |peers: &Peers| {
        let fault = FaultRule::new(ApiKey::ApiVersions, Fault::HangBefore);
        peers.kafka.fault(fault.times(1000));
    };
    let topic_gone = |peers: &Peers| {
        let fault = FaultRule::new(ApiKey::Metadata, Fault::Error(5));
        peers.kafka.fault(fault.times(1000));
    };
    let cases = [
        ("registry down", registry_down as fn(&Peers), "🔍"),
        ("registry busy", registry_busy, "🔍"),
        ("registry mute", registry_mute, "🔍"),
        ("broker down", broker_down, "✅ Protobuf"),
        ("broker mute", broker_mute, "✅ Protobuf"),
        ("topic without leaders", topic_gone, "✅ Protobuf"),
    ];
    for (name, disturb, line) in cases {
        for (signal, after) in [("INT", line), ("TERM", "📊 Configuration")] {
            let peers = Peers::start();
            disturb(&peers);
            let mut program = peers.setup("").start();
            program.line(after);
            program.signal(signal);
            let ended = program.end();
            assert_eq!(
                ended.code,
                Some(0),
                "{name}:
{}",
                ended.stderr()
            );
            assert_eq!(ended.ledger(), Ledger::all(0), "{name}");
            ended.line(SHUTDOWN);
            ended.expect_no("❌ Kafka").expect_no("❌ schema");
            // A request that is never answered is not waited for.
            ended.expect_no("no answer in time");
        }
    }
}

/// Scenario 42.
#[test]
fn a_closed_standard_error_does_not_disturb_the_delivery() {
    let peers = Peers::start();
    let setup = peers.setup("--count 500 --interval 1ms --stats-interval 100ms --log-level debug");
    setup.start_with_closed_stderr().end().expect_code(0);
    assert_all(&peers.kafka, 500);

    let peers = Peers::start();
    let program = peers.setup("--interval 1ms").start_with_closed_stderr();
    peers.wait_records(10);
    program.signal("INT");
    program.end().expect_code(0);
    let count = peers.kafka.record_count("js_shoe");
    assert_all(&peers.kafka, count);
}

/// Scenario 42. Nobody is waited for who reads nothing: neither by the messages, nor by the shutdown, nor by the ledger file. At this
/// level each message is a line, and many more are made than a pipe and the log's own queue hold.
#[test]
fn a_standard_error_that_nobody_reads_holds_up_neither_messages_nor_the_end() {
    const LINES: u64 = 3000;
    let (peers, elsewhere) = (Peers::start(), Setup::new(""));
    let file = elsewhere.path("ledger.json");
    let setup = peers.setup("--interval 100us --log-level debug");
    let setup = setup.env("LEDGER_FILE", &file);
    let (program, unread) = setup.start_with_unread_stderr();
    peers.wait_records(LINES);
    program.signal("TERM");
    program.end().expect_code(0);
    drop(unread);
    let ledger = std::fs::read_to_string(&file).unwrap();
    let ledger: serde_json::Value = serde_json::from_str(&ledger).unwrap();
    assert_eq!(ledger["acknowledged"], ledger["generated"]);
    let in_the_topic = peers.kafka.record_count("js_shoe");
    assert_eq!(ledger["acknowledged"].as_u64(), Some(in_the_topic));
}

/// Scenario 42.
#[test]
fn a_full_disk_under_standard_error_does_not_disturb_the_delivery() {
    let peers = Peers::start();
    let setup = peers.setup("--count 100 --interval 0");
    setup.start_with_full_stderr().end().expect_code(0);
    assert_all(&peers.kafka, 100);
}

/// Waits until the cluster has been sent so many Produce requests.
fn wait_asked(peers: &Peers, requests: u64) {
    peers.wait(&format!("{requests} Produce requests"), |state| {
        state.requests(ApiKey::Produce) >= requests
    });
}

/// Nothing was acknowledged.
fn lost(failed: u64, unsent: u64) -> Ledger {
    Ledger {
        generated: failed + unsent,
        acknowledged: 0,
        failed,
        unsent,
    }
}
