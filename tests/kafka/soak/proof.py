"""Before each soak: an inspector that finds nothing wrong must have been seen to find it. Each fault is planted in
records as they ought to be, and must be counted, as what it is and nothing else.
"""

import time
from dataclasses import dataclass, replace
from typing import Callable

from records import TIMESTAMP_CREATE_TIME, Schema
from soak.expected import Queues
from soak.inspector import (CHANGED, DUPLICATED, LOST, MISPLACED, OFFSETS, REORDERED, TIMESTAMPS, Inspector,
                            TooManyFaults)

COUNT = 1_000
SEARCH_MAX = 2_000
SHOES_MIN = COUNT + SEARCH_MAX
PARTITIONS = 3
SCHEMA_ID = 7
PLANTED_AT = 10  # in partition 0


@dataclass(frozen=True)
class Planted:
    """A record with the methods of librdkafka's message."""

    in_partition: int
    at: int
    its_key: bytes | None
    its_value: bytes
    stamp: tuple[int, int]

    def partition(self) -> int:
        return self.in_partition

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return self.its_key

    def value(self) -> bytes:
        return self.its_value

    def timestamp(self) -> tuple[int, int]:
        return self.stamp


Log = list[list[Planted]]  # by partition


def leave_as_it_is(_: Log):
    pass


def lose_one(log: Log):
    del log[0][PLANTED_AT]


def lose_the_last(log: Log):
    del log[0][-1]


def double_two(log: Log):
    log[0][PLANTED_AT:PLANTED_AT] = log[0][PLANTED_AT - 2:PLANTED_AT]


def double_the_last(log: Log):
    log[0].append(log[0][-1])


def swap_two(log: Log):
    log[0][PLANTED_AT], log[0][PLANTED_AT + 1] = log[0][PLANTED_AT + 1], log[0][PLANTED_AT]


def change_the_last_byte(log: Log):
    value = log[0][PLANTED_AT].its_value
    log[0][PLANTED_AT] = replace(log[0][PLANTED_AT], its_value=value[:-1] + bytes([value[-1] ^ 1]))


def change_the_schema_id(log: Log):
    value = log[0][PLANTED_AT].its_value
    log[0][PLANTED_AT] = replace(log[0][PLANTED_AT], its_value=value[:4] + bytes([SCHEMA_ID + 1]) + value[5:])


def change_the_key(log: Log):
    log[0][PLANTED_AT] = replace(log[0][PLANTED_AT], its_key=log[0][PLANTED_AT + 1].its_key)


def leave_the_key_out(log: Log):
    log[0][PLANTED_AT] = replace(log[0][PLANTED_AT], its_key=None)


def misplace_one(log: Log):
    log[1].insert(PLANTED_AT, log[0].pop(PLANTED_AT))


def stamp_one_before_the_run(log: Log):
    kind, _ = log[0][PLANTED_AT].stamp
    log[0][PLANTED_AT] = replace(log[0][PLANTED_AT], stamp=(kind, 0))


def stamp_one_by_the_broker(log: Log):
    kind, timestamp_ms = log[0][PLANTED_AT].stamp
    log[0][PLANTED_AT] = replace(log[0][PLANTED_AT], stamp=(kind + 1, timestamp_ms))


PLANTS: tuple[tuple[Callable[[Log], None], dict[str, int]], ...] = (
    (leave_as_it_is, {}),
    (lose_one, {LOST: 1}),
    (lose_the_last, {LOST: 1}),
    (double_two, {DUPLICATED: 2}),
    (double_the_last, {DUPLICATED: 1}),
    (swap_two, {REORDERED: 1}),
    (change_the_last_byte, {CHANGED: 1}),
    (change_the_schema_id, {CHANGED: 1}),
    (change_the_key, {CHANGED: 1}),
    (leave_the_key_out, {CHANGED: 1}),
    (misplace_one, {MISPLACED: 1, LOST: 1}),
    (stamp_one_before_the_run, {TIMESTAMPS: 1}),
    (stamp_one_by_the_broker, {TIMESTAMPS: 1}),
)


def prove(shoes: list[dict], schema: Schema):
    """With the first shoes of a seed, at least SHOES_MIN."""
    started_ms = time.time_ns() // 1_000_000
    for plant, counts in PLANTS:
        log = as_it_ought_to_be(shoes, schema, started_ms)
        plant(log)
        found = inspected(shoes, schema, started_ms, [
            replace(record, in_partition=partition, at=offset)
            for partition, records in enumerate(log) for offset, record in enumerate(records)])
        assert found == counts, f"{plant.__name__}: the inspector counts {found} and not {counts}"
    log = as_it_ought_to_be(shoes, schema, started_ms)
    lose_one(log)
    found = inspected(shoes, schema, started_ms, [record for records in log for record in records])
    assert found == {LOST: 1, OFFSETS: 1}, f"a gap of offsets: the inspector counts {found}"
    try:
        found = inspected(shoes, schema, started_ms, log[1] * COUNT)
    except TooManyFaults:
        return
    raise AssertionError(f"the inspector does not give up: {found}")


def as_it_ought_to_be(shoes: list[dict], schema: Schema, timestamp_ms: int) -> Log:
    queues = Queues(iter(shoes), schema, SCHEMA_ID, PARTITIONS)
    for _ in range(COUNT):
        queues.make_one()
    return [[Planted(partition, offset, expected.key, expected.value, (TIMESTAMP_CREATE_TIME, timestamp_ms))
             for offset, expected in enumerate(queue)] for partition, queue in enumerate(queues.of)]


def inspected(shoes: list[dict], schema: Schema, started_ms: int, records: list[Planted]) -> dict[str, int]:
    inspector = Inspector(Queues(iter(shoes), schema, SCHEMA_ID, PARTITIONS), started_ms, SEARCH_MAX)
    inspector.inspect(records)
    inspector.finish(COUNT)
    return dict(+inspector.counts)
