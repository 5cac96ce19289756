//! The client core against simulated brokers, in virtual time: one seed, one history.
//!
//! A history draws its client, its cluster and its faults from its seed, lets them happen, and checks the promise: every
//! acknowledged record is in the log exactly once and in order, every other at most once, the books agree, nothing takes longer or
//! more memory than it may. A history that fails prints its seed and the end of its journal; the seed reproduces it:
//!
//! ```text
//! make simulate HISTORIES=1000000    many histories
//! make simulate SEED=4711            one, with its whole journal
//! ```
//!
//! That it bites is shown by `make planted`: the defects listed in `planted/defects.py` are planted in a copy of the client, one by
//! one, and each must make a history fail, with the promise that it breaks for its reason.
//!
//! * `plan`: what the seed decides beforehand. `faults`, `damage`: what goes wrong. `world`: the queue of what happens.
//! * `owner`: drives the client. `network`: connections. `broker`, `produce`, `sasl`: requests and answers.
//! * `cluster`, `partition`: leaders, replicas, logs. `check`: the promise. `wire`: the rules of what is sent.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod broker;
mod check;
mod cluster;
mod damage;
mod faults;
mod network;
mod owner;
mod partition;
mod plan;
mod produce;
mod sasl;
mod time;
mod wire;
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use world::World;

/// Without word from outside: enough to notice that something is badly wrong, also without optimisation.
const HISTORIES: u64 = 300;
/// As many lines of a failed history's journal are shown.
const JOURNAL_LINES: usize = 400;

thread_local! {
    /// File and line of the last panic of this thread: an assertion of ours, or of the client.
    static PANICKED_AT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What happened in many histories.
#[derive(Debug, Default)]
struct Total {
    histories: u64,
    pushed: u64,
    acknowledged: u64,
    failed: u64,
    occurred: BTreeMap<&'static str, u64>,
}

impl Total {
    fn add(&mut self, world: &World) {
        self.histories += 1;
        self.pushed += world.check.next();
        self.acknowledged += world.check.acknowledged as u64;
        self.failed += world.check.failed as u64;
        for (what, count) in &world.check.occurred {
            *self.occurred.entry(what).or_default() += count;
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable)
        .ok()
        .filter(|text| !text.is_empty())?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number")),
    )
}

/// Runs one history; the reason, if it fails.
fn history(seed: u64, with_journal: bool) -> (World, Result<(), String>) {
    let mut world = World::new(seed, with_journal);
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    let result = result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        let text = text.unwrap_or_else(|| "a panic without words".to_owned());
        format!("{}: {text}", PANICKED_AT.take())
    });
    (world, result)
}

/// Runs the histories of seeds `first`, `first + 1`, … on all cores; the lowest seed that failed, if one did.
fn histories(first: u64, count: u64) -> (Total, Option<u64>) {
    let (next, stop) = (AtomicU64::new(first), AtomicBool::new(false));
    let (total, failed) = (Mutex::new(Total::default()), Mutex::new(None::<u64>));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        break;
                    }
                    let (world, result) = history(seed, false);
                    if result.is_err() {
                        let mut failed = failed.lock().unwrap();
                        *failed = Some(failed.map_or(seed, |other| other.min(seed)));
                        stop.store(true, Ordering::Relaxed);
                    }
                    let mut total = total.lock().unwrap();
                    total.add(&world);
                    if total.histories % 10_000 == 0 {
                        eprintln!("{} histories", total.histories);
                    }
                }
            });
        }
    });
    (total.into_inner().unwrap(), failed.into_inner().unwrap())
}

#[test]
fn no_history_loses_duplicates_or_reorders_a_record_or_forgets_one() {
    // What a history panics with is told once, with its seed.
    std::panic::set_hook(Box::new(|panic| {
        let at = panic
            .location()
            .map_or(String::new(), |at| format!("{}:{}", at.file(), at.line()));
        PANICKED_AT.set(at);
    }));
    let outcome = catch_unwind(simulate);
    drop(std::panic::take_hook());
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

fn simulate() {
    if let Some(seed) = number("SIMULATION_SEED") {
        let (world, result) = history(seed, true);
        for line in world.journal() {
            println!("{line}");
        }
        println!("{}", world.check.books());
        return give_up_on(result, seed, &world, 0);
    }
    let first = number("SIMULATION_FIRST_SEED").unwrap_or(0);
    let count = number("SIMULATION_HISTORIES").unwrap_or(HISTORIES);
    let began = std::time::Instant::now();
    let (total, failed) = histories(first, count);
    println!("{total:#?}\nin {:?}", began.elapsed());
    if let Some(seed) = failed {
        let (world, result) = history(seed, true);
        give_up_on(result, seed, &world, JOURNAL_LINES);
        panic!("seed {seed} failed, and not when it was repeated: a history must be reproducible");
    }
}

fn give_up_on(result: Result<(), String>, seed: u64, world: &World, lines: usize) {
    if let Err(reason) = result {
        let journal = world.journal();
        for line in &journal[journal.len().saturating_sub(lines)..] {
            println!("{line}");
        }
        println!("seed {seed}: {reason}\nagain: make simulate SEED={seed}");
        panic!("seed {seed}: {reason}");
    }
}
