"""A process of its own that reads a topic from its first record on, while it is written, and inspects every record.

It follows closely enough for the topic to forget old segments: a record that was deleted before it was read ends the
verification as a failure. The consumer is librdkafka's, which checks every batch's CRC. Memory is bounded: where one
partition is far ahead of another, those ahead are paused.

Standard input: the count of acknowledged records, in one line, once the producer has ended. Standard output: JSON
lines, the progress so far and at last the verdict. It gives way to the brokers and the program (`nice`).
"""

import gc
import json
import os
import resource
import select
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from records import READ_TIMEOUT_S, Schema
from soak.expected import Queues, Shoes
from soak.inspector import Inspector, TooManyFaults

NICENESS = 10
BATCH_MAX = 5_000
BATCH_TIMEOUT_S = 0.5
PROGRESS_INTERVAL_S = 5
# Shoes made and not met yet, some 300 bytes each; the producer's own buffer lets partitions come so far apart.
AHEAD_MAX = 500_000
# A leader that moved is to be noticed although the old one only keeps silent.
METADATA_INTERVAL_MS = 5_000
# At the end, with the producer gone and the cluster whole, something must come within this time.
SILENCE_MAX_S = 120
# Nothing may be skipped; whatever else the consumer meets in a cluster under fire is its own affair.
DISQUALIFYING = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._BAD_MSG)


@dataclass(frozen=True)
class Task:
    binary: str
    home: str
    schema: str
    bootstrap: str
    topic: str
    partitions: int
    schema_id: int
    seed: int
    started_ms: int
    ahead_max: int = AHEAD_MAX


@dataclass(frozen=True)
class Verdict:
    verified: int
    faults: dict[str, int]
    shown: list[str]
    met: dict[str, int]  # what the consumer met and got over
    cpu_s: float
    peak_mib: float


class Unreadable(Exception):
    """The topic could not be read to its end."""


class Verifier:
    def __init__(self, task: Task):
        self.task = task
        self.shoes = Shoes(Path(task.binary), task.seed, Path(task.home))
        self.queues = Queues(iter(self.shoes), Schema(task.schema), task.schema_id, task.partitions)
        self.inspector = Inspector(self.queues, task.started_ms)
        self.consumer = Consumer({
            "bootstrap.servers": task.bootstrap,
            "group.id": "unused",
            "enable.auto.commit": False,
            "check.crcs": True,
            "auto.offset.reset": "error",
            "queued.max.messages.kbytes": 4_096,
            "topic.metadata.refresh.interval.ms": METADATA_INTERVAL_MS,
            "log.connection.close": False,
        })
        self.met: Counter[str] = Counter()
        self.paused: set[int] = set()
        self.count: int | None = None

    def run(self) -> Verdict:
        self.consumer.assign([self._place(partition, 0) for partition in range(self.task.partitions)])
        shown = self.inspector.shown
        try:
            self._follow()
            self.inspector.finish(self.count)
        except TooManyFaults:
            shown.append("gave up: too many faults")
        except Unreadable as error:
            self.inspector.counts["unreadable"] += 1
            shown.append(str(error))
        finally:
            self.consumer.close()
            self.shoes.stop()
        return Verdict(self.inspector.verified, dict(+self.inspector.counts), shown, dict(self.met), *usage())

    def _follow(self):
        """Until the count is known and everything has been read."""
        told = heard = time.monotonic()
        ends: list[int] | None = None
        while ends is None or any(map(int.__lt__, self.inspector.next_offset, ends)):
            batch = self._readable(self.consumer.consume(BATCH_MAX, BATCH_TIMEOUT_S))
            self.inspector.inspect(batch)
            self._pause_or_resume()
            now = time.monotonic()
            if batch or ends is None:
                heard = now
            if now - heard > SILENCE_MAX_S:
                at = self.inspector.next_offset
                raise Unreadable(f"nothing more for {SILENCE_MAX_S} s at offsets {at} of {ends}")
            if now - told > PROGRESS_INTERVAL_S:
                told = now
                tell({"progress": self.inspector.verified})
            if self.count is None:
                self.count = count_told()
            elif ends is None:
                ends = self._ends()

    def _readable(self, messages: list[Message]) -> list[Message]:
        found = []
        for message in messages:
            error = message.error()
            if error is None:
                found.append(message)
            elif error.code() in DISQUALIFYING:
                raise Unreadable(f"the consumer met {error} in partition {message.partition()}")
            else:
                self.met[error.name()] += 1
        return found

    def _pause_or_resume(self):
        """While too much waits, those ahead, which no shoe waits for, are paused. They may fall behind by that."""
        waiting = self.queues.waiting()
        if waiting > self.task.ahead_max:
            self._set_paused({partition for partition, queue in enumerate(self.queues.of) if not queue})
        elif waiting < self.task.ahead_max // 2:
            self._set_paused(set())
        else:
            self._set_paused({partition for partition in self.paused if not self.queues.of[partition]})

    def _set_paused(self, paused: set[int]):
        if added := paused - self.paused:
            self.consumer.pause([self._place(partition) for partition in added])
            self.met["pauses of partitions ahead"] += len(added)
        if gone := self.paused - paused:
            self.consumer.resume([self._place(partition) for partition in gone])
        self.paused = paused

    def _ends(self) -> list[int]:
        return [self.consumer.get_watermark_offsets(self._place(partition), timeout=READ_TIMEOUT_S)[1]
                for partition in range(self.task.partitions)]

    def _place(self, partition: int, *offset: int) -> TopicPartition:
        return TopicPartition(self.task.topic, partition, *offset)


def count_told() -> int | None:
    """What standard input says; None as long as it says nothing. Without anybody to tell it, this process ends."""
    if not select.select([sys.stdin], [], [], 0)[0]:
        return None
    line = sys.stdin.readline()
    if not line:
        sys.exit("nobody waits for the verdict")
    return int(line)


def usage() -> tuple[float, float]:
    """CPU seconds of this process and of the shoes' one, and the peak of this one's memory in MiB."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in both), both[0].ru_maxrss / 1024


def tell(what: dict):
    print(json.dumps(what), flush=True)


def main():
    os.nice(NICENESS)
    # Nothing here makes cycles, and looking for them among half a million shoes takes its time.
    gc.disable()
    tell({"verdict": asdict(Verifier(Task(**json.loads(sys.argv[1]))).run())})


if __name__ == "__main__":
    main()
