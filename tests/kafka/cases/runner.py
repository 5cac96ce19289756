"""Runs the suites one after the other, and says how many cases passed.

The last line is `N passed, N failed`; the exit code is 0 only if none failed and at least one passed. After a run of
all cases, what they were run with stands before it.
"""

import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from cases import releases, single
from cases.compatibility import FAILED, PASSED, Trial, table
from cases.registry import suite as registry
from cases.suite import Case, Suite
from cases.three import suite as three
from context import Context

SUITES = (single.SUITE, registry.SUITE, three.SUITE, *releases.SUITES)
TOGETHER_MAX = 8
TOPIC_CHARS_MAX = 200  # Kafka allows 249; cases that add to it have room


def run_cases(context: Context, words: list[str]) -> int:
    trials = [trial for suite in SUITES if (trial := run_suite(context, suite, words))]
    if not trials:
        sys.exit(f"no case has a name with {' or '.join(words)}")
    if not words:
        print(table(trials))
    verdicts = {name: verdict for trial in trials for name, verdict in trial.verdicts.items()}
    for name, verdict in verdicts.items():
        if verdict == FAILED:
            print(f"FAILED {name}")
    counts = [list(verdicts.values()).count(verdict) for verdict in (PASSED, FAILED)]
    print(f"{counts[0]} passed, {counts[1]} failed")
    # By an exception, which keeps the run's folder.
    if counts[1]:
        sys.exit(1)
    return 0


def run_suite(context: Context, suite: Suite, words: list[str]) -> Trial | None:
    """What became of its cases; none, and no peer is started, where no case is chosen."""
    one_by_one, together = ([case for case in each if is_chosen(suite.name_of(case), words)]
                            for each in (suite.one_by_one, suite.together))
    names = [suite.name_of(case) for case in one_by_one + together]
    assert len(names) == len(set(names)), f"two cases of one name in {suite.name}"
    if not names:
        return None
    print(f"=== {suite.name}", flush=True)
    with suite.open(context) as bench:
        verdicts = [run(suite, bench, case) for case in one_by_one]
        with ThreadPoolExecutor(TOGETHER_MAX) as pool:
            verdicts += pool.map(partial(run, suite, bench), together)
        return Trial.of(bench.kafka, dict(zip(names, verdicts, strict=True)))


def is_chosen(name: str, words: list[str]) -> bool:
    return not words or any(word in name for word in words)


def topic_of(case: Case) -> str:
    """A topic of its own for each case: they may run side by side."""
    name = case.__name__
    assert len(name) <= TOPIC_CHARS_MAX, f"too long for a topic: {name}"
    return name


def run(suite: Suite, bench: Any, case: Case) -> str:
    """The verdict. What it prints it prints in one piece: others may be printing too."""
    started = time.monotonic()
    verdict, why = PASSED, ""
    try:
        case(bench, topic_of(case))
    except Exception:  # whatever it is: the other cases are still to be run
        verdict, why = FAILED, traceback.format_exc()
    print(f"{verdict:6} {suite.name_of(case)}  {time.monotonic() - started:.1f} s\n{why}", end="", flush=True)
    return verdict
