//! A stream of anybody's, cut into frames: the same frames however it comes, and no memory for what did not come.
//!
//! The input is a row of things that a peer says, and the sizes of the pieces in which they come.

#![no_main]

#[path = "../../tests/hostile/deframing.rs"]
mod deframing;
#[allow(dead_code, reason = "shared with other targets")]
mod input;

use continuous_producer::kafka::wire::frame::FRAME_BYTES_MAX;
use input::Input;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let sizes = input.bytes();
    let mut stream = Vec::new();
    while !input.is_empty() {
        say(&mut stream, &mut input);
    }
    let mut pieces = Vec::new();
    let mut rest = &stream[..];
    for size in sizes {
        let (piece, after) = rest.split_at(usize::from(*size).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    assert_eq!(
        deframing::deframed(&pieces),
        deframing::deframed(&[&stream])
    );
});

fn say(stream: &mut Vec<u8>, input: &mut Input<'_>) {
    match input.byte() % 8 {
        0 => stream.extend_from_slice(b"HTTP/1.1 "),
        1 => stream.extend_from_slice(&[21, 3, 3]),
        2 => {
            let longest = i32::try_from(FRAME_BYTES_MAX).unwrap_or(i32::MAX);
            let length = longest + i32::from(input.byte()) - 128;
            stream.extend_from_slice(&length.to_be_bytes());
        }
        3 => stream.extend_from_slice(input.bytes()),
        _ => {
            let frame = input.bytes();
            stream.extend_from_slice(&u32::try_from(frame.len()).unwrap_or(0).to_be_bytes());
            stream.extend_from_slice(frame);
        }
    }
}
