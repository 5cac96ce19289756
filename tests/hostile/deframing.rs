//! Cutting a stream into frames under a counting allocator. Shared with the fuzz targets.

use continuous_producer::kafka::wire::frame::{Deframer, FrameError};

/// A buffer that doubles holds up to twice what came, for a moment next to its smaller self, and a frame is copied out of it.
const MEMORY_PER_BYTE_MAX: usize = 4;
const MEMORY_AT_LEAST: usize = 256;

/// Cuts a stream that comes in `pieces`, and asserts that only what came costs memory.
pub(crate) fn deframed(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Option<FrameError>) {
    let (mut frames, mut error) = (Vec::new(), None);
    let mut deframer = Deframer::new();
    let mut came = 0;
    for piece in pieces {
        came += piece.len();
        let allocated = allocation_counter::measure(|| {
            deframer.push(piece);
            loop {
                match deframer.next_frame() {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(refused) => {
                        error = Some(refused);
                        break;
                    }
                }
            }
        });
        // The list of frames is the test's own.
        let ours = 2 * size_of::<Vec<u8>>() * frames.capacity();
        let bytes_max = MEMORY_PER_BYTE_MAX * came + MEMORY_AT_LEAST + ours;
        assert!(
            allocated.bytes_max <= bytes_max as u64,
            "{} bytes of memory after {came}",
            allocated.bytes_max
        );
        if error.is_some() {
            assert_eq!(deframer.next_frame().err(), error, "the error goes away");
            break;
        }
    }
    (frames, error)
}
