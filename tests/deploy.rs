//! What `deploy/` and `docs/operations.md` name is what the program has: metrics, settings, times and ports. Whether the files are
//! good systemd, Kubernetes, Prometheus and Grafana, their own tools say: `tests/deploy/run`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use continuous_producer::pipeline::END_MAX;
use continuous_producer::report::metrics::{FAMILIES, Family, Kind};
use continuous_producer::settings::{self, duration, table};

const UNIT: &str = "deploy/systemd/continuous-producer.service";
const SECRETS: &str = "deploy/systemd/secrets.conf";
const ENVIRONMENT: &str = "deploy/systemd/environment.example";
const MANIFEST: &str = "deploy/kubernetes/continuous-producer.yaml";
const SCRAPES: &str = "deploy/prometheus/prometheus.yaml";
const ALERTS: &str = "deploy/prometheus/alerts.yaml";
const ALERTS_TEST: &str = "deploy/prometheus/alerts_test.yaml";
const DASHBOARD: &str = "deploy/grafana/dashboard.json";
const DOCS: &str = "docs/operations.md";

const PORT: &str = "9400";

/// Words in capitals that are none of our settings.
const OTHER_WORDS: &[&str] = &[
    // systemd
    "AF_INET",
    "AF_INET6",
    "AF_UNIX",
    "EXTEND_TIMEOUT_USEC",
    // Kafka
    "INVALID_RECORD",
    "MESSAGE_TOO_LARGE",
    "NOT_ENOUGH_REPLICAS",
    "NOT_LEADER_OR_FOLLOWER",
    "SASL_PLAINTEXT",
    "SASL_SSL",
    "TOPIC_AUTHORIZATION_FAILED",
];

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// Every run of letters, digits and underscores.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
}

/// The values after `key`, one a line, without quotes.
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let lines = text.lines().map(str::trim_start);
    let values = lines.filter_map(|line| line.strip_prefix("- ").unwrap_or(line).strip_prefix(key));
    values.map(|value| value.trim().trim_matches('"')).collect()
}

/// The one value after `key`.
#[track_caller]
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    match values(text, key)[..] {
        [value] => value,
        ref found => panic!("{key} has {found:?}"),
    }
}

fn is_variable(word: &str) -> bool {
    word.contains('_')
        && word.starts_with(|c: char| c.is_ascii_uppercase())
        && !word.ends_with('_')
        && word
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn every_metric_that_is_named_is_one_that_the_program_has() {
    for (file, least) in [(ALERTS, 20), (ALERTS_TEST, 20), (DASHBOARD, 35), (DOCS, 0)] {
        let text = read(file);
        let named: BTreeSet<&str> = words(&text)
            .filter(|word| word.starts_with("continuous_producer_") || word.starts_with("process_"))
            .collect();
        assert!(named.len() >= least, "{file} names {named:?} only");
        let unknown: Vec<&str> = named.into_iter().filter(|word| !is_metric(word)).collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}");
    }
}

/// A metric, or a series of a histogram.
fn is_metric(word: &str) -> bool {
    let of_histogram = ["_bucket", "_sum", "_count"]
        .iter()
        .find_map(|ending| word.strip_suffix(ending));
    FAMILIES.iter().any(|family| {
        let name = family.name();
        name == word || (family.kind == Kind::Histogram && of_histogram == Some(&name))
    })
}

#[test]
fn every_metric_that_the_program_has_is_looked_at() {
    let dashboard = read(DASHBOARD);
    let shown: BTreeSet<&str> = words(&dashboard).collect();
    let looked_at = |name: &str| {
        ["", "_bucket"]
            .iter()
            .any(|ending| shown.contains(format!("{name}{ending}").as_str()))
    };
    let names = FAMILIES.iter().map(Family::name);
    let left_out: Vec<String> = names.filter(|name| !looked_at(name)).collect();
    // Whether it stops is for the alerts, which are quiet then.
    assert_eq!(left_out, ["continuous_producer_stopping"]);
}

#[test]
fn every_setting_that_is_named_is_one_that_the_program_has() {
    let known = table::variables();
    for (file, least) in [
        (UNIT, 1),
        (SECRETS, 4),
        (ENVIRONMENT, 5),
        (MANIFEST, 9),
        (ALERTS, 4),
        (DASHBOARD, 2),
        (DOCS, 8),
    ] {
        let text = read(file);
        let named: BTreeSet<&str> = words(&text).filter(|word| is_variable(word)).collect();
        let ours = named
            .iter()
            .filter(|word| known.contains(&(**word).to_owned()))
            .count();
        assert!(ours >= least, "{file} names {ours} settings only");
        let unknown: Vec<&&str> = named
            .iter()
            .filter(|word| !known.contains(&(**word).to_owned()) && !OTHER_WORDS.contains(word))
            .collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}");
    }
}

/// The settings of the manifest's `ConfigMap`.
fn config_map(manifest: &str) -> Vec<(String, String)> {
    let (config_map, _) = manifest.split_once("\n---\n").unwrap();
    let (_, data) = config_map.split_once("\ndata:\n").unwrap();
    let lines = data
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let pairs = lines.filter_map(|line| line.trim().split_once(": "));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn environment() -> Vec<(String, String)> {
    let text = read(ENVIRONMENT);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn the_program_takes_the_settings_that_are_shown() {
    let of_pods = config_map(&read(MANIFEST));
    for (from, settings) in [(ENVIRONMENT, environment()), (MANIFEST, of_pods)] {
        assert!(settings.len() >= 5, "{from}: {settings:?}");
        // Secrets are not here, but would be there. Where metrics are served is for the ports below.
        let settings = settings
            .into_iter()
            .filter(|(name, _)| name != "METRICS_LISTEN");
        let settings = settings.map(|(name, value)| match name.strip_suffix("_FILE") {
            Some(name) => (name.to_owned(), "a-secret".to_owned()),
            None => (name, value),
        });
        let settings = settings.map(|(name, value)| (name.into(), value.into()));
        let loaded = settings::load([], settings, Path::new("deploy"));
        let refused = loaded.err().map(|refused| refused.mistakes.0);
        assert!(refused.is_none(), "{from}: {refused:?}");
    }
}

#[test]
fn who_stops_it_gives_it_the_time_that_a_shutdown_may_take() {
    let (unit, manifest) = (read(UNIT), read(MANIFEST));
    let stop = duration::parse(value(&unit, "TimeoutStopSec=")).unwrap();
    let grace: u64 = value(&manifest, "terminationGracePeriodSeconds:")
        .parse()
        .unwrap();
    let default = table::TABLE
        .iter()
        .find(|setting| setting.variable == "SHUTDOWN_TIMEOUT");
    let default = default.unwrap().default.unwrap().to_owned();
    let timeout = |settings: Vec<(String, String)>| {
        let given = settings
            .into_iter()
            .find(|(name, _)| name == "SHUTDOWN_TIMEOUT");
        duration::parse(&given.map_or(default.clone(), |(_, value)| value)).unwrap()
    };
    assert!(stop > timeout(environment()) + END_MAX, "{stop:?}");
    let grace = Duration::from_secs(grace);
    assert!(
        grace > timeout(config_map(&manifest)) + END_MAX,
        "{grace:?}"
    );
}

#[test]
fn all_speak_of_the_same_port() {
    let manifest = read(MANIFEST);
    let settings = environment().into_iter().chain(config_map(&manifest));
    let listen: Vec<String> = settings
        .filter(|(name, _)| name == "METRICS_LISTEN")
        .map(|(_, value)| value)
        .collect();
    assert_eq!(
        listen,
        [format!("127.0.0.1:{PORT}"), format!("0.0.0.0:{PORT}")]
    );
    for key in ["containerPort:", "prometheus.io/port:"] {
        assert_eq!(value(&manifest, key), PORT, "{key}");
    }
    assert_eq!(values(&manifest, "port:"), [PORT, "metrics", "metrics"]);
    let scrapes = read(SCRAPES);
    assert_eq!(value(&scrapes, "port:"), PORT);
    assert_eq!(value(&scrapes, "localhost:"), PORT);
    assert_eq!(values(&scrapes, "replacement:"), ["continuous-producer"]);
    assert!(read(DOCS).contains(&format!("localhost:{PORT}/healthz")));
}

#[test]
fn each_secret_is_laid_where_its_setting_looks() {
    let secrets = read(SECRETS);
    let mut laid: Vec<String> = values(&secrets, "LoadCredential=")
        .iter()
        .map(|credential| {
            let (name, path) = credential.split_once(':').unwrap();
            assert_eq!(path, format!("/etc/continuous-producer/{name}"));
            format!("{}_FILE=%d/{name}", name.to_uppercase())
        })
        .collect();
    let mut looked_for = values(&secrets, "Environment=");
    laid.sort();
    looked_for.sort_unstable();
    assert_eq!(laid, looked_for);

    let manifest = read(MANIFEST);
    let folder = value(&manifest, "mountPath:");
    for (variable, path) in config_map(&manifest) {
        if variable.ends_with("_FILE") {
            let name = path
                .strip_prefix(folder)
                .unwrap()
                .strip_prefix('/')
                .unwrap();
            assert_eq!(value(&manifest, &format!("{name}:")), "replace-me");
        }
    }
}

#[test]
fn each_alert_has_a_section_that_says_what_to_do_and_a_test() {
    let (alerts, tests, docs) = (read(ALERTS), read(ALERTS_TEST), read(DOCS));
    let named = values(&alerts, "alert:");
    let sections: Vec<&str> = docs
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    assert_eq!(sections, named, "one section an alert, in their order");
    let runbooks: Vec<String> = named
        .iter()
        .map(|name| format!("{DOCS}#{}", name.to_lowercase()))
        .collect();
    assert_eq!(values(&alerts, "runbook:"), runbooks);
    for name in &named {
        assert!(tests.contains(&format!("\"{name}\"")), "{name} has no test");
    }
    for key in ["severity:", "summary:", "description:"] {
        assert_eq!(values(&alerts, key).len(), named.len(), "{key}");
    }
    let links = docs
        .match_indices("](#")
        .map(|(at, _)| docs[at + 3..].split(')').next().unwrap());
    for link in links {
        assert!(
            named.iter().any(|name| name.to_lowercase() == link),
            "#{link} leads nowhere"
        );
    }
}
