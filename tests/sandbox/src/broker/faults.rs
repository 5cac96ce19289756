//! The faults that a test orders: what happens to which of the next requests.
//!
//! A [`FaultRule`] waits in a queue until requests match it; the first rule that matches a request is used on it, and
//! a rule that was used as often as it says is gone. Rules only say what shall happen; the connection and the API's
//! handler make it happen. No rule ever applies to a request that came before it was added.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use kafka_protocol::messages::ApiKey;

use crate::net::{lock, wait_until};

/// What happens to a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Answered with this error code; nothing is done. For `ApiVersions`, 35 is answered in version 0 without a list.
    Error(i16),
    /// Done, and yet answered with this error code (as 7 and 20 may be).
    ErrorAfterwards(i16),
    /// Produce only: nothing is appended, this code is answered with these record errors (index, message).
    RecordErrors(i16, Vec<(i32, String)>),
    /// Done and answered with this `throttle_time_ms`.
    Throttle(i32),
    /// Done only after this time.
    Delay(Duration),
    /// Done only when the gate is opened.
    HoldRequest(Gate),
    /// Done at once, answered only when the gate is opened.
    HoldAnswer(Gate),
    /// Nothing is done, the connection is cut.
    DropBefore,
    /// Done, the connection is cut, the answer is lost.
    DropAfter,
    /// Done; only so many bytes of the answer's frame (its length prefix included) are sent, then the connection is cut.
    Truncate(usize),
    /// Nothing is done and nothing is ever answered on this connection; it stays open.
    HangBefore,
    /// Done, and nothing is ever answered on this connection; it stays open.
    HangAfter,
    /// Done; from this place on (in the frame, its length prefix included) these bytes stand in the answer instead of its
    /// own; what does not fit is left out.
    Overwrite(usize, Vec<u8>),
    /// Done and answered under another correlation id.
    WrongCorrelationId,
    /// Nothing is done; these bytes are sent instead of an answer, then the connection is cut.
    Raw(Vec<u8>),
    /// The same, but past TLS: as if somebody on the wire had written them.
    RawBeneathTls(Vec<u8>),
    /// Done; before its answer the server changes its keys (TLS 1.3 `KeyUpdate`).
    UpdateKeys,
    /// Done and answered; then the connection is closed in order, in TLS with a `close_notify`. Every other fault that ends a
    /// connection ends it without one.
    CloseAfter,
}

/// A fault and the requests it is for.
#[derive(Debug, Clone)]
pub struct FaultRule {
    api: ApiKey,
    fault: Fault,
    times: usize,
    after: usize,
    node: Option<i32>,
    partition: Option<i32>,
}

impl FaultRule {
    /// The next request of an API, on any node.
    #[must_use]
    pub fn new(api: ApiKey, fault: Fault) -> Self {
        Self {
            api,
            fault,
            times: 1,
            after: 0,
            node: None,
            partition: None,
        }
    }

    /// The next so many requests.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Lets so many matching requests pass first.
    #[must_use]
    pub fn after(self, requests: usize) -> Self {
        Self {
            after: requests,
            ..self
        }
    }

    /// Requests to this node only.
    #[must_use]
    pub fn node(self, id: i32) -> Self {
        Self {
            node: Some(id),
            ..self
        }
    }

    /// Requests that name this partition only; errors are answered for this partition only.
    #[must_use]
    pub fn partition(self, index: i32) -> Self {
        Self {
            partition: Some(index),
            ..self
        }
    }
}

/// What a request has to suffer.
#[derive(Debug, Clone)]
pub(crate) struct Ordered {
    pub(crate) fault: Fault,
    partition: Option<i32>,
}

impl Ordered {
    /// The error to answer instead of doing anything.
    pub(crate) fn error(&self, partition: i32) -> Option<i16> {
        match self.fault {
            Fault::Error(code) | Fault::RecordErrors(code, _) if self.concerns(partition) => {
                Some(code)
            }
            _ => None,
        }
    }

    /// The error to answer although it was done.
    pub(crate) fn error_afterwards(&self, partition: i32) -> Option<i16> {
        match self.fault {
            Fault::ErrorAfterwards(code) if self.concerns(partition) => Some(code),
            _ => None,
        }
    }

    /// The error of an answer that is not about a partition.
    pub(crate) fn whole_error(&self) -> Option<i16> {
        match self.fault {
            Fault::Error(code) | Fault::ErrorAfterwards(code) if self.partition.is_none() => {
                Some(code)
            }
            _ => None,
        }
    }

    fn concerns(&self, partition: i32) -> bool {
        self.partition.is_none_or(|only| only == partition)
    }
}

/// The rules that wait for requests.
#[derive(Debug, Default)]
pub(crate) struct Faults(VecDeque<FaultRule>);

impl Faults {
    pub(crate) fn add(&mut self, rule: FaultRule) {
        if rule.times > 0 {
            self.0.push_back(rule);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn pending(&self, api: ApiKey) -> usize {
        self.0
            .iter()
            .filter(|rule| rule.api == api)
            .map(|rule| rule.times)
            .sum()
    }

    /// The fault for a request, if there is one, taken from its rule.
    pub(crate) fn take(&mut self, api: ApiKey, node: i32, partitions: &[i32]) -> Option<Ordered> {
        let mut used = None;
        for (place, rule) in self.0.iter_mut().enumerate() {
            let matches = rule.api == api
                && rule.node.is_none_or(|only| only == node)
                && rule.partition.is_none_or(|only| partitions.contains(&only));
            if !matches {
                continue;
            }
            if rule.after > 0 {
                rule.after -= 1;
                continue;
            }
            rule.times -= 1;
            used = Some((
                place,
                rule.times,
                Ordered {
                    fault: rule.fault.clone(),
                    partition: rule.partition,
                },
            ));
            break;
        }
        let (place, left, ordered) = used?;
        if left == 0 {
            self.0.remove(place);
        }
        Some(ordered)
    }
}

/// Holds requests back until a test opens it. Dropping the last copy that the test has does not open it.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<GateInner>);

#[derive(Debug, Default)]
struct GateInner {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct GateState {
    open: bool,
    arrived: usize,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everybody pass, from now on.
    pub fn open(&self) {
        lock(&self.0.state).open = true;
        self.0.changed.notify_all();
    }

    /// Waits until so many requests have come to the gate; returns whether they have.
    pub fn wait_arrived(&self, requests: usize, timeout: Duration) -> bool {
        wait_until(lock(&self.0.state), &self.0.changed, timeout, |state| {
            state.arrived >= requests
        })
        .1
    }

    pub(crate) fn pass(&self) {
        let mut state = lock(&self.0.state);
        state.arrived += 1;
        self.0.changed.notify_all();
        while !state.open {
            state = self
                .0
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_used_as_often_as_it_says_after_what_it_lets_pass() {
        let mut faults = Faults::default();
        faults.add(
            FaultRule::new(ApiKey::Produce, Fault::Error(6))
                .after(1)
                .times(2),
        );
        let hits: Vec<bool> = (0..4)
            .map(|_| faults.take(ApiKey::Produce, 1, &[0]).is_some())
            .collect();
        assert_eq!(hits, [false, true, true, false]);
    }

    #[test]
    fn a_rule_leaves_other_apis_nodes_and_partitions_alone() {
        let mut faults = Faults::default();
        faults.add(
            FaultRule::new(ApiKey::Produce, Fault::Error(6))
                .node(2)
                .partition(1),
        );
        assert!(faults.take(ApiKey::Metadata, 2, &[1]).is_none());
        assert!(faults.take(ApiKey::Produce, 1, &[1]).is_none());
        assert!(faults.take(ApiKey::Produce, 2, &[0, 2]).is_none());
        let ordered = faults.take(ApiKey::Produce, 2, &[0, 1]).unwrap();
        assert_eq!((ordered.error(0), ordered.error(1)), (None, Some(6)));
        assert_eq!(faults.pending(ApiKey::Produce), 0);
    }
}
