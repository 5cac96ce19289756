//! The live line, as a terminal shows it: on a pseudo terminal of `script` (util-linux), without which these tests fail.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};
use sandbox::{ApiKey, Fault, FaultRule};
use support::{DEADLINE, Peers};

/// What the live line begins with, and nothing else does.
const LIVE: &str = "\u{1b}[?7l⏳ ";

const FIRST_LINE: &str =
    "🚀 Starting Continuous Kafka Producer with Random Shoe Data Generation...";

/// The program on a terminal that `script` makes.
struct Terminal {
    script: Child,
    written: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Terminal {
    /// `variables` come in addition to those that name the peers.
    fn start(peers: &Peers, flags: &str, variables: &[(&str, &str)]) -> Self {
        let version = Command::new("script").arg("--version").output();
        let is_there =
            version.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("util-linux"));
        assert!(
            is_there,
            "a terminal is made by script of util-linux, which is not installed (Debian: bsdutils, Fedora: util-linux-script)"
        );
        let program = env!("CARGO_BIN_EXE_continuous-producer");
        let mut script = Command::new("script")
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
        let written = read_on(script.stdout.take().unwrap());
        Self {
            script,
            written,
            seen: Vec::new(),
        }
    }

    /// Takes what comes next; `false`: nothing more will.
    fn take(&mut self, deadline: Instant) -> bool {
        match self.written.recv_deadline(deadline) {
            Ok(more) => {
                self.seen.extend(more);
                true
            }
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => panic!("nothing more comes after {}", self.text()),
        }
    }

    /// Reads on until the text has been shown.
    fn until(&mut self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.text().contains(text) {
            assert!(self.take(deadline), "no {text:?} in {}", self.text());
        }
    }

    fn type_in(&mut self, keys: &str) {
        let keyboard = self.script.stdin.as_mut().unwrap();
        keyboard.write_all(keys.as_bytes()).unwrap();
        keyboard.flush().unwrap();
    }

    /// All that was written to the terminal, and the exit code.
    fn end(mut self) -> (String, Option<i32>) {
        let deadline = Instant::now() + DEADLINE;
        while self.take(deadline) {}
        let code = self.script.wait().unwrap().code();
        (self.text(), code)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has mostly ended by itself; else its terminal goes with it, and that ends the program.
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

/// What is written, as it comes, until there is no more.
fn read_on(mut from: ChildStdout) -> Receiver<Vec<u8>> {
    let (sender, receiver) = unbounded();
    thread::spawn(move || {
        let mut more = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut more) {
            if sender.send(more[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
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
    let terminal = Terminal::start(&peers, flags, &[XTERM]);
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
    let mut terminal = Terminal::start(&peers, "--interval 10ms", &[XTERM]);
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
        let terminal = Terminal::start(&peers, &flags, variables);
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
