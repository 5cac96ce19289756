"""The real peers: one Apache Kafka node (KRaft) and one Apicurio Registry, as processes of this test.

Invariants: both listen on 127.0.0.1 only, on ports that were free; readiness is a condition with a deadline, never
a pause; what was started is stopped by its process id on every way out, and dies with this process even if that is
killed. This module knows nothing of shoes or of the program under test.
"""

import base64
import contextlib
import ctypes
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from listeners import Listener, property_line

HERE = Path(__file__).resolve().parent
MAVEN_TIMEOUT_S = 600
START_TIMEOUT_S = 90
START_ATTEMPTS_MAX = 3
STOP_TIMEOUT_S = 20
TOOL_TIMEOUT_S = 120
POLL_INTERVAL_S = 0.1
LOG_TAIL_LINES = 30
PR_SET_PDEATHSIG = 1

# Loopback is never reached through a proxy, whatever the environment says.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class PeerError(Exception):
    """A peer could not be fetched, started or asked."""


def fetch(cache: Path) -> tuple[Path, Path]:
    """Brings the jars of pom.xml into the cache, once for each version of the file: (Kafka's jars, Apicurio)."""
    digest = hashlib.sha256((HERE / "pom.xml").read_bytes()).hexdigest()[:12]
    home = cache / f"jars-{digest}"
    if not home.exists():
        # Built beside its final place and renamed: an interrupted fetch leaves nothing that looks whole.
        building = cache / f"jars-{digest}.{os.getpid()}"
        shutil.rmtree(building, ignore_errors=True)
        command = ["mvn", "-B", "-q", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies",
                   "-DincludeScope=runtime", f"-DoutputDirectory={building.resolve() / 'kafka'}"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=MAVEN_TIMEOUT_S, check=False)
        if done.returncode != 0:
            raise PeerError(f"Maven could not fetch the peers:\n{done.stdout}")
        [archive] = (building / "kafka").glob("apicurio-registry-app-*-all.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(building / "apicurio")
        archive.unlink()
        building.rename(home)
    return home / "kafka", home / "apicurio"


def wait_until(what: str, condition, timeout_s: float, process: "Process | None" = None):
    """The condition's first true value. Fails at the deadline, or as soon as the process that should cause it ends."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if process is not None and process.popen.poll() is not None:
            raise PeerError(f"{process.name} ended with {process.popen.returncode} before {what}\n{process.tail()}")
        if time.monotonic() > deadline:
            tail = process.tail() if process is not None else ""
            raise PeerError(f"not within {timeout_s:.0f} s: {what}\n{tail}")
        time.sleep(POLL_INTERVAL_S)


class Process:
    """A process whose output goes to a file, and which does not outlive this one."""

    def __init__(self, name: str, command: list[str], log: Path, env: dict[str, str], cwd: Path):
        self.name = name
        self.log = log
        with open(log, "wb") as output:
            # A session of its own: a Ctrl-C in the terminal reaches this test, which then stops the peers in order.
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env,
                                          cwd=cwd, start_new_session=True, preexec_fn=dying_with_this_process())

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join(f"    {self.name}: {line}" for line in lines)

    def stop(self):
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()


def dying_with_this_process():
    """A `preexec_fn`: the kernel kills the child when this process is gone, however it went."""
    parent = os.getpid()
    libc = ctypes.CDLL(None)

    def prepare():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


class Kafka:
    """One node that is broker and controller. Topics are made by those who want them: auto-creation is off.

    Of the listeners, the first is the one that the harness itself and Kafka's tools come in by.
    """

    def __init__(self, jars: Path, home: Path, listeners: list[Listener], properties: dict[str, str],
                 scram_users: list[str]):
        self.jars = jars.resolve()
        self.listeners = {listener.name: listener for listener in listeners}
        self.properties = properties
        self.scram_users = scram_users
        self.addresses: dict[str, str] = {}
        self.home = home.resolve()
        self.home.mkdir(parents=True)
        self.data = self.home / "data"
        self.process: Process | None = None
        self.bootstrap = ""

    def java(self, *arguments: str, heap: str = "256m") -> list[str]:
        return ["java", f"-Xmx{heap}", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true",
                f"-Dlog4j2.configurationFile={HERE / 'log4j2.xml'}", "-cp", f"{self.jars}/*", *arguments]

    def start(self):
        for attempt in range(1, START_ATTEMPTS_MAX + 1):
            try:
                return self._start()
            except PeerError:
                # A port that was free may be taken by the time it is bound.
                self.stop()
                shutil.rmtree(self.data, ignore_errors=True)
                if attempt == START_ATTEMPTS_MAX:
                    raise

    def _start(self):
        controller_port, metrics_port, *ports = free_ports(2 + len(self.listeners))
        ports = dict(zip(self.listeners, ports))
        self.addresses = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
        own = next(iter(self.listeners))
        self.bootstrap = self.addresses[own]
        self._metrics_url = f"service:jmx:rmi:///jndi/rmi://127.0.0.1:{metrics_port}/jmxrmi"
        controller = f"127.0.0.1:{controller_port}"
        bound = [f"{name}://{address}" for name, address in self.addresses.items()]
        advertised = [f"{name}://{listener.host}:{ports[name]}" for name, listener in self.listeners.items()]
        protocols = [f"{name}:{listener.protocol}" for name, listener in self.listeners.items()]
        properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": ",".join([*bound, f"CONTROLLER://{controller}"]),
            "advertised.listeners": ",".join(advertised),
            "listener.security.protocol.map": ",".join([*protocols, "CONTROLLER:PLAINTEXT"]),
            "inter.broker.listener.name": own,
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self.data),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "group.initial.rebalance.delay.ms": "0",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
        } | self.properties
        for listener in self.listeners.values():
            properties |= listener.broker_properties()
        file = self.home / "server.properties"
        file.write_text("".join(property_line(*each) + "\n" for each in properties.items()))
        cluster_id = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=").replace("-", "A")
        users = [word for user in self.scram_users for word in ("--add-scram", user)]
        self.tool("kafka.tools.StorageTool", "format", "--cluster-id", cluster_id, "--config", str(file), *users)
        metrics = [f"-Dcom.sun.management.jmxremote.{name}" for name in (
            f"port={metrics_port}", f"rmi.port={metrics_port}", "host=127.0.0.1", "authenticate=false", "ssl=false")]
        # Kafka's validator reads keys from nowhere that is not named here.
        keys = properties_of(self.listeners, "sasl.oauthbearer.jwks.endpoint.url")
        allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={','.join(keys)}"
        command = self.java(*metrics, "-Djava.rmi.server.hostname=127.0.0.1", allowed, "kafka.Kafka", str(file),
                            heap="1g")
        self.process = Process("kafka", command, self.home / "kafka.log", dict(os.environ), self.home)
        port = ports[own]
        wait_until(f"Kafka answers at {self.bootstrap}", lambda: self._answers(port), START_TIMEOUT_S, self.process)

    def _answers(self, port: int) -> bool:
        """An ApiVersions request (version 0) gets a whole answer with error code 0."""
        request = bytes.fromhex("0012 0000 00000007 0004 74657374")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(len(request).to_bytes(4, "big") + request)
            with connection.makefile("rb") as answer:
                head = answer.read(10)
            return len(head) == 10 and head[4:] == bytes.fromhex("00000007 0000")
        return False

    def tool(self, *arguments: str) -> str:
        """Runs one of Kafka's own command-line tools and returns what it printed."""
        done = subprocess.run(self.java(*arguments), cwd=self.home, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=TOOL_TIMEOUT_S, check=False)
        if done.returncode != 0:
            raise PeerError(f"{arguments[0]} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def counters(self, listener: str, *names: str) -> list[int]:
        """What the broker counts of one listener, each the sum over its network threads."""
        printed = self.tool("org.apache.kafka.tools.JmxTool", "--jmx-url", self._metrics_url, "--object-name",
                            f"kafka.server:type=socket-server-metrics,listener={listener},networkProcessor=*",
                            "--attributes", ",".join(names), "--one-time", "--report-format", "properties")
        values = re.findall(r":([\w-]+)=([\d.]+)$", printed, re.MULTILINE)
        found = {name: [float(value) for key, value in values if key == name] for name in names}
        if not all(found.values()):
            raise PeerError(f"the broker does not count all of {names} of {listener}:\n{printed}")
        return [int(sum(found[name])) for name in names]

    def segments(self, topic: str, partition: int) -> list[Path]:
        return sorted((self.data / f"{topic}-{partition}").glob("*.log"))

    def stop(self):
        if self.process is not None:
            self.process.stop()


def properties_of(listeners: dict[str, Listener], name: str) -> list[str]:
    return [listener.properties[name] for listener in listeners.values() if name in listener.properties]


class Registry:
    """Apicurio in memory, spoken to through its Confluent-compatible interface."""

    def __init__(self, program: Path, home: Path):
        self.program = program.resolve()
        self.home = home.resolve()
        self.home.mkdir(parents=True)
        self.process: Process | None = None
        self.url = ""

    def start(self):
        for attempt in range(1, START_ATTEMPTS_MAX + 1):
            try:
                return self._start()
            except PeerError:
                self.stop()
                if attempt == START_ATTEMPTS_MAX:
                    raise

    def _start(self):
        [port] = free_ports(1)
        self.url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        [jar] = self.program.glob("*-runner.jar")
        env = dict(os.environ, QUARKUS_HTTP_HOST="127.0.0.1", QUARKUS_HTTP_PORT=str(port), QUARKUS_LOG_LEVEL="WARN")
        command = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true", "-jar", str(jar)]
        self.process = Process("registry", command, self.home / "registry.log", env, self.home)
        wait_until(f"the registry answers at {self.url}", self._answers, START_TIMEOUT_S, self.process)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, urllib.error.URLError):
            with _opener.open(f"{self.url}/subjects", timeout=5) as answer:
                return answer.status == 200
        return False

    def stop(self):
        if self.process is not None:
            self.process.stop()


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
