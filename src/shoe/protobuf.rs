//! The end of a buffer, as quick-protobuf writes to it.
//!
//! Its own backend for `Vec<u8>` goes through `io::Write` and calls `memcpy` for every text; on musl that call costs
//! more than the copy. Texts of a shoe are short, so here they are copied as overlapping words of a fixed size.
//! It never fails: a vector takes every byte.

use quick_protobuf::{Result, WriterBackend};

/// Appends to a buffer.
pub(super) struct Appender<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Appender<'a> {
    #[inline]
    pub(super) fn new(out: &'a mut Vec<u8>) -> Appender<'a> {
        Appender { out }
    }

    #[inline]
    #[allow(clippy::unnecessary_wraps)] // its callers' signatures are given
    fn append<const N: usize>(&mut self, bytes: [u8; N]) -> Result<()> {
        self.out.extend_from_slice(&bytes);
        Ok(())
    }
}

impl WriterBackend for Appender<'_> {
    #[inline]
    fn pb_write_u8(&mut self, x: u8) -> Result<()> {
        self.out.push(x);
        Ok(())
    }

    #[inline]
    fn pb_write_u32(&mut self, x: u32) -> Result<()> {
        self.append(x.to_le_bytes())
    }

    #[inline]
    fn pb_write_i32(&mut self, x: i32) -> Result<()> {
        self.append(x.to_le_bytes())
    }

    #[inline]
    fn pb_write_f32(&mut self, x: f32) -> Result<()> {
        self.append(x.to_le_bytes())
    }

    #[inline]
    fn pb_write_u64(&mut self, x: u64) -> Result<()> {
        self.append(x.to_le_bytes())
    }

    #[inline]
    fn pb_write_i64(&mut self, x: i64) -> Result<()> {
        self.append(x.to_le_bytes())
    }

    #[inline]
    fn pb_write_f64(&mut self, x: f64) -> Result<()> {
        self.append(x.to_le_bytes())
    }

    #[inline]
    fn pb_write_all(&mut self, buf: &[u8]) -> Result<()> {
        match buf.len() {
            4..8 => append_overlapping::<4>(self.out, buf),
            8..16 => append_overlapping::<8>(self.out, buf),
            16..32 => append_overlapping::<16>(self.out, buf),
            32..64 => append_overlapping::<32>(self.out, buf),
            _ => self.out.extend_from_slice(buf),
        }
        Ok(())
    }
}

/// Appends `buf`, of at least `N` and at most `2 * N` bytes, as its first and its last `N` bytes.
#[inline]
fn append_overlapping<const N: usize>(out: &mut Vec<u8>, buf: &[u8]) {
    let (Some(first), Some(last)) = (buf.first_chunk::<N>(), buf.last_chunk::<N>()) else {
        out.extend_from_slice(buf);
        return;
    };
    out.extend_from_slice(first);
    out.truncate(out.len() + buf.len() - 2 * N);
    out.extend_from_slice(last);
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_are_appended_whole() {
        let text: Vec<u8> = (0..200).collect();
        for length in 0..text.len() {
            for before in [0, 1, 50] {
                let mut out = vec![0xff; before];
                let mut appender = Appender::new(&mut out);
                assert!(appender.pb_write_all(&text[..length]).is_ok());
                assert!(appender.pb_write_u8(0xee).is_ok());
                assert_eq!(out[..before], vec![0xff; before]);
                assert_eq!(out[before..before + length], text[..length]);
                assert_eq!(out[before + length..], [0xee]);
            }
        }
    }
}
