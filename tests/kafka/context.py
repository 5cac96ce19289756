"""What a whole run has: the program under test, the cache of what was fetched, and a folder of its own."""

import time
from dataclasses import dataclass
from pathlib import Path

from peers.jars import fetch
from peers.releases import Release
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
