"""What a whole run has: the program under test, the cache of what was fetched, and a folder of its own."""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from peers.cluster import Cluster
from peers.jars import fetch
from peers.registry import PROFILE as REGISTRY
from peers.registry import Registry
from peers.releases import Release
from peers.topics import wait_until_whole
from program import Program

SCHEMA = Path("schema/shoe.proto")


@dataclass(frozen=True)
class Context:
    binary: Path
    cache: Path
    home: Path
    release: Release  # of Kafka, where a run is of one

    def jars(self, profile: str) -> Path:
        return timed(f"{profile} fetched", lambda: fetch(self.cache, profile))

    def program(self, name: str) -> Program:
        return Program(self.binary, self.home / name)


def timed(what: str, action):
    started = time.monotonic()
    result = action()
    print(f"{what} in {time.monotonic() - started:.1f} s", flush=True)
    return result


@contextlib.contextmanager
def started(context: Context, kafka: Cluster, home: Path, host: str = "127.0.0.1") -> Iterator[Registry]:
    """The cluster, and a registry beside it that listens at `host`, run meanwhile."""
    registry = Registry(context.jars(REGISTRY), home / "registry", host)
    try:
        timed("Registry started", registry.start)
        timed(f"Kafka {kafka.version} started", kafka.start)
        wait_until_whole(kafka)
        yield registry
    finally:
        kafka.stop()
        registry.terminate()
