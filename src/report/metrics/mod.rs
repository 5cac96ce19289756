//! `/metrics`: one table of metrics, and how it is written for Prometheus.
//!
//! Text format 0.0.4 of Prometheus. Names, units and types follow its conventions: base units, `_total` for what only grows.
//! Every family is there from the first moment on, and what is counted begins at zero. No label has more values than a cluster has
//! brokers or Kafka has error codes: partitions are on the page. Reads nothing but the [`View`].

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::process::Process;
use super::view::View;

mod families;

pub use families::FAMILIES;

/// Upper bounds in microseconds, included, of the classes of acknowledgement latencies; the last class has none.
pub const LATENCY_BOUNDS_US: [u64; 29] = [
    1_000,
    2_000,
    3_000,
    5_000,
    7_000,
    10_000,
    15_000,
    20_000,
    30_000,
    50_000,
    70_000,
    100_000,
    150_000,
    200_000,
    300_000,
    500_000,
    700_000,
    1_000_000,
    1_500_000,
    2_000_000,
    3_000_000,
    5_000_000,
    7_000_000,
    10_000_000,
    15_000_000,
    20_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
];

/// What begins every name of ours.
pub const PREFIX: &str = "continuous_producer_";

/// One family of metrics.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Its name, without [`PREFIX`] if it is ours.
    name: &'static str,
    /// What Prometheus calls its type.
    pub kind: Kind,
    /// One line.
    pub help: &'static str,
    write: fn(&View, &mut Samples<'_>),
}

/// Types of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts by classes.
    Histogram,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

impl Family {
    /// Its whole name. Those of the process have names that all programs share.
    pub fn name(&self) -> String {
        if self.name.starts_with("process_") {
            self.name.to_owned()
        } else {
            format!("{PREFIX}{}", self.name)
        }
    }
}

/// The whole exposition.
pub fn exposition(view: &View) -> String {
    let mut text = String::with_capacity(16 * 1024);
    for family in &FAMILIES {
        let name = family.name();
        // Writing into a string cannot fail.
        let _ = writeln!(text, "# HELP {name} {}", family.help);
        let _ = writeln!(text, "# TYPE {name} {}", family.kind.name());
        let mut samples = Samples {
            text: &mut text,
            name,
        };
        (family.write)(view, &mut samples);
    }
    text
}

/// A number in a base unit.
#[derive(Debug, Clone, Copy)]
enum Value {
    Count(u64),
    Seconds(Duration),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Count(count) => write!(f, "{count}"),
            Value::Seconds(duration) => write!(f, "{}", duration.as_secs_f64()),
        }
    }
}

/// The samples of one family.
#[derive(Debug)]
struct Samples<'a> {
    text: &'a mut String,
    name: String,
}

impl Samples<'_> {
    fn count(&mut self, count: u64) {
        self.sample("", &[], Value::Count(count));
    }

    fn seconds(&mut self, duration: Duration) {
        self.sample("", &[], Value::Seconds(duration));
    }

    fn timestamp(&mut self, unix_ms: Option<i64>) {
        let ms = u64::try_from(unix_ms.unwrap_or(0)).unwrap_or(0);
        self.seconds(Duration::from_millis(ms));
    }

    fn labelled<V: AsRef<str>>(
        &mut self,
        labels: impl IntoIterator<Item = (&'static str, V)>,
        value: Value,
    ) {
        let labels: Vec<(&str, V)> = labels.into_iter().collect();
        let labels: Vec<(&str, &str)> = labels.iter().map(|(n, v)| (*n, v.as_ref())).collect();
        self.sample("", &labels, value);
    }

    /// Nothing where the system says nothing.
    fn process(&mut self, view: &View, read: impl Fn(&Process) -> Value) {
        if let Some(process) = &view.process {
            self.sample("", &[], read(process));
        }
    }

    /// `classes`: each upper bound with how many values are at most that.
    fn histogram(&mut self, classes: impl Iterator<Item = (Value, u64)>, count: u64, sum: Value) {
        for (bound, at_most) in classes {
            let bound = bound.to_string();
            self.sample("_bucket", &[("le", &bound)], Value::Count(at_most));
        }
        self.sample("_bucket", &[("le", "+Inf")], Value::Count(count));
        self.sample("_sum", &[], sum);
        self.sample("_count", &[], Value::Count(count));
    }

    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: Value) {
        let _ = write!(self.text, "{}{suffix}", self.name);
        for (position, (name, label)) in labels.iter().enumerate() {
            self.text.push(if position == 0 { '{' } else { ',' });
            let _ = write!(self.text, "{name}=\"");
            push_label(self.text, label);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

/// A label's value: backslash, quote and line feed are escaped.
fn push_label(text: &mut String, label: &str) {
    for character in label.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(write: impl FnOnce(&mut Samples<'_>)) -> String {
        let mut text = String::new();
        let name = "x".to_owned();
        write(&mut Samples {
            text: &mut text,
            name,
        });
        text
    }

    #[test]
    fn what_a_peer_says_cannot_end_a_label_or_a_line() {
        let value = Value::Count(1);
        let text = samples(|out| out.labelled([("code", "a\\b\"} 2\nx 3")], value));
        assert_eq!(text, "x{code=\"a\\\\b\\\"} 2\\nx 3\"} 1\n");
        let text = samples(|out| out.labelled([("a", "1"), ("b", "2")], value));
        assert_eq!(text, "x{a=\"1\",b=\"2\"} 1\n");
    }

    #[test]
    fn numbers_are_in_base_units_and_never_in_powers() {
        let text = samples(|out| {
            out.count(u64::MAX);
            out.seconds(Duration::from_micros(1));
            out.seconds(Duration::from_secs(86_400 * 365));
            out.timestamp(Some(1_795_504_328_123));
            out.timestamp(None);
            out.timestamp(Some(-1));
        });
        let expected =
            "x 18446744073709551615\nx 0.000001\nx 31536000\nx 1795504328.123\nx 0\nx 0\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn classes_of_a_histogram_end_with_all() {
        let classes = [(Value::Seconds(Duration::from_millis(5)), 2)].into_iter();
        let sum = Value::Seconds(Duration::from_millis(1500));
        let text = samples(|out| out.histogram(classes, 3, sum));
        let expected = "x_bucket{le=\"0.005\"} 2\nx_bucket{le=\"+Inf\"} 3\nx_sum 1.5\nx_count 3\n";
        assert_eq!(text, expected);
    }
}
