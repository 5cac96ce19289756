//! The house stays in order: the import rule, what a room never names, file sizes, the README's settings table, and the
//! tests' own table of scenarios.
//!
//! Each rule is checked on the source text up to a file's tests, comments left out. A rule that finds no file to check fails:
//! a moved room must not switch it off.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// No file is longer, tests included.
const FILE_LINES_MAX: usize = 500;

/// What each room may import of ours: paths under `crate::`, or any below them.
const IMPORTS: &[(&str, &[&str])] = &[
    ("src/kafka/wire", &["kafka::wire"]),
    (
        "src/kafka/client",
        &[
            "kafka::client",
            "kafka::wire",
            "kafka::sasl",
            "kafka::config",
            "foreign",
            "secret",
        ],
    ),
    (
        "src/kafka/sasl",
        &["kafka::sasl", "kafka::config", "foreign", "secret"],
    ),
    (
        "src/kafka/net",
        &[
            "kafka::net",
            "kafka::wire::frame",
            "kafka::config",
            "foreign",
            "tls",
        ],
    ),
    ("src/kafka/config.rs", &["kafka::wire", "secret", "tls"]),
    ("src/shoe", &["shoe"]),
    (
        "src/registry",
        &["registry", "http", "foreign", "secret", "tls"],
    ),
    ("src/oauth", &["oauth", "http", "foreign", "secret", "tls"]),
    ("src/http", &["http", "secret", "tls"]),
    (
        "src/settings",
        &[
            "settings",
            "kafka::config",
            "registry::config",
            "oauth::config",
            "foreign",
            "secret",
            "tls",
            "crypto",
        ],
    ),
    ("src/foreign.rs", &[]),
    ("src/secret.rs", &[]),
    ("src/crypto.rs", &[]),
    ("src/tls", &["tls", "crypto", "foreign"]),
    ("src/report", &["report", "settings", "foreign"]),
    (
        "src/pipeline",
        &[
            "pipeline", "kafka", "registry", "oauth", "http", "shoe", "report", "settings",
            "secret", "error",
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
/// And for what: records' timestamps, when the last one was acknowledged, the time of a line. Nothing waits by it.
const WALL_CLOCK_READERS: &[&str] = &[
    "src/pipeline/generator.rs",
    "src/pipeline/producer.rs",
    "src/report/log.rs",
    WALL_CLOCK,
];

/// The scenarios that each have a test, or a word why not yet.
const SCENARIOS: std::ops::RangeInclusive<u32> = 1..=45;
/// What the table calls a layer, and where its tests are; the first place that fits counts.
const LAYERS: &[(&str, &str)] = &[
    ("core", "src/kafka/client/tests/"),
    ("link", "src/kafka/net/tests"),
    ("unit", "src/"),
    ("house", "tests/tidy.rs"),
    ("hostile input", "tests/hostile"),
    ("simulation", "tests/simulation/"),
    ("process", "tests/"),
];
const NOT_YET: &str = "not yet";

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
fn the_table_of_scenarios_has_all_of_them_and_the_tests_that_name_them() {
    let readme = fs::read_to_string(root().join("tests/README.md")).unwrap();
    let (_, table) = readme
        .split_once("| number | what | layer | test |\n")
        .unwrap();
    let (mut numbers, mut told, mut wrong) = (Vec::new(), BTreeSet::new(), Vec::new());
    let lines = table.lines().take_while(|line| line.starts_with('|'));
    for line in lines.skip(1) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, what, layer, test] = cells[..] else {
            panic!("not four cells: {line}");
        };
        assert_eq!(number.is_empty(), what.is_empty(), "{line}");
        if !number.is_empty() {
            numbers.push(number.parse::<u32>().unwrap());
        }
        let test = test.trim_matches('`');
        let place = LAYERS.iter().find(|(_, place)| test.starts_with(place));
        if layer == NOT_YET {
            assert!(!test.is_empty() && place.is_none(), "{line}");
            continue;
        }
        if place.is_none_or(|(name, _)| *name != layer) {
            wrong.push(format!("not of that layer: {line}"));
        }
        told.insert((test.to_owned(), *numbers.last().unwrap()));
    }
    assert!(numbers.into_iter().eq(SCENARIOS), "each once, in order");
    let mut named = BTreeSet::new();
    for file in ["src", "tests"].iter().flat_map(|place| rust_files(place)) {
        for (name, number) in scenarios_of(&fs::read_to_string(&file).unwrap()) {
            named.insert((format!("{}::{name}", relative(&file)), number));
        }
    }
    for (test, number) in told.difference(&named) {
        wrong.push(format!("no test that says `Scenario {number}.`: {test}"));
    }
    for (test, number) in named.difference(&told) {
        let place = LAYERS.iter().find(|(_, place)| test.starts_with(place));
        let layer = place.map_or("?", |(name, _)| *name);
        wrong.push(format!("add to {number}: | | | {layer} | `{test}` |"));
    }
    assert!(wrong.is_empty(), "tests/README.md:\n{}", wrong.join("\n"));
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

/// The tests of a file whose doc comments name scenarios: name and number. What is no test must name none.
fn scenarios_of(text: &str) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    let (mut doc, mut is_test) = (String::new(), false);
    for line in text.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("///") {
            doc += words;
        } else if line.starts_with("#[") {
            is_test |= line == "#[test]";
        } else {
            let numbers = numbers_of(&doc);
            let name = line
                .strip_prefix("fn ")
                .and_then(|rest| rest.split('(').next());
            if !numbers.is_empty() {
                assert!(
                    is_test && name.is_some(),
                    "no test, and names scenarios: {line}"
                );
            }
            let name = name.unwrap_or_default();
            found.extend(numbers.into_iter().map(|number| (name.to_owned(), number)));
            (doc, is_test) = (String::new(), false);
        }
    }
    found
}

/// The numbers behind the word, up to a full stop or a colon.
fn numbers_of(doc: &str) -> Vec<u32> {
    let lists = doc.split("Scenario").skip(1);
    let numbers = lists.flat_map(|rest| {
        let end = rest.find(['.', ':']).unwrap_or(rest.len());
        rest[..end].split(|c: char| !c.is_ascii_digit())
    });
    let numbers = numbers.filter(|digits| !digits.is_empty());
    numbers.map(|digits| digits.parse().unwrap()).collect()
}

/// Its path in the repository.
fn relative(file: &Path) -> String {
    let inside = file.strip_prefix(root()).unwrap();
    inside.to_str().unwrap().to_owned()
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

#[test]
fn the_check_itself_sees_scenarios_in_every_form() {
    // Written otherwise, or this very text would count.
    let text = "
        /// WORD 1.
        #[test]
        fn one() {
        }

        /// It does so. WORDs 2, 3 and 45: each.
        /// And WORD 4.
        #[cfg(unix)]
        #[test]
        fn two() {}

        /// None.
        #[test]
        fn three() {}
        fn helper() {}
    ";
    let found = scenarios_of(&text.replace("WORD", "Scenario"));
    let found: Vec<(&str, u32)> = found.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    assert_eq!(
        found,
        [("one", 1), ("two", 2), ("two", 3), ("two", 45), ("two", 4)]
    );
    for no_test in [
        "/// Scenario 1.\nfn helper() {}",
        "/// Scenario 1.\nconst X: u8 = 1;",
    ] {
        assert!(std::panic::catch_unwind(|| scenarios_of(no_test)).is_err());
    }
}
