//! Whole numbers and byte counts: `1000000`, `32MiB`, `64KB`.
//!
//! Invariant: what [`format_bytes`] writes parses back to the same number. `K`, `M` and `G` alone are refused, since
//! tools disagree on whether they count in thousands; nothing is rounded. This module knows no setting's bounds.

use super::problem::Problem;

/// The units of byte counts. Compared without case.
const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Parses a whole number in ASCII digits.
///
/// # Errors
/// Anything but digits, or more than 64 bits.
pub fn parse_integer(text: &str) -> Result<u64, Problem> {
    if text.starts_with('-') {
        return Err(Problem::new("must not be negative"));
    }
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Problem::new("not a whole number"));
    }
    text.parse().map_err(|_| Problem::new("too large"))
}

/// Parses a byte count with an optional unit, of 1000 (`KB`, `MB`, `GB`) or 1024 (`KiB`, `MiB`, `GiB`).
///
/// # Errors
/// No whole number, an unknown unit, or more than 64 bits.
pub fn parse_bytes(text: &str) -> Result<u64, Problem> {
    let digits_end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(digits_end).unwrap_or((text, ""));
    if text.starts_with('-') {
        return Err(Problem::new("must not be negative"));
    }
    if digits.is_empty() || unit.starts_with('.') {
        return Err(Problem::new("not a whole number of bytes"));
    }
    let unit = unit.trim_start();
    let known = UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit));
    let Some((_, bytes)) = known else {
        let problem = Problem::new("unknown unit");
        return Err(match unit.to_ascii_uppercase().as_str() {
            short @ ("K" | "M" | "G") => problem.suggest(format!("{digits}{short}iB")),
            _ => problem,
        });
    };
    parse_integer(digits)?
        .checked_mul(*bytes)
        .ok_or_else(|| Problem::new("too large"))
}

/// Writes a byte count in the largest 1024-based unit that holds it exactly.
pub fn format_bytes(bytes: u64) -> String {
    for (unit, unit_bytes) in [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= unit_bytes && bytes.is_multiple_of(unit_bytes) {
            return format!("{}{unit}", bytes / unit_bytes);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_counts_have_units_of_1000_and_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("1000000", 1_000_000),
            ("32MiB", 33_554_432),
            ("64KB", 64_000),
            ("64kib", 65_536),
            ("1 GB", 1_000_000_000),
            ("5B", 5),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_ambiguous_or_too_large_is_refused() {
        for text in [
            "",
            "MiB",
            "-1",
            "1.5MiB",
            "1e6",
            "32M",
            "1TiB",
            "18446744073709551616",
            "18446744073709551615KB",
            "１",
        ] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
        assert_eq!(
            parse_bytes("32m").unwrap_err().suggestion.as_deref(),
            Some("32MiB")
        );
    }

    #[test]
    fn whole_numbers_are_digits_and_nothing_else() {
        assert_eq!(parse_integer("007"), Ok(7));
        for text in [
            "",
            "+1",
            "-1",
            "1_000",
            "0x10",
            " 1",
            "1.0",
            "18446744073709551616",
            "٣",
        ] {
            assert!(parse_integer(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for bytes in [
            0,
            1,
            1_000,
            1_023,
            1_024,
            1_000_000,
            33_554_432,
            1 << 30,
            u64::MAX,
        ] {
            assert_eq!(parse_bytes(&format_bytes(bytes)), Ok(bytes));
        }
        assert_eq!(format_bytes(33_554_432), "32MiB");
        assert_eq!(format_bytes(1_000_000), "1000000");
    }
}
