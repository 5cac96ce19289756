//! librdkafka through the crate `rdkafka`, at its best.
//!
//! What is set beside acks=all and idempotence, and why: `linger.ms=5` is the program's own; batches of the program's size, with
//! no earlier end by count; queues so long that the sending thread never has to wait for a full one while the broker
//! keeps up. Delivery reports are taken by a thread of their own, as `ThreadedProducer` does it.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use continuous_producer_benches::{Countdown, Done, Failure, Job, Payload, contend};
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};

const FLUSH_TIMEOUT: Duration = Duration::from_secs(30);
/// How long it waits for room in librdkafka's queue before it tries again.
const FULL_WAIT: Duration = Duration::from_micros(100);

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--version") {
        println!("{}", rdkafka::util::get_rdkafka_version().1);
        return ExitCode::SUCCESS;
    }
    contend(produce)
}

/// Counts what became of the messages. Cheap to clone; told by the polling thread.
#[derive(Clone, Default)]
struct Fates {
    acknowledged: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
}

impl ClientContext for Fates {}

impl ProducerContext for Fates {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let fate = if result.is_ok() {
            &self.acknowledged
        } else {
            &self.failed
        };
        fate.fetch_add(1, Ordering::Relaxed);
    }
}

fn produce(job: &Job) -> Result<Done, Failure> {
    let fates = Fates::default();
    let producer: ThreadedProducer<Fates> = ClientConfig::new()
        .set("bootstrap.servers", &job.bootstrap)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .set("batch.size", "1000000")
        .set("batch.num.messages", "1000000")
        .set("queue.buffering.max.messages", "1000000")
        .set("queue.buffering.max.kbytes", "1048576")
        .create_with_context(fates.clone())?;
    // Brokers and topic are known before the clock runs.
    producer
        .client()
        .fetch_metadata(Some(&job.topic), FLUSH_TIMEOUT)?;
    let payload = Payload::new();
    let begun = Instant::now();
    let mut countdown = Countdown::new(job.duration);
    let mut sent = 0;
    for key in payload.keys() {
        if countdown.is_over() {
            break;
        }
        let mut record = BaseRecord::to(&job.topic).key(key).payload(&payload.value);
        while let Err((error, unsent)) = producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            std::thread::sleep(FULL_WAIT);
            record = unsent;
        }
        sent += 1;
    }
    producer.flush(FLUSH_TIMEOUT)?;
    let elapsed = begun.elapsed();
    let acknowledged = fates.acknowledged.load(Ordering::Relaxed);
    if acknowledged != sent {
        let failed = fates.failed.load(Ordering::Relaxed);
        return Err(format!("{sent} sent, {acknowledged} acknowledged, {failed} failed").into());
    }
    Ok(Done {
        acknowledged,
        elapsed,
    })
}
