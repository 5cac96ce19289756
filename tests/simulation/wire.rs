//! What the client puts on the wire: who sees every request from the client's side knows more than the logs tell.
//!
//! A slip in the order of the resends or in the sequences is mostly healed by the broker's refusal, so that the log is right in the
//! end: here it is seen when it happens. The rules are those of the client's and of the partition's module, and they are checked
//! on what the client can know. Invariant: a batch counts as in flight from its request until the answer or the end of the
//! connection has reached the client.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use continuous_producer::kafka::client::{ConnectionId, DeliveryError};
use continuous_producer::kafka::config::{Acks, ProducerConfig};
use continuous_producer::kafka::wire::frame::RequestFrame;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, CreateTopicsResponse, InitProducerIdResponse, MetadataResponse,
    ProduceRequest, ProduceResponse, ResponseHeader,
};
use kafka_protocol::protocol::Decodable;

use crate::broker::Request;
use crate::partition::Stamp;
use crate::produce::Batch;

/// As many batches of a producer a broker knows.
const WINDOW: usize = 5;
/// How much longer than the link's own limit a connection may take, so that the link can say why.
const CONNECT_GRACE: Duration = Duration::from_millis(500);
/// A broker that asks for longer silence is not believed further than this.
const SILENCE_MAX: Duration = Duration::from_secs(60);
const SASL_AUTHENTICATE: [u8; 2] = [0, 36];
/// `SaslHandshake`, `ApiVersions`, `SaslAuthenticate`: what comes before a connection is of use, and some of it again later.
const SETUP: [[u8; 2]; 3] = [[0, 17], [0, 18], SASL_AUTHENTICATE];
/// Codes that say of a batch that it was not written (`ErrorCode::may_have_been_written`).
const PROOFS: &[i16] = &[
    2, 10, 17, 18, 19, 21, 29, 31, 32, 42, 45, 47, 49, 59, 76, 87,
];

/// See the module.
#[derive(Debug)]
pub(crate) struct Wire {
    idempotence: bool,
    acks: Acks,
    max_in_flight: usize,
    request_timeout: Duration,
    links: BTreeMap<ConnectionId, Link>,
    lanes: BTreeMap<i32, Lane>,
    records: BTreeMap<u64, Known>,
}

#[derive(Debug)]
struct Link {
    /// It is usable by then, or given up.
    usable_by: Instant,
    was_of_use: bool,
    /// It was authenticated, or something was asked beyond versions.
    is_set_up: bool,
    requests: VecDeque<Sent>,
    /// Until when its broker asked for silence: it reads nothing before.
    quiet_until: Option<Instant>,
    /// The partitions of which it has acknowledged a batch.
    confirmed: BTreeSet<i32>,
}

#[derive(Debug)]
struct Sent {
    api: ApiKey,
    correlation: i32,
    version: i16,
    expects_answer: bool,
    at: Instant,
    belongs_to_setup: bool,
    authenticates: bool,
    batch_bytes: usize,
    batches: Vec<(i32, Vec<u64>)>,
}

/// A partition, as the wire tells of it.
#[derive(Debug, Default)]
struct Lane {
    identity: Option<(i64, i16)>,
    /// Whose each sequence of the current epoch is.
    sequences: BTreeMap<i32, u64>,
    /// Records that were sent failed since the epoch began.
    hole: bool,
    /// Something failed, or a broker denied a sequence: then the order of the resends is another.
    disturbed: bool,
    batches_in_flight: usize,
    in_flight: BTreeSet<u64>,
    /// Sent, come back, and not acknowledged.
    waiting: BTreeSet<u64>,
    acknowledged_max: Option<u64>,
}

/// A record that was sent.
#[derive(Debug)]
struct Known {
    partition: i32,
    sequence: Option<(i64, i16, i32)>,
    /// It may have been written: for good, whatever is answered later.
    open: bool,
    confirmed: bool,
}

impl Known {
    fn new(partition: i32) -> Self {
        Self {
            partition,
            sequence: None,
            open: false,
            confirmed: false,
        }
    }
}

/// How a batch's way ended.
#[derive(Debug, Clone, Copy)]
enum End {
    /// All that `acks=0` asks for.
    Written,
    Code(i16),
    Unanswered,
}

impl Wire {
    pub(crate) fn new(config: &ProducerConfig) -> Self {
        Self {
            idempotence: config.idempotence,
            acks: config.acks,
            max_in_flight: config.max_in_flight,
            request_timeout: config.request_timeout,
            links: BTreeMap::new(),
            lanes: BTreeMap::new(),
            records: BTreeMap::new(),
        }
    }

    pub(crate) fn begun(&mut self, connection: ConnectionId, usable_by: Instant) {
        let link = Link {
            usable_by: usable_by + CONNECT_GRACE,
            was_of_use: false,
            is_set_up: false,
            requests: VecDeque::new(),
            quiet_until: None,
            confirmed: BTreeSet::new(),
        };
        self.links.insert(connection, link);
    }

    /// A request goes out; `bytes` are the frame's.
    pub(crate) fn sent(
        &mut self,
        connection: ConnectionId,
        frame: &RequestFrame,
        bytes: &[u8],
        now: Instant,
    ) {
        let mut batches = Vec::new();
        let version = i16::from_be_bytes([bytes[6], bytes[7]]);
        if !frame.batches.is_empty() {
            let mut request = Request::read(connection, 0, bytes);
            let asked = ProduceRequest::decode(&mut request.body, request.version).unwrap();
            for data in &asked.topic_data[0].partition_data {
                let batch = Batch::read(data.records.clone().unwrap());
                self.batch_sent(connection, data.index, &batch);
                batches.push((data.index, batch.numbers));
            }
        }
        let link = self.links.get_mut(&connection).unwrap();
        let is_setup = SETUP.iter().any(|api| bytes[4..6] == *api);
        let authenticates = bytes[4..6] == SASL_AUTHENTICATE;
        link.is_set_up |= !is_setup;
        let api = ApiKey::try_from(i16::from_be_bytes([bytes[4], bytes[5]])).unwrap();
        link.requests.push_back(Sent {
            api,
            correlation: frame.correlation_id,
            version,
            expects_answer: batches.is_empty() || self.acks != Acks::None,
            at: now,
            belongs_to_setup: is_setup && !link.is_set_up,
            authenticates,
            batch_bytes: frame.batches.iter().map(|batch| batch.len()).sum(),
            batches,
        });
        let produce = link.requests.iter().filter(|sent| !sent.batches.is_empty());
        assert!(
            produce.count() <= self.max_in_flight,
            "more requests in flight than allowed on #{connection}"
        );
    }

    fn batch_sent(&mut self, connection: ConnectionId, partition: i32, batch: &Batch) {
        let lane = self.lanes.entry(partition).or_default();
        let first = batch.numbers[0];
        let again = self.records.contains_key(&first);
        let ahead = lane.waiting.range(..first).next();
        assert!(
            lane.disturbed || ahead.is_none(),
            "record {first} goes out although record {ahead:?} waits for a retry"
        );
        let behind = lane.in_flight.range(first..).next();
        assert!(
            behind.is_none(),
            "record {first} goes out, again: {again}, although record {behind:?} is on its way"
        );
        if self.idempotence {
            let open = lane.in_flight.iter().find(|n| self.records[n].open);
            assert!(
                open.is_none(),
                "record {first} goes out behind record {open:?}, which may have been written"
            );
            let confirmed = self.links[&connection].confirmed.contains(&partition);
            let window = if confirmed { WINDOW } else { 1 };
            assert!(
                lane.batches_in_flight < window,
                "record {first} goes out behind {} batches in flight, {window} are allowed",
                lane.batches_in_flight
            );
        }
        for number in &batch.numbers {
            lane.waiting.remove(number);
        }
        lane.in_flight.extend(&batch.numbers);
        lane.batches_in_flight += 1;
        assert_eq!(self.idempotence, batch.stamp.is_some(), "a batch's stamp");
        if let Some(stamp) = batch.stamp {
            self.stamped(partition, stamp, batch);
        }
        for &number in &batch.numbers {
            let known = self.records.entry(number).or_insert(Known::new(partition));
            assert_eq!(known.partition, partition, "of record {number}");
        }
    }

    /// A sequence belongs to one record, and a record of open fate keeps its sequence.
    fn stamped(&mut self, partition: i32, stamp: Stamp, batch: &Batch) {
        let lane = self.lanes.entry(partition).or_default();
        let identity = (stamp.producer_id, stamp.epoch);
        if lane.identity != Some(identity) {
            assert!(
                lane.identity < Some(identity),
                "partition {partition} goes back from {:?} to {identity:?}",
                lane.identity
            );
            lane.identity = Some(identity);
            // Whose sequences begin may have failed before it was sent again.
            lane.hole &= stamp.first != 0;
            lane.sequences.clear();
        }
        let mut sequence = stamp.first;
        for &number in &batch.numbers {
            let full = (stamp.producer_id, stamp.epoch, sequence);
            let owner = *lane.sequences.entry(sequence).or_insert(number);
            assert_eq!(owner, number, "two records under sequence {full:?}");
            let before = sequence.checked_sub(1).filter(|&before| before >= 0);
            let gapless = before.is_none_or(|before| lane.sequences.contains_key(&before));
            assert!(gapless || lane.hole, "a gap before sequence {full:?}");
            let known = self.records.entry(number).or_insert_with(|| {
                assert!(
                    !lane.hole,
                    "record {number} goes out under {full:?} behind one that failed"
                );
                Known::new(partition)
            });
            if known.sequence != Some(full) {
                assert!(
                    !known.open,
                    "record {number}, which may have been written under {:?}, goes out under {full:?}",
                    known.sequence
                );
                assert!(
                    lane.acknowledged_max < Some(number),
                    "record {number} gets sequence {full:?} though record {:?} is acknowledged",
                    lane.acknowledged_max
                );
                known.sequence = Some(full);
            }
            sequence = sequence.checked_add(1).unwrap_or(0);
        }
    }

    fn ended(&mut self, sent: Sent, end: impl Fn(i32) -> End) {
        for (partition, numbers) in sent.batches {
            let end = end(partition);
            let lane = self.lanes.entry(partition).or_default();
            lane.batches_in_flight -= 1;
            for number in numbers {
                lane.in_flight.remove(&number);
                lane.waiting.insert(number);
                let known = self.records.get_mut(&number).unwrap();
                match end {
                    End::Written | End::Code(0 | 46) => known.confirmed = true,
                    End::Code(code) => known.open |= !PROOFS.contains(&code),
                    End::Unanswered => known.open = true,
                }
            }
        }
    }

    /// A request was handed to the operating system: with `acks=0` that is all.
    pub(crate) fn written(&mut self, connection: ConnectionId, correlation: i32) {
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        let position = link
            .requests
            .iter()
            .position(|sent| sent.correlation == correlation && !sent.expects_answer);
        if let Some(sent) = position.and_then(|position| link.requests.remove(position)) {
            self.ended(sent, |_| End::Written);
        }
    }

    /// An answer has come, to the oldest request that has none.
    pub(crate) fn answered(&mut self, connection: ConnectionId, frame: &[u8], now: Instant) {
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        link.was_of_use = true;
        let position = link.requests.iter().position(|sent| sent.expects_answer);
        if let Some(sent) = position.and_then(|position| link.requests.remove(position)) {
            link.is_set_up |= sent.authenticates;
            let silence = silence(frame, &sent);
            if !silence.is_zero() {
                link.quiet_until = link.quiet_until.max(Some(now + silence));
            }
            let codes = if sent.batches.is_empty() {
                None
            } else {
                codes(frame, &sent)
            };
            let codes = codes.unwrap_or_default();
            let good = codes.iter().filter(|(_, code)| matches!(code, 0 | 46));
            link.confirmed.extend(good.map(|(partition, _)| *partition));
            self.ended(sent, |partition| {
                codes
                    .get(&partition)
                    .map_or(End::Unanswered, |&code| End::Code(code))
            });
        }
    }

    /// A connection is no more.
    pub(crate) fn gone(&mut self, connection: ConnectionId) {
        if let Some(link) = self.links.remove(&connection) {
            for sent in link.requests {
                self.ended(sent, |_| End::Unanswered);
            }
        }
    }

    pub(crate) fn acknowledged(&mut self, number: u64) {
        let known = self.records.get(&number).filter(|known| known.confirmed);
        let known = known.unwrap_or_else(|| panic!("record {number} is acknowledged by nobody"));
        let lane = self.lanes.entry(known.partition).or_default();
        lane.waiting.remove(&number);
        lane.acknowledged_max = lane.acknowledged_max.max(Some(number));
    }

    pub(crate) fn failed(&mut self, error: &DeliveryError) {
        let (partition, was_sent) = match error {
            DeliveryError::TimedOut {
                partition,
                attempts,
                ..
            } => (*partition, *attempts > 0),
            DeliveryError::Refused { partition, .. }
            | DeliveryError::OutcomeUnknown { partition, .. }
            | DeliveryError::Overtaken { partition } => (*partition, true),
            DeliveryError::Unsealable(reason) => panic!("{reason}"),
        };
        let lane = self.lanes.entry(partition).or_default();
        lane.disturbed |= was_sent;
        lane.hole |= was_sent;
    }

    /// A broker denied a batch's sequence, epoch or producer id.
    pub(crate) fn denied(&mut self, partition: i32) {
        self.lanes.entry(partition).or_default().disturbed = true;
    }

    /// What is on its way counts as buffered, and the client wakes up to give up what is not answered in time.
    pub(crate) fn check(&self, buffered: usize, wakes_at: Option<Instant>) {
        let mut bytes = 0;
        for (connection, link) in &self.links {
            bytes += link.requests.iter().map(|s| s.batch_bytes).sum::<usize>();
            let deadline = match link.requests.front() {
                Some(sent) if sent.belongs_to_setup => link.usable_by,
                Some(sent) => {
                    link.quiet_until.max(Some(sent.at)).unwrap_or(sent.at) + self.request_timeout
                }
                None if link.was_of_use => continue,
                None => link.usable_by,
            };
            assert!(
                wakes_at.is_some_and(|at| at <= deadline),
                "#{connection} is awaited for longer than allowed"
            );
        }
        assert!(
            bytes <= buffered,
            "{bytes} bytes of batches are on their way, {buffered} bytes are said to be buffered"
        );
    }
}

/// For how long an answer asks the client to be silent, as far as that is believed (KIP-219).
fn silence(frame: &[u8], sent: &Sent) -> Duration {
    let version = sent.version;
    let asked_ms = match sent.api {
        ApiKey::Produce if version >= 6 => {
            read::<ProduceResponse>(frame, sent).map(|answer| answer.throttle_time_ms)
        }
        ApiKey::Metadata if version >= 6 => {
            read::<MetadataResponse>(frame, sent).map(|answer| answer.throttle_time_ms)
        }
        ApiKey::InitProducerId if version >= 1 => {
            read::<InitProducerIdResponse>(frame, sent).map(|answer| answer.throttle_time_ms)
        }
        ApiKey::CreateTopics if version >= 3 => {
            read::<CreateTopicsResponse>(frame, sent).map(|answer| answer.throttle_time_ms)
        }
        ApiKey::ApiVersions if version >= 2 => {
            read::<ApiVersionsResponse>(frame, sent).map(|answer| answer.throttle_time_ms)
        }
        _ => None,
    };
    let asked = Duration::from_millis(u64::try_from(asked_ms.unwrap_or(0)).unwrap_or(0));
    asked.min(SILENCE_MAX)
}

/// The answer, if it can be read and belongs to the request.
fn read<R: Decodable>(frame: &[u8], sent: &Sent) -> Option<R> {
    let mut bytes = Bytes::copy_from_slice(frame);
    let header =
        ResponseHeader::decode(&mut bytes, sent.api.response_header_version(sent.version)).ok()?;
    let response = R::decode(&mut bytes, sent.version).ok()?;
    (header.correlation_id == sent.correlation && bytes.is_empty()).then_some(response)
}

/// The code of each partition, if the answer can be read and belongs to the request.
fn codes(frame: &[u8], sent: &Sent) -> Option<BTreeMap<i32, i16>> {
    let response = read::<ProduceResponse>(frame, sent)?;
    let partitions = response
        .responses
        .into_iter()
        .flat_map(|topic| topic.partition_responses);
    Some(partitions.map(|p| (p.index, p.error_code)).collect())
}
