//! A new epoch, or a new producer id, gives batches new sequences: none whose fate is open, and none that would come too late.

use super::*;

fn next_produce(rig: &mut Rig) -> Asked {
    rig.advance_until(secs(3), |rig| !rig.produces.is_empty());
    rig.produces.remove(0)
}

/// What came to a partition's log, in order: values, and under which `(producer id, epoch, first sequence)`.
type Written = Vec<(String, (i64, i16, i32))>;

/// Answers the next requests: each batch that `code` gives 0 is written.
fn play(rig: &mut Rig, requests: usize, code: impl Fn(&str, i16) -> i16) -> Written {
    let mut written = Written::new();
    for _ in 0..requests {
        let produce = next_produce(rig);
        let batch = produce.batch();
        let (value, stamp) = (batch.values().concat(), batch.stamp());
        let code = code(&value, stamp.1);
        rig.code(&produce, code);
        if code == 0 {
            written.push((value, stamp));
        }
    }
    rig.advance(secs(3));
    assert!(rig.produces.is_empty(), "{:?}", rig.produces);
    written
}

/// `a`, `b` and `c` in flight one behind the other, after a first acknowledgement.
fn three_in_flight(mut rig: Rig) -> (Rig, [Asked; 3]) {
    for value in ["a", "b", "c"] {
        rig.send(&[value]);
    }
    let asked = std::mem::take(&mut rig.produces).try_into().unwrap();
    (rig, asked)
}

/// The same, and then the replicas were too slow for all three: each is of open fate.
fn three_open(rig: Rig) -> Rig {
    let (mut rig, sent) = three_in_flight(rig);
    for asked in &sent {
        rig.code(asked, 7);
    }
    rig
}

fn written(expected: &[(&str, (i64, i16, i32))]) -> Written {
    let owned = |&(value, stamp): &(&str, _)| (value.to_owned(), stamp);
    expected.iter().map(owned).collect()
}

/// Scenarios 10, 12 and 16. That the broker does not have it proves nothing: a request that it had taken off the socket may
/// be carried out later, and an old leader does not have what a new one has.
#[test]
fn what_may_have_been_written_is_asked_about_under_its_old_sequence_and_never_gets_a_new_one() {
    let answered = three_open(Rig::simple().warmed_up());
    let (mut unanswered, [a, ..]) = three_in_flight(Rig::simple().warmed_up());
    unanswered.cut(a.connection);
    for mut rig in [answered, unanswered] {
        let log = play(&mut rig, 3, |_, epoch| if epoch == 0 { 45 } else { 0 });
        assert_eq!(log, []);
        assert_eq!((rig.ledger.acknowledged, rig.ledger.failed), (1, 3));
        let failures = rig.failures();
        assert!(
            failures.iter().all(|line| line.contains("outcome unknown")),
            "{failures:?}"
        );
        rig.send(&["d"]);
        assert_eq!(rig.take_produce().batch().stamp(), (1000, 1, 0));
    }
}

/// Scenarios 12 and 26.
#[test]
fn what_was_written_without_the_batch_before_it_is_acknowledged_once_and_that_one_fails() {
    // Made anew in mid-flight, the topic took b and c, which came after its birth; but a had come before.
    let mut rig = three_open(Rig::simple().warmed_up());
    let log = play(&mut rig, 3, |value, epoch| {
        assert_eq!(epoch, 0);
        if value == "a" { 45 } else { 46 }
    });
    assert_eq!(log, []);
    assert_eq!((rig.ledger.acknowledged, rig.ledger.failed), (3, 1));
    assert!(rig.failures()[0].contains("outcome unknown"));
    rig.send(&["d"]);
    assert_eq!(rig.take_produce().batch().stamp(), (1000, 1, 0));
}

/// Scenario 26.
#[test]
fn a_batch_that_was_overtaken_in_a_log_made_anew_is_not_put_behind_what_overtook_it() {
    for (code, failed) in [(3, 1), (19, 1)] {
        let (mut rig, sent) = three_in_flight(Rig::simple().warmed_up());
        for (asked, code) in sent.iter().zip([code, 0, 0]) {
            rig.code(asked, code);
        }
        let log = play(&mut rig, 1, |_, _| 45);
        assert_eq!(log, []);
        assert_eq!((rig.ledger.acknowledged, rig.ledger.failed), (3, failed));
    }
}

#[test]
fn an_overtaken_batch_that_the_broker_knows_again_is_a_success() {
    let (mut rig, sent) = three_in_flight(Rig::simple().warmed_up());
    for (asked, code) in sent.iter().zip([20, 0, 0]) {
        rig.code(asked, code);
    }
    play(&mut rig, 1, |_, _| 46);
    assert_eq!((rig.ledger.acknowledged, rig.ledger.failed), (4, 0));
}

/// A later batch is what the broker wants a new epoch (47) or a new producer id (49) for, while the first is open.
fn first_open_and_a_later_one_refused(code: i16) -> Rig {
    let (mut rig, sent) = three_in_flight(Rig::simple().warmed_up());
    for (asked, code) in sent.iter().zip([7, code, code]) {
        rig.code(asked, code);
    }
    rig
}

#[test]
fn the_first_is_asked_about_too_when_it_is_a_later_one_that_asks_for_the_new_epoch() {
    for (code, begins) in [(47, (1000, 1)), (49, (1001, 0))] {
        let mut rig = first_open_and_a_later_one_refused(code);
        let log = play(&mut rig, 3, |value, _| if value == "a" { 46 } else { 0 });
        let stamp = |sequence| (begins.0, begins.1, sequence);
        assert_eq!(log, written(&[("b", stamp(0)), ("c", stamp(1))]));
        assert_eq!((rig.ledger.acknowledged, rig.ledger.failed), (4, 0));
    }
}

#[test]
fn an_open_batch_whose_epoch_is_refused_is_of_unknown_outcome_and_never_gets_a_new_sequence() {
    for (code, begins) in [(47, (1000, 1)), (49, (1001, 0))] {
        let mut rig = first_open_and_a_later_one_refused(code);
        let log = play(&mut rig, 3, |value, _| if value == "a" { code } else { 0 });
        let stamp = |sequence| (begins.0, begins.1, sequence);
        assert_eq!(log, written(&[("b", stamp(0)), ("c", stamp(1))]));
        assert_eq!((rig.ledger.acknowledged, rig.ledger.failed), (3, 1));
        let line = &rig.failures()[0];
        assert!(line.contains("partition 0: outcome unknown:"), "{line}");
    }
}

/// Scenario 21.
#[test]
fn behind_a_hole_too_what_is_open_is_asked_about_before_anything_is_stamped_anew() {
    // a is refused for good; b is not there, but c is (a broker that forgot the producer in between).
    let mut rig = three_open(Rig::simple().warmed_up());
    let codes = |value: &str, epoch| match (value, epoch) {
        ("a", 0) => 87,
        ("b", 0) => 45,
        ("c", 0) => 46,
        _ => 0,
    };
    let log = play(&mut rig, 3, codes);
    assert_eq!(log, []);
    assert_eq!((rig.ledger.acknowledged, rig.ledger.failed), (2, 2));
    let failures = rig.failures();
    assert!(failures[0].contains("outcome unknown"), "{failures:?}");
    assert!(failures[1].contains("outcome unknown"), "{failures:?}");
}

/// Scenario 19.
#[test]
fn before_a_new_producer_id_is_adopted_too_every_open_fate_is_settled() {
    let mut cluster = FakeCluster::new(1, 1);
    cluster.producer = (1000, i16::MAX - 1);
    let mut rig = three_open(Rig::ready(config(), cluster).warmed_up());
    assert_eq!(play(&mut rig, 3, |_, _| 45), []);
    assert_eq!((rig.ledger.acknowledged, rig.ledger.failed), (1, 3));
    rig.send(&["d"]);
    assert_eq!(next_produce(&mut rig).batch().stamp(), (1001, 0, 0));
    assert_eq!(rig.count(ApiKey::InitProducerId), 2);
}

/// Scenario 20.
#[test]
fn what_cannot_be_asked_about_in_time_fails_at_the_delivery_timeout_and_nothing_is_stamped_anew_before()
 {
    let mut rig = three_open(Rig::simple().warmed_up());
    rig.advance_until(secs(3), |rig| !rig.produces.is_empty());
    let a = rig.take_produce();
    rig.code(&a, 45);
    let begun = rig.now;
    let in_time = |rig: &Rig| rig.now - begun < DELIVERY_TIMEOUT + secs(1);
    while rig.ledger.failed < 3 {
        assert!(in_time(&rig));
        rig.advance(ms(50));
        if let Some(produce) = rig.produces.pop() {
            assert_eq!(produce.batch().stamp(), (1000, 0, 2), "b, as it was");
            rig.code(&produce, 19);
        }
    }
    rig.send(&["d"]);
    assert_eq!(next_produce(&mut rig).batch().stamp(), (1000, 1, 0));
}

#[test]
fn a_batch_that_fails_without_a_clear_answer_overtakes_what_was_sent_before_it() {
    // -1: nobody knows what b's answer means. Were a stamped anew, it might come after b.
    for (code, failed) in [(-1, 2), (29, 1)] {
        let (mut rig, sent) = three_in_flight(Rig::simple().warmed_up());
        for (asked, code) in sent.iter().zip([19, code, 45]) {
            rig.code(asked, code);
        }
        play(&mut rig, 5 - failed, |_, epoch| match epoch {
            0 => 45,
            _ => 0,
        });
        assert_eq!(
            (rig.ledger.acknowledged, rig.ledger.failed),
            (4 - failed, failed)
        );
    }
}
