"""Full speed of two builds of the program against a sandbox that discards, in turns: a round is one run of each.

What counts is the ratio within a round, of messages a second and of processor time a message; of the rounds, the
median.
"""

import os
import re
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandbox import Sandbox

ROUNDS, SECONDS = 15, 1
RATIO_MIN = 0.9
BOOKS = re.compile(r"Ledger: generated \d+ = acknowledged (\d+) ")


@dataclass(frozen=True)
class Run:
    rate: float
    cpu_ns: float  # a message


def run_once(binary: Path, sandbox: Path) -> Run:
    broker = Sandbox(sandbox, ["--port", "0", "--registry-port", "0", "--discard"])
    try:
        settings = {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{broker.broker}",
                    "SCHEMA_REGISTRY_URL": f"http://127.0.0.1:{broker.registry}"}
        before = os.times()
        command = [binary, "--interval", "0", "--duration", f"{SECONDS}s", "--stats-interval", "0"]
        done = subprocess.run(command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
        after = os.times()
    finally:
        broker.kill()
    found = BOOKS.search(done.stdout)
    assert found, done.stdout
    count = int(found.group(1))
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(count / SECONDS, cpu_s * 1e9 / count)


def compare(static: Path, usual: Path, sandbox: Path) -> int:
    """Fails where the static build is slower by more than a tenth."""
    rounds = []
    for number in range(ROUNDS):
        # Who goes first has the cooler processor, or the warmer caches: they take turns in that, too.
        order = (usual, static) if number % 2 == 0 else (static, usual)
        runs = {binary: run_once(binary, sandbox) for binary in order}
        rounds.append((runs[usual], runs[static]))
        print(f"    usual {rounds[-1][0].rate / 1e6:.2f} M/s {rounds[-1][0].cpu_ns:.0f} ns, "
              f"static {rounds[-1][1].rate / 1e6:.2f} M/s {rounds[-1][1].cpu_ns:.0f} ns", flush=True)
    rate = statistics.median(static.rate / usual.rate for usual, static in rounds)
    cpu = statistics.median(usual.cpu_ns / static.cpu_ns for usual, static in rounds)
    print(f"the static build makes {rate:.2f} of the messages a second, {cpu:.2f} for the same processor time; "
          f"medians of {ROUNDS} rounds of {SECONDS} s")
    return 1 if rate < RATIO_MIN else 0
