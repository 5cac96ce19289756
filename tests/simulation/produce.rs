//! Produce, as a leader carries it out.
//!
//! Each partition's batch is judged by itself, before the write by what is injected and by its sequence, and afterwards by the
//! replicas: with `acks=all` the answer waits in the purgatory until the high watermark has passed the batch, the leader has
//! lost its office, or the time is over (Kafka's `DelayedProduce`). Invariant: an answer without an error means what `acks` says.

use continuous_producer::kafka::client::ConnectionId;
use kafka_protocol::messages::{BrokerId, ProduceRequest, ProduceResponse, produce_response::*};
use kafka_protocol::protocol::{Decodable, StrBytes};
use kafka_protocol::records::{Record, RecordBatchDecoder};

use crate::broker::{Request, topic_name};
use crate::cluster::PartitionId;
use crate::faults::REFUSALS;
use crate::partition::{Stamp, Verdict};
use crate::plan::TOPIC;
use crate::time::MS;
use crate::world::{Happening, World};

/// A Produce request whose answer has to wait.
#[derive(Debug)]
pub(crate) struct Waiting {
    request: Request,
    slot: u64,
    parts: Vec<Part>,
}

/// What is known of one partition's batch.
#[derive(Debug)]
struct Part {
    index: i32,
    outcome: Outcome,
    /// What the answer says instead, once the batch is written.
    afterwards: Option<i16>,
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Done(i16),
    /// Written by the leader of `epoch`; fine when so many batches are held by all replicas in sync.
    Written {
        id: PartitionId,
        epoch: i32,
        end: usize,
    },
    /// Written by a leader that is none any more: it waits until it learns that.
    Futile,
}

/// A batch as it was sent.
pub(crate) struct Batch {
    pub(crate) numbers: Vec<u64>,
    pub(crate) stamp: Option<Stamp>,
}

impl Batch {
    pub(crate) fn read(mut bytes: bytes::Bytes) -> Self {
        let records = RecordBatchDecoder::decode(&mut bytes).unwrap().records;
        let number = |record: &Record| {
            let value = record.value.as_ref().unwrap();
            u64::from_be_bytes(value[..8].try_into().unwrap())
        };
        let (first, last) = (records.first().unwrap(), records.last().unwrap());
        let stamp = (first.producer_id >= 0).then_some(Stamp {
            producer_id: first.producer_id,
            epoch: first.producer_epoch,
            first: first.sequence,
            last: last.sequence,
        });
        Self {
            numbers: records.iter().map(number).collect(),
            stamp,
        }
    }
}

impl World {
    pub(crate) fn produce(&mut self, request: &Request) {
        let asked = ProduceRequest::decode(&mut request.body.clone(), request.version).unwrap();
        assert_eq!(asked.transactional_id, None);
        assert_eq!(asked.acks, self.plan.client.acks.code());
        assert_eq!(asked.topic_data.len(), 1, "topics of a request");
        assert_eq!(asked.topic_data[0].name.as_str(), TOPIC);
        let mut parts: Vec<Part> = Vec::new();
        for data in &asked.topic_data[0].partition_data {
            assert!(
                parts.iter().all(|part| part.index != data.index),
                "a partition twice"
            );
            let batch = Batch::read(data.records.clone().unwrap());
            let part = self.one(request, asked.acks, data.index, &batch);
            parts.push(part);
        }
        let waiting = Waiting {
            request: Request {
                body: bytes::Bytes::new(),
                ..*request
            },
            slot: 0,
            parts,
        };
        if asked.acks == 0 {
            if waiting
                .parts
                .iter()
                .any(|part| !matches!(part.outcome, Outcome::Done(0)))
            {
                self.cut(request.connection, "acks=0 and an error");
            }
            return;
        }
        let slot = self.owe(request.connection);
        let id = self.cluster.next_waiting;
        self.cluster.next_waiting += 1;
        self.cluster.waiting.insert(id, Waiting { slot, ..waiting });
        let timeout = u64::from(asked.timeout_ms.unsigned_abs()) * MS;
        self.after(timeout, Happening::TimeOut(id));
        self.settle_waiting();
    }

    fn one(&mut self, request: &Request, acks: i16, index: i32, batch: &Batch) -> Part {
        let (outcome, afterwards) = self.outcome(request, acks, index, batch);
        if let Outcome::Done(code) = outcome {
            let denied = matches!(code, 45 | 47 | 49 | 59);
            if denied {
                self.wire.denied(index);
            }
            if denied || code == 10 || REFUSALS.contains(&code) {
                self.check.refusable(code, batch.numbers.len());
            }
        }
        self.note(|| {
            let (first, last) = (batch.numbers.first(), batch.numbers.last());
            format!(
                "  {index}: records {first:?} to {last:?}, {:?}: {outcome:?}, then {afterwards:?}",
                batch.stamp
            )
        });
        Part {
            index,
            outcome,
            afterwards,
        }
    }

    fn outcome(
        &mut self,
        request: &Request,
        acks: i16,
        index: i32,
        batch: &Batch,
    ) -> (Outcome, Option<i16>) {
        let slot = usize::try_from(index).unwrap();
        let node = request.node;
        let view = std::rc::Rc::clone(&self.cluster.nodes[&node].view);
        let believed = view.leaders.get(slot).copied();
        let (Some(topic), Some((leader, epoch))) = (view.topic, believed) else {
            return (Outcome::Done(3), None);
        };
        if leader != Some(node) {
            return (Outcome::Done(6), None);
        }
        let id = PartitionId { topic, index: slot };
        if let Some(code) = self.injected(id, batch) {
            return (Outcome::Done(code), None);
        }
        let min_isr = self.cluster.min_isr;
        let partition = self.cluster.partition(id);
        if partition.leader != Some(node) || partition.epoch != epoch {
            self.count("written by an old leader");
            if acks == -1 {
                return (self.written_astray(node, id, batch), None);
            }
            self.check.lose(&batch.numbers);
            return (Outcome::Done(0), None);
        }
        if acks == -1 && partition.isr.len() < min_isr {
            self.count("below min ISR");
            return (Outcome::Done(19), None);
        }
        let (now, rules) = (self.now, self.plan.judgement);
        let verdict = batch.stamp.map_or(Verdict::Append, |stamp| {
            let partition = self.cluster.partition(id);
            if partition.forgets(stamp.producer_id, rules, now) {
                self.count("producer expired");
            }
            self.cluster.partition(id).judge(stamp, rules)
        });
        let end = match verdict {
            Verdict::Refuse(code) => {
                self.count(match code {
                    45 => "out of order",
                    46 => "old duplicate",
                    47 => "old epoch",
                    _ => "unknown producer",
                });
                return (Outcome::Done(code), None);
            }
            Verdict::Duplicate(end) => {
                self.count("duplicate recognised");
                end
            }
            Verdict::Append => self.append(id, batch),
        };
        let mut afterwards = self.faults.codes_after_write.pop();
        if afterwards.is_some() {
            self.count("code after the write");
        } else if rules.says_duplicate && verdict == Verdict::Duplicate(end) {
            afterwards = Some(46);
        }
        if acks != -1 {
            return (Outcome::Done(afterwards.unwrap_or(0)), None);
        }
        (Outcome::Written { id, epoch, end }, afterwards)
    }

    /// What a leader makes of a batch that is none any more, and does not know it: it judges by its own log, and waits for
    /// replicas that do not follow it.
    fn written_astray(&mut self, node: i32, id: PartitionId, batch: &Batch) -> Outcome {
        let rules = self.plan.judgement;
        let partition = self.cluster.partition(id);
        let verdict = batch.stamp.map_or(Verdict::Append, |stamp| {
            partition.judge_astray(node, stamp, rules)
        });
        match verdict {
            Verdict::Refuse(code) => {
                self.count("refused by an old leader");
                Outcome::Done(code)
            }
            Verdict::Duplicate(end) if end <= partition.high_watermark => Outcome::Done(0),
            Verdict::Duplicate(_) | Verdict::Append => Outcome::Futile,
        }
    }

    fn append(&mut self, id: PartitionId, batch: &Batch) -> usize {
        if batch
            .stamp
            .is_some_and(|stamp| stamp.epoch > self.plan.first_epoch)
        {
            self.count("written in a later epoch");
        }
        let now = self.now;
        let partition = self.cluster.partition(id);
        let before = partition.last_number();
        let last_producer = partition.last_producer();
        let end = partition.append(batch.numbers.clone(), batch.stamp, now);
        let producer = batch.stamp.map(|stamp| stamp.producer_id);
        let fenced = producer >= last_producer;
        self.check.written(id, before, &batch.numbers, fenced);
        self.replicate(id);
        end
    }

    /// An error that is injected before the write. Codes that say that a batch is not there come only when it is not.
    fn injected(&mut self, id: PartitionId, batch: &Batch) -> Option<i16> {
        let &code = self.faults.codes_before_write.last()?;
        let denies = matches!(code, 45 | 47 | 49 | 59);
        let there = batch
            .numbers
            .iter()
            .any(|&number| self.check.is_live(number));
        let sequenced = batch.stamp.is_some();
        let leads = self.cluster.topics[id.topic].partitions[id.index]
            .leader
            .is_some();
        if denies && (there || !sequenced || !leads) {
            return None;
        }
        self.faults.codes_before_write.pop();
        Some(code)
    }

    /// Answers what can be answered.
    pub(crate) fn settle_waiting(&mut self) {
        let ids: Vec<u64> = self.cluster.waiting.keys().copied().collect();
        for id in ids {
            self.settle_one(id, false);
        }
    }

    pub(crate) fn settle_one(&mut self, id: u64, late: bool) {
        let Some(mut waiting) = self.cluster.waiting.remove(&id) else {
            return;
        };
        let node = waiting.request.node;
        match self.cluster.nodes.get(&node) {
            Some(node) if node.works() => {}
            // A broker that is stopped answers when it goes on; a dead one never.
            Some(node) if node.is_alive() => {
                self.cluster.waiting.insert(id, waiting);
                if late {
                    self.after(500 * MS, Happening::TimeOut(id));
                }
                return;
            }
            _ => return,
        }
        for part in &mut waiting.parts {
            self.look_again(node, part);
            if late && !matches!(part.outcome, Outcome::Done(_)) {
                part.outcome = Outcome::Done(7);
            }
        }
        if waiting
            .parts
            .iter()
            .all(|part| matches!(part.outcome, Outcome::Done(_)))
        {
            self.answer_produce(&waiting);
        } else {
            self.cluster.waiting.insert(id, waiting);
        }
    }

    fn look_again(&mut self, node: i32, part: &mut Part) {
        let slot = usize::try_from(part.index).unwrap();
        let view = &self.cluster.nodes[&node].view;
        let believes = view
            .leaders
            .get(slot)
            .is_some_and(|&(leader, _)| leader == Some(node));
        let deposed = if view.topic.is_none() { 3 } else { 6 };
        match part.outcome {
            Outcome::Done(_) => {}
            Outcome::Futile => {
                if !believes {
                    part.outcome = Outcome::Done(deposed);
                }
            }
            Outcome::Written { id, epoch, end } => {
                let min_isr = self.cluster.min_isr;
                let partition = self.cluster.partition(id);
                if partition.leader != Some(node) || partition.epoch != epoch {
                    let outcome = if believes {
                        Outcome::Futile
                    } else {
                        Outcome::Done(deposed)
                    };
                    part.outcome = outcome;
                } else if partition.high_watermark >= end {
                    let code = if partition.isr.len() < min_isr { 20 } else { 0 };
                    part.outcome = Outcome::Done(part.afterwards.unwrap_or(code));
                }
            }
        }
    }

    fn answer_produce(&mut self, waiting: &Waiting) {
        let request = &waiting.request;
        let view = std::rc::Rc::clone(&self.cluster.nodes[&request.node].view);
        let hints = request.version >= 10;
        let part = |part: &Part| {
            let Outcome::Done(code) = part.outcome else {
                unreachable!("all are done");
            };
            let response = PartitionProduceResponse::default()
                .with_index(part.index)
                .with_error_code(code)
                .with_base_offset(if code == 0 { 0 } else { -1 });
            let slot = usize::try_from(part.index).unwrap();
            match view.leaders.get(slot) {
                Some(&(Some(leader), epoch)) if hints && code == 6 => response.with_current_leader(
                    LeaderIdAndEpoch::default()
                        .with_leader_id(BrokerId(leader))
                        .with_leader_epoch(epoch),
                ),
                _ => response,
            }
        };
        let mut parts: Vec<PartitionProduceResponse> = waiting.parts.iter().map(part).collect();
        if self.faults.partitions_missing > 0 {
            self.faults.partitions_missing -= 1;
            self.count("partition missing in an answer");
            let gone = self.rng.usize(0..parts.len());
            parts.remove(gone);
        }
        let endpoint = |(id, host): &(i32, String)| {
            NodeEndpoint::default()
                .with_node_id(BrokerId(*id))
                .with_host(StrBytes::from_string(host.clone()))
                .with_port(9092)
        };
        let endpoints = if hints {
            view.brokers.iter().map(endpoint).collect()
        } else {
            Vec::new()
        };
        let response = ProduceResponse::default()
            .with_responses(vec![
                TopicProduceResponse::default()
                    .with_name(topic_name())
                    .with_partition_responses(parts),
            ])
            .with_node_endpoints(endpoints)
            .with_throttle_time_ms(self.throttle());
        let frame = request.answer(request.version, &response);
        let (connection, slot): (ConnectionId, u64) = (request.connection, waiting.slot);
        let answer = self.spoil(frame);
        self.pay(connection, slot, answer);
    }
}
