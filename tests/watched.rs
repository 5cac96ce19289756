//! What a run shows while it runs: metrics, health, readiness, status, all of it over HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};

use continuous_producer::report::metrics::{FAMILIES, Family, Kind};
use sandbox::{ApiKey, Fault, FaultRule, HttpFault, RegistryFault, Security, TokenSettings};
use serde_json::Value;
use support::Peers;
use support::secured::{self, Told};
use support::watch::{Watched, start_watched, watched};

fn scraped(watched: &Watched) -> Exposition {
    let (code, body) = watched.get("/metrics");
    assert_eq!(code, 200);
    Exposition::parse(&body)
}

/// The text format of Prometheus, strictly read.
#[derive(Debug, Default)]
struct Exposition {
    kinds: BTreeMap<String, String>,
    /// By name with labels.
    samples: BTreeMap<String, f64>,
}

impl Exposition {
    fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'));
        let (mut parsed, mut helped, mut family) = (Self::default(), None, String::new());
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                assert!(help.ends_with('.'), "{line}");
                helped = Some(name.to_owned());
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert_eq!(helped.take().as_deref(), Some(name));
                let before = parsed.kinds.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "twice: {name}");
                name.clone_into(&mut family);
            } else {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                let name = sample.split('{').next().unwrap();
                let suffixes: &[&str] = match parsed.kinds[&family].as_str() {
                    "histogram" => &["_bucket", "_sum", "_count"],
                    _ => &[""],
                };
                let suffix = name.strip_prefix(&family).unwrap();
                assert!(suffixes.contains(&suffix), "{line}");
                let value: f64 = value.parse().unwrap();
                assert!(value.is_finite() && value >= 0.0, "{line}");
                let before = parsed.samples.insert(sample.to_owned(), value);
                assert_eq!(before, None, "twice: {sample}");
            }
        }
        parsed
    }

    fn ours(&self, name: &str) -> f64 {
        let found = self.find(name);
        found.unwrap_or_else(|| panic!("no {name}"))
    }

    fn find(&self, name: &str) -> Option<f64> {
        let name = format!("continuous_producer_{name}");
        self.samples.get(&name).copied()
    }

    /// Everything that only grows.
    fn counters(&self) -> impl Iterator<Item = (&str, f64)> {
        let grows = |sample: &str| {
            let name = sample.split('{').next().unwrap();
            name.ends_with("_total") || name.ends_with("_bucket") || name.ends_with("_count")
        };
        let all = self.samples.iter();
        all.filter(move |(sample, _)| grows(sample))
            .map(|(sample, value)| (sample.as_str(), *value))
    }
}

#[test]
fn every_metric_is_there_from_the_start_and_counters_only_grow_and_agree_with_the_topic() {
    let peers = Peers::start();
    let (program, watched) = watched(&peers, "--interval 1ms");
    let mut before = scraped(&watched);
    let names: Vec<String> = FAMILIES.iter().map(Family::name).collect();
    let shown: Vec<&String> = before.kinds.keys().collect();
    let mut expected: Vec<&String> = names.iter().collect();
    expected.sort();
    assert_eq!(shown, expected);
    for family in &FAMILIES {
        let is_total = family.name().ends_with("_total");
        assert_eq!(is_total, family.kind == Kind::Counter, "{}", family.name());
    }

    for records in [200, 500, 1000] {
        peers.wait_records(records);
        let after = scraped(&watched);
        for (sample, value) in before.counters() {
            let now = after.samples.get(sample);
            assert!(
                now.is_some_and(|now| *now >= value),
                "{sample}: {value} {now:?}"
            );
        }
        before = after;
    }
    let counted = before.ours("acknowledgement_latency_seconds_count");
    assert!(counted >= 200.0, "{counted}");
    let below = before.ours("acknowledgement_latency_seconds_bucket{le=\"120\"}");
    let all = before.ours("acknowledgement_latency_seconds_bucket{le=\"+Inf\"}");
    assert!(below <= all && (all - counted).abs() < f64::EPSILON);
    assert!(before.ours("sent_bytes_total") >= 100.0 * 200.0);
    assert!(before.ours("requests_total{api=\"Produce\"}") >= 1.0);
    assert!(before.ours("connected_brokers") >= 1.0);
    assert!(before.ours("broker_connected{broker=\"1\"}") >= 1.0);
    assert!(before.ours("partitions") >= 3.0);
    assert!(before.samples["process_resident_memory_bytes"] >= 1e6);
    let acknowledged = before.ours("messages_acknowledged_total");
    program.signal("TERM");
    let ended = program.end();
    ended.expect_code(0);
    assert!(acknowledged >= 200.0);
    #[allow(clippy::cast_precision_loss, reason = "some thousand records")]
    let all = ended.ledger().acknowledged as f64;
    assert!(acknowledged <= all, "{acknowledged} of {all}");
}

#[test]
fn health_and_readiness_follow_a_run_from_its_start_to_its_end() {
    let peers = Peers::start();
    let unavailable = RegistryFault::Status(503, String::new());
    peers.registry.fail_next(&unavailable, 1000);
    let (mut program, watched) = watched(&peers, "--interval 1ms --shutdown-timeout 1m");
    // The registry does not answer yet.
    assert_eq!(watched.get("/healthz").0, 200);
    assert_eq!(watched.get("/readyz").0, 503);
    assert_eq!(watched.status()["state"], "starting");
    peers.registry.clear_faults();

    watched.until("ready", |watched| {
        (watched.get("/readyz").0 == 200).then_some(())
    });
    assert_eq!(watched.get("/healthz").0, 200);
    let metrics = scraped(&watched);
    assert!(metrics.ours("ready") > 0.0 && metrics.ours("stopping") < 1.0);
    assert_eq!(watched.status()["state"], "producing");

    // It is told to stop, and cannot yet.
    let hang = FaultRule::new(ApiKey::Produce, Fault::HangBefore);
    peers.kafka.fault(hang.times(usize::MAX));
    watched.until("something is held up", |watched| {
        let status = watched.status();
        (status["in_flight"].as_u64() > Some(0)).then_some(())
    });
    program.signal("TERM");
    program.line("⏳ Waiting for all messages to be processed...");
    let (code, reason) = watched.get("/readyz");
    assert_eq!((code, reason.trim_end()), (503, "the run is stopping"));
    assert_eq!(watched.get("/healthz").0, 200);
    let status = watched.status();
    assert_eq!(status["state"], "stopping");
    assert!(scraped(&watched).ours("stopping") > 0.0);
    peers.kafka.clear_faults();
    peers.kafka.drop_connections();
    let ended = program.end();
    ended.expect_code(0);
    assert!(
        TcpStream::connect(&watched.address).is_err(),
        "nobody listens any more"
    );
}

#[test]
fn a_start_that_takes_long_says_what_it_waits_for_and_counts_what_is_wrong() {
    let endpoint = secured::token_server(TokenSettings::default());
    let peers = secured::peers(Security::sasl_plaintext().tokens(&endpoint.tokens()));
    let unavailable = HttpFault::Status(503, String::new());
    endpoint.fail_next(&unavailable, 1000);
    peers.registry.fail_next(&unavailable, 1000);
    let mute = FaultRule::new(ApiKey::Metadata, Fault::HangBefore);
    peers.kafka.fault(mute.times(usize::MAX));
    let told = Told::new().protocol("SASL_PLAINTEXT").tokens(&endpoint);
    let (program, watched) = start_watched(told.setup(&peers, "--interval 1ms"));
    let waits_for = |what: &str| {
        let reason = format!("waiting for the {what}");
        watched.until(&reason, |watched| {
            let (code, text) = watched.get("/readyz");
            (code == 503 && text.trim_end() == reason).then_some(())
        });
    };
    let is_warned_of = |what: &str| {
        let status = watched.until_status(what, |status| {
            let warnings = status["warnings"].as_array().unwrap();
            let said = |warning: &Value| warning["message"].as_str().map(str::to_owned);
            warnings
                .iter()
                .filter_map(said)
                .any(|words| words.contains(what) && words.ends_with("; retrying"))
        });
        assert_eq!(status["warnings"][0]["level"], "warn");
        assert!(scraped(&watched).ours("warnings_total") >= 1.0);
    };
    waits_for("token endpoint");
    is_warned_of("token endpoint");
    endpoint.clear_faults();
    waits_for("Schema Registry");
    is_warned_of("schema registry");
    peers.registry.clear_faults();
    waits_for("brokers and the topic");
    program.signal("TERM");
    program.end().expect_code(0);
}

#[test]
fn a_broker_that_dies_shows_in_the_status_with_its_partitions_and_its_return_too() {
    let peers = Peers::start();
    let (program, watched) = watched(&peers, "--interval 1ms");
    peers.wait_records(10);
    peers.kafka.kill_node(1);
    let down = watched.until("trouble", |watched| {
        let status = watched.status();
        let in_trouble = status["partitions"][0]["trouble"].is_string();
        in_trouble.then_some(status)
    });
    let broker = &down["brokers"][0];
    assert_ne!(broker["state"], "connected", "{broker}");
    assert!(broker["failure"].is_string(), "{broker}");
    assert!(down["warnings"][0]["count"].as_u64() >= Some(1), "{down}");
    let metrics = scraped(&watched);
    assert!(metrics.ours("partitions_in_trouble") >= 1.0);
    assert!(metrics.ours("broker_connected{broker=\"1\"}") < 1.0);
    assert!(metrics.ours("connection_failures_total") >= 1.0);
    assert!(metrics.ours("warnings_total") >= 1.0);

    peers.kafka.restart_node(1).unwrap();
    watched.until("well again", |watched| {
        let status = watched.status();
        let partitions = status["partitions"].as_array().unwrap();
        let well = partitions
            .iter()
            .all(|partition| partition["trouble"].is_null());
        (well && status["brokers"][0]["state"] == "connected").then_some(())
    });
    assert!(scraped(&watched).ours("reconnects_total") >= 1.0);
    program.signal("TERM");
    program.end().expect_code(0);
}

#[test]
fn failures_are_told_apart_by_error_and_code() {
    const MESSAGE_TOO_LARGE: i16 = 10;
    const INVALID_RECORD: i16 = 87;
    let peers = Peers::start();
    peers.kafka.fail_next(ApiKey::Produce, INVALID_RECORD, 1);
    let (program, watched) = watched(&peers, "--interval 1ms");
    let refused = "messages_failed_total{error=\"refused\",code=\"INVALID_RECORD\"}";
    watched.until("refused", |watched| {
        let records = scraped(watched).find(refused)?;
        (records >= 1.0).then_some(())
    });
    let status = watched.status();
    assert_eq!(status["failures"][0]["code"], "INVALID_RECORD", "{status}");
    assert_eq!(status["failures"][0]["messages"], status["failed"]);
    // Halved and sent again, which is no failure; a single record fails.
    peers.kafka.fail_next(ApiKey::Produce, MESSAGE_TOO_LARGE, 1);
    let too_large = "messages_failed_total{error=\"refused\",code=\"MESSAGE_TOO_LARGE\"}";
    watched.until("retried or refused", |watched| {
        let metrics = scraped(watched);
        let retried = metrics.ours("messages_retried_total");
        let failed = metrics.find(too_large).unwrap_or(0.0);
        (retried + failed > 0.0).then_some(())
    });
    program.signal("TERM");
    program.end().expect_code(1);
}

#[test]
fn an_address_that_cannot_be_had_ends_the_run_before_it_begins_with_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let peers = Peers::start();
    let address = taken.local_addr().unwrap();
    // The second one is no machine's (RFC 5737).
    for (flag, words) in [
        (address.to_string(), "in use"),
        (
            "192.0.2.1:9400".to_owned(),
            "cannot listen on 192.0.2.1:9400",
        ),
    ] {
        let ended = peers
            .setup(&format!("--metrics-listen {flag}"))
            .start()
            .end();
        ended.expect_code(1);
        let line = ended.line("❌ METRICS_LISTEN: ");
        assert!(line.contains(words), "{line}");
        ended.line("🧾 Ledger: generated 0 = acknowledged 0 + failed 0 + unsent 0");
    }
    assert_eq!(peers.registry.requests().len(), 0);
}
