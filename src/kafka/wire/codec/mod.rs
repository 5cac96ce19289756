//! The primitive types of the Kafka protocol: a bounded [`Reader`] and a [`Writer`] over a growing buffer.
//!
//! Both know whether the message at hand is *flexible* (KIP-482): strings and arrays are then "compact" and structures end in
//! tagged fields. A message file says `string` once and both encodings come out right.
//!
//! Invariant: the reader never looks past its slice and never reserves memory from a count that a peer wrote; the writer
//! leaves no length unwritten. Neither ever panics, and neither knows any message.
//! Encodings: <https://kafka.apache.org/protocol#protocol_types>.

mod error;
mod reader;
mod room;
mod short_copy;
mod varint;
mod writer;

pub use error::{DecodeError, Problem};
pub use reader::{ELEMENT_BYTES_MAX, Reader};
pub use room::Room;
pub use short_copy::short_copy;
pub use varint::{VARINT_BYTES_MAX, VARLONG_BYTES_MAX, Varint};
pub use writer::{Frame, Writer};
