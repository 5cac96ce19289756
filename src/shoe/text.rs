//! Short ASCII texts kept inline, so that a shoe needs nothing from the heap.
//!
//! Texts are put together in registers and stored whole: their lengths are random, and a branch on a random length,
//! or a read across freshly written pieces, costs more than all of the work. It never holds anything but ASCII, which
//! the catalogue and the id's digits guarantee.

use super::catalog::{NAME_BYTES_MAX, Word};

/// Room for a text of up to `N` bytes, and zeros after it.
///
/// Size and alignment are known to the compiler, which unrolls the standard library's look for UTF-8 into a few
/// instructions.
#[derive(Clone, PartialEq, Eq)]
#[repr(align(16))]
pub(super) struct InlineText<const N: usize>([u8; N]);

impl<const N: usize> InlineText<N> {
    /// A text whose first byte is the lowest of the first word.
    #[inline]
    pub(super) fn of_words<const WORDS: usize>(words: [u64; WORDS]) -> InlineText<N> {
        const { assert!(N == WORDS * 8) };
        let mut bytes = [0; N];
        let (rooms, _) = bytes.as_chunks_mut();
        for (room, word) in rooms.iter_mut().zip(words) {
            *room = word.to_le_bytes();
        }
        InlineText(bytes)
    }

    /// All bytes, the zeros too.
    #[inline]
    pub(super) fn bytes(&self) -> [u8; N] {
        self.0
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
    text: InlineText<32>,
    length: usize,
}

const _: () = assert!(NAME_BYTES_MAX <= 32);

impl ModelName {
    /// `number` has three digits.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // halves of 128 bits
    pub(super) fn new(line: &Word, variant: &Word, number: u32) -> ModelName {
        let digits = u32::from_le_bytes([b'0'; 4])
            + (number / 100 + ((number / 10 % 10) << 8) + ((number % 10) << 16));
        let digits = u128::from(digits & 0x00ff_ffff);
        let ending = variant.bytes | digits << (8 * variant.length);
        let low = line.bytes | ending << (8 * line.length);
        let high = ending >> (128 - 8 * line.length);
        ModelName {
            text: InlineText::of_words([
                low as u64,
                (low >> 64) as u64,
                high as u64,
                (high >> 64) as u64,
            ]),
            length: (line.length + variant.length + 3) as usize,
        }
    }

    /// All bytes, zeros after the last.
    #[inline]
    pub(super) fn bytes(&self) -> [u8; 32] {
        self.text.bytes()
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.length
    }

    #[inline]
    pub(super) fn as_str(&self) -> &str {
        self.text.start(self.length)
    }
}
