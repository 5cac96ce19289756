//! `/status`: everything that there is to see, as one JSON object; the page at `/` is drawn from it.
//!
//! Numbers are in base units, counters only grow; a reader makes rates of two answers. A new process is known by its `started`.
//! Reads nothing but the [`View`]; texts of others are data in it, and nothing else.

use std::time::Duration;

use serde_json::{Value, json};

use super::metrics::LATENCY_BOUNDS_US;
use super::time::Rfc3339;
use super::troubles::Trouble;
use super::view::View;
use crate::kafka::client::status::{BrokerStatus, ConnectionStatus, PartitionStatus};

/// The object, on one line.
pub fn json(view: &View) -> String {
    let (facts, counts) = (&view.facts, &view.counts);
    let failures = view.failures.iter().filter(|(_, records)| **records > 0);
    let failures: Vec<Value> = failures
        .map(|(failure, records)| {
            json!({"error": failure.kind, "code": failure.code, "messages": records})
        })
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "topic": facts.topic,
        "cluster": facts.cluster,
        "registry": facts.registry,
        "instance_id": facts.instance_id,
        // As text: it has more digits than a JSON number keeps in many readers.
        "seed": facts.seed.to_string(),
        "started": Rfc3339 { unix_ms: facts.started_ms }.to_string(),
        "uptime_seconds": seconds(view.uptime),
        "runtime_seconds": seconds(counts.runtime),
        "state": view.state.name(),
        "ready": view.readiness.ready,
        "ready_reason": view.readiness.reason,
        "interval_seconds": seconds(facts.interval),
        "count_limit": facts.count_limit,
        "duration_limit_seconds": facts.duration_limit.map(seconds),
        "generated": counts.generated,
        "acknowledged": counts.acknowledged,
        "failed": counts.failed,
        "serialization_errors": counts.serialization_errors,
        "skipped": counts.skipped,
        "retried": view.client.counters.retried,
        "in_flight": counts.in_flight,
        "buffered": counts.buffered(),
        "buffer_bytes": view.client.buffered_bytes,
        "buffer_limit_bytes": facts.buffer_limit,
        "channel_chunks": view.channel_chunks,
        "behind_seconds": seconds(counts.behind),
        "last_acknowledged": counts.last_acknowledged_ms.map(time),
        "limited_by": view.limited_by,
        "latency_seconds_sum": seconds(Duration::from_micros(view.latencies.sum_us)),
        "latency_buckets": latency_buckets(view),
        "failures": failures,
        "warnings": view.troubles.iter().map(trouble).collect::<Vec<Value>>(),
        "brokers": view.client.brokers.iter().map(broker).collect::<Vec<Value>>(),
        "partitions": view.client.partitions.iter().map(partition).collect::<Vec<Value>>(),
    })
    .to_string()
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

fn time(unix_ms: i64) -> String {
    Rfc3339 { unix_ms }.to_string()
}

/// `[upper bound in seconds, records at most that]`; the last one has no bound.
fn latency_buckets(view: &View) -> Vec<Value> {
    let bounds = LATENCY_BOUNDS_US.map(|us| seconds(Duration::from_micros(us)));
    let classes = bounds.into_iter().zip(&view.latencies.at_most);
    let mut buckets: Vec<Value> = classes
        .map(|(bound, count)| json!([bound, count]))
        .collect();
    buckets.push(json!([null, view.latencies.count]));
    buckets
}

fn trouble(trouble: &Trouble) -> Value {
    json!({
        "level": trouble.level.as_str().to_ascii_lowercase(),
        "message": trouble.message,
        "count": trouble.count,
        "age_seconds": seconds(trouble.age),
    })
}

fn broker(broker: &BrokerStatus) -> Value {
    let state = match broker.connection {
        ConnectionStatus::Idle => "idle",
        ConnectionStatus::Lost => "disconnected",
        ConnectionStatus::Connecting => "connecting",
        ConnectionStatus::Ready => "connected",
        ConnectionStatus::Silent => "silent",
    };
    json!({
        "id": broker.id,
        "address": broker.address.to_string(),
        "state": state,
        "requests_in_flight": broker.requests_in_flight,
        "failure": broker.failure,
    })
}

fn partition(partition: &PartitionStatus) -> Value {
    let trouble = partition.trouble.as_ref();
    json!({
        "partition": partition.index,
        "leader": partition.leader,
        "waiting": partition.waiting,
        "in_flight": partition.in_flight,
        "acknowledged": partition.acknowledged,
        "trouble": trouble.map(|(_, reason)| reason.as_deref().unwrap_or("its records are held up")),
        "trouble_seconds": trouble.map(|(lasted, _)| seconds(*lasted)),
    })
}
