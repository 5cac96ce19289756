//! The statistics, in words and in numbers: the line of each interval, and the end of every run.
//!
//! Both are made of the same values, so that who reads text and who reads JSON are told the same. What is counted is honest: a
//! rate is of acknowledged messages, over the interval and over the run; a latency begins when a message was due; the warm-up is
//! named and counted in. Nothing here prints, and nothing reads a clock.

use std::time::Duration;

use super::event::Event;
use super::latency::Percentiles;
use super::snapshot::{Interval, Ledger, Snapshot};
use super::text::rounded;
use super::time::Rfc3339;

/// A generator that is less than this behind its schedule is just late, as timers are.
const BEHIND_SHOWN_MIN: Duration = Duration::from_millis(10);

/// The statistics line: everything since the start, but the rate and latencies of `interval`, since the last such line.
pub fn stats_line(snapshot: &Snapshot, interval: &Interval) -> String {
    let mut pairs = vec![
        format!("📊 Stats: Produced={}", snapshot.acknowledged),
        format!("Errors={}", snapshot.errors()),
        format!("Rate={:.2} msgs/sec", snapshot.rate()),
        format!("Runtime={}", rounded(snapshot.runtime)),
        format!("InFlight={}", snapshot.in_flight),
        format!("Buffered={}", snapshot.buffered()),
        format!("IntervalRate={:.2} msgs/sec", interval.rate()),
    ];
    if let Some(unix_ms) = snapshot.last_acknowledged_ms {
        pairs.push(format!("Last={:.0}", Rfc3339 { unix_ms }));
    }
    if let Some(percentiles) = snapshot.latency {
        pairs.push(format!("P50={}", latency(percentiles.p50)));
        pairs.push(format!("P90={}", latency(percentiles.p90)));
        pairs.push(format!("P99={}", latency(percentiles.p99)));
        pairs.push(format!("P99.9={}", latency(percentiles.p99_9)));
        pairs.push(format!("Max={}", latency(percentiles.max)));
    }
    if let Some(warm_up) = interval.warm_up {
        pairs.push(format!("WarmUp={}", rounded(warm_up)));
    }
    if snapshot.behind >= BEHIND_SHOWN_MIN {
        pairs.push(format!("Behind={}", rounded(snapshot.behind)));
    }
    if snapshot.skipped > 0 {
        pairs.push(format!("Skipped={}", snapshot.skipped));
    }
    pairs.join(", ")
}

/// The same for programs.
pub fn stats_event(snapshot: &Snapshot, interval: &Interval) -> Event {
    values(Event::new("stats"), snapshot)
        .rate("interval_rate", interval.rate())
        .seconds("interval_seconds", interval.time)
        .count("in_flight", snapshot.in_flight)
        .count("buffered", snapshot.buffered())
        .seconds("behind_seconds", snapshot.behind)
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
    if let Some(warm_up) = total.warm_up {
        lines.push(format!(
            "   ⏱️ Warm-up: {} until the first acknowledgement, counted in",
            rounded(warm_up)
        ));
    }
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

/// The same for programs.
pub fn final_event(total: &Snapshot, ledger: &Ledger) -> Event {
    let event = values(Event::new("final_statistics"), total).count("unsent", ledger.unsent);
    event.flag("adds_up", ledger.adds_up())
}

/// What both have.
fn values(event: Event, snapshot: &Snapshot) -> Event {
    event
        .count("produced", snapshot.acknowledged)
        .count("errors", snapshot.errors())
        .rate("rate", snapshot.rate())
        .seconds("runtime_seconds", snapshot.runtime)
        .count("generated", snapshot.generated)
        .count("failed", snapshot.failed)
        .count("serialization_errors", snapshot.serialization_errors)
        .count("skipped", snapshot.skipped)
        .maybe(snapshot.last_acknowledged_ms, |event, unix_ms| {
            event.moment("last_acknowledged", unix_ms)
        })
        .maybe(snapshot.warm_up, |event, warm_up| {
            event.seconds("warm_up_seconds", warm_up)
        })
        .maybe(snapshot.latency, latencies)
}

fn latencies(event: Event, percentiles: Percentiles) -> Event {
    event
        .micros("latency_seconds_p50", percentiles.p50)
        .micros("latency_seconds_p90", percentiles.p90)
        .micros("latency_seconds_p99", percentiles.p99)
        .micros("latency_seconds_p99_9", percentiles.p99_9)
        .micros("latency_seconds_max", percentiles.max)
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
    use super::super::text::*;
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
        let stats = stats_line(&snapshot(10, 10), &Interval::default());
        lines.push(
            stats
                .strip_suffix(", InFlight=0, Buffered=0, IntervalRate=0.00 msgs/sec")
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
        let snapshot = Snapshot {
            failed: 2,
            serialization_errors: 1,
            skipped: 40,
            behind: Duration::from_millis(2600),
            in_flight: 7,
            generated: 200,
            last_acknowledged_ms: Some(1_795_504_328_123),
            latency: Some(Percentiles {
                p50: 1234,
                p90: 2345,
                p99: 45_678,
                p99_9: 100_000,
                max: 2_000_000,
            }),
            ..snapshot(90, 180)
        };
        let interval = Interval {
            time: Duration::from_secs(10),
            acknowledged: 25,
            warm_up: Some(Duration::from_micros(17_400)),
            ..Interval::default()
        };
        assert_eq!(
            stats_line(&snapshot, &interval),
            "📊 Stats: Produced=180, Errors=3, Rate=2.00 msgs/sec, Runtime=1m30s, InFlight=7, Buffered=11, \
             IntervalRate=2.50 msgs/sec, Last=2026-11-24T07:12:08Z, P50=1.23ms, P90=2.35ms, P99=45.7ms, P99.9=100ms, \
             Max=2.00s, WarmUp=17ms, Behind=3s, Skipped=40"
        );
    }

    #[test]
    fn final_statistics_end_with_the_ledger_and_the_latencies() {
        let total = Snapshot {
            skipped: 12,
            warm_up: Some(Duration::from_micros(17_400)),
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
                "   ⏱️ Warm-up: 17ms until the first acknowledgement, counted in",
                "   ⏭️ Skipped: 12 (too far behind schedule)",
                "   🧾 Ledger: generated 4 = acknowledged 3 + failed 0 + unsent 0 (does not add up)",
                "   ⏱️ Latency: p50=850µs p90=1.50ms p99=20.0ms p99.9=300ms max=2.00s",
            ]
        );
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
