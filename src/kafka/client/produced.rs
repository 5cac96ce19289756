//! What becomes of the batches that a broker answers for.
//!
//! A code is looked up in one table (`wire::ErrorCode`); here its action is carried out. An answer that lacks what was asked
//! poisons the connection, whose batches are then of unknown fate.

use std::time::Instant;

use super::event::{DeliveryError, Event, FatalError};
use super::partition::{BatchId, GivenUp};
use super::session::{SentBatch, SessionError};
use super::trouble::Reason;
use super::{Client, Phase};
use crate::foreign::shown;
use crate::kafka::wire::error_code::ProduceAction;
use crate::kafka::wire::message::{ProduceResponse, ProducedPartition};

impl Client {
    pub(super) fn handle_produced(
        &mut self,
        node: i32,
        sent: Vec<SentBatch>,
        response: ProduceResponse,
        now: Instant,
    ) -> Result<(), SessionError> {
        for endpoint in &response.node_endpoints {
            self.learn(endpoint.node_id, &endpoint.host, endpoint.port);
        }
        let mut answered: Vec<ProducedPartition> = response
            .topics
            .into_iter()
            .filter(|topic| topic.name == self.config.topic)
            .flat_map(|topic| topic.partitions)
            .collect();
        let mut missing = None;
        for (slot, id) in sent {
            if self.phase == Phase::Closed {
                break;
            }
            let Some(index) = self.partitions.get(slot).map(|partition| partition.index) else {
                continue;
            };
            if let Some(position) = answered
                .iter()
                .position(|partition| partition.index == index)
            {
                self.handle_outcome(node, slot, id, answered.swap_remove(position), now);
            } else {
                missing = Some(index);
                self.unanswered(slot, id, now);
            }
        }
        match missing {
            None => Ok(()),
            Some(index) => Err(SessionError::Broken(format!(
                "its answer lacks partition {index}, which was asked for"
            ))),
        }
    }

    fn handle_outcome(
        &mut self,
        node: i32,
        slot: usize,
        id: BatchId,
        outcome: ProducedPartition,
        now: Instant,
    ) {
        let code = outcome.error;
        let open = code.may_have_been_written();
        let Some(partition) = self.partitions.get_mut(slot) else {
            return;
        };
        let given_up = match code.produce_action() {
            ProduceAction::Acknowledged | ProduceAction::Duplicate => {
                return self.acknowledge(slot, id, now);
            }
            ProduceAction::Fatal => {
                partition.retry(id, open, now, &mut self.rng);
                let request = "Produce";
                return self.fail(FatalError::Refused { request, code });
            }
            ProduceAction::Retry => {
                partition.retry(id, open, now, &mut self.rng);
                None
            }
            ProduceAction::RetryAfterRefresh => {
                partition.retry(id, open, now, &mut self.rng);
                self.left_leader(slot, node, outcome.current_leader);
                None
            }
            ProduceAction::Rebootstrap => {
                partition.retry(id, open, now, &mut self.rng);
                self.rebootstrap(now);
                None
            }
            ProduceAction::OutOfOrder | ProduceAction::UnknownProducerId => {
                partition.out_of_order(id, now, &mut self.rng)
            }
            ProduceAction::BumpEpoch => partition.epoch_refused(id, now, &mut self.rng),
            ProduceAction::NewProducerId => partition.identity_refused(id, now, &mut self.rng),
            ProduceAction::Split => {
                self.too_large_at = Some(now);
                partition.split(id, &mut self.rules, &mut self.memory)
            }
            ProduceAction::FailBatch => partition.fail(id, open),
        };
        match given_up {
            Some(given_up) => self.refused(given_up, outcome),
            None => self.tries_again(slot, &outcome, now),
        }
    }

    /// `node` does not lead the partition any more. Unless its answer says who does (KIP-951), the partition waits for
    /// metadata. Only a newer epoch spares the backoff: two brokers that each name the other would be asked in turn without end.
    fn left_leader(&mut self, slot: usize, node: i32, told: Option<(i32, i32)>) {
        let Some(partition) = self.partitions.get_mut(slot) else {
            return;
        };
        if let Some((leader, epoch)) = told
            && leader != node
            && self.cluster.node(leader).is_some()
            && (epoch > partition.leader_epoch || partition.leader == Some(leader))
        {
            return partition.follow(leader, epoch);
        }
        if partition.leader == Some(node) {
            partition.leader = None;
        }
        self.cluster.refresh.want();
    }

    /// A code that is not the end of its batch is worth a line; one that fails records is told with them.
    fn tries_again(&mut self, slot: usize, outcome: &ProducedPartition, now: Instant) {
        let mut told = outcome.error.to_string();
        if let Some(theirs) = &outcome.error_message {
            told.push_str(": ");
            told.push_str(&shown(theirs));
        }
        let message = format!("partition {}: {told}; trying again", outcome.index);
        self.warn(outcome.error.to_string(), message);
        if let Some(partition) = self.partitions.get_mut(slot) {
            partition.troubled(Some(Reason::words(told, now)), now);
        }
    }

    fn refused(&mut self, given_up: GivenUp, outcome: ProducedPartition) {
        let (records, _) = given_up.batch.finish(&mut self.memory);
        let first_words = outcome
            .record_errors
            .into_iter()
            .find_map(|record| record.message);
        let (partition, code) = (outcome.index, outcome.error);
        let message = outcome.error_message.or(first_words).as_deref().map(shown);
        let error = if given_up.may_be_written {
            DeliveryError::OutcomeUnknown {
                partition,
                code,
                message,
            }
        } else {
            DeliveryError::Refused {
                partition,
                code,
                message,
            }
        };
        self.events.push_back(Event::Failed { records, error });
    }

    pub(super) fn acknowledge(&mut self, slot: usize, id: BatchId, now: Instant) {
        let Some(partition) = self.partitions.get_mut(slot) else {
            return;
        };
        let Some((batch, recovery)) = partition.acknowledge(id, now) else {
            return;
        };
        let (records, due) = batch.finish(&mut self.memory);
        self.events.push_back(Event::Acknowledged { records, due });
        if let Some(recovery) = recovery {
            self.events.push_back(Event::Recovered {
                partition: partition.index,
                after: recovery.after,
                waited: recovery.waited,
                failed: recovery.failed,
            });
        }
    }

    pub(super) fn unanswered(&mut self, slot: usize, id: BatchId, now: Instant) {
        if let Some(partition) = self.partitions.get_mut(slot) {
            partition.retry(id, true, now, &mut self.rng);
        }
    }
}
