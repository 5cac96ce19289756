//! What a hostile peer does to a frame: cuts it, lies about lengths, throws dice.
//!
//! A lie is told at every byte, not only where a length lies: so no length is missed, whatever the message.

use std::ops::Range;

/// What is written in place of a length, or of anything else that stands there: classic lengths of two and of four bytes, and
/// compact ones (KIP-482), which are written plus one.
const LIES: &[&[u8]] = &[
    // −1, −2, the least and the most of 16 bits.
    &[0xff, 0xff],
    &[0xff, 0xfe],
    &[0x80, 0x00],
    &[0x7f, 0xff],
    // The same of 32 bits, and a count that a careless reader multiplies beyond 32 and 64 bits.
    &[0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xfe],
    &[0x80, 0x00, 0x00, 0x00],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x40, 0x00, 0x00, 0x01],
    // As the frame is long: plausible, and still too much.
    &[0x00, 0x00, 0x02, 0x00],
];

/// In place of one byte, which is how long the compact lengths of the samples mostly are: null, one, the most of 7 bits, 2³¹ − 1
/// and 2³² − 1, more bits than there may be, and a varint that does not end.
const COMPACT_LIES: &[&[u8]] = &[
    &[0],
    &[1],
    &[0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0xff; 11],
];

/// How many random bytes replace what stands at each byte.
const RANDOM_BYTES: usize = 4;

/// A compact length (KIP-482) of `count`, in all the five bytes that it may have.
pub(crate) fn compact(count: u32) -> [u8; 5] {
    std::array::from_fn(|nth| {
        let group = ((count + 1) >> (7 * nth)) & 0x7f;
        let more = if nth < 4 { 0x80 } else { 0 };
        u8::try_from(group).unwrap() | more
    })
}

/// The frame cut off before each of its bytes, without the whole.
pub(crate) fn cuts(frame: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..frame.len()).map(|len| frame.get(..len).unwrap())
}

/// The frame with every lie at every byte from `from` on.
pub(crate) fn lies(
    frame: &[u8],
    from: usize,
    random: &mut fastrand::Rng,
) -> impl Iterator<Item = Vec<u8>> {
    (from..frame.len()).flat_map(move |at| {
        let mut noise = [0; RANDOM_BYTES];
        random.fill(&mut noise);
        let over = |lie: &[u8]| replaced(frame, at..at + lie.len(), lie);
        let instead = |lie: &[u8]| replaced(frame, at..at + 1, lie);
        let mut damaged: Vec<Vec<u8>> = LIES.iter().map(|lie| over(lie)).collect();
        damaged.extend(COMPACT_LIES.iter().map(|lie| instead(lie)));
        damaged.push(over(&noise));
        damaged
    })
}

/// The frame after one to eight random accidents.
pub(crate) fn mutated(frame: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    for _ in 0..random.usize(1..=8) {
        let at = random.usize(..=bytes.len());
        let to = (at + random.usize(..=16)).min(bytes.len());
        match random.u8(..7) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..to)),
            2 => {
                let twice = bytes.get(at..to).unwrap().to_vec();
                bytes.splice(at..at, twice);
            }
            3 => bytes.insert(at, random.u8(..)),
            4 => {
                let lies = if random.bool() { LIES } else { COMPACT_LIES };
                let lie = random.choice(lies).unwrap();
                bytes = replaced(&bytes, at..at + lie.len(), lie);
            }
            5 => random.fill(bytes.get_mut(at..to).unwrap()),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.u8(..8);
                }
            }
        }
    }
    bytes
}

fn replaced(frame: &[u8], range: Range<usize>, by: &[u8]) -> Vec<u8> {
    let (begin, end) = (range.start.min(frame.len()), range.end.min(frame.len()));
    let mut bytes = frame.to_vec();
    bytes.splice(begin..end, by.iter().copied());
    bytes
}

/// Says under which seed a test failed, so that it fails again.
pub(crate) struct Seeded {
    pub(crate) random: fastrand::Rng,
    seed: u64,
    what: String,
}

impl Seeded {
    pub(crate) fn new(seed: u64, what: String) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { random, seed, what }
    }
}

impl Drop for Seeded {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {}: {}", self.seed, self.what);
        }
    }
}
