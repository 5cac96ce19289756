//! The live line, as a terminal shows it: on a pseudo terminal of `script` (util-linux). Where that is missing, each test says so.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use sandbox::{ApiKey, Fault, FaultRule};
use support::Peers;

/// What the live line begins with, and nothing else does.
const LIVE: &str = "\u{1b}[?7l⏳ ";

const FIRST_LINE: &str =
    "🚀 Starting Continuous Kafka Producer with Random Shoe Data Generation...";

/// The program on a terminal that `script` makes.
struct Terminal {
    script: Child,
    seen: Vec<u8>,
}

impl Terminal {
    /// `None`, said: there is no `script`. `variables` come in addition to those that name the peers.
    fn start(peers: &Peers, flags: &str, variables: &[(&str, &str)]) -> Option<Self> {
        let version = Command::new("script").arg("--version").output();
        let is_there =
            version.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("util-linux"));
        if !is_there {
            eprintln!("SKIPPED: script of util-linux, which makes a terminal, is not installed");
            return None;
        }
        let program = env!("CARGO_BIN_EXE_continuous-producer");
        let script = Command::new("script")
            .args(["-qefc", &format!("exec {program} {flags}"), "/dev/null"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("SHELL", "/bin/sh")
            .env("KAFKA_BOOTSTRAP_SERVERS", peers.kafka.bootstrap_servers())
            .env("SCHEMA_REGISTRY_URL", peers.registry.url())
            .envs(variables.iter().copied())
            // The build folder has no .env, whatever the repository's has.
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Some(Self {
            script,
            seen: Vec::new(),
        })
    }

    /// Reads on until the text has been shown.
    fn until(&mut self, text: &str) {
        let mut more = [0; 4096];
        while !self.text().contains(text) {
            let length = self.script.stdout.as_mut().unwrap().read(&mut more);
            match length.unwrap() {
                0 => panic!("no {text:?} in {}", self.text()),
                length => self.seen.extend(&more[..length]),
            }
        }
    }

    fn type_in(&mut self, keys: &str) {
        let keyboard = self.script.stdin.as_mut().unwrap();
        keyboard.write_all(keys.as_bytes()).unwrap();
        keyboard.flush().unwrap();
    }

    /// All that was written to the terminal, and the exit code.
    fn end(mut self) -> (String, Option<i32>) {
        let mut out = self.script.stdout.take().unwrap();
        out.read_to_end(&mut self.seen).unwrap();
        let code = self.script.wait().unwrap().code();
        (self.text(), code)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }
}

/// What is left on the screen of a terminal that knows what the live line is made of, and nothing else.
fn shown(written: &str) -> Vec<String> {
    let mut rows = vec![String::new()];
    let mut rest = written;
    while let Some(character) = rest.chars().next() {
        let row = rows.last_mut().unwrap();
        if let Some(after) = rest.strip_prefix("\r\u{1b}[2K") {
            row.clear();
            rest = after;
            continue;
        }
        if let Some(sequence) = ["\u{1b}[?7l", "\u{1b}[?7h"]
            .iter()
            .find(|sequence| rest.starts_with(**sequence))
        {
            rest = &rest[sequence.len()..];
            continue;
        }
        match character {
            '\n' => rows.push(String::new()),
            // The terminal driver puts it before each line feed.
            '\r' => assert!(rest.starts_with("\r\n"), "{rest:?}"),
            other => {
                assert!(!other.is_control(), "{rest:?}");
                row.push(other);
            }
        }
        rest = &rest[character.len_utf8()..];
    }
    rows
}

const XTERM: (&str, &str) = ("TERM", "xterm-256color");

#[test]
fn the_live_line_tells_how_far_it_is_and_in_the_end_only_the_lines_are_left() {
    let peers = Peers::start();
    let flags = "--interval 10ms --count 150 --stats-interval 300ms";
    let Some(terminal) = Terminal::start(&peers, flags, &[XTERM]) else {
        return;
    };
    let (written, code) = terminal.end();
    assert_eq!(code, Some(0), "{written}");
    assert!(written.contains(&format!("{LIVE}0% [")), "{written}");
    assert!(written.contains(" of 150 · "), "{written}");
    let count = |text: &str| written.matches(text).count();
    assert_eq!(count("\u{1b}[?7l"), count("\u{1b}[?7h"));
    let rows = shown(&written);
    assert_eq!(rows[0], FIRST_LINE);
    let left: Vec<&String> = rows.iter().filter(|row| row.contains('·')).collect();
    assert!(left.is_empty(), "{left:?}");
    let stats = rows.iter().filter(|row| row.starts_with("📊 Stats: "));
    assert!(stats.count() >= 1, "{rows:#?}");
    assert!(rows[rows.len() - 2].starts_with("   ⏱️ Latency: "));
    assert_eq!(rows.last().unwrap(), "");
}

#[test]
fn a_shutdown_and_a_second_signal_leave_no_live_line_behind() {
    let peers = Peers::start();
    let hang = FaultRule::new(ApiKey::Produce, Fault::HangBefore);
    peers.kafka.fault(hang.times(usize::MAX));
    let Some(mut terminal) = Terminal::start(&peers, "--interval 10ms", &[XTERM]) else {
        return;
    };
    terminal.until(LIVE);
    terminal.type_in("\u{3}");
    terminal.until("⏳ Waiting for all");
    terminal.type_in("\u{3}");
    let (written, code) = terminal.end();
    assert_eq!(code, Some(130), "{written}");
    let rows = shown(&written);
    assert!(rows.iter().all(|row| !row.contains('·')), "{rows:#?}");
    assert!(rows.iter().any(|row| row.contains("🧾 Ledger: ")));
}

#[test]
fn who_wants_none_or_has_no_able_terminal_gets_the_same_lines_as_ever() {
    for (flags, variables) in [
        ("", &[("NO_COLOR", "1"), XTERM][..]),
        ("", &[("TERM", "dumb")]),
        ("", &[("TERM", "")]),
        ("", &[("LOG_FORMAT", "full"), XTERM]),
        ("--stats-interval 0", &[XTERM]),
        ("--log-level warn", &[XTERM]),
    ] {
        let peers = Peers::start();
        let flags = format!("--interval 1ms --count 20 {flags}");
        let Some(terminal) = Terminal::start(&peers, &flags, variables) else {
            return;
        };
        let (written, code) = terminal.end();
        assert_eq!(code, Some(0), "{written}");
        assert!(written.contains("🧾 Ledger: "), "{written}");
        assert!(!written.contains('\u{1b}'), "{variables:?}: {written}");
    }
}

#[test]
fn what_is_no_terminal_gets_no_live_line_whatever_is_said_of_one() {
    let peers = Peers::start();
    let setup = peers.setup("--interval 1ms --count 20");
    let ended = setup.env(XTERM.0, XTERM.1).run();
    ended.expect_code(0).expect_no("\u{1b}");
}
