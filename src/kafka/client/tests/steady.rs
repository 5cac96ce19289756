//! What the steady state costs: memory is taken from the heap a batch at a time, never a record at a time.

use allocation_counter::measure;

use super::*;

/// Requests, answers and their bookkeeping take so many allocations for a batch, however many records it has.
const ALLOCATIONS_A_BATCH_MAX: u64 = 40;

fn large_batches() -> ProducerConfig {
    ProducerConfig {
        batch_size: 1_000_000,
        buffer_memory: 32 << 20,
        ..config()
    }
}

/// So many in a row are due at the same instant.
const RUN_RECORDS: usize = 50;

/// Pushes so many records of a shoe's size, and says what the client allocated for it.
fn push(rig: &mut Rig, records: usize) -> u64 {
    let (key, value) = ([b'k'; 36], [b'v'; 93]);
    let now = rig.now;
    let pushing = measure(|| {
        for number in 0..records {
            let record = Record {
                key: Some(&key),
                value: &value,
                timestamp_ms: 1_700_000_000_000,
                due: now + Duration::from_nanos((number / RUN_RECORDS) as u64),
            };
            assert_eq!(rig.client.push(&record, now), Ok(()));
        }
    });
    pushing.count_total
}

/// Sends what was pushed, answers, and says what the client allocated for it.
fn deliver(rig: &mut Rig) -> u64 {
    rig.now += LINGER;
    let mut sent = Vec::with_capacity(1);
    let sending = measure(|| {
        sent.extend(rig.client.poll_action(rig.now));
    });
    let [Action::Send { connection, frame }] = &sent[..] else {
        panic!("not one request: {sent:?}");
    };
    let asked = Asked::read(*connection, "broker-1", frame);
    let answer = asked.answer_with(asked.version, &asked.produced(|_| 0));
    let (connection, id) = (*connection, frame.correlation_id);
    let (now, mut acknowledged) = (rig.now, 0);
    let answered = measure(|| {
        rig.client.handle_written(connection, id, now);
        rig.client.handle_frame(connection, &answer, now);
        assert!(rig.client.poll_action(now).is_none());
        while let Some(event) = rig.client.poll_event() {
            if let Event::Acknowledged { records, due } = event {
                acknowledged += records;
                rig.client.take_back(due);
            }
        }
    });
    // The writer lets go of the batch after the answer, as it may.
    drop(sent);
    assert!(acknowledged > 0, "the answer acknowledges the batch");
    sending.count_total + answered.count_total
}

#[test]
fn a_record_takes_nothing_from_the_heap_and_a_batch_little() {
    let mut rig = Rig::ready(large_batches(), FakeCluster::new(1, 1)).warmed_up();
    for _ in 0..3 {
        push(&mut rig, 7000);
        deliver(&mut rig);
    }
    let costs = [1, 7000].map(|records| (push(&mut rig, records), deliver(&mut rig)));
    let [one, many] = costs;
    assert_eq!(one.0, many.0, "7000 times as many records: {costs:?}");
    assert!(many.0 + many.1 <= ALLOCATIONS_A_BATCH_MAX, "{costs:?}");
}
