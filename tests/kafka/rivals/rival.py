"""The rivals as the test sees them: what each is, whether it can be had here, and a run of it.

What is compiled is kept in the cache, by a digest of its source; nothing is written beside the sources.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path

import confluent_kafka

from peers.jars import fetch
from peers.processes import PeerError, Process
from peers.releases import NEWEST
from rivals.ledger import RivalLedger, read_ledger

HERE = Path(__file__).resolve().parent
BUILD_TIMEOUT_S = 600
# Each program gives its client 30 s to send what is left.
FINISH_TIMEOUT_S = 60


class Rival(ABC):
    name: str
    variant: str = ""  # what is set that is not its default
    needs: tuple[str, ...] = ()  # on the PATH

    def __init__(self, cache: Path):
        self.cache = cache.resolve()

    @property
    @abstractmethod
    def version(self) -> str:
        """Of the client, exactly."""

    def unavailable(self) -> str:
        """Why it cannot be had here; empty if it can."""
        missing = [tool for tool in self.needs if shutil.which(tool) is None]
        return f"{self.name} needs {' and '.join(missing)}, not found on the PATH" if missing else ""

    def prepare(self):
        """Fetches and compiles what is not in the cache yet. May take minutes and use the network."""

    @abstractmethod
    def command(self) -> list[str]:
        """Takes four arguments more: bootstrap servers, topic, messages a second, and the file for the ledger."""

    def start(self, bootstrap: str, topic: str, messages_per_s: int, home: Path) -> "RivalRun":
        """By a thread that stays: see `dying_with_this_process`. `home` is made if need be."""
        home.mkdir(parents=True, exist_ok=True)
        return RivalRun(self, [bootstrap, topic, str(messages_per_s)], home.resolve())

    def __str__(self) -> str:
        return ", ".join(filter(None, (f"{self.name} {self.version}", self.variant)))


class Java(Rival):
    name = "Java's kafka-clients"
    needs = ("java", "javac")
    source = HERE / "Producer.java"

    @property
    def jars(self) -> Path:
        return fetch(self.cache, NEWEST.profile)

    @property
    def version(self) -> str:
        [jar] = self.jars.glob("kafka-clients-*.jar")
        with zipfile.ZipFile(jar) as packed:
            properties = packed.read("kafka/kafka-version.properties").decode()
        return re.search(r"^version=(.+)$", properties, re.MULTILINE)[1].strip()

    @property
    def classes(self) -> Path:
        return built_home(self.cache, "java", self.source)

    def prepare(self):
        build(self.classes, lambda output: ["javac", "-cp", f"{self.jars}/*", "-d", str(output), str(self.source)])

    def command(self) -> list[str]:
        return ["java", "-Djava.net.preferIPv4Stack=true", "-cp", f"{self.classes}:{self.jars}/*", "Producer"]


class Librdkafka(Rival):
    name = "librdkafka"

    @property
    def version(self) -> str:
        return confluent_kafka.libversion()[0]

    def command(self) -> list[str]:
        return [sys.executable, "-B", str(HERE / "librdkafka.py")]


class Sarama(Rival):
    name = "Sarama"
    needs = ("go",)
    source = HERE / "sarama"

    def __init__(self, cache: Path, retries_max: int | None = None):
        """`retries_max` is Producer.Retry.Max; None leaves it at Sarama's own."""
        super().__init__(cache)
        self.options = []
        if retries_max is not None:
            self.variant = f"Producer.Retry.Max={retries_max}"
            self.options = ["-retries", str(retries_max)]

    @property
    def version(self) -> str:
        """As go.mod demands it, which is what Go builds with."""
        return re.search(r"github\.com/IBM/sarama v(\S+)", (self.source / "go.mod").read_text())[1]

    @property
    def executable(self) -> Path:
        return built_home(self.cache, "sarama", *sorted(self.source.iterdir())) / "producer"

    def prepare(self):
        build(self.executable.parent,
              lambda output: ["go", "build", "-C", str(self.source), "-o", str(output / "producer"), "."])

    def command(self) -> list[str]:
        return [str(self.executable), *self.options]


def all_rivals(cache: Path) -> tuple[Rival, ...]:
    return Java(cache), Librdkafka(cache), Sarama(cache), Sarama(cache, retries_max=1000)


def built_home(cache: Path, name: str, *sources: Path) -> Path:
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    return cache / "rivals" / f"{name}-{digest}"


def build(home: Path, command_for):
    """Runs the command that fills a folder, once for each version of the sources."""
    if home.exists():
        return
    # Built beside its final place and renamed: an interrupted build leaves nothing that looks whole.
    building = home.with_name(f"{home.name}.{os.getpid()}")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    command = command_for(building)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=BUILD_TIMEOUT_S, check=False)
    if done.returncode != 0:
        shutil.rmtree(building)
        raise PeerError(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}")
    building.rename(home)


class RivalRun:
    """A run that has begun. `finish` must be called, or `kill`."""

    def __init__(self, rival: Rival, arguments: list[str], home: Path):
        name = f"rival-{time.time_ns()}"
        self.rival = rival
        self.file = home / f"{name}.ledger"
        self.process = Process(str(rival), [*rival.command(), *arguments, str(self.file)], home / f"{name}.log",
                               dict(os.environ), home)

    def signal(self, number: signal.Signals):
        self.process.signal(number)

    def finish(self) -> RivalLedger:
        """Its ledger, when it has ended after its SIGTERM."""
        try:
            code = self.process.popen.wait(FINISH_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise PeerError(f"{self.rival} still runs after {FINISH_TIMEOUT_S} s\n{self.process.tail()}") from None
        finally:
            self.kill()
        if code != 0:
            raise PeerError(f"{self.rival} ended with {code}\n{self.process.tail()}")
        return read_ledger(self.file)

    def kill(self):
        self.process.kill()
