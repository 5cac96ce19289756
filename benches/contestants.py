"""Who contends: our program, the limit of the machine, and the producers of others.

A contestant knows its command line and reads its last words; it starts nothing. How each is set, and why, stands in its
program.
"""

import re
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import building
from brokers import CARGO_BINARIES, Endpoint
from program import Outcome

BINARY = Path("target/release/continuous-producer").resolve()
MANIFEST_LOCK = Path("benches/Cargo.lock")
GO_MOD = Path("benches/go/go.mod")
ACKNOWLEDGED = re.compile(r"^acknowledged (\d+) in ([\d.]+) s$", re.MULTILINE)


class Unreadable(Exception):
    """A contestant did not end with what it should say."""


@dataclass(frozen=True)
class Told:
    acknowledged: int
    seconds: float  # from the first send to the last acknowledgement


class Contestant(ABC):
    slug: str
    name: str
    # In what it differs from another contestant of that name, as its row has it.
    variant: str = ""
    # What makes its row not quite comparable to the others; empty if nothing does.
    note: str = ""
    is_peer = True

    def prepare(self) -> str:
        """Builds or fetches it; why it cannot be had here, empty if it can. May take minutes and use the network."""
        return ""

    @abstractmethod
    def version(self) -> str:
        """Exactly; only of one that is there."""

    @abstractmethod
    def command(self, endpoint: Endpoint, seconds: float) -> list[str]:
        pass

    def settings(self, endpoint: Endpoint) -> dict[str, object]:
        """What its environment has beyond what it inherits."""
        return {}

    def read(self, output: str) -> Told:
        """Fails with `Unreadable` for what is not the end of a whole run."""
        found = ACKNOWLEDGED.findall(output)
        if len(found) != 1:
            raise Unreadable(f"{self.name} did not say what was acknowledged")
        return Told(int(found[0][0]), float(found[0][1]))


class Ours(Contestant):
    """As it is by default: keyed, acks=all, idempotent, uncompressed, latencies measured."""

    name = "continuous-producer"
    is_peer = False

    def __init__(self, slug: str = "ours", variant: str = "", note: str = "",
                 settings: dict[str, object] | None = None):
        self.slug, self.variant, self.note = slug, variant, note
        self.more = settings or {}

    def version(self) -> str:
        done = subprocess.run([BINARY, "--version"], capture_output=True, text=True, check=True)
        return done.stdout.split()[-1]

    def command(self, endpoint: Endpoint, seconds: float) -> list[str]:
        return [str(BINARY), "--interval", "0", "--duration", f"{round(seconds * 1000)}ms", "--stats-interval", "0"]

    def settings(self, endpoint: Endpoint) -> dict[str, object]:
        return {"KAFKA_BOOTSTRAP_SERVERS": endpoint.bootstrap, "SCHEMA_REGISTRY_URL": endpoint.registry_url,
                "KAFKA_TOPIC": endpoint.topic} | endpoint.settings | self.more

    def read(self, output: str) -> Told:
        try:
            ledger = Outcome(0, output, 0, 0).ledger
        except AssertionError as error:
            raise Unreadable(str(error)) from error
        rate = re.search(r"Average Rate: ([\d.]+) ", output)
        if rate is None or ledger.acknowledged != ledger.generated:
            raise Unreadable(f"not everything was acknowledged: {ledger}")
        return Told(ledger.acknowledged, ledger.acknowledged / float(rate[1]))


class Limit(Contestant):
    slug, name = "limit", "limit of this machine"
    note = "no Kafka: shoes, record batches, checksums, and a socket whose other end checks nothing"
    is_peer = False

    def version(self) -> str:
        return ""

    def command(self, endpoint: Endpoint, seconds: float) -> list[str]:
        return [str(CARGO_BINARIES / "limit"), endpoint.bootstrap, endpoint.topic, str(seconds)]


class RustPeer(Contestant):
    def __init__(self, slug: str, name: str, crate: str, note: str = ""):
        self.slug, self.name, self.crate, self.note = slug, name, crate, note

    @property
    def binary(self) -> Path:
        return CARGO_BINARIES / self.slug

    def prepare(self) -> str:
        return building.cargo(self.slug, feature=self.slug)

    def version(self) -> str:
        return re.search(rf'name = "{self.crate}"\nversion = "([^"]+)"', MANIFEST_LOCK.read_text())[1]

    def command(self, endpoint: Endpoint, seconds: float) -> list[str]:
        return [str(self.binary), endpoint.bootstrap, endpoint.topic, str(seconds)]


class Librdkafka(RustPeer):
    def __init__(self):
        super().__init__("librdkafka", "librdkafka", "rdkafka")

    def version(self) -> str:
        done = subprocess.run([self.binary, "--version"], capture_output=True, text=True, check=True)
        return done.stdout.strip()


class GoPeer(Contestant):
    def __init__(self, slug: str, name: str, module: str, note: str = ""):
        self.slug, self.name, self.module, self.note = slug, name, module, note

    def prepare(self) -> str:
        return building.go(self.slug)

    def version(self) -> str:
        return re.search(rf"{re.escape(self.module)} v(\S+)", GO_MOD.read_text())[1]

    def command(self, endpoint: Endpoint, seconds: float) -> list[str]:
        return [str(building.GO_BINARIES / self.slug), endpoint.bootstrap, endpoint.topic, str(seconds)]


class Java(Contestant):
    """Kafka's own ProducerPerformance. It ends by count, not by time: the count comes from its rate in the run before,
    first from a guess, and is halved after a run that did not end in time.
    """

    slug, name = "java", "Java, ProducerPerformance"
    note = ("CPU and memory are with the virtual machine's start and compilation, which weigh less the longer it runs; "
            "keys of up to 4 digits, values so much longer")
    RATE_GUESSED = 400_000
    KEYS = 4096
    # The same bytes a record as the others: keys are shorter.
    VALUE_BYTES = 125
    # At its best, and why: lingers and batches as the program does; a buffer so large that it is not waited for.
    PROPERTIES = ("acks=all", "enable.idempotence=true", "linger.ms=5", "batch.size=1000000",
                  "max.request.size=1048576", "buffer.memory=134217728")
    SENT = re.compile(r"^(\d+) records sent, ([\d.]+) records/sec", re.MULTILINE)

    def __init__(self, cache: Path):
        self.cache = cache
        self.jars: Path | None = None
        self.rate = float(self.RATE_GUESSED)
        self.has_ended = True

    def prepare(self) -> str:
        self.jars, reason = building.jars(self.cache)
        return reason

    def version(self) -> str:
        [jar] = self.jars.glob("kafka-clients-*.jar")
        return jar.stem.removeprefix("kafka-clients-")

    def command(self, endpoint: Endpoint, seconds: float) -> list[str]:
        if not self.has_ended:
            self.rate /= 2
        self.has_ended = False
        return ["java", "-Djava.net.preferIPv4Stack=true", "-cp", f"{self.jars}/*",
                "org.apache.kafka.tools.ProducerPerformance", "--bootstrap-server", endpoint.bootstrap, "--topic",
                endpoint.topic, "--num-records", str(round(self.rate * seconds)), "--record-size",
                str(self.VALUE_BYTES), "--key-distribution", "range", "--record-key-range", str(self.KEYS),
                "--throughput", "-1", "--reporting-interval", "3600000", "--command-property", *self.PROPERTIES]

    def read(self, output: str) -> Told:
        found = self.SENT.findall(output)
        if not found:
            raise Unreadable("ProducerPerformance did not say what was sent")
        sent, rate = int(found[-1][0]), float(found[-1][1])
        self.rate, self.has_ended = rate, True
        return Told(sent, sent / rate)


def peers(cache: Path) -> list[Contestant]:
    return [
        Librdkafka(),
        RustPeer("rskafka", "rskafka", "rskafka", "not idempotent, and no partitioner: it knows neither"),
        RustPeer("kafka-crate", "crate kafka", "kafka",
                 "not idempotent; speaks versions of the protocol that Kafka 4 removed, and the sandbox lacks"),
        Java(cache),
        GoPeer("sarama", "Sarama", "github.com/IBM/sarama"),
        GoPeer("franz", "franz-go", "github.com/twmb/franz-go"),
    ]
