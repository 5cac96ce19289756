"""What a topic holds, against what its producer says was acknowledged.

Messages of a producer are numbered in the order in which it made them. The broker stamps each record with the time at
which it appended it (LogAppendTime), so that pauses are seen alike for every producer, whatever it measures itself.
"""

from dataclasses import dataclass
from itertools import pairwise

from chaos.faults import Strike


@dataclass(frozen=True)
class Books:
    """A producer's own word on its messages 0 to `generated` - 1.

    `unacknowledged` are those that it reports as failed or never sent. A producer that only counts them names none
    (None), and then which ones they were cannot be told.
    """

    generated: int
    acknowledged: int
    unacknowledged: frozenset[int] | None

    def __post_init__(self):
        if self.unacknowledged is not None:
            assert self.generated == self.acknowledged + len(self.unacknowledged), "the books do not add up"


@dataclass(frozen=True)
class Appended:
    """One record in the topic."""

    partition: int
    number: int
    appended_ms: int


@dataclass(frozen=True)
class Verdict:
    messages: int
    acknowledged: int
    lost: int  # acknowledged, and not in the topic
    duplicated: int  # in the topic once more
    reordered: int  # behind one with a higher number in its partition
    unasked: int  # in the topic though reported as not delivered; no fault, but worth knowing
    longest_stall_s: float  # for which one partition, in the worst case, took no record
    # From the end of a fault until every partition took records again, in the worst case; None: one never did.
    recovery_s: float | None

    @property
    def is_clean(self) -> bool:
        return self.lost == self.duplicated == self.reordered == 0


def judge(books: Books, records: list[Appended], strikes: list[Strike], partitions: int, stopped_ms: int) -> Verdict:
    """`records` in the order of their offsets within each partition; `stopped_ms`: when the producer was stopped."""
    copies = bytearray(books.generated)
    highest = [-1] * partitions
    appended_ms: list[list[int]] = [[] for _ in range(partitions)]
    duplicated = reordered = 0
    for record in records:
        if copies[record.number]:
            duplicated += 1
        else:
            copies[record.number] = 1
            if record.number < highest[record.partition]:
                reordered += 1
            highest[record.partition] = max(highest[record.partition], record.number)
        appended_ms[record.partition].append(record.appended_ms)
    present = copies.count(1)
    if books.unacknowledged is None:
        # Those that are there and were not acknowledged may hide as many that were and are not.
        lost, unasked = max(0, books.acknowledged - present), max(0, present - books.acknowledged)
    else:
        unasked = sum(copies[number] for number in books.unacknowledged)
        lost = books.acknowledged - (present - unasked)
    recovery = recovery_ms(appended_ms, strikes)
    return Verdict(messages=books.generated, acknowledged=books.acknowledged, lost=lost, duplicated=duplicated,
                   reordered=reordered, unasked=unasked,
                   longest_stall_s=longest_stall_ms(appended_ms, stopped_ms) / 1000,
                   recovery_s=None if recovery is None else recovery / 1000)


def longest_stall_ms(appended_ms: list[list[int]], stopped_ms: int) -> int:
    """A partition that never comes back has stalled until the stop, or the last record of the others behind it."""
    end_ms = max((times[-1] for times in appended_ms if times), default=stopped_ms)
    end_ms = max(end_ms, stopped_ms)
    return max((after - before for times in appended_ms if times for before, after in pairwise([*times, end_ms])),
               default=0)


def recovery_ms(appended_ms: list[list[int]], strikes: list[Strike]) -> int | None:
    longest = 0
    for strike in strikes:
        for times in appended_ms:
            after = next((time for time in times if time >= strike.mended_ms), None)
            if after is None:
                return None
            longest = max(longest, after - strike.mended_ms)
    return longest
