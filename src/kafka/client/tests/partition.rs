//! A partition on its own: which batch it gives out at which moment, and what an outcome changes.

use super::*;
use crate::kafka::client::memory::Memory;
use crate::kafka::client::partition::{BatchId, IDEMPOTENT_WINDOW, Moment, Partition, Poll, Rules};
use crate::kafka::client::sequence::ProducerIdentity;

const RULES: Rules = Rules {
    idempotence: true,
    compression: Compression::None,
    batch_size: 1000,
    linger: Duration::ZERO,
    delivery_timeout: DELIVERY_TIMEOUT,
};

struct Bench {
    partition: Partition,
    memory: Memory,
    rng: fastrand::Rng,
    now: Instant,
    connection: u64,
}

impl Bench {
    fn new() -> Self {
        Self {
            partition: Partition::new(0),
            memory: Memory::new(1 << 20),
            rng: fastrand::Rng::with_seed(1),
            now: Instant::now(),
            connection: 1,
        }
    }

    fn push(&mut self) {
        let record = Record {
            key: None,
            value: b"x",
            timestamp_ms: 0,
            due: self.now,
        };
        let (memory, now) = (&mut self.memory, self.now);
        self.partition.push(&record, &RULES, memory, now).unwrap();
    }

    fn poll(&mut self) -> Option<BatchId> {
        let moment = Moment {
            now: self.now,
            connection: self.connection,
            flush: false,
            identity: Some(ProducerIdentity { id: 1, epoch: 0 }),
        };
        match self.partition.poll_send(&moment, &RULES, &mut self.memory) {
            Poll::Send(id, _) => Some(id),
            Poll::Linger(_) | Poll::Wait(_) => None,
            other => panic!("{other:?}"),
        }
    }

    /// Batches of one record each, as many as the window lets out.
    fn fill(&mut self) -> Vec<BatchId> {
        let mut sent = Vec::new();
        loop {
            self.push();
            match self.poll() {
                Some(id) => sent.push(id),
                None => return sent,
            }
        }
    }

    fn acknowledge(&mut self, id: BatchId) {
        let (batch, _) = self.partition.acknowledge(id, self.now).unwrap();
        batch.finish(&mut self.memory);
    }

    fn retry(&mut self, id: BatchId, may_be_written: bool) {
        self.partition
            .retry(id, may_be_written, self.now, &mut self.rng);
    }

    fn out_of_order(&mut self, id: BatchId) {
        self.partition.out_of_order(id, self.now, &mut self.rng);
    }

    fn warmed_up() -> Self {
        let mut bench = Self::new();
        bench.push();
        let first = bench.poll().unwrap();
        bench.acknowledge(first);
        bench
    }
}

#[test]
fn the_window_opens_with_the_first_acknowledgement_of_a_connection() {
    let mut bench = Bench::new();
    let first = bench.fill();
    assert_eq!(first.len(), 1);
    bench.acknowledge(first[0]);
    assert_eq!(bench.fill().len(), IDEMPOTENT_WINDOW);
    let mut bench = Bench::warmed_up();
    bench.connection = 2;
    assert_eq!(bench.fill().len(), 1);
}

#[test]
fn a_batch_is_not_resent_before_all_that_was_sent_after_it_has_come_back() {
    let mut bench = Bench::warmed_up();
    let sent = bench.fill();
    bench.retry(sent[0], false);
    bench.now += secs(10);
    assert_eq!(bench.poll(), None);
    for &id in &sent[1..] {
        bench.retry(id, false);
    }
    bench.now += secs(10);
    for id in sent {
        assert_eq!(bench.poll(), Some(id), "in the old order");
    }
}

#[test]
fn a_new_epoch_waits_until_nothing_of_the_old_one_is_on_its_way() {
    let mut bench = Bench::warmed_up();
    let sent = bench.fill();
    bench.out_of_order(sent[0]);
    bench.now += secs(10);
    assert_eq!(bench.poll(), None);
    for &id in &sent[1..] {
        bench.out_of_order(id);
    }
    bench.now += secs(10);
    assert_eq!(bench.poll(), Some(sent[0]));
    assert_eq!(
        bench.poll(),
        None,
        "the broker has not acknowledged the epoch yet"
    );
}

#[test]
fn the_backoff_grows_with_failures_and_an_acknowledgement_ends_it() {
    let mut bench = Bench::warmed_up();
    let wait = |bench: &mut Bench, id| {
        bench.retry(id, false);
        let begun = bench.now;
        while bench.poll().is_none() {
            bench.now += ms(1);
        }
        bench.now - begun
    };
    bench.push();
    let id = bench.poll().unwrap();
    let waits: Vec<Duration> = (0..6).map(|_| wait(&mut bench, id)).collect();
    assert!((ms(80)..=ms(121)).contains(&waits[0]), "{waits:?}");
    assert!((ms(800)..=ms(1201)).contains(&waits[5]), "{waits:?}");
    bench.acknowledge(id);
    bench.push();
    let next = bench.poll().unwrap();
    assert!(wait(&mut bench, next) <= ms(121));
}

#[test]
fn the_oldest_expires_first_and_what_is_on_its_way_does_not() {
    let mut bench = Bench::warmed_up();
    bench.push();
    let sent = bench.poll().unwrap();
    bench.now += secs(1);
    bench.push();
    let (memory, later) = (&mut bench.memory, bench.now + DELIVERY_TIMEOUT);
    assert_eq!(bench.partition.expires_at(&RULES), None);
    assert_eq!(bench.partition.expire(&RULES, memory, later), None);
    bench.retry(sent, true);
    let memory = &mut bench.memory;
    let at = bench.partition.expires_at(&RULES).unwrap();
    assert_eq!(at + secs(1), later);
    assert_eq!(bench.partition.expire(&RULES, memory, at), Some((1, 1)));
    assert_eq!(bench.partition.expire(&RULES, memory, at), None);
    assert_eq!(bench.partition.expires_at(&RULES), Some(later));
    assert_eq!(bench.partition.expire(&RULES, memory, later), Some((1, 0)));
    assert!(bench.partition.is_empty());
    assert_eq!(memory.used(), 0);
}
