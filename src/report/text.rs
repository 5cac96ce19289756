//! The lines that the user reads while it runs: all of their wording, and nothing else.
//!
//! Fixed lines are constants, the others functions of their values; none ends with a line feed, and a block is a list of
//! lines. Nothing here prints, and nothing reads a clock. Durations and names that come from the settings are passed as
//! the settings write them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::stats::{Ledger, Percentiles, Snapshot};
use super::time::Rfc3339;

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

/// A generator that is less than this behind its schedule is just late, as timers are.
const BEHIND_SHOWN_MIN: Duration = Duration::from_millis(10);

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

/// The statistics line: everything since the start, but latencies since the last such line.
pub fn stats_line(snapshot: &Snapshot) -> String {
    let mut pairs = vec![
        format!("📊 Stats: Produced={}", snapshot.acknowledged),
        format!("Errors={}", snapshot.errors()),
        format!("Rate={:.2} msgs/sec", snapshot.rate()),
        format!("Runtime={}", rounded(snapshot.runtime)),
        format!("InFlight={}", snapshot.in_flight),
        format!("Buffered={}", snapshot.buffered()),
    ];
    if let Some(unix_ms) = snapshot.last_acknowledged_ms {
        pairs.push(format!("Last={:.0}", Rfc3339 { unix_ms }));
    }
    if let Some(Percentiles { p50, p99, .. }) = snapshot.latency {
        pairs.push(format!("P50={}", latency(p50)));
        pairs.push(format!("P99={}", latency(p99)));
    }
    if snapshot.behind >= BEHIND_SHOWN_MIN {
        pairs.push(format!("Behind={}", rounded(snapshot.behind)));
    }
    if snapshot.skipped > 0 {
        pairs.push(format!("Skipped={}", snapshot.skipped));
    }
    pairs.join(", ")
}

/// The end of every run. `total` has the latencies of the whole run ([`Stats::total`](super::stats::Stats::total)).
pub fn final_statistics(total: &Snapshot, ledger: &Ledger) -> Vec<String> {
    let mut lines = vec![
        "📊 Final Statistics:".to_owned(),
        format!("   📤 Messages Produced: {}", total.acknowledged),
        format!("   ❌ Errors: {}", total.errors()),
        format!("   ⏱️ Runtime: {}", rounded(total.runtime)),
        format!("   📈 Average Rate: {:.2} messages/second", total.rate()),
    ];
    if total.skipped > 0 {
        lines.push(format!(
            "   ⏭️ Skipped: {} (too far behind schedule)",
            total.skipped
        ));
    }
    let verdict = if ledger.adds_up() {
        ""
    } else {
        " (does not add up)"
    };
    lines.push(format!("   🧾 Ledger: {ledger}{verdict}"));
    if let Some(percentiles) = total.latency {
        lines.push(format!(
            "   ⏱️ Latency: p50={} p90={} p99={} p99.9={} max={}",
            latency(percentiles.p50),
            latency(percentiles.p90),
            latency(percentiles.p99),
            latency(percentiles.p99_9),
            latency(percentiles.max),
        ));
    }
    lines
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

/// Microseconds to three digits: `850µs`, `1.23ms`, `45.6ms`, `789ms`, `12.3s`.
fn latency(us: u64) -> String {
    if us < 1000 {
        return format!("{us}µs");
    }
    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    let us = us as f64;
    let (value, unit) = if us < 999_500.0 {
        (us / 1e3, "ms")
    } else {
        (us / 1e6, "s")
    };
    let decimals = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "\
🚀 Starting Continuous Kafka Producer with Random Shoe Data Generation...
📊 Configuration loaded:
   📡 Kafka Cluster: pkc-xxxxx.europe-southwest1.gcp.confluent.cloud:9092
   📝 Topic: js_shoe
   ⏱️ Message Interval: 1s
   📈 Schema Registry: https://psrc-xxxxx.eu-west-2.aws.confluent.cloud
🔧 Initializing continuous producer components...
🔍 Testing Schema Registry connectivity...
✅ Schema Registry connectivity verified! Status: {Status:healthy}
✅ Random shoe generator initialized
✅ Protobuf serializer created
✅ Kafka async producer created
🔄 Starting continuous production loop...
   Press Ctrl+C to stop gracefully
🔄 Production loop started with interval: 1s
📊 Stats: Produced=10, Errors=0, Rate=1.00 msgs/sec, Runtime=10s
⏹️ Shutdown signal received. Stopping production...
🛑 Production loop stopping...
🔒 Closing continuous producer...
📤 Flushing buffered messages...
⏳ Waiting for all messages to be processed...
✅ Continuous producer closed successfully
✅ Graceful shutdown completed
📊 Final Statistics:
   📤 Messages Produced: 25
   ❌ Errors: 0
   ⏱️ Runtime: 25s
   📈 Average Rate: 1.00 messages/second
";

    fn snapshot(seconds: u64, acknowledged: u64) -> Snapshot {
        Snapshot {
            runtime: Duration::from_secs(seconds) + Duration::from_micros(1300),
            generated: acknowledged,
            acknowledged,
            ..Snapshot::default()
        }
    }

    fn ledger(generated: u64, acknowledged: u64) -> Ledger {
        Ledger {
            generated,
            acknowledged,
            failed: 0,
            unsent: 0,
        }
    }

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
    fn the_sample_run_reads_as_promised() {
        let mut lines = vec![STARTING.to_owned()];
        lines.extend(configuration(
            "pkc-xxxxx.europe-southwest1.gcp.confluent.cloud:9092",
            "js_shoe",
            "1s",
            "https://psrc-xxxxx.eu-west-2.aws.confluent.cloud",
        ));
        lines.extend([INITIALIZING, TESTING_REGISTRY].map(str::to_owned));
        lines.push(registry_verified("healthy"));
        lines.extend(
            [GENERATOR_INITIALIZED, SERIALIZER_CREATED, PRODUCER_CREATED].map(str::to_owned),
        );
        lines.extend(STARTING_LOOP.map(str::to_owned));
        lines.push(loop_started("1s"));
        let stats = stats_line(&snapshot(10, 10));
        lines.push(
            stats
                .strip_suffix(", InFlight=0, Buffered=0")
                .unwrap()
                .to_owned(),
        );
        lines.extend([SIGNAL_RECEIVED, LOOP_STOPPING].map(str::to_owned));
        lines.extend(CLOSING.map(str::to_owned));
        lines.extend(CLOSED.map(str::to_owned));
        let last = final_statistics(&snapshot(25, 25), &ledger(25, 25));
        assert_eq!(
            last[5..],
            ["   🧾 Ledger: generated 25 = acknowledged 25 + failed 0 + unsent 0"]
        );
        lines.extend_from_slice(&last[..5]);
        assert_eq!(lines.join("\n") + "\n", SAMPLE);
    }

    #[test]
    fn a_stats_line_goes_on_with_what_there_is_to_say() {
        let line = stats_line(&Snapshot {
            failed: 2,
            serialization_errors: 1,
            skipped: 40,
            behind: Duration::from_millis(2600),
            in_flight: 7,
            generated: 200,
            last_acknowledged_ms: Some(1_795_504_328_123),
            latency: Some(Percentiles {
                p50: 1234,
                p90: 0,
                p99: 45_678,
                p99_9: 0,
                max: 0,
            }),
            ..snapshot(90, 180)
        });
        assert_eq!(
            line,
            "📊 Stats: Produced=180, Errors=3, Rate=2.00 msgs/sec, Runtime=1m30s, InFlight=7, \
             Buffered=11, Last=2026-11-24T07:12:08Z, P50=1.23ms, P99=45.7ms, Behind=3s, Skipped=40"
        );
    }

    #[test]
    fn final_statistics_end_with_the_ledger_and_the_latencies() {
        let total = Snapshot {
            skipped: 12,
            latency: Some(Percentiles {
                p50: 850,
                p90: 1500,
                p99: 20_000,
                p99_9: 300_000,
                max: 2_000_000,
            }),
            ..snapshot(1, 3)
        };
        assert_eq!(
            final_statistics(&total, &ledger(4, 3))[5..],
            [
                "   ⏭️ Skipped: 12 (too far behind schedule)",
                "   🧾 Ledger: generated 4 = acknowledged 3 + failed 0 + unsent 0 (does not add up)",
                "   ⏱️ Latency: p50=850µs p90=1.50ms p99=20.0ms p99.9=300ms max=2.00s",
            ]
        );
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

    #[test]
    fn latencies_have_three_digits() {
        for (us, expected) in [
            (0, "0µs"),
            (999, "999µs"),
            (1000, "1.00ms"),
            (9_994, "9.99ms"),
            (9_999, "10.0ms"),
            (99_960, "100ms"),
            (999_499, "999ms"),
            (999_999, "1.00s"),
            (3_600_000_000, "3600s"),
        ] {
            assert_eq!(latency(us), expected);
        }
    }
}
