"""What a soak has found: the table, and all that is wrong. Nothing is judged by how long it took."""

import re
from collections import Counter
from dataclasses import dataclass
from statistics import median

from program import Ledger, Outcome
from soak.inspector import CHANGED, DUPLICATED, LOST, MISPLACED, REORDERED
from soak.sampler import Sample
from soak.verifier import Verdict

# KAFKA_BUFFER_MEMORY's default is 32 MiB; as much again for code, stacks, buffers of connections and the allocator.
PEAK_MIB_MAX = 64
# The buffer fills while a leader is away and empties again: medians, which that does not move, and only where a fifth
# of the run is longer than that takes.
GROWTH_MIB_MAX = 4
GROWTH_MINUTES_MIN = 10
LATENCY = re.compile(r"Latency: p50=(\S+) .*p99=(\S+) .*max=(\S+)")
SKIPPED = re.compile(r"Skipped=(\d+)")


@dataclass(frozen=True)
class Struck:
    """A fault as it came, in seconds since the program began."""

    name: str
    slug: str
    began_s: float
    strikes: tuple[tuple[float, float], ...]  # each from its begin until its cause was gone


@dataclass(frozen=True)
class Findings:
    release: str
    minutes: int
    struck: list[Struck]
    samples: list[Sample]
    before: Sample  # the first fault, with connections to all brokers
    after: Sample  # the last one, with connections to all brokers again
    outcome: Outcome
    verdict: Verdict

    @property
    def ledger(self) -> Ledger:
        return self.outcome.ledger

    @property
    def peak_mib(self) -> float:
        return self.after.peak_mib

    @property
    def growth_mib(self) -> float:
        """From the second fifth of the samples to the last."""
        fifth = len(self.samples) // 5
        early, late = self.samples[fifth:2 * fifth], self.samples[-fifth:]
        return median(each.rss_mib for each in late) - median(each.rss_mib for each in early)

    def wrong(self) -> list[str]:
        """Empty if the soak is passed."""
        ledger, verdict = self.ledger, self.verdict
        checks = [
            (self.struck, "no fault struck"),
            (self.outcome.code == 0, f"exit code {self.outcome.code}"),
            (ledger.failed == ledger.unsent == 0, f"not all was delivered: {ledger}"),
            (not verdict.faults, "\n".join([f"the topic is not what it must be: {verdict.faults}", *verdict.shown])),
            (verdict.verified == ledger.acknowledged,
             f"{verdict.verified} records verified, {ledger.acknowledged} acknowledged"),
            (self.peak_mib <= PEAK_MIB_MAX, f"a peak of {self.peak_mib} MiB, over {PEAK_MIB_MAX}"),
            (self.minutes < GROWTH_MINUTES_MIN or self.growth_mib <= GROWTH_MIB_MAX,
             f"memory grew by {self.growth_mib:.1f} MiB from the second fifth to the last"),
            (self.after.threads == self.before.threads,
             f"{self.after.threads} threads at the end, {self.before.threads} before the first fault"),
            (self.after.descriptors == self.before.descriptors,
             f"{self.after.descriptors} descriptors at the end, {self.before.descriptors} before the first fault"),
        ]
        return [text for holds, text in checks if not holds]

    def rows(self) -> list[tuple[str, str]]:
        faults, samples = self.verdict.faults, self.samples
        kinds = Counter(each.name for each in self.struck)
        acknowledged = self.ledger.acknowledged
        rows = [
            ("Apache Kafka", f"{self.release}, three nodes"),
            ("ran for", f"{samples[-1].seconds / 60:.1f} minutes"),
            ("messages", f"{acknowledged:,} acknowledged, {self.ledger.failed} failed, {self.ledger.unsent} unsent"),
            ("faults", ", ".join(f"{count} × {name}" for name, count in kinds.items())),
            ("records compared", f"{self.verdict.verified:,}"),
            *((kind, str(faults.get(kind, 0))) for kind in (LOST, DUPLICATED, REORDERED, CHANGED, MISPLACED)),
            ("memory (RSS)",
             f"median {median(each.rss_mib for each in samples):.1f} MiB, peak {self.peak_mib:.1f} MiB"),
            ("memory growth", f"{self.growth_mib:+.1f} MiB from the second fifth to the last"),
            ("threads", spread([each.threads for each in samples], self.after.threads)),
            ("descriptors", spread([each.descriptors for each in samples], self.after.descriptors)),
            ("CPU a message", f"{self.after.cpu_s / max(acknowledged, 1) * 1e6:.2f} µs"),
            ("context switches", f"{self.after.voluntary_switches / self.after.seconds:.0f} a second, voluntary"),
        ]
        if found := LATENCY.search(self.outcome.output):
            rows.append(("a message's wait", f"median {found[1]}, p99 {found[2]}, longest {found[3]}"))
        skipped = SKIPPED.findall(self.outcome.output)
        rows.append(("ticks given up", skipped[-1] if skipped else "0"))
        cpu_us = self.verdict.cpu_s / max(self.verdict.verified, 1) * 1e6
        rows.append(("the verifier", f"{cpu_us:.1f} µs of CPU a record, peak {self.verdict.peak_mib:.0f} MiB"))
        return rows

    def table(self) -> str:
        """Markdown."""
        rows = [f"| {name} | {text} |" for name, text in self.rows()]
        return "\n".join(["| soak | |", "| --- | --- |", *rows]) + "\n"


def spread(values: list[int], last: int) -> str:
    return f"{min(values)} to {max(values)}, {last} at the end"
