//! Everything that there is to see of a run at one moment: what `/metrics`, `/status` and the page show.
//!
//! Plain data, gathered when someone asks. Nothing here reads a clock or asks anybody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::failures::Failure;
use super::latency::Latencies;
use super::process::Process;
use super::snapshot::Snapshot;
use super::text::rounded;
use super::troubles::Trouble;
use crate::kafka::client::status::Status;

/// Without an acknowledgement for so long, or for three intervals if that is longer, nothing is being produced.
pub const QUIET: Duration = Duration::from_secs(30);

/// What does not change while it runs.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Where it produces to, as the user gave it.
    pub cluster: String,
    /// The topic.
    pub topic: String,
    /// The registry, as the user gave it, without credentials.
    pub registry: String,
    /// Of the shoes.
    pub seed: u64,
    /// Which of several producers.
    pub instance_id: u16,
    /// When the process began, in milliseconds since 1970.
    pub started_ms: i64,
    /// Time between messages; zero: full speed.
    pub interval: Duration,
    /// After how many messages it ends.
    pub count_limit: Option<u64>,
    /// After how long it ends.
    pub duration_limit: Option<Duration>,
    /// `KAFKA_BUFFER_MEMORY`, in bytes.
    pub buffer_limit: usize,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Registry, brokers and topic are still being looked for.
    Starting,
    /// The loop runs.
    Producing,
    /// What is generated is being delivered.
    Stopping,
    /// The books are closed.
    Ended,
}

impl State {
    /// One word.
    pub fn name(self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Producing => "producing",
            State::Stopping => "stopping",
            State::Ended => "ended",
        }
    }
}

/// What a start waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Awaited {
    /// Nothing yet: threads are being started.
    #[default]
    Nothing,
    /// The first token.
    Token,
    /// The registry, and the schema's id.
    Registry,
    /// Brokers and the topic.
    Brokers,
}

impl Awaited {
    fn reason(self) -> &'static str {
        match self {
            Awaited::Nothing => "the run is starting",
            Awaited::Token => "waiting for the token endpoint",
            Awaited::Registry => "waiting for the Schema Registry",
            Awaited::Brokers => "waiting for the brokers and the topic",
        }
    }
}

/// Whether it produces, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// It does.
    pub ready: bool,
    /// One line.
    pub reason: String,
}

impl Readiness {
    /// `awaited`: what is waited for while it starts. `acknowledged`: how long ago a message was acknowledged, if one ever was.
    pub fn of(
        state: State,
        awaited: Awaited,
        acknowledged: Option<Duration>,
        interval: Duration,
    ) -> Self {
        let (ready, reason) = match (state, acknowledged) {
            (State::Stopping | State::Ended, _) => (false, "the run is stopping".to_owned()),
            (State::Starting, _) => (false, awaited.reason().to_owned()),
            (State::Producing, None) => (false, "no message was acknowledged yet".to_owned()),
            (State::Producing, Some(ago)) => {
                let reason = format!("the last message was acknowledged {} ago", rounded(ago));
                (ago <= QUIET.max(interval.saturating_mul(3)), reason)
            }
        };
        Self { ready, reason }
    }
}

/// See the module.
#[derive(Debug)]
pub struct View {
    /// What does not change.
    pub facts: Arc<Facts>,
    /// How far it is.
    pub state: State,
    /// Whether it produces.
    pub readiness: Readiness,
    /// Since the process began.
    pub uptime: Duration,
    /// The counters of the run.
    pub counts: Snapshot,
    /// Records that were given up, by reason.
    pub failures: BTreeMap<Failure, u64>,
    /// How long acknowledgements took, by [`super::metrics::LATENCY_BOUNDS_US`].
    pub latencies: Latencies,
    /// What keeps it from its schedule, if it is behind.
    pub limited_by: Option<&'static str>,
    /// The Kafka client.
    pub client: Status,
    /// Chunks between the generator and the producer.
    pub channel_chunks: usize,
    /// What went wrong lately, the newest first.
    pub troubles: Vec<Trouble>,
    /// Warnings since the start.
    pub warnings: u64,
    /// Errors since the start.
    pub errors: u64,
    /// What the system says.
    pub process: Option<Process>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn of(state: State, acknowledged: Option<Duration>, interval: Duration) -> Readiness {
        Readiness::of(state, Awaited::Nothing, acknowledged, interval)
    }

    #[test]
    fn a_run_is_ready_while_a_message_was_acknowledged_within_three_intervals_or_half_a_minute() {
        for (interval, ago, ready) in [
            (1, 0, true),
            (1, 30, true),
            (1, 31, false),
            (0, 31, false),
            (3600, 3 * 3600, true),
            (3600, 3 * 3600 + 1, false),
        ] {
            let interval = interval * SECOND;
            let readiness = of(State::Producing, Some(ago * SECOND), interval);
            assert_eq!(readiness.ready, ready, "{interval:?} {ago}");
        }
        let longest = of(State::Producing, Some(Duration::MAX), Duration::MAX);
        assert!(longest.ready);
        for (state, ago) in [
            (State::Starting, None),
            (State::Producing, None),
            (State::Stopping, Some(Duration::ZERO)),
            (State::Ended, Some(Duration::ZERO)),
        ] {
            assert!(!of(state, ago, SECOND).ready, "{state:?}");
        }
        let told = of(State::Producing, Some(45 * SECOND), SECOND).reason;
        assert_eq!(told, "the last message was acknowledged 45s ago");
    }
}
