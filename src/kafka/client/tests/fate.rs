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
