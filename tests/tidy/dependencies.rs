//! The README's table of dependencies is that of `Cargo.toml`, in its order, with the licences that the crates themselves state.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::source::root;

/// Sections of `Cargo.toml`, as the table calls them.
const SECTIONS: &[(&str, &str)] = &[
    ("[dependencies]", "program"),
    ("[build-dependencies]", "build"),
    ("[dev-dependencies]", "tests"),
];

#[test]
fn the_readme_names_every_direct_dependency_with_its_licence_and_a_reason() {
    let licences = licences();
    let rows = rows();
    let listed: Vec<_> = rows
        .iter()
        .map(|row| (row[0].trim_matches('`'), row[1]))
        .collect();
    assert_eq!(
        listed,
        declared(&fs::read_to_string(root().join("Cargo.toml")).unwrap())
    );
    for row in &rows {
        let name = row[0].trim_matches('`');
        assert_eq!(
            Some(row[2]),
            licences.get(name).map(String::as_str),
            "the licence of {name}"
        );
        assert!(!row[3].is_empty(), "{name} has no reason");
    }
}

/// What `cargo tree` says of the crates that are named, without a network.
fn licences() -> BTreeMap<String, String> {
    let told = Command::new(env!("CARGO"))
        .args(
            "tree --offline --locked --package continuous-producer --edges normal,build,dev"
                .split(' '),
        )
        .args(["--depth", "1", "--prefix", "none", "--format", "{p}|{l}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stderr)
    );
    let told = String::from_utf8(told.stdout).unwrap();
    let lines = told.lines().filter_map(|line| line.split_once('|'));
    lines
        .map(|(package, licence)| {
            let name = package.split(' ').next().unwrap().to_owned();
            (name, licence.trim_end_matches(" (*)").replace('/', " OR "))
        })
        .collect()
}

/// The cells of the table's rows.
fn rows() -> Vec<Vec<&'static str>> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap().leak();
    let (_, rest) = readme.split_once("<!-- dependencies -->\n").unwrap();
    let (table, _) = rest.split_once("<!-- /dependencies -->").unwrap();
    let rows = table.lines().skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

/// Names and sections, in the order of the file.
fn declared(manifest: &str) -> Vec<(&str, &str)> {
    let mut section = None;
    let mut found = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = SECTIONS
                .iter()
                .find(|(head, _)| *head == line)
                .map(|(_, name)| *name);
        } else if let (Some(section), Some((name, _))) = (section, line.split_once(" = ")) {
            found.push((name, section));
        }
    }
    found
}
