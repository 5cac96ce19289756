//! A shoe in Protobuf's encoding, written straight to where it belongs.
//!
//! quick-protobuf's generated writer is the reference, and the tests compare with it; it takes twice as long, because the
//! lengths of texts are random and so is every branch on them. Here each text is stored at its full width and the next field
//! written over what lies beyond its end; a field that proto3 leaves out is stored as well, and counts for nothing. So there
//! is no branch on what a shoe is like, and no call of `memcpy`. It never allocates and never panics; a shoe too long for its room is an
//! error.

// What is gained by fixed sizes is lost by calls, and the compiler's own choice is slower (measured).
#![allow(clippy::inline_always)]

use super::Shoe;
use super::catalog::Label;
use super::identity::ID_BYTES;

/// No encoded shoe is longer.
pub const PROTOBUF_BYTES_MAX: usize = 160;

/// Room for a shoe, and for what is stored behind its end.
pub type Room = [u8; ROOM_BYTES];

/// Bytes of a [`Room`].
pub const ROOM_BYTES: usize = PROTOBUF_BYTES_MAX + 32;

/// A shoe that is longer than [`PROTOBUF_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl std::fmt::Display for TooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "longer than {PROTOBUF_BYTES_MAX} bytes")
    }
}

impl std::error::Error for TooLong {}

/// Where the next field goes.
struct Pen<'a> {
    room: &'a mut Room,
    at: usize,
}

impl Pen<'_> {
    /// Stores all `N` bytes and counts the first `counted` of them.
    #[inline(always)]
    fn store<const N: usize>(&mut self, bytes: [u8; N], counted: usize) {
        let room = self.room.get_mut(self.at..);
        let room = room.and_then(<[u8]>::first_chunk_mut);
        // Without room the end lies beyond what a shoe may take, which is then said.
        if let Some(room) = room {
            *room = bytes;
        }
        self.at += counted;
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // texts are far shorter than 128 bytes, which one byte says
    fn text_header(&mut self, field: u8, length: usize) {
        self.store([tag(field, LENGTH_DELIMITED), length as u8], 2);
    }

    #[inline(always)]
    fn label(&mut self, field: u8, label: &Label) {
        self.text_header(field, label.text.len());
        self.store(label.padded, label.text.len());
    }

    #[inline(always)]
    fn double(&mut self, field: u8, value: f64) {
        let is_there = usize::from(value != 0.0);
        self.store([tag(field, FIXED_64)], is_there);
        self.store(value.to_le_bytes(), 8 * is_there);
    }

    /// Below 2^56.
    #[inline(always)]
    fn varint(&mut self, field: u8, value: u64) {
        let is_there = usize::from(value != 0);
        let bits = u64::BITS - (value | 1).leading_zeros();
        let length = bits.div_ceil(7) as usize;
        let continued = 0x0080_8080_8080_8080 & ((1 << (8 * (length - 1))) - 1);
        self.store([tag(field, VARINT)], is_there);
        self.store((spread(value) | continued).to_le_bytes(), length * is_there);
    }
}

const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const LENGTH_DELIMITED: u8 = 2;

#[inline(always)]
const fn tag(field: u8, wire_type: u8) -> u8 {
    field << 3 | wire_type
}

/// Moves each group of seven bits into a byte of its own, as the record batch's varints do it: this room imports nothing.
#[inline(always)]
fn spread(value: u64) -> u64 {
    let value = (value & 0x0000_0000_0fff_ffff) | ((value & 0x00ff_ffff_f000_0000) << 4);
    let value = (value & 0x0000_3fff_0000_3fff) | ((value & 0x0fff_c000_0fff_c000) << 2);
    (value & 0x007f_007f_007f_007f) | ((value & 0x3f80_3f80_3f80_3f80) << 1)
}

/// Writes the shoe at the room's beginning, and says how long it is.
#[inline(always)]
pub(super) fn write(shoe: &Shoe, room: &mut Room) -> Result<usize, TooLong> {
    let mut pen = Pen { room, at: 0 };
    pen.text_header(1, ID_BYTES);
    pen.store(shoe.id.bytes(), ID_BYTES);
    pen.label(2, shoe.brand);
    pen.text_header(3, shoe.name.len());
    pen.store(shoe.name.bytes(), shoe.name.len());
    pen.varint(4, shoe.sale_price.into());
    pen.double(5, shoe.rating());
    pen.label(6, shoe.colour);
    pen.double(7, shoe.size_eu());
    pen.label(8, shoe.category);
    pen.varint(9, shoe.stock.into());
    pen.varint(10, shoe.created_at_ms);
    if pen.at <= PROTOBUF_BYTES_MAX {
        Ok(pen.at)
    } else {
        Err(TooLong)
    }
}
