//! Whatever is logged is an event with a name, and `docs/logs.md` lists exactly the names that there are.

use std::collections::BTreeSet;
use std::fs;

use crate::source::{code_of, relative, root};

const MACROS: &[&str] = &["error!(", "warn!(", "info!(", "debug!(", "trace!(", "log!("];

/// What the formatter calls an event without a name, of which other people's crates have some.
const OTHERS: &str = "library";

#[test]
fn every_line_of_the_log_is_an_event_with_a_name() {
    let mut nameless = Vec::new();
    for (file, code) in code_of("src") {
        for name in MACROS {
            for (at, _) in code.match_indices(name) {
                let before = code[..at].chars().next_back();
                let is_other = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
                let call = code[at..].split(';').next().unwrap();
                if !is_other && !call.contains("event = \"") {
                    nameless.push(format!("{}: {call}", relative(&file)));
                }
            }
        }
    }
    assert!(nameless.is_empty(), "no event:\n{}", nameless.join("\n"));
}

#[test]
fn the_page_about_the_log_lists_the_events_of_the_code() {
    let mut named = BTreeSet::from([OTHERS.to_owned()]);
    for (_, code) in code_of("src") {
        for mark in ["event = \"", "Event::new(\"", "=> \"warning", "=> \"error"] {
            for (at, _) in code.match_indices(mark) {
                let quoted = &code[at + mark.find('"').unwrap() + 1..];
                named.insert(quoted.split('"').next().unwrap().to_owned());
            }
        }
    }
    let page = fs::read_to_string(root().join("docs/logs.md")).unwrap();
    let (_, rest) = page.split_once("<!-- events -->\n").unwrap();
    let (table, _) = rest.split_once("<!-- /events -->").unwrap();
    let listed = table.lines().skip(2);
    let listed = listed.map(|row| row.split('`').nth(1).unwrap().to_owned());
    assert_eq!(listed.collect::<BTreeSet<_>>(), named);
}
