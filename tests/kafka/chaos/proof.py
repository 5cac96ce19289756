"""Before each run: a judge that finds nothing wrong must have been seen to find it. Each fault is planted in a topic as
it ought to be, and must be counted as what it is and nothing else.
"""

from dataclasses import replace
from typing import Callable

from chaos.faults import Strike
from chaos.verdict import Appended, Books, Verdict, judge

PARTITIONS = 2
MESSAGES = 100  # one a tenth of a second, to each partition in turn
INTERVAL_MS = 100
STRIKE = Strike(2_000, 3_000)
STOPPED_MS = MESSAGES * INTERVAL_MS
CLEAN = Verdict(messages=MESSAGES, acknowledged=MESSAGES, lost=0, duplicated=0, reordered=0, unasked=0,
                longest_stall_s=0.2, recovery_s=0.1)
ALL_ACKNOWLEDGED = Books(MESSAGES, MESSAGES, frozenset())

Log = list[Appended]


def leave_as_it_is(_: Log):
    pass


def lose_one(log: Log):
    del log[51]


def double_one(log: Log):
    log.insert(52, log[51])


def double_one_elsewhere(log: Log):
    log.insert(52, replace(log[51], partition=0))


def swap_two(log: Log):
    first, second = log[50], log[52]
    log[50], log[52] = replace(first, number=second.number), replace(second, number=first.number)


def take_nothing_for_long(log: Log):
    """One partition from within the strike until 4 s after its end: what was to come then comes at once."""
    log[:] = [replace(each, appended_ms=7_000) if each.partition == 1 and 2_000 < each.appended_ms < 7_000 else each
              for each in log]


def take_nothing_in_one_partition_any_more(log: Log):
    log[:] = [each for each in log if each.partition == 0 or each.appended_ms < 2_500]


def take_nothing_at_all_any_more(log: Log):
    log[:] = [each for each in log if each.appended_ms < 2_500]


PLANTS: tuple[tuple[Callable[[Log], None], dict[str, object]], ...] = (
    (leave_as_it_is, {}),
    (lose_one, {"lost": 1, "longest_stall_s": 0.4}),
    (double_one, {"duplicated": 1}),
    (double_one_elsewhere, {"duplicated": 1}),
    (swap_two, {"reordered": 1}),
    (take_nothing_for_long, {"longest_stall_s": 5.1, "recovery_s": 4.0}),
    (take_nothing_in_one_partition_any_more, {"lost": 38, "longest_stall_s": 7.7, "recovery_s": None}),
    (take_nothing_at_all_any_more, {"lost": 75, "longest_stall_s": 7.7, "recovery_s": None}),
)


def prove():
    for plant, counts in PLANTS:
        log = as_it_ought_to_be()
        plant(log)
        found = judge(ALL_ACKNOWLEDGED, log, [STRIKE], PARTITIONS, STOPPED_MS)
        assert found == replace(CLEAN, **counts), f"{plant.__name__}: {found}"
    # What was not acknowledged is not lost, and may be there all the same.
    log = as_it_ought_to_be()
    del log[51]
    books = Books(MESSAGES, MESSAGES - 2, frozenset((51, 52)))
    found = judge(books, log, [STRIKE], PARTITIONS, STOPPED_MS)
    assert (found.lost, found.unasked) == (0, 1), f"not acknowledged: {found}"


def as_it_ought_to_be() -> Log:
    return [Appended(number % PARTITIONS, number, number * INTERVAL_MS) for number in range(MESSAGES)]
