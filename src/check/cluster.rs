//! The cluster: every configured server, the topic, the brokers that lead its partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use super::STEP_TIMEOUT;
use super::broker::Broker;
use super::table::{Step, Table};
use crate::foreign::is_showable;
use crate::kafka::client::DEMANDS_SASL;
use crate::kafka::client::dialogue::{self, Dialogue, Heard};
use crate::kafka::config::{HostPort, ProducerConfig};
use crate::kafka::wire::ErrorCode;
use crate::kafka::wire::message::{MetadataResponse, MetadataTopic};
use crate::secret::Secret;

/// Of a topic with more leaders the others are not tried: they are the same cluster's.
const LEADERS_TRIED_MAX: usize = 32;
const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Tries all that a producer needs of the cluster.
pub(super) fn check(
    config: &ProducerConfig,
    token: Option<&Secret>,
    table: &mut Table<impl Write>,
) {
    let mut tried = BTreeSet::new();
    let mut first = None;
    for (number, address) in (1..).zip(&config.bootstrap_servers) {
        tried.insert(address.clone());
        let name = format!("bootstrap-{number}");
        let broker = Broker::approach(config, token, &name, address, table);
        first = first.or(broker);
    }
    let Some(mut broker) = first else { return };
    let Some(metadata) = topic(&mut broker, config, table) else {
        return;
    };
    if config.idempotence {
        producer_id(&mut broker, table);
    }
    leaders(&metadata, config, token, &tried, table);
}

fn topic(
    broker: &mut Broker,
    config: &ProducerConfig,
    table: &mut Table<impl Write>,
) -> Option<MetadataResponse> {
    let name = &config.topic;
    let metadata = match broker.ask(|dialogue, now| dialogue.ask_metadata(name, now)) {
        Ok(Heard::Metadata(metadata)) => metadata,
        Ok(_) => return None,
        Err(why) => {
            let is_doubtful = config.sasl.is_none() && broker.hung_up;
            let doubt = if is_doubtful { DEMANDS_SASL } else { "" };
            table.fails(Step::Topic, &format!("{name}: {why}{doubt}"));
            return None;
        }
    };
    let ours = |topic: &&MetadataTopic| topic.name.as_deref() == Some(name.as_str());
    match metadata.topics.iter().find(ours) {
        None => table.fails(
            Step::Topic,
            &format!("{name}: the broker says nothing of it"),
        ),
        Some(topic) => judge(topic, config, table),
    }
    Some(metadata)
}

fn judge(topic: &MetadataTopic, config: &ProducerConfig, table: &mut Table<impl Write>) {
    let name = &config.topic;
    match (topic.error, config.create_topic) {
        (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, Some(new)) => {
            let words = format!(
                "{name} does not exist; a run would create it with {} partitions",
                new.partitions
            );
            table.holds(Step::Topic, &words);
        }
        (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None) => {
            let words = format!(
                "{name} does not exist; create it, check KAFKA_TOPIC, or set KAFKA_CREATE_TOPIC=PARTITIONS[:REPLICATION]"
            );
            table.fails(Step::Topic, &words);
        }
        (ErrorCode::NONE, _) => {
            let leaderless: Vec<String> = topic
                .partitions
                .iter()
                .filter(|partition| partition.leader_id < 0)
                .map(|partition| partition.index.to_string())
                .collect();
            let count = topic.partitions.len();
            let noun = if count == 1 {
                "partition"
            } else {
                "partitions"
            };
            if count == 0 {
                table.fails(Step::Topic, &format!("{name} has no partitions"));
            } else if !leaderless.is_empty() {
                let words = format!(
                    "{name} has {count} {noun}, without a leader: {}; see that the brokers are up",
                    leaderless.join(", ")
                );
                table.fails(Step::Topic, &words);
            } else {
                table.holds(
                    Step::Topic,
                    &format!("{name} has {count} {noun}, all with a leader"),
                );
            }
        }
        (code, _) => table.fails(Step::Topic, &format!("{name}: {}", told(code))),
    }
}

fn told(code: ErrorCode) -> String {
    match code.advice() {
        Some(advice) => format!("{code}; {advice}"),
        None => code.to_string(),
    }
}

/// What idempotence needs, and what some permissions do not give. A cluster that has just started gives none for a moment.
fn producer_id(broker: &mut Broker, table: &mut Table<impl Write>) {
    let deadline = Instant::now() + STEP_TIMEOUT;
    let mut heard = broker.ask(Dialogue::ask_producer_id);
    while let Ok(Heard::ProducerId(answer)) = &heard
        && dialogue::is_retriable(answer.error)
        && Instant::now() < deadline
    {
        thread::sleep(ASKED_AGAIN_AFTER);
        heard = broker.ask(Dialogue::ask_producer_id);
    }
    match heard {
        Ok(Heard::ProducerId(answer)) if answer.error.is_ok() => {
            table.holds(
                Step::ProducerId,
                "the cluster gives one, as idempotence needs it",
            );
        }
        Ok(Heard::ProducerId(answer)) => table.fails(Step::ProducerId, &told(answer.error)),
        Ok(_) => {}
        Err(why) => table.fails(Step::ProducerId, &why),
    }
}

/// A run speaks to these, under the addresses that the cluster advertises; the configured servers are only the way in.
fn leaders(
    metadata: &MetadataResponse,
    config: &ProducerConfig,
    token: Option<&Secret>,
    tried: &BTreeSet<HostPort>,
    table: &mut Table<impl Write>,
) {
    let mut brokers = BTreeMap::new();
    for broker in &metadata.brokers {
        if let Ok(port @ 1..) = u16::try_from(broker.port)
            && broker.host.chars().all(is_showable)
        {
            let host = broker.host.clone();
            brokers.insert(broker.node_id, HostPort { host, port });
        }
    }
    let partitions = metadata.topics.iter().flat_map(|topic| &topic.partitions);
    let leaders: BTreeSet<i32> = partitions.map(|partition| partition.leader_id).collect();
    for leader in leaders
        .into_iter()
        .filter(|&leader| leader >= 0)
        .take(LEADERS_TRIED_MAX)
    {
        match brokers.get(&leader) {
            None => {
                let words = format!(
                    "broker-{leader} leads partitions, and the cluster gives no address of it"
                );
                table.fails(Step::Topic, &words);
            }
            Some(address) if tried.contains(address) => {}
            Some(address) => {
                Broker::approach(config, token, &format!("broker-{leader}"), address, table);
            }
        }
    }
}
