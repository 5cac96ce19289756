"""Starts the peers, runs the cases one after the other, stops the peers, and says how many passed.

The last line is `N passed, N failed`; the exit code is 0 only if none failed and at least one ran. After a failure
the run's folder (the peers' and the program's logs, Kafka's data) is kept and named.
"""

import argparse
import os
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

import cases
import peers
from cases.bench import Bench
from certificates import Certificates
from listeners import all_listeners, common_properties, scram_users
from program import Program
from secured import Secured
from tokens import TokenServer

SCHEMA = Path("schema/shoe.proto")


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/kafka/run")
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("words", nargs="*", metavar="CASE", help="run only the cases whose name contains a word")
    arguments = parser.parse_args()
    chosen = [case for case in cases.CASES
              if not arguments.words or any(word in cases.name_of(case) for word in arguments.words)]
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
        bench = Bench(kafka, registry, Program(arguments.binary, home / "program"), SCHEMA.read_text())
        for case in chosen:
            if not run(case, bench):
                failed.append(cases.name_of(case))
    finally:
        kafka.stop()
        registry.stop()
        tokens.stop()
        if not failed and sys.exc_info()[0] is None:
            shutil.rmtree(home, ignore_errors=True)
        else:
            print(f"Logs and data are kept in {home}")
    for name in failed:
        print(f"FAILED {name}")
    print(f"{len(chosen) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def run(case, bench: Bench) -> bool:
    topic, name = case.__name__[:60], cases.name_of(case)
    started = time.monotonic()
    try:
        case(bench, topic)
    except Exception:  # whatever it is: the other cases are still to be run
        print(f"FAILED  {name}  {time.monotonic() - started:.1f} s", flush=True)
        traceback.print_exc(file=sys.stdout)
        return False
    print(f"ok      {name}  {time.monotonic() - started:.1f} s", flush=True)
    return True


def timed(what: str, action):
    started = time.monotonic()
    result = action()
    print(f"{what} in {time.monotonic() - started:.1f} s", flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
