"""Opens the cluster of three, and says which cases meet it."""

import contextlib
from typing import Iterator

from cases.suite import Suite
from cases.three import changes, delivery, limits, permissions
from cases.three.bench import LISTENERS, PROPERTIES, ThreeBench
from context import SCHEMA, Context, started
from peers.cluster import Cluster

NODES = 3


@contextlib.contextmanager
def bench(context: Context) -> Iterator[ThreeBench]:
    home = context.home / "three"
    kafka = Cluster(context.release, context.jars(context.release.profile), home / "kafka", nodes=NODES,
                    listeners=LISTENERS, properties=PROPERTIES)
    with started(context, kafka, home) as registry:
        yield ThreeBench(kafka, registry, context.program("three/program"), SCHEMA.read_text())


SUITE = Suite("three", bench,
              one_by_one=(*limits.ALONE, *changes.ALONE),
              together=(*limits.CASES, *changes.CASES, *permissions.CASES, *delivery.CASES))
