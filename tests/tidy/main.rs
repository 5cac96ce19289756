//! The house stays in order: the import rule, what a room never names, file sizes, the README's tables, and the
//! tests' own table of scenarios.
//!
//! Each rule is checked on the source text up to a file's tests, comments left out. A rule that finds no file to check fails:
//! a moved room must not switch it off.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod dependencies;
mod events;
mod imports;
mod scenarios;
mod source;

use std::fs;

use source::{code_of, relative, root, rust_files};

/// No file is longer, tests included.
const FILE_LINES_MAX: usize = 500;

/// What the rooms without sockets, clocks, threads and randomness of their own never name.
const NEVER: &[&str] = &[
    "std::net",
    "std::thread",
    "thread::spawn",
    "Instant::now",
    "SystemTime::now",
    "crossbeam_channel",
    "mpsc::",
    "fastrand::Rng::new",
    "fastrand::u",
    "fastrand::seed",
    "random::fill",
];

const PURE_ROOMS: &[&str] = &[
    "src/kafka/wire",
    "src/kafka/sasl",
    "src/kafka/client",
    "src/shoe",
];

/// Marks of what is not done, and ways to panic, that stay out of `src` outside tests.
const UNFINISHED: &[&str] = &["TODO", "FIXME", "todo!", "unimplemented!"];

const PANICS: &[&str] = &[".unwrap()", ".expect(", "panic!(", "unreachable!("];

/// Where the wall clock is read.
const WALL_CLOCK: &str = "src/report/time.rs";

/// And for what: records' timestamps, when a run began and ended and the last record was acknowledged, the time of a line. Nothing
/// waits by it.
const WALL_CLOCK_READERS: &[&str] = &[
    "src/pipeline/generator.rs",
    "src/pipeline/ledger_file.rs",
    "src/pipeline/producer/told.rs",
    "src/pipeline/watchers.rs",
    "src/report/log.rs",
    WALL_CLOCK,
];

#[test]
fn pure_rooms_name_no_socket_clock_thread_channel_or_global_randomness() {
    assert_never(PURE_ROOMS, NEVER);
}

#[test]
fn nothing_unfinished_and_nothing_that_panics_is_left_in_the_source() {
    assert_never(&["src", "build.rs"], UNFINISHED);
    assert_never(&["src"], PANICS);
}

#[test]
fn no_file_outgrows_its_room() {
    let mut long = Vec::new();
    for file in ["src", "tests", "benches", "build.rs"]
        .iter()
        .flat_map(|place| rust_files(place))
    {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        if lines > FILE_LINES_MAX {
            long.push(format!("{}: {lines} lines", file.display()));
        }
    }
    assert!(
        long.is_empty(),
        "longer than {FILE_LINES_MAX} lines:\n{}",
        long.join("\n")
    );
}

/// Scenario 43.
#[test]
fn the_wall_clock_is_read_in_one_place_and_never_waited_by() {
    let naming = |word: &str| -> Vec<String> {
        let files = code_of("src").into_iter();
        let files = files.filter(|(_, code)| code.contains(word));
        files.map(|(file, _)| relative(&file)).collect()
    };
    assert_eq!(naming("SystemTime"), [WALL_CLOCK]);
    assert_eq!(naming("now_ms()"), WALL_CLOCK_READERS);
}

#[test]
fn the_readme_shows_the_tables_of_the_code() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for (name, table) in [
        ("settings", continuous_producer::settings::readme_table()),
        ("exits", continuous_producer::exit::readme_table()),
    ] {
        let (_, rest) = readme.split_once(&format!("<!-- {name} -->\n")).unwrap();
        let (shown, _) = rest.split_once(&format!("<!-- /{name} -->")).unwrap();
        assert_eq!(shown, table, "copy the right side into README.md");
    }
}

fn assert_never(places: &[&str], words: &[&str]) {
    let mut found = Vec::new();
    for (file, code) in places.iter().flat_map(|place| code_of(place)) {
        for (number, line) in code.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                found.push(format!("{}:{}: {word}", file.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "not here:\n{}", found.join("\n"));
}
