//! What a run shows over HTTP is what `docs/metrics.md` says, and what the tests of the page make up.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use continuous_producer::report::metrics::{FAMILIES, Kind};
use sandbox::{ApiKey, HttpFault};
use serde_json::Value;
use support::Peers;
use support::watch::watched;

const DOCS: &str = "docs/metrics.md";
/// What `tests/page/fake.py` makes its answers by.
const MADE_UP: &str = "tests/page/status.json";
const INVALID_RECORD: i16 = 87;

/// Keys that were null in every answer here, and why.
const ALWAYS_NULL: &[&str] = &[
    // It takes five seconds of full speed to be told: report::limit has tests of its own.
    "limited_by",
];

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// A table of the page, as it stands there.
fn table(name: &str) -> String {
    let page = read(DOCS);
    let (_, rest) = page.split_once(&format!("<!-- {name} -->\n")).unwrap();
    let (table, _) = rest.split_once(&format!("<!-- /{name} -->")).unwrap();
    table.to_owned()
}

/// A run that has had every kind of misfortune that shows: the answers that there were on the way, and the last metrics.
fn eventful_run() -> (Vec<Value>, String) {
    let peers = Peers::start();
    let unavailable = HttpFault::Status(503, String::new());
    peers.registry.fail_next(&unavailable, 1000);
    let flags = "--interval 1ms --count 1000000 --duration 1h";
    let (program, watched) = watched(&peers, flags);
    let mut answers = vec![watched.status()];
    peers.registry.clear_faults();
    peers.wait_records(10);
    answers.push(watched.status());
    peers.kafka.fail_next(ApiKey::Produce, INVALID_RECORD, 1);
    answers.push(watched.until_status("a failure", |status| {
        let failures = status["failures"].as_array().unwrap();
        failures.iter().any(|failure| failure["code"].is_string())
    }));
    peers.kafka.kill_node(1);
    answers.push(watched.until_status("trouble", |status| {
        status["partitions"][0]["trouble"].is_string()
            && status["brokers"][0]["failure"].is_string()
    }));
    let (_, metrics) = watched.get("/metrics");
    program.signal("TERM");
    answers.push(watched.until_status("stopping", |status| status["state"] == "stopping"));
    peers.kafka.restart_node(1).unwrap();
    program.end().expect_code(1);
    (answers, metrics)
}

/// By metric, the labels of its samples in their order.
fn labels(metrics: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut family = String::new();
    for line in metrics.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            rest.split(' ').next().unwrap().clone_into(&mut family);
        } else if let Some((_, pairs)) = line.split_once('{') {
            let of_family = found.entry(family.clone()).or_default();
            for pair in pairs.split('}').next().unwrap().split(',') {
                let label = pair.split('=').next().unwrap().to_owned();
                if !of_family.contains(&label) {
                    of_family.push(label);
                }
            }
        }
    }
    found
}

fn metrics_table(metrics: &str) -> String {
    let labels = labels(metrics);
    let mut table = "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for family in &FAMILIES {
        let name = family.name();
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let of_family = labels.get(&name).map_or(&[][..], Vec::as_slice);
        let of_family: Vec<String> = of_family.iter().map(|label| format!("`{label}`")).collect();
        let row = format!(
            "| `{name}` | {kind} | {} | {} |\n",
            of_family.join(", "),
            family.help
        );
        table.push_str(&row);
    }
    table
}

/// What the page says of the keys of `/status`: by path, what its value is, and the words that it may be.
struct Keys(BTreeMap<String, (String, BTreeSet<String>)>);

impl Keys {
    fn read() -> Self {
        let table = table("status");
        let rows = table.lines().skip(2).map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let words = cells[2].split('`').skip(1).step_by(2).map(str::to_owned);
            let key = cells[0].trim_matches('`').to_owned();
            (key, (cells[1].to_owned(), words.collect()))
        });
        Self(rows.collect())
    }

    /// Fails unless an answer has the keys of the page and each value is what the page says; tells which were not null. Rows of
    /// a list are looked at, each, where there are any.
    #[track_caller]
    fn check(&self, answer: &Value) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        self.check_object("", answer, &mut seen);
        seen
    }

    #[track_caller]
    fn check_object(&self, path: &str, object: &Value, seen: &mut BTreeSet<String>) {
        let object = object.as_object().unwrap();
        let is_here = |key: &&str| !key.is_empty() && !key.contains("[]");
        let told = self.0.keys().filter_map(|key| key.strip_prefix(path));
        let told: BTreeSet<&str> = told.filter(is_here).collect();
        let found: BTreeSet<&str> = object.keys().map(String::as_str).collect();
        assert_eq!(
            found, told,
            "keys of {path:?}, left those there are, right those in {DOCS}"
        );
        for (key, value) in object {
            let key = format!("{path}{key}");
            self.check_value(&key, value);
            if !value.is_null() {
                seen.insert(key.clone());
            }
            let rows = value.as_array().into_iter().flatten();
            // Pairs have no keys.
            for row in rows.filter(|row| row.is_object()) {
                self.check_object(&format!("{key}[]."), row, seen);
            }
        }
    }

    #[track_caller]
    fn check_value(&self, key: &str, value: &Value) {
        let (is, words) = &self.0[key];
        let (is, may_be_null) = match is.strip_suffix(" or null") {
            Some(is) => (is, true),
            None => (is.as_str(), false),
        };
        let is_so = match is {
            "text" => value.is_string(),
            "word" => value.as_str().is_some_and(|word| words.contains(word)),
            "moment" => value.as_str().is_some_and(|text| text.ends_with('Z')),
            "number" => value.is_number(),
            "flag" => value.is_boolean(),
            "list" => value.is_array(),
            other => panic!("{key} is {other}"),
        };
        assert!(is_so || (may_be_null && value.is_null()), "{key}: {value}");
    }
}

#[test]
fn the_page_about_metrics_lists_what_a_run_shows() {
    let (answers, metrics) = eventful_run();
    let table_now = metrics_table(&metrics);
    assert!(
        table("metrics") == table_now,
        "put this into {DOCS}:\n{table_now}"
    );

    let keys = Keys::read();
    let seen: BTreeSet<String> = answers
        .iter()
        .flat_map(|answer| keys.check(answer))
        .collect();
    let never: Vec<&String> = keys.0.keys().filter(|key| !seen.contains(*key)).collect();
    assert_eq!(never, ALWAYS_NULL, "what was never there is not checked");
}

#[test]
fn what_the_tests_of_the_page_make_up_has_the_keys_of_a_real_answer() {
    let made_up: Value = serde_json::from_str(&read(MADE_UP)).unwrap();
    let seen = Keys::read().check(&made_up);
    for list in ["failures", "warnings", "brokers", "partitions"] {
        let rows = made_up[list].as_array().unwrap();
        assert_eq!(rows.len(), 1, "a row each, for its keys: {list}");
    }
    assert!(seen.contains("partitions[].trouble"), "{seen:?}");
}

/// Words that the page of a real run shows, and that its tests must not invent: where the program says them, and in which file the
/// tests do.
#[test]
fn the_tests_of_the_page_use_the_words_of_the_program() {
    for (words, source, test) in [
        (
            "the last message was acknowledged {",
            "report/view.rs",
            "fake.py",
        ),
        (
            "waiting for the Schema Registry",
            "report/view.rs",
            "checks.py",
        ),
        ("closed the connection", "kafka/net/reason.rs", "fake.py"),
        ("it has no leader", "kafka/client/trouble.rs", "fake.py"),
        (
            "not acknowledged before the delivery timeout, after ",
            "kafka/client/event.rs",
            "fake.py",
        ),
    ] {
        for file in [format!("src/{source}"), format!("tests/page/{test}")] {
            assert!(read(&file).contains(words), "{words:?} is not in {file}");
        }
    }
}
