//! The fast way to write what is written for every record: into room that is there, at fixed widths.
//!
//! Varints are stored as a register of eight bytes, and what lies behind their end is written over by what comes next: no
//! loop, no branch on a length, no look at a vector's capacity. So the room must reach [`Room::SLACK_BYTES`] beyond the last
//! byte that counts. What does not fit is not written; that is a bug of the caller, asserted in tests.

use super::short_copy::short_copy;
use super::varint::Varint;

/// Bytes that are there to be written over, and where the next one goes.
#[derive(Debug)]
pub struct Room<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl<'a> Room<'a> {
    /// How far behind the last byte that counts something may be stored.
    pub const SLACK_BYTES: usize = size_of::<u64>();

    /// Writing begins at `at`.
    #[inline]
    pub fn new(bytes: &'a mut [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Where the next byte goes.
    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Varints in a row; those that fit into one register together are stored together.
    #[inline]
    pub fn varints<const N: usize>(&mut self, varints: [Varint; N]) {
        let len = varints.iter().map(|varint| varint.len()).sum();
        if len > size_of::<u64>() {
            return self.one_by_one(&varints);
        }
        let (mut register, mut bits) = (0, 0);
        for varint in varints {
            register |= varint.in_register().unwrap_or_default() << bits;
            bits += 8 * varint.len();
        }
        self.store(register.to_le_bytes(), len);
    }

    fn one_by_one(&mut self, varints: &[Varint]) {
        for varint in varints {
            varint.for_each_byte(|byte| self.store([byte], 1));
        }
    }

    /// Bytes as they are.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        let room = self.bytes.get_mut(self.at..end);
        debug_assert!(room.is_some(), "no room for {} bytes", bytes.len());
        if let Some(room) = room {
            short_copy(room, bytes);
        }
        self.at = end;
    }

    #[inline]
    fn store<const N: usize>(&mut self, bytes: [u8; N], counted: usize) {
        let room = self.bytes.get_mut(self.at..);
        let room = room.and_then(<[u8]>::first_chunk_mut);
        debug_assert!(room.is_some(), "no room for {N} bytes");
        if let Some(room) = room {
            *room = bytes;
        }
        self.at += counted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_in_a_row_are_written_whole_whether_they_fit_a_register_or_not() {
        let edges = (0..63).flat_map(|bit| [(1_i64 << bit) - 1, -(1_i64 << bit)]);
        for value in edges.chain([i64::MIN, i64::MAX]) {
            let varints = [value, 1, value, -300].map(Varint::new);
            let mut expected = vec![0xaa];
            for varint in varints {
                varint.for_each_byte(|byte| expected.push(byte));
            }
            let mut bytes = [0xaa; 1 + 4 * 10 + Room::SLACK_BYTES];
            let mut room = Room::new(&mut bytes, 1);
            room.varints(varints);
            room.raw(b"end");
            expected.extend(b"end");
            assert_eq!(room.position(), expected.len());
            assert_eq!(bytes[..expected.len()], expected, "{value}");
        }
    }
}
