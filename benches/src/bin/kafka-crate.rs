//! The crate `kafka`, at its best.
//!
//! It knows no idempotence, writes the message format from before Kafka 0.11, and waits for the answer to one call before the
//! next: so it is given as much as a request may carry. It speaks versions of the protocol that Kafka 4 no longer takes;
//! there it fails, and says with what.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use continuous_producer_benches::{Done, Failure, Job, Payload, contend};
use kafka::producer::{Producer, Record, RequiredAcks};

/// For three partitions a little under 1 MB each.
const BATCH_RECORDS: usize = 18_000;
const ACK_TIMEOUT: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    contend(produce)
}

fn produce(job: &Job) -> Result<Done, Failure> {
    let mut producer = Producer::from_hosts(vec![job.bootstrap.clone()])
        .with_client_id("kafka-crate".to_owned())
        .with_required_acks(RequiredAcks::All)
        .with_ack_timeout(ACK_TIMEOUT)
        .create()?;
    let payload = Payload::new();
    let value = payload.value.as_slice();
    let records: Vec<_> = payload
        .keys()
        .take(BATCH_RECORDS)
        .map(|key| Record::from_key_value(&job.topic, key, value))
        .collect();
    let begun = Instant::now();
    let mut acknowledged = 0;
    while begun.elapsed() < job.duration {
        for confirmed in producer.send_all(&records)? {
            for partition in confirmed.partition_confirms {
                partition
                    .offset
                    .map_err(|code| format!("partition {}: {code:?}", partition.partition))?;
            }
        }
        acknowledged += records.len() as u64;
    }
    Ok(Done {
        acknowledged,
        elapsed: begun.elapsed(),
    })
}
