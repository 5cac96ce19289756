//! A stream of anybody's, cut into frames: the same frames however it comes, and no memory for what did not come.
//!
//! The input is a row of pieces.

#![no_main]

#[path = "../../tests/hostile/deframing.rs"]
mod deframing;
#[allow(dead_code, reason = "shared with other targets")]
mod input;

use input::Input;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let mut pieces = Vec::new();
    while !input.is_empty() {
        pieces.push(input.bytes());
    }
    let stream = pieces.concat();
    assert_eq!(
        deframing::deframed(&pieces),
        deframing::deframed(&[&stream])
    );
});
