//! The summary of a run on disk (`LEDGER_FILE`): gathers it from the start to the end, and has it written.
//!
//! Invariant: however a run ends by itself, the file is written once, after the books, or one line says why not and the exit code is 1.
//! A disk that does not answer is not waited for for ever: by then signals do nothing any more. Without the setting it does nothing.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crossbeam_channel::bounded;

use super::shutdown::StopReason;
use crate::error::{Error, Exit};
use crate::report::failures::Failure;
use crate::report::ledger_file::{self, Summary};
use crate::report::snapshot::{Ledger, Snapshot};
use crate::report::time::now_ms;
use crate::settings::Settings;

/// How long the disk may take, and how long after a second signal.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const URGENT_WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// A run that began, and what came of it.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) reason: StopReason,
    pub(super) total: Snapshot,
    pub(super) ledger: Ledger,
    /// Records that were given up, by what was wrong.
    pub(super) failures: BTreeMap<Failure, u64>,
}

/// What is known so far, and where it goes.
#[derive(Debug)]
pub(super) struct LedgerFile {
    path: Option<PathBuf>,
    summary: Summary,
}

impl LedgerFile {
    /// The run begins now.
    pub(super) fn begin(settings: &Settings, seed: u64) -> Self {
        Self {
            path: settings.common.ledger_file.clone(),
            summary: Summary {
                topic: settings.kafka.topic.clone(),
                seed,
                instance_id: settings.common.instance_id,
                started_ms: now_ms(),
                ..Summary::default()
            },
        }
    }

    /// Keeps the first error that the run fails by.
    pub(super) fn note(&mut self, error: &Error) {
        self.summary.error.get_or_insert_with(|| error.to_string());
    }

    /// Writes it. `ended`: if the run ever began. Returns how the process ends.
    pub(super) fn end(mut self, exit: Exit, ended: Option<Ended>) -> Exit {
        let Some(path) = self.path.take() else {
            return exit;
        };
        self.summary.ended_ms = now_ms();
        self.summary.exit_code = exit.code();
        self.summary.ended_by = ended_by(ended.as_ref().map(|ended| ended.reason));
        if let Some(ended) = ended {
            let total = ended.total;
            self.summary.runtime = total.runtime;
            self.summary.average_rate = total.rate();
            self.summary.serialization_errors = total.serialization_errors;
            self.summary.skipped = total.skipped;
            self.summary.latency = total.latency;
            self.summary.ledger = ended.ledger;
            self.summary.failed_by_error = by_error(ended.failures);
        }
        let timeout = match exit {
            Exit::Signal(_) => URGENT_WRITE_TIMEOUT,
            _ => WRITE_TIMEOUT,
        };
        let shown = path.display().to_string();
        let summary = self.summary;
        let written = within(timeout, move || ledger_file::write(&path, &summary));
        match (written, exit) {
            (Ok(()), exit) => exit,
            (Err(error), exit) => {
                log::error!(event = "error", kind = "ledger file"; "❌ LEDGER_FILE={shown} could not be written: {error}");
                match exit {
                    Exit::Signal(_) => exit,
                    _ => Exit::Incomplete,
                }
            }
        }
    }
}

fn ended_by(reason: Option<StopReason>) -> String {
    match reason {
        Some(StopReason::Signal(signal)) => format!("signal {}", signal.name()),
        Some(StopReason::Count) => "count".to_owned(),
        Some(StopReason::Duration) => "duration".to_owned(),
        Some(StopReason::Failed) | None => "failure".to_owned(),
    }
}

/// Without the brokers' codes, and without what never went wrong.
fn by_error(failures: BTreeMap<Failure, u64>) -> BTreeMap<String, u64> {
    let mut by_error = BTreeMap::new();
    for (failure, records) in failures.into_iter().filter(|(_, records)| *records > 0) {
        *by_error.entry(failure.kind.to_owned()).or_default() += records;
    }
    by_error
}

/// Does it in a thread, which is left alone where it takes longer: the process is about to end. Where the system allows no thread,
/// which may be why the run could not begin, it is done here.
fn within(
    timeout: Duration,
    work: impl Fn() -> io::Result<()> + Send + Sync + 'static,
) -> io::Result<()> {
    let (done, when_done) = bounded(1);
    let work = Arc::new(work);
    let in_thread = Arc::clone(&work);
    let thread = thread::Builder::new().name("ledger-file".to_owned());
    let spawned = thread.spawn(move || {
        // Nobody waits any more if it took too long.
        let _ = done.send(in_thread());
    });
    if spawned.is_err() {
        return work();
    }
    when_done.recv_timeout(timeout).unwrap_or_else(|_| {
        let seconds = timeout.as_secs();
        Err(io::Error::other(format!("not done within {seconds} s")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::shutdown::Signal;

    #[test]
    fn what_ended_a_run_is_named() {
        for (reason, name) in [
            (
                Some(StopReason::Signal(Signal::Terminate)),
                "signal SIGTERM",
            ),
            (Some(StopReason::Signal(Signal::Interrupt)), "signal SIGINT"),
            (Some(StopReason::Count), "count"),
            (Some(StopReason::Duration), "duration"),
            (Some(StopReason::Failed), "failure"),
            (None, "failure"),
        ] {
            assert_eq!(ended_by(reason), name);
        }
    }

    #[test]
    fn failures_are_summed_up_by_error_whatever_their_code() {
        let failure = |kind, code: Option<&str>| Failure {
            kind,
            code: code.map(str::to_owned),
        };
        let failures = BTreeMap::from([
            (failure("refused", Some("MESSAGE_TOO_LARGE")), 2),
            (failure("refused", Some("INVALID_RECORD")), 3),
            (failure("delivery_timeout", None), 1),
            (failure("compression", None), 0),
        ]);
        let expected = [
            ("delivery_timeout".to_owned(), 1),
            ("refused".to_owned(), 5),
        ];
        assert_eq!(by_error(failures), BTreeMap::from(expected));
    }

    #[test]
    fn a_disk_that_does_not_answer_is_not_waited_for_for_ever() {
        let (_hold, never) = bounded::<()>(1);
        let error = within(Duration::from_millis(1), move || {
            let _ = never.recv();
            Ok(())
        });
        assert_eq!(error.unwrap_err().to_string(), "not done within 0 s");
        assert!(within(WRITE_TIMEOUT, || Ok(())).is_ok());
        let failed = within(WRITE_TIMEOUT, || Err(io::Error::other("full")));
        assert_eq!(failed.unwrap_err().to_string(), "full");
    }
}
