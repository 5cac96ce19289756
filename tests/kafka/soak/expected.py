"""The records that a topic must hold, in the order in which they were made, as far ahead as somebody asks.

What shoe n of a seed is, is taken from the program (`--dry-run`); its frame, its Protobuf and its partition are made
here, by Google's Protobuf and the rules of `records.py`. One queue a partition: a shoe that belongs to another
partition than the one that is asked for waits in its own queue. Nothing is ever made twice or forgotten.
"""

import json
import subprocess
from collections import deque
from pathlib import Path
from typing import Iterator, NamedTuple

from peers.processes import dying_with_this_process
from program import environment
from records import FRAME, Schema, partition_of


class Expected(NamedTuple):
    number: int
    key: bytes
    value: bytes


class Shoes:
    """The shoes of a seed without end. By a thread that stays: see `dying_with_this_process`."""

    def __init__(self, binary: Path, seed: int, home: Path):
        self._popen = subprocess.Popen([binary, "--dry-run", "--seed", str(seed), "--interval", "0"],
                                       env=environment({}), cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       encoding="utf-8", preexec_fn=dying_with_this_process())

    def __iter__(self) -> Iterator[dict]:
        return map(json.loads, self._popen.stdout)

    def stop(self):
        self._popen.kill()
        self._popen.wait()


class Queues:
    def __init__(self, shoes: Iterator[dict], schema: Schema, schema_id: int, partitions: int):
        self._shoes = iter(shoes)
        self._make = schema.message
        self._frame = FRAME.pack(0, schema_id, 0)
        self.of = [deque() for _ in range(partitions)]
        self.made = 0

    def make_one(self):
        shoe = next(self._shoes)
        key = shoe["id"].encode()
        value = self._frame + self._make(**shoe).SerializeToString()
        self.of[partition_of(key, len(self.of))].append(Expected(self.made, key, value))
        self.made += 1

    def waiting(self) -> int:
        return sum(map(len, self.of))
