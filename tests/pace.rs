//! How fast messages come, and what is said when the brokers are slower: memory stays bounded, the generator waits, and what
//! could not be caught up with is counted (scenario 44).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use sandbox::{ApiKey, Config, Fault, FaultRule};
use support::shoes::assert_all;
use support::{Ledger, Peers};

/// Whether a statistics line says that the generator is more than a second behind; rounded, `1s` may be less.
fn is_over_a_second(line: &str) -> bool {
    let behind = line
        .split(", ")
        .find_map(|pair| pair.strip_prefix("Behind="));
    behind.is_some_and(|behind| !behind.ends_with("ms") && behind != "1s")
}

/// Scenario 44.
#[test]
fn a_full_buffer_makes_the_generator_wait_and_is_told_as_lateness() {
    let peers = Peers::with(Config {
        topics: vec![("js_shoe".to_owned(), 1)],
        ..Config::default()
    });
    let gate = peers.kafka.hold_next(ApiKey::Produce);
    let mut program = peers
        .setup("--interval 50us --stats-interval 100ms")
        .env("KAFKA_BUFFER_MEMORY", "3MiB")
        .start();
    // Nothing is taken: at some time nothing more is made.
    let line = program.line("Behind=");
    assert!(line.contains("Produced=0, "), "{line}");
    // A second behind, the oldest messages are given up before they are made.
    while !is_over_a_second(&program.line("Behind=")) {}
    gate.open();
    program.line("Skipped=");
    program.signal("INT");
    let ended = program.end();
    ended.expect_code(0);
    ended.line("   ⏭️ Skipped: ");
    let ledger = ended.ledger();
    assert_eq!(ledger, Ledger::all(ledger.generated));
    assert_eq!(peers.kafka.record_count("js_shoe"), ledger.generated);
}

/// Scenario 44.
#[test]
fn what_is_generated_and_not_taken_stays_within_the_memory() {
    let peers = Peers::with(Config {
        topics: vec![("js_shoe".to_owned(), 1)],
        ..Config::default()
    });
    let _gate = peers.kafka.hold_next(ApiKey::Produce);
    let mut program = peers
        .setup("--interval 0 --shutdown-timeout 100ms --stats-interval 100ms")
        .env("KAFKA_BUFFER_MEMORY", "3MiB")
        .start();
    peers.wait("a request", |state| state.requests(ApiKey::Produce) > 0);
    // Long enough to make many times as much.
    for _ in 0..5 {
        program.line("Produced=0, ");
    }
    program.signal("INT");
    let ended = program.end();
    ended.expect_code(1);
    let ledger = ended.ledger();
    assert_eq!(ledger.acknowledged, 0);
    // A record with its key and its overhead takes more than 128 bytes; four chunks of 256 KiB are on their way besides.
    let most = (3 * 1024 * 1024 + 4 * 256 * 1024) / 128;
    assert!((1..most).contains(&ledger.generated), "{ledger:?}");
}

/// What a pair of a statistics line says.
fn value<'a>(line: &'a str, name: &str) -> &'a str {
    let mut pairs = line.split(", ");
    let value = pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("no {name} in {line}"))
}

/// Scenario 44.
#[test]
fn the_process_itself_does_not_grow_once_the_buffer_is_full() {
    const MIB: u64 = 1 << 20;
    const LINES_MAX: usize = 300;
    let peers = Peers::start();
    let hang = FaultRule::new(ApiKey::Produce, Fault::HangBefore);
    peers.kafka.fault(hang.times(usize::MAX));
    let mut program = peers
        .setup("--interval 1us --stats-interval 100ms --shutdown-timeout 0s")
        .env("KAFKA_BUFFER_MEMORY", "16MiB")
        .start();
    // Full is what stays the same over ten lines, while a million messages a second are wanted.
    let (mut full, mut peak, mut same) = (String::new(), 0, 0);
    for _ in 0..LINES_MAX {
        let line = program.line("📊 Stats: Produced=0, ");
        let buffered = value(&line, "Buffered");
        same += 1;
        if buffered == "0" || buffered != full {
            (full, peak, same) = (buffered.to_owned(), program.peak_bytes(), 0);
        }
        if same == 10 {
            break;
        }
    }
    assert_eq!(same, 10, "Buffered={full} at last");
    assert!(peak < 64 * MIB, "{} MiB", peak / MIB);
    let grown = program.peak_bytes() - peak;
    assert!(grown < 2 * MIB, "{} KiB", grown / 1024);
    program.signal("INT");
    let ended = program.end();
    ended.expect_code(1);
    ended.ledger();
}

#[test]
fn the_interval_decides_how_many_messages_a_duration_has() {
    for (flags, count) in [
        ("--interval 10ms --duration 200ms", 20),
        ("--interval 1m --duration 50ms", 1),
        ("--interval .1s --duration 250ms", 3),
    ] {
        let peers = Peers::start();
        let ended = peers.setup(flags).run();
        ended.expect_code(0);
        assert_eq!(ended.ledger(), Ledger::all(count), "{flags}");
        assert_all(&peers.kafka, count);
    }
}

#[test]
fn a_fast_pace_does_not_wake_a_thread_for_each_message() {
    const MESSAGES: u64 = 5_000;
    let peers = Peers::start();
    let mut program = peers.setup("--interval 50us").start();
    program.line("Production loop started");
    peers.wait("messages", |state| {
        state.record_count("js_shoe") >= MESSAGES
    });
    // Counted before the messages are, so that a slow test does no harm.
    let waits = program.waits();
    let made = peers.kafka.record_count("js_shoe");
    assert!(waits < made / 2, "{waits} waits for {made} messages");
    program.signal("INT");
    let ended = program.end();
    ended.expect_code(0);
    let ledger = ended.ledger();
    assert_eq!(ledger, Ledger::all(ledger.generated));
}

#[test]
fn without_an_interval_of_statistics_there_is_no_line() {
    let peers = Peers::start();
    let ended = peers
        .setup("--interval 1ms --duration 300ms --stats-interval 0")
        .run();
    ended.expect_code(0).expect_no("📊 Stats: ");
    ended.ledger();
}
