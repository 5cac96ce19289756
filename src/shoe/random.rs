//! Randomness that is a pure function: the random words of record `n` are made from (seed, instance, n) alone.
//!
//! `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014), written out here
//! because its output must stay the same in every version of this program: a seed names the same shoes for ever.
//! It never keeps state from one record to the next.

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The random words of one (seed, instance).
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    base: u64,
}

impl Words {
    pub(super) fn new(seed: u64, instance: u16) -> Words {
        Words {
            base: mix(mix(seed).wrapping_add(u64::from(instance).wrapping_mul(GOLDEN_GAMMA))),
        }
    }

    /// Three independent words for record `n`.
    #[inline]
    pub(super) fn of(self, n: u64) -> [Bits; 3] {
        let start = mix(self.base.wrapping_add(n.wrapping_mul(GOLDEN_GAMMA)));
        [1_u64, 2, 3].map(|k| Bits(mix(start.wrapping_add(k.wrapping_mul(GOLDEN_GAMMA)))))
    }
}

/// A random word that is used up from its low end.
#[derive(Debug)]
pub(super) struct Bits(u64);

impl Bits {
    /// The next `COUNT` bits, at most 32. The caller takes no more than 64 in all.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // masked to at most 32 bits
    pub(super) fn take<const COUNT: u32>(&mut self) -> u32 {
        const { assert!(COUNT <= 32) };
        let taken = self.0 & ((1 << COUNT) - 1);
        self.0 >>= COUNT;
        taken as u32
    }

    /// A number in `0..count` from the next `BITS` bits; its bias is at most `count / 2^BITS`.
    #[inline]
    pub(super) fn below<const BITS: u32>(&mut self, count: u32) -> u32 {
        const { assert!(BITS <= 16) };
        debug_assert!(count <= 1 << 16);
        (self.take::<BITS>() * count) >> BITS
    }
}

/// The output function of `SplitMix64`: a permutation of the 64-bit numbers.
#[inline]
pub(super) fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mix_is_the_published_splitmix64() {
        // First outputs for seed 1234567, as in the reference implementation (https://prng.di.unimi.it/splitmix64.c).
        let outputs: Vec<u64> = (1..=5_u64)
            .map(|i| mix(1_234_567_u64.wrapping_add(i.wrapping_mul(GOLDEN_GAMMA))))
            .collect();
        assert_eq!(
            outputs,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821
            ]
        );
    }

    #[test]
    fn bits_come_from_the_low_end_and_numbers_stay_below() {
        let mut bits = Bits(0xabcd_ef01_2345_6789);
        assert_eq!(bits.take::<8>(), 0x89);
        assert_eq!(bits.take::<16>(), 0x4567);
        let mut ones = Bits(u64::MAX);
        assert_eq!(ones.below::<16>(898), 897);
        assert_eq!(Bits(0).below::<16>(898), 0);
    }
}
