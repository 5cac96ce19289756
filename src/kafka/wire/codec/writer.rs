//! The writer of messages, and the guard that fills in a frame's length.
//!
//! Invariant: a [`Frame`] that was begun has a right length when it goes out of scope, whichever way that happens. Writing
//! cannot fail: what cannot be written (a string longer than the protocol allows) is a bug of the caller, asserted in tests.

use super::varint::Varint;

/// A length-prefixed frame at the end of a buffer. Its length is a gap until the frame is dropped.
#[derive(Debug)]
pub struct Frame<'a> {
    out: &'a mut Vec<u8>,
    /// Where the four bytes of the length are.
    gap: usize,
    absent_bytes: usize,
}

impl<'a> Frame<'a> {
    /// Begins a frame after whatever `out` holds.
    pub fn begin(out: &'a mut Vec<u8>) -> Self {
        let gap = out.len();
        out.extend_from_slice(&[0; size_of::<i32>()]);
        Self {
            out,
            gap,
            absent_bytes: 0,
        }
    }

    /// Writes into the frame.
    pub fn writer(&mut self, flexible: bool) -> Writer<'_> {
        Writer {
            out: self.out,
            flexible,
        }
    }

    /// Counts bytes into the length that belong to the frame and are not in the buffer: they are sent from where they are.
    pub fn add_absent(&mut self, bytes: usize) {
        self.absent_bytes += bytes;
    }
}

impl Drop for Frame<'_> {
    fn drop(&mut self) {
        let begin = self.gap + size_of::<i32>();
        let bytes = self.out.len() - begin + self.absent_bytes;
        debug_assert!(i32::try_from(bytes).is_ok(), "a frame of {bytes} bytes");
        let length = i32::try_from(bytes).unwrap_or(i32::MAX);
        if let Some(gap) = self.out.get_mut(self.gap..begin) {
            gap.copy_from_slice(&length.to_be_bytes());
        }
    }
}

/// Appends the protocol's primitive types to a buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    flexible: bool,
}

impl Writer<'_> {
    /// How many bytes the buffer holds, those before the frame included.
    pub fn position(&self) -> usize {
        self.out.len()
    }

    /// One byte.
    pub fn i8(&mut self, value: i8) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// Big-endian.
    pub fn i16(&mut self, value: i16) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// Big-endian.
    pub fn i32(&mut self, value: i32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// Big-endian.
    pub fn i64(&mut self, value: i64) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// One byte, 0 or 1.
    pub fn bool(&mut self, value: bool) {
        self.i8(value.into());
    }

    /// Bytes as they are, without a length.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// A string of at most 32,767 bytes; a longer one is a bug, and is cut to keep the frame well-formed.
    pub fn string(&mut self, value: &str) {
        let (value, len) = match i16::try_from(value.len()) {
            Ok(len) => (value, len),
            Err(_) => within_i16(value),
        };
        if self.flexible {
            self.compact_length(value.len());
        } else {
            self.i16(len);
        }
        self.raw(value.as_bytes());
    }

    /// A null string.
    pub fn null_string(&mut self) {
        if self.flexible {
            self.put_unsigned(0);
        } else {
            self.i16(-1);
        }
    }

    /// An array: its count, then each element as `element` writes it.
    pub fn array<T>(&mut self, elements: &[T], mut element: impl FnMut(&mut Self, &T)) {
        self.length(elements.len());
        for each in elements {
            element(self, each);
        }
    }

    /// The length of bytes or the count of an array.
    pub fn length(&mut self, length: usize) {
        if self.flexible {
            self.compact_length(length);
        } else {
            debug_assert!(i32::try_from(length).is_ok(), "a length of {length}");
            self.i32(i32::try_from(length).unwrap_or(i32::MAX));
        }
    }

    /// The end of a structure: no tagged fields, or nothing where the message is not flexible.
    pub fn no_tagged_fields(&mut self) {
        if self.flexible {
            self.put_unsigned(0);
        }
    }

    /// Compact lengths are written plus one, so that 0 can mean null.
    fn compact_length(&mut self, length: usize) {
        self.put_unsigned(length as u64 + 1);
    }

    fn put_unsigned(&mut self, value: u64) {
        Varint::unsigned(value).for_each_byte(|byte| self.out.push(byte));
    }
}

/// The longest prefix that the protocol's strings, compact or not, can hold, and its length.
#[cold]
fn within_i16(value: &str) -> (&str, i16) {
    debug_assert!(false, "a string of {} bytes", value.len());
    let prefix = |len: i16| {
        value
            .get(..usize::from(len.unsigned_abs()))
            .map(|prefix| (prefix, len))
    };
    (0..=i16::MAX).rev().find_map(prefix).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_counts_what_is_in_it_and_what_is_absent() {
        let mut out = b"before".to_vec();
        let mut frame = Frame::begin(&mut out);
        frame.writer(false).string("abc");
        frame.add_absent(1000);
        drop(frame);
        assert_eq!(out, b"before\0\0\x03\xed\0\x03abc");
    }

    #[test]
    fn a_frame_has_its_length_even_when_writing_ends_early() {
        fn write_half(out: &mut Vec<u8>) -> Option<()> {
            let mut frame = Frame::begin(out);
            frame.writer(false).i16(1);
            None
        }
        let mut out = Vec::new();
        assert_eq!(write_half(&mut out), None);
        assert_eq!(out, [0, 0, 0, 2, 0, 1]);
    }
}
