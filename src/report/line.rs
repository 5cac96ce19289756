//! How a record of the log looks: one line, or one object where programs read it.
//!
//! Invariant: whatever the text holds, a record is one line, or as many as its block has; control characters and others that are
//! not to be shown (a peer's words may carry them) are escaped here at the latest, so nothing can forge a line or steer a terminal.
//! It never writes anywhere.

use std::fmt::{self, Write as _};

use log::kv::{self, Key, Value, VisitSource, VisitValue};
use log::{Level, Record};

use super::event;
use super::time::Rfc3339;
use crate::foreign::is_showable;
use crate::settings::LogFormat;

/// The lines of a block as one text, as [`record`] wants them.
pub(super) fn joined(lines: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut joined = String::new();
    for line in lines {
        if !joined.is_empty() {
            joined.push('\n');
        }
        // A line feed inside of a line ends none.
        joined.push_str(&line.as_ref().replace('\n', "\\n"));
    }
    joined
}

/// A record as it is written, line feeds included. Each line of a block's text ([`joined`]) becomes one; JSON has it in one object.
pub(super) fn record(format: LogFormat, unix_ms: i64, record: &Record, is_block: bool) -> String {
    let message = record.args().to_string();
    let mut out = String::with_capacity(message.len() + 80);
    let time = Rfc3339 { unix_ms };
    match format {
        LogFormat::Json => push_object(&mut out, time, record, &message),
        LogFormat::Pretty | LogFormat::Full => {
            let whole = std::iter::once(message.as_str());
            let lines = message.split('\n');
            let lines: &mut dyn Iterator<Item = &str> = if is_block {
                &mut { lines }
            } else {
                &mut { whole }
            };
            for line in lines {
                if format == LogFormat::Full {
                    push_stamp(&mut out, time, record.level());
                }
                push_visible(&mut out, line);
                out.push('\n');
            }
        }
    }
    out
}

fn push_stamp(out: &mut String, time: Rfc3339, level: Level) {
    // Writing into a string cannot fail.
    let _ = write!(out, "{time} {level:<5} ");
}

/// What cannot be shown as `\n`, `\t`, `\u{1b}`, `\u{202e}`; everything else as it is.
fn push_visible(out: &mut String, message: &str) {
    for character in message.chars() {
        if is_showable(character) {
            out.push(character);
        } else {
            out.extend(character.escape_default());
        }
    }
}

fn push_object(out: &mut String, time: Rfc3339, record: &Record, message: &str) {
    let level = record.level().as_str().to_ascii_lowercase();
    let _ = write!(out, r#"{{"time":"{time}","level":"{level}","event":"#);
    let pairs = record.key_values();
    let name = pairs.get(Key::from_str(event::NAME));
    let ours = name.as_ref().and_then(Value::to_borrowed_str);
    push_string(out, ours.unwrap_or("library"));
    out.push_str(",\"message\":");
    push_string(out, message);
    if ours.is_none() {
        out.push_str(",\"library\":");
        push_string(out, record.target());
    }
    // It fails only where a visitor does, and this one never does.
    let _ = pairs.visit(&mut Pairs(out));
    out.push_str("}\n");
}

/// Appends `,"key":value` for each pair but the event's name.
struct Pairs<'a>(&'a mut String);

impl<'kvs> VisitSource<'kvs> for Pairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        if key.as_str() == event::NAME {
            return Ok(());
        }
        self.0.push(',');
        push_string(self.0, key.as_str());
        self.0.push(':');
        value.visit(JsonValue(self.0))
    }
}

/// Appends one value.
struct JsonValue<'a>(&'a mut String);

impl JsonValue<'_> {
    fn push(&mut self, number: impl fmt::Display) {
        let _ = write!(self.0, "{number}");
    }
}

impl VisitValue<'_> for JsonValue<'_> {
    fn visit_any(&mut self, value: Value) -> Result<(), kv::Error> {
        push_string(self.0, &value.to_string());
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        self.push("null");
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.push(value);
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.push(value);
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        // JSON has no other numbers than these.
        if value.is_finite() {
            self.push(value);
            return Ok(());
        }
        self.visit_null()
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.push(value);
        Ok(())
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        push_string(self.0, value);
        Ok(())
    }
}

/// A JSON string (RFC 8259, section 7); what else cannot be shown is escaped too, for terminals' sake.
fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            showable if is_showable(showable) => out.push(showable),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use log::kv::Source;
    use serde_json::{Value as Json, json};

    use super::super::event::Event;
    use super::*;

    const TIME_MS: i64 = 1_795_504_328_123;
    const NASTY: &str = "⏱️ \"a\\b\"\n\r\t\u{1b}[31m\u{7f}\u{9b} é\u{202e}\u{2028}\u{e0041}";

    fn rendered(format: LogFormat, level: Level, event: Option<&Event>, message: &str) -> String {
        let nothing: [(&str, &str); 0] = [];
        let pairs: &dyn Source = event.map_or(&nothing, |event| event);
        super::record(
            format,
            TIME_MS,
            &Record::builder()
                .level(level)
                .target("ureq::run")
                .args(format_args!("{message}"))
                .key_values(&pairs)
                .build(),
            false,
        )
    }

    #[test]
    fn pretty_lines_are_bare_and_full_lines_carry_time_and_level() {
        let event = Event::new("stats").count("produced", 10);
        let text = "📊 Stats: Produced=10";
        let line = |format, level| rendered(format, level, Some(&event), text);
        assert_eq!(
            line(LogFormat::Pretty, Level::Info),
            "📊 Stats: Produced=10\n"
        );
        assert_eq!(
            line(LogFormat::Full, Level::Info),
            "2026-11-24T07:12:08.123Z INFO  📊 Stats: Produced=10\n"
        );
        assert_eq!(
            line(LogFormat::Full, Level::Error),
            "2026-11-24T07:12:08.123Z ERROR 📊 Stats: Produced=10\n"
        );
    }

    #[test]
    fn json_lines_are_one_object_each_with_numbers_as_numbers_and_the_text_as_it_was() {
        let event = Event::new("stats")
            .count("produced", u64::MAX)
            .rate("rate", 1.234_56)
            .rate("strange", f64::NAN)
            .seconds("runtime_seconds", Duration::from_micros(90_000_001))
            .moment("last", TIME_MS)
            .maybe(Some(1), |event, one| event.micros("p50", one))
            .maybe(None::<u64>, |event, one| event.micros("p99", one))
            .text("words", NASTY);
        let line = rendered(LogFormat::Json, Level::Warn, Some(&event), NASTY);
        assert_eq!(line.matches('\n').count(), 1);
        let object: Json = serde_json::from_str(&line).unwrap();
        assert_eq!(
            object,
            json!({
                "time": "2026-11-24T07:12:08.123Z", "level": "warn", "event": "stats", "message": NASTY,
                "produced": u64::MAX, "rate": 1.235, "strange": null, "runtime_seconds": 90.000_001,
                "last": "2026-11-24T07:12:08.123Z", "p50": 0.000_001, "words": NASTY,
            })
        );
        assert!(line.contains(",\"rate\":1.235,"), "{line}");
    }

    #[test]
    fn what_a_library_says_is_an_event_that_names_it() {
        let line = rendered(LogFormat::Json, Level::Warn, None, "x");
        let object: Json = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&object["event"], &object["library"]),
            (&json!("library"), &json!("ureq::run"))
        );
    }

    #[test]
    fn a_block_is_as_many_lines_as_it_has_or_one_object() {
        let text = joined(["📊 Configuration:", "   a\nb", "   c\u{2028}d"]);
        let block = |format| {
            super::record(
                format,
                TIME_MS,
                &Record::builder()
                    .level(Level::Info)
                    .args(format_args!("{text}"))
                    .build(),
                true,
            )
        };
        assert_eq!(
            block(LogFormat::Pretty),
            "📊 Configuration:\n   a\\nb\n   c\\u{2028}d\n"
        );
        assert_eq!(
            block(LogFormat::Full).replace("2026-11-24T07:12:08.123Z INFO ", "@"),
            "@ 📊 Configuration:\n@    a\\nb\n@    c\\u{2028}d\n"
        );
        let object: Json = serde_json::from_str(&block(LogFormat::Json)).unwrap();
        assert_eq!(
            object["message"],
            json!("📊 Configuration:\n   a\\nb\n   c\u{2028}d")
        );
    }

    #[test]
    fn nothing_of_a_message_that_cannot_be_shown_reaches_the_terminal() {
        let event = Event::new("nasty").text("words", NASTY);
        for format in [LogFormat::Pretty, LogFormat::Full, LogFormat::Json] {
            let line = rendered(format, Level::Info, Some(&event), NASTY);
            let text = line.strip_suffix('\n').unwrap();
            assert!(text.chars().all(is_showable), "{line:?}");
        }
        assert_eq!(
            rendered(LogFormat::Pretty, Level::Info, None, NASTY),
            "⏱️ \"a\\b\"\\n\\r\\t\\u{1b}[31m\\u{7f}\\u{9b} é\\u{202e}\\u{2028}\\u{e0041}\n"
        );
    }
}
