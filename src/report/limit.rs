//! Which part of the program, or of the world, keeps it from being faster: from what was measured over one interval.
//!
//! The generator either has room to write to or waits for it. If it hardly waits, it is the limit itself. If it waits, somebody
//! behind it is: the producer thread, unless the memory was full too; then the memory, if brokers would have taken more, or the
//! brokers. Pure: it reads no clock and says nothing by itself.

use std::fmt;
use std::time::Duration;

use super::snapshot::{Interval, Snapshot};
use super::text::{grouped, rounded};

/// Kinds of trouble in the log begin with this.
pub const TROUBLE: &str = "behind schedule";

/// Who is late by less is late as timers and other processes make everybody.
const BEHIND_MIN: Duration = Duration::from_secs(1);

/// What is the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LimitedBy {
    /// One thread makes no more messages than this.
    Generator,
    /// The thread that makes batches of them: compression, encryption, many partitions.
    Producer,
    /// The memory for what is not acknowledged yet.
    Buffer,
    /// Brokers that answer slowly, or not at all.
    Broker,
}

impl LimitedBy {
    /// What was the limit in this interval, if there was one: ask where there is reason to.
    pub fn of(interval: &Interval) -> Self {
        let blocked = interval.generator_blocked;
        let full = interval.full_for_buffer + interval.full_for_broker;
        if blocked * 5 < interval.time {
            Self::Generator
        } else if full * 2 < blocked {
            Self::Producer
        } else if interval.full_for_buffer > interval.full_for_broker {
            Self::Buffer
        } else {
            Self::Broker
        }
    }

    /// Its name, as metrics, the page and the log have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Generator => "generator",
            Self::Producer => "producer",
            Self::Buffer => "buffer",
            Self::Broker => "broker",
        }
    }

    /// What it is, in words.
    fn words(self) -> &'static str {
        match self {
            Self::Generator => {
                "the generator is the limit (it had room to write to: processor time is what its thread lacked)"
            }
            Self::Producer => {
                "the producer thread is the limit (compression, encryption, many partitions)"
            }
            Self::Buffer => {
                "the memory for messages is the limit (it was full, and brokers would have taken more)"
            }
            Self::Broker => {
                "the brokers are the limit (the memory was full of what they had not acknowledged)"
            }
        }
    }

    /// What may be done about it.
    fn remedy(self) -> &'static str {
        match self {
            Self::Generator => {
                "raise MESSAGE_INTERVAL, see that the machine has a core for it, or run several instances, each with its INSTANCE_ID"
            }
            Self::Producer => {
                "choose a cheaper KAFKA_COMPRESSION_TYPE, or run several instances, each with its INSTANCE_ID"
            }
            Self::Buffer => "raise KAFKA_BUFFER_MEMORY",
            Self::Broker => {
                "look at the brokers and the way to them, give the topic more partitions on more brokers, or raise MESSAGE_INTERVAL"
            }
        }
    }
}

/// A schedule that was not kept, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    by: Duration,
    skipped: u64,
    over: Duration,
    /// What is the limit.
    pub limit: LimitedBy,
}

impl Behind {
    /// Whether the schedule was not kept in the `interval` that ended with `snapshot`: ticks were skipped, or it is late by a second
    /// and at least one message. `pace` is the time between messages.
    pub fn seen(snapshot: &Snapshot, interval: &Interval, pace: Duration) -> Option<Self> {
        let is_late = snapshot.behind >= BEHIND_MIN.max(pace);
        (is_late || interval.skipped > 0).then(|| Self {
            by: snapshot.behind,
            skipped: interval.skipped,
            over: interval.time,
            limit: LimitedBy::of(interval),
        })
    }

    /// What kind of trouble it is: another limit is another trouble.
    pub fn kind(&self) -> String {
        format!("{TROUBLE}: {}", self.limit.name())
    }
}

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("behind schedule")?;
        if self.by >= BEHIND_MIN {
            write!(f, " by {}", rounded(self.by))?;
        }
        if self.skipped > 0 {
            let messages = if self.skipped == 1 {
                "message"
            } else {
                "messages"
            };
            write!(
                f,
                ", {} {messages} skipped in the last {}",
                grouped(self.skipped),
                rounded(self.over)
            )?;
        }
        write!(f, ": {}; {}", self.limit.words(), self.limit.remedy())
    }
}

#[cfg(test)]
mod tests {
    use super::LimitedBy::{Broker, Buffer, Generator, Producer};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn interval(blocked_ms: u64, buffer_ms: u64, broker_ms: u64) -> Interval {
        Interval {
            time: 10 * SECOND,
            generator_blocked: Duration::from_millis(blocked_ms),
            full_for_buffer: Duration::from_millis(buffer_ms),
            full_for_broker: Duration::from_millis(broker_ms),
            ..Interval::default()
        }
    }

    #[test]
    fn the_limit_is_the_first_part_that_does_not_wait_for_the_next() {
        for (blocked, buffer, broker, expected) in [
            (0, 0, 0, Generator),
            (1_999, 0, 0, Generator),
            (1_999, 9_000, 1_000, Generator),
            (2_000, 0, 0, Producer),
            (9_000, 2_000, 2_499, Producer),
            (9_000, 2_000, 2_500, Broker),
            (9_000, 2_500, 2_000, Buffer),
            (10_000, 10_000, 0, Buffer),
            (10_000, 0, 10_000, Broker),
            (10_000, 5_000, 5_000, Broker),
        ] {
            let limit = LimitedBy::of(&interval(blocked, buffer, broker));
            assert_eq!(limit, expected, "{blocked} {buffer} {broker}");
        }
    }

    #[test]
    fn a_schedule_is_not_kept_if_ticks_were_skipped_or_it_is_late_by_a_second_and_a_message() {
        let seen = |behind_ms, skipped, pace_ms| {
            let snapshot = Snapshot {
                behind: Duration::from_millis(behind_ms),
                ..Snapshot::default()
            };
            let interval = Interval {
                skipped,
                ..interval(0, 0, 0)
            };
            Behind::seen(&snapshot, &interval, Duration::from_millis(pace_ms)).is_some()
        };
        for (behind_ms, skipped, pace_ms, expected) in [
            (0, 0, 1000, false),
            (999, 0, 1, false),
            (1000, 0, 1, true),
            (1000, 0, 1001, false),
            (5000, 0, 5000, true),
            (0, 1, 1, true),
            (0, 0, 0, false),
        ] {
            assert_eq!(seen(behind_ms, skipped, pace_ms), expected);
        }
    }

    #[test]
    fn what_is_said_names_the_limit_and_a_remedy() {
        let behind = Behind {
            by: Duration::from_millis(1500),
            skipped: 12_345,
            over: 10 * SECOND,
            limit: Buffer,
        };
        assert_eq!(behind.kind(), "behind schedule: buffer");
        assert_eq!(
            behind.to_string(),
            "behind schedule by 2s, 12,345 messages skipped in the last 10s: the memory for messages is the limit (it was \
             full, and brokers would have taken more); raise KAFKA_BUFFER_MEMORY"
        );
        for limit in [Generator, Producer, Broker] {
            let line = Behind {
                by: Duration::ZERO,
                skipped: 1,
                over: SECOND,
                limit,
            }
            .to_string();
            let start = "behind schedule, 1 message skipped in the last 1s: the ";
            assert!(line.starts_with(start), "{line}");
            assert!(line.contains(limit.name()), "{line}");
        }
    }
}
