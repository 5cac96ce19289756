"""Runs the static binary where there is nothing else; see `run`. The exit code is 0 only if every check passed."""

import argparse
import contextlib
import fcntl
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import elf
import speed
from empty_root import LEDGERS, EmptyRoot
from name_server import NameServer
from sandbox import PATIENCE_S, Sandbox

HERE = Path(__file__).resolve().parents[2]
AUTHORITY = HERE / "tests/sandbox/certificates/ca.pem"
# There is a certificate for it, and nobody but the name server here knows it.
ELSEWHERE = "elsewhere.example"
BOOKS = re.compile(r"Ledger: generated (\d+) = acknowledged (\d+) \+ failed 0 \+ unsent 0")
METRICS_PORT = 9400
SIOCSIFFLAGS, IFF_UP = 0x8914, 1


class Failed(Exception):
    """What was not as it must be."""


@dataclass(frozen=True)
class Place:
    """What all checks run with."""

    binary: Path
    sandbox: Path
    emulator: Path | None
    folder: Path
    names: NameServer

    @property
    def count(self) -> int:
        """How many records to produce; an emulated processor is slow."""
        return 2_000 if self.emulator else 100_000

    @contextlib.contextmanager
    def root(self, files: dict[str, bytes], writable: bool = False) -> Iterator[EmptyRoot]:
        root = EmptyRoot(self.folder / "root", self.binary, self.emulator, files, writable)
        try:
            yield root
        finally:
            root.remove()

    @contextlib.contextmanager
    def peers(self, *options: str) -> Iterator[Sandbox]:
        sandbox = Sandbox(self.sandbox, ["--port", "0", "--registry-port", "0", *options])
        try:
            yield sandbox
        finally:
            sandbox.kill()


def loopback_up() -> None:
    """In a network namespace that is new even that is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def secured(host: str, sandbox: Sandbox) -> dict[str, str]:
    """TLS to the broker, HTTPS to the registry."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": f"{host}:{sandbox.broker}",
        "SCHEMA_REGISTRY_URL": f"https://{host}:{sandbox.registry}",
        "KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_LOCATION": "/ca.pem",
    }


def finished(process: subprocess.Popen[str], sandbox: Sandbox) -> str:
    """What it said, once it has ended well and its books agree with what the topic took."""
    said, _ = process.communicate(timeout=PATIENCE_S)
    books = BOOKS.search(said)
    if process.returncode != 0 or not books or books.group(1) != books.group(2):
        raise Failed(f"exit code {process.returncode}:\n{said}")
    took = sandbox.finish()
    if took != int(books.group(2)):
        raise Failed(f"the topic took {took}:\n{said}")
    return said


def produces(place: Place, host: str, files: dict[str, bytes]) -> list[str]:
    """Over TLS, with nothing in the root but the program, the authority, and these files."""
    options = ["--security-protocol", "SSL", "--https", "--host", host]
    with place.root({"/ca.pem": AUTHORITY.read_bytes(), **files}) as root, place.peers(*options) as sandbox:
        arguments = ["--count", str(place.count), "--interval", "0"]
        said = finished(root.start(arguments, secured(host, sandbox)), sandbox)
        lines = [line.strip() for line in said.splitlines() if "Kafka Cluster" in line or "Ledger" in line]
        return [f"in its root: {' '.join(root.holds())}", *lines]


def file_itself(place: Place) -> list[str]:
    return elf.look(place.binary, HERE)


def alone(place: Place) -> list[str]:
    with place.root({}) as root, place.peers() as sandbox:
        process = root.start(["--version"], {})
        version, _ = process.communicate(timeout=PATIENCE_S)
        settings = {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{sandbox.broker}",
                    "SCHEMA_REGISTRY_URL": f"http://127.0.0.1:{sandbox.registry}"}
        finished(root.start(["--count", str(place.count), "--interval", "0"], settings), sandbox)
        return [f"in its root: {' '.join(root.holds())}", version.strip()]


def by_address(place: Place) -> list[str]:
    return produces(place, "127.0.0.1", {})


def as_localhost(place: Place) -> list[str]:
    lines = produces(place, "localhost", {})
    if place.names.asked:
        raise Failed(f"a name server was asked: {place.names.asked}")
    return [*lines, "there was no hosts file, and no name server was asked"]


def by_name(place: Place) -> list[str]:
    lines = produces(place, ELSEWHERE, {"/etc/resolv.conf": b"nameserver 127.0.0.1\n"})
    asked = set(place.names.asked)
    if asked != {ELSEWHERE}:
        raise Failed(f"a name server was asked for {sorted(asked)}")
    return [*lines, f"a name server was asked for {ELSEWHERE} and nothing else"]


def watched(place: Place) -> list[str]:
    """METRICS_LISTEN as localhost, LEDGER_FILE where it may write, and an end by a signal."""
    with place.root({}, writable=True) as root, place.peers() as sandbox:
        settings = {
            "KAFKA_BOOTSTRAP_SERVERS": f"localhost:{sandbox.broker}",
            "SCHEMA_REGISTRY_URL": f"http://localhost:{sandbox.registry}",
            "METRICS_LISTEN": f"localhost:{METRICS_PORT}", "LEDGER_FILE": f"{LEDGERS}/run.json",
        }
        process = root.start(["--interval", "1ms"], settings)
        try:
            ready = until(lambda: "200 OK" in asked("/readyz"))
            metrics = asked("/metrics")
            rights = rights_of(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
        finished(process, sandbox)
        if not ready or "continuous_producer_ready 1" not in metrics:
            raise Failed(f"it never said that it is ready: {metrics}")
        ledger = json.loads((root.at / f"{LEDGERS[1:]}/run.json").read_text())
    if not ledger["adds_up"] or ledger["ended_by"] != "signal SIGTERM":
        raise Failed(f"the ledger says {ledger}")
    told = f"{ledger['acknowledged']} acknowledged, {ledger['ended_by']}"
    return [rights, f"ready at localhost:{METRICS_PORT}; the ledger: {told}"]


def rights_of(process: int) -> str:
    """Fails if there are any."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    capabilities = [status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")]
    if any(int(some, 16) for some in capabilities) or status["NoNewPrivs"] != "1":
        raise Failed(f"it has rights: {status}")
    return f"user {status['Uid'].split()[0]}, no capabilities, no new privileges"


def asked(path: str) -> str:
    try:
        with socket.create_connection(("127.0.0.1", METRICS_PORT), timeout=PATIENCE_S) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    except ConnectionRefusedError:
        return ""


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


CHECKS: list[tuple[str, Callable[[Place], list[str]]]] = [
    ("the file asks for nothing", file_itself),
    ("alone in an empty root: in the clear, by address", alone),
    ("TLS and HTTPS, by address", by_address),
    ("TLS and HTTPS, as localhost without a hosts file", as_localhost),
    ("TLS and HTTPS, by a name from a name server", by_name),
    ("METRICS_LISTEN and LEDGER_FILE", watched),
]


def passed(name: str, check: Callable[[Place], list[str]], place: Place) -> bool:
    began = time.monotonic()
    try:
        lines = check(place)
    except Exception as error:  # whatever it is, the other checks tell more
        print(f"FAILED {name}: {type(error).__name__}: {error}", flush=True)
        return False
    print(f"passed {name} ({time.monotonic() - began:.1f} s)", *lines, sep="\n    ", flush=True)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--sandbox", type=Path, required=True)
    parser.add_argument("--emulator", type=Path)
    parser.add_argument("--usual", type=Path, required=True)
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args()
    # The first process of a namespace gets only signals that it waits for.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    loopback_up()
    if options.speed:
        return speed.compare(options.binary, options.usual, options.sandbox)
    with tempfile.TemporaryDirectory(prefix="static-") as folder:
        place = Place(options.binary.resolve(), options.sandbox.resolve(), options.emulator, Path(folder),
                      NameServer({ELSEWHERE: "127.0.0.1"}))
        results = [passed(name, check, place) for name, check in CHECKS]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
