//! The table of metrics: what each is called, what it says, and where its numbers come from.
//!
//! A metric is added here and nowhere else; `deploy/` and the documentation are tested against these names.

use std::time::Duration;

use super::{Family, Kind, LATENCY_BOUNDS_US, Samples, Value};
use crate::kafka::client::status::{BATCH_SIZES, ConnectionStatus};
use crate::report::view::{State, View};

/// Every metric, in the order in which it is shown.
pub static FAMILIES: [Family; 42] = [
    counter(
        "messages_generated_total",
        "Messages made by the generator.",
        |view, out| {
            out.count(view.counts.generated);
        },
    ),
    counter(
        "messages_acknowledged_total",
        "Messages acknowledged by brokers, as acks demands it.",
        |view, out| {
            out.count(view.counts.acknowledged);
        },
    ),
    counter(
        "messages_failed_total",
        "Messages given up, by what was wrong and the broker's code where it gave one.",
        |view, out| {
            for (failure, &records) in &view.failures {
                let code = failure.code.as_deref().map(|code| ("code", code));
                let labels = [Some(("error", failure.kind)), code];
                out.labelled(labels.into_iter().flatten(), Value::Count(records));
            }
        },
    ),
    counter(
        "messages_retried_total",
        "Messages in batches that were sent again.",
        |view, out| {
            out.count(view.client.counters.retried);
        },
    ),
    counter(
        "serialization_errors_total",
        "Messages that could not be encoded; not among the generated ones.",
        |view, out| {
            out.count(view.counts.serialization_errors);
        },
    ),
    counter(
        "ticks_skipped_total",
        "Messages never made because the generator was too far behind schedule.",
        |view, out| {
            out.count(view.counts.skipped);
        },
    ),
    counter(
        "batches_sent_total",
        "Record batches sent, resent ones again.",
        |view, out| {
            out.count(view.client.counters.batches_by_size().iter().sum());
        },
    ),
    counter(
        "sent_bytes_total",
        "Bytes of record batches sent, resent ones again, after compression.",
        |view, out| {
            out.count(view.client.counters.sent_bytes);
        },
    ),
    counter(
        "requests_total",
        "Requests sent to brokers, by API.",
        |view, out| {
            for (api, count) in view.client.counters.requests() {
                out.labelled([("api", api.name())], Value::Count(count));
            }
        },
    ),
    counter(
        "reconnects_total",
        "Connections made to a broker, or to a configured address, that had one before.",
        |view, out| {
            out.count(view.client.counters.reconnects);
        },
    ),
    counter(
        "connection_failures_total",
        "Connections to brokers that could not be made, or ended while they were in use.",
        |view, out| out.count(view.client.counters.connection_failures),
    ),
    counter(
        "generator_blocked_seconds_total",
        "Time for which the generator waited for room.",
        |view, out| {
            out.seconds(view.counts.generator_blocked);
        },
    ),
    counter(
        "buffer_full_seconds_total",
        "Time for which the buffer was full: because it is small, or because the brokers took no more.",
        |view, out| {
            for (limit, time) in [
                ("buffer", view.counts.full_for_buffer),
                ("broker", view.counts.full_for_broker),
            ] {
                out.labelled([("limit", limit)], Value::Seconds(time));
            }
        },
    ),
    counter(
        "warnings_total",
        "Warnings about registry, tokens, brokers, delivery and the schedule, repeated ones included.",
        |view, out| out.count(view.warnings),
    ),
    counter(
        "errors_total",
        "Errors of delivery and serialization, repeated ones included.",
        |view, out| out.count(view.errors),
    ),
    gauge(
        "messages_in_flight",
        "Messages sent and not answered yet.",
        |view, out| {
            out.count(view.counts.in_flight);
        },
    ),
    gauge(
        "messages_buffered",
        "Messages generated and waiting to be sent.",
        |view, out| {
            out.count(view.counts.buffered());
        },
    ),
    gauge(
        "buffer_bytes",
        "Bytes of messages in the client that are not acknowledged yet.",
        |view, out| {
            out.count(view.client.buffered_bytes as u64);
        },
    ),
    gauge(
        "buffer_limit_bytes",
        "The most that there may be: KAFKA_BUFFER_MEMORY.",
        |view, out| {
            out.count(view.facts.buffer_limit as u64);
        },
    ),
    gauge(
        "channel_chunks",
        "Depth of the channel between generator and producer.",
        |view, out| {
            out.count(view.channel_chunks as u64);
        },
    ),
    gauge(
        "behind_schedule_seconds",
        "For how long the next message has been due.",
        |view, out| {
            out.seconds(view.counts.behind);
        },
    ),
    gauge(
        "interval_seconds",
        "Time between messages that was asked for: MESSAGE_INTERVAL; 0 is full speed.",
        |view, out| {
            out.seconds(view.facts.interval);
        },
    ),
    gauge(
        "last_acknowledged_timestamp_seconds",
        "When the last message was acknowledged; 0 before the first.",
        |view, out| {
            out.timestamp(view.counts.last_acknowledged_ms);
        },
    ),
    gauge(
        "last_message_timestamp_seconds",
        "When the last message was made; 0 before the first.",
        |view, out| {
            out.timestamp(view.counts.last_generated_ms);
        },
    ),
    gauge(
        "connected_brokers",
        "Brokers with a connection that can be used.",
        |view, out| {
            let brokers = view.client.brokers.iter();
            out.count(
                brokers
                    .filter(|broker| is_connected(broker.connection))
                    .count() as u64,
            );
        },
    ),
    gauge(
        "known_brokers",
        "Brokers that the cluster has named.",
        |view, out| {
            out.count(view.client.brokers.len() as u64);
        },
    ),
    gauge(
        "broker_connected",
        "Whether there is a connection to the broker that can be used.",
        |view, out| {
            for broker in &view.client.brokers {
                let connected = Value::Count(is_connected(broker.connection).into());
                out.labelled([("broker", broker.id.to_string())], connected);
            }
        },
    ),
    gauge("partitions", "Partitions of the topic.", |view, out| {
        out.count(view.client.partitions.len() as u64);
    }),
    gauge(
        "partitions_in_trouble",
        "Partitions whose messages have been held up for a second or longer.",
        |view, out| {
            let partitions = view.client.partitions.iter();
            out.count(
                partitions
                    .filter(|partition| partition.trouble.is_some())
                    .count() as u64,
            );
        },
    ),
    gauge(
        "partitions_without_leader",
        "Partitions whose leader is not known.",
        |view, out| {
            let partitions = view.client.partitions.iter();
            out.count(
                partitions
                    .filter(|partition| partition.leader.is_none())
                    .count() as u64,
            );
        },
    ),
    gauge(
        "ready",
        "Whether a message was acknowledged lately, as /readyz says.",
        |view, out| {
            out.count(view.readiness.ready.into());
        },
    ),
    gauge(
        "stopping",
        "Whether the run has been told to stop.",
        |view, out| {
            out.count(matches!(view.state, State::Stopping | State::Ended).into());
        },
    ),
    gauge(
        "build_info",
        "Which version this is; always 1.",
        |_, out| {
            out.labelled([("version", env!("CARGO_PKG_VERSION"))], Value::Count(1));
        },
    ),
    histogram(
        "acknowledgement_latency_seconds",
        "Time from when a message was due until it was acknowledged.",
        |view, out| {
            let latencies = &view.latencies;
            let bounds = LATENCY_BOUNDS_US.map(|us| Value::Seconds(Duration::from_micros(us)));
            let classes = bounds.into_iter().zip(latencies.at_most.iter().copied());
            let sum = Value::Seconds(Duration::from_micros(latencies.sum_us));
            out.histogram(classes, latencies.count, sum);
        },
    ),
    histogram(
        "batch_size_bytes",
        "Sizes of record batches as sent, resent ones again.",
        |view, out| {
            let counters = &view.client.counters;
            let mut so_far = 0;
            let at_most = counters.batches_by_size().iter().map(|count| {
                so_far += count;
                so_far
            });
            let at_most: Vec<u64> = at_most.collect();
            let classes = BATCH_SIZES.map(Value::Count).into_iter().zip(at_most);
            out.histogram(classes, so_far, Value::Count(counters.sent_bytes));
        },
    ),
    gauge(
        "process_resident_memory_bytes",
        "Memory that is really there.",
        |view, out| {
            out.process(view, |process| Value::Count(process.resident_bytes));
        },
    ),
    gauge(
        "process_virtual_memory_bytes",
        "Address space.",
        |view, out| {
            out.process(view, |process| Value::Count(process.virtual_bytes));
        },
    ),
    counter(
        "process_cpu_seconds_total",
        "Processor time, in the program and in the kernel.",
        |view, out| {
            out.process(view, |process| Value::Seconds(process.cpu));
        },
    ),
    gauge("process_open_fds", "Open file descriptors.", |view, out| {
        out.process(view, |process| Value::Count(process.open_fds));
    }),
    gauge(
        "process_max_fds",
        "How many file descriptors there may be.",
        |view, out| {
            out.process(view, |process| Value::Count(process.max_fds));
        },
    ),
    gauge("process_threads", "Threads.", |view, out| {
        out.process(view, |process| Value::Count(process.threads));
    }),
    gauge(
        "process_start_time_seconds",
        "When the process began, since 1970.",
        |view, out| {
            out.timestamp(Some(view.facts.started_ms));
        },
    ),
];

/// One whose answer is late cannot be used for now.
fn is_connected(connection: ConnectionStatus) -> bool {
    connection == ConnectionStatus::Ready
}

type Write = fn(&View, &mut Samples<'_>);

const fn counter(name: &'static str, help: &'static str, write: Write) -> Family {
    family(Kind::Counter, name, help, write)
}

const fn gauge(name: &'static str, help: &'static str, write: Write) -> Family {
    family(Kind::Gauge, name, help, write)
}

const fn histogram(name: &'static str, help: &'static str, write: Write) -> Family {
    family(Kind::Histogram, name, help, write)
}

const fn family(kind: Kind, name: &'static str, help: &'static str, write: Write) -> Family {
    Family {
        name,
        kind,
        help,
        write,
    }
}
