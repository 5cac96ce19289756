//! Short ASCII texts kept inline, so that a shoe needs nothing from the heap.
//!
//! Everything here has a fixed size and is copied and checked whole: lengths are random, and a branch on a random
//! length costs more than a few bytes more. It never holds anything but ASCII, which the catalogue and the id's
//! digits guarantee.

use super::catalog::{NAME_BYTES_MAX, Word};
use super::identity::ID_BYTES;

/// Longest text.
const INLINE_BYTES: usize = 48;
const _: () = assert!(NAME_BYTES_MAX <= INLINE_BYTES && ID_BYTES <= INLINE_BYTES);

/// Room for a text, and zeros or spaces after it.
///
/// Size and alignment are known to the compiler, which unrolls the standard library's look for UTF-8 into a few
/// instructions.
#[derive(Clone, PartialEq, Eq)]
#[repr(align(16))]
pub(super) struct InlineText([u8; INLINE_BYTES]);

impl InlineText {
    #[inline]
    pub(super) fn of<const N: usize>(text: [u8; N]) -> InlineText {
        const { assert!(N <= INLINE_BYTES) };
        let mut bytes = [0; INLINE_BYTES];
        if let Some(room) = bytes.first_chunk_mut() {
            *room = text;
        }
        InlineText(bytes)
    }

    /// The first `length` bytes.
    #[inline]
    pub(super) fn start(&self, length: usize) -> &str {
        let text = std::str::from_utf8(&self.0)
            .ok()
            .and_then(|all| all.get(..length));
        debug_assert!(text.is_some(), "ASCII is UTF-8");
        text.unwrap_or_default()
    }
}

/// A model's name: line, variant, number.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ModelName {
    text: InlineText,
    length: usize,
}

impl ModelName {
    /// `number` has three digits.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // a digit is below 10
    pub(super) fn new(line: &Word, variant: &Word, number: u32) -> ModelName {
        let mut name = ModelName {
            text: InlineText([0; INLINE_BYTES]),
            length: 0,
        };
        name.push(line.padded, line.length);
        name.push(variant.padded, variant.length);
        let digit = |divisor: u32| b'0' + (number / divisor % 10) as u8;
        name.push([digit(100), digit(10), digit(1)], 3);
        name
    }

    #[inline]
    pub(super) fn as_str(&self) -> &str {
        self.text.start(self.length)
    }

    /// Copies all of `part`, of which the first `length` bytes count.
    #[inline]
    fn push<const N: usize>(&mut self, part: [u8; N], length: u8) {
        let room = self.text.0.get_mut(self.length..);
        if let Some(room) = room.and_then(<[u8]>::first_chunk_mut) {
            *room = part;
            self.length += usize::from(length);
        } else {
            debug_assert!(false, "a model name is at most {NAME_BYTES_MAX} bytes");
        }
    }
}
