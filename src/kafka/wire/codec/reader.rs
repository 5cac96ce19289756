//! The bounded cursor over what a peer sent.
//!
//! Invariant: `offset` is always the position of `rest` in the peer's bytes, so that every error names its byte; a read that
//! fails takes nothing. Never allocates except for the elements of an array that were really decoded, and for all of them
//! together no more than [`ELEMENT_BYTES_MAX`].

use super::{DecodeError, Problem, VARINT_BYTES_MAX, VARLONG_BYTES_MAX};

/// What the elements of a message's arrays may take in memory. An element of three bytes on the wire may take fifty here: a
/// peer that sends nothing but those would else make the longest frame many times as long. Metadata of a topic with 100,000
/// partitions takes a tenth of this.
pub const ELEMENT_BYTES_MAX: usize = 16 << 20;
/// For how many elements an array makes room at first.
const ELEMENTS_AT_FIRST: usize = 4;

/// A cursor over bytes that a peer sent. Every read is bounded and names the field, for the error's sake.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Where `rest` begins in what the peer sent.
    offset: usize,
    flexible: bool,
    /// Of [`ELEMENT_BYTES_MAX`].
    element_bytes_left: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, whose first byte is byte 0 in errors.
    pub fn new(bytes: &'a [u8], flexible: bool) -> Self {
        Self {
            rest: bytes,
            offset: 0,
            flexible,
            element_bytes_left: ELEMENT_BYTES_MAX,
        }
    }

    /// Switches between the classic and the flexible encoding: headers and bodies may differ.
    pub fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next `len` bytes as they are.
    ///
    /// # Errors
    /// [`Problem::Truncated`] when fewer are left.
    pub fn bytes(&mut self, field: &'static str, len: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            let left = self.left();
            return Err(self.error(field, Problem::Truncated { needed: len, left }));
        };
        self.advance(len, rest);
        Ok(taken)
    }

    /// A reader over exactly the next `len` bytes, which this one steps over.
    ///
    /// # Errors
    /// [`Problem::Truncated`] when fewer are left.
    pub fn nested(&mut self, field: &'static str, len: usize) -> Result<Reader<'a>, DecodeError> {
        let offset = self.offset;
        let rest = self.bytes(field, len)?;
        Ok(Reader {
            rest,
            offset,
            ..*self
        })
    }

    /// One byte.
    ///
    /// # Errors
    /// [`Problem::Truncated`].
    pub fn i8(&mut self, field: &'static str) -> Result<i8, DecodeError> {
        self.array_of(field).map(i8::from_be_bytes)
    }

    /// Big-endian.
    ///
    /// # Errors
    /// [`Problem::Truncated`].
    pub fn i16(&mut self, field: &'static str) -> Result<i16, DecodeError> {
        self.array_of(field).map(i16::from_be_bytes)
    }

    /// Big-endian.
    ///
    /// # Errors
    /// [`Problem::Truncated`].
    pub fn i32(&mut self, field: &'static str) -> Result<i32, DecodeError> {
        self.array_of(field).map(i32::from_be_bytes)
    }

    /// Big-endian.
    ///
    /// # Errors
    /// [`Problem::Truncated`].
    pub fn i64(&mut self, field: &'static str) -> Result<i64, DecodeError> {
        self.array_of(field).map(i64::from_be_bytes)
    }

    /// Any byte but 0 is true, as in the Java client.
    ///
    /// # Errors
    /// [`Problem::Truncated`].
    pub fn bool(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        Ok(self.i8(field)? != 0)
    }

    /// An `UNSIGNED_VARINT` of at most 32 bits.
    ///
    /// # Errors
    /// [`Problem::Truncated`], or [`Problem::VarintTooLong`] when it does not fit.
    pub fn unsigned_varint(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        let value = self.unsigned_varlong(field, VARINT_BYTES_MAX)?;
        u32::try_from(value).map_err(|_| self.error(field, Problem::VarintTooLong))
    }

    /// A zigzag `VARINT`, as records use it.
    ///
    /// # Errors
    /// As [`Reader::unsigned_varint`].
    pub fn varint(&mut self, field: &'static str) -> Result<i32, DecodeError> {
        let value = self.unsigned_varint(field)?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// A zigzag `VARLONG`, as records use it.
    ///
    /// # Errors
    /// As [`Reader::unsigned_varint`], for 64 bits.
    pub fn varlong(&mut self, field: &'static str) -> Result<i64, DecodeError> {
        let value = self.unsigned_varlong(field, VARLONG_BYTES_MAX)?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// A string that must not be null.
    ///
    /// # Errors
    /// [`Problem::UnexpectedNull`], and as [`Reader::nullable_string`].
    pub fn string(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        let null = self.error(field, Problem::UnexpectedNull);
        self.nullable_string(field)?.ok_or(null)
    }

    /// A string, or null.
    ///
    /// # Errors
    /// [`Problem::NegativeLength`] below −1, [`Problem::Truncated`], [`Problem::NotUtf8`].
    pub fn nullable_string(&mut self, field: &'static str) -> Result<Option<&'a str>, DecodeError> {
        let length = if self.flexible {
            self.compact_length(field)?
        } else {
            let length = self.i16(field)?;
            self.classic_length(field, length.into())?
        };
        let Some(length) = length else {
            return Ok(None);
        };
        let not_utf8 = self.error(field, Problem::NotUtf8);
        let bytes = self.bytes(field, length)?;
        std::str::from_utf8(bytes).map(Some).map_err(|_| not_utf8)
    }

    /// Bytes behind their length, which must not be null.
    ///
    /// # Errors
    /// [`Problem::UnexpectedNull`], [`Problem::NegativeLength`] below −1, [`Problem::Truncated`].
    pub fn prefixed_bytes(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let null = self.error(field, Problem::UnexpectedNull);
        let length = self.length(field)?.ok_or(null)?;
        self.bytes(field, length)
    }

    /// An array that must not be null, element by element.
    ///
    /// # Errors
    /// [`Problem::UnexpectedNull`], and as [`Reader::nullable_array`].
    pub fn array<T>(
        &mut self,
        field: &'static str,
        element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let null = self.error(field, Problem::UnexpectedNull);
        self.nullable_array(field, element)?.ok_or(null)
    }

    /// An array, or null. Grows as elements are decoded: a count alone reserves nothing.
    ///
    /// # Errors
    /// [`Problem::NegativeLength`] below −1, [`Problem::TooManyElements`] when the count exceeds the bytes left (no element
    /// of the protocol is empty), [`Problem::TooMuchMemory`], and whatever `element` answers.
    pub fn nullable_array<T>(
        &mut self,
        field: &'static str,
        mut element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(count) = self.array_count(field)? else {
            return Ok(None);
        };
        let mut elements = Vec::new();
        for nth in 0..count {
            let element = element(self)?;
            if elements.len() == elements.capacity() {
                self.make_room(field, &mut elements, count - nth)?;
            }
            elements.push(element);
        }
        Ok(Some(elements))
    }

    /// Steps over an array of `i32`, null or not, without keeping it.
    ///
    /// # Errors
    /// As [`Reader::nullable_array`].
    pub fn skip_i32_array(&mut self, field: &'static str) -> Result<(), DecodeError> {
        let count = self.array_count(field)?.unwrap_or(0);
        self.bytes(field, count.saturating_mul(size_of::<i32>()))?;
        Ok(())
    }

    /// The tagged fields that end every structure of a flexible message; reads nothing in a classic one.
    ///
    /// `known` is called with each tag and a reader over exactly that field's bytes. It answers whether it knew the tag: a
    /// known field must be consumed whole, an unknown one is skipped.
    ///
    /// # Errors
    /// [`Problem::TagsOutOfOrder`] when tags don't ascend (KIP-482), [`Problem::LeftoverBytes`], and whatever `known` answers.
    pub fn tagged_fields(
        &mut self,
        mut known: impl FnMut(u32, &mut Self) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        if !self.flexible {
            return Ok(());
        }
        let count = self.unsigned_varint("tagged field count")?;
        let mut previous = None;
        for _ in 0..count {
            let tag = self.unsigned_varint("tag")?;
            if previous.is_some_and(|previous| tag <= previous) {
                return Err(self.error("tag", Problem::TagsOutOfOrder));
            }
            previous = Some(tag);
            let size = self.unsigned_varint("tagged field size")?;
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            let mut field = self.nested("tagged field", size)?;
            let is_known = known(tag, &mut field)?;
            self.element_bytes_left = field.element_bytes_left;
            if is_known {
                field.finish("tagged field")?;
            }
        }
        Ok(())
    }

    /// Tagged fields of which none is of interest.
    ///
    /// # Errors
    /// As [`Reader::tagged_fields`].
    pub fn skip_tagged_fields(&mut self) -> Result<(), DecodeError> {
        self.tagged_fields(|_, _| Ok(false))
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`Problem::LeftoverBytes`] when something is left: two sides that disagree on where a message ends agree on nothing.
    pub fn finish(self, field: &'static str) -> Result<(), DecodeError> {
        match self.left() {
            0 => Ok(()),
            left => Err(self.error(field, Problem::LeftoverBytes { left })),
        }
    }

    /// An error about `field` at the current byte.
    pub fn error(&self, field: &'static str, problem: Problem) -> DecodeError {
        DecodeError {
            message: None,
            field,
            offset: self.offset,
            problem,
        }
    }

    fn array_of<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            let left = self.left();
            return Err(self.error(field, Problem::Truncated { needed: N, left }));
        };
        let taken = *taken;
        self.advance(N, rest);
        Ok(taken)
    }

    fn unsigned_varlong(
        &mut self,
        field: &'static str,
        bytes_max: usize,
    ) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for (nth, shift) in (0..bytes_max).zip((0u32..).step_by(7)) {
            let Some((&byte, rest)) = self.rest.split_first() else {
                return Err(self.error(field, Problem::Truncated { needed: 1, left: 0 }));
            };
            // The tenth byte has room for one bit only.
            if nth == VARLONG_BYTES_MAX - 1 && byte > 1 {
                break;
            }
            self.advance(1, rest);
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.error(field, Problem::VarintTooLong))
    }

    fn array_count(&mut self, field: &'static str) -> Result<Option<usize>, DecodeError> {
        let count = self.length(field)?;
        let left = self.left();
        match count {
            Some(count) if count > left => {
                Err(self.error(field, Problem::TooManyElements { count, left }))
            }
            within => Ok(within),
        }
    }

    /// The length of bytes or the count of an array.
    fn length(&mut self, field: &'static str) -> Result<Option<usize>, DecodeError> {
        if self.flexible {
            return self.compact_length(field);
        }
        let length = self.i32(field)?;
        self.classic_length(field, length)
    }

    /// Doubles an array, but not beyond the `missing` elements, nor beyond what all arrays together may take.
    fn make_room<T>(
        &mut self,
        field: &'static str,
        elements: &mut Vec<T>,
        missing: usize,
    ) -> Result<(), DecodeError> {
        let more = elements.len().max(ELEMENTS_AT_FIRST).min(missing);
        let bytes = more.saturating_mul(size_of::<T>());
        let Some(left) = self.element_bytes_left.checked_sub(bytes) else {
            let bytes_max = ELEMENT_BYTES_MAX;
            return Err(self.error(field, Problem::TooMuchMemory { bytes_max }));
        };
        self.element_bytes_left = left;
        elements.reserve_exact(more);
        Ok(())
    }

    /// Compact lengths are written plus one, so that 0 can mean null.
    fn compact_length(&mut self, field: &'static str) -> Result<Option<usize>, DecodeError> {
        let length = self.unsigned_varint(field)?.checked_sub(1);
        Ok(length.map(|length| usize::try_from(length).unwrap_or(usize::MAX)))
    }

    fn classic_length(
        &self,
        field: &'static str,
        length: i32,
    ) -> Result<Option<usize>, DecodeError> {
        match length {
            -1 => Ok(None),
            _ => usize::try_from(length)
                .map(Some)
                .map_err(|_| self.error(field, Problem::NegativeLength { length })),
        }
    }

    fn advance(&mut self, len: usize, rest: &'a [u8]) {
        self.offset += len;
        self.rest = rest;
    }
}

#[cfg(test)]
mod tests;
