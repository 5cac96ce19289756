//! Variable-length integers, written the fast way: computed in a register and stored at a fixed width.
//!
//! Every record of a batch has five of them, so this is the innermost loop of the program. A varint is spread over eight
//! bytes of a register, all eight are appended (a store of constant size, no call to `memcpy`, no check a byte), and what
//! lies beyond its end is cut off again, which for bytes is but a smaller length.
//!
//! Zigzag for signed values, least significant group first, as in Protocol Buffers. Never fails.

/// A varint of 64 bits occupies at most this many bytes.
pub const VARLONG_BYTES_MAX: usize = 10;
/// A varint of 32 bits occupies at most this many bytes.
pub const VARINT_BYTES_MAX: usize = 5;

/// Appends a zigzag `VARINT`.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, value: i32) {
    put_unsigned(out, zigzag(value.into()));
}

/// Appends a zigzag `VARLONG`.
#[inline]
pub fn put_varlong(out: &mut Vec<u8>, value: i64) {
    put_unsigned(out, zigzag(value));
}

/// Bytes that [`put_varint`] appends: 1 to [`VARINT_BYTES_MAX`].
#[inline]
pub fn varint_len(value: i32) -> usize {
    unsigned_len(zigzag(value.into()))
}

/// Bytes that [`put_varlong`] appends: 1 to [`VARLONG_BYTES_MAX`].
#[inline]
pub fn varlong_len(value: i64) -> usize {
    unsigned_len(zigzag(value))
}

/// Zigzag is the same for all widths, because sign extension does not change the value.
#[inline]
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

#[inline]
fn unsigned_len(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Appends an `UNSIGNED_VARINT` (or its 64-bit sibling).
#[inline]
pub(super) fn put_unsigned(out: &mut Vec<u8>, value: u64) {
    /// Eight groups of seven bits fill the register.
    const REGISTER_BITS: u32 = 56;

    let len = unsigned_len(value);
    let end = out.len() + len;
    if value >> REGISTER_BITS == 0 {
        out.extend_from_slice(&(spread(value) | continuation_bits(len)).to_le_bytes());
    } else {
        put_beyond_register(out, value);
    }
    out.truncate(end);
}

/// Moves each group of seven bits into a byte of its own.
#[inline]
fn spread(value: u64) -> u64 {
    let value = (value & 0x0000_0000_0fff_ffff) | ((value & 0x00ff_ffff_f000_0000) << 4);
    let value = (value & 0x0000_3fff_0000_3fff) | ((value & 0x0fff_c000_0fff_c000) << 2);
    (value & 0x007f_007f_007f_007f) | ((value & 0x3f80_3f80_3f80_3f80) << 1)
}

/// The top bit of every byte but the last of `len` (1 to 8).
#[inline]
fn continuation_bits(len: usize) -> u64 {
    let below_last = (1u64 << (8 * (len - 1))) - 1;
    0x8080_8080_8080_8080 & below_last
}

/// Nine and ten bytes: timestamps that are millions of years apart. Appends nothing beyond the value.
#[cold]
fn put_beyond_register(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
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

    #[test]
    fn varlongs_come_back_and_have_the_announced_length() {
        for value in interesting_values().chain([i64::MIN, i64::MAX]) {
            let mut out = vec![0xaa];
            put_varlong(&mut out, value);
            assert_eq!(out.len() - 1, varlong_len(value), "{value}");
            let mut reader = Reader::new(&out[1..], false);
            assert_eq!(reader.varlong("value").unwrap(), value);
            reader.finish("value").unwrap();
        }
    }

    #[test]
    fn varints_come_back_and_have_the_announced_length() {
        for value in interesting_values().filter_map(|value| i32::try_from(value).ok()) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out.len(), varint_len(value), "{value}");
            let mut reader = Reader::new(&out, false);
            assert_eq!(reader.varint("value").unwrap(), value);
            reader.finish("value").unwrap();
        }
    }

    #[test]
    fn varints_are_those_of_protocol_buffers() {
        for (value, bytes) in [
            (0, &[0u8][..]),
            (-1, &[1]),
            (1, &[2]),
            (150, &[0xac, 0x02]),
            (i32::MIN, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out, bytes, "{value}");
        }
    }
}
