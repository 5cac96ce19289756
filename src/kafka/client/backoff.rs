//! Waiting longer after each failure: exponential, with jitter, bounded.
//!
//! The random generator is an argument, so that a simulation can repeat every wait.

use std::time::Duration;

/// Share of a wait by which it is made longer or shorter at random (KIP-144: ±20 %).
const JITTER: f64 = 0.2;

/// The waits of one thing that is tried again and again.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Waits start at `first` and double up to `longest`, before jitter.
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
        }
    }

    /// Counts a failure and returns how long to wait before the next try.
    pub(super) fn after_failure(&mut self, rng: &mut fastrand::Rng) -> Duration {
        let wait = self.current(rng);
        self.failures = (self.failures + 1).min(u32::BITS - 1);
        wait
    }

    /// The wait that goes with as many failures as there were.
    pub(super) fn current(&self, rng: &mut fastrand::Rng) -> Duration {
        let doubled = self
            .first
            .saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let jitter = 1.0 - JITTER + 2.0 * JITTER * rng.f64();
        doubled.min(self.longest).mul_f64(jitter)
    }

    /// Forgets the failures: it worked.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// How many times in a row it failed.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_stay_within_the_jitter() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for nominal_ms in [100.0, 200.0, 400.0, 800.0, 1000.0, 1000.0] {
            let wait_ms = backoff.after_failure(&mut rng).as_secs_f64() * 1000.0;
            assert!(
                (nominal_ms * 0.8..=nominal_ms * 1.2).contains(&wait_ms),
                "{wait_ms} for {nominal_ms}"
            );
        }
    }

    #[test]
    fn many_failures_do_not_overflow_and_a_success_starts_anew() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        for _ in 0..1000 {
            assert!(backoff.after_failure(&mut rng) <= Duration::from_millis(1200));
        }
        backoff.reset();
        assert!(backoff.after_failure(&mut rng) <= Duration::from_millis(60));
    }
}
