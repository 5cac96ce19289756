//! The program with wider records: `WIDE_BYTES` more bytes in each value, for `benches/run growth`.
//!
//! All of it is the program's own, settings, threads and client; only behind each shoe comes a field that the schema does not
//! know, which Protobuf has its readers skip. Takes no flags but the program's.

use std::env;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use continuous_producer::kafka::config::MessageKey;
use continuous_producer::pipeline::chunk::{Chunk, Lengths};
use continuous_producer::pipeline::{run_with, source};
use continuous_producer::report;
use continuous_producer::settings::{self, Command};
use continuous_producer::shoe::{ID_BYTES, ROOM_BYTES, ShoeGenerator, TooLong};

/// Field 100, length-delimited.
const FIELD: [u8; 2] = [0xa2, 0x06];

fn main() -> ExitCode {
    let extra = env::var("WIDE_BYTES")
        .ok()
        .and_then(|text| text.parse().ok());
    let loaded = settings::load(env::args_os().skip(1), env::vars_os(), Path::new("."));
    let (Some(extra), Ok(loaded)) = (extra, loaded) else {
        eprintln!("WIDE_BYTES, and what the program must be told");
        return ExitCode::FAILURE;
    };
    let Command::Run(settings) = loaded.command else {
        eprintln!("it only runs");
        return ExitCode::FAILURE;
    };
    // It fails only where there is a logger already.
    let _ = report::log::init(settings.common.log_level, settings.common.log_format);
    let exit = run_with(&settings, &loaded.warnings, |shoes, prefix, key| {
        wide(shoes, prefix, key, extra)
    });
    ExitCode::from(exit.code())
}

/// As `pipeline::source::shoes`, and then the field.
fn wide(
    shoes: ShoeGenerator,
    prefix: Vec<u8>,
    key: MessageKey,
    extra: usize,
) -> impl FnMut(u64, &mut Chunk, Instant, i64) -> Result<(), TooLong> {
    let field = field(extra);
    let room = ID_BYTES + prefix.len() + ROOM_BYTES + field.len();
    move |n, chunk, due, timestamp_ms| {
        let shoe = shoes.shoe(n);
        chunk.push_within(due, timestamp_ms, room, |room| {
            let shoe = source::write(&shoe, &prefix, key, room)?;
            let end = shoe.key.unwrap_or(0) + shoe.value;
            let after = room.get_mut(end..end + field.len());
            after.ok_or(TooLong)?.copy_from_slice(&field);
            Ok(Lengths {
                value: shoe.value + field.len(),
                ..shoe
            })
        })
    }
}

/// A field of `bytes` bytes in all, or a few more; none if none are wanted.
fn field(bytes: usize) -> Vec<u8> {
    if bytes == 0 {
        return Vec::new();
    }
    let content = bytes.saturating_sub(FIELD.len() + 2);
    let mut field = FIELD.to_vec();
    let mut length = content;
    while length >= 0x80 {
        field.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    field.push(length.to_le_bytes()[0]);
    field.resize(field.len() + content, b'.');
    field
}
