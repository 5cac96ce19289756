//! The lines that the user reads while it runs: all of their wording, and nothing else.
//!
//! Fixed lines are constants, the others functions of their values; none ends with a line feed, and a block is a list of
//! lines. Nothing here prints, and nothing reads a clock. Durations and names that come from the settings are passed as
//! the settings write them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

/// The first line.
pub const STARTING: &str =
    "🚀 Starting Continuous Kafka Producer with Random Shoe Data Generation...";
/// After the configuration.
pub const INITIALIZING: &str = "🔧 Initializing continuous producer components...";
/// Before the registry is asked for the first time.
pub const TESTING_REGISTRY: &str = "🔍 Testing Schema Registry connectivity...";
/// The shoe generator is there.
pub const GENERATOR_INITIALIZED: &str = "✅ Random shoe generator initialized";
/// The schema is registered, or was found.
pub const SERIALIZER_CREATED: &str = "✅ Protobuf serializer created";
/// The cluster and the topic were found.
pub const PRODUCER_CREATED: &str = "✅ Kafka async producer created";
/// The last two lines before the threads start.
pub const STARTING_LOOP: [&str; 2] = [
    "🔄 Starting continuous production loop...",
    "   Press Ctrl+C to stop gracefully",
];
/// The first signal has come.
pub const SIGNAL_RECEIVED: &str = "⏹️ Shutdown signal received. Stopping production...";
/// As many messages as were wanted have been generated.
pub const COUNT_REACHED: &str = "⏹️ Message count reached. Stopping production...";
/// It has run for as long as was wanted.
pub const DURATION_REACHED: &str = "⏹️ Run duration reached. Stopping production...";
/// It cannot go on; the error was logged before.
pub const CANNOT_GO_ON: &str = "⏹️ Production cannot go on. Stopping production...";
/// The second signal has come.
pub const SECOND_SIGNAL_RECEIVED: &str = "⏹️ Second shutdown signal received. Ending at once...";
/// The generator has ended.
pub const LOOP_STOPPING: &str = "🛑 Production loop stopping...";
/// While what is generated is being delivered.
pub const CLOSING: [&str; 3] = [
    "🔒 Closing continuous producer...",
    "📤 Flushing buffered messages...",
    "⏳ Waiting for all messages to be processed...",
];
/// Everything that could be delivered is.
pub const CLOSED: [&str; 2] = [
    "✅ Continuous producer closed successfully",
    "✅ Graceful shutdown completed",
];

/// What it is going to do. `cluster` and `registry` as the user gave them, without credentials.
pub fn configuration(cluster: &str, topic: &str, interval: &str, registry: &str) -> [String; 5] {
    [
        "📊 Configuration loaded:".to_owned(),
        format!("   📡 Kafka Cluster: {cluster}"),
        format!("   📝 Topic: {topic}"),
        format!("   ⏱️ Message Interval: {interval}"),
        format!("   📈 Schema Registry: {registry}"),
    ]
}

/// Which shoes they will be: with both numbers the same run can be made again.
pub fn seed(seed: u64, instance_id: u16) -> String {
    format!("   🎲 Seed: {seed}, instance {instance_id}")
}

/// Where those may look who want to.
pub fn metrics_at(address: SocketAddr) -> String {
    format!("   🩺 Metrics: http://{address}/metrics (page: http://{address}/)")
}

/// The registry answered; `status` is one word.
pub fn registry_verified(status: &str) -> String {
    format!("✅ Schema Registry connectivity verified! Status: {{Status:{status}}}")
}

/// The threads run.
pub fn loop_started(interval: &str) -> String {
    format!("🔄 Production loop started with interval: {interval}")
}

/// So many records, in words.
pub fn records(count: u64) -> String {
    let noun = if count == 1 { "record" } else { "records" };
    format!("{count} {noun}")
}

/// Partitions whose messages waited are back; `after`: the shortest and the longest time that took.
pub fn recovered(
    topic: &str,
    partitions: &BTreeSet<i32>,
    after: (Duration, Duration),
    waited: u64,
    failed: u64,
) -> String {
    let mut names = partitions.iter().map(|index| format!("{topic}-{index}"));
    let who = match (names.next(), names.next(), partitions.len()) {
        (Some(only), None, _) => format!("{only} is"),
        (Some(first), Some(second), 2) => format!("{first} and {second} are"),
        (Some(first), Some(second), all) => format!("{first}, {second} and {} more are", all - 2),
        (None, ..) => return String::new(),
    };
    let (shortest, longest) = (rounded(after.0), rounded(after.1));
    let up_to = if shortest == longest { "" } else { "up to " };
    let waited = match waited {
        1 => "1 message".to_owned(),
        _ => format!("{} messages", grouped(waited)),
    };
    let lost = match failed {
        0 => "none lost".to_owned(),
        _ => format!("{} failed", grouped(failed)),
    };
    format!("✅ {who} back after {up_to}{longest}, {waited} waited, {lost}")
}

/// A count with a comma between thousands.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A duration to the second, below a second to the millisecond, written as Go does: `1h2m3s`, `1m30s`, `10s`, `350ms`. Parts
/// that are zero are left out.
pub fn rounded(duration: Duration) -> String {
    let ms = duration.as_nanos().saturating_add(500_000) / 1_000_000;
    if ms < 1000 {
        return if ms == 0 {
            "0s".to_owned()
        } else {
            format!("{ms}ms")
        };
    }
    let seconds = (ms + 500) / 1000;
    let part = |number, unit| {
        if number > 0 {
            format!("{number}{unit}")
        } else {
            String::new()
        }
    };
    part(seconds / 3600, 'h') + &part(seconds / 60 % 60, 'm') + &part(seconds % 60, 's')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_record_is_no_records() {
        assert_eq!(
            [0, 1, 2].map(records),
            ["0 records", "1 record", "2 records"]
        );
    }

    #[test]
    fn partitions_that_are_back_are_named_with_how_long_it_took_and_what_it_cost() {
        let seconds = |shortest: u64, longest: u64| {
            let longest = Duration::from_millis(longest * 1000 + 400);
            (Duration::from_secs(shortest), longest)
        };
        for (partitions, after, waited, failed, expected) in [
            (
                vec![3],
                (12, 12),
                4812,
                0,
                "js_shoe-3 is back after 12s, 4,812 messages waited, none lost",
            ),
            (
                vec![3],
                (1, 1),
                1,
                1,
                "js_shoe-3 is back after 1s, 1 message waited, 1 failed",
            ),
            (
                vec![10, 2],
                (2, 3),
                999,
                1_234_567,
                "js_shoe-2 and js_shoe-10 are back after up to 3s, 999 messages waited, 1,234,567 failed",
            ),
            (
                vec![0, 2, 5],
                (90, 90),
                1000,
                0,
                "js_shoe-0, js_shoe-2 and 1 more are back after 1m30s, 1,000 messages waited, none lost",
            ),
        ] {
            let partitions = partitions.into_iter().collect();
            let line = recovered(
                "js_shoe",
                &partitions,
                seconds(after.0, after.1),
                waited,
                failed,
            );
            assert_eq!(line, format!("✅ {expected}"));
        }
    }

    #[test]
    fn durations_are_rounded_and_written_as_go_does() {
        for (ms, expected) in [
            (0, "0s"),
            (350, "350ms"),
            (999, "999ms"),
            (1000, "1s"),
            (1499, "1s"),
            (1500, "2s"),
            (59_600, "1m"),
            (90_000, "1m30s"),
            (3_600_000, "1h"),
            (3_723_000, "1h2m3s"),
            (90_000_000, "25h"),
        ] {
            assert_eq!(rounded(Duration::from_millis(ms)), expected);
        }
        assert_eq!(rounded(Duration::from_micros(999_600)), "1s");
        assert_eq!(rounded(Duration::from_micros(400)), "0s");
    }
}
