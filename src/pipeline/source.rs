//! What the generator writes: shoe *n* as a record, which is the Confluent prefix and the shoe's Protobuf encoding.
//!
//! The record of a number is the same bytes every time. Nothing is taken from the heap, unless each message is logged.

use std::time::Instant;

use log::debug;
use quick_protobuf::{MessageWrite, Writer};

use super::chunk::Chunk;
use crate::kafka::config::MessageKey;
use crate::shoe::{Shoe, ShoeGenerator};

/// What [`Generator::run`](super::generator::Generator::run) wants: pushes the record of a number into a chunk. `prefix` is
/// what the wire format puts before the message: magic byte, schema id, message indexes.
pub fn shoes(
    generator: ShoeGenerator,
    prefix: Vec<u8>,
    key: MessageKey,
) -> impl FnMut(u64, &mut Chunk, Instant, i64) -> quick_protobuf::Result<()> {
    move |n, chunk, due, timestamp_ms| {
        let shoe = generator.shoe(n);
        let key = match key {
            MessageKey::Id => Some(shoe.id().as_bytes()),
            MessageKey::None => None,
        };
        let before = chunk.bytes();
        chunk.try_push(due, timestamp_ms, key, |out| {
            out.extend_from_slice(&prefix);
            shoe.message().write_message(&mut Writer::new(out))
        })?;
        debug!(
            "{}",
            description(n, &shoe, key.is_some(), chunk.bytes() - before)
        );
        Ok(())
    }
}

fn description(n: u64, shoe: &Shoe, keyed: bool, bytes: usize) -> String {
    let message = shoe.message();
    let key = if keyed { "id" } else { "none" };
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
            for (record, n) in chunk.iter().zip([0, 1, 1_000_000_007]) {
                let shoe = generator.shoe(n);
                let mut value = PREFIX.to_vec();
                shoe.write_protobuf(&mut value);
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
        assert!(PREFIX.len() + crate::shoe::ID_BYTES + crate::shoe::PROTOBUF_BYTES_MAX <= room);
    }

    #[test]
    fn a_logged_message_says_which_it_is() {
        let shoe = ShoeGenerator::new(1, 0).shoe(5);
        let line = description(5, &shoe, true, 134);
        let id = shoe.id();
        assert!(
            line.starts_with(&format!("Message 5: id={id}, brand=")),
            "{line}"
        );
        assert!(line.ends_with(", key=id, 134 bytes"), "{line}");
    }
}
