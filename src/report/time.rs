//! Wall-clock times as text, RFC 3339 in UTC.
//!
//! A time is a number of milliseconds since 1970, as Kafka has it. Defined for the years 0 to 9999, which is all that
//! RFC 3339 can write; others are shown as the nearest of these. It never reads a clock, except in [`now_ms`].

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// The wall-clock time now.
pub fn now_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// Shown to the millisecond: `2026-11-24T07:12:08.123Z`; with `{:.0}`, to the second: `2026-11-24T07:12:08Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rfc3339 {
    /// Milliseconds since 1970.
    pub unix_ms: i64,
}

const YEAR_0_MS: i64 = -62_167_219_200_000;
const YEAR_9999_END_MS: i64 = 253_402_300_799_999;
const DAY_MS: i64 = 24 * 3600 * 1000;

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unix_ms = self.unix_ms.clamp(YEAR_0_MS, YEAR_9999_END_MS);
        let (year, month, day) = date(unix_ms.div_euclid(DAY_MS));
        let ms = unix_ms.rem_euclid(DAY_MS);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        if f.precision() != Some(0) {
            write!(f, ".{:03}", ms % 1000)?;
        }
        f.write_str("Z")
    }
}

/// Year, month and day of the day that is so many days after 1970-01-01, in the Gregorian calendar. Eras of 400 years,
/// years that begin in March: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_that_date_prints() {
        // Each checked with `date -u -d @seconds`.
        for (unix_ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
            (1_795_504_328_123, "2026-11-24T07:12:08.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (YEAR_0_MS, "0000-01-01T00:00:00.000Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Rfc3339 { unix_ms }.to_string(), expected);
        }
        let unix_ms = 1_795_504_328_999;
        assert_eq!(
            format!("{:.0}", Rfc3339 { unix_ms }),
            "2026-11-24T07:12:08Z"
        );
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut previous = date(-1);
        for days in 0..146_097 {
            let (year, month, day) = date(days);
            let follows = match (day, month) {
                (1, 1) => previous == (year - 1, 12, 31),
                (1, _) => previous.0 == year && previous.1 == month - 1 && previous.2 >= 28,
                _ => previous == (year, month, day - 1),
            };
            assert!(follows, "{previous:?} before {:?}", (year, month, day));
            previous = (year, month, day);
        }
        assert_eq!(date(146_097), (2370, 1, 1));
    }
}
