"""The defects that are planted: realistic slips, each of which breaks a promise of src/kafka/client/mod.rs."""

from typing import NamedTuple


class Defect(NamedTuple):
    """`old` occurs in `file` exactly once; `new` takes its place."""

    name: str
    breaks: str
    file: str
    old: str
    new: str


CLIENT = "src/kafka/client/"
CODES = "src/kafka/wire/error_code.rs"

DEFECTS = [
    Defect(
        "the epoch is raised to itself",
        "sequences begin anew only in a new epoch: under the old one they name other batches",
        CLIENT + "sequence.rs",
        "if let Some(epoch) = epoch.checked_add(1).filter(|&raised| raised < i16::MAX) {",
        "if let Some(epoch) = Some(epoch).filter(|&raised| raised < i16::MAX) {",
    ),
    Defect(
        "a hole is forgotten",
        "after a hole the epoch is raised",
        CLIENT + "partition/outcome.rs",
        "        self.sequencer.left_a_hole();\n        self.lost(tracked.batch.records);",
        "        self.lost(tracked.batch.records);",
    ),
    Defect(
        "the last one to be retried goes first",
        "retries go out in order",
        CLIENT + "partition/mod.rs",
        "            .position(|tracked| tracked.fate == Fate::Retry)\n        {",
        "            .rposition(|tracked| tracked.fate == Fate::Retry)\n        {",
    ),
    Defect(
        "a retry overtakes what is on its way",
        "a batch goes out again only when all that was sent after it has come back",
        CLIENT + "partition/mod.rs",
        "if later_on_its_way || !self.may_follow(position, moment, rules) {",
        "if !self.may_follow(position, moment, rules) {",
    ),
    Defect(
        "new batches do not wait for a retry",
        "as soon as one waits for a retry nothing that comes after it is sent",
        CLIENT + "partition/mod.rs",
        "            return self.resend(position, moment, rules);\n        }\n        let follows",
        "            if let Poll::Send(id, bytes) = self.resend(position, moment, rules) {\n                return Poll::Send(id, bytes);\n            }\n        }\n        let follows",
    ),
    Defect(
        "a cut connection fails its batches",
        "nothing that happens on the way to a broker fails a batch",
        CLIENT + "produced.rs",
        "            partition.retry(id, true, now, &mut self.rng);\n",
        """            let _ = now;
            if let Some(given_up) = partition.fail(id, true) {
                let (records, _) = given_up.batch.finish(&mut self.memory);
                let error = DeliveryError::OutcomeUnknown {
                    partition: partition.index,
                    code: crate::kafka::wire::ErrorCode(13),
                    message: None,
                };
                self.events.push_back(Event::Failed { records, error });
            }
""",
    ),
    Defect(
        "a cut connection acknowledges its batches",
        "what is acknowledged is in the log",
        CLIENT + "drive.rs",
        "            self.unanswered(slot, id, now);\n",
        "            self.acknowledge(slot, id, now);\n",
    ),
    Defect(
        "a cut connection leaves the fate closed",
        "what was sent and not answered may have been written",
        CLIENT + "produced.rs",
        "            partition.retry(id, true, now, &mut self.rng);\n",
        "            partition.retry(id, false, now, &mut self.rng);\n",
    ),
    Defect(
        "an open batch is stamped anew without asking",
        "no new sequence is given to a batch of open fate",
        CLIENT + "partition/mod.rs",
        "            if let Some(open) = self.tracked.iter().position(|batch| batch.may_be_written) {\n                return Err(self.resend(open, moment, rules));\n            }\n",
        "",
    ),
    Defect(
        "an open batch is stamped anew after 45",
        "no new sequence is given to a batch of open fate, not even if it is denied",
        CLIENT + "partition/outcome.rs",
        "            let tracked = self.tracked.remove(position)?;\n            return Some(self.give_up(position, tracked));\n        }\n        self.retry(id, false, now, rng);\n        None\n    }\n\n    /// The broker knows nothing",
        "            self.tracked.get_mut(position)?.may_be_written = false;\n        }\n        self.retry(id, false, now, rng);\n        None\n    }\n\n    /// The broker knows nothing",
    ),
    Defect(
        "any connection confirms",
        "one alone until this connection has acknowledged one",
        CLIENT + "partition/mod.rs",
        "if self.confirmed_on == Some(moment.connection) {",
        "if self.confirmed_on.is_some() {",
    ),
    Defect(
        "new batches go out behind an open one",
        "nothing goes out behind a batch that may have been written",
        CLIENT + "partition/mod.rs",
        "self.in_flight() < window && !earlier.any(|tracked| tracked.may_be_written)",
        "self.in_flight() < window && !earlier.any(|_| false)",
    ),
    Defect(
        "code 6 proves that nothing was written",
        "a broker that lost the leadership may have written first",
        CODES,
        "ErrorCode::NOT_ENOUGH_REPLICAS\n",
        "ErrorCode::NOT_ENOUGH_REPLICAS | ErrorCode::NOT_LEADER_OR_FOLLOWER\n",
    ),
    Defect(
        "code 56 proves that nothing was written",
        "a disk may fail after the append",
        CODES,
        "ErrorCode::NOT_ENOUGH_REPLICAS\n",
        "ErrorCode::NOT_ENOUGH_REPLICAS | ErrorCode::KAFKA_STORAGE_ERROR\n",
    ),
    Defect(
        "code 46 is a failure",
        "a duplicate is a success",
        CODES,
        "            46 => ProduceAction::Duplicate,\n",
        "",
    ),
    Defect(
        "an open batch is refused as unwritten",
        "what may have been written is not called refused",
        CLIENT + "partition/outcome.rs",
        "            may_be_written: tracked.may_be_written,\n        }\n    }\n\n    /// Something that was sent after",
        "            may_be_written: false,\n        }\n    }\n\n    /// Something that was sent after",
    ),
    Defect(
        "an open batch is stamped anew after 47",
        "no new sequence is given to a batch of open fate",
        CLIENT + "partition/outcome.rs",
        "        if self.tracked.get(position)?.may_be_written {\n            let tracked = self.tracked.remove(position)?;\n            return Some(self.give_up(position, tracked));\n        }\n",
        "        self.tracked.get_mut(position)?.may_be_written = false;\n",
    ),
    Defect(
        "what was overtaken is stamped anew",
        "records are in order within a partition",
        CLIENT + "partition/mod.rs",
        "if let Some(late) = self.tracked.iter().position(|batch| batch.overtaken)",
        "if let Some(late) = self.tracked.iter().position(|_| false)",
    ),
    Defect(
        "a batch in flight expires",
        "the delivery timeout fails no batch that is on its way",
        CLIENT + "partition/outcome.rs",
        "if tracked.fate != Fate::Retry || !expired(tracked.batch.created) {",
        "if !expired(tracked.batch.created) {",
    ),
    Defect(
        "a refused batch keeps its memory",
        "every byte charged is released when the batch is over",
        CLIENT + "produced.rs",
        "let (records, _) = given_up.batch.finish(&mut self.memory);",
        "let records = given_up.batch.records;",
    ),
    Defect(
        "a compressed batch is charged twice",
        "the memory charged is that of the records that are here",
        CLIENT + "accumulator.rs",
        "                memory.release(self.charge);\n                memory.charge(charge);",
        "                memory.charge(charge);",
    ),
    Defect(
        "memory is given back when a batch is closed",
        "the memory bounds the whole client, batches in flight included",
        CLIENT + "accumulator.rs",
        "                memory.release(self.charge);\n                memory.charge(charge);",
        "                memory.release(self.charge);\n                let charge = charge.min(0);",
    ),
    Defect(
        "the second half is dropped",
        "every record comes out once",
        CLIENT + "partition/outcome.rs",
        "in [left, right].into_iter().enumerate() {",
        "in [left, right].into_iter().enumerate().take(1) {",
    ),
    Defect(
        "both halves begin at one sequence",
        "two halves take the sequences of the whole",
        CLIENT + "accumulator.rs",
        "base_sequence: advance(whole.base_sequence, left_records),",
        "base_sequence: whole.base_sequence,",
    ),
    Defect(
        "giving up forgets the open batch",
        "every record comes out once",
        CLIENT + "partition/outcome.rs",
        "            abandoned.unsent += open.discard(memory);",
        "            open.discard(memory);",
    ),
    Defect(
        "what waits for a retry counts as unsent",
        "what is called unsent is in no log",
        CLIENT + "partition/outcome.rs",
        "let unanswered = tracked.may_be_written || tracked.fate != Fate::Retry;",
        "let unanswered = tracked.fate != Fate::Retry;",
    ),
    Defect(
        "close has no deadline",
        "close ends at its deadline",
        CLIENT + "drive.rs",
        "            Phase::Closing { deadline } if deadline <= now => self.abandon(),\n            Phase::Closing { deadline } => self.wake(deadline),\n            Phase::Running",
        "            Phase::Closing { .. } | Phase::Running",
    ),
    Defect(
        "an unreadable answer takes its batches along",
        "every batch is settled",
        CLIENT + "session/mod.rs",
        "                        self.note(Asked::Produce(batches), id, version, true, now);\n",
        "",
    ),
    Defect(
        "a lost leader is not asked about",
        "a leader that moved is followed",
        CLIENT + "produced.rs",
        "            partition.leader = None;\n        }\n        self.cluster.refresh.want();",
        "            partition.leader = None;\n        }",
    ),
    Defect(
        "metadata is awaited on a connection that is gone",
        "a connection that ends: another is made",
        CLIENT + "drive.rs",
        "        self.cluster.refresh.disconnected(connection);\n        self.cluster.refresh.want();",
        "        self.cluster.refresh.want();",
    ),
    Defect(
        "a changed address closes a busy connection",
        "every batch is settled",
        CLIENT + "answers.rs",
        "                .is_some_and(|session| !session.is_ready())",
        "                .is_some_and(|session| session.node == node)",
    ),
    Defect(
        "a retry is not woken for",
        "the client asks to be woken when there is something to do",
        CLIENT + "produce.rs",
        "            Poll::Wait(Some(at)) => self.wake(at),\n            Poll::Wait(None) => {}",
        "            Poll::Wait(_) => {}",
    ),
    Defect(
        "a silence that is over is waited for",
        "the client does not spin",
        CLIENT + "ask.rs",
        "            .filter_map(Session::quiet_until)\n            .filter(|&at| at > now)\n",
        "            .filter_map(Session::quiet_until)\n",
    ),
    Defect(
        "a topic never has fewer partitions",
        "keys go to partitions that the topic has",
        CLIENT + "answers.rs",
        "if count > 0 && !(comparable && count < self.partition_count) {",
        "if count > self.partition_count {",
    ),
    Defect(
        "a silent connection is never given up",
        "a connection that is silent: another is made",
        CLIENT + "session/mod.rs",
        "                Some(self.awaited_since(oldest) + self.request_timeout)",
        "                self.awaited_since(oldest).checked_add(Duration::MAX)",
    ),
    Defect(
        "a connection that is being made is never given up",
        "a connection that is not made in time: another is made",
        CLIENT + "session/mod.rs",
        "                Some(self.connect_deadline)",
        "                self.connect_deadline.checked_add(Duration::MAX)",
    ),
    Defect(
        "the session is used while it is renewed",
        "from the handshake to the end of the exchange nothing else is asked",
        CLIENT + "session/mod.rs",
        "let may_ask = self.stage == Stage::Ready && !self.authentication.is_under_way();",
        "let may_ask = self.stage == Stage::Ready;",
    ),
    Defect(
        "acks=0 is acknowledged before it is written",
        "acks=0: acknowledged when it was handed to the operating system",
        CLIENT + "produce.rs",
        "        let Some(frame) = session.produce(&request, sent, batches, now) else {\n            return false;\n        };\n",
        """        let batch_ids = sent.clone();
        let Some(frame) = session.produce(&request, sent, batches, now) else {
            return false;
        };
        if request.acks == 0 {
            for (slot, id) in batch_ids {
                self.acknowledge(slot, id, now);
            }
        }
""",
    ),
    Defect(
        "waits double without end",
        "a client works again soon after all is well",
        CLIENT + "backoff.rs",
        "doubled.min(self.longest).mul_f64(jitter)",
        "doubled.min(self.longest * 1000).mul_f64(jitter)",
    ),
    Defect(
        "due times are halved in the wrong place",
        "each record is acknowledged, none twice",
        CLIENT + "accumulator.rs",
        "let (left_due, right_due) = split_due(&self.due, left_records);",
        "let (left_due, right_due) = split_due(&self.due, right_records);",
    ),
    Defect(
        "a sequence counts batches",
        "a sequence belongs to one record",
        CLIENT + "sequence.rs",
        "        self.next = advance(self.next, records);",
        "        self.next = advance(self.next, records.min(1));",
    ),
    Defect(
        "one request too many",
        "no more requests are in flight than max.in.flight.requests.per.connection allows",
        CLIENT + "produce.rs",
        "session.produce_in_flight() < self.config.max_in_flight",
        "session.produce_in_flight() <= self.config.max_in_flight",
    ),
    Defect(
        "code 7 is a success",
        "acks=all: what a replica in sync lacks is not acknowledged",
        CLIENT + "produced.rs",
        "            ProduceAction::Retry => {\n",
        "            ProduceAction::Retry if code.0 == 7 => return self.acknowledge(slot, id, now),\n            ProduceAction::Retry => {\n",
    ),
    Defect(
        "close forgets what lingers",
        "every record comes out once",
        CLIENT + "partition/mod.rs",
        "self.open.is_none() && self.ready.is_empty() && self.tracked.is_empty()",
        "self.ready.is_empty() && self.tracked.is_empty()",
    ),
    Defect(
        "the delivery timeout is halved",
        "a batch fails when its delivery timeout is over, not before",
        CLIENT + "partition/outcome.rs",
        "let expired = |created: Instant| created + rules.delivery_timeout <= now;",
        "let expired = |created: Instant| created + rules.delivery_timeout / 2 <= now;",
    ),
    Defect(
        "a spent producer id is taken again",
        "a new producer id begins when the epochs are used up",
        CLIENT + "produce.rs",
        "                    self.identity.current = None;\n",
        "",
    ),
    Defect(
        "a partition that an answer lacks is passed over",
        "every batch is settled",
        CLIENT + "produced.rs",
        "                missing = Some(index);\n                self.unanswered(slot, id, now);",
        "                missing = None.or(missing.filter(|_: &i32| index < 0));",
    ),
]
