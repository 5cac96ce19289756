//! The client core and whatever its brokers do: answer, answer wrongly, twice, late or never, hang up, refuse.
//!
//! The input is a row of things that happen. What must hold after each is asserted by the rig; at the end the books must
//! balance, whatever happened before.

#![no_main]

#[allow(dead_code, reason = "shared with other targets")]
mod input;
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../../tests/hostile/rig.rs"]
mod rig;
#[allow(dead_code, reason = "shared with the tests")]
#[path = "../../tests/hostile/samples.rs"]
mod samples;

use std::time::Duration;

use continuous_producer::kafka::client::ConnectionId;
use continuous_producer::kafka::config::Acks;
use input::Input;
use libfuzzer_sys::fuzz_target;
use rig::Rig;

/// Things that happen in one run: a longer one teaches nothing new.
const STEPS_MAX: usize = 300;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let acks = [Acks::All, Acks::Leader, Acks::None][usize::from(input.byte() % 3)];
    let password = (input.byte() % 2 != 0).then_some("a-password");
    let mut rig = Rig::new(acks, password, input.byte().into());
    // Most of what is worth a look begins when records can be pushed.
    if input.byte() % 4 != 0 {
        rig.serve(None);
    }
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        step(&mut rig, &mut input);
    }
    rig.finish();
});

fn step(rig: &mut Rig, input: &mut Input<'_>) {
    let what = input.byte();
    let nth = usize::from(what >> 4);
    match what & 15 {
        0 | 1 => (0..=nth).for_each(|_| rig.push(u32::from(input.byte()))),
        2 => rig.serve(None),
        3 => connections(rig)
            .into_iter()
            .for_each(|connection| rig.write(connection)),
        4 => with(rig, nth, |rig, connection| rig.connect(connection)),
        5 => with(rig, nth, |rig, connection| rig.cut(connection)),
        6 => rig.advance(Duration::from_millis(1 << nth)),
        7 => rig.advance(Duration::from_secs(600)),
        8 => with(rig, nth, |rig, connection| {
            let bytes = input.bytes();
            rig.frame(connection, bytes);
        }),
        9 => rig.frame(ConnectionId::MAX, input.bytes()),
        10 if nth == 15 => rig
            .client
            .close(rig.now + Duration::from_secs(input.byte().into())),
        // Answers to the oldest request: sound ones, with a code, edited, twice.
        10 | 11 => answer(rig, nth, |frame| vec![frame], 0),
        12 => {
            let code = i16::from(input.byte());
            answer(rig, nth, |frame| vec![frame], code);
        }
        13 | 14 => answer(rig, nth, |frame| vec![input.edited(frame)], 0),
        _ => answer(rig, nth, |frame| vec![frame.clone(), frame], 0),
    }
}

fn connections(rig: &Rig) -> Vec<ConnectionId> {
    rig.links.keys().copied().collect()
}

/// With one of the connections, if there is any.
fn with(rig: &mut Rig, nth: usize, act: impl FnOnce(&mut Rig, ConnectionId)) {
    let all = connections(rig);
    if let Some(&connection) = all.get(nth % all.len().max(1)) {
        act(rig, connection);
    }
}

fn answer(rig: &mut Rig, nth: usize, frames: impl FnOnce(Vec<u8>) -> Vec<Vec<u8>>, code: i16) {
    with(rig, nth, |rig, connection| {
        let Some(asked) = rig.links[&connection].asked.front().copied() else {
            return;
        };
        for frame in frames(asked.answer(code)) {
            rig.frame(connection, &frame);
        }
    });
}
