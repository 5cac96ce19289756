//! The house stays in order: the import rule, what a room never names, file sizes, and the README's settings table.
//!
//! Each rule is checked on the source text up to a file's tests, comments left out. A rule that finds no file to check fails:
//! a moved room must not switch it off.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

/// No file is longer, tests included.
const FILE_LINES_MAX: usize = 500;

/// What each room may import of ours: paths under `crate::`, or any below them.
const IMPORTS: &[(&str, &[&str])] = &[
    ("src/kafka/wire", &["kafka::wire"]),
    (
        "src/kafka/client",
        &["kafka::client", "kafka::wire", "kafka::config"],
    ),
    (
        "src/kafka/net",
        &["kafka::net", "kafka::wire::frame", "kafka::config"],
    ),
    ("src/kafka/config.rs", &["kafka::wire"]),
    ("src/shoe", &["shoe"]),
    ("src/registry", &["registry"]),
    (
        "src/settings",
        &["settings", "kafka::config", "registry::config"],
    ),
    ("src/report", &["report", "settings"]),
    (
        "src/pipeline",
        &[
            "pipeline", "kafka", "registry", "shoe", "report", "settings", "error",
        ],
    ),
];

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
];
const PURE_ROOMS: &[&str] = &["src/kafka/wire", "src/kafka/client", "src/shoe"];

/// Marks of what is not done, and ways to panic, that stay out of `src` outside tests.
const UNFINISHED: &[&str] = &["TODO", "FIXME", "todo!", "unimplemented!"];
const PANICS: &[&str] = &[".unwrap()", ".expect(", "panic!(", "unreachable!("];

#[test]
fn every_room_imports_only_what_the_rule_allows() {
    let mut broken = Vec::new();
    for (room, allowed) in IMPORTS {
        for (file, code) in code_of(room) {
            for path in our_paths(&file, &code) {
                let may = allowed.iter().any(|allowed| is_at_or_below(&path, allowed));
                if !may {
                    broken.push(format!("{}: crate::{path}", file.display()));
                }
            }
        }
    }
    assert!(
        broken.is_empty(),
        "imports against the rule:\n{}",
        broken.join("\n")
    );
}

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
    for file in ["src", "tests", "build.rs"]
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

#[test]
fn the_readme_shows_the_settings_table_of_the_code() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("<!-- settings -->\n").unwrap();
    let (table, _) = rest.split_once("<!-- /settings -->").unwrap();
    assert_eq!(
        table,
        continuous_producer::settings::readme_table(),
        "copy the right side into README.md"
    );
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

/// The paths after `crate::` and `super::super::…` that a file names, as seen from the crate's root.
fn our_paths(file: &Path, code: &str) -> Vec<String> {
    let module = module_of(file);
    let mut paths = Vec::new();
    let bytes = code.as_bytes();
    for (at, _) in code.match_indices("crate::") {
        paths.extend(expand(&code[at + "crate::".len()..], ""));
    }
    for (at, _) in code.match_indices("super::") {
        // The first of a row of them; the ones after it are counted with it.
        let preceded = at >= 2 && bytes[at - 1] == b':' && bytes[at - 2] == b':';
        if preceded {
            continue;
        }
        let row = &code[at..];
        let ups = row
            .split("super::")
            .take_while(|between| between.is_empty())
            .count()
            .max(1);
        let ups = (1..=ups)
            .filter(|n| row.starts_with(&"super::".repeat(*n)))
            .max()
            .unwrap();
        let base = module[..module.len().saturating_sub(ups)].join("::");
        paths.extend(expand(&row["super::".len() * ups..], &base));
    }
    paths
}

/// `a::{b, c::d}` and the like, each path in full; only the outermost braces matter to the rule.
fn expand(text: &str, base: &str) -> Vec<String> {
    let prefix = if base.is_empty() {
        String::new()
    } else {
        format!("{base}::")
    };
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
        .unwrap_or(text.len());
    let (head, rest) = text.split_at(end);
    if !rest.starts_with('{') {
        return vec![format!("{prefix}{}", head.trim_end_matches(':'))];
    }
    let mut depth = 0;
    let close = rest
        .char_indices()
        .find_map(|(at, c)| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            (depth == 0).then_some(at)
        })
        .unwrap_or(rest.len());
    let inner = &rest[1..close];
    let mut items = vec![String::new()];
    let mut depth = 0;
    for c in inner.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        match c {
            ',' if depth == 0 => items.push(String::new()),
            _ => items.last_mut().unwrap().push(c),
        }
    }
    let base = format!("{prefix}{}", head.trim_end_matches("::"));
    let base = base.trim_end_matches("::");
    items
        .iter()
        .map(|item| item.trim())
        .filter(|item| !item.is_empty())
        .flat_map(|item| expand(item, base))
        .collect()
}

fn is_at_or_below(path: &str, allowed: &str) -> bool {
    path == allowed
        || path
            .strip_prefix(allowed)
            .is_some_and(|rest| rest.starts_with("::"))
}

/// Where a file stands in the crate: `src/kafka/wire/codec.rs` is `[kafka, wire, codec]`.
fn module_of(file: &Path) -> Vec<String> {
    let inside = file
        .strip_prefix(root().join("src"))
        .unwrap()
        .with_extension("");
    let mut module: Vec<String> = inside
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if module
        .last()
        .is_some_and(|last| last == "mod" || last == "lib")
    {
        module.pop();
    }
    module
}

/// The files at a place, each without its comments and its tests.
fn code_of(place: &str) -> Vec<(PathBuf, String)> {
    let files: Vec<PathBuf> = rust_files(place)
        .into_iter()
        .filter(|file| !is_test(file))
        .collect();
    assert!(!files.is_empty(), "nothing to check at {place}");
    files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let uncommented = code.lines().map(|line| line.split("//").next().unwrap());
            let code = uncommented.collect::<Vec<_>>().join("\n");
            (file, code)
        })
        .collect()
}

fn is_test(file: &Path) -> bool {
    file.iter()
        .any(|part| part == "tests" || part == "tests.rs")
}

fn rust_files(place: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![root().join(place)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_check_itself_sees_imports_in_every_form() {
    let file = root().join("src/kafka/client/drive.rs");
    let seen = |code: &str| our_paths(&file, code);
    assert_eq!(seen("use crate::shoe::Shoe;"), ["shoe::Shoe"]);
    assert_eq!(
        seen("use crate::{error, kafka::{wire, net::Link}};"),
        ["error", "kafka::wire", "kafka::net::Link"]
    );
    assert_eq!(seen("use super::super::net::Link;"), ["kafka::net::Link"]);
    assert_eq!(
        seen("use super::{Client, event::Event};"),
        ["kafka::client::Client", "kafka::client::event::Event"]
    );
    assert!(!is_at_or_below("kafka::wireless", "kafka::wire"));
}
