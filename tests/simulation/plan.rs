//! What the seed decides before a history begins: how the client is configured, what the cluster is like, what may go wrong
//! and how the history ends.
//!
//! Each history has only some kinds of faults (swarm testing): a fault that occurs in all of them would hide what the others do
//! without it.

use std::collections::BTreeSet;
use std::time::Duration;

use continuous_producer::kafka::config::{
    Acks, Compression, HostPort, MessageKey, NewTopic, ProducerConfig,
};

use crate::faults::Kind;
use crate::partition::Judgement;
use crate::sasl::credentials;
use crate::time::{MINUTE, MS, Micros, SECOND};

pub(crate) const TOPIC: &str = "shoes";
pub(crate) const CLIENT_ID: &str = "a-client";

/// How a history ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ending {
    /// All faults are healed, everything settles, and the client must still work.
    Calm,
    /// The client is closed in the midst of things, and has so long.
    Abrupt { patience: Micros },
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) client: ProducerConfig,
    pub(crate) nodes: i32,
    pub(crate) partitions: usize,
    pub(crate) replication: usize,
    pub(crate) min_isr: usize,
    pub(crate) judgement: Judgement,
    /// Whether a broker takes up a request before it has answered the one before it on the same connection.
    pub(crate) pipelined: bool,
    /// The highest versions of Produce, Metadata and `InitProducerId`.
    pub(crate) versions: (i16, i16, i16),
    /// The epoch that a new producer id comes with.
    pub(crate) first_epoch: i16,
    pub(crate) latency: (Micros, Micros),
    /// Records in a burst, at most.
    pub(crate) burst: u64,
    /// Between bursts, at most.
    pub(crate) pause: Micros,
    /// Bytes of a value beyond its number, at most.
    pub(crate) padding: usize,
    pub(crate) keys: u64,
    pub(crate) run: Micros,
    pub(crate) faults: BTreeSet<Kind>,
    /// Between faults, on average.
    pub(crate) fault_pause: Micros,
    pub(crate) ending: Ending,
    /// The topic is there from the beginning.
    pub(crate) topic_exists: bool,
    /// Brokers demand authentication, and again after so long, or never again.
    pub(crate) session_ms: Option<u32>,
}

impl Plan {
    pub(crate) fn draw(rng: &mut fastrand::Rng) -> Self {
        let idempotence = rng.u8(0..10) < 8;
        let acks = if idempotence {
            Acks::All
        } else {
            one_of(rng, &[Acks::All, Acks::Leader, Acks::None])
        };
        let nodes = rng.i32(1..=4);
        let replication = rng.usize(1..=nodes.unsigned_abs() as usize).min(3);
        let legacy = rng.u8(0..5) == 0;
        let run = if rng.u8(0..8) == 0 {
            rng.u64(2 * MINUTE..20 * MINUTE)
        } else {
            rng.u64(SECOND..40 * SECOND)
        };
        let quiet = rng.u8(0..10) == 0;
        let faults = Kind::ALL
            .iter()
            .copied()
            .filter(|kind| !quiet && rng.u8(0..100) < kind.share());
        let mut plan = Self {
            faults: faults.collect(),
            client: client(rng, idempotence, acks),
            nodes,
            partitions: rng.usize(1..=4),
            replication,
            min_isr: rng.usize(1..=replication).min(2),
            judgement: Judgement {
                legacy,
                // Longer than any batch is of open fate: past it no broker could tell a duplicate.
                expiry: one_of(rng, &[4 * MINUTE, 60 * MINUTE]),
                says_duplicate: rng.bool(),
            },
            pipelined: rng.bool(),
            versions: if legacy {
                (
                    one_of(rng, &[3, 5, 6, 7]),
                    one_of(rng, &[5, 6, 7]),
                    one_of(rng, &[0, 1]),
                )
            } else {
                (
                    one_of(rng, &[7, 8, 9, 10, 11, 12, 13]),
                    one_of(rng, &[8, 9, 11, 12, 13]),
                    one_of(rng, &[3, 4, 5]),
                )
            },
            first_epoch: if rng.u8(0..10) == 0 {
                i16::MAX - rng.i16(1..6)
            } else {
                0
            },
            latency: one_of(
                rng,
                &[(50, 500), (200, 5 * MS), (MS, 80 * MS), (0, 300 * MS)],
            ),
            burst: one_of(rng, &[2, 10, 40]),
            pause: one_of(rng, &[5 * MS, 50 * MS, 500 * MS]).max(run / 400),
            padding: one_of(rng, &[0, 40, 400]),
            keys: one_of(rng, &[1, 8, 1000]),
            run,
            fault_pause: one_of(rng, &[200 * MS, SECOND, 5 * SECOND]).max(run / 60),
            ending: if rng.u8(0..3) == 0 {
                Ending::Abrupt {
                    patience: one_of(rng, &[0, 300 * MS, 5 * SECOND, MINUTE]),
                }
            } else {
                Ending::Calm
            },
            topic_exists: rng.u8(0..8) != 0,
            session_ms: None,
        };
        if rng.u8(0..3) == 0 {
            plan.session_ms = Some(one_of(rng, &[0, 2_000, 10_000, 60_000]));
            plan.client.sasl = Some(credentials());
        }
        plan
    }
}

fn client(rng: &mut fastrand::Rng, idempotence: bool, acks: Acks) -> ProducerConfig {
    let request_timeout = one_of(rng, &[1, 3, 10, 30]);
    let linger = one_of(rng, &[0, 5, 50]);
    let batch_size = one_of(rng, &[150, 1000, 16_000]);
    let bootstrap_servers = (1..=rng.u16(1..=3)).map(|n| HostPort {
        host: format!("boot-{n}"),
        port: 9092,
    });
    ProducerConfig {
        bootstrap_servers: bootstrap_servers.collect(),
        topic: TOPIC.to_owned(),
        acks,
        idempotence,
        compression: if rng.u8(0..8) == 0 {
            Compression::Snappy
        } else {
            Compression::None
        },
        linger: Duration::from_millis(linger),
        batch_size,
        max_in_flight: rng.usize(1..=5),
        buffer_memory: one_of(rng, &[3_000, 40_000, 1 << 20]),
        delivery_timeout: Duration::from_secs(request_timeout + one_of(rng, &[4, 20, 120])),
        request_timeout: Duration::from_secs(request_timeout),
        client_id: CLIENT_ID.to_owned(),
        message_key: if rng.bool() {
            MessageKey::Id
        } else {
            MessageKey::None
        },
        create_topic: rng.bool().then_some(NewTopic {
            partitions: 3,
            replication: 1,
        }),
        tls: None,
        sasl: None,
    }
}

/// One of several, all as likely.
pub(crate) fn one_of<T: Copy>(rng: &mut fastrand::Rng, these: &[T]) -> T {
    these[rng.usize(0..these.len())]
}
