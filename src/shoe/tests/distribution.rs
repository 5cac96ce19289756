//! The claims made about the data, checked on a million shoes. Tolerances are stated beside each: they are several
//! standard deviations wide, and the seed is fixed, so a failure means that a table has changed.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::catalog::{BRANDS, CATEGORIES};
use super::{SALE_PRICE_MAX, SALE_PRICE_MIN, Shoe, ShoeGenerator};

const SHOES: u32 = 1_000_000;

/// What a million shoes were, made once for all tests of this file.
struct Tally {
    /// Ascending.
    prices: Vec<u32>,
    cents: [u32; 100],
    /// By tenths of a star.
    ratings: [u32; 51],
    /// By place in the catalogue: shoes, and the sum of their prices.
    brands: Vec<(u32, u64)>,
    stocks: Vec<u32>,
}

fn tally() -> &'static Tally {
    static TALLY: OnceLock<Tally> = OnceLock::new();
    TALLY.get_or_init(|| {
        let places: HashMap<*const u8, usize> = BRANDS
            .iter()
            .enumerate()
            .map(|(place, brand)| (brand.name.text.as_ptr(), place))
            .collect();
        let generator = ShoeGenerator::new(2024, 0);
        let mut tally = Tally {
            prices: Vec::new(),
            cents: [0; 100],
            ratings: [0; 51],
            brands: vec![(0, 0); BRANDS.len()],
            stocks: vec![0; 128],
        };
        for n in 0..u64::from(SHOES) {
            let shoe = generator.shoe(n);
            tally.prices.push(shoe.sale_price);
            tally.cents[(shoe.sale_price % 100) as usize] += 1;
            tally.ratings[usize::from(shoe.rating_tenths)] += 1;
            let brand = &mut tally.brands[places[&shoe.brand.text.as_ptr()]];
            brand.0 += 1;
            brand.1 += u64::from(shoe.sale_price);
            tally.stocks[shoe.stock as usize] += 1;
        }
        tally.prices.sort_unstable();
        tally
    })
}

/// The first few shoes, for what holds of each.
fn samples() -> impl Iterator<Item = Shoe> {
    let generator = ShoeGenerator::new(2024, 3);
    (0..50_000).map(move |n| generator.shoe(n))
}

fn share(count: u32) -> f64 {
    f64::from(count) / f64::from(SHOES)
}

fn assert_near(what: &str, seen: f64, wanted: f64, tolerance: f64) {
    assert!(
        (seen - wanted).abs() <= tolerance,
        "{what}: {seen}, not {wanted} ± {tolerance}"
    );
}

#[test]
fn prices_have_the_promised_bounds_and_quantiles() {
    let prices = &tally().prices;
    assert!(prices[0] >= SALE_PRICE_MIN && prices[prices.len() - 1] <= SALE_PRICE_MAX);
    for (percent, wanted) in [(10, 5400.0), (50, 9600.0), (90, 16000.0)] {
        let seen = f64::from(prices[prices.len() * percent / 100]);
        assert_near(&format!("p{percent} of the price"), seen, wanted, 100.0);
    }
}

#[test]
fn four_prices_in_ten_end_in_95_and_three_in_97() {
    let cents = &tally().cents;
    assert_near("ending in 95", share(cents[95]), 0.40, 0.005);
    assert_near("ending in 97", share(cents[97]), 0.30, 0.005);
    assert!(
        cents.iter().filter(|count| **count > 0).count() > 5,
        "the rest is varied"
    );
}

#[test]
fn ratings_are_as_promised() {
    let ratings = &tally().ratings;
    assert_near("not rated yet", share(ratings[0]), 0.36, 0.003);
    assert_eq!(
        ratings[1..10].iter().sum::<u32>(),
        0,
        "nothing between 0.0 and 1.0"
    );
    assert!(
        ratings[10..].iter().all(|count| *count > 0),
        "every rating occurs"
    );
    let commonest = (10..=50).max_by_key(|tenths| ratings[*tenths]);
    assert_eq!(commonest, Some(50));
    let rated: u32 = ratings[10..].iter().sum();
    let tenths: f64 = (10..=50_u32)
        .map(|tenths| f64::from(tenths * ratings[tenths as usize]))
        .sum();
    assert_near("mean rating", tenths / 10.0 / f64::from(rated), 4.25, 0.03);
}

#[test]
fn brands_are_many_and_unevenly_popular() {
    let counts: Vec<u32> = tally().brands.iter().map(|brand| brand.0).collect();
    assert!(counts.len() >= 20 && counts.iter().all(|count| *count > 0));
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(most / least >= 5, "{least} to {most} shoes a brand");
}

#[test]
fn a_dearer_brand_has_a_higher_mean_price() {
    let means: Vec<u64> = tally()
        .brands
        .iter()
        .map(|(count, sum)| sum / u64::from(*count))
        .collect();
    assert!(means.is_sorted(), "{means:?}");
    assert!(means[means.len() - 1] > 2 * means[0], "{means:?}");
}

#[test]
fn stocks_are_mostly_small_and_sometimes_empty() {
    let stocks = &tally().stocks;
    assert_near("sold out", share(stocks[0]), 0.047, 0.005);
    assert!(share(stocks[..32].iter().sum()) > 0.5);
    assert!(stocks[120..].iter().sum::<u32>() > 0);
}

#[test]
fn a_name_is_two_words_of_the_brands_and_a_number() {
    for shoe in samples() {
        let brand = BRANDS
            .iter()
            .find(|brand| brand.name.text == shoe.brand.text)
            .unwrap();
        let words: Vec<&str> = shoe.name.as_str().split(' ').collect();
        assert_eq!(words.len(), 3, "{shoe:?}");
        let lines = brand.lines.map(|line| {
            let bytes = line.bytes.to_le_bytes();
            let word = bytes[..line.length as usize].strip_suffix(b" ").unwrap();
            String::from_utf8(word.to_vec()).unwrap()
        });
        assert!(
            words[..2]
                .iter()
                .all(|word| lines.iter().any(|line| line == word)),
            "{shoe:?}"
        );
        assert_ne!(words[0], words[1]);
        let number: u32 = words[2].parse().unwrap();
        assert!((100..=997).contains(&number), "{shoe:?}");
    }
    for number in [100, 997] {
        assert!(samples().any(|shoe| shoe.name.as_str().ends_with(&number.to_string())));
    }
}

#[test]
fn category_colour_and_size_belong_together() {
    let mut largest_seen = HashMap::new();
    for shoe in samples() {
        let category = CATEGORIES
            .iter()
            .find(|category| category.name.text == shoe.category.text)
            .unwrap();
        let brand = BRANDS
            .iter()
            .find(|brand| brand.name.text == shoe.brand.text)
            .unwrap();
        assert!(
            brand
                .categories
                .iter()
                .any(|made| made.name.text == category.name.text),
            "{shoe:?}"
        );
        assert!(category.colours.contains(shoe.colour), "{shoe:?}");
        let above = shoe.size_halves - category.size_halves_min;
        assert_eq!(above % category.size_step_halves, 0, "{shoe:?}");
        assert!(
            above / category.size_step_halves < category.size_count,
            "{shoe:?}"
        );
        let largest = largest_seen.entry(category.name.text).or_insert(0);
        *largest = shoe.size_halves.max(*largest);
    }
    assert_eq!(
        largest_seen.len(),
        CATEGORIES.len(),
        "every category occurs"
    );
    assert!(largest_seen["kids"] < largest_seen["running"]);
}

#[test]
fn created_at_lies_in_five_whole_years() {
    let created: Vec<u64> = samples().map(|shoe| shoe.created_at_ms).collect();
    let (first, last) = (created.iter().min().unwrap(), created.iter().max().unwrap());
    assert!(*first >= 1_577_836_800_000 && *first < 1_577_836_800_000 + 86_400_000);
    assert!(*last < 1_735_516_800_000 && *last >= 1_735_516_800_000 - 86_400_000);
}
