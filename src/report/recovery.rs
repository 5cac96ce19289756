//! Partitions whose records wait no longer, told in one line for all that come back together.
//!
//! Invariant: a line a second after the first of them, then none for ten, and whatever came meanwhile is in the next
//! one: a hundred partitions of a broker make one line, and a leader that comes and goes makes few. It reads no clock
//! and logs nothing: its owner asks [`Recoveries::due`] and logs what [`Recoveries::take`] gives.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::event::Event;
use super::text;

/// How long after the first one others count as coming back with it: so long a client may take to send to the last.
const TOGETHER: Duration = Duration::from_secs(1);
/// The least time from one line to the next.
const QUIET: Duration = Duration::from_secs(10);

/// What has come back since the last line.
#[derive(Debug, Default)]
pub struct Recoveries {
    partitions: BTreeSet<i32>,
    first: Option<Instant>,
    last_line: Option<Instant>,
    after: Option<(Duration, Duration)>,
    waited: u64,
    failed: u64,
}

impl Recoveries {
    /// Nothing was ever lost.
    pub fn new() -> Self {
        Self::default()
    }

    /// `partition` is back after so long; so many messages waited, and so many were given up meanwhile.
    pub fn note(
        &mut self,
        partition: i32,
        after: Duration,
        waited: u64,
        failed: u64,
        now: Instant,
    ) {
        self.partitions.insert(partition);
        self.first.get_or_insert(now);
        let (shortest, longest) = self.after.unwrap_or((after, after));
        self.after = Some((shortest.min(after), longest.max(after)));
        self.waited = self.waited.saturating_add(waited);
        self.failed = self.failed.saturating_add(failed);
    }

    /// When there will be something to say.
    pub fn due(&self) -> Option<Instant> {
        let together = self.first? + TOGETHER;
        Some(together.max(self.last_line.map_or(together, |at| at + QUIET)))
    }

    /// What there is to say, due or not. Whoever asks logs it.
    pub fn take(&mut self, topic: &str, now: Instant) -> Option<(Event, String)> {
        let after = self.after?;
        let line = text::recovered(topic, &self.partitions, after, self.waited, self.failed);
        let event = Event::new("recovered")
            .text("topic", topic)
            .count("partitions", self.partitions.len() as u64)
            .seconds("after_seconds", after.1)
            .count("waited", self.waited)
            .count("failed", self.failed);
        *self = Self {
            last_line: Some(now),
            ..Self::default()
        };
        Some((event, line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_comes_back_together_is_one_line_and_all_of_it_is_in_there() {
        let start = Instant::now();
        let mut recoveries = Recoveries::new();
        assert_eq!(recoveries.due(), None);
        assert_eq!(recoveries.take("js_shoe", start), None);
        for partition in 0..100 {
            let now = start + SECOND * partition / 100;
            let partition = i32::try_from(partition).unwrap();
            recoveries.note(partition, 12 * SECOND, 10, 0, now);
        }
        assert_eq!(recoveries.due(), Some(start + SECOND));
        let (event, line) = recoveries.take("js_shoe", start + SECOND).unwrap();
        assert_eq!(
            line,
            "✅ js_shoe-0, js_shoe-1 and 98 more are back after 12s, 1,000 messages waited, none lost"
        );
        let expected = Event::new("recovered")
            .text("topic", "js_shoe")
            .count("partitions", 100)
            .seconds("after_seconds", 12 * SECOND)
            .count("waited", 1000)
            .count("failed", 0);
        assert_eq!(event, expected);
        assert_eq!(recoveries.due(), None);
    }

    #[test]
    fn a_partition_that_comes_and_goes_makes_few_lines_and_loses_no_number() {
        let start = Instant::now();
        let mut recoveries = Recoveries::new();
        let (mut now, mut lines) = (start, Vec::new());
        for _ in 0..30 {
            now += 2 * SECOND;
            recoveries.note(3, SECOND, 100, 1, now);
            if recoveries.due().is_some_and(|at| at <= now) {
                lines.extend(recoveries.take("t", now).map(|told| told.1));
            }
        }
        lines.extend(recoveries.take("t", now).map(|told| told.1));
        assert!((5..=8).contains(&lines.len()), "{lines:#?}");
        let waited = |line: &String| -> u64 {
            let (_, rest) = line.split_once("after 1s, ").unwrap();
            rest.split_once(' ')
                .unwrap()
                .0
                .replace(',', "")
                .parse()
                .unwrap()
        };
        assert_eq!(lines.iter().map(waited).sum::<u64>(), 3000);
        assert!(
            lines[1].ends_with("500 messages waited, 5 failed"),
            "{lines:#?}"
        );
    }
}
