"""What the cases were run with, as a table for the README: nothing is in it that was not run."""

import datetime
from collections import defaultdict
from dataclasses import dataclass

from peers.cluster import Cluster

PASSED, FAILED = "passed", "FAILED"
HEAD = ("| Apache Kafka | mode | nodes | cases passed | date |", "| --- | --- | --- | --- | --- |")


@dataclass(frozen=True)
class Trial:
    """A suite's cases by their names, and the cluster that they met."""

    version: str
    mode: str
    nodes: int
    verdicts: dict[str, str]

    @staticmethod
    def of(cluster: Cluster, verdicts: dict[str, str]) -> "Trial":
        mode = "KRaft" if cluster.release.has_kraft else "ZooKeeper"
        return Trial(cluster.version, mode, len(cluster.nodes), verdicts)


def table(trials: list[Trial]) -> str:
    """In Markdown, a row for each kind of cluster, the oldest first."""
    verdicts = defaultdict(list)
    for trial in trials:
        verdicts[numbers(trial.version), trial.version, trial.mode, trial.nodes] += trial.verdicts.values()
    today = datetime.date.today().isoformat()
    rows = [f"| {version} | {mode} | {nodes} | {found.count(PASSED)} of {len(found)} | {today} |"
            for (_, version, mode, nodes), found in sorted(verdicts.items())]
    return "\n".join((*HEAD, *rows))


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
