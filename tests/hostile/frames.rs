//! The stream before it is cut into frames: lengths that no frame has, and pieces of any size.

use continuous_producer::foreign::is_showable;
use continuous_producer::kafka::wire::frame::{FRAME_BYTES_MAX, FrameError};

use super::damage::Seeded;
use super::deframing::deframed;

/// Random streams.
const STREAMS: u64 = 2000;

/// Scenario 37.
#[test]
fn a_length_that_no_answer_has_is_refused_as_soon_as_it_is_there() {
    let over = i32::try_from(FRAME_BYTES_MAX).unwrap() + 1;
    let hostile = [-1, -2, i32::MIN, i32::MIN + 3, 0, 1, 2, 3, over, i32::MAX];
    for length in hostile {
        let prefix = length.to_be_bytes();
        for cut in 0..=prefix.len() {
            let (frames, error) = deframed(&[&prefix[..cut], &prefix[cut..]]);
            assert!(frames.is_empty());
            let expected = if length < 4 {
                FrameError::TooShort { length }
            } else {
                FrameError::TooLong { length }
            };
            assert_eq!(error, Some(expected), "{length}");
        }
    }
}

/// Scenario 37.
#[test]
fn a_port_that_speaks_something_else_is_recognised_however_its_words_are_cut() {
    let alert = [21, 3, 3, 0, 2, 2, 70];
    let hello = [22, 3, 1, 0, 5, 2, 0, 0, 1, 0];
    for (words, expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], FrameError::Http),
        (&alert, FrameError::Tls),
        (&hello, FrameError::Tls),
    ] {
        for cut in 0..words.len() {
            let (frames, error) = deframed(&[&words[..cut], &words[cut..]]);
            assert_eq!((frames.len(), error), (0, Some(expected)));
        }
        let line = expected.to_string();
        assert!(line.chars().all(is_showable), "{line:?}");
    }
}

/// Scenario 37.
#[test]
fn a_length_that_is_only_claimed_costs_nothing() {
    let prefix = u32::try_from(FRAME_BYTES_MAX).unwrap().to_be_bytes();
    for came in [0, 1, 100, 10_000] {
        // `deframed` counts the memory.
        assert_eq!(deframed(&[&prefix, &vec![0; came]]), (Vec::new(), None));
    }
    let whole = vec![1; FRAME_BYTES_MAX];
    let mut pieces = vec![&prefix[..]];
    pieces.extend(whole.chunks(64 * 1024));
    let (frames, error) = deframed(&pieces);
    assert_eq!((frames.len(), error), (1, None));
    assert_eq!(frames[0].len(), FRAME_BYTES_MAX);
}

/// Scenarios 9 and 37.
#[test]
fn a_stream_of_anything_is_cut_the_same_however_it_comes() {
    for seed in 0..STREAMS {
        let mut told = Seeded::new(seed, "a random stream".to_owned());
        let random = &mut told.random;
        let mut stream = Vec::new();
        for _ in 0..random.usize(1..6) {
            let lie = random.choice([4, 5, 17, 300, 300, 70_000, -1, i32::MAX]);
            stream.extend_from_slice(&lie.unwrap_or(4).to_be_bytes());
            stream.extend((0..random.usize(..400)).map(|_| random.u8(..)));
        }
        let whole = deframed(&[&stream]);
        let mut pieces = Vec::new();
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(random.usize(1..=rest.len().min(200)));
            pieces.push(piece);
            rest = after;
        }
        assert_eq!(deframed(&pieces), whole);
    }
}
