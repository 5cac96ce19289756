//! The table of scenarios in `tests/README.md`, and the tests that say which they are.

use std::collections::BTreeSet;
use std::fs;

use crate::source::{files_of, relative, root, rust_files};

/// The scenarios that each have a test.
const SCENARIOS: std::ops::RangeInclusive<u32> = 1..=45;

/// What the table calls a layer, and where its tests are; the first place that fits counts.
const LAYERS: &[(&str, &str)] = &[
    ("core", "src/kafka/client/tests/"),
    ("link", "src/kafka/net/tests"),
    ("unit", "src/"),
    ("house", "tests/tidy/"),
    ("hostile input", "tests/hostile"),
    ("simulation", "tests/simulation/"),
    ("real peers", "tests/kafka/"),
    ("process", "tests/"),
];

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
        if place.is_none_or(|(name, _)| *name != layer) {
            wrong.push(format!("not of that layer: {line}"));
        }
        told.insert((test.to_owned(), *numbers.last().unwrap()));
    }
    assert!(numbers.into_iter().eq(SCENARIOS), "each once, in order");
    let mut named = BTreeSet::new();
    let rust = ["src", "tests"].iter().flat_map(|place| rust_files(place));
    let rust = rust.map(|file| (scenarios_of(&fs::read_to_string(&file).unwrap()), file));
    let python = files_of("tests/kafka", "py").into_iter();
    let python = python.map(|file| {
        (
            scenarios_of_python(&fs::read_to_string(&file).unwrap()),
            file,
        )
    });
    for (found, file) in rust.chain(python) {
        for (name, number) in found {
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

#[test]
fn the_check_itself_sees_scenarios_in_python() {
    let text = r#"
def one(stage: Stage):
    """WORD 1. It does so."""

def two(
        stage: Stage):
    """It does so.

    WORDs 2 and 3: both.
    """
    words = """WORD 4."""

def three():
    pass
"#;
    let found = scenarios_of_python(&text.replace("WORD", "Scenario"));
    let found: Vec<(&str, u32)> = found.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    assert_eq!(found, [("one", 1), ("two", 2), ("two", 3)]);
}

/// The functions of a Python file whose docstrings name scenarios.
fn scenarios_of_python(text: &str) -> Vec<(String, u32)> {
    let functions = text.split("\ndef ").skip(1);
    let named = functions.filter_map(|function| {
        let (name, rest) = function.split_once('(')?;
        let (_, body) = rest.split_once(":\n")?;
        let (doc, _) = body
            .trim_start()
            .strip_prefix("\"\"\"")?
            .split_once("\"\"\"")?;
        Some((name, numbers_of(doc)))
    });
    let named =
        named.flat_map(|(name, numbers)| numbers.into_iter().map(move |n| (name.to_owned(), n)));
    named.collect()
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
