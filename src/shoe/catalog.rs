//! What a shoe can be: brands with their model words, categories with their sizes and colours, prices, ratings.
//!
//! All brands are invented. They are listed from the cheapest to the dearest: the place in the list *is* the price
//! level, and a brand's weight is its popularity. Tables are worked out by the compiler; a wrong one does not compile.
//! It never draws a random number: it says what a drawn number means.

/// A maker of shoes.
#[derive(Debug)]
pub(super) struct Brand {
    /// As the message says it.
    pub(super) name: Label,
    /// Of 256 shoes, how many are of this brand.
    weight: u8,
    /// Words that its model names are made of.
    pub(super) lines: [Word; LINES as usize],
    /// What it makes; one that is named twice is made twice as often.
    pub(super) categories: [&'static Category; 4],
}

/// A model word and the space after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    /// The first byte is the lowest; zeros after the last.
    pub(super) bytes: u128,
    /// Bytes that count, the space included: 2 to [`WORD_BYTES_MAX`].
    pub(super) length: u32,
}

/// A short text that is written whole, whatever its length: what lies behind it is written over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    /// As it is.
    pub(super) text: &'static str,
    /// Its bytes, and zeros after the last.
    pub(super) padded: [u8; LABEL_BYTES_MAX],
}

/// A kind of shoe.
#[derive(Debug)]
pub(super) struct Category {
    /// As the message says it.
    pub(super) name: Label,
    /// Smallest European size, in halves.
    pub(super) size_halves_min: u32,
    /// How many sizes there are.
    pub(super) size_count: u32,
    /// Distance between sizes, in halves: 1 or 2.
    pub(super) size_step_halves: u32,
    /// One that is named twice is twice as common.
    pub(super) colours: &'static [Label; COLOURS],
}

/// Model words a brand.
pub(super) const LINES: u32 = 8;
/// Colours a palette.
pub(super) const COLOURS: usize = 16;
/// Lowest price, in US cents.
pub const SALE_PRICE_MIN: u32 = 1595;
/// Highest price, in US cents.
pub const SALE_PRICE_MAX: u32 = 36500;
/// Lowest number in a model name.
pub(super) const MODEL_NUMBER_MIN: u32 = 100;
/// How many numbers there are: up to 997.
pub(super) const MODEL_NUMBER_COUNT: u32 = 898;
/// Longest model name in bytes: two words, each with a space after it, and a number.
pub(super) const NAME_BYTES_MAX: usize = 2 * WORD_BYTES_MAX + 3;
/// Longest name of a brand, category or colour in bytes.
pub(super) const LABEL_BYTES_MAX: usize = 16;
/// Longest model word in bytes, the space after it included. A number still fits behind it into 128 bits.
const WORD_BYTES_MAX: usize = 13;

static SPORTS: [Label; COLOURS] = labels([
    "black", "black", "white", "white", "navy", "grey", "crimson", "cobalt", "volt", "orange",
    "teal", "pink", "lime", "purple", "silver", "azure",
]);
static CLASSIC: [Label; COLOURS] = labels([
    "black", "black", "black", "brown", "brown", "brown", "camel", "cognac", "navy", "grey",
    "claret", "olive", "beige", "white", "sand", "forest",
]);

#[allow(clippy::indexing_slicing)] // at compile time; an overrun does not compile
const fn label(text: &'static str) -> Label {
    let mut padded = [0; LABEL_BYTES_MAX];
    let mut i = 0;
    while i < text.len() {
        padded[i] = text.as_bytes()[i];
        i += 1;
    }
    Label { text, padded }
}

#[allow(clippy::indexing_slicing)] // at compile time; an overrun does not compile
const fn labels(texts: [&'static str; COLOURS]) -> [Label; COLOURS] {
    let mut labels = [label(""); COLOURS];
    let mut i = 0;
    while i < texts.len() {
        labels[i] = label(texts[i]);
        i += 1;
    }
    labels
}

const fn category(
    name: &'static str,
    size_halves_min: u32,
    size_count: u32,
    size_step_halves: u32,
    colours: &'static [Label; COLOURS],
) -> Category {
    Category {
        name: label(name),
        size_halves_min,
        size_count,
        size_step_halves,
        colours,
    }
}

static RUNNING: Category = category("running", 71, 28, 1, &SPORTS);
static TRAIL: Category = category("trail", 72, 26, 1, &SPORTS);
static SNEAKER: Category = category("sneaker", 70, 29, 1, &SPORTS);
static BASKETBALL: Category = category("court", 76, 27, 1, &SPORTS);
static FOOTBALL: Category = category("soccer", 72, 25, 1, &SPORTS);
static TENNIS: Category = category("tennis", 72, 25, 1, &SPORTS);
static HIKING: Category = category("hiking", 72, 25, 1, &CLASSIC);
static BOOT: Category = category("boot", 72, 12, 2, &CLASSIC);
static LOAFER: Category = category("loafer", 76, 21, 1, &CLASSIC);
static FORMAL: Category = category("formal", 78, 19, 1, &CLASSIC);
static SANDAL: Category = category("sandal", 70, 13, 2, &CLASSIC);
static KIDS: Category = category("kids", 50, 14, 2, &SPORTS);

/// Every category that a brand makes.
#[cfg(test)]
pub(super) static CATEGORIES: [&Category; 12] = [
    &RUNNING,
    &TRAIL,
    &SNEAKER,
    &BASKETBALL,
    &FOOTBALL,
    &TENNIS,
    &HIKING,
    &BOOT,
    &LOAFER,
    &FORMAL,
    &SANDAL,
    &KIDS,
];

#[allow(clippy::indexing_slicing)] // at compile time; an overrun does not compile
const fn brand(
    name: &'static str,
    weight: u8,
    lines: [&'static str; LINES as usize],
    categories: [&'static Category; 4],
) -> Brand {
    let mut words = [word("a"); LINES as usize];
    let mut i = 0;
    while i < words.len() {
        words[i] = word(lines[i]);
        i += 1;
    }
    Brand {
        name: label(name),
        weight,
        lines: words,
        categories,
    }
}

#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation)] // at compile time; an overrun does not compile
const fn word(text: &str) -> Word {
    assert!(text.is_ascii() && !text.is_empty() && text.len() < WORD_BYTES_MAX);
    let mut padded = [0; 16];
    let mut i = 0;
    while i < text.len() {
        padded[i] = text.as_bytes()[i];
        i += 1;
    }
    padded[i] = b' ';
    Word {
        bytes: u128::from_le_bytes(padded),
        length: text.len() as u32 + 1,
    }
}

/// From the cheapest to the dearest.
#[rustfmt::skip]
pub(super) static BRANDS: [Brand; 24] = [
    brand("Plodwell", 22, ["Dash", "Hopper", "Basic", "Spring", "Breeze", "Easy", "Pacer", "Jog"], [&SNEAKER, &KIDS, &RUNNING, &SANDAL]),
    brand("Tumbleknot", 12, ["Tumble", "Rascal", "Pebble", "Skip", "Bounce", "Mini", "Frolic", "Giggle"], [&KIDS, &KIDS, &SNEAKER, &SANDAL]),
    brand("Sandquill", 7, ["Dune", "Shore", "Lagoon", "Tide", "Cove", "Palm", "Reef", "Drift"], [&SANDAL, &SANDAL, &LOAFER, &SNEAKER]),
    brand("Kettlefoot", 9, ["Copper", "Steam", "Hearth", "Ember", "Kindle", "Cosy", "Brass", "Harbour"], [&BOOT, &LOAFER, &SANDAL, &SNEAKER]),
    brand("Puddlejay", 6, ["Splash", "Drizzle", "Puddle", "Rainy", "Marsh", "Wader", "Heron", "Otter"], [&KIDS, &BOOT, &SNEAKER, &HIKING]),
    brand("Oatstride", 18, ["Stride", "Tempo", "Cadence", "Motion", "Loop", "Circuit", "Relay", "Harvest"], [&RUNNING, &RUNNING, &SNEAKER, &TRAIL]),
    brand("Brinmarsh", 8, ["Fen", "Heath", "Moor", "Thicket", "Bramble", "Rook", "Fallow", "Peat"], [&HIKING, &BOOT, &TRAIL, &SNEAKER]),
    brand("Hexaloop", 24, ["Hex", "Vector", "Pixel", "Neon", "Grid", "Turbo", "Nova", "Max"], [&SNEAKER, &SNEAKER, &BASKETBALL, &RUNNING]),
    brand("Goalwick", 10, ["Striker", "Keeper", "Volley", "Corner", "Derby", "Cleat", "Sweeper", "Pitch"], [&FOOTBALL, &FOOTBALL, &SNEAKER, &KIDS]),
    brand("Lacewren", 9, ["Wren", "Ribbon", "Willow", "Petal", "Satin", "Ballad", "Linen", "Meadow"], [&LOAFER, &SNEAKER, &SANDAL, &TENNIS]),
    brand("Zephruna", 28, ["Zephyr", "Gust", "Sprint", "Aero", "Swift", "Feather", "Pulse", "Pro"], [&RUNNING, &RUNNING, &TRAIL, &SNEAKER]),
    brand("Nimbothorn", 14, ["Nimbus", "Thorn", "Summit", "Ridge", "Gravel", "Scree", "TrailRunner", "Ascent"], [&TRAIL, &TRAIL, &HIKING, &RUNNING]),
    brand("Calderskip", 11, ["Magma", "Crater", "Basalt", "Flint", "Ash", "Lava", "Cinder", "Spark"], [&BASKETBALL, &SNEAKER, &TENNIS, &RUNNING]),
    brand("Skarnholt", 7, ["Skarn", "Glacier", "Fjord", "Tundra", "Granite", "Boulder", "Cairn", "Polar"], [&HIKING, &HIKING, &BOOT, &TRAIL]),
    brand("Torvanta", 16, ["Torque", "Apex", "Vertex", "Dunk", "Rebound", "Orbit", "Elite", "Clutch"], [&BASKETBALL, &BASKETBALL, &SNEAKER, &TENNIS]),
    brand("Mirrelfoot", 5, ["Mirror", "Silver", "Ripple", "Echo", "Prism", "Halo", "Lumen", "Glint"], [&TENNIS, &TENNIS, &SNEAKER, &RUNNING]),
    brand("Dunloess", 6, ["Loam", "Saddle", "Rancher", "Prairie", "Canyon", "Mesa", "Bronco", "Spur"], [&BOOT, &BOOT, &LOAFER, &HIKING]),
    brand("Velquist", 13, ["Velour", "Quest", "Signal", "Metro", "Studio", "Urban", "Pivot", "Sidekick"], [&SNEAKER, &SNEAKER, &TENNIS, &LOAFER]),
    brand("Bjørnskritt", 6, ["Birke", "Nordlys", "Vinter", "Elv", "Skog", "Stein", "Fjell", "Storm"], [&BOOT, &HIKING, &TRAIL, &SNEAKER]),
    brand("Arkenstep", 8, ["Arken", "Citadel", "Bastion", "Herald", "Banner", "Regent", "Crest", "Valour"], [&BOOT, &SNEAKER, &HIKING, &FORMAL]),
    brand("Ostervane", 6, ["Vane", "Compass", "Sextant", "Captain", "Mariner", "Anchor", "Bosun", "Admiral"], [&LOAFER, &LOAFER, &FORMAL, &BOOT]),
    brand("Orsolace", 4, ["Aria", "Sonata", "Opera", "Duet", "Tango", "Bolero", "Waltz", "Rondo"], [&FORMAL, &LOAFER, &SANDAL, &SNEAKER]),
    brand("Vantrelle", 4, ["Noir", "Soiree", "Lumiere", "Avenue", "Gala", "Atelier", "Velvet", "Etoile"], [&FORMAL, &SNEAKER, &LOAFER, &BOOT]),
    brand("Tarvelle & Foss", 3, ["Oxford", "Brogue", "Monk", "Chelsea", "Regal", "Consul", "Senator", "Envoy"], [&FORMAL, &FORMAL, &LOAFER, &BOOT]),
];

/// The brand at `slot` of 256: brands take as many slots as their weight, in the order of the list.
#[inline]
pub(super) fn brand_at(slot: u8) -> &'static Brand {
    let [first, ..] = &BRANDS;
    at(&BRAND_SLOTS, usize::from(slot))
        .and_then(|index| BRANDS.get(usize::from(index)))
        .unwrap_or(first)
}

/// The price in whole US dollars below which the share `quantile / 65536` of all shoes is sold.
#[inline]
pub(super) fn price_dollars(quantile: u16) -> u32 {
    let step = usize::from(quantile >> 8);
    let low = at(&PRICE_STEPS, step).unwrap_or_default();
    let high = at(&PRICE_STEPS, step + 1).unwrap_or(low);
    (low + (((high - low) * u32::from(quantile & 0xff)) >> 8)) / 100
}

/// The cents at `slot` of 256 that a price ends in.
#[inline]
pub(super) fn price_ending(slot: u8) -> u32 {
    u32::from(at(&ENDING_SLOTS, usize::from(slot)).unwrap_or_default())
}

/// The rating at `slot` of 1024, in tenths of a star; 0 = not rated yet.
#[inline]
pub(super) fn rating_tenths(slot: u32) -> u8 {
    at(&RATING_SLOTS, slot as usize).unwrap_or_default()
}

#[inline]
fn at<T: Copy>(table: &[T], index: usize) -> Option<T> {
    let found = table.get(index).copied();
    debug_assert!(
        found.is_some(),
        "index {index} outside a table of {}",
        table.len()
    );
    found
}

static BRAND_SLOTS: [u8; 256] = brand_slots();
static PRICE_STEPS: [u32; 257] = price_steps();
static ENDING_SLOTS: [u8; 256] = slots(&ENDINGS);
static RATING_SLOTS: [u8; RATING_SLOT_COUNT] = slots(&RATINGS);
const RATING_SLOT_COUNT: usize = 1024;

#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation)] // at compile time; an overrun does not compile
const fn brand_slots() -> [u8; 256] {
    let mut slots = [0; 256];
    let mut slot = 0;
    let mut brand = 0;
    while brand < BRANDS.len() {
        let mut left = BRANDS[brand].weight;
        while left > 0 {
            slots[slot] = brand as u8;
            slot += 1;
            left -= 1;
        }
        brand += 1;
    }
    assert!(
        slot == slots.len(),
        "the weights of the brands add up to 256"
    );
    slots
}

/// Points of the price distribution: (share of shoes in 1/65536, US cents). Between them, straight lines.
/// Near log-normal with a median of 96 dollars.
const PRICE_POINTS: [(u32, u32); 15] = [
    (0, 1595),
    (66, 2400),
    (655, 3500),
    (3277, 4700),
    (6554, 5400),
    (13107, 6600),
    (19661, 7700),
    (32768, 9600),
    (45875, 12000),
    (52429, 13550),
    (58982, 16000),
    (62259, 18700),
    (64881, 25500),
    (65470, 33000),
    (65536, 36500),
];

#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation)] // at compile time; an overrun does not compile
const fn price_steps() -> [u32; 257] {
    let mut steps = [0; 257];
    let mut step = 0;
    let mut point = 0;
    while step < steps.len() {
        let share = 256 * step as u32;
        while PRICE_POINTS[point + 1].0 < share {
            point += 1;
        }
        let (share_low, cents_low) = PRICE_POINTS[point];
        let (share_high, cents_high) = PRICE_POINTS[point + 1];
        steps[step] =
            cents_low + (cents_high - cents_low) * (share - share_low) / (share_high - share_low);
        step += 1;
    }
    steps
}

/// (first, last, slots each): of 256 prices, how many end in so many cents.
const ENDINGS: [(u8, u8, u16); 7] = [
    (95, 95, 102),
    (97, 97, 77),
    (99, 99, 30),
    (0, 0, 20),
    (90, 90, 12),
    (50, 50, 9),
    (75, 75, 6),
];

/// (first, last, slots each): of 1024 shoes, how many have each rating, in tenths of a star.
const RATINGS: [(u8, u8, u16); 9] = [
    (0, 0, 369),
    (10, 14, 2),
    (15, 19, 1),
    (20, 29, 3),
    (30, 34, 11),
    (35, 39, 15),
    (40, 44, 26),
    (45, 49, 32),
    (50, 50, 190),
];

/// Spreads rows of (first, last, slots each) over a table.
#[allow(clippy::indexing_slicing)] // at compile time; an overrun does not compile
const fn slots<const COUNT: usize>(rows: &[(u8, u8, u16)]) -> [u8; COUNT] {
    let mut slots = [0; COUNT];
    let mut slot = 0;
    let mut row = 0;
    while row < rows.len() {
        let (first, last, each) = rows[row];
        let mut value = first;
        while value <= last {
            let mut left = each;
            while left > 0 {
                slots[slot] = value;
                slot += 1;
                left -= 1;
            }
            value += 1;
        }
        row += 1;
    }
    assert!(slot == COUNT, "the rows fill the table");
    slots
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_distinct_where_they_must_be() {
        let brands: HashSet<_> = BRANDS.iter().map(|brand| brand.name.text).collect();
        assert_eq!(brands.len(), BRANDS.len());
        for brand in &BRANDS {
            let lines: HashSet<_> = brand.lines.iter().map(|line| line.bytes).collect();
            assert_eq!(lines.len(), LINES as usize, "{}", brand.name.text);
        }
        let categories: HashSet<_> = CATEGORIES
            .iter()
            .map(|category| category.name.text)
            .collect();
        assert_eq!(categories.len(), CATEGORIES.len());
    }

    #[test]
    fn every_category_is_made_and_its_sizes_are_a_foots() {
        for category in CATEGORIES {
            assert!(BRANDS.iter().any(|brand| {
                brand
                    .categories
                    .iter()
                    .any(|made| made.name.text == category.name.text)
            }));
            let largest =
                category.size_halves_min + (category.size_count - 1) * category.size_step_halves;
            assert!(
                category.size_halves_min >= 2 * 16 && largest <= 2 * 52,
                "{}",
                category.name.text
            );
            assert!(category.size_step_halves == 1 || category.size_halves_min % 2 == 0);
        }
    }

    #[test]
    fn prices_rise_with_their_quantile() {
        let prices: Vec<u32> = (0..=u16::MAX).map(price_dollars).collect();
        assert!(prices.is_sorted());
        assert_eq!((prices[0], prices[65535]), (15, 364));
    }

    #[test]
    fn brands_stand_in_their_slots_in_order() {
        assert_eq!(brand_at(0).name.text, "Plodwell");
        assert_eq!(brand_at(21).name.text, "Plodwell");
        assert_eq!(brand_at(22).name.text, "Tumbleknot");
        assert_eq!(brand_at(255).name.text, "Tarvelle & Foss");
    }
}
