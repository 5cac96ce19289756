//! Which batches go out together: the next requests, filled.
//!
//! A partition says when its batch may be sent; here it gets a place in a request to the partition's leader, if there is room for
//! another request. What has lingered for half its time goes along with what leaves anyway, so that partitions whose batches were
//! begun one after the other do not each cost a request of their own. Nothing goes out behind the rules of `partition`.

use std::sync::Arc;
use std::time::Instant;

use super::drive::timeout_ms;
use super::event::{Action, ConnectionId, DeliveryError, Event};
use super::partition::{Moment, Poll};
use super::session::SentBatch;
use super::{Client, Phase};
use crate::kafka::wire::message::{PartitionBatch, ProduceRequest};

/// How long a request may grow, batches included: past it the next batch waits for the next request. A broker takes 100 MiB
/// (`socket.request.max.bytes`).
const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A request that is being filled.
#[derive(Default)]
struct Filling {
    partitions: Vec<PartitionBatch>,
    sent: Vec<SentBatch>,
    batches: Vec<Arc<Vec<u8>>>,
    bytes: usize,
}

impl Filling {
    fn is_full(&self) -> bool {
        self.bytes >= REQUEST_BYTES_MAX
    }
}

impl Client {
    /// Sends what may be sent, to every broker that has room for another request.
    pub(super) fn produce(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Running | Phase::Closing { .. }) {
            return;
        }
        let ready: Vec<(ConnectionId, i32)> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.node >= 0 && session.is_usable(now))
            .map(|(&connection, session)| (connection, session.node))
            .collect();
        for (connection, node) in ready {
            while self.has_room(connection) && self.produce_one(connection, node, now) {}
        }
    }

    fn has_room(&self, connection: ConnectionId) -> bool {
        self.sessions
            .get(&connection)
            .is_some_and(|session| session.produce_in_flight() < self.config.max_in_flight)
    }

    /// One request with at most one batch of each partition that the node leads. `false` if there is nothing to send.
    fn produce_one(&mut self, connection: ConnectionId, node: i32, now: Instant) -> bool {
        let moment = Moment {
            now,
            connection,
            flush: self.refused_bytes.is_some() || matches!(self.phase, Phase::Closing { .. }),
            identity: self.identity.current,
        };
        let mut request = Filling::default();
        let mut lingering: Vec<(usize, Instant)> = Vec::new();
        let (first, count) = (self.first_partition, self.partitions.len());
        for slot in (0..count).map(|n| (first + n) % count) {
            if let Some(until) = self.fill(&mut request, slot, node, &moment) {
                lingering.push((slot, until));
            }
            if request.is_full() {
                self.first_partition = slot + 1;
                break;
            }
        }
        self.take_along(&mut request, lingering, node, moment);
        self.send(connection, request, now)
    }

    /// Fills in what lingers, if it has done so for half its time and a request leaves anyway.
    fn take_along(
        &mut self,
        request: &mut Filling,
        lingering: Vec<(usize, Instant)>,
        node: i32,
        moment: Moment,
    ) {
        let half = moment.now + self.rules.linger / 2;
        let at_once = Moment {
            flush: true,
            ..moment
        };
        for (slot, until) in lingering {
            if !request.sent.is_empty() && until <= half && !request.is_full() {
                self.fill(request, slot, node, &at_once);
            } else {
                self.wake(until);
            }
        }
    }

    /// Fills in the partition's next batch, if the node leads it and there is one. Returns until when it lingers, if it does.
    fn fill(
        &mut self,
        request: &mut Filling,
        slot: usize,
        node: i32,
        moment: &Moment,
    ) -> Option<Instant> {
        let partition = self
            .partitions
            .get_mut(slot)
            .filter(|p| p.leader == Some(node))?;
        match partition.poll_send(moment, &self.rules, &mut self.memory) {
            Poll::Send(id, bytes) => {
                request.bytes += bytes.len();
                request.partitions.push(PartitionBatch {
                    index: partition.index,
                    batch_bytes: bytes.len(),
                });
                request.sent.push((slot, id));
                request.batches.push(bytes);
                self.sticky.batch_left(slot);
            }
            Poll::Linger(until) => return Some(until),
            Poll::Wait(Some(at)) => self.wake(at),
            Poll::Wait(None) => {}
            Poll::Exhausted(spent) => {
                let current = self.identity.current;
                if current.is_some_and(|current| current.id == spent.id) {
                    self.identity.current = None;
                }
                self.dirty = true;
            }
            Poll::Unsealable(records, error) => self.unsealable(records, &error),
            Poll::Overtaken(records) => {
                let partition = partition.index;
                let error = DeliveryError::Overtaken { partition };
                self.events.push_back(Event::Failed { records, error });
                self.dirty = true;
            }
        }
        None
    }

    fn send(&mut self, connection: ConnectionId, filled: Filling, now: Instant) -> bool {
        let Filling {
            partitions,
            sent,
            batches,
            ..
        } = filled;
        if sent.is_empty() {
            return false;
        }
        let request = ProduceRequest {
            acks: self.config.acks.code(),
            timeout_ms: timeout_ms(self.config.request_timeout),
            topic: &self.config.topic,
            partitions: &partitions,
        };
        let Some(session) = self.sessions.get_mut(&connection) else {
            return false;
        };
        let Some(frame) = session.produce(&request, sent, batches, now) else {
            return false;
        };
        self.actions.push_back(Action::Send { connection, frame });
        true
    }
}
