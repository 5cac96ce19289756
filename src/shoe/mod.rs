//! What is generated: shoe `n` of (seed, instance) is a pure function, so any record can be made again without making
//! those before it.
//!
//! The message's type is generated from `schema/shoe.proto`; so are [`SCHEMA`] and [`MESSAGE_INDEXES`], and none of
//! them can drift from the others. Making and encoding a shoe takes nothing from the heap: its texts are static or
//! inline. This room never asks for the time, a socket, a thread, or a random number that is not derived from `n`.

mod catalog;
mod identity;
mod json;
mod protobuf;
mod random;
mod text;

#[cfg(test)]
#[path = "tests/distribution.rs"]
mod distribution;

use std::borrow::Cow;

use quick_protobuf::{MessageWrite, Writer};

use catalog::{Brand, COLOURS, Category, LINES, Label, MODEL_NUMBER_COUNT, MODEL_NUMBER_MIN, Word};
pub use catalog::{SALE_PRICE_MAX, SALE_PRICE_MIN};
pub use identity::ID_BYTES;
use identity::Identity;
pub use protobuf::{PROTOBUF_BYTES_MAX, ROOM_BYTES, Room, TooLong};
use random::{Bits, Words};
use text::ModelName;

/// The message as pb-rs generates it from the schema. It borrows its texts.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_imports,
    clippy::all,
    clippy::pedantic
)] // generated
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/shoe.rs"));
}

/// The schema's text, as it is registered.
pub const SCHEMA: &str = include_str!("../../schema/shoe.proto");

/// Where the schema's text holds the message `Shoe`: the path of message indexes that the Confluent wire format wants.
pub const MESSAGE_INDEXES: &[i32] = include!(concat!(env!("OUT_DIR"), "/message_indexes.rs"));

/// Makes the shoes of one (seed, instance).
#[derive(Debug, Clone)]
pub struct ShoeGenerator {
    identity: Identity,
    words: Words,
}

impl ShoeGenerator {
    /// The same seed and instance make the same shoes, byte for byte. No two instances ever share a shoe's id.
    pub fn new(seed: u64, instance: u16) -> ShoeGenerator {
        ShoeGenerator {
            identity: Identity::new(seed, instance),
            words: Words::new(seed, instance),
        }
    }

    /// Shoe number `n`.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    pub fn shoe(&self, n: u64) -> Shoe {
        let [mut model, mut looks, mut stocking] = self.words.of(n);

        let (brand, sale_price) = brand_and_price(&mut model);
        let line = model.take::<3>();
        let another_line = line + 1 + model.below::<5>(LINES - 1);
        let name = ModelName::new(
            line_of(brand, line),
            line_of(brand, another_line),
            MODEL_NUMBER_MIN + model.below::<16>(MODEL_NUMBER_COUNT),
        );

        let category = category_of(brand, looks.take::<2>());
        let colour = colour_of(category, looks.take::<4>());
        // The mean of two dice: middling sizes are commoner.
        let dice = looks.below::<8>(category.size_count) + looks.below::<8>(category.size_count);
        let size_halves = category.size_halves_min + dice / 2 * category.size_step_halves;
        let rating_tenths = catalog::rating_tenths(looks.take::<10>());

        // The product of two dice: mostly few pairs, seldom many, sometimes none.
        let stock = (stocking.take::<8>() * stocking.take::<8>()) >> STOCK_SHIFT;
        let second = (u64::from(stocking.take::<32>()) * CREATED_AT_SECONDS) >> 32;

        Shoe {
            id: self.identity.id(n),
            brand: &brand.name,
            name,
            sale_price,
            rating_tenths,
            colour,
            size_halves,
            category: &category.name,
            stock,
            created_at_ms: CREATED_AT_MIN_MS + 1000 * second,
        }
    }
}

/// A shoe. Its texts are static or inline: it owns nothing on the heap.
#[derive(Clone, PartialEq, Eq)]
pub struct Shoe {
    id: identity::Text,
    brand: &'static Label,
    name: ModelName,
    sale_price: u32,
    rating_tenths: u8,
    colour: &'static Label,
    size_halves: u32,
    category: &'static Label,
    stock: u32,
    created_at_ms: u64,
}

impl Shoe {
    /// The UUID's text: [`ID_BYTES`] bytes.
    #[inline]
    pub fn id(&self) -> &str {
        self.id.start(ID_BYTES)
    }

    /// The message that the schema describes, borrowing this shoe's texts.
    #[inline]
    #[allow(clippy::cast_possible_wrap)] // prices, stocks and times are far below their types' limits
    pub fn message(&self) -> proto::Shoe<'_> {
        proto::Shoe {
            id: Cow::Borrowed(self.id()),
            brand: Cow::Borrowed(self.brand.text),
            name: Cow::Borrowed(self.name.as_str()),
            sale_price: self.sale_price as i32,
            rating: self.rating(),
            colour: Cow::Borrowed(self.colour.text),
            size_eu: self.size_eu(),
            category: Cow::Borrowed(self.category.text),
            stock: self.stock as i32,
            created_at: self.created_at_ms as i64,
        }
    }

    #[inline]
    fn rating(&self) -> f64 {
        f64::from(self.rating_tenths) / 10.0
    }

    #[inline]
    fn size_eu(&self) -> f64 {
        f64::from(self.size_halves) / 2.0
    }

    /// The id's text as bytes.
    #[inline]
    pub fn id_bytes(&self) -> [u8; ID_BYTES] {
        let text = self.id.bytes();
        *text.first_chunk().unwrap_or(&[0; ID_BYTES])
    }

    /// Writes the message in Protobuf's encoding at the beginning of `room`, and returns its length: at most
    /// [`PROTOBUF_BYTES_MAX`]. What lies behind it in `room` may have changed as well.
    ///
    /// # Errors
    /// If it is longer, which no shoe of the catalogue is.
    #[inline]
    pub fn write_protobuf(&self, room: &mut Room) -> Result<usize, TooLong> {
        protobuf::write(self, room)
    }

    /// The message in Protobuf's encoding, as the generated code writes it; [`write_protobuf`](Self::write_protobuf) is the
    /// fast way.
    pub fn protobuf(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let written = self.message().write_message(&mut Writer::new(&mut bytes));
        debug_assert!(written.is_ok(), "a vector takes everything");
        bytes
    }

    /// Appends one line of JSON, line feed included. Fields are named as in the schema; all numbers are JSON numbers.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        json::write_line(&self.message(), out);
    }
}

impl std::fmt::Debug for Shoe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.message().fmt(f)
    }
}

/// 2020-01-01T00:00:00Z: no shoe is older.
const CREATED_AT_MIN_MS: u64 = 1_577_836_800_000;
/// Five years: no shoe is younger than 2024-12-30T00:00:00Z.
const CREATED_AT_SECONDS: u64 = 5 * 365 * 24 * 60 * 60;
/// Brings the product of two bytes down to at most 127 pairs.
const STOCK_SHIFT: u32 = 9;

/// The brand at `slot` of 256, and a price that suits it, in US cents.
///
/// Slots run from the cheapest brand to the dearest, so a random number within its slot says how dear the shoe should
/// be, evenly spread over all shoes. An independent number of the same spread blurs this. What share of all shoes has
/// a smaller sum is known (two dice make a triangle), and that share is the price's quantile: the prices of all
/// shoes have the catalogue's distribution exactly, whatever the brands' weights.
#[inline]
#[allow(clippy::cast_possible_truncation)] // quantiles and slots are masked or divided down to their types
fn brand_and_price(model: &mut Bits) -> (&'static Brand, u32) {
    let slot = model.take::<8>();
    let dearness = (slot << 8) | model.take::<8>();
    let sum = dearness + model.take::<16>();
    // The triangle's upper half mirrors its lower. Flipping bits, not branching, which would be mispredicted half the time.
    let is_upper = sum >> 16;
    let from_end = u64::from(sum ^ (is_upper * 0x1_ffff));
    let quantile = ((from_end * from_end) >> 17) as u16 ^ (is_upper * 0xffff) as u16;
    let price =
        100 * catalog::price_dollars(quantile) + catalog::price_ending(model.take::<8>() as u8);
    (
        catalog::brand_at(slot as u8),
        price.clamp(SALE_PRICE_MIN, SALE_PRICE_MAX),
    )
}

/// Looked up rather than matched: a branch on a random number is mispredicted.
#[inline]
fn category_of(brand: &Brand, index: u32) -> &'static Category {
    let [first, ..] = &brand.categories;
    brand.categories.get(index as usize).unwrap_or(first)
}

/// A brand's line; they are counted round and round.
#[inline]
fn line_of(brand: &Brand, index: u32) -> &Word {
    let [first, ..] = &brand.lines;
    brand.lines.get((index % LINES) as usize).unwrap_or(first)
}

#[inline]
fn colour_of(category: &Category, index: u32) -> &'static Label {
    const { assert!(COLOURS.is_power_of_two()) };
    let [first, ..] = category.colours;
    let index = index as usize & (COLOURS - 1);
    category.colours.get(index).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quick_protobuf::{BytesReader, MessageRead};

    /// As it is written into a room that holds other bytes.
    fn encoded(shoe: &Shoe) -> Vec<u8> {
        let mut room = [0xaa; ROOM_BYTES];
        let len = shoe.write_protobuf(&mut room).unwrap();
        room[..len].to_vec()
    }

    #[test]
    fn a_shoe_depends_on_nothing_but_seed_instance_and_number() {
        let here = ShoeGenerator::new(42, 7);
        let there = ShoeGenerator::new(42, 7);
        let forwards: Vec<_> = (0..100).map(|n| here.shoe(n)).collect();
        let backwards: Vec<_> = (0..100).rev().map(|n| there.shoe(n)).collect();
        assert!(forwards.iter().eq(backwards.iter().rev()));
        assert_ne!(here.shoe(0), ShoeGenerator::new(43, 7).shoe(0));
        assert_ne!(here.shoe(0), ShoeGenerator::new(42, 8).shoe(0));
    }

    #[test]
    fn a_seed_names_the_same_shoe_in_every_version() {
        let mut json = Vec::new();
        ShoeGenerator::new(42, 1).shoe(1000).write_json(&mut json);
        assert_eq!(
            String::from_utf8(json).unwrap(),
            concat!(
                r#"{"id":"d7f58fbb-78f0-42ec-a827-c60373ba9478","brand":"Plodwell","name":"Basic Spring 197","#,
                r#""sale_price":7397,"rating":0.0,"colour":"camel","size_eu":45.0,"category":"sandal","stock":10,"#,
                r#""created_at":1685380171000}"#,
                "\n"
            )
        );
    }

    #[test]
    fn protobuf_reads_back_as_what_was_written() {
        let generator = ShoeGenerator::new(1, 0);
        for n in (0..1000).chain([u64::MAX]) {
            let shoe = generator.shoe(n);
            let bytes = encoded(&shoe);
            assert!(bytes.len() <= PROTOBUF_BYTES_MAX);
            let read =
                proto::Shoe::from_reader(&mut BytesReader::from_bytes(&bytes), &bytes).unwrap();
            assert_eq!(read, shoe.message());
            assert_eq!(read.id, shoe.id());
        }
    }

    #[test]
    fn the_longest_shoe_that_the_catalogue_allows_has_room() {
        let longest =
            |texts: &mut dyn Iterator<Item = &'static str>| texts.map(str::len).max().unwrap();
        let colours = |category: &&Category| category.colours.iter().map(|colour| colour.text);
        let texts = [
            ID_BYTES,
            longest(&mut catalog::BRANDS.iter().map(|brand| brand.name.text)),
            catalog::NAME_BYTES_MAX,
            longest(&mut catalog::CATEGORIES.iter().flat_map(colours)),
            longest(
                &mut catalog::CATEGORIES
                    .iter()
                    .map(|category| category.name.text),
            ),
        ];
        // A tag and a length each; a tag and eight bytes, two times; a tag and a varint of at most 10 bytes, three times.
        let bytes_max = texts.iter().sum::<usize>() + 2 * texts.len() + 2 * 9 + 3 * 11;
        assert!(bytes_max <= PROTOBUF_BYTES_MAX, "{bytes_max}");
    }

    #[test]
    fn the_fast_encoding_is_the_generated_codes_byte_for_byte() {
        let generator = ShoeGenerator::new(5, 0);
        for n in 0..100_000 {
            let shoe = generator.shoe(n);
            assert_eq!(encoded(&shoe), shoe.protobuf(), "{shoe:?}");
        }
        // The edges of every number's encoding, whether the catalogue has such shoes or not.
        let shoe = generator.shoe(1);
        for bits in 0..40 {
            for value in [(1_u64 << bits) - 1, 1 << bits] {
                let low = u32::try_from(value & 0x7fff_ffff).unwrap();
                let edge = Shoe {
                    sale_price: low,
                    rating_tenths: value.to_le_bytes()[0],
                    size_halves: low,
                    stock: low,
                    created_at_ms: value,
                    ..shoe.clone()
                };
                assert_eq!(encoded(&edge), edge.protobuf(), "{edge:?}");
            }
        }
    }

    #[test]
    fn the_message_index_is_that_of_the_schemas_first_message() {
        let first = SCHEMA
            .lines()
            .find(|line| line.starts_with("message "))
            .unwrap();
        assert_eq!(first, "message Shoe {");
        assert_eq!(MESSAGE_INDEXES, [0]);
    }
}
