//! Which partition a record goes to.
//!
//! With a key: murmur2, bit for bit as the Java client does it (`org.apache.kafka.common.utils.Utils.murmur2`), so that our
//! records land where those of every Java producer with the same key land. Without one: sticky (KIP-480), one partition until
//! its batch leaves, then another that has a leader.

/// The partition for `key` in a topic of `partitions` partitions; 0 where there are none.
pub(super) fn by_key(key: &[u8], partitions: usize) -> usize {
    let positive = murmur2(key) & 0x7fff_ffff;
    (positive as usize).checked_rem(partitions).unwrap_or(0)
}

/// Java's murmur2 with Kafka's seed. The result's bits, unsigned.
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;

    // Java lengths are 32 bits; a longer key wraps as it would there.
    #[allow(clippy::cast_possible_truncation)]
    let mut h = SEED ^ data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    for (i, byte) in rest.iter().enumerate().rev() {
        h ^= u32::from(*byte) << (8 * i);
    }
    if !rest.is_empty() {
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

/// The sticky choice for records without a key.
#[derive(Debug, Default)]
pub(super) struct Sticky {
    current: Option<usize>,
}

impl Sticky {
    /// The partition to use now: the current one, or another if its batch left or its leader is gone.
    pub(super) fn choose(
        &mut self,
        partitions: usize,
        has_leader: impl Fn(usize) -> bool,
        rng: &mut fastrand::Rng,
    ) -> usize {
        let usable = |&p: &usize| p < partitions && has_leader(p);
        if let Some(current) = self.current.filter(usable) {
            return current;
        }
        let led = (0..partitions).filter(|&p| has_leader(p)).count();
        let chosen = if led == 0 {
            // Nobody leads anything: fill one batch rather than one of each partition.
            self.current
                .filter(|&current| current < partitions)
                .unwrap_or_else(|| rng.usize(0..partitions.max(1)))
        } else {
            let nth = rng.usize(0..led);
            (0..partitions)
                .filter(|&p| has_leader(p))
                .nth(nth)
                .unwrap_or(0)
        };
        self.current = Some(chosen);
        chosen
    }

    /// The batch of `partition` is complete: let the next record choose anew.
    pub(super) fn batch_left(&mut self, partition: usize) {
        if self.current == Some(partition) {
            self.current = None;
        }
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_wrap)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_equals_javas_on_its_own_test_vectors() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
        }
        // From UtilsTest.java as well: every length of the tail.
        for (key, hash) in [
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
        ] {
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
        }
    }

    #[test]
    fn the_sticky_partition_stays_until_its_batch_leaves_and_has_a_leader() {
        let mut rng = fastrand::Rng::with_seed(3);
        let mut sticky = Sticky::default();
        let first = sticky.choose(6, |p| p != 2, &mut rng);
        for _ in 0..10 {
            assert_eq!(sticky.choose(6, |p| p != 2, &mut rng), first);
        }
        let without = sticky.choose(6, |p| p != first, &mut rng);
        assert_ne!(without, first);
        assert_eq!(sticky.choose(6, |_| false, &mut rng), without);
        let mut seen = [0; 6];
        for _ in 0..600 {
            let p = sticky.choose(6, |p| p != 2, &mut rng);
            seen[p] += 1;
            sticky.batch_left(p);
        }
        assert_eq!(seen[2], 0);
        assert!(
            seen.iter().enumerate().all(|(p, n)| p == 2 || *n > 60),
            "{seen:?}"
        );
    }
}
