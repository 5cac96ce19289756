//! `measure PROGRAM ARGUMENTS…` runs a program and says last, on standard error, what it took:
//! `measured user S system S peak_kib N`. Ends with the program's exit code.
//!
//! It is small on purpose. What Linux calls a process's peak includes that of the memory it had before it became its program,
//! which is a copy of its parent's: a parent as large as Python would show in a small program's peak.

use std::process::{Command, ExitCode};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// What shells answer for a program that cannot be started.
const NOT_STARTED: u8 = 126;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("measure PROGRAM ARGUMENTS…");
        return ExitCode::from(NOT_STARTED);
    };
    let status = Command::new(&program).args(arguments).status();
    // All children that were waited for, and theirs: there is one.
    match (status, getrusage(UsageWho::RUSAGE_CHILDREN)) {
        (Ok(status), Ok(usage)) => {
            eprintln!(
                "measured user {:.6} system {:.6} peak_kib {}",
                seconds(usage.user_time()),
                seconds(usage.system_time()),
                usage.max_rss()
            );
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            code.map_or(ExitCode::FAILURE, ExitCode::from)
        }
        (Err(error), _) => {
            eprintln!("{}: {error}", program.display());
            ExitCode::from(NOT_STARTED)
        }
        (_, Err(error)) => {
            eprintln!("getrusage: {error}");
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::cast_precision_loss)] // exact for 285 years
fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}
