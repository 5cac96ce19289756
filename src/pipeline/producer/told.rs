//! What the producer thread tells: what has become of records, for the books; what went wrong, for the log; and how it stands, for
//! whoever asks.
//!
//! Nothing here decides what is done next.

use std::time::Instant;

use super::{Inside, Producer, Question};
use crate::kafka::client::{DeliveryError, Event};
use crate::pipeline::shutdown::StopReason;
use crate::report::failures::{Failure, UNANSWERED};
use crate::report::log::tell;
use crate::report::text;
use crate::report::time::now_ms;

impl Producer {
    pub(super) fn tell(&mut self, event: Event, now: Instant) {
        let (stats, errors) = (&self.inputs.stats, &self.inputs.errors);
        match event {
            Event::Ready { partitions } => {
                self.is_ready = true;
                // Whoever waited may have gone since: then a stop is under way.
                let _ = self.inputs.ready.send(partitions);
            }
            Event::Acknowledged { records, due } => {
                stats.add_acknowledged(records as u64, now, now_ms());
                stats.record_runs(due.iter().map(|&(due, count)| {
                    let latency = now.saturating_duration_since(due);
                    (
                        u64::try_from(latency.as_micros()).unwrap_or(u64::MAX),
                        u64::from(count),
                    )
                }));
                self.client.take_back(due);
            }
            Event::Failed { records, error } => {
                stats.add_failed(records as u64, failure(&error));
                errors.report(
                    log::Level::Error,
                    &error.trouble(),
                    &format!("{} failed: {error}", text::records(records as u64)),
                );
            }
            Event::Abandoned { unsent, unanswered } => {
                self.outcome.unsent += unsent as u64;
                if unanswered > 0 {
                    stats.add_failed(unanswered as u64, unanswered_failure());
                    let message = format!(
                        "{} sent and not acknowledged before the end",
                        text::records(unanswered as u64)
                    );
                    errors.report(log::Level::Error, "unanswered", &message);
                }
            }
            Event::Recovered {
                partition,
                after,
                waited,
                failed,
            } => {
                let (waited, failed) = (waited as u64, failed as u64);
                self.recoveries.note(partition, after, waited, failed, now);
            }
            Event::Warning { kind, message } => {
                errors.report(log::Level::Warn, &kind, &message);
            }
            Event::Fatal(error) => {
                self.inputs.stop.stop(StopReason::Failed);
                self.outcome.fatal = Some(error);
            }
        }
    }

    pub(super) fn tell_recoveries(&mut self, now: Instant) {
        if let Some((event, line)) = self.recoveries.take(&self.inputs.config.topic, now) {
            tell(log::Level::Info, &event, line);
        }
    }

    /// How it stands, to whoever asked.
    pub(super) fn answer(&self, question: &Question) {
        let inside = Inside {
            client: self.client.status(Instant::now()),
            channel_chunks: self.inputs.chunks.len(),
        };
        // Whoever asked may not have waited.
        let _ = question.try_send(inside);
    }
}

fn failure(error: &DeliveryError) -> Failure {
    let code = error.code().map(|code| match code.name() {
        Some(name) => name.to_owned(),
        None => code.0.to_string(),
    });
    Failure {
        kind: error.kind(),
        code,
    }
}

fn unanswered_failure() -> Failure {
    Failure {
        kind: UNANSWERED,
        code: None,
    }
}
