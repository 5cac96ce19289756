//! A system that allows too few threads: each run says so in one line, and none takes it for a defect of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::thread;

use support::Peers;
use support::tools::can_run;

/// A user without any other process, one for each limit, for the system counts a user's threads.
const USERS: u32 = 64_900;
/// More threads than these are enough, with those that only look a name up.
const THREADS_MAX: u32 = 16;

/// Exit code and standard error of a short run as somebody who may have so many threads. It is told to stop once it waits.
fn run_with(threads: u32, peers: &Peers) -> (Option<i32>, Vec<String>) {
    let mut child = Command::new("setpriv")
        .arg(format!("--reuid={}", USERS + threads))
        .args(["--clear-groups", "prlimit"])
        .arg(format!("--nproc={threads}"))
        .arg(env!("CARGO_BIN_EXE_continuous-producer"))
        .args([
            "--count",
            "5",
            "--interval",
            "100ms",
            "--shutdown-timeout",
            "5s",
        ])
        .env_clear()
        .env("LOG_FORMAT", "pretty")
        .env("METRICS_LISTEN", "127.0.0.1:0")
        .env("KAFKA_BOOTSTRAP_SERVERS", peers.kafka.bootstrap_servers())
        // A name, which is looked up in a thread.
        .env(
            "SCHEMA_REGISTRY_URL",
            peers.registry.url().replace("127.0.0.1", "localhost"),
        )
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        lines.push(line.unwrap());
        let waits = |line: &String| line.contains("⚠️");
        if lines.last().is_some_and(waits) && lines.iter().filter(|line| waits(line)).count() == 1 {
            let kill = format!("kill -TERM {}", child.id());
            let killed = Command::new("sh").args(["-c", &kill]).status();
            assert!(killed.unwrap().success());
        }
    }
    (child.wait().unwrap().code(), lines)
}

#[test]
fn a_thread_that_cannot_be_had_is_told_in_one_line_and_is_no_defect() {
    let program = env!("CARGO_BIN_EXE_continuous-producer");
    let as_other = [
        "--reuid=64900",
        "--clear-groups",
        "prlimit",
        "--nproc=50",
        program,
        "--version",
    ];
    if !can_run("setpriv", &as_other) {
        return;
    }
    let peers = Peers::start();
    let runs: Vec<_> = thread::scope(|scope| {
        let peers = &peers;
        let threads: Vec<_> = (1..=THREADS_MAX)
            .map(|threads| scope.spawn(move || (threads, run_with(threads, peers))))
            .collect();
        let runs = threads.into_iter().map(|thread| thread.join().unwrap());
        runs.collect()
    });
    let mut statistics = 0;
    for (threads, (code, lines)) in runs {
        let told = lines.join("\n");
        for wrong in ["defect", "panicked", "choose an address", "broke down"] {
            assert!(!told.contains(wrong), "{threads}: {told}");
        }
        let refused = |line: &&String| {
            line.contains("starting a thread failed") || line.contains("starting the thread for")
        };
        let said: Vec<_> = lines.iter().filter(refused).collect();
        assert!(matches!(code, Some(0 | 1)), "{threads}: {told}");
        assert!(said.len() <= 1, "{threads}: {told}");
        if said.iter().any(|line| line.contains("for statistics")) {
            statistics += 1;
            // At once, and not after everything was delivered.
            let at = |text: &str| lines.iter().position(|line| line.contains(text)).unwrap();
            assert!(at("for statistics") < at("🛑"), "{told}");
        }
        if threads == THREADS_MAX {
            assert_eq!((code, said.len()), (Some(0), 0), "{told}");
        }
    }
    // Whether threads that are about to end still count differs from run to run.
    if statistics == 0 {
        eprintln!("SKIPPED: no limit has kept the statistics from their thread this time");
    }
}
