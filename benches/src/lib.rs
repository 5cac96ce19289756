//! What the contestants written in Rust share: what they are asked for, what they send, what they say at their end.
//!
//! A contestant is a program of its own, `NAME BOOTSTRAP TOPIC SECONDS`: it sends as fast as it can for so long, waits for
//! what is in flight, and prints one line, `acknowledged N in S s`, S counting from its first send to its last
//! acknowledgement. Whatever was not acknowledged makes it fail. Nothing here opens a socket or measures anything else.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// As long as a shoe's id.
pub const KEY_BYTES: usize = 36;
/// The mean of a framed shoe.
pub const VALUE_BYTES: usize = 93;
/// So many keys are made beforehand and sent in turn: enough for every partition to get its share, few enough to stay in a
/// cache.
const KEYS: usize = 4096;
/// Records between two looks at the clock.
const CLOCK_RECORDS: u32 = 64;

/// Whatever went wrong: it is printed, and ends the contestant.
pub type Failure = Box<dyn Error + Send + Sync>;

/// What a contestant is asked for.
#[derive(Debug, Clone)]
pub struct Job {
    /// `host:port`, of the first broker or of the sink.
    pub bootstrap: String,
    /// The topic, which exists.
    pub topic: String,
    /// For how long it sends.
    pub duration: Duration,
}

/// What a contestant did.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    /// Records that the other end said it has.
    pub acknowledged: u64,
    /// From the first send to the last acknowledgement.
    pub elapsed: Duration,
}

/// A contestant's `main`.
pub fn contend(run: impl FnOnce(&Job) -> Result<Done, Failure>) -> ExitCode {
    match job().and_then(|job| run(&job)) {
        Ok(done) => {
            let seconds = done.elapsed.as_secs_f64();
            println!("acknowledged {} in {seconds:.6} s", done.acknowledged);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn job() -> Result<Job, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bootstrap, topic, seconds] = <[String; 3]>::try_from(arguments)
        .map_err(|_| "three arguments are wanted: BOOTSTRAP TOPIC SECONDS")?;
    let duration = Duration::try_from_secs_f64(seconds.parse()?)?;
    Ok(Job {
        bootstrap,
        topic,
        duration,
    })
}

/// Ready-made records: nothing of them is invented while the clock runs.
#[derive(Debug, Clone)]
pub struct Payload {
    keys: Vec<String>,
    /// The value of every record.
    pub value: Vec<u8>,
}

impl Payload {
    /// The same in every run.
    pub fn new() -> Self {
        let key = |n: usize| format!("{n:08x}-0000-4000-8000-{n:012x}");
        Self {
            keys: (0..KEYS).map(key).collect(),
            value: vec![b'.'; VALUE_BYTES],
        }
    }

    /// The keys in turn, without end.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str).cycle()
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::new()
    }
}

/// Tells when the time is over, and asks the system for it only now and then.
#[derive(Debug)]
pub struct Countdown {
    end: Instant,
    until_look: u32,
}

impl Countdown {
    /// It counts from now.
    pub fn new(duration: Duration) -> Self {
        Self {
            end: Instant::now() + duration,
            until_look: 0,
        }
    }

    /// Asked once a record. Once over, it stays so.
    #[inline]
    pub fn is_over(&mut self) -> bool {
        if self.until_look > 0 {
            self.until_look -= 1;
            return false;
        }
        let is_over = Instant::now() >= self.end;
        self.until_look = if is_over { 0 } else { CLOCK_RECORDS };
        is_over
    }
}
