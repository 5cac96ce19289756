"""What the runs say taken together: medians, spread, and ratios, as a table and as JSON.

A ratio is taken within a round, in which both ran one after the other, and then the median of the rounds: on a machine
that others use too, one run's seconds say little and their ratio says more. A contestant without figures keeps its row,
with the reason.
"""

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Callable

from contestants import Contestant
from runner import Figures

LIMIT, LIBRDKAFKA = "limit", "librdkafka"
HEAD = ("producer", "messages/s", "min – max", "÷ limit", "÷ librdkafka", "CPU ns/message", "÷ librdkafka",
        "peak MiB", "runs")
NOTHING = "–"


@dataclass
class Row:
    contestant: Contestant
    # One a round; None where it did not run, or failed.
    runs: list[Figures | None] = field(default_factory=list)
    unavailable: str = ""  # why it cannot be had here at all
    failures: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        version = "" if self.unavailable else self.contestant.version()
        return " ".join(filter(None, (self.contestant.name, version, self.contestant.variant)))

    @property
    def missing(self) -> str:
        """Why it has no figures, or fewer than the others; empty if it has all."""
        return self.unavailable or "; ".join(dict.fromkeys(self.failures))

    def add_failure(self, why: str):
        """Said in one line, whatever it has."""
        self.runs.append(None)
        self.failures.append("; ".join(line.strip() for line in why.splitlines() if line.strip()))

    def last(self) -> str:
        """What came of the last run."""
        run = self.runs[-1]
        if run is None:
            return self.failures[-1]
        return f"{run.rate:,.0f} messages/s, {run.cpu_ns:,.0f} ns of CPU a message"

    @property
    def whole(self) -> list[Figures]:
        return [run for run in self.runs if run is not None]

    def median(self, of: Callable[[Figures], float]) -> float | None:
        return median(map(of, self.whole)) if self.whole else None

    def ratio(self, base: "Row", of: Callable[[Figures], float]) -> float | None:
        """The median of the rounds' ratios."""
        pairs = zip(self.runs, base.runs)
        ratios = [of(run) / of(other) for run, other in pairs if run is not None and other is not None and of(other)]
        return median(ratios) if ratios else None


class Outcome:
    """All rows, each with as many runs as there were rounds."""

    def __init__(self, rows: list[Row]):
        self.rows = rows
        self.by_slug = {row.contestant.slug: row for row in rows}

    def ratio(self, row: Row, base: str, of: Callable[[Figures], float]) -> float | None:
        return row.ratio(self.by_slug[base], of) if base in self.by_slug else None

    def table(self) -> str:
        return markdown([HEAD, *(self.cells(row) for row in self.rows)])

    def cells(self, row: Row) -> tuple[str, ...]:
        whole = row.whole
        if not whole:
            return (row.label, *[NOTHING] * (len(HEAD) - 2), "0" if row.unavailable else f"0 of {len(row.runs)}")
        rates = [run.rate for run in whole]
        return (row.label, f"{median(rates):,.0f}", f"{millions(min(rates))} – {millions(max(rates))} M",
                ratio_text(self.ratio(row, LIMIT, rate)), ratio_text(self.ratio(row, LIBRDKAFKA, rate)),
                f"{row.median(cpu):,.0f}", ratio_text(self.ratio(row, LIBRDKAFKA, cpu)),
                f"{max(run.peak_kib for run in whole) / 1024:,.1f}", f"{len(whole)} of {len(row.runs)}")

    def notes(self) -> list[str]:
        """One for each row that has one: what is not comparable, and why something is missing."""
        texts = [(row, "; ".join(filter(None, (row.contestant.note, row.missing and f"MISSING: {row.missing}"))))
                 for row in self.rows]
        return [f"{row.label}: {text}" for row, text in texts if text]

    def as_json(self) -> list[dict]:
        return [{
            "slug": row.contestant.slug,
            "producer": row.label,
            "note": row.contestant.note,
            "missing": row.missing,
            "messages_per_s": row.median(rate),
            "of_limit": self.ratio(row, LIMIT, rate),
            "of_librdkafka": self.ratio(row, LIBRDKAFKA, rate),
            "cpu_ns_per_message": row.median(cpu),
            "cpu_of_librdkafka": self.ratio(row, LIBRDKAFKA, cpu),
            "peak_kib": max((run.peak_kib for run in row.whole), default=None),
            "runs": [run and asdict(run) for run in row.runs],
        } for row in self.rows]


def rate(run: Figures) -> float:
    return run.rate


def cpu(run: Figures) -> float:
    return run.cpu_ns


def millions(value: float) -> str:
    return f"{value / 1e6:.2f}"


def ratio_text(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}"


def markdown(rows: list[tuple[str, ...]]) -> str:
    """A table; the first row is its head, and the first column is text."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["| " + " | ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                               for column, (cell, width) in enumerate(zip(row, widths))) + " |" for row in rows]
    rule = "| " + " | ".join("-" * width if column == 0 else "-" * (width - 1) + ":"
                             for column, width in enumerate(widths)) + " |"
    return "\n".join([lines[0], rule, *lines[1:]])
