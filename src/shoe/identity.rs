//! Ids of shoes: UUIDs that are unique by construction, not by luck.
//!
//! A version 4 UUID has 122 free bits. They are filled with a fixed permutation of (instance, 16 bits | hash of the
//! seed, 42 bits | record number, 64 bits). A permutation never maps two inputs to one output, so no two records of a
//! run share an id, and neither do two instances, whatever their seeds. The permutation is mere decoration: it makes
//! the ids look random, and is no secret. It never depends on the seed, for two permutations could collide.

use super::random::mix;
use super::text::InlineText;

/// Length of an id in its text form (RFC 9562).
pub const ID_BYTES: usize = 36;

const FREE_BITS: u32 = 122;
const FREE_MASK: u128 = (1 << FREE_BITS) - 1;
const HALF_BITS: u32 = FREE_BITS / 2;
const SEED_HASH_BITS: u32 = 42;
const NUMBER_BITS: u32 = 64;

/// Odd, hence invertible modulo a power of two; otherwise arbitrary.
const MULTIPLIERS: [u128; 3] = [
    0x37c_da00_98d4_dddc_368b_43ae_8290_92bf,
    0x248_b016_ee16_8dc4_e8d7_c218_4d63_69ef,
    0x2e1_7d72_c2d1_d78b_5dd6_450c_bad0_18bf,
];

/// An id's text.
pub(super) type Text = InlineText<48>;

/// Makes the ids of one (seed, instance).
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
    /// Everything above the record's number.
    prefix: u128,
}

impl Identity {
    /// Ids of this seed and instance.
    pub(super) fn new(seed: u64, instance: u16) -> Identity {
        let seed_hash = mix(seed) >> (u64::BITS - SEED_HASH_BITS);
        let high = (u64::from(instance) << SEED_HASH_BITS) | seed_hash;
        Identity {
            prefix: u128::from(high) << NUMBER_BITS,
        }
    }

    /// The id of record `n`, as lower-case text.
    #[inline]
    pub(super) fn id(self, n: u64) -> Text {
        text(uuid(permute(self.prefix | u128::from(n))))
    }
}

/// Each step can be undone: an odd multiplier has an inverse, and shifting by half the width and xoring twice is nothing.
#[inline]
fn permute(mut x: u128) -> u128 {
    for multiplier in MULTIPLIERS {
        x = x.wrapping_mul(multiplier) & FREE_MASK;
        x ^= x >> HALF_BITS;
    }
    x
}

/// Spreads 122 bits around the version (4) and the variant (binary 10) of RFC 9562, section 5.4.
#[inline]
fn uuid(free: u128) -> u128 {
    const LOW_BITS: u32 = 62;
    const MIDDLE_BITS: u32 = 12;
    let low = free & ((1 << LOW_BITS) - 1);
    let middle = (free >> LOW_BITS) & ((1 << MIDDLE_BITS) - 1);
    let high = free >> (LOW_BITS + MIDDLE_BITS);
    (high << 80) | (0x4 << 76) | (middle << 64) | (0b10 << 62) | low
}

/// 8-4-4-4-12 digits. Put together in registers: bytes that are written apart and read together stall a processor.
#[inline]
#[allow(clippy::cast_possible_truncation)] // each cast takes the 32 bits that it names
fn text(uuid: u128) -> Text {
    const DASH: u64 = b'-' as u64;
    const FOUR: u64 = 0xffff_ffff;
    let a = hex((uuid >> 96) as u32);
    let b = hex((uuid >> 64) as u32);
    let c = hex((uuid >> 32) as u32);
    let d = hex(uuid as u32);
    InlineText::of_words([
        a,
        DASH | (b & FOUR) << 8 | DASH << 40 | b >> 32 << 48,
        b >> 48 | DASH << 16 | (c & FOUR) << 24 | DASH << 56,
        c >> 32 | d << 32,
        d >> 32,
        0,
    ])
}

/// Eight hexadecimal digits at once, the first one lowest: a nibble a byte, then every byte to its digit.
#[inline]
fn hex(value: u32) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut x = u64::from(value);
    x = ((x << 16) | x) & 0x0000_ffff_0000_ffff;
    x = ((x << 8) | x) & 0x00ff_00ff_00ff_00ff;
    x = ((x << 4) | x) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 in every byte that holds a nibble over 9.
    let letters = ((x + 6 * ONES) >> 4) & ONES;
    (x + u64::from(b'0') * ONES + letters * u64::from(b'a' - b'0' - 10)).swap_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn inverse(multiplier: u128) -> u128 {
        // Newton: every step doubles the number of right bits.
        let mut inverse = multiplier;
        for _ in 0..7 {
            inverse = inverse.wrapping_mul(2_u128.wrapping_sub(multiplier.wrapping_mul(inverse)));
        }
        inverse
    }

    fn undo(mut x: u128) -> u128 {
        for multiplier in MULTIPLIERS.iter().rev() {
            x ^= x >> HALF_BITS;
            x = x.wrapping_mul(inverse(*multiplier)) & FREE_MASK;
        }
        x
    }

    fn parse(id: &Text) -> u128 {
        let digits: String = id.start(ID_BYTES).split('-').collect();
        assert_eq!(digits.len(), 32);
        u128::from_str_radix(&digits, 16).unwrap()
    }

    /// (instance, hash of the seed, number) that an id was made of.
    fn taken_apart(id: &Text) -> (u128, u128, u128) {
        let uuid = parse(id);
        let free = ((uuid >> 80) << 74) | (((uuid >> 64) & 0xfff) << 62) | (uuid & ((1 << 62) - 1));
        let x = undo(free);
        (
            x >> (NUMBER_BITS + SEED_HASH_BITS),
            (x >> NUMBER_BITS) & ((1 << SEED_HASH_BITS) - 1),
            x & u128::from(u64::MAX),
        )
    }

    #[test]
    fn an_id_leads_back_to_its_instance_seed_and_number() {
        let mut rng = fastrand::Rng::with_seed(1);
        let edges = [0, 1, 2, 0xffff_ffff, u64::MAX - 1, u64::MAX];
        for i in 0..20_000_usize {
            let instance = match i % 4 {
                0 => 0,
                1 => u16::MAX,
                _ => rng.u16(..),
            };
            let seed = *edges.get(i % 11).unwrap_or(&rng.u64(..));
            let n = *edges.get(i % 13).unwrap_or(&rng.u64(..));
            let id = Identity::new(seed, instance).id(n);
            let (instance_back, hash_back, n_back) = taken_apart(&id);
            assert_eq!(instance_back, u128::from(instance));
            assert_eq!(hash_back, u128::from(mix(seed) >> 22));
            assert_eq!(n_back, u128::from(n));
        }
    }

    #[test]
    fn an_id_is_a_version_4_uuid_in_lower_case() {
        let identity = Identity::new(7, 3);
        for n in (0..1000).chain([u64::MAX]) {
            let id = identity.id(n);
            assert_eq!(id.start(ID_BYTES).len(), ID_BYTES);
            for (i, byte) in id.start(ID_BYTES).bytes().enumerate() {
                match i {
                    8 | 13 | 18 | 23 => assert_eq!(byte, b'-'),
                    14 => assert_eq!(byte, b'4'),
                    19 => assert!(b"89ab".contains(&byte)),
                    _ => assert!(b"0123456789abcdef".contains(&byte)),
                }
            }
        }
    }

    #[test]
    fn hex_agrees_with_the_standard_library() {
        let mut rng = fastrand::Rng::with_seed(2);
        for value in (0..2000)
            .map(|_| rng.u32(..))
            .chain([0, u32::MAX, 0x0123_4567, 0x89ab_cdef])
        {
            assert_eq!(hex(value).to_le_bytes(), format!("{value:08x}").as_bytes());
        }
    }

    #[test]
    fn neighbours_share_neither_id_nor_looks() {
        let mut seen = HashSet::new();
        let mut bits_changed = 0;
        let mut pairs = 0;
        for instance in 0..4 {
            let identity = Identity::new(42, instance);
            for n in 0..500 {
                assert!(seen.insert(parse(&identity.id(n))));
                bits_changed += (parse(&identity.id(n)) ^ parse(&identity.id(n + 1))).count_ones();
                pairs += 1;
            }
        }
        let mean = f64::from(bits_changed) / f64::from(pairs);
        assert!(
            (59.0..63.0).contains(&mean),
            "{mean} bits of 122 differ between neighbours"
        );
    }
}
