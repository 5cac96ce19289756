//! Variable-length integers, computed in a register.
//!
//! Zigzag for signed values, least significant group first, as in Protocol Buffers. Every record of a batch has five of them,
//! so this is the innermost loop of the program: a [`Varint`] is worked out once, for its length and for its bytes, without a
//! loop or a branch that depends on its length. Never fails.

/// A varint of 64 bits occupies at most this many bytes.
pub const VARLONG_BYTES_MAX: usize = 10;
/// A varint of 32 bits occupies at most this many bytes.
pub const VARINT_BYTES_MAX: usize = 5;

/// A varint that is ready to be written.
#[derive(Debug, Clone, Copy)]
pub struct Varint {
    /// Up to eight bytes: the bytes, the first one lowest. Nine and ten: the value.
    register: u64,
    len: usize,
}

impl Varint {
    /// A zigzag `VARINT` or `VARLONG`: both are the same, because sign extension does not change the value.
    #[inline]
    pub fn new(value: impl Into<i64>) -> Self {
        let value = value.into();
        Self::unsigned(((value << 1) ^ (value >> 63)).cast_unsigned())
    }

    /// An `UNSIGNED_VARINT`, or its 64-bit sibling.
    #[inline]
    pub(super) fn unsigned(value: u64) -> Self {
        if value >= 1 << 14 {
            return Self::long(value);
        }
        let second = u64::from(value >= 0x80);
        Self {
            register: (value & 0x7f) | second << 7 | (value & 0x3f80) << 1,
            len: if second == 0 { 1 } else { 2 },
        }
    }

    fn long(value: u64) -> Self {
        let bits = u64::BITS - (value | 1).leading_zeros();
        let len = bits.div_ceil(7) as usize;
        let register = if len <= size_of::<u64>() {
            spread(value) | continuation_bits(len)
        } else {
            value
        };
        Self { register, len }
    }

    /// How many bytes it has: 1 to [`VARLONG_BYTES_MAX`], and to [`VARINT_BYTES_MAX`] for 32 bits.
    #[inline]
    #[allow(clippy::len_without_is_empty)] // none is empty
    pub fn len(self) -> usize {
        self.len
    }

    /// Its bytes, the first one lowest, and zeros after them. `None`: more than eight.
    #[inline]
    pub(super) fn in_register(self) -> Option<u64> {
        (self.len <= size_of::<u64>()).then_some(self.register)
    }

    /// Hands its bytes over, one by one.
    pub(super) fn for_each_byte(self, mut put: impl FnMut(u8)) {
        if let Some(register) = self.in_register() {
            let bytes = register.to_le_bytes();
            return bytes.into_iter().take(self.len).for_each(put);
        }
        let mut value = self.register;
        while value >= 0x80 {
            put(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        put(value.to_le_bytes()[0]);
    }
}

/// Moves each group of seven bits into a byte of its own.
fn spread(value: u64) -> u64 {
    let value = (value & 0x0000_0000_0fff_ffff) | ((value & 0x00ff_ffff_f000_0000) << 4);
    let value = (value & 0x0000_3fff_0000_3fff) | ((value & 0x0fff_c000_0fff_c000) << 2);
    (value & 0x007f_007f_007f_007f) | ((value & 0x3f80_3f80_3f80_3f80) << 1)
}

/// The top bit of every byte but the last of `len` (1 to 8).
fn continuation_bits(len: usize) -> u64 {
    let below_last = (1u64 << (8 * (len - 1))) - 1;
    0x8080_8080_8080_8080 & below_last
}

#[cfg(test)]
mod tests {
    use super::super::Reader;
    use super::*;

    /// Both sides of every boundary at which a varint grows by a byte.
    fn interesting_values() -> impl Iterator<Item = i64> {
        (0..64).flat_map(|bit| {
            let edge = 1i64 << bit;
            [
                edge.wrapping_sub(1),
                edge,
                edge.wrapping_neg(),
                edge.wrapping_neg().wrapping_sub(1),
            ]
        })
    }

    fn bytes(varint: Varint) -> Vec<u8> {
        let mut bytes = Vec::new();
        varint.for_each_byte(|byte| bytes.push(byte));
        bytes
    }

    #[test]
    fn varlongs_come_back_and_have_the_announced_length() {
        for value in interesting_values().chain([i64::MIN, i64::MAX]) {
            let out = bytes(Varint::new(value));
            assert_eq!(out.len(), Varint::new(value).len(), "{value}");
            let mut reader = Reader::new(&out, false);
            assert_eq!(reader.varlong("value").unwrap(), value);
            reader.finish("value").unwrap();
        }
    }

    #[test]
    fn varints_come_back_and_have_the_announced_length() {
        for value in interesting_values().filter_map(|value| i32::try_from(value).ok()) {
            let out = bytes(Varint::new(value));
            assert_eq!(out.len(), Varint::new(value).len(), "{value}");
            let mut reader = Reader::new(&out, false);
            assert_eq!(reader.varint("value").unwrap(), value);
            reader.finish("value").unwrap();
        }
    }

    #[test]
    fn varints_are_those_of_protocol_buffers() {
        for (value, expected) in [
            (0, &[0u8][..]),
            (-1, &[1]),
            (1, &[2]),
            (150, &[0xac, 0x02]),
            (i32::MIN, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            assert_eq!(bytes(Varint::new(value)), expected, "{value}");
        }
    }
}
