//! The import rule: which room may use which.

use std::path::Path;

use crate::source::{code_of, root};

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
            "host_names",
        ],
    ),
    ("src/kafka/config.rs", &["kafka::wire", "secret", "tls"]),
    ("src/shoe", &["shoe"]),
    (
        "src/registry",
        &["registry", "http", "foreign", "secret", "tls"],
    ),
    ("src/oauth", &["oauth", "http", "foreign", "secret", "tls"]),
    ("src/http", &["http", "secret", "tls", "host_names"]),
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
            "exit",
            "host_names",
        ],
    ),
    (
        "src/check",
        &[
            "check", "monitor", "kafka", "crypto", "registry", "oauth", "http", "shoe", "settings",
            "secret", "foreign", "error",
        ],
    ),
    ("src/foreign.rs", &[]),
    ("src/exit.rs", &[]),
    ("src/host_names.rs", &["foreign"]),
    ("src/secret", &["secret"]),
    ("src/crypto.rs", &[]),
    ("src/tls", &["tls", "crypto", "foreign"]),
    (
        "src/report",
        &["report", "kafka::client::status", "settings", "foreign"],
    ),
    ("src/monitor", &["monitor", "kafka::config", "host_names"]),
    (
        "src/pipeline",
        &[
            "pipeline", "kafka", "registry", "oauth", "http", "crypto", "shoe", "report",
            "monitor", "settings", "secret", "error",
        ],
    ),
];

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
