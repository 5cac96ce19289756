//! Where quick-protobuf writes a shoe: room for one message, beside the buffer that it is then appended to.
//!
//! The crate's own backend for `Vec<u8>` goes through `io::Write` and looks after the vector's capacity at every byte,
//! which takes twice as long. Texts of a shoe are short, so they are copied as overlapping words of a fixed size,
//! without a call of `memcpy`. It never allocates, and refuses what is longer than [`PROTOBUF_BYTES_MAX`].

// What is gained by fixed sizes is lost by calls, and the compiler's own choice is a third slower (measured).
#![allow(clippy::inline_always)]

use quick_protobuf::{Error, Result, WriterBackend};

/// No encoded shoe is longer.
pub const PROTOBUF_BYTES_MAX: usize = 160;

/// Room for one message.
pub(super) struct Scratch {
    bytes: [u8; PROTOBUF_BYTES_MAX],
    length: usize,
}

impl Scratch {
    #[inline]
    pub(super) fn new() -> Scratch {
        Scratch {
            bytes: [0; PROTOBUF_BYTES_MAX],
            length: 0,
        }
    }

    /// What was written.
    #[inline]
    pub(super) fn written(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    #[inline(always)]
    fn append<const N: usize>(&mut self, bytes: [u8; N]) -> Result<()> {
        let room = self.bytes.get_mut(self.length..);
        let room = room.and_then(<[u8]>::first_chunk_mut);
        *room.ok_or(Error::UnexpectedEndOfBuffer)? = bytes;
        self.length += N;
        Ok(())
    }
}

impl WriterBackend for &mut Scratch {
    #[inline(always)]
    fn pb_write_u8(&mut self, x: u8) -> Result<()> {
        self.append([x])
    }

    #[inline(always)]
    fn pb_write_u32(&mut self, x: u32) -> Result<()> {
        self.append(x.to_le_bytes())
    }

    #[inline(always)]
    fn pb_write_i32(&mut self, x: i32) -> Result<()> {
        self.append(x.to_le_bytes())
    }

    #[inline(always)]
    fn pb_write_f32(&mut self, x: f32) -> Result<()> {
        self.append(x.to_le_bytes())
    }

    #[inline(always)]
    fn pb_write_u64(&mut self, x: u64) -> Result<()> {
        self.append(x.to_le_bytes())
    }

    #[inline(always)]
    fn pb_write_i64(&mut self, x: i64) -> Result<()> {
        self.append(x.to_le_bytes())
    }

    #[inline(always)]
    fn pb_write_f64(&mut self, x: f64) -> Result<()> {
        self.append(x.to_le_bytes())
    }

    #[inline(always)]
    fn pb_write_all(&mut self, buf: &[u8]) -> Result<()> {
        let end = self.length + buf.len();
        let room = self.bytes.get_mut(self.length..end);
        let room = room.ok_or(Error::UnexpectedEndOfBuffer)?;
        self.length = end;
        let copied = copy_overlapping::<32>(room, buf)
            || copy_overlapping::<16>(room, buf)
            || copy_overlapping::<8>(room, buf)
            || copy_overlapping::<4>(room, buf);
        if !copied {
            room.copy_from_slice(buf);
        }
        Ok(())
    }
}

/// Copies `N` to `2 * N` bytes as the first `N` and the last `N`; leaves other lengths alone, and says so.
#[inline(always)]
fn copy_overlapping<const N: usize>(room: &mut [u8], buf: &[u8]) -> bool {
    if buf.len() < N || buf.len() > 2 * N {
        return false;
    }
    if let (Some(start), Some(first)) = (room.first_chunk_mut::<N>(), buf.first_chunk()) {
        *start = *first;
    }
    if let (Some(end), Some(last)) = (room.last_chunk_mut::<N>(), buf.last_chunk()) {
        *end = *last;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_are_written_whole() {
        let text: Vec<u8> = (1..=100).collect();
        for length in 0..text.len() {
            for before in [0, 1, 50] {
                let mut scratch = Scratch::new();
                let mut writer = &mut scratch;
                for _ in 0..before {
                    assert!(writer.pb_write_u8(0xff).is_ok());
                }
                assert!(writer.pb_write_all(&text[..length]).is_ok());
                assert!(writer.pb_write_u8(0xee).is_ok());
                let written = scratch.written();
                assert_eq!(written[..before], vec![0xff; before]);
                assert_eq!(written[before..before + length], text[..length]);
                assert_eq!(written[before + length..], [0xee]);
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut scratch = Scratch::new();
        let mut writer = &mut scratch;
        assert!(writer.pb_write_all(&[1; PROTOBUF_BYTES_MAX]).is_ok());
        assert!(writer.pb_write_u8(1).is_err());
        assert!(writer.pb_write_all(&[1; 8]).is_err());
    }
}
