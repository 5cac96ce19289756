"""Holds record after record of a topic against what must be there, with memory that does not depend on how many.

Of each partition, the next record must be the next shoe that belongs to that partition: the same key, and the same
value to the last byte (frame, schema id, and the shoe as Google's Protobuf writes it). So what is lost, doubled, out of
order, changed or in the wrong partition cannot go unnoticed. Offsets must follow each other, and timestamps must be the
producer's and lie within the run; which moment of the run is not checked.

A record that is not the next one is looked for among the shoes ahead and among those that were passed over, so that one
fault is counted as one and not as millions. That search is bounded: after FAULTS_MAX faults the inspector gives up.
"""

import time
from collections import Counter

from confluent_kafka import Message

from records import CLOCK_TOLERANCE_MS, FAULTS_SHOWN_MAX, TIMESTAMP_CREATE_TIME, partition_of
from soak.expected import Expected, Queues

FAULTS_MAX = 1_000
# Up to how many shoes that wait, in all partitions, more are made in search of one that came too early.
SEARCH_MAX = 50_000

LOST, DUPLICATED, REORDERED, CHANGED, MISPLACED = "lost", "duplicated", "reordered", "changed", "misplaced"
OFFSETS, TIMESTAMPS = "offsets", "timestamps"


class TooManyFaults(Exception):
    """There is nothing left to learn."""


class Inspector:
    def __init__(self, queues: Queues, started_ms: int, search_max: int = SEARCH_MAX):
        self.queues = queues
        self.verified = 0
        self.counts: Counter[str] = Counter()
        self.shown: list[str] = []
        self.next_offset = [0] * len(queues.of)
        self._search_max = search_max
        self._earliest_ms = started_ms - CLOCK_TOLERANCE_MS
        # By partition and key: passed over, and not seen yet.
        self._missing: dict[tuple[int, bytes], Expected] = {}

    def inspect(self, batch: list[Message]):
        """Messages without an error, in the order in which the consumer gave them out."""
        queues, make_one, next_offset = self.queues.of, self.queues.make_one, self.next_offset
        earliest_ms, latest_ms = self._earliest_ms, time.time_ns() // 1_000_000 + CLOCK_TOLERANCE_MS
        for message in batch:
            partition, offset = message.partition(), message.offset()
            if offset != next_offset[partition]:
                self._note(OFFSETS, f"partition {partition}: offset {offset} and not {next_offset[partition]}")
            next_offset[partition] = offset + 1
            kind, timestamp_ms = message.timestamp()
            if kind != TIMESTAMP_CREATE_TIME or not earliest_ms <= timestamp_ms <= latest_ms:
                self._note(TIMESTAMPS, f"partition {partition}, offset {offset}: timestamp {timestamp_ms} of type "
                                       f"{kind}, outside of {earliest_ms} to {latest_ms}")
            queue = queues[partition]
            while not queue:
                make_one()
            key, value = message.key(), message.value()
            if queue[0].key == key and queue[0].value == value:
                queue.popleft()
            else:
                self._inspect_unexpected(partition, offset, key, value)
            self.verified += 1

    def _inspect_unexpected(self, partition: int, offset: int, key: bytes | None, value: bytes):
        where = f"partition {partition}, offset {offset}"
        queue = self.queues.of[partition]
        if queue[0].value == value:
            self._note(CHANGED, f"{where}: the key of shoe {queue.popleft().number} is {key!r}")
            return
        place = self._find_ahead(partition, key)
        if place is not None:
            for _ in range(place):
                passed_over = queue.popleft()
                self._missing[partition, passed_over.key] = passed_over
                self._note(LOST, f"{where}: shoe {passed_over.number} is not where it should be")
            self._compare(where, queue.popleft(), value)
        elif (partition, key) in self._missing:
            late = self._missing.pop((partition, key))
            self.counts[LOST] -= 1
            self._note(REORDERED, f"{where}: shoe {late.number} comes behind later ones")
            self._compare(where, late, value)
        elif key is not None and partition_of(key, len(self.queues.of)) != partition:
            self._note(MISPLACED, f"{where}: key {key!r} belongs elsewhere")
        else:
            self._note(DUPLICATED, f"{where}: key {key!r} a second time, or never a key of this seed")

    def _find_ahead(self, partition: int, key: bytes | None) -> int | None:
        queue = self.queues.of[partition]
        for place, expected in enumerate(queue):
            if expected.key == key:
                return place
        while self.queues.waiting() < self._search_max:
            end = len(queue)
            self.queues.make_one()
            if len(queue) > end and queue[end].key == key:
                return end
        return None

    def _compare(self, where: str, expected: Expected, value: bytes):
        if value != expected.value:
            self._note(CHANGED, f"{where}: shoe {expected.number} is {value!r} and not {expected.value!r}")

    def finish(self, count: int):
        """All records have been read, and the producer says that `count` were acknowledged and none was not."""
        while self.queues.made < count:
            self.queues.make_one()
        for partition, queue in enumerate(self.queues.of):
            for expected in queue:
                if expected.number < count:
                    self._note(LOST, f"partition {partition}: shoe {expected.number} is not there")
        if self.verified != count and not self.counts:
            self._note(DUPLICATED, f"{self.verified} records for {count} acknowledged")

    def _note(self, kind: str, text: str):
        self.counts[kind] += 1
        if self.counts[kind] <= FAULTS_SHOWN_MAX:
            self.shown.append(f"{kind}: {text}")
        if self.counts.total() >= FAULTS_MAX:
            raise TooManyFaults
