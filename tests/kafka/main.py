"""Starts the peers, runs the cases one after the other, stops the peers, and says how many passed.

The last line is `N passed, N failed`; the exit code is 0 only if none failed and at least one passed. After a failure the
run's folder (the peers' and the program's logs, Kafka's data) is kept and named.
"""

import argparse
import os
import shutil
import signal
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cases
import peers
from cases.bench import Bench
from certificates import Certificates
from gate import Gate
from listeners import all_listeners, common_properties, scram_users
from program import Program
from secured import Secured
from tokens import TokenServer

SCHEMA = Path("schema/shoe.proto")
TOGETHER_MAX = 8
TOPIC_CHARS_MAX = 200  # Kafka allows 249; cases that add to it have room
PASSED, FAILED = "passed", "FAILED"


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/kafka/run")
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("words", nargs="*", metavar="CASE", help="run only the cases whose name contains a word")
    arguments = parser.parse_args()
    one_by_one, together = ([case for case in each if is_chosen(case, arguments.words)]
                            for each in (cases.ONE_BY_ONE, cases.TOGETHER))
    chosen = one_by_one + together
    if not chosen:
        parser.error(f"no case has a name with {' or '.join(arguments.words)}")

    # A termination is an exception like Ctrl-C, so that the peers are stopped on this way out too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    home = arguments.cache / f"run-{os.getpid()}"
    shutil.rmtree(home, ignore_errors=True)
    jars, apicurio = timed("Peers fetched", lambda: peers.fetch(arguments.cache))
    certificates = timed("Certificates made", lambda: Certificates(home / "certificates"))
    tokens = TokenServer(home, certificates)
    kafka = peers.Kafka(jars, home / "kafka", all_listeners(certificates, tokens.keys.as_uri()),
                        common_properties(certificates), scram_users())
    registry = peers.Registry(apicurio, home / "registry")
    failed = []
    try:
        timed("Kafka started", kafka.start)
        timed("Registry started", registry.start)
        secured = Secured(kafka, certificates, tokens)
        timed("Every way into Kafka tried with librdkafka", secured.prove)
        gate = Gate(registry.url, certificates)
        gate.prove()
        program = Program(arguments.binary, home / "program")
        bench = Bench(secured, registry, gate, program, SCHEMA.read_text())
        verdicts = [run(case, bench) for case in one_by_one]
        with ThreadPoolExecutor(TOGETHER_MAX) as pool:
            verdicts += pool.map(lambda case: run(case, bench), together)
        failed = [cases.name_of(case) for case, verdict in zip(chosen, verdicts) if verdict == FAILED]
    finally:
        kafka.stop()
        registry.stop()
        if not failed and sys.exc_info()[0] is None:
            shutil.rmtree(home, ignore_errors=True)
        else:
            print(f"Logs and data are kept in {home}")
    for name in failed:
        print(f"FAILED {name}")
    print(", ".join(f"{verdicts.count(each)} {each.lower()}" for each in (PASSED, FAILED)))
    return 0 if PASSED in verdicts and not failed else 1


def is_chosen(case: cases.Case, words: list[str]) -> bool:
    return not words or any(word in cases.name_of(case) for word in words)


def topic_of(case: cases.Case) -> str:
    """A topic of its own for each case: they may run side by side."""
    name = case.__name__
    assert len(name) <= TOPIC_CHARS_MAX, f"too long for a topic: {name}"
    return name


def run(case: cases.Case, bench: Bench) -> str:
    """The verdict. What it prints it prints in one piece: others may be printing too."""
    started = time.monotonic()
    verdict, why = PASSED, ""
    try:
        case(bench, topic_of(case))
    except Exception:  # whatever it is: the other cases are still to be run
        verdict, why = FAILED, traceback.format_exc()
    print(f"{verdict:6} {cases.name_of(case)}  {time.monotonic() - started:.1f} s\n{why}", end="", flush=True)
    return verdict


def timed(what: str, action):
    started = time.monotonic()
    result = action()
    print(f"{what} in {time.monotonic() - started:.1f} s", flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
