"""`benches/run`: how fast the program is, beside what this machine can do and what other producers do on it.

    benches/run sandbox [--rounds 3] [--seconds 3] [--publish] [NAME ...]
    benches/run kafka   …the same, on a real Apache Kafka
    benches/run growth  how cost grows: growth.py
    benches/run guard   what a message costs in instructions: guard.py

Contestants run one at a time, in turn, round after round (A B C … A B C …), each against a broker of its own: a fresh
sandbox that checks checksums and discards, or a fresh topic of a real Kafka with one node; three partitions. The
`limit` is the program's hot path without Kafka: shoes, record batches, checksums, a socket.

All send keyed, uncompressed records of 36 + 93 bytes with acks=all, 5 ms linger and batches of up to 1 MB, and
idempotently where they can; what else is set, and why, stands in each one's program. The others send ready-made
records, keys in turn out of 4,096, while ours invents every shoe and serialises it: that favours the others.

What is measured: messages a second from the first send to the last acknowledgement, without the start; CPU time (user
and system) and peak resident memory of the producer's process from its start to its end, never the broker's. A run
counts only if the broker took exactly as many records as the producer says were acknowledged. Ratios are taken within
a round.

All runs are over within 2 minutes with 3 rounds of 3 s, in proportion with others. Not in that: building, and a real
Kafka's start and warming up, a round that does not count. What no time is left for is not run, and named. So is a
producer that cannot be had here, with the reason. The table is printed, and written with all runs to target/bench as
JSON and SVG; `--publish` writes these two to docs as well.

Exit code 1: our own runs failed, or a count was wrong.
"""

import argparse
import contextlib
import signal
import sys
import time
from pathlib import Path
from typing import Iterator

# The tests' harness: processes, ports, jars, clusters, topics, the program's last words.
sys.path.append(str(Path(__file__).resolve().parent.parent / "tests" / "kafka"))

import bars
import building
import growth
import guard
import results
from brokers import Ground, Sandbox, Sink
from contestants import Contestant, Limit, Ours, peers
from figures import Outcome, Row
from machine import Others, machine
from runner import CLIENT_GRACE_S, Miscounted, RunFailed, run_once

KAFKA_CACHE = Path("target/kafka")
BOUND_S, BOUND_ROUNDS, BOUND_SECONDS = 120, 3, 3.0
BOUND_S_MIN = 30
OVER_TLS = "ours-tls"
# More than this, and the figures are not the contestants' own.
OTHERS_CORES_MAX = 0.2


def main() -> int:
    # A termination is an exception like Ctrl-C, so that brokers and producers are stopped on this way out too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    others = {"growth": growth.main, "guard": guard.main}
    if sys.argv[1:] and sys.argv[1] in others:
        return others[sys.argv[1]](sys.argv[2:])
    return contest()


def contest() -> int:
    parser = argparse.ArgumentParser(prog="benches/run")
    parser.add_argument("where", choices=("sandbox", "kafka"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these contestants")
    parser.add_argument("--rounds", type=int, default=BOUND_ROUNDS)
    parser.add_argument("--seconds", type=float, default=BOUND_SECONDS)
    parser.add_argument("--publish", action="store_true")
    arguments = parser.parse_intermixed_args()
    entries = chosen(arguments.where, arguments.names)
    entries = [(Row(contestant), ground) for contestant, ground in entries]
    prepare([row for row, _ in entries])
    about, others = machine(), Others()
    with results.home() as folder, grounds(arguments.where, folder) as main_ground:
        wrong = run_all(entries, main_ground, arguments.rounds, arguments.seconds, folder)
    # Only now, when all that was started has ended and counts as ours.
    others_cores = others.cores()
    about["used by others meanwhile"] = f"{others_cores:.2f} cores"
    tell(main_ground, about, others_cores, Outcome([row for row, _ in entries]), arguments)
    for what in wrong:
        print(f"WRONG: {what}")
    return 1 if wrong else 0


def chosen(where: str, names: list[str]) -> list[tuple[Contestant, Ground | None]]:
    """Who contends, and against what if not against the ground of all."""
    all_of_them: list[tuple[Contestant, Ground | None]] = [(Limit(), Sink()), (Ours(), None)]
    if where == "sandbox":
        over_tls = Ours(OVER_TLS, "over TLS", "TLS 1.3; the broker decrypts on the same cores")
        all_of_them.append((over_tls, Sandbox(security_protocol="SSL")))
    all_of_them += [(peer, None) for peer in peers(KAFKA_CACHE)]
    known = [contestant.slug for contestant, _ in all_of_them]
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"no contestant {', '.join(unknown)}; there are {', '.join(known)}")
    return [(contestant, ground) for contestant, ground in all_of_them if not names or contestant.slug in names]


def prepare(rows: list[Row]):
    """Who cannot be had is marked so. Without what measures and what is measured against, nothing goes on."""
    print("Building …", flush=True)
    reason = building.cargo("limit", "measure")
    if reason:
        sys.exit(f"limit and measure cannot be built: {reason}")
    for row in rows:
        row.unavailable = row.contestant.prepare()


@contextlib.contextmanager
def grounds(where: str, folder: Path) -> Iterator[Ground]:
    if where == "sandbox":
        yield Sandbox()
    else:
        # Needs what is in the tests' virtual environment, and the sandbox does not.
        import real_kafka

        with real_kafka.started(KAFKA_CACHE, folder) as ground:
            yield ground


def run_all(entries: list[tuple[Row, Ground | None]], main_ground: Ground, rounds: int, seconds: float,
            folder: Path) -> list[str]:
    """Fills the rows; returns what is wrong."""
    wrong = []
    entries = [(row, ground) for row, ground in entries if not row.unavailable]
    if main_ground.needs_warming_up:
        print("Warming up …", flush=True)
        for row, ground in entries:
            if ground is None:
                try:
                    run_once(row.contestant, main_ground, seconds, folder / f"warm-{row.contestant.slug}")
                except RunFailed as failure:
                    if is_wrong(row, failure):
                        wrong.append(f"{row.label}, warming up: {failure}")
    bound_s = BOUND_S * rounds * seconds / (BOUND_ROUNDS * BOUND_SECONDS)
    deadline = time.monotonic() + max(bound_s, BOUND_S_MIN)
    for number in range(1, rounds + 1):
        for row, ground in entries:
            if time.monotonic() + seconds + CLIENT_GRACE_S > deadline:
                row.add_failure(f"no time was left in round {number}")
                if not row.contestant.is_peer:
                    wrong.append(f"{row.label}: {row.last()}")
                continue
            at = folder / f"{number}-{row.contestant.slug}"
            try:
                row.runs.append(run_once(row.contestant, ground or main_ground, seconds, at))
            except RunFailed as failure:
                row.add_failure(str(failure))
                if is_wrong(row, failure):
                    wrong.append(f"{row.label}: {failure}")
            print(f"round {number}: {row.label}: {row.last()}", flush=True)
    return wrong


def is_wrong(row: Row, failure: RunFailed) -> bool:
    """Another producer may fail; a wrong count may not be, nor a run of ours or of the limit that is missing."""
    return isinstance(failure, Miscounted) or not row.contestant.is_peer


def tell(ground: Ground, about: dict[str, str], others_cores: float, outcome: Outcome, arguments: argparse.Namespace):
    on = ", ".join(f"{name} {value}" for name, value in about.items())
    title = f"Full speed, sending to {ground.name}"
    print(f"\n{title}: medians of {arguments.rounds} rounds of {arguments.seconds:g} s\n{on}\n")
    print(outcome.table())
    if others_cores > OTHERS_CORES_MAX:
        print("\nWARNING: others used this machine too: trust the ratios, and those little.")
    notes = outcome.notes()
    print("\n" + "\n".join(f"- {note}" for note in notes))
    data = {"what": title, "machine": about, "rounds": arguments.rounds, "seconds": arguments.seconds,
            "rows": outcome.as_json()}
    chart = bars.draw(title, f"{about['processor']}, {about['cores']} cores, {about['date']}", outcome)
    results.write("bench" if arguments.where == "sandbox" else "bench-kafka", data, chart, arguments.publish)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
