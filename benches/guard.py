"""`benches/run guard`: what a message costs in instructions and in allocations, which no other load on the machine changes.

    benches/run guard [--record]

The program as it ships runs under valgrind's callgrind against a sandbox that discards, for two counts of messages; the
difference, divided, is what one more message costs, all threads together. It must be within 10 % of what is recorded in
`guard.json`, in either direction: who makes it faster records it anew. And it must take nothing from the heap: what a batch
takes is allowed, and is far less than one allocation for a hundred messages.

Lingering is long here, because valgrind is slow: batches leave full, as they do at full speed. The kernel's part is not
counted, nor are cache misses: that is what `make bench` is for. Another release of the compiler makes other code, so that
there it is said that nothing was compared. Exit code: 0 as recorded (or nothing to compare with), 1 not so.
"""

import argparse
import json
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import results
from brokers import Sandbox
from contestants import BINARY
from peers.processes import PeerError, Process
from program import environment

RECORD = Path(__file__).resolve().parent / "guard.json"
MESSAGES = (200_000, 600_000)
TOLERANCE = 0.10
ALLOCATIONS_MAX = 0.01
TIMEOUT_S = 240
ALLOCATORS = re.compile(r"^(malloc|calloc|realloc|aligned_alloc|posix_memalign|memalign)\b")
NAMED = re.compile(r"^(c?)fn=\((\d+)\)(?: (.*))?$")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="benches/run guard")
    parser.add_argument("--record", action="store_true")
    record = parser.parse_args(arguments).record
    reason = why_not()
    if reason:
        print(f"SKIPPED: {reason}")
        return 0
    with results.home() as home:
        few, many = (run(count, home) for count in MESSAGES)
    more = MESSAGES[1] - MESSAGES[0]
    instructions, allocations = ((after - before) / more for before, after in zip(few, many))
    print(f"a message costs {instructions:.0f} instructions and {allocations:.4f} allocations")
    if record and allocations <= ALLOCATIONS_MAX:
        RECORD.write_text(json.dumps({"compiler": compiler(), "instructions": round(instructions)}, indent=1) + "\n")
        print(f"recorded in {RECORD.name}")
    return judge(instructions, allocations)


def judge(instructions: float, allocations: float) -> int:
    wrong = []
    if allocations > ALLOCATIONS_MAX:
        wrong.append(f"{allocations:.4f} allocations a message, where at most {ALLOCATIONS_MAX} are allowed")
    recorded = json.loads(RECORD.read_text())
    if recorded["compiler"] != compiler():
        print(f"SKIPPED: recorded with {recorded['compiler']}, and this is {compiler()}: instructions are not compared")
    else:
        ratio = instructions / recorded["instructions"]
        print(f"instructions: {ratio:.3f} of the {recorded['instructions']} that are recorded")
        if abs(ratio - 1) > TOLERANCE:
            wrong.append(f"more than {TOLERANCE:.0%} off; if that is meant: benches/run guard --record")
    for what in wrong:
        print(f"WRONG: {what}")
    return 1 if wrong else 0


def why_not() -> str:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return f"instructions are recorded for Linux on x86_64, and this is {platform.system()} on {platform.machine()}"
    if shutil.which("valgrind") is None:
        return "valgrind is not installed"
    return ""


def compiler() -> str:
    done = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
    return " ".join(done.stdout.split()[:2])


def run(messages: int, home: Path) -> tuple[int, int]:
    """Instructions and allocations of a whole run of so many messages."""
    at = (home / f"guard-{messages}").resolve()
    at.mkdir(parents=True)
    profile = at / "callgrind.out"
    broker = Sandbox().start(at)
    try:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}", str(BINARY), "--interval", "0",
                   "--count", str(messages), "--linger", "1s", "--seed", "1", "--stats-interval", "0"]
        settings = {"KAFKA_BOOTSTRAP_SERVERS": broker.endpoint.bootstrap, "KAFKA_TOPIC": broker.endpoint.topic,
                    "SCHEMA_REGISTRY_URL": broker.endpoint.registry_url}
        process = Process("callgrind", command, at / "client.log", environment(settings), at)
        try:
            code = process.popen.wait(TIMEOUT_S)
        finally:
            process.kill()
        taken = broker.finish()
        if code != 0 or taken != messages:
            raise PeerError(f"it ended with {code}, and the broker took {taken} of {messages}\n{process.tail()}")
    finally:
        broker.kill()
    return counted(profile.read_text())


def counted(profile: str) -> tuple[int, int]:
    """What callgrind's file says: `totals`, and after each `cfn=` how often it is called from there."""
    instructions = int(re.search(r"^(?:totals|summary): (\d+)", profile, re.MULTILINE)[1])
    names: dict[str, str] = {}
    called, allocations = "", 0
    for line in profile.splitlines():
        named = NAMED.match(line)
        if named:
            is_called, number, name = named.groups()
            name = names.setdefault(number, name or "")
            called = name if is_called else ""
        elif line.startswith("calls=") and ALLOCATORS.match(called):
            allocations += int(line.removeprefix("calls=").split()[0])
    if allocations == 0:
        sys.exit("callgrind saw no allocation at all: it does not know the allocator's names")
    return instructions, allocations
