"""What contestants send to: the sandbox that discards, or a sink that knows no Kafka; `real_kafka.py` has one more.

Each run has a broker to itself, or a topic, and asks it at the end how many records it took. Nothing of one run is left
for the next. Nothing here measures.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

from peers.processes import PeerError, Process, free_ports, wait_until
from program import environment

TOPIC = "bench"
PARTITIONS = 3
START_TIMEOUT_S = 20
# Resolved, for whoever runs from a folder of its own.
CARGO_BINARIES = Path("target/bench/cargo/release").resolve()
SANDBOX = Path("target/release/sandbox").resolve()


@dataclass(frozen=True)
class Endpoint:
    """Where to, and how."""

    bootstrap: str
    topic: str = TOPIC
    registry_url: str = ""
    # What our program has to be told beyond these, such as whom to trust: variables of its environment.
    settings: dict[str, str] = field(default_factory=dict)


class Broker(ABC):
    """A broker as one run sees it. `finish` must be called, or `kill`."""

    endpoint: Endpoint

    @abstractmethod
    def finish(self) -> int:
        """How many records it took."""

    @abstractmethod
    def kill(self):
        """On the way out of whatever happens; does nothing after `finish`."""


class Ground(ABC):
    """Where brokers for runs come from."""

    name: str
    needs_warming_up = False

    @abstractmethod
    def start(self, home: Path) -> Broker:
        """`home` is where it may leave logs."""


class Server(Broker):
    """A process that tells on standard error where it listens, and at its end what it took."""

    TOOK = re.compile(r"took (\d+) records")

    def __init__(self, name: str, command: list[str], log: Path, listening: str):
        self.process = Process(name, command, log, environment({}), log.parent)
        try:
            self.said = wait_until(f"{name} listens", lambda: re.search(listening, self._output()), START_TIMEOUT_S,
                                   self.process)
        except BaseException:
            self.kill()
            raise

    def _output(self) -> str:
        return self.process.log.read_text(errors="replace")

    def finish(self) -> int:
        self.process.terminate()
        if self.process.popen.returncode != 0:
            raise PeerError(f"{self.process.name} ended with {self.process.popen.returncode}\n{self.process.tail()}")
        return sum(map(int, self.TOOK.findall(self._output())))

    def kill(self):
        self.process.kill()


class SandboxServer(Server):
    def __init__(self, options: list[str], log: Path):
        port, registry_port = free_ports(2)
        super().__init__("sandbox", [str(SANDBOX), "serve", "--topic", TOPIC, "--port", str(port), "--registry-port",
                                     str(registry_port), *options], log,
                         r"broker on (\S+), registry on (\S+)\nsandbox: read with: (.*)\n")
        bootstrap, registry_url, read_with = self.said.groups()
        # What librdkafka would have to be told, which is named after the same words as our variables.
        properties = re.findall(r"-X (\S+)=(\S+)", read_with)
        settings = {f"KAFKA_{name.replace('.', '_').upper()}": value for name, value in properties}
        self.endpoint = Endpoint(bootstrap, TOPIC, registry_url, settings)


@dataclass(frozen=True)
class Sandbox(Ground):
    """A fresh sandbox for each run, which checks every batch's checksum and keeps nothing."""

    partitions: int = PARTITIONS
    nodes: int = 1
    security_protocol: str = "PLAINTEXT"
    name = "a sandbox that discards"

    def start(self, home: Path) -> Broker:
        return SandboxServer(["--discard", "--partitions", str(self.partitions), "--nodes", str(self.nodes),
                              "--security-protocol", self.security_protocol], home / "sandbox.log")


class SinkServer(Server):
    """Ends by itself once its one client has gone."""

    def __init__(self, log: Path):
        super().__init__("sink", [str(CARGO_BINARIES / "limit"), "--sink"], log, r"sink: on (\S+)\n")
        self.endpoint = Endpoint(self.said[1])

    def finish(self) -> int:
        wait_until("the sink has ended", lambda: not self.process.is_running, START_TIMEOUT_S)
        return super().finish()


class Sink(Ground):
    name = "a sink that knows no Kafka"

    def start(self, home: Path) -> Broker:
        return SinkServer(home / "sink.log")
