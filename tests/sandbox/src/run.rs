//! A program beside the sandbox, from its start to its end.
//!
//! The program has a process group of its own, so that a Ctrl-C at the terminal reaches the sandbox alone; every
//! ending signal that the sandbox receives is then passed on exactly once. (In one common group the program would get a
//! terminal's signal and its copy, and take the second for impatience.) The sandbox outlives the program, always.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::sys::signal::{SigSet, kill};
use nix::unistd::Pid;

use crate::options::Options;
use crate::{FAILED, Servers, ending_signals};

/// What shells answer for a program that is not there, and for one that cannot be started.
const NOT_FOUND: u8 = 127;
const NOT_STARTED: u8 = 126;
/// What shells add to the number of the signal that ended a program.
const SIGNALLED: i32 = 128;

/// Runs a program; its exit code is the answer, unless clients did something wrong.
pub(crate) fn run(options: &Options, program: &[OsString]) -> io::Result<ExitCode> {
    let signals = ending_signals();
    // Threads inherit the mask: no thread of the servers shall ever be the one that a signal ends.
    signals.thread_block()?;
    let servers = Servers::start(options)?;
    let (brokers, registry) = (servers.broker.bootstrap_servers(), servers.registry.url());
    eprintln!(
        "No cluster is configured, so a sandbox was started for this run: an in-memory broker on {brokers} and a \
         Schema Registry on {registry}."
    );
    eprintln!("Read the topic with: {}", servers.kcat());
    // The program must not inherit the mask, and lifting it here would leave a moment in which a signal ends the sandbox
    // and not the program. So the child lifts it, and then becomes the program.
    let mut child = Command::new(env::current_exe()?)
        .args(["exec", "--"])
        .args(program)
        .env("KAFKA_BOOTSTRAP_SERVERS", &brokers)
        .env("SCHEMA_REGISTRY_URL", &registry)
        .envs(options.access.variables())
        .process_group(0)
        .spawn()?;
    let id = i32::try_from(child.id()).map_err(io::Error::other)?;
    let running = Arc::new(Mutex::new(Some(Pid::from_raw(id))));
    let passing = Arc::clone(&running);
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || pass_on(signals, &passing))?;
    let status = child.wait()?;
    // From here on the number may be another process's.
    *running.lock().unwrap_or_else(PoisonError::into_inner) = None;
    let clean = servers.sum_up();
    let code = exit_code(status);
    Ok(ExitCode::from(if clean || code != 0 {
        code
    } else {
        FAILED
    }))
}

/// Becomes the program, with no signal held back; returns only if that fails.
pub(crate) fn become_program(program: &[OsString]) -> io::Result<ExitCode> {
    let Some((name, arguments)) = program.split_first() else {
        return Ok(ExitCode::from(NOT_FOUND));
    };
    ending_signals().thread_unblock()?;
    let error = Command::new(name).args(arguments).exec();
    eprintln!("sandbox: {}: {error}", name.to_string_lossy());
    Ok(ExitCode::from(if error.kind() == io::ErrorKind::NotFound {
        NOT_FOUND
    } else {
        NOT_STARTED
    }))
}

fn pass_on(signals: SigSet, running: &Mutex<Option<Pid>>) {
    while let Ok(signal) = signals.wait() {
        if let Some(program) = *running.lock().unwrap_or_else(PoisonError::into_inner) {
            // It may have ended this very moment.
            let _gone = kill(program, signal);
        }
    }
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| SIGNALLED + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(FAILED)
}
