//! Frames: a request as the pieces that a socket gathers, and responses cut out of a byte stream.
//!
//! Every message is preceded by its length in four bytes. Invariant: a length is believed only within [`FRAME_BYTES_MAX`], and
//! memory grows with the bytes that came, not with the length that was announced. Never reads or writes a socket itself, and
//! knows nothing of what a frame contains.

use std::fmt;
use std::iter;
use std::sync::Arc;

use zeroize::Zeroizing;

/// The longest response that is accepted. The longest that a producer can expect, metadata of a topic with 100,000
/// partitions, takes half of it.
pub const FRAME_BYTES_MAX: usize = 16 << 20;
/// A response has at least a correlation id.
const FRAME_BYTES_MIN: usize = 4;
/// The length before every frame.
const PREFIX_BYTES: usize = 4;
/// A buffer that grew beyond this for one long frame is given back.
const BUFFER_KEPT_BYTES_MAX: usize = 256 << 10;

/// A request on its way out. Batches are shared, because a retry sends the same bytes.
///
/// `Debug` shows no content: it may be a password. That is also why it is wiped when it is dropped.
#[derive(Clone)]
pub struct RequestFrame {
    /// The response will carry it.
    pub correlation_id: i32,
    /// Everything but the batches, length included.
    pub skeleton: Zeroizing<Vec<u8>>,
    /// Where in `skeleton` each batch belongs, ascending; as many as batches.
    pub cuts: Vec<usize>,
    /// Empty for all requests but Produce.
    pub batches: Vec<Arc<Vec<u8>>>,
}

impl RequestFrame {
    /// The pieces in the order in which they are sent, none of them empty.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        debug_assert_eq!(self.cuts.len(), self.batches.len());
        let begins = iter::once(0).chain(self.cuts.iter().copied());
        let ends = self.cuts.iter().copied().chain([self.skeleton.len()]);
        let pieces = begins
            .zip(ends)
            .map(|(begin, end)| self.skeleton.get(begin..end).unwrap_or_default());
        let batches = self
            .batches
            .iter()
            .map(|batch| batch.as_slice())
            .chain([&[][..]]);
        pieces
            .zip(batches)
            .flat_map(|(piece, batch)| [piece, batch])
            .filter(|slice| !slice.is_empty())
    }

    /// Which request it is: the first field of every header.
    pub fn api_key(&self) -> Option<i16> {
        let (_, header) = self.skeleton.split_first_chunk::<PREFIX_BYTES>()?;
        header.first_chunk().map(|key| i16::from_be_bytes(*key))
    }

    /// Bytes in all.
    pub fn len(&self) -> usize {
        self.skeleton.len() + self.batches.iter().map(|batch| batch.len()).sum::<usize>()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for RequestFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestFrame")
            .field("correlation_id", &self.correlation_id)
            .field("bytes", &self.len())
            .finish_non_exhaustive()
    }
}

/// Cuts a byte stream into frames.
#[derive(Debug, Default)]
pub struct Deframer {
    buffer: Vec<u8>,
    /// What lies before it was taken already.
    taken: usize,
}

impl Deframer {
    /// At the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what was received. Take all frames out before adding more: that is what bounds the buffer.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > BUFFER_KEPT_BYTES_MAX {
            self.buffer = Vec::new();
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame without its length, or none until more bytes come.
    ///
    /// # Errors
    /// A length that no response can have. It stays: the stream cannot be cut any more.
    pub fn next_frame(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        let unread = self.buffer.get(self.taken..).unwrap_or_default();
        let Some((prefix, rest)) = unread.split_first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let length = frame_length(*prefix)?;
        let Some(frame) = rest.get(..length) else {
            return Ok(None);
        };
        let frame = frame.to_vec();
        self.taken += PREFIX_BYTES + length;
        Ok(Some(frame))
    }

    /// Bytes of a frame that is not complete yet. When the stream ends, anything but 0 means that it was cut.
    pub fn pending_bytes(&self) -> usize {
        self.buffer.len() - self.taken
    }
}

fn frame_length(prefix: [u8; PREFIX_BYTES]) -> Result<usize, FrameError> {
    match prefix {
        [b'H', b'T', b'T', b'P'] => return Err(FrameError::Http),
        // A TLS record: change of cipher, alert, handshake or data; major version 3 (RFC 8446, section 5.1).
        [20..=23, 3, ..] => return Err(FrameError::Tls),
        _ => {}
    }
    let length = i32::from_be_bytes(prefix);
    match usize::try_from(length) {
        Ok(bytes) if bytes < FRAME_BYTES_MIN => Err(FrameError::TooShort { length }),
        Ok(bytes) if bytes > FRAME_BYTES_MAX => Err(FrameError::TooLong { length }),
        Ok(bytes) => Ok(bytes),
        Err(_) => Err(FrameError::TooShort { length }),
    }
}

/// What came instead of a frame's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// Not even a correlation id fits, or negative.
    TooShort {
        /// As sent.
        length: i32,
    },
    /// Beyond [`FRAME_BYTES_MAX`].
    TooLong {
        /// As sent.
        length: i32,
    },
    /// The beginning of an HTTP response.
    Http,
    /// The beginning of a TLS record.
    Tls,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::TooShort { length } => write!(
                f,
                "the peer announced a response of {length} bytes: it does not speak Kafka"
            ),
            FrameError::TooLong { length } => write!(
                f,
                "the peer announced a response of {length} bytes, over the limit of {FRAME_BYTES_MAX}: does it speak Kafka?"
            ),
            FrameError::Http => f.write_str("this port speaks HTTP, not Kafka: check the address"),
            FrameError::Tls => f.write_str(
                "this port speaks TLS: set KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL, or use the plaintext port",
            ),
        }
    }
}

impl std::error::Error for FrameError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(content: &[u8]) -> Vec<u8> {
        let length = i32::try_from(content.len()).unwrap();
        [&length.to_be_bytes(), content].concat()
    }

    #[test]
    fn frames_come_out_whole_however_the_stream_is_cut() {
        let frames: Vec<Vec<u8>> = (4..40u8).map(|n| vec![n; n.into()]).collect();
        let stream: Vec<u8> = frames.iter().flat_map(|frame| framed(frame)).collect();
        for piece in [1, 2, 3, 5, 64, stream.len()] {
            let mut deframer = Deframer::new();
            let mut out = Vec::new();
            for bytes in stream.chunks(piece) {
                deframer.push(bytes);
                while let Some(frame) = deframer.next_frame().unwrap() {
                    out.push(frame);
                }
            }
            assert_eq!(out, frames, "pieces of {piece}");
            assert_eq!(deframer.pending_bytes(), 0);
        }
    }

    #[test]
    fn an_incomplete_frame_is_pending_and_reserves_nothing() {
        let mut deframer = Deframer::new();
        deframer.push(&i32::try_from(FRAME_BYTES_MAX).unwrap().to_be_bytes());
        assert_eq!(deframer.next_frame(), Ok(None));
        assert_eq!(deframer.pending_bytes(), PREFIX_BYTES);
        assert!(deframer.buffer.capacity() < 1024);
    }

    #[test]
    fn impossible_lengths_are_refused_and_stay_refused() {
        for (length, error) in [
            (-1, FrameError::TooShort { length: -1 }),
            (3, FrameError::TooShort { length: 3 }),
            (i32::MAX, FrameError::TooLong { length: i32::MAX }),
        ] {
            let mut deframer = Deframer::new();
            deframer.push(&length.to_be_bytes());
            assert_eq!(deframer.next_frame(), Err(error));
            deframer.push(&[0; 100]);
            assert_eq!(deframer.next_frame(), Err(error));
        }
    }

    #[test]
    fn http_and_tls_are_recognised() {
        for (bytes, error) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], FrameError::Http),
            (&[21, 3, 3, 0, 2, 2, 70], FrameError::Tls),
            (&[22, 3, 1, 2, 0], FrameError::Tls),
        ] {
            let mut deframer = Deframer::new();
            deframer.push(bytes);
            assert_eq!(deframer.next_frame(), Err(error));
        }
    }

    #[test]
    fn a_long_frame_does_not_keep_its_memory() {
        let mut deframer = Deframer::new();
        deframer.push(&framed(&vec![7; 4 * BUFFER_KEPT_BYTES_MAX]));
        assert!(deframer.next_frame().unwrap().is_some());
        deframer.push(&[0]);
        assert!(deframer.buffer.capacity() < 1024);
    }

    #[test]
    fn what_a_request_says_is_not_printed() {
        let frame = RequestFrame {
            correlation_id: 1,
            skeleton: vec![104; 7].into(),
            cuts: Vec::new(),
            batches: Vec::new(),
        };
        let printed = format!("{frame:?}");
        assert_eq!(printed, "RequestFrame { correlation_id: 1, bytes: 7, .. }");
    }

    #[test]
    fn batches_are_sent_where_the_skeleton_is_cut() {
        let batch = |text: &str| Arc::new(text.as_bytes().to_vec());
        let mut frame = RequestFrame {
            correlation_id: 1,
            skeleton: b"abcdef".to_vec().into(),
            cuts: vec![2, 6],
            batches: vec![batch("123"), batch("45")],
        };
        let slices: Vec<&[u8]> = frame.slices().collect();
        assert_eq!(slices, [&b"ab"[..], b"123", b"cdef", b"45"]);
        assert_eq!(frame.len(), slices.concat().len());
        frame.cuts.clear();
        frame.batches.clear();
        assert_eq!(frame.slices().collect::<Vec<_>>(), [b"abcdef"]);
    }
}
