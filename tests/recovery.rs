//! What the program says when brokers that were in trouble are back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use sandbox::{ApiKey, Config};
use support::shoes::assert_all;
use support::{Ledger, Peers};

/// Scenario 23.
#[test]
fn a_partition_that_takes_records_again_is_told_of_in_one_line_with_what_waited() {
    let peers = Peers::with(Config {
        topics: vec![("js_shoe".to_owned(), 1)],
        ..Config::default()
    });
    // Retries wait at least 80, 160, 320 and 640 ms: more than the second from which on it is worth a line.
    peers.kafka.fail_next(ApiKey::Produce, 19, 4);
    let ended = peers.setup("--count 300 --interval 0").run();
    ended.expect_code(0);
    assert_eq!(ended.ledger(), Ledger::all(300));
    assert_all(&peers.kafka, 300);
    let told: Vec<&String> = ended
        .lines
        .iter()
        .filter(|line| line.contains(" back after "))
        .collect();
    assert_eq!(told.len(), 1, "{}", ended.stderr());
    let line = told[0];
    assert!(line.starts_with("✅ js_shoe-0 is back after "), "{line}");
    assert!(line.ends_with(" waited, none lost"), "{line}");
}
