//! `LOG_FORMAT=json`: every line of real runs is one object that `docs/logs.md` describes, so is what a panic says, and whatever the
//! page lists is said by some run.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{env, fs, thread};

use continuous_producer::report;
use continuous_producer::settings::LogFormat;
use log::LevelFilter;
use sandbox::{ApiKey, Fault, FaultRule, HttpFault, TokenSettings};
use serde_json::Value;
use socket2::SockRef;
use support::trouble::by_token;
use support::watch::start_watched;
use support::{Ended, Peers, Setup};

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

/// Every event that runs have said, with every key that it had.
#[derive(Default)]
struct Seen(BTreeMap<String, BTreeSet<String>>);

impl Seen {
    #[track_caller]
    fn add<'a>(&mut self, page: &Page, lines: impl IntoIterator<Item = &'a String>) {
        for line in lines {
            let name = page.check_line(line);
            let object: Value = serde_json::from_str(line).unwrap();
            let keys = object.as_object().unwrap().keys().cloned();
            self.0.entry(name).or_default().extend(keys);
        }
    }

    /// What the page lists and nobody has said: events, and keys as `event.key`.
    fn missing(&self, page: &Page) -> Vec<String> {
        let mut missing = Vec::new();
        for (event, keys) in &page.events {
            let Some(seen) = self.0.get(event) else {
                missing.push(event.clone());
                continue;
            };
            let unseen = keys.keys().filter(|key| !seen.contains(*key));
            missing.extend(unseen.map(|key| format!("{event}.{key}")));
        }
        missing
    }
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

    let ended = overwhelmed();
    let events = page.check(ended.expect_code(1));
    for name in ["warning", "error", "stats", "final_statistics"] {
        assert!(events.contains(name), "{name} in {events:?}");
    }
}

/// Events that no run here can be made to say.
const OUT_OF_REACH: &[&str] = &[
    // What other people's crates warn of is theirs; they are silent here.
    "library",
    // That takes more lines than a pipe and the queue hold, and a second: `shutdown.rs` has it.
    "lines_lost",
    // The system does not refuse what is asked of a socket that is connected.
    "socket",
];

#[test]
fn every_event_of_the_page_is_said_by_some_run_with_every_key_of_it() {
    let page = Page::read();
    let mut seen = Seen::default();
    for ended in [
        Setup::new(&format!(
            "{JSON} --dry-run --count 1 --interval 0 --log-level debug"
        ))
        .run(),
        watched_through_an_outage(),
        without_a_service_manager(),
        overwhelmed(),
        cut_short(),
        by_token(TokenSettings::default(), None)
            .setup(&format!("{JSON} --count 1 --log-level debug"))
            .run(),
    ] {
        seen.add(&page, &ended.lines);
    }
    seen.add(&page, [&told_of_a_panic("json")]);
    assert_eq!(seen.missing(&page), OUT_OF_REACH);
}

/// A registry that fails first, somebody who asks and does not wait for the answer, a broker that is away for a while.
fn watched_through_an_outage() -> Ended {
    let peers = Peers::start();
    let unavailable = HttpFault::Status(503, String::new());
    peers.registry.fail_next(&unavailable, 1);
    let flags = format!("{JSON} --interval 2ms --stats-interval 100ms --log-level debug");
    let (mut program, watched) = start_watched(peers.setup(&flags));
    peers.wait_records(10);
    // Whoever hangs up so takes the connection from under the answer, mostly before it is written.
    for _ in 0..100 {
        let mut client = TcpStream::connect(&watched.address).unwrap();
        SockRef::from(&client)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        write!(client, "GET /status HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    }
    program.line("\"event\":\"monitor\"");
    peers.kafka.kill_node(1);
    program.line("\"repeated\":");
    // Shorter trouble is not worth a word.
    watched.until_status("trouble", |status| {
        status["partitions"][0]["trouble"].is_string()
    });
    peers.kafka.restart_node(1).unwrap();
    program.line("\"event\":\"recovered\"");
    program.signal("TERM");
    let ended = program.end();
    ended.expect_code(0);
    ended
}

/// A service manager that is gone when it is to be told: a warning, and from the second time on a word for those who look closely.
fn without_a_service_manager() -> Ended {
    let peers = Peers::start();
    let setup = peers.setup(&format!("{JSON} --count 1 --log-level debug"));
    let path = setup.path("manager");
    // The name stays, and nobody is behind it.
    drop(UnixDatagram::bind(&path).unwrap());
    let mut program = setup.env("NOTIFY_SOCKET", &path).start();
    program.line("\"event\":\"service_manager\"");
    program.end()
}

/// The memory is full at once, and nobody answers: warnings, among them what is the limit, then failures and what was never sent.
fn overwhelmed() -> Ended {
    let peers = Peers::start();
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
    loop {
        let repeated = program.line("\"repeated\":");
        if repeated.contains("\"level\":\"error\"") {
            break;
        }
    }
    program.signal("INT");
    let ended = program.end();
    ended.expect_code(1);
    ended
}

fn cut_short() -> Ended {
    let peers = Peers::start();
    let hang = FaultRule::new(ApiKey::Produce, Fault::HangBefore);
    peers.kafka.fault(hang.times(usize::MAX));
    let mut program = peers.setup(&format!("{JSON} --interval 1ms")).start();
    peers.wait("a request", |state| state.requests(ApiKey::Produce) > 0);
    program.signal("TERM");
    program.line("\"event\":\"closing\"");
    program.signal("INT");
    let ended = program.end();
    ended.expect_code(130);
    ended
}

const PANIC_IN_FORMAT: &str = "PANIC_IN_FORMAT";

/// What is said of a panic, by [`a_panic_is_one_line_without_what_it_says_and_without_a_backtrace`] in a process of its own, for that
/// is the process's.
fn told_of_a_panic(format: &str) -> String {
    const NAME: &str = "a_panic_is_one_line_without_what_it_says_and_without_a_backtrace";
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(PANIC_IN_FORMAT, format)
        .env("RUST_BACKTRACE", "1")
        .output()
        .unwrap();
    assert!(child.status.success());
    let told = String::from_utf8(child.stderr).unwrap();
    assert_eq!(told.lines().count(), 1, "{told}");
    told.trim_end().to_owned()
}

#[test]
fn a_panic_is_one_line_without_what_it_says_and_without_a_backtrace() {
    if let Some(format) = env::var_os(PANIC_IN_FORMAT) {
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
        let told = told_of_a_panic(format);
        let line = "❌ the thread generator broke down at tests/logs.rs:";
        assert!(told.contains(line) && !told.contains("hunter2"), "{told}");
    }
}
