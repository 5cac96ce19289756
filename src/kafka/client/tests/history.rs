//! Random histories of a cluster: connections cut before and after the write, answers lost, codes injected, leaders moving,
//! brokers away, logs made anew or cut off at their end. The partitions' logs check sequences as a broker does
//! (`ProducerStateManager`); one that knows nothing of the producer takes any sequence. Whatever happens, every record comes
//! out once, and with idempotence a log has no record twice and none out of order.

use std::collections::VecDeque;

use super::broker::SentBatch;
use super::*;

const STEPS: usize = 400;
const SEEDS: u64 = 40;
const PARTITIONS: usize = 3;
const BROKERS: i32 = 3;

/// A partition's log, with what a broker remembers of the one producer.
#[derive(Default)]
struct Log {
    records: Vec<u64>,
    producer: Option<(i64, i16)>,
    /// First and last sequence of the last five batches.
    batches: VecDeque<(i32, i32)>,
    /// What the logs before this one had, of a topic that was made anew.
    before: Vec<u64>,
}

impl Log {
    fn has(&self, batch: &SentBatch) -> bool {
        numbers(batch).iter().any(|n| self.records.contains(n))
    }

    /// The topic is deleted and made anew.
    fn begin_anew(&mut self) {
        let mut before = std::mem::take(&mut self.before);
        before.append(&mut self.records);
        *self = Self {
            before,
            ..Self::default()
        };
    }

    fn append(&mut self, batch: &SentBatch) -> i16 {
        let (id, epoch, first) = batch.stamp();
        if id >= 0 {
            let last = first + i32::try_from(batch.records.len()).unwrap() - 1;
            match self.producer {
                Some(known) if known == (id, epoch) => {
                    if self.batches.contains(&(first, last)) {
                        return 46;
                    }
                    if self
                        .batches
                        .back()
                        .is_none_or(|&(_, previous)| previous + 1 != first)
                    {
                        return 45;
                    }
                }
                Some((known, newer)) if known == id && newer > epoch => return 47,
                Some((known, _)) if known == id && first != 0 => return 45,
                _ => self.batches.clear(),
            }
            self.producer = Some((id, epoch));
            self.batches.push_back((first, last));
            if self.batches.len() > 5 {
                self.batches.pop_front();
            }
        }
        self.records.extend(numbers(batch));
        0
    }
}

fn numbers(batch: &SentBatch) -> Vec<u64> {
    let values = batch.values();
    values.iter().map(|value| value.parse().unwrap()).collect()
}

struct History {
    rig: Rig,
    rng: fastrand::Rng,
    logs: Vec<Log>,
    next: u64,
    calm: bool,
    idempotence: bool,
    topics_made_anew: bool,
}

impl History {
    fn new(seed: u64, idempotence: bool) -> Self {
        let config = ProducerConfig {
            idempotence,
            batch_size: 120,
            buffer_memory: 5000,
            request_timeout: secs(2),
            delivery_timeout: secs(4),
            ..config()
        };
        let partitions = i32::try_from(PARTITIONS).unwrap();
        let mut rig = Rig::ready(config.clone(), FakeCluster::new(BROKERS, partitions));
        rig.client = Client::new(config, seed, rig.now);
        rig.links.clear();
        Self {
            rig,
            rng: fastrand::Rng::with_seed(seed),
            logs: std::iter::repeat_with(Log::default)
                .take(PARTITIONS)
                .collect(),
            next: 0,
            calm: false,
            idempotence,
            topics_made_anew: seed.is_multiple_of(2),
        }
    }

    fn chance(&mut self, percent: u32) -> bool {
        !self.calm && self.rng.u32(0..100) < percent
    }

    fn step(&mut self) {
        for _ in 0..self.rng.usize(0..4) {
            let partition = self.rng.usize(0..PARTITIONS);
            if self
                .rig
                .push_keyed(partition, &self.next.to_string())
                .is_ok()
            {
                self.next += 1;
            } else {
                assert!(!self.rig.client.wants_records());
            }
        }
        let wait = self.rng.u64(0..50);
        self.rig.advance(ms(wait));
        self.rig.settle();
        if self.chance(3) {
            let partition = self.rng.usize(0..PARTITIONS);
            self.rig.cluster.leaders[partition] = self.rng.i32(1..=BROKERS);
            self.rig.cluster.leader_epoch += 1;
        }
        if self.topics_made_anew && self.chance(1) {
            let partition = self.rng.usize(0..PARTITIONS);
            self.logs[partition].begin_anew();
        }
        if self.chance(2) {
            let host = format!("broker-{}", self.rng.i32(1..=BROKERS));
            if !self.rig.refusing.remove(&host) {
                self.rig.refusing.insert(host);
            }
        }
        if self.chance(2) {
            let connections: Vec<ConnectionId> = self.rig.links.keys().copied().collect();
            if let Some(&connection) = self.rng.choice(&connections) {
                self.cut(connection);
            }
        }
        for _ in 0..self.rng.usize(0..3) {
            self.handle_one();
        }
    }

    /// Some of what had arrived may still be written.
    fn cut(&mut self, connection: ConnectionId) {
        let arrived = self
            .rig
            .produces
            .iter()
            .filter(|p| p.connection == connection);
        let arrived: Vec<Asked> = arrived.cloned().collect();
        let handled = self.rng.usize(0..=arrived.len());
        for asked in &arrived[..handled] {
            self.outcomes(asked);
        }
        self.rig.cut(connection);
    }

    /// A broker handles the oldest request of one of its connections.
    fn handle_one(&mut self) {
        let connections: BTreeSet<ConnectionId> = self
            .rig
            .produces
            .iter()
            .map(|asked| asked.connection)
            .collect();
        let Some(connection) = self.rng.choice(connections) else {
            return;
        };
        let oldest = self
            .rig
            .produces
            .iter()
            .position(|asked| asked.connection == connection);
        let asked = self.rig.produces.remove(oldest.unwrap());
        let outcomes = self.outcomes(&asked);
        let mut response = asked.produced(|partition| outcomes[&partition]);
        if self.chance(3) {
            return self.rig.cut(connection);
        }
        if self.chance(2) {
            response.responses[0].partition_responses.pop();
        }
        if self.chance(3) {
            response.throttle_time_ms = self.rng.i32(0..300);
        }
        self.rig.answer(&asked, &response);
    }

    fn outcomes(&mut self, asked: &Asked) -> BTreeMap<i32, i16> {
        let batches = asked.batches();
        batches
            .iter()
            .map(|batch| (batch.partition, self.outcome(asked, batch)))
            .collect()
    }

    fn outcome(&mut self, asked: &Asked, batch: &SentBatch) -> i16 {
        let slot = usize::try_from(batch.partition).unwrap();
        if asked.host != format!("broker-{}", self.rig.cluster.leaders[slot]) {
            return 6;
        }
        if self.chance(6) {
            return self.rng.choice([2, 3, 5, 19, 56, 89]).unwrap();
        }
        if self.chance(5) {
            return match self.rng.choice([10, 29, 45, 59, 87, 4711]).unwrap() {
                // A broker that has the batch would say so first, and a batch without sequence is never out of it.
                45 | 59 if batch.stamp().0 < 0 || self.logs[slot].has(batch) => 2,
                code => code,
            };
        }
        let code = self.logs[slot].append(batch);
        if code == 0 && self.chance(6) {
            return self.rng.choice([3, 6, 7, 13, 20, 56]).unwrap();
        }
        code
    }

    fn finish(mut self, seed: u64) {
        self.calm = true;
        self.rig.refusing.clear();
        self.rig.client.close(self.rig.now + secs(60));
        for _ in 0..1000 {
            if self.rig.client.is_closed() {
                break;
            }
            self.rig.advance(ms(20));
            self.rig.settle();
            while !self.rig.produces.is_empty() {
                self.handle_one();
            }
        }
        let ledger = &self.rig.ledger;
        assert!(self.rig.client.is_closed(), "seed {seed}: {ledger:?}");
        assert_eq!(ledger.settled(), ledger.pushed, "seed {seed}: {ledger:?}");
        assert_eq!(self.rig.client.buffered_bytes(), 0, "seed {seed}");
        assert!(self.rig.links.is_empty(), "seed {seed}");
        assert!(
            self.rig.fatal().is_none(),
            "seed {seed}: {:?}",
            self.rig.failures()
        );
        if !self.idempotence {
            return;
        }
        let written: usize = self.logs.iter().map(|log| log.records.len()).sum();
        // A batch whose answer was lost together with its log may be in the next log too.
        let ever_written: BTreeSet<u64> = self
            .logs
            .iter()
            .flat_map(|log| log.before.iter().chain(&log.records))
            .copied()
            .collect();
        let open: usize = self
            .rig
            .events
            .iter()
            .map(|event| match event {
                Event::Failed { records, error }
                    if ["delivery timeout", "outcome unknown"].contains(&error.kind()) =>
                {
                    *records
                }
                Event::Abandoned { unanswered, .. } => *unanswered,
                _ => 0,
            })
            .sum();
        let (lost, surplus) = (
            ledger.acknowledged > ever_written.len(),
            written > ledger.acknowledged + open,
        );
        assert!(
            !lost && !surplus,
            "seed {seed}: {written} written, {ledger:?}"
        );
        for log in &self.logs {
            assert!(
                log.records.is_sorted_by(|a, b| a < b),
                "seed {seed}: {:?}",
                log.records
            );
        }
    }
}

fn run(idempotence: bool) -> Ledger {
    let mut total = Ledger::default();
    for seed in 0..SEEDS {
        let mut history = History::new(seed, idempotence);
        for _ in 0..STEPS {
            history.step();
        }
        total.pushed += history.rig.ledger.pushed;
        total.acknowledged += history.rig.ledger.acknowledged;
        total.failed += history.rig.ledger.failed;
        history.finish(seed);
    }
    total
}

#[test]
fn with_idempotence_no_history_loses_duplicates_or_reorders_a_record_and_each_comes_out_once() {
    let total = run(true);
    // The histories are neither all calm nor all storm.
    assert!(total.acknowledged > total.pushed / 2, "{total:?}");
    assert!(total.failed > total.pushed / 100, "{total:?}");
}

#[test]
fn without_idempotence_every_record_still_comes_out_once() {
    let total = run(false);
    assert!(total.acknowledged > total.pushed / 2, "{total:?}");
}
