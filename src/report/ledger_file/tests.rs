//! What the file holds, and what is left of it where it cannot be written.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ledger-file-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn summary() -> Summary {
    Summary {
        topic: "js_shoe".to_owned(),
        seed: u64::MAX,
        instance_id: 3,
        started_ms: 1_795_504_328_123,
        ended_ms: 1_795_504_340_000,
        runtime: Duration::from_micros(10_000_499),
        ended_by: "count".to_owned(),
        exit_code: 1,
        ledger: Ledger {
            generated: 10,
            acknowledged: 7,
            failed: 2,
            unsent: 1,
        },
        serialization_errors: 4,
        skipped: 5,
        failed_by_error: BTreeMap::from([("delivery_timeout".to_owned(), 2)]),
        average_rate: 0.7001,
        latency: Some(Percentiles {
            p50: 1234,
            p90: 2000,
            p99: 45_678,
            p99_9: 300_000,
            max: 2_000_000,
        }),
        error: Some("Kafka: \"x\"\u{1b}[31m\nand more".to_owned()),
    }
}

#[test]
fn a_summary_is_one_json_object_with_numbers_as_numbers() {
    let text = summary().to_json();
    let object: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        object,
        json!({
            "version": env!("CARGO_PKG_VERSION"), "topic": "js_shoe", "seed": "18446744073709551615", "instance_id": 3,
            "started": "2026-11-24T07:12:08.123Z", "ended": "2026-11-24T07:12:20.000Z", "runtime_seconds": 10.0,
            "ended_by": "count", "exit_code": 1, "generated": 10, "acknowledged": 7, "failed": 2, "unsent": 1,
            "adds_up": true, "serialization_errors": 4, "skipped": 5, "failed_by_error": {"delivery_timeout": 2},
            "average_rate": 0.7,
            "latency_seconds": {"p50": 0.001_234, "p90": 0.002, "p99": 0.045_678, "p99_9": 0.3, "max": 2.0},
            "error": "Kafka: \"x\"\u{1b}[31m\nand more"
        })
    );
    assert!(text.lines().count() == 22 && text.chars().all(|c| c == '\n' || !c.is_control()));
    let nothing: Value = serde_json::from_str(&Summary::default().to_json()).unwrap();
    assert_eq!(nothing["latency_seconds"], Value::Null);
    assert_eq!(nothing["error"], Value::Null);
    assert_eq!(nothing["failed_by_error"], json!({}));
}

#[test]
fn the_documentation_has_every_key_in_order() {
    let page = include_str!("../../../docs/ledger.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let keys: Vec<_> = rows.filter_map(|row| row.split('`').next()).collect();
    assert_eq!(keys, Summary::default().members().map(|(key, _)| key));
}

#[test]
fn a_summary_replaces_the_one_before_and_leaves_nothing_beside() {
    let folder = Folder::new();
    let path = folder.path("ledger.json");
    check(&path).unwrap();
    assert!(folder.names().is_empty(), "a check leaves nothing");
    fs::write(&path, "x".repeat(10_000)).unwrap();
    for _ in 0..2 {
        check(&path).unwrap();
        write(&path, &summary()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), summary().to_json());
        assert_eq!(folder.names(), ["ledger.json"]);
    }
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777 & !MODE, 0, "{mode:o}");
}

#[test]
fn a_link_is_replaced_and_what_it_led_to_is_untouched() {
    let folder = Folder::new();
    fs::write(folder.path("other"), "other").unwrap();
    for (name, target) in [("link", "other"), ("nowhere", "missing")] {
        let path = folder.path(name);
        symlink(target, &path).unwrap();
        check(&path).unwrap();
        write(&path, &summary()).unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }
    assert_eq!(fs::read_to_string(folder.path("other")).unwrap(), "other");
    assert_eq!(folder.names(), ["link", "nowhere", "other"]);
}

#[test]
fn what_cannot_become_a_file_is_refused_in_words() {
    let folder = Folder::new();
    fs::write(folder.path("file"), "").unwrap();
    symlink("/dev/null", folder.path("null")).unwrap();
    let at = folder.0.display().to_string();
    for (path, why) in [
        (at.clone(), "is a folder"),
        (format!("{at}/"), "names a folder"),
        (format!("{at}/.."), "names a folder"),
        (String::new(), "names a folder"),
        ("/".to_owned(), "names a folder"),
        ("/dev/null".to_owned(), "is a device"),
        (format!("{at}/null"), "is a device"),
        (format!("{at}/no/x"), "there is no folder"),
        (format!("{at}/file/x"), "is no folder"),
        // Not even root can make a file there.
        (
            "/proc/self/x".to_owned(),
            "no file can be made in the folder /proc/self: ",
        ),
        (
            format!("{at}/{}", "x".repeat(300)),
            "no file can be made in the folder",
        ),
    ] {
        let error = check(Path::new(&path)).unwrap_err().to_string();
        assert!(error.contains(why), "{path}: {error}");
        assert!(write(Path::new(&path), &summary()).is_err(), "{path}");
    }
    assert_eq!(folder.names(), ["file", "null"], "nothing is left beside");
}

#[test]
fn a_name_as_long_as_names_may_be_has_room_for_the_file_beside() {
    let folder = Folder::new();
    let path = folder.path(&"x".repeat(255));
    check(&path).unwrap();
    write(&path, &summary()).unwrap();
    assert_eq!(folder.names().len(), 1);
}
