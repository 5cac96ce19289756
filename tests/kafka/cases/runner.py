"""Runs the suites one after the other, and says how many cases passed.

The last line is `N passed, N failed`; the exit code is 0 only if none failed and at least one passed.
"""

import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from cases import single
from cases.registry import suite as registry
from cases.suite import Case, Suite, name_of
from context import Context

SUITES = (single.SUITE, registry.SUITE)
TOGETHER_MAX = 8
TOPIC_CHARS_MAX = 200  # Kafka allows 249; cases that add to it have room
PASSED, FAILED = "passed", "FAILED"


def run_cases(context: Context, words: list[str]) -> int:
    verdicts: dict[str, str] = {}
    for suite in SUITES:
        verdicts |= run_suite(context, suite, words)
    if not verdicts:
        sys.exit(f"no case has a name with {' or '.join(words)}")
    for name, verdict in verdicts.items():
        if verdict == FAILED:
            print(f"FAILED {name}")
    counts = [list(verdicts.values()).count(verdict) for verdict in (PASSED, FAILED)]
    print(f"{counts[0]} passed, {counts[1]} failed")
    # By an exception, which keeps the run's folder.
    if counts[1]:
        sys.exit(1)
    return 0


def run_suite(context: Context, suite: Suite, words: list[str]) -> dict[str, str]:
    """The verdicts by the cases' names; no peer is started where no case is chosen."""
    one_by_one, together = ([case for case in each if is_chosen(case, words)]
                            for each in (suite.one_by_one, suite.together))
    if not one_by_one and not together:
        return {}
    print(f"=== {suite.name}", flush=True)
    with suite.open(context) as bench:
        verdicts = [run(bench, case) for case in one_by_one]
        with ThreadPoolExecutor(TOGETHER_MAX) as pool:
            verdicts += pool.map(partial(run, bench), together)
    return dict(zip(map(name_of, one_by_one + together), verdicts, strict=True))


def is_chosen(case: Case, words: list[str]) -> bool:
    return not words or any(word in name_of(case) for word in words)


def topic_of(case: Case) -> str:
    """A topic of its own for each case: they may run side by side."""
    name = case.__name__
    assert len(name) <= TOPIC_CHARS_MAX, f"too long for a topic: {name}"
    return name


def run(bench: Any, case: Case) -> str:
    """The verdict. What it prints it prints in one piece: others may be printing too."""
    started = time.monotonic()
    verdict, why = PASSED, ""
    try:
        case(bench, topic_of(case))
    except Exception:  # whatever it is: the other cases are still to be run
        verdict, why = FAILED, traceback.format_exc()
    print(f"{verdict:6} {name_of(case)}  {time.monotonic() - started:.1f} s\n{why}", end="", flush=True)
    return verdict
