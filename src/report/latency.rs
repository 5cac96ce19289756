//! How long messages took from when they were due until they were acknowledged: since the last look, and in the whole run.
//!
//! Two histograms of the same bounds, to three digits; what is recent moves to what was before at each look, so that nothing is
//! counted twice and nothing is lost. The sum is exact. Nothing here is ever printed, and no clock is read.

use hdrhistogram::Histogram;

/// Latencies above this count as this.
pub const LATENCY_US_MAX: u64 = 3600 * 1_000_000;

/// Decimal digits to which a latency is kept. With these bounds a histogram takes 192 KiB.
const LATENCY_DIGITS: u8 = 3;

/// Latencies in microseconds: what came since the last look, and what came before.
#[derive(Debug, Clone)]
pub(super) struct Latency {
    recent: Histogram<u64>,
    before: Histogram<u64>,
    sum_us: u64,
}

impl Latency {
    /// Without any latency.
    ///
    /// # Errors
    /// Never with the constants above; the histogram's own checks are passed on.
    pub(super) fn new() -> Result<Self, hdrhistogram::CreationError> {
        Ok(Self {
            recent: histogram()?,
            before: histogram()?,
            sum_us: 0,
        })
    }

    /// `count` messages took so long.
    #[inline]
    pub(super) fn record(&mut self, latency_us: u64, count: u64) {
        self.recent.saturating_record_n(latency_us, count);
        self.sum_us = self
            .sum_us
            .saturating_add(latency_us.min(LATENCY_US_MAX).saturating_mul(count));
    }

    /// Those since the last look; this is one.
    pub(super) fn look(&mut self) -> Option<Percentiles> {
        let percentiles = Percentiles::of(&self.recent);
        self.fold();
        percentiles
    }

    /// Those of the whole run; this is a look too.
    pub(super) fn total(&mut self) -> Option<Percentiles> {
        self.fold();
        Percentiles::of(&self.before)
    }

    /// Those of the whole run, by bounds in rising order. No look. A latency that differs from a bound by less than a thousandth may
    /// count on either side.
    pub(super) fn by_bounds(&self, bounds_us: &[u64]) -> Latencies {
        let mut cumulative = vec![0; bounds_us.len()];
        for histogram in [&self.recent, &self.before] {
            let mut values = histogram.iter_recorded().peekable();
            let mut so_far: u64 = 0;
            for (bound, sum) in bounds_us.iter().zip(&mut cumulative) {
                while let Some(value) = values.next_if(|value| {
                    histogram.lowest_equivalent(value.value_iterated_to()) <= *bound
                }) {
                    so_far = so_far.saturating_add(value.count_at_value());
                }
                *sum += so_far;
            }
        }
        let count = self.recent.len().saturating_add(self.before.len());
        Latencies {
            at_most: cumulative,
            count,
            sum_us: self.sum_us,
        }
    }

    /// Moves the recent latencies to those before.
    fn fold(&mut self) {
        let added = self.before.add(&self.recent);
        debug_assert!(added.is_ok(), "both histograms have the same bounds");
        self.recent.reset();
    }
}

/// Acknowledgement latencies of the whole run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies {
    /// How many records took at most as long as each bound that was asked for.
    pub at_most: Vec<u64>,
    /// How many there are.
    pub count: u64,
    /// All of them together, in microseconds.
    pub sum_us: u64,
}

/// Acknowledgement latencies in microseconds, to three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Percentiles {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
    pub max: u64,
}

impl Percentiles {
    fn of(histogram: &Histogram<u64>) -> Option<Self> {
        (!histogram.is_empty()).then(|| Self {
            p50: histogram.value_at_quantile(0.5),
            p90: histogram.value_at_quantile(0.9),
            p99: histogram.value_at_quantile(0.99),
            p99_9: histogram.value_at_quantile(0.999),
            max: histogram.max(),
        })
    }
}

fn histogram() -> Result<Histogram<u64>, hdrhistogram::CreationError> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, LATENCY_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_histograms_fit_into_half_a_mebibyte() {
        let bytes = 2 * histogram().unwrap().distinct_values() * size_of::<u64>();
        assert!(bytes <= 512 * 1024, "{bytes}");
    }

    #[test]
    fn buckets_are_of_the_whole_run_and_asking_for_them_is_no_look() {
        let mut latency = Latency::new().unwrap();
        let bounds = [1_000, 2_000, 5_000, 100_000];
        let nothing = Latencies {
            at_most: vec![0; 4],
            ..Latencies::default()
        };
        assert_eq!(latency.by_bounds(&bounds), nothing);
        latency.record(1_000, 3);
        latency.record(1_001, 2);
        latency.look();
        latency.record(100_000, 4);
        latency.record(200_000, 1);
        let all = latency.by_bounds(&bounds);
        assert_eq!(all.at_most, [3, 5, 5, 9]);
        let sum_us = 3_000 + 2_002 + 400_000 + 200_000;
        assert_eq!((all.count, all.sum_us), (10, sum_us));
        assert!(latency.look().is_some_and(|recent| recent.p50 >= 100_000));
        assert_eq!(latency.by_bounds(&bounds), all);
        assert_eq!(latency.by_bounds(&[]).at_most, [0; 0]);
    }

    #[test]
    fn a_latency_beyond_the_range_is_in_no_bucket_below_and_adds_no_more_than_the_greatest() {
        let mut latency = Latency::new().unwrap();
        latency.record(u64::MAX, 2);
        let all = latency.by_bounds(&[120_000_000]);
        assert_eq!((all.at_most, all.count), (vec![0], 2));
        assert_eq!(all.sum_us, 2 * LATENCY_US_MAX);
    }
}
