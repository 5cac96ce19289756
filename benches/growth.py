"""`benches/run growth`: how the program's costs grow, one thing changed at a time.

    benches/run growth [--rounds 3] [--seconds 2] [--publish]

Partitions, brokers, width of records, codecs, TLS, acks: each row is the program at full speed against a sandbox that
discards, and differs from the first row in what its name says. Rows run in turn, round after round; ratios to the first row
are taken within a round. Wider records come from a program of the benchmark's own (`wide`), which is ours but for a field
behind each shoe. Brokers are one process each way: nine of them share what one has.
"""

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path

import building
import results
from brokers import CARGO_BINARIES, Endpoint, Ground, Sandbox
from contestants import Ours
from figures import Row, cpu, markdown, rate, ratio_text
from machine import Others, machine
from runner import RunFailed, run_once

HEAD = ("what is changed", "messages/s", "÷ first row", "MB/s", "CPU ns/message", "÷ first row", "peak MiB")
SHOE_BYTES = 36 + 93


class Wide(Ours):
    """Ours with so many bytes more in each value."""

    def __init__(self, slug: str, variant: str, extra: int):
        super().__init__(slug, variant, settings={"WIDE_BYTES": extra})

    def command(self, endpoint: Endpoint, seconds: float) -> list[str]:
        return [str(CARGO_BINARIES / "wide"), *super().command(endpoint, seconds)[1:]]


@dataclass(frozen=True)
class Change:
    contestant: Ours
    ground: Ground
    record_bytes: int = SHOE_BYTES


def changes() -> list[Change]:
    """The first is what the others are compared with."""
    as_it_is = Sandbox()

    def ours(name: str, ground: Ground = as_it_is, record_bytes: int = SHOE_BYTES, **settings: str) -> Change:
        return Change(Ours(name, name, settings=dict(settings)), ground, record_bytes)

    return [
        ours("nothing: 3 partitions, 1 broker, 129 B"),
        *(ours(f"{count} partition{'s' * (count > 1)}", Sandbox(partitions=count)) for count in (1, 10, 100, 1000)),
        *(ours(f"{count} brokers, 9 partitions", Sandbox(partitions=9, nodes=count)) for count in (3, 9)),
        ours("without a key: 93 B", record_bytes=93, KAFKA_MESSAGE_KEY="none"),
        *(Change(Wide(f"{size:,} B", f"{size:,} B", size - SHOE_BYTES), as_it_is, size) for size in (1000, 10_000)),
        *(ours(f"compressed: {codec}", KAFKA_COMPRESSION_TYPE=codec) for codec in ("lz4", "snappy", "gzip", "zstd")),
        ours("over TLS", Sandbox(security_protocol="SSL")),
        *(ours(f"acks={acks}", KAFKA_ACKS=acks) for acks in ("1", "0")),
    ]


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    reason = building.cargo("measure", "wide")
    if reason:
        raise SystemExit(f"measure and wide cannot be built: {reason}")
    entries = [(change, Row(change.contestant)) for change in changes()]
    about, others = machine(), Others()
    with results.home() as home:
        for number in range(1, options.rounds + 1):
            for place, (change, row) in enumerate(entries):
                add_run(change, row, options.seconds, home / f"{number}-{place}")
                print(f"round {number}: {change.contestant.variant}: {row.last()}", flush=True)
    about["used by others meanwhile"] = f"{others.cores():.2f} cores"
    first = entries[0][1]
    print("\n" + ", ".join(f"{name} {value}" for name, value in about.items()) + "\n")
    print(markdown([HEAD, *(cells(change, row, first) for change, row in entries)]))
    data = {"what": "growth", "machine": about, "rounds": options.rounds, "seconds": options.seconds,
            "rows": [as_data(change, row, first) for change, row in entries]}
    results.write("growth", data, "", options.publish)
    wrong = [f"{change.contestant.variant}: {row.missing}" for change, row in entries if row.missing]
    for what in wrong:
        print(f"WRONG: {what}")
    return 1 if wrong else 0


def add_run(change: Change, row: Row, seconds: float, home: Path):
    try:
        row.runs.append(run_once(change.contestant, change.ground, seconds, home))
    except RunFailed as failure:
        row.add_failure(str(failure))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benches/run growth")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--publish", action="store_true")
    return parser.parse_args(arguments)


def cells(change: Change, row: Row, first: Row) -> tuple[str, ...]:
    speed, cost = row.median(rate), row.median(cpu)
    if speed is None or cost is None:
        return (change.contestant.variant, *["–"] * (len(HEAD) - 1))
    return (change.contestant.variant, f"{speed:,.0f}", ratio_text(row.ratio(first, rate)),
            f"{speed * change.record_bytes / 1e6:,.0f}", f"{cost:,.0f}", ratio_text(row.ratio(first, cpu)),
            f"{max(run.peak_kib for run in row.whole) / 1024:,.1f}")


def as_data(change: Change, row: Row, first: Row) -> dict:
    return {"changed": change.contestant.variant, "record_bytes": change.record_bytes, "missing": row.missing,
            "messages_per_s": row.median(rate), "of_first": row.ratio(first, rate),
            "cpu_ns_per_message": row.median(cpu), "cpu_of_first": row.ratio(first, cpu),
            "runs": [run and asdict(run) for run in row.runs]}
