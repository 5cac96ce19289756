"""The outcome of the trials as a table in Markdown."""

from dataclasses import dataclass

from chaos.contestants import Contestant
from chaos.faults import Fault
from chaos.verdict import Verdict

HEAD = ("fault", "producer", "messages", "not delivered", "lost", "duplicated", "reordered", "longest stall",
        "recovery")


@dataclass(frozen=True)
class Result:
    """Either a verdict, with what is wrong with it, or the reason why there is none."""

    fault: Fault
    contestant: Contestant
    verdict: Verdict | None = None
    failure: str = ""
    skipped: str = ""


def table(results: list[Result]) -> str:
    rows = [HEAD, ("---",) * 2 + ("---:",) * (len(HEAD) - 2), *map(cells, results)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def cells(result: Result) -> tuple[str, ...]:
    producer, verdict = str(result.contestant), result.verdict
    if verdict is None:
        why = f"FAILED: {result.failure.splitlines()[0]}" if result.failure else f"SKIPPED: {result.skipped}"
        return (result.fault.description(), producer, why, *[""] * (len(HEAD) - 3))
    counts = (verdict.messages, verdict.messages - verdict.acknowledged, verdict.lost, verdict.duplicated,
              verdict.reordered)
    return (result.fault.description(), producer, *map(str, counts), f"{verdict.longest_stall_s:.1f} s",
            "never" if verdict.recovery_s is None else f"{verdict.recovery_s:.1f} s")
