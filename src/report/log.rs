//! The log: how a line looks and where it goes.
//!
//! A record is one line on standard error, whatever its text holds: control characters and others that are not to be shown (a
//! peer's words may carry them) are escaped here at the latest, so nothing can forge a line or steer a terminal. That standard error is closed or its
//! disk is full never ends or disturbs the run: such a line is lost. It never logs of its own accord.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use env_logger::{Builder, Target};
use log::{Level, LevelFilter, SetLoggerError, log};

use super::time::{Rfc3339, now_ms};
use crate::foreign::is_showable;
use crate::settings::LogFormat;

/// Whose records the level is about. Others' (those of the crates that we use) are shown from `warn` on: below that, ureq tells
/// of requests with their headers.
const OUR_TARGET: &str = "continuous_producer";
/// The final statistics and the ledger are shown at every level: a run never ends without them.
const BOOKS_TARGET: &str = "continuous_producer::books";

/// Sets the process's logger up; once. Without a format: pretty on a terminal, full elsewhere.
///
/// # Errors
/// There is a logger already.
pub fn init(level: LevelFilter, format: Option<LogFormat>) -> Result<(), SetLoggerError> {
    let format = format.unwrap_or_else(|| {
        if io::stderr().is_terminal() {
            LogFormat::Pretty
        } else {
            LogFormat::Full
        }
    });
    builder(level, format, Target::Stderr).try_init()
}

/// Logs a block of lines, each as a record of its own.
pub fn lines(level: Level, lines: impl IntoIterator<Item = impl AsRef<str>>) {
    for line in lines {
        log!(target: OUR_TARGET, level, "{}", line.as_ref());
    }
}

/// Logs the last lines of a run, whatever the level.
pub fn books(lines: impl IntoIterator<Item = impl AsRef<str>>) {
    for line in lines {
        log!(target: BOOKS_TARGET, Level::Info, "{}", line.as_ref());
    }
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
            let message = record.args().to_string();
            out.write_all(line(format, now_ms(), record.level(), &message).as_bytes())
        });
    builder
}

/// The whole line, line feed included.
fn line(format: LogFormat, unix_ms: i64, level: Level, message: &str) -> String {
    let mut line = String::with_capacity(message.len() + 80);
    let time = Rfc3339 { unix_ms };
    // Writing into a string cannot fail.
    let _ = match format {
        LogFormat::Pretty => Ok(()),
        LogFormat::Full => write!(line, "{time} {level:<5} "),
        LogFormat::Json => write!(
            line,
            r#"{{"time":"{time}","level":"{}","message":""#,
            level.as_str().to_ascii_lowercase()
        ),
    };
    if format == LogFormat::Json {
        push_json(&mut line, message);
        line.push_str("\"}");
    } else {
        push_visible(&mut line, message);
    }
    line.push('\n');
    line
}

/// What cannot be shown as `\n`, `\t`, `\u{1b}`, `\u{202e}`; everything else as it is.
fn push_visible(line: &mut String, message: &str) {
    for character in message.chars() {
        if is_showable(character) {
            line.push(character);
        } else {
            line.extend(character.escape_default());
        }
    }
}

/// The inside of a JSON string (RFC 8259, section 7); what else cannot be shown is escaped too, for terminals' sake.
fn push_json(line: &mut String, message: &str) {
    for character in message.chars() {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\t' => line.push_str("\\t"),
            '\r' => line.push_str("\\r"),
            showable if is_showable(showable) => line.push(showable),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    let _ = write!(line, "\\u{unit:04x}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use log::{Log, Record};

    use super::*;

    const TIME_MS: i64 = 1_795_504_328_123;
    const NASTY: &str = "⏱️ \"a\\b\"\n\r\t\u{1b}[31m\u{7f}\u{9b} é\u{202e}\u{2028}\u{e0041}";

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
    fn pretty_lines_are_bare_and_full_lines_carry_time_and_level() {
        let text = "📊 Stats: Produced=10";
        assert_eq!(
            line(LogFormat::Pretty, TIME_MS, Level::Info, text),
            "📊 Stats: Produced=10\n"
        );
        assert_eq!(
            line(LogFormat::Full, TIME_MS, Level::Info, text),
            "2026-11-24T07:12:08.123Z INFO  📊 Stats: Produced=10\n"
        );
        assert_eq!(
            line(LogFormat::Full, TIME_MS, Level::Error, "x"),
            "2026-11-24T07:12:08.123Z ERROR x\n"
        );
    }

    #[test]
    fn json_lines_are_one_object_each_and_give_the_message_back() {
        let line = line(LogFormat::Json, TIME_MS, Level::Warn, NASTY);
        assert_eq!(line.matches('\n').count(), 1);
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            object,
            serde_json::json!({"time": "2026-11-24T07:12:08.123Z", "level": "warn", "message": NASTY})
        );
    }

    #[test]
    fn nothing_of_a_message_that_cannot_be_shown_reaches_the_terminal() {
        for format in [LogFormat::Pretty, LogFormat::Full, LogFormat::Json] {
            let line = line(format, TIME_MS, Level::Info, NASTY);
            let text = line.strip_suffix('\n').unwrap();
            assert!(text.chars().all(is_showable), "{line:?}");
        }
        assert_eq!(
            line(LogFormat::Pretty, 0, Level::Info, NASTY),
            "⏱️ \"a\\b\"\\n\\r\\t\\u{1b}[31m\\u{7f}\\u{9b} é\\u{202e}\\u{2028}\\u{e0041}\n"
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
