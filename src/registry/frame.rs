//! The Confluent wire format: what stands before the Protobuf bytes of a message's value.
//!
//! `00 | schema id, 4 bytes big-endian | message indexes`. The indexes are a path into the schema's nested messages,
//! as zigzag varints, the path's length first; the commonest path, `[0]`, is the single byte `00`. (Confluent's
//! documentation of the wire format; `MessageIndexes.java` of Schema Registry.) It never changes within a run, so it
//! is made once.

/// First byte of every message in this format.
const MAGIC_BYTE: u8 = 0;

/// The prefix for messages of the schema `schema_id` that stand at `message_indexes` in it.
pub fn prefix(schema_id: u32, message_indexes: &[i32]) -> Vec<u8> {
    let mut prefix = vec![MAGIC_BYTE];
    prefix.extend_from_slice(&schema_id.to_be_bytes());
    if message_indexes == [0] {
        prefix.push(0);
        return prefix;
    }
    write_zigzag(&mut prefix, message_indexes.len() as u64);
    for index in message_indexes {
        write_zigzag(&mut prefix, u64::from(index.unsigned_abs()));
    }
    prefix
}

/// Zigzag of a number that is never negative: twice its value, seven bits a byte, lowest first.
fn write_zigzag(out: &mut Vec<u8>, value: u64) {
    let mut rest = value << 1;
    while rest > 0x7f {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push((rest & 0x7f) as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_message_has_a_single_zero() {
        assert_eq!(prefix(1, &[0]), [0, 0, 0, 0, 1, 0]);
        assert_eq!(prefix(0x0102_0304, &[0]), [0, 1, 2, 3, 4, 0]);
    }

    #[test]
    fn other_paths_are_counted_zigzag_varints() {
        assert_eq!(prefix(7, &[1]), [0, 0, 0, 0, 7, 0x02, 0x02]);
        assert_eq!(prefix(7, &[1, 0]), [0, 0, 0, 0, 7, 0x04, 0x02, 0x00]);
        assert_eq!(prefix(7, &[64]), [0, 0, 0, 0, 7, 0x02, 0x80, 0x01]);
    }
}
