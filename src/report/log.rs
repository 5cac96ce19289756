//! The log: which records it takes and where they go.
//!
//! A record is one line on standard error, or one object, as `report::line` says. That standard error is closed, its disk is full or
//! nobody reads it never ends or disturbs the run: such a line is lost (`report::outlet`). It never logs of its own accord, but for a panic: a defect of
//! this program is one line too, without what the panic says, for that may hold anything.

use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::thread;

use env_logger::{Builder, Target};
use log::{Level, LevelFilter, Record, SetLoggerError};
use signal_hook::consts::SIGXFSZ;

use super::event::Event;
use super::line;
use super::outlet;
use super::screen;
use super::time::now_ms;
use crate::settings::LogFormat;

/// Whose records the level is about. Others' (those of the crates that we use) are shown from `warn` on: below that, ureq tells
/// of requests with their headers.
const OUR_TARGET: &str = "continuous_producer";
/// Records of several lines.
const BLOCK_TARGET: &str = "continuous_producer::block";
/// The final statistics and the ledger are shown at every level: a run never ends without them.
const BOOKS_TARGET: &str = "continuous_producer::books";

/// Sets the process's logger up, and what it says of a panic; once. Without a format: pretty on a terminal, full elsewhere.
///
/// # Errors
/// There is a logger already.
pub fn init(level: LevelFilter, format: Option<LogFormat>) -> Result<(), SetLoggerError> {
    let is_terminal = io::stderr().is_terminal();
    let format = format.unwrap_or(if is_terminal {
        LogFormat::Pretty
    } else {
        LogFormat::Full
    });
    // Who wants warnings only wants no live line either.
    let may_be_live = is_terminal && format == LogFormat::Pretty && level >= LevelFilter::Info;
    let is_live = may_be_live && screen::suits(|name| env::var_os(name));
    let out: Box<dyn io::Write + Send> = if is_live {
        Box::new(screen::Above)
    } else {
        Box::new(screen::Stderr)
    };
    builder(level, format, Target::Pipe(out)).try_init()?;
    // Whoever may write no more than so many bytes into a file has a full disk, and is not ended for it.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    outlet::open(move |count| lines_lost(format, count));
    if is_live {
        screen::enable();
    }
    panic::set_hook(Box::new(tell_panic));
    Ok(())
}

fn lines_lost(format: LogFormat, count: u64) -> Vec<u8> {
    let event = Event::new("lines_lost").count("lines", count);
    let mut record = Record::builder();
    record.level(Level::Warn).key_values(&event);
    let text =
        format!("⚠️ {count} lines of the log were lost: standard error took nothing for a while");
    let line = |record: &Record| line::record(format, now_ms(), record, false);
    line(&record.args(format_args!("{text}")).build()).into_bytes()
}

/// Logs a line.
pub fn tell(level: Level, event: &Event, line: impl Display) {
    log(OUR_TARGET, level, event, format_args!("{line}"));
}

/// Logs several lines that belong together: one object where programs read it.
pub fn block(level: Level, event: &Event, lines: impl IntoIterator<Item = impl AsRef<str>>) {
    if level <= log::max_level() {
        let text = line::joined(lines);
        log(BLOCK_TARGET, level, event, format_args!("{text}"));
    }
}

/// Logs the last lines of a run, whatever the level.
pub fn books(event: &Event, lines: impl IntoIterator<Item = impl AsRef<str>>) {
    let text = line::joined(lines);
    log(BOOKS_TARGET, Level::Info, event, format_args!("{text}"));
}

fn log(target: &str, level: Level, event: &Event, args: std::fmt::Arguments) {
    if level > log::max_level() {
        return;
    }
    let mut record = Record::builder();
    record.target(target).level(level).key_values(event);
    log::logger().log(&record.args(args).build());
}

/// One line, as of any other error, and no backtrace.
fn tell_panic(panic: &PanicHookInfo) {
    screen::close_at_once();
    let thread = thread::current();
    let thread = thread.name().unwrap_or("without a name");
    let place = panic.location().map(ToString::to_string);
    let place = place.as_deref().unwrap_or("an unknown place");
    let event = Event::new("panic")
        .text("thread", thread)
        .text("place", place);
    tell(
        Level::Error,
        &event,
        format_args!(
            "❌ the thread {thread} broke down at {place}; please report this as a defect"
        ),
    );
    // It may be the end of the process.
    outlet::flush();
}

fn builder(level: LevelFilter, format: LogFormat, target: Target) -> Builder {
    let mut builder = Builder::new();
    builder
        .filter_level(level.min(LevelFilter::Warn))
        .filter_module(OUR_TARGET, level)
        .filter_module(BOOKS_TARGET, level.max(LevelFilter::Info))
        .target(target)
        // env_logger ignores it when the write fails.
        .format(move |out, record| {
            let is_block = [BLOCK_TARGET, BOOKS_TARGET].contains(&record.target());
            out.write_all(line::record(format, now_ms(), record, is_block).as_bytes())
        });
    builder
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use log::{Log, Record};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A pipe that nobody reads any more, or a full disk.
    struct Broken(io::ErrorKind);

    impl io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    fn log_to(logger: &dyn Log, level: Level, target: &str, message: &str) {
        logger.log(
            &Record::builder()
                .level(level)
                .target(target)
                .args(format_args!("{message}"))
                .build(),
        );
    }

    #[test]
    fn the_level_is_ours_and_other_crates_speak_from_warn_on() {
        let sink = Sink::default();
        let target = Target::Pipe(Box::new(sink.clone()));
        let logger = builder(LevelFilter::Debug, LogFormat::Pretty, target).build();
        log_to(
            &logger,
            Level::Debug,
            "continuous_producer::pipeline",
            "ours",
        );
        // Requests and answers with their headers, handshakes: what may hold a credential or a token.
        for target in [
            "ureq",
            "ureq::run",
            "ureq_proto::client",
            "rustls::client",
            "log",
        ] {
            for level in [Level::Trace, Level::Debug, Level::Info] {
                log_to(&logger, level, target, "theirs");
            }
        }
        log_to(&logger, Level::Warn, "ureq", "their warning");
        assert_eq!(*sink.0.lock().unwrap(), b"ours\ntheir warning\n");
        let quiet = builder(LevelFilter::Error, LogFormat::Pretty, Target::Stderr).build();
        for (target, enabled) in [("continuous_producer", false), ("ureq", false)] {
            let metadata = log::Metadata::builder()
                .level(Level::Warn)
                .target(target)
                .build();
            assert_eq!(quiet.enabled(&metadata), enabled);
        }
    }

    #[test]
    fn a_closed_standard_error_or_a_full_disk_loses_the_line_and_nothing_else() {
        for kind in [io::ErrorKind::BrokenPipe, io::ErrorKind::StorageFull] {
            let target = Target::Pipe(Box::new(Broken(kind)));
            let logger = builder(LevelFilter::Info, LogFormat::Json, target).build();
            log_to(&logger, Level::Info, OUR_TARGET, "lost");
            log_to(&logger, Level::Info, OUR_TARGET, "lost too");
        }
    }
}
