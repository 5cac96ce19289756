//! Frames on their way into the socket: gathers their pieces for a vectored write, and knows after a partial one which
//! frames are out.
//!
//! Small frames that wait together leave together; a batch is never copied. No system call here.

use std::collections::VecDeque;
use std::io::IoSlice;

use crate::kafka::wire::frame::RequestFrame;

/// How many frames are taken from the queue for one write.
pub const FRAMES_PER_WRITE_MAX: usize = 16;
/// Frames are added up to this size, so that a large one is reported when it is out and not when the next is, too.
const COALESCED_BYTES_MAX: usize = 256 * 1024;
/// Pieces a system call; well under what systems allow (`IOV_MAX`, 1024 on Linux and macOS).
pub(super) const SLICES_PER_WRITE_MAX: usize = 256;

/// The frames being written, in order.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    frames: VecDeque<RequestFrame>,
    /// Bytes of all frames, written or not.
    bytes: usize,
    /// Bytes of the first frame that are out already; always less than it has.
    written: usize,
}

impl Outbox {
    pub(super) fn push(&mut self, frame: RequestFrame) {
        self.bytes = self.bytes.saturating_add(frame.len());
        self.frames.push_back(frame);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether another frame should join before the next write.
    pub(super) fn has_room(&self) -> bool {
        self.frames.len() < FRAMES_PER_WRITE_MAX && self.bytes < COALESCED_BYTES_MAX
    }

    /// Fills `slices` from the front with what comes next, and returns how many it filled.
    pub(super) fn gather<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES_PER_WRITE_MAX]) -> usize {
        let mut skip = self.written;
        let pieces = self
            .frames
            .iter()
            .flat_map(RequestFrame::slices)
            .filter_map(|piece| {
                let skipped = skip.min(piece.len());
                skip -= skipped;
                piece.get(skipped..).filter(|rest| !rest.is_empty())
            });
        let mut filled = 0;
        for (slot, piece) in slices.iter_mut().zip(pieces) {
            *slot = IoSlice::new(piece);
            filled += 1;
        }
        filled
    }

    /// Takes note that `bytes` more are out, and tells `done` the correlation id of every frame that is now out whole.
    ///
    /// # Errors
    /// The first of `done`; what is left is in no defined state then.
    pub(super) fn advance<E>(
        &mut self,
        bytes: usize,
        mut done: impl FnMut(i32) -> Result<(), E>,
    ) -> Result<(), E> {
        self.written += bytes;
        while let Some(frame) = self.frames.front() {
            let (correlation_id, length) = (frame.correlation_id, frame.len());
            if self.written < length {
                break;
            }
            self.frames.pop_front();
            self.written -= length;
            self.bytes = self.bytes.saturating_sub(length);
            done(correlation_id)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn frame(correlation_id: i32, skeleton: &[u8], cuts: &[(usize, &[u8])]) -> RequestFrame {
        RequestFrame {
            correlation_id,
            skeleton: skeleton.to_vec().into(),
            cuts: cuts.iter().map(|(cut, _)| *cut).collect(),
            batches: cuts
                .iter()
                .map(|(_, batch)| Arc::new(batch.to_vec()))
                .collect(),
        }
    }

    /// Writes at most `chunk` bytes at a time.
    fn drain(outbox: &mut Outbox, chunk: usize) -> (Vec<u8>, Vec<i32>) {
        let (mut bytes, mut done) = (Vec::new(), Vec::new());
        while !outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE_MAX];
            let filled = outbox.gather(&mut slices);
            let taken: Vec<u8> = slices[..filled]
                .iter()
                .flat_map(|slice| slice.iter().copied())
                .take(chunk)
                .collect();
            assert!(!taken.is_empty());
            outbox
                .advance(taken.len(), |id| {
                    done.push(id);
                    Ok::<(), ()>(())
                })
                .unwrap();
            bytes.extend(taken);
        }
        (bytes, done)
    }

    #[test]
    fn however_little_the_socket_takes_all_bytes_leave_in_order_and_once() {
        for chunk in 1..30 {
            let mut outbox = Outbox::default();
            outbox.push(frame(1, b"abcd", &[(2, b"12"), (2, b""), (4, b"34")]));
            outbox.push(frame(2, b"efgh", &[]));
            outbox.push(frame(3, b"ijkl", &[(0, b"56"), (3, b"78")]));
            let (bytes, done) = drain(&mut outbox, chunk);
            assert_eq!(bytes, b"ab12cd34efgh56ijk78l", "{chunk} bytes a write");
            assert_eq!(done, [1, 2, 3]);
        }
    }

    #[test]
    fn a_frame_of_more_pieces_than_a_system_call_takes_leaves_in_several() {
        let mut outbox = Outbox::default();
        let cuts = vec![(1, &b"xy"[..]); 3 * SLICES_PER_WRITE_MAX];
        outbox.push(frame(1, b"ab", &cuts));
        let (bytes, done) = drain(&mut outbox, usize::MAX);
        let expected = [b"a".as_slice(), &b"xy".repeat(cuts.len()), b"b"].concat();
        assert_eq!(bytes, expected);
        assert_eq!(done, [1]);
    }

    #[test]
    fn small_frames_share_a_write_and_large_ones_do_not() {
        let mut outbox = Outbox::default();
        for id in 0..16 {
            assert!(outbox.has_room());
            outbox.push(frame(id, b"abcd", &[]));
        }
        assert!(!outbox.has_room());
        drain(&mut outbox, usize::MAX);
        assert!(outbox.has_room());
        outbox.push(frame(99, &vec![0; COALESCED_BYTES_MAX], &[]));
        assert!(!outbox.has_room());
    }
}
