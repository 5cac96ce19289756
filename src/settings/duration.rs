//! Durations in Go's syntax (`time.ParseDuration`): `500ms`, `1s`, `1m30s`, `1.5h`, `.5s`, `250us`, `250µs`, `0`.
//!
//! Invariant: every accepted text fits Go's range (63 bits of nanoseconds, about 292 years), and what [`format()`] writes
//! parses back to the same duration. Stricter than Go in one point: nothing negative is accepted. This module knows no
//! setting's bounds; [`super::value`] checks those.

use std::time::Duration;

use super::problem::Problem;

/// Go's `math.MaxInt64` nanoseconds.
const NANOSECONDS_MAX: u128 = i64::MAX as u128;

/// Digits of a fraction that are looked at; Go too drops what 63 bits cannot hold.
const FRACTION_DIGITS_MAX: usize = 18;

/// The units, and how many nanoseconds each has. The two micro signs are U+00B5 and U+03BC, as in Go.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// What is allowed, for errors and help.
pub const ALLOWED: &str = "such as 500ms, 1s, 1m30s, 1.5h (units ns, us, ms, s, m, h)";

/// Parses Go's duration syntax.
///
/// # Errors
/// Empty, negative, without or with an unknown unit, no digits, or more than 292 years.
pub fn parse(text: &str) -> Result<Duration, Problem> {
    if text.starts_with('-') {
        return Err(Problem::new("must not be negative"));
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(Problem::new("not a duration"));
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (part, after) = parse_part(rest, text)?;
        total += part;
        if total > NANOSECONDS_MAX {
            return Err(too_long());
        }
        rest = after;
    }
    u64::try_from(total)
        .map(Duration::from_nanos)
        .map_err(|_| too_long())
}

/// One number with its unit: its nanoseconds, and what follows.
fn parse_part<'a>(text: &'a str, whole: &str) -> Result<(u128, &'a str), Problem> {
    let (integer, after) = split_while(text, |c| c.is_ascii_digit());
    let (fraction, after) = match after.strip_prefix('.') {
        Some(after) => split_while(after, |c| c.is_ascii_digit()),
        None => ("", after),
    };
    if integer.is_empty() && fraction.is_empty() {
        return Err(Problem::new("not a duration"));
    }
    let (unit, after) = split_while(after, |c| !c.is_ascii_digit() && c != '.');
    if unit.is_empty() {
        let problem = Problem::new("no unit");
        let bare_number = whole.bytes().all(|b| b.is_ascii_digit());
        return Err(if bare_number {
            problem.suggest(format!("{whole}s"))
        } else {
            problem
        });
    }
    let Some(unit_ns) = UNITS
        .iter()
        .find_map(|(name, ns)| (*name == unit).then_some(*ns))
    else {
        return Err(unknown_unit(unit, integer, fraction, whole));
    };
    // 20 digits hold every number that 63 bits do, and u128 holds 20 digits of hours.
    let integer = integer.trim_start_matches('0');
    if integer.len() > 20 {
        return Err(too_long());
    }
    let mut part = decimal(integer) * unit_ns;
    let fraction = fraction.get(..FRACTION_DIGITS_MAX).unwrap_or(fraction);
    let scale = fraction.bytes().fold(1, |scale: u128, _| scale * 10);
    part += decimal(fraction) * unit_ns / scale;
    Ok((part, after))
}

fn unknown_unit(unit: &str, integer: &str, fraction: &str, whole: &str) -> Problem {
    let problem = Problem::new("unknown unit");
    let lower = unit.to_lowercase();
    let meant = match lower.trim() {
        "sec" | "secs" | "second" | "seconds" => "s",
        "min" | "mins" | "minute" | "minutes" => "m",
        "hr" | "hrs" | "hour" | "hours" => "h",
        "msec" | "millis" | "millisecond" | "milliseconds" => "ms",
        known if UNITS.iter().any(|(name, _)| *name == known) => known,
        "d" | "day" | "days" if fraction.is_empty() => {
            return match integer.parse::<u32>() {
                Ok(days) if whole.starts_with(integer) => {
                    problem.suggest(format!("{}h", u64::from(days) * 24))
                }
                _ => problem,
            };
        }
        _ => return problem,
    };
    problem.suggest(whole.replace(unit, meant))
}

fn too_long() -> Problem {
    Problem::new("longer than 292 years")
}

fn split_while(text: &str, keep: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !keep(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// At most 20 ASCII digits; no digits are 0.
fn decimal(digits: &str) -> u128 {
    digits.bytes().fold(0, |number, digit| {
        number * 10 + u128::from(digit.wrapping_sub(b'0'))
    })
}

/// Writes a duration as Go does (`1m30s`, `1.5s`, `250µs`, `0s`), but without the zeros at its end: `2m`, not `2m0s`.
pub fn format(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    let (unit, unit_ns) = match nanoseconds {
        0 => return "0s".to_owned(),
        1..1_000 => ("ns", 1),
        1_000..1_000_000 => ("µs", 1_000),
        1_000_000..1_000_000_000 => ("ms", 1_000_000),
        _ => return format_seconds(duration),
    };
    format!("{}{unit}", with_fraction(nanoseconds, unit_ns))
}

fn format_seconds(duration: Duration) -> String {
    let (hours, minutes) = (duration.as_secs() / 3600, duration.as_secs() / 60 % 60);
    let nanoseconds =
        u128::from(duration.as_secs() % 60) * 1_000_000_000 + u128::from(duration.subsec_nanos());
    let mut text = String::new();
    if hours > 0 {
        text += &format!("{hours}h");
    }
    if minutes > 0 || (hours > 0 && nanoseconds > 0) {
        text += &format!("{minutes}m");
    }
    if nanoseconds > 0 {
        text += &with_fraction(nanoseconds, 1_000_000_000);
        text.push('s');
    }
    text
}

/// `nanoseconds` in units of `unit_ns` (a power of ten), as a decimal without trailing zeros.
fn with_fraction(nanoseconds: u128, unit_ns: u128) -> String {
    let digits = unit_ns.ilog10() as usize;
    let text = format!(
        "{}.{:0digits$}",
        nanoseconds / unit_ns,
        nanoseconds % unit_ns
    );
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_mean_what_go_says() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("0s", 0),
            ("+5s", 5_000_000_000),
            ("500ms", 500_000_000),
            ("1s", 1_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("250us", 250_000),
            ("250µs", 250_000),
            ("250μs", 250_000),
            ("1h15m30.918273645s", 4_530_918_273_645),
            ("39h9m14.425s", 140_954_425_000_000),
            ("0.3333333333333333333h", 1_200_000_000_000 - 1),
            ("9223372036854775807ns", i64::MAX as u64),
            ("00000000000000000000000000001s", 1_000_000_000),
            ("0.100000000000000000000h", 360_000_000_000),
            ("2s1s", 3_000_000_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for text in [
            "",
            "+",
            "3",
            ".",
            "s",
            ".s",
            "+.s",
            "1",
            "1..5s",
            "1e3s",
            "1s 2s",
            "1x",
            "1d",
            "1ss",
            "½s",
            "1.5",
            "1s2",
            "1,5s",
            "9223372036854775808ns",
            "2562048h",
            "99999999999999999999999999999999999999999h",
            "9223372036s9223372036s",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_negative_is_accepted() {
        assert_eq!(parse("-1s"), Err(Problem::new("must not be negative")));
    }

    #[test]
    fn a_near_miss_is_recognised() {
        for (text, meant) in [
            ("10", "10s"),
            ("5sec", "5s"),
            ("2days", "48h"),
            ("1H", "1h"),
            ("3min", "3m"),
            ("1S", "1s"),
        ] {
            assert_eq!(
                parse(text).unwrap_err().suggestion.as_deref(),
                Some(meant),
                "{text}"
            );
        }
    }

    #[test]
    fn durations_are_written_as_go_does_without_trailing_zeros() {
        for (nanoseconds, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (245_000_000_000, "4m5s"),
            (245_001_000_000, "4m5.001s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (480_000_000_001, "8m0.000000001s"),
            (3_605_000_000_000, "1h0m5s"),
            (120_000_000_000, "2m"),
            (3_600_000_000_000, "1h"),
            (600_000_000_000, "10m"),
        ] {
            assert_eq!(format(Duration::from_nanos(nanoseconds)), text);
        }
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..2_000 {
            let shift = random.u32(1..64);
            let duration = Duration::from_nanos(random.u64(..) >> shift);
            assert_eq!(parse(&format(duration)), Ok(duration));
        }
    }
}
