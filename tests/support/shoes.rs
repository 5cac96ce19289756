//! Whether a topic holds the very shoes that its producer's seed promises.
//!
//! Record *n* of a seed is known, so each record is compared byte for byte with the library's shoe *n* behind the Confluent
//! prefix; in each partition the numbers must ascend, and the partition must be the one that Java's partitioner would take.

use std::collections::{BTreeSet, HashMap};

use continuous_producer::shoe::ShoeGenerator;
use sandbox::{DEFAULT_TOPIC, Sandbox};

use super::SEED;

/// Magic byte, the sandbox registry's first schema id (100001), and the path of the schema's first message.
pub(crate) const PREFIX: [u8; 6] = [0, 0, 1, 0x86, 0xa1, 0];

/// What is expected of a topic.
#[derive(Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub(crate) topic: &'a str,
    pub(crate) seed: u64,
    pub(crate) instance: u16,
    /// The shoe's id is the key, and decides about the partition.
    pub(crate) keyed: bool,
    /// The topic has always had as many partitions as it has now.
    pub(crate) settled: bool,
}

impl Default for Expected<'_> {
    fn default() -> Self {
        Self {
            topic: DEFAULT_TOPIC,
            seed: SEED,
            instance: 0,
            keyed: true,
            settled: true,
        }
    }
}

/// The default topic holds exactly the shoes from 0 on, so many, and the client did nothing wrong.
#[track_caller]
pub(crate) fn assert_all(sandbox: &Sandbox, count: u64) {
    assert_exactly(sandbox, Expected::default(), count);
}

#[track_caller]
pub(crate) fn assert_exactly(sandbox: &Sandbox, expected: Expected<'_>, count: u64) {
    let numbers = numbers(sandbox, expected, count);
    let missing: Vec<u64> = (0..count).filter(|n| !numbers.contains(n)).collect();
    assert!(
        missing.is_empty(),
        "{} of {count} are missing, such as {:?}",
        missing.len(),
        missing.first()
    );
}

/// The numbers of the shoes that the topic holds, each of them among the first `generated`, in order and once.
#[track_caller]
pub(crate) fn numbers(sandbox: &Sandbox, expected: Expected<'_>, generated: u64) -> BTreeSet<u64> {
    assert_eq!(sandbox.violations(), Vec::<String>::new());
    let generator = ShoeGenerator::new(expected.seed, expected.instance);
    let values = (0..generated).map(|n| {
        let shoe = generator.shoe(n);
        let value = [&PREFIX[..], &shoe.protobuf()].concat();
        (value, (n, shoe.id().to_owned()))
    });
    let values: HashMap<Vec<u8>, (u64, String)> = values.collect();
    let partitions = sandbox.records(expected.topic);
    let mut numbers = BTreeSet::new();
    for (index, records) in partitions.iter().enumerate() {
        let mut last = None;
        for record in records {
            let offset = record.offset;
            let value = record.value.as_deref().unwrap_or_default();
            let Some((n, id)) = values.get(value) else {
                panic!("partition {index}, offset {offset}: no shoe of this seed: {value:02x?}");
            };
            let key = expected.keyed.then_some(id.as_bytes());
            assert_eq!(record.key.as_deref(), key, "the key of shoe {n}");
            if expected.keyed && expected.settled {
                assert_eq!(partition_of(id.as_bytes(), partitions.len()), index);
            }
            assert!(
                last < Some(*n),
                "partition {index}, offset {offset}: shoe {n} comes after {last:?}"
            );
            last = Some(*n);
            assert!(numbers.insert(*n), "shoe {n} is in two partitions");
        }
    }
    numbers
}

/// `BuiltInPartitioner.partitionForKey` of Kafka's Java client.
pub(crate) fn partition_of(key: &[u8], partitions: usize) -> usize {
    let positive = murmur2(key) & 0x7fff_ffff;
    positive as usize % partitions
}

/// `Utils.murmur2` of Kafka's Java client.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ u32::try_from(data.len()).unwrap();
    let words = data.chunks_exact(4);
    let rest = words.remainder();
    for word in words {
        let mut k = u32::from_le_bytes(word.try_into().unwrap()).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}
