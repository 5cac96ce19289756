//! The crate `rskafka`, at its best.
//!
//! It knows no idempotence and no partitioner; it always asks for acks=all. It is given whole batches of 7,000 records, close
//! to the program's 1 MB, which costs less than its own aggregator; two batches are under way for each partition, so
//! that one is encoded while the other is answered.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use chrono::Utc;
use continuous_producer_benches::{Done, Failure, Job, Payload, contend};
use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::record::Record;
use tokio::task::JoinSet;

const BATCH_RECORDS: usize = 7_000;
const UNDER_WAY: usize = 2;

fn main() -> ExitCode {
    contend(|job| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime.block_on(produce(job))
    })
}

async fn produce(job: &Job) -> Result<Done, Failure> {
    let client = ClientBuilder::new(vec![job.bootstrap.clone()])
        .build()
        .await?;
    let topics = client.list_topics().await?;
    let topic = topics
        .into_iter()
        .find(|topic| topic.name == job.topic)
        .ok_or("there is no such topic")?;
    let mut partitions = Vec::new();
    for partition in topic.partitions {
        let unknown = UnknownTopicHandling::Error;
        let client = client.partition_client(&job.topic, partition, unknown);
        partitions.push(Arc::new(client.await?));
    }
    let acknowledged = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let end = begun + job.duration;
    let mut tasks = JoinSet::new();
    for partition in &partitions {
        for _ in 0..UNDER_WAY {
            tasks.spawn(feed(Arc::clone(partition), end, Arc::clone(&acknowledged)));
        }
    }
    while let Some(fed) = tasks.join_next().await {
        fed??;
    }
    Ok(Done {
        acknowledged: acknowledged.load(Ordering::Relaxed),
        elapsed: begun.elapsed(),
    })
}

async fn feed(
    partition: Arc<PartitionClient>,
    end: Instant,
    acknowledged: Arc<AtomicU64>,
) -> Result<(), Failure> {
    let payload = Payload::new();
    while Instant::now() < end {
        let timestamp = Utc::now();
        let records = payload.keys().take(BATCH_RECORDS).map(|key| Record {
            key: Some(key.as_bytes().to_vec()),
            value: Some(payload.value.clone()),
            headers: std::collections::BTreeMap::new(),
            timestamp,
        });
        let offsets = partition
            .produce(records.collect(), Compression::NoCompression)
            .await?;
        acknowledged.fetch_add(offsets.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}
