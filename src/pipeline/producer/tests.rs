use std::thread;

use crossbeam_channel::unbounded;
use sandbox::{DEFAULT_TOPIC, Sandbox};

use super::*;
use crate::kafka::config::{Acks, Compression, HostPort, MessageKey};

const RECORDS_A_CHUNK: usize = 100;
const CHUNKS: usize = 2000;
const FAR: Duration = Duration::from_secs(60);

fn config(sandbox: &Sandbox) -> ProducerConfig {
    let servers = sandbox.bootstrap_servers();
    let (host, port) = servers.split_once(':').unwrap();
    ProducerConfig {
        bootstrap_servers: vec![HostPort {
            host: host.to_owned(),
            port: port.parse().unwrap(),
        }],
        topic: DEFAULT_TOPIC.to_owned(),
        acks: Acks::All,
        idempotence: true,
        compression: Compression::None,
        linger: Duration::from_millis(5),
        batch_size: 16 << 20,
        max_in_flight: 5,
        buffer_memory: 1 << 30,
        delivery_timeout: FAR,
        request_timeout: FAR,
        client_id: "a-client".to_owned(),
        message_key: MessageKey::Id,
        create_topic: None,
        tls: None,
        sasl: None,
    }
}

/// In full batches they would never leave, and the memory is never full.
#[test]
fn what_has_lingered_leaves_though_another_chunk_is_always_ready() {
    let sandbox = Sandbox::start(sandbox::Config::default()).unwrap();
    let (full_in, chunks) = unbounded();
    let (empties, _empty_out) = unbounded();
    let (ready, _ready_out) = bounded(1);
    let due = Instant::now();
    for _ in 0..CHUNKS {
        let mut chunk = Chunk::with_capacity(0);
        for _ in 0..RECORDS_A_CHUNK {
            chunk.push(due, 0, Some(b"a key"), |out| out.extend([1; 50]));
        }
        full_in.send(chunk).unwrap();
    }
    let left = chunks.clone();
    let inputs = ProducerInputs {
        config: config(&sandbox),
        seed: 1,
        shutdown_timeout: FAR,
        chunks,
        empties,
        ready,
        tokens: never(),
        questions: never(),
        stop: Stop::new(),
        stats: Arc::new(Stats::new(due).unwrap()),
        errors: Arc::new(ErrorSummary::new()),
    };
    let producer = thread::spawn(move || run(inputs));
    let begun = |state: &sandbox::State| state.record_count(DEFAULT_TOPIC) > 0;
    assert!(sandbox.wait_for(begun, FAR));
    assert!(
        !left.is_empty(),
        "the first batch left when nothing more came"
    );
    drop((full_in, left));
    let outcome = producer.join().unwrap();
    assert!(
        outcome.fatal.is_none() && outcome.unsent == 0,
        "{outcome:?}"
    );
    let all = (CHUNKS * RECORDS_A_CHUNK) as u64;
    assert_eq!(sandbox.record_count(DEFAULT_TOPIC), all);
}
