//! `--dry-run`: the same shoes at the same pace, as JSON lines on standard output. Connects to nothing.
//!
//! It runs the very generator of a real run; its chunks hold JSON instead of records. A reader that goes away (`| head`)
//! ends it in peace.

use std::convert::Infallible;
use std::io::{self, ErrorKind, Write};
use std::time::{Duration, Instant};

use super::chunk::{Chunk, ChunkRing};
use super::generator::Generator;
use super::schedule::Schedule;
use super::shutdown::{Stop, StopReason};
use super::threads::Threads;
use super::{CHUNKS, counters, join, limits, seed, spawn, watch_signals};
use crate::error::{Error, Exit};
use crate::report::repeat::ErrorSummary;
use crate::settings::Common;
use crate::shoe::ShoeGenerator;

/// Writes shoes until the count or the duration is reached, a signal comes, or nobody reads any more.
pub fn run(common: &Common) -> Exit {
    match write_all(common) {
        Ok(()) => Exit::Delivered,
        Err(error) => {
            log::error!(event = "error", kind = error.kind(); "❌ {error}");
            Exit::Incomplete
        }
    }
}

fn write_all(common: &Common) -> Result<(), Error> {
    let stop = Stop::new();
    let signals = watch_signals(&stop, &Threads::default())?;
    let start = Instant::now();
    let stats = counters(start)?;
    let seed = seed(common);
    let (digits, instance) = (seed.to_string(), common.instance_id);
    log::debug!(event = "seed", seed = digits.as_str(), instance_id = instance; "Seed {seed}, instance {instance}");
    let shoes = ShoeGenerator::new(seed, common.instance_id);
    let ring = ChunkRing::new(CHUNKS);
    let (full, empty, schedule, limits) = (
        ring.full_in,
        ring.empty_out,
        Schedule::new(common.interval, start),
        limits(common, start),
    );
    let (stop_of_generator, errors) = (stop.clone(), ErrorSummary::new());
    let generator = spawn("generator", move || {
        Generator {
            schedule,
            step: Duration::ZERO,
            limits,
            full,
            empty,
            stop: &stop_of_generator,
            stats: &stats,
            errors: &errors,
        }
        .run(|n, chunk: &mut Chunk, due, timestamp_ms| {
            chunk.push(due, timestamp_ms, None, |out| {
                shoes.shoe(n).write_json(out);
            });
            Ok::<(), Infallible>(())
        })
    })?;
    let written: io::Result<()> = ring.full_out.iter().try_for_each(|chunk| {
        write_chunk(&chunk)?;
        // The generator may be gone: then nobody needs it.
        let _ = ring.empty_in.try_send(chunk);
        Ok(())
    });
    stop.stop(StopReason::Failed);
    drop(ring.full_out);
    join("generator", generator)?;
    signals
        .join()
        .map_err(|_| Error::Panicked { thread: "signals" })?;
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::System {
            doing: "writing to standard output",
            error,
        }),
        _ => Ok(()),
    }
}

fn write_chunk(chunk: &Chunk) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for record in chunk.records() {
        out.write_all(record.value)?;
    }
    out.flush()
}
