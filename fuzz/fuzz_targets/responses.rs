//! A frame of anybody's, read as the answer to any request in any version: an error or a value, and memory in proportion.
//!
//! The input is a choice of request and version, then either a frame, or edits of a sound one.

#![no_main]

#[path = "../../tests/hostile/decoding.rs"]
mod decoding;
#[allow(dead_code, reason = "shared with other targets")]
mod input;
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../../tests/hostile/samples.rs"]
mod samples;

use std::sync::LazyLock;

use input::Input;
use libfuzzer_sys::fuzz_target;
use samples::Sample;

static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(samples::all);

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let sample = &SAMPLES[usize::from(input.byte()) % SAMPLES.len()];
    let frame = if input.byte() % 2 == 0 {
        let id = sample.correlation_id.to_be_bytes();
        [&id[..], input.rest()].concat()
    } else {
        input.edited(sample.frame.clone())
    };
    let is_whole = frame == sample.frame;
    let outcome = decoding::decode(sample.api, sample.version, sample.correlation_id, &frame);
    assert!(outcome.is_ok() || !is_whole);
});
