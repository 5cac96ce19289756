//! `LOG_FORMAT=json`: every line of real runs is one object that `docs/logs.md` describes, and so is what a panic says.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::{env, fs, thread};

use continuous_producer::report;
use continuous_producer::settings::LogFormat;
use log::LevelFilter;
use sandbox::{ApiKey, Fault, FaultRule};
use serde_json::Value;
use support::{Ended, Peers};

/// What the page says of each event's keys (`true`: always there), and of what each key is.
struct Page {
    events: BTreeMap<String, BTreeMap<String, bool>>,
    kinds: BTreeMap<String, String>,
}

impl Page {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/logs.md");
        let page = fs::read_to_string(path).unwrap();
        let events = rows(&page, "events").map(|cells| {
            let keys = cells[2].split(", ").filter(|key| !key.is_empty());
            let keys = keys.map(|key| match key.strip_suffix('?') {
                Some(key) => (word(key), false),
                None => (word(key), true),
            });
            (word(&cells[0]), keys.collect())
        });
        let kinds = rows(&page, "keys").map(|cells| (word(&cells[0]), cells[1].clone()));
        Self {
            events: events.collect(),
            kinds: kinds.collect(),
        }
    }

    /// Checks every line, and returns the names of the events that there were.
    #[track_caller]
    fn check(&self, ended: &Ended) -> BTreeSet<String> {
        let lines = ended.lines.iter();
        lines.map(|line| self.check_line(line)).collect()
    }

    #[track_caller]
    fn check_line(&self, line: &str) -> String {
        let object: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let mut object = object.as_object().unwrap().clone();
        for key in ["time", "level", "message"] {
            assert!(object.remove(key).is_some_and(|value| value.is_string()));
        }
        let name = object.remove("event").unwrap().as_str().unwrap().to_owned();
        let Some(keys) = self.events.get(&name) else {
            panic!("docs/logs.md does not know {name}: {line}");
        };
        for (key, value) in &object {
            assert!(keys.contains_key(key), "{name} has no {key}: {line}");
            let is_as_told = match self.kinds[key].as_str() {
                "number" => value.is_number(),
                "flag" => value.is_boolean(),
                "text" => value.is_string(),
                "moment" => value.as_str().is_some_and(|text| text.ends_with('Z')),
                other => panic!("{key} is {other}"),
            };
            assert!(is_as_told, "{key} of {line}");
        }
        for key in keys.iter().filter(|(_, always)| **always) {
            assert!(object.contains_key(key.0), "{name} without {key:?}: {line}");
        }
        name
    }
}

/// The cells of a table of the page.
fn rows(page: &str, name: &str) -> impl Iterator<Item = Vec<String>> {
    let (_, rest) = page.split_once(&format!("<!-- {name} -->\n")).unwrap();
    let (table, _) = rest.split_once(&format!("<!-- /{name} -->")).unwrap();
    table.lines().skip(2).map(|row| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    })
}

fn word(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

fn names(events: &BTreeSet<String>) -> Vec<&str> {
    events.iter().map(String::as_str).collect()
}

const JSON: &str = "--log-format json";

#[test]
fn a_run_that_goes_well_is_objects_from_its_first_line_to_its_last_at_every_level() {
    let (page, peers) = (Page::read(), Peers::start());
    let debug = peers
        .setup(&format!(
            "{JSON} --count 3 --interval 1ms --log-level debug"
        ))
        .run();
    let events = page.check(debug.expect_code(0));
    assert_eq!(
        names(&events),
        [
            "closed",
            "closing",
            "configuration",
            "final_statistics",
            "generator_initialized",
            "initializing",
            "loop_started",
            "loop_starting",
            "loop_stopping",
            "message",
            "producer_created",
            "registry_testing",
            "registry_verified",
            "schema",
            "serializer_created",
            "shutdown",
            "starting",
        ]
    );
    let last: Value = serde_json::from_str(debug.lines.last().unwrap()).unwrap();
    assert_eq!(
        (&last["event"], &last["produced"]),
        (&"final_statistics".into(), &3.into())
    );
    assert_eq!(last["adds_up"], Value::from(true));
    assert!(
        last["message"]
            .as_str()
            .unwrap()
            .contains("\n   🧾 Ledger: ")
    );
    for level in ["warn", "error"] {
        let flags = format!("{JSON} --count 3 --interval 0 --log-level {level} --instance-id 1");
        let events = page.check(peers.setup(&flags).run().expect_code(0));
        assert_eq!(names(&events), ["final_statistics"]);
    }
}

#[test]
fn statistics_are_numbers_and_a_shutdown_tells_its_reason() {
    let (page, peers) = (Page::read(), Peers::start());
    let mut program = peers
        .setup(&format!("{JSON} --interval 2ms --stats-interval 100ms"))
        .start();
    let line = loop {
        let line = program.line("\"event\":\"stats\"");
        if line.contains("latency_seconds_p99_9") {
            break line;
        }
    };
    let stats: Value = serde_json::from_str(&line).unwrap();
    assert!(stats["produced"].as_u64().unwrap() > 0, "{line}");
    assert!(stats["warm_up_seconds"].as_f64().unwrap() > 0.0, "{line}");
    assert!(stats["latency_seconds_p50"].as_f64() <= stats["latency_seconds_max"].as_f64());
    program.signal("TERM");
    let ended = program.end();
    page.check(ended.expect_code(0));
    let shutdown: Value = serde_json::from_str(ended.line("\"event\":\"shutdown\"")).unwrap();
    assert_eq!(shutdown["reason"], "signal");
}

#[test]
fn failures_are_objects_too_at_the_start_on_the_way_and_at_the_end() {
    let (page, peers) = (Page::read(), Peers::start());
    let flags = format!("{JSON} --topic none_such --interval 0");
    let missing = peers.setup(&flags).run();
    let events = page.check(missing.expect_code(1));
    assert!(events.contains("error"), "{events:?}");

    // The memory is full at once, and nobody answers: warnings, among them what is the limit, then failures and what was never sent.
    let hang = FaultRule::new(ApiKey::Produce, Fault::HangBefore);
    peers.kafka.fault(hang.times(usize::MAX));
    let mut program = peers
        .setup(&format!(
            "{JSON} --interval 1us --stats-interval 200ms --shutdown-timeout 1s"
        ))
        .env("KAFKA_BUFFER_MEMORY", "4MiB")
        .env("KAFKA_REQUEST_TIMEOUT", "300ms")
        .env("KAFKA_DELIVERY_TIMEOUT", "2s")
        .start();
    let behind = program.line("\"kind\":\"behind schedule: ");
    assert!(behind.contains("\"limited_by\":"), "{behind}");
    program.line("\"repeated\":");
    program.signal("INT");
    let ended = program.end();
    let events = page.check(ended.expect_code(1));
    for name in ["warning", "error", "stats", "final_statistics"] {
        assert!(events.contains(name), "{name} in {events:?}");
    }
}

/// In a process of its own, for what is said of a panic is the process's.
#[test]
fn a_panic_is_one_line_without_what_it_says_and_without_a_backtrace() {
    const CHILD: &str = "PANIC_IN_FORMAT";
    const NAME: &str = "a_panic_is_one_line_without_what_it_says_and_without_a_backtrace";
    if let Some(format) = env::var_os(CHILD) {
        let format = match format.to_str() {
            Some("json") => LogFormat::Json,
            _ => LogFormat::Pretty,
        };
        report::log::init(LevelFilter::Info, Some(format)).unwrap();
        let thread = thread::Builder::new().name("generator".to_owned());
        let panics = thread.spawn(|| panic!("hunter2 {}", '\n'));
        assert!(panics.unwrap().join().is_err());
        return;
    }
    for format in ["json", "pretty"] {
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(CHILD, format)
            .env("RUST_BACKTRACE", "1")
            .output()
            .unwrap();
        assert!(child.status.success());
        let told = String::from_utf8(child.stderr).unwrap();
        assert_eq!(told.lines().count(), 1, "{told}");
        let line = "❌ the thread generator broke down at tests/logs.rs:";
        assert!(told.contains(line) && !told.contains("hunter2"), "{told}");
        if format == "json" {
            assert_eq!(Page::read().check_line(told.trim_end()), "panic");
        }
    }
}
