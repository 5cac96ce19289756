//! What the generator writes: shoe *n* as a record, which is the Confluent prefix and the shoe's Protobuf encoding.
//!
//! The record of a number is the same bytes every time. Nothing is taken from the heap, unless each message is logged.

use std::time::Instant;

use log::{Level, debug, log_enabled};

use super::chunk::{Chunk, Lengths};
use crate::kafka::config::MessageKey;
use crate::kafka::wire::codec::short_copy;
use crate::shoe::{ID_BYTES, ROOM_BYTES, Shoe, ShoeGenerator, TooLong};

/// What [`Generator::run`](super::generator::Generator::run) wants: pushes the record of a number into a chunk. `prefix` is
/// what the wire format puts before the message: magic byte, schema id, message indexes.
pub fn shoes(
    generator: ShoeGenerator,
    prefix: Vec<u8>,
    key: MessageKey,
) -> impl FnMut(u64, &mut Chunk, Instant, i64) -> Result<(), TooLong> {
    let room = ID_BYTES + prefix.len() + ROOM_BYTES;
    // The level is set once, before anything runs.
    let is_logged = log_enabled!(Level::Debug);
    move |n, chunk, due, timestamp_ms| {
        let shoe = generator.shoe(n);
        let before = chunk.bytes();
        chunk.push_within(due, timestamp_ms, room, |room| {
            write(&shoe, &prefix, key, room)
        })?;
        if is_logged {
            log(n, &generator.shoe(n), key, chunk.bytes() - before);
        }
        Ok(())
    }
}

/// Out of the way, and with a shoe of its own: one that is only written stays in registers.
#[cold]
fn log(n: u64, shoe: &Shoe, key: MessageKey, bytes: usize) {
    let message = shoe.message();
    let key = match key {
        MessageKey::Id => "id",
        MessageKey::None => "none",
    };
    let (id, brand, name) = (&*message.id, &*message.brand, &*message.name);
    debug!(
        event = "message", number = n, id = id, brand = brand, name = name, key = key, bytes = bytes;
        "{}", description(n, shoe, key, bytes)
    );
}

/// Writes a shoe's record at the beginning of `room`: the id where it is the key, the prefix, the shoe.
///
/// # Errors
/// If there is no room for it.
#[inline]
pub fn write(
    shoe: &Shoe,
    prefix: &[u8],
    key: MessageKey,
    room: &mut [u8],
) -> Result<Lengths, TooLong> {
    let (key_len, room) = match (key, room.split_first_chunk_mut()) {
        (MessageKey::Id, Some((id, room))) => {
            *id = shoe.id_bytes();
            (Some(ID_BYTES), room)
        }
        (MessageKey::None, _) => (None, room),
        (MessageKey::Id, None) => return Err(TooLong),
    };
    let (before, room) = room.split_at_mut_checked(prefix.len()).ok_or(TooLong)?;
    short_copy(before, prefix);
    let shoe_len = shoe.write_protobuf(room.first_chunk_mut().ok_or(TooLong)?)?;
    Ok(Lengths {
        key: key_len,
        value: prefix.len() + shoe_len,
    })
}

fn description(n: u64, shoe: &Shoe, key: &str, bytes: usize) -> String {
    let message = shoe.message();
    format!(
        "Message {n}: id={}, brand={}, name={}, key={key}, {bytes} bytes",
        message.id, message.brand, message.name
    )
}

#[cfg(test)]
mod tests {
    use super::super::chunk::CHUNK_BYTES;
    use super::*;

    const PREFIX: [u8; 6] = [0, 0, 0, 0, 42, 0];

    #[test]
    fn a_record_is_the_prefix_and_the_shoe_and_its_key_the_id() {
        let generator = ShoeGenerator::new(7, 3);
        let now = Instant::now();
        for (key, keyed) in [(MessageKey::Id, true), (MessageKey::None, false)] {
            let mut chunk = Chunk::with_capacity(CHUNK_BYTES);
            let mut write = shoes(generator.clone(), PREFIX.to_vec(), key);
            for n in [0, 1, 1_000_000_007] {
                write(n, &mut chunk, now, 99).unwrap();
            }
            for (record, n) in chunk.records().zip([0, 1, 1_000_000_007]) {
                let shoe = generator.shoe(n);
                let value = [&PREFIX[..], &shoe.protobuf()].concat();
                assert_eq!(record.value, value);
                assert_eq!(record.key, keyed.then_some(shoe.id().as_bytes()));
                assert_eq!((record.due, record.timestamp_ms), (now, 99));
            }
            assert_eq!(chunk.len(), 3);
        }
    }

    #[test]
    fn a_full_chunk_of_shoes_never_outgrows_its_room() {
        let room = super::super::chunk::CHUNK_RECORD_ROOM_BYTES;
        assert!(PREFIX.len() + ID_BYTES + ROOM_BYTES <= room);
    }

    #[test]
    fn making_a_record_takes_nothing_from_the_heap() {
        let now = Instant::now();
        let mut chunk = Chunk::with_capacity(CHUNK_BYTES);
        let mut write = shoes(ShoeGenerator::new(7, 3), PREFIX.to_vec(), MessageKey::Id);
        let mut fill = |numbers: std::ops::Range<u64>| {
            let filling = allocation_counter::measure(|| {
                chunk.clear();
                for n in numbers {
                    write(n, &mut chunk, now, 99).unwrap();
                }
            });
            filling.count_total
        };
        // The first record makes room.
        assert!(fill(0..1) <= 1);
        assert_eq!(fill(1..1500), 0);
    }

    #[test]
    fn a_logged_message_says_which_it_is() {
        let shoe = ShoeGenerator::new(1, 0).shoe(5);
        let line = description(5, &shoe, "id", 134);
        let id = shoe.id();
        assert!(
            line.starts_with(&format!("Message 5: id={id}, brand=")),
            "{line}"
        );
        assert!(line.ends_with(", key=id, 134 bytes"), "{line}");
    }
}
