//! The generator's promises: what it makes, when, and when it ends.

use std::thread;

use super::super::chunk::{CHUNK_RECORDS_MAX, ChunkRing, Record};
use super::*;

const MS: Duration = Duration::from_millis(1);
const FAR: Duration = Duration::from_secs(60);

/// What a generator is lent.
struct World {
    start: Instant,
    stop: Stop,
    stats: Stats,
    errors: ErrorSummary,
    ring: ChunkRing,
}

impl World {
    fn new() -> Self {
        let start = Instant::now();
        Self {
            start,
            stop: Stop::new(),
            stats: Stats::new(start).unwrap(),
            errors: ErrorSummary::new(),
            ring: ChunkRing::new(2),
        }
    }

    fn generator(&self, interval: Duration, limits: Limits) -> Generator<'_> {
        Generator {
            schedule: Schedule::new(interval, self.start),
            step: MS,
            limits,
            full: self.ring.full_in.clone(),
            empty: self.ring.empty_out.clone(),
            stop: &self.stop,
            stats: &self.stats,
            errors: &self.errors,
        }
    }

    /// All record numbers that were handed over; chunks go back as they are.
    fn drain(&self) -> Vec<u64> {
        let mut numbers = Vec::new();
        while let Ok(chunk) = self.ring.full_out.try_recv() {
            numbers.extend(chunk.records().map(|record| number(record.value)));
            self.ring.empty_in.send(chunk).unwrap();
        }
        numbers
    }
}

fn number(value: &[u8]) -> u64 {
    u64::from_be_bytes(value.try_into().unwrap())
}

#[allow(clippy::unnecessary_wraps)]
fn write(n: u64, chunk: &mut Chunk, due: Instant, timestamp_ms: i64) -> Result<(), &'static str> {
    chunk.push(due, timestamp_ms, None, |out| {
        out.extend_from_slice(&n.to_be_bytes());
    });
    Ok(())
}

fn count(count: u64) -> Limits {
    Limits {
        count: Some(count),
        deadline: None,
    }
}

#[test]
fn exactly_the_wanted_count_is_generated_numbered_from_zero() {
    for wanted in [0, 1, 63, 64, 65, 5000] {
        let world = World::new();
        let generated = world.generator(Duration::ZERO, count(wanted)).run(write);
        assert_eq!(generated, wanted);
        assert_eq!(world.drain(), (0..wanted).collect::<Vec<_>>());
        assert_eq!(world.stop.reason(), Some(StopReason::Count));
        assert_eq!(world.stats.ledger(wanted).generated, wanted);
    }
}

#[test]
fn what_cannot_be_encoded_is_counted_and_the_loop_goes_on() {
    let world = World::new();
    let generated = world
        .generator(Duration::ZERO, count(100))
        .run(|n, chunk, due, ms| {
            if n % 10 == 3 {
                Err("odd shoe")
            } else {
                write(n, chunk, due, ms)
            }
        });
    assert_eq!(generated, 90);
    assert_eq!(world.drain().len(), 90);
    let snapshot = world.stats.snapshot(world.start);
    assert_eq!(
        (snapshot.generated, snapshot.serialization_errors),
        (90, 10)
    );
}

#[test]
fn a_waiting_generator_stops_at_once() {
    let world = World::new();
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            world
                .generator(60 * 60 * 1000 * MS, Limits::default())
                .run(write)
        });
        let first = world.ring.full_out.recv_timeout(FAR).unwrap();
        assert_eq!(first.len(), 1, "a record that is due leaves at once");
        world.stop.stop(StopReason::Failed);
        assert_eq!(thread.join().unwrap(), 1);
    });
    assert!(world.start.elapsed() < FAR);
}

#[test]
fn a_blocked_generator_holds_nothing_and_stops_at_once() {
    let world = World::new();
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            world
                .generator(Duration::ZERO, Limits::default())
                .run(write)
        });
        let chunks = [(); 2].map(|()| world.ring.full_out.recv_timeout(FAR).unwrap());
        world.stop.stop(StopReason::Failed);
        let handed_over: usize = chunks.iter().map(Chunk::len).sum();
        assert_eq!(thread.join().unwrap(), handed_over as u64);
        assert_eq!(handed_over, 2 * CHUNK_RECORDS_MAX);
    });
    assert_eq!(
        world.stats.ledger(0).generated,
        2 * CHUNK_RECORDS_MAX as u64
    );
}

#[test]
fn the_deadline_ends_a_waiting_and_a_blocked_generator() {
    for interval in [FAR, Duration::ZERO] {
        let world = World::new();
        let deadline = world.start + 20 * MS;
        let limits = Limits {
            count: None,
            deadline: Some(deadline),
        };
        assert!(world.generator(interval, limits).run(write) > 0);
        assert!(Instant::now() >= deadline && world.start.elapsed() < FAR);
        assert_eq!(world.stop.reason(), Some(StopReason::Duration));
    }
}

#[test]
fn without_a_producer_nothing_counts_as_generated() {
    let World {
        start,
        stop,
        stats,
        errors,
        ring,
    } = World::new();
    drop(ring.full_out);
    let generator = Generator {
        schedule: Schedule::new(Duration::ZERO, start),
        step: MS,
        limits: Limits::default(),
        full: ring.full_in,
        empty: ring.empty_out,
        stop: &stop,
        stats: &stats,
        errors: &errors,
    };
    assert_eq!(generator.run(write), 0);
    assert_eq!(stop.reason(), Some(StopReason::Failed));
    assert!(stats.ledger(0).adds_up());
}

/// Fills one chunk on a clock that gives `times` (milliseconds since the start) in turn, then stays at the last.
fn fill_at(
    world: &World,
    interval: Duration,
    limits: Limits,
    times: &[u32],
) -> (Filled, Vec<(u64, Duration, i64)>) {
    let mut times = times.iter().copied();
    let mut ms = 0;
    let mut chunk = Chunk::with_capacity(1024);
    let clocks = || {
        ms = times.next().unwrap_or(ms);
        (world.start + ms * MS, i64::from(ms))
    };
    let filled = world
        .generator(interval, limits)
        .fill(&mut chunk, &mut 0, clocks, write);
    let records = chunk
        .records()
        .map(|r| (number(r.value), r.due - world.start, r.timestamp_ms))
        .collect();
    (filled, records)
}

#[test]
fn a_burst_carries_the_times_at_which_its_messages_were_due() {
    let world = World::new();
    let (filled, records) = fill_at(&world, 10 * MS, Limits::default(), &[25, 31]);
    assert_eq!(filled, Filled::Wait(world.start + 40 * MS));
    let expected = [(0, 0, 25), (1, 10, 25), (2, 20, 25), (3, 30, 31)];
    assert_eq!(records, expected.map(|(n, due, made)| (n, due * MS, made)));
}

#[test]
fn a_late_wake_up_at_the_deadline_still_produces_what_was_due_before_it() {
    let world = World::new();
    let limits = Limits {
        count: None,
        deadline: Some(world.start + 50 * MS),
    };
    let (filled, records) = fill_at(&world, 10 * MS, limits, &[58]);
    assert_eq!(filled, Filled::End(StopReason::Duration));
    assert_eq!(records.len(), 5, "due at 0, 10, 20, 30 and 40 ms");
    let (filled, records) = fill_at(&world, Duration::ZERO, limits, &[49, 50]);
    assert_eq!(filled, Filled::End(StopReason::Duration));
    assert_eq!(
        records.len(),
        CLOCK_RECORDS as usize,
        "at full speed nothing was due before"
    );
}

/// Lateness of every wake-up in the virtual time of the test below.
const LATE: Duration = Duration::from_micros(55);

/// Runs for a second of virtual time. Returns how many bursts there were, when each message was due, and how
/// long it waited.
fn bursts(interval: Duration, step: Duration) -> (usize, Vec<(Duration, Duration)>) {
    let world = World::new();
    let mut generator = world.generator(interval, Limits::default());
    generator.step = step;
    let mut chunk = Chunk::with_capacity(1024);
    let (mut next, mut now, mut bursts, mut made) = (0, world.start, 0, Vec::new());
    while now < world.start + 1000 * MS {
        let filled = generator.fill(&mut chunk, &mut next, || (now, 0), write);
        let Filled::Wait(due) = filled else {
            panic!("{filled:?}");
        };
        if !chunk.is_empty() {
            bursts += 1;
            let times = |record: Record<'_>| (record.due - world.start, now - record.due);
            made.extend(chunk.records().map(times));
            chunk.clear();
        }
        now = generator.wake_up(due) + LATE;
    }
    (bursts, made)
}

#[test]
fn a_short_interval_is_kept_in_bursts_and_nothing_waits_longer_than_the_step() {
    for interval_us in [3, 10, 50, 400, 500, 501, 999, 1000, 7000] {
        let interval = Duration::from_micros(interval_us);
        let (bursts, made) = bursts(interval, MS);
        assert!(bursts <= 2000, "{bursts} at {interval:?}");
        let due = (0u32..).map(|n| n * interval).take(made.len());
        assert!(made.iter().map(|&(due, _)| due).eq(due));
        let next = made.last().unwrap().0 + interval;
        assert!(next > 999 * MS, "next at {next:?}, {interval:?}");
        let in_bursts = interval * 2 <= MS;
        let waited = made.iter().map(|&(_, waited)| waited).max().unwrap();
        let waited_max = LATE + if in_bursts { MS } else { Duration::ZERO };
        assert!(waited <= waited_max, "{waited:?} at {interval:?}");
    }
}

#[test]
fn without_a_step_nothing_waits_for_what_is_due_next() {
    for interval_us in [100, 400, 7000] {
        let (_, made) = bursts(Duration::from_micros(interval_us), Duration::ZERO);
        assert!(made.iter().all(|&(_, waited)| waited <= LATE));
    }
}

#[test]
fn the_step_is_a_small_part_of_the_linger_and_nothing_without_one() {
    assert_eq!(step_within(Duration::ZERO), Duration::ZERO);
    assert_eq!(step_within(MS), MS / 5);
    assert_eq!(step_within(5 * MS), STEP_MAX);
    assert_eq!(step_within(FAR), STEP_MAX);
}

#[test]
fn a_stop_is_seen_within_a_few_records() {
    let world = World::new();
    world.stop.stop(StopReason::Failed);
    let (filled, records) = fill_at(&world, Duration::ZERO, Limits::default(), &[0]);
    assert_eq!(
        (filled, records.len()),
        (Filled::End(StopReason::Failed), 0)
    );
}
