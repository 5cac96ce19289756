//! Batches whose fate is open: each may or may not be in the log, and none of them may ever be there twice.

use super::*;

fn next_produce(rig: &mut Rig) -> Asked {
    rig.advance_until(secs(3), |rig| !rig.produces.is_empty());
    rig.produces.remove(0)
}

/// Scenario 22.
#[test]
fn nothing_goes_out_behind_a_batch_that_a_broker_may_have_written_before_it_lost_partition_or_disk()
{
    for code in [3, 6, 13, 56] {
        let mut rig = Rig::simple().warmed_up();
        for value in ["a", "b", "c", "d", "e"] {
            rig.send(&[value]);
        }
        for (sent, code) in std::mem::take(&mut rig.produces)
            .into_iter()
            .zip([code, 0, 0, 0, 0])
        {
            rig.code(&sent, code);
        }
        rig.send(&["f"]);
        for _ in 0..3 {
            let again = next_produce(&mut rig);
            assert_eq!(again.batch().values(), ["a"], "code {code}");
            rig.advance(ms(100));
            assert!(rig.produces.is_empty(), "code {code}");
            rig.code(&again, 19);
        }
        let again = next_produce(&mut rig);
        rig.code(&again, 46);
        assert_eq!(next_produce(&mut rig).batch().values(), ["f"]);
    }
}

/// Scenario 21.
#[test]
fn a_batch_that_may_have_been_written_is_never_halved_and_its_line_says_what_is_not_known() {
    let mut rig = Rig::simple().warmed_up();
    rig.send(&["a", "b"]);
    let sent = rig.take_produce();
    rig.code(&sent, 7);
    // Someone lowers max.message.bytes.
    let again = next_produce(&mut rig);
    rig.code(&again, 10);
    rig.advance(secs(10));
    assert!(rig.produces.is_empty());
    assert_eq!(
        rig.failures(),
        [
            "partition 0: outcome unknown: one attempt may have been written, the next was refused with \
             MESSAGE_TOO_LARGE (10); raise the topic's max.message.bytes, or send smaller batches"
        ]
    );
    assert_eq!(rig.ledger.failed, 2);
    rig.send(&["c"]);
    assert_eq!(rig.take_produce().batch().stamp(), (1000, 1, 0));
}

#[test]
fn without_idempotence_a_batch_too_large_is_halved_whatever_became_of_it_before() {
    let config = ProducerConfig {
        idempotence: false,
        ..config()
    };
    let mut rig = Rig::ready(config, FakeCluster::new(1, 1)).warmed_up();
    rig.send(&["a", "b"]);
    let sent = rig.take_produce();
    rig.code(&sent, 7);
    let again = next_produce(&mut rig);
    rig.code(&again, 10);
    for value in ["a", "b"] {
        let half = next_produce(&mut rig);
        assert_eq!(half.batch().values(), [value]);
        rig.ack(&half);
    }
    assert_eq!((rig.ledger.acknowledged, rig.ledger.failed), (3, 0));
}

#[test]
fn a_batch_that_is_refused_after_it_may_have_been_written_is_of_unknown_outcome() {
    for (code_before, outcome_unknown) in [(20, true), (6, true), (19, false)] {
        let mut rig = Rig::simple().warmed_up();
        rig.send(&["a"]);
        let sent = rig.take_produce();
        rig.code(&sent, code_before);
        let again = next_produce(&mut rig);
        rig.code(&again, 29);
        let line = rig.failures().remove(0);
        assert!(line.contains("TOPIC_AUTHORIZATION_FAILED (29)"), "{line}");
        assert_eq!(line.contains("outcome unknown"), outcome_unknown, "{line}");
    }
}

#[test]
fn nobody_is_told_of_another_try_where_there_is_none() {
    for code in [10, 29, 31] {
        let mut rig = Rig::simple().warmed_up();
        rig.send(&["a"]);
        let sent = rig.take_produce();
        rig.code(&sent, code);
        let warned = |event: &Event| matches!(event, Event::Warning { .. });
        assert!(!rig.events.iter().any(warned), "{:?}", rig.events);
    }
}

#[test]
fn failures_with_different_codes_are_told_apart() {
    let mut rig = Rig::simple().warmed_up();
    let mut seen = BTreeSet::new();
    for code in [29, 87, 29] {
        rig.send(&["a"]);
        let sent = rig.take_produce();
        rig.code(&sent, code);
        if let Some(Event::Failed { error, .. }) = rig.events.pop() {
            seen.insert(error.trouble());
        }
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
}
