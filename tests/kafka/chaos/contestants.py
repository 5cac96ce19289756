"""The producers that are put on the stage, all handled alike."""

import json
import re
import signal
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from confluent_kafka.schema_registry import SchemaRegistryClient

from chaos.faults import Stage
from chaos.verdict import Books
from peers.registry import Registry
from program import Outcome, Program, Run
from records import TIMESTAMP_LOG_APPEND_TIME, Record, Schema, compare
from rivals.ledger import number_of
from rivals.rival import Rival, RivalRun

SEED = 20_261_126


@dataclass(frozen=True)
class Told:
    """What a producer said at its end, and how its records are told apart in the topic."""

    books: Books
    number_of: Callable[[Record], int]  # fails with a KeyError or AssertionError for what it did not produce
    check_bytes: Callable[[list[Record]], None]  # of all records, if none is lost or there twice
    last_words: str


class Production(ABC):
    """A producer at work."""

    @abstractmethod
    def stop(self) -> Told:
        """By SIGTERM; returns when it has ended."""

    @abstractmethod
    def kill(self):
        """On the way out of a trial that went wrong."""


class Contestant(ABC):
    slug: str  # as topics have it

    @abstractmethod
    def __str__(self) -> str:
        """Its name and version, as the table has it."""

    @abstractmethod
    def unavailable(self) -> str:
        """Why it cannot be had here; empty if it can."""

    @abstractmethod
    def prepare(self):
        """What takes time or needs the network, once and before anything is cut."""

    @abstractmethod
    def start(self, stage: Stage, messages_per_s: int) -> Production:
        pass


class Ours(Contestant):
    """The program under test, with nothing set that a user would not have to set."""

    slug = "ours"

    def __init__(self, program: Program, registry: Registry, schema_text: str):
        self.program, self.registry = program, registry
        self.schema = Schema(schema_text)

    def __str__(self) -> str:
        return self.program.version()

    def unavailable(self) -> str:
        return ""

    def prepare(self):
        pass

    def start(self, stage: Stage, messages_per_s: int) -> Production:
        return OursAtWork(self, stage, messages_per_s)


class OursAtWork(Production):
    def __init__(self, contestant: Ours, stage: Stage, messages_per_s: int):
        self.contestant, self.stage = contestant, stage
        self.run: Run = contestant.program.start({
            "KAFKA_BOOTSTRAP_SERVERS": stage.bootstrap,
            "SCHEMA_REGISTRY_URL": contestant.registry.url,
            "KAFKA_TOPIC": stage.topic,
            "MESSAGE_INTERVAL": f"{1_000_000 // messages_per_s}us",
            "SEED": SEED,
        }, wrapped=stage.wrapped)

    def stop(self) -> Told:
        self.run.signal(signal.SIGTERM)
        outcome = self.run.finish()
        ledger = outcome.ledger
        shoes = self.contestant.program.shoes(SEED, ledger.generated)
        numbers = {json.loads(line)["id"].encode(): number for number, line in enumerate(shoes)}
        is_whole = ledger.acknowledged == ledger.generated
        assert outcome.code == (0 if is_whole else 1), f"exit code {outcome.code}:\n{outcome.output}"
        books = Books(ledger.generated, ledger.acknowledged, frozenset() if is_whole else None)
        return Told(books, lambda record: numbers[record.key],
                    lambda records: self._check_bytes(records, shoes, outcome), outcome.output)

    def _check_bytes(self, records: list[Record], shoes: list[str], outcome: Outcome):
        schema_id = SchemaRegistryClient({"url": self.contestant.registry.url}).get_latest_version(
            f"{self.stage.topic}-value").schema_id
        compare(records, shoes, self.contestant.schema, schema_id, partitions=self.stage.partitions, keyed=True,
                started_ms=outcome.started_ms, ended_ms=outcome.ended_ms, timestamp_type=TIMESTAMP_LOG_APPEND_TIME)

    def kill(self):
        self.run.kill()


class Theirs(Contestant):
    """A producer of other makers."""

    def __init__(self, rival: Rival, home: Path):
        self.rival, self.home = rival, home
        self.slug = re.sub(r"\W+", "_", rival.name + rival.variant)

    def __str__(self) -> str:
        # The version of one that cannot be had may not be had either.
        if self.unavailable():
            return ", ".join(filter(None, (self.rival.name, self.rival.variant)))
        return str(self.rival)

    def unavailable(self) -> str:
        return self.rival.unavailable()

    def prepare(self):
        self.rival.prepare()

    def start(self, stage: Stage, messages_per_s: int) -> Production:
        return TheirsAtWork(self.rival.start(stage.cluster.bootstrap, stage.topic, messages_per_s, self.home))


class TheirsAtWork(Production):
    def __init__(self, run: RivalRun):
        self.run = run

    def stop(self) -> Told:
        self.run.signal(signal.SIGTERM)
        ledger = self.run.finish()
        books = Books(ledger.generated, len(ledger.acknowledged), frozenset(ledger.failed | ledger.unsent))
        reasons = "\n".join(f"{count} failed: {words}" for words, count in ledger.reasons.items())
        # `number_of` looks at every byte.
        return Told(books, lambda record: number_of(record.key, record.value), lambda records: None, reasons)

    def kill(self):
        self.run.kill()
