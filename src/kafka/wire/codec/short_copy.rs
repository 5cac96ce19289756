//! Copies few bytes without a call: what a record is made of, a key, a prefix, a value.
//!
//! The `memcpy` of musl, which a static binary has, moves single bytes up to an aligned address and then words by an instruction
//! that is slow to start: for a record's bytes that was a fifth of all the time. Here they are moved in pieces of a fixed size,
//! which are registers, the last of them overlapping the one before. The loop moves two pieces, because the compiler makes a
//! call of `memcpy` of one that moves one.

/// A register.
const PIECE: usize = 16;
const PAIR: usize = 2 * PIECE;

/// Like `copy_from_slice`, where both are of one length; that they are not is a bug of the caller, asserted in tests.
#[inline]
pub fn short_copy(to: &mut [u8], from: &[u8]) {
    debug_assert_eq!(to.len(), from.len());
    if from.len() < PIECE {
        let _ = ends::<8>(to, from)
            || ends::<4>(to, from)
            || ends::<2>(to, from)
            || ends::<1>(to, from);
        return;
    }
    if from.len() > PAIR {
        for (to, from) in to
            .as_chunks_mut::<PAIR>()
            .0
            .iter_mut()
            .zip(from.as_chunks::<PAIR>().0)
        {
            ends::<PIECE>(to, from);
        }
        if let (Some(to), Some(from)) = (to.last_chunk_mut::<PAIR>(), from.last_chunk::<PAIR>()) {
            ends::<PIECE>(to, from);
        }
        return;
    }
    ends::<PIECE>(to, from);
}

/// Moves the first and the last `N` bytes; says whether there are as many.
#[inline]
fn ends<const N: usize>(to: &mut [u8], from: &[u8]) -> bool {
    let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else {
        return false;
    };
    if let Some(to) = to.first_chunk_mut() {
        *to = *first;
    }
    if let Some(to) = to.last_chunk_mut() {
        *to = *last;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_copied_whole_and_nothing_around_it() {
        let from: Vec<u8> = (1..=200).collect();
        for len in 0..=from.len() {
            let mut to = vec![0; len + 2];
            short_copy(&mut to[1..=len], &from[..len]);
            assert_eq!(to[1..=len], from[..len], "{len}");
            assert_eq!((to[0], to[len + 1]), (0, 0), "{len}");
        }
    }
}
