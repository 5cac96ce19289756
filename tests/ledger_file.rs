//! `LEDGER_FILE`: whatever ends a run, the file is there, whole, and says what the last lines say; or one line says why not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use sandbox::{ApiKey, Config, Fault, FaultRule};
use serde_json::{Value, json};
use support::search::Search;
use support::tools::can_run;
use support::trouble::{self, each_at_once};
use support::{Ended, Peers, Setup};

/// Kafka's error code for records that a broker will never take.
const INVALID_RECORD: i16 = 87;

/// A folder that outlives the program's own.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ledger-{}-{number}", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("ledger.json")
    }

    fn of(&self, setup: Setup) -> Setup {
        setup.env("LEDGER_FILE", self.file())
    }

    /// What was written; nothing else was left.
    fn summary(&self) -> Value {
        assert_eq!(self.names(), ["ledger.json"]);
        serde_json::from_slice(&fs::read(self.file()).unwrap()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Fails unless the file says what the last lines and the exit code say.
#[track_caller]
fn assert_agrees(summary: &Value, ended: &Ended) {
    let ledger = ended.ledger();
    for (key, value) in [
        ("generated", ledger.generated),
        ("acknowledged", ledger.acknowledged),
        ("failed", ledger.failed),
        ("unsent", ledger.unsent),
    ] {
        assert_eq!(summary[key], value, "{key}");
    }
    assert_eq!(summary["adds_up"], true);
    assert_eq!(summary["exit_code"], json!(ended.code));
    assert_eq!(summary["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(summary["seed"], support::SEED.to_string());
    let [started, ended] = ["started", "ended"].map(|key| summary[key].as_str().unwrap());
    assert!(started <= ended && started.ends_with('Z'), "{summary}");
}

/// One partition, whose first batch is never answered.
fn hanging() -> Peers {
    let peers = Peers::with(Config {
        topics: vec![("js_shoe".to_owned(), 1)],
        ..Config::default()
    });
    let fault = FaultRule::new(ApiKey::Produce, Fault::HangBefore);
    peers.kafka.fault(fault.times(usize::MAX));
    peers
}

#[test]
fn a_run_that_goes_well_leaves_its_books() {
    let (peers, place) = (Peers::start(), Place::new());
    fs::write(place.file(), "what stood there before").unwrap();
    let ended = place
        .of(peers.setup("--count 500 --interval 0 --instance-id 7"))
        .run();
    ended.expect_code(0);
    let summary = place.summary();
    assert_agrees(&summary, &ended);
    assert_eq!(summary["generated"], 500);
    assert_eq!(summary["ended_by"], "count");
    assert_eq!(
        (&summary["topic"], &summary["instance_id"]),
        (&json!("js_shoe"), &json!(7))
    );
    assert_eq!(
        (&summary["error"], &summary["skipped"]),
        (&Value::Null, &json!(0))
    );
    assert!(summary["average_rate"].as_f64().unwrap() > 0.0);
    let latency = |key: &str| summary["latency_seconds"][key].as_f64().unwrap();
    assert!(latency("p50") > 0.0 && latency("p50") <= latency("p90"));
    assert!(latency("p99") <= latency("p99_9") && latency("p99_9") <= latency("max"));
}

#[test]
fn whatever_ends_a_run_is_named() {
    for (signal, name) in [("INT", "signal SIGINT"), ("TERM", "signal SIGTERM")] {
        let (peers, place) = (Peers::start(), Place::new());
        let program = place.of(peers.setup("--interval 1ms")).start();
        peers.wait_records(1);
        program.signal(signal);
        let ended = program.end();
        ended.expect_code(0);
        let summary = place.summary();
        assert_agrees(&summary, &ended);
        assert_eq!(summary["ended_by"], name);
    }
    let (peers, place) = (Peers::start(), Place::new());
    let ended = place.of(peers.setup("--duration 100ms")).run();
    ended.expect_code(0);
    assert_eq!(place.summary()["ended_by"], "duration");
}

#[test]
fn a_run_that_cannot_begin_leaves_its_error() {
    let (peers, place) = (Peers::start(), Place::new());
    let setup = peers
        .setup("--count 1")
        .env("SCHEMA_REGISTRY_AUTO_REGISTER", "false");
    let ended = place.of(setup).run();
    ended.expect_code(1);
    let summary = place.summary();
    assert_agrees(&summary, &ended);
    assert_eq!(summary["ended_by"], "failure");
    assert_eq!(summary["latency_seconds"], Value::Null);
    let told = format!("❌ {}", summary["error"].as_str().unwrap());
    assert!(ended.lines.contains(&told), "{told}\n{}", ended.stderr());
}

#[test]
fn what_was_not_delivered_is_in_the_books() {
    let (peers, place) = (Peers::start(), Place::new());
    let refused = Fault::Error(INVALID_RECORD);
    let fault = FaultRule::new(ApiKey::Produce, refused);
    peers.kafka.fault(fault.times(usize::MAX));
    let ended = place.of(peers.setup("--count 1")).run();
    ended.expect_code(1);
    let summary = place.summary();
    assert_agrees(&summary, &ended);
    assert_eq!(
        (&summary["failed"], &summary["ended_by"]),
        (&json!(1), &json!("count"))
    );
}

/// Also where the shutdown is cut short.
#[test]
fn a_second_signal_leaves_the_books_too() {
    let (peers, place) = (hanging(), Place::new());
    let mut program = place.of(peers.setup("--interval 1h")).start();
    peers.wait("a request", |state| state.requests(ApiKey::Produce) > 0);
    program.signal("TERM");
    program.line("⏳ Waiting for all messages to be processed...");
    program.signal("INT");
    let ended = program.end();
    ended.expect_code(130);
    let summary = place.summary();
    assert_agrees(&summary, &ended);
    assert_eq!(summary["ended_by"], "signal SIGTERM");
}

#[test]
fn a_place_that_takes_no_file_is_refused_before_anything_is_tried() {
    let peers = Peers::start();
    let place = Place::new();
    for (path, why) in [
        ("nowhere/ledger.json", "there is no folder nowhere"),
        (".", "names a folder"),
        ("..", "names a folder"),
        ("/dev/null", "is a device, a pipe or a socket"),
        // Not even root can make a file there.
        (
            "/proc/self/x",
            "no file can be made in the folder /proc/self: ",
        ),
    ] {
        for mode in ["", "--check"] {
            let setup = peers.setup(mode).arg("--ledger-file").arg(path);
            let ended = place.of(setup).run();
            ended.expect_code(2);
            let line = ended.line(&format!("❌ LEDGER_FILE={path}: "));
            assert!(line.contains(why), "{line}");
        }
    }
    let tried = peers.kafka.look(sandbox::State::connections);
    assert_eq!((tried, peers.registry.requests().len()), (0, 0));
    assert!(place.names().is_empty(), "a flag beats the environment");
}

#[test]
fn a_check_and_a_dry_run_leave_no_file() {
    let (peers, place) = (Peers::start(), Place::new());
    for mode in ["--check", "--dry-run --count 1 --interval 0"] {
        place.of(peers.setup(mode)).run().expect_code(0);
        assert!(place.names().is_empty());
    }
}

#[test]
fn a_folder_that_is_gone_at_the_end_is_told_in_one_line() {
    let (peers, place) = (Peers::start(), Place::new());
    let program = place.of(peers.setup("--interval 1ms")).start();
    peers.wait_records(1);
    fs::remove_dir(&place.0).unwrap();
    program.signal("TERM");
    let ended = program.end();
    ended.expect_code(1);
    let line = ended.line("❌ LEDGER_FILE=");
    assert!(
        line.contains("could not be written: No such file"),
        "{line}"
    );
    let ledger = ended.ledger();
    assert_eq!(ledger.generated, ledger.acknowledged);
}

/// Scenario 42. A disk that fills up while the run lasts, as far as a limit on files' sizes can stand for it: making the file
/// works, filling it does not.
#[test]
fn a_full_disk_is_told_in_one_line_and_what_stood_there_stays() {
    if !can_run("prlimit", &["--version"]) {
        return;
    }
    let (peers, place) = (Peers::start(), Place::new());
    fs::write(place.file(), "before").unwrap();
    let program = place.of(peers.setup("--interval 1ms")).ignoring("XFSZ");
    let program = program.start();
    peers.wait_records(3);
    program.run_for_it("prlimit --fsize=0 --pid");
    program.signal("TERM");
    let ended = program.end();
    ended.expect_code(1);
    let mut errors = ended.lines.iter().filter(|line| line.starts_with("❌"));
    let line = errors.next().unwrap();
    assert!(
        line.contains("could not be written: File too large"),
        "{line}"
    );
    assert_eq!(errors.next(), None);
    assert_eq!(ended.ledger().failed, 0);
    assert_eq!(fs::read_to_string(place.file()).unwrap(), "before");
    assert_eq!(place.names(), ["ledger.json"], "nothing is left beside");
}

/// Runs a shell script in which `$0` is the program with `--check`, and says what it is refused for; `prefix` runs the shell.
fn refused(prefix: &[&str], script: &str, place: &Place) -> String {
    let words = [prefix, &["sh", "-c"]].concat();
    let output = Command::new(words[0])
        .args(&words[1..])
        .args([script, env!("CARGO_BIN_EXE_continuous-producer")])
        .env("LEDGER_FILE", place.file())
        .env("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
        .env("SCHEMA_REGISTRY_URL", "http://127.0.0.1:1")
        .current_dir(&place.0)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    told
}

#[test]
fn a_disk_that_takes_files_but_nothing_in_them_is_found_out_before_the_run() {
    let place = Place::new();
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" --check";
    let told = refused(&[], script, &place);
    assert!(
        told.contains("nothing can be written in the folder"),
        "{told}"
    );
    assert!(place.names().is_empty(), "nothing is left");

    let alone = ["unshare", "-rm"];
    if can_run("unshare", &["-rm", "true"]) {
        let full = "mount -t tmpfs -o size=16k none . && cd \"$PWD\" && { cat /dev/zero > x || :; } 2>&- && exec \"$0\" --check";
        let told = refused(&alone, full, &place);
        assert!(told.contains("No space left on device"), "{told}");
    }
}

#[test]
fn a_file_that_is_a_mount_of_its_own_is_found_out_before_the_run() {
    if !can_run("unshare", &["-rm", "true"]) {
        return;
    }
    let place = Place::new();
    fs::create_dir(place.0.join("a b")).unwrap();
    let place = Place(place.0.join("a b"));
    let mounted =
        "touch other ledger.json && mount --bind other ledger.json && exec \"$0\" --check";
    let told = refused(&["unshare", "-rm"], mounted, &place);
    assert!(told.contains("mount its folder instead"), "{told}");
}

#[test]
fn another_users_file_in_a_sticky_folder_is_found_out_before_the_run() {
    let nobody = ["setpriv", "--reuid=65534", "--clear-groups"];
    let program = env!("CARGO_BIN_EXE_continuous-producer");
    if !can_run(nobody[0], &[nobody[1], nobody[2], program, "--version"]) {
        return;
    }
    let place = Place::new();
    fs::write(place.file(), "root's").unwrap();
    fs::set_permissions(&place.0, Permissions::from_mode(0o1777)).unwrap();
    let told = refused(&nobody, "exec \"$0\" --check", &place);
    assert!(told.contains("belongs to another user"), "{told}");
    assert_eq!(place.names(), ["ledger.json"], "nothing is left beside");
}

#[test]
fn a_link_is_replaced_and_what_it_led_to_is_left_alone() {
    let (peers, place, other) = (Peers::start(), Place::new(), Place::new());
    fs::write(other.file(), "other").unwrap();
    symlink(other.file(), place.file()).unwrap();
    let ended = place.of(peers.setup("--count 1")).run();
    ended.expect_code(0);
    assert_agrees(&place.summary(), &ended);
    assert_eq!(fs::read_to_string(other.file()).unwrap(), "other");
}

#[test]
fn no_trouble_brings_a_secret_into_the_file() {
    let search = Search::new();
    each_at_once(trouble::quick(), |trouble| {
        let (scene, place) = (trouble.scene(), Place::new());
        let ended = place.of(scene.setup("--count 1")).run();
        ended.expect_code(1);
        let summary = fs::read_to_string(place.file()).unwrap();
        search.expect_nothing_in(trouble.name, &summary);
        let error = place.summary()["error"].as_str().map(str::to_owned);
        assert!(error.is_some_and(|error| !error.is_empty()), "{summary}");
    });
}
