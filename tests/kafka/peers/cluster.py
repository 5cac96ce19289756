"""A cluster of Apache Kafka: one node or several, of any of the releases, each node a process that can be stopped,
killed, frozen and brought back.

Nodes keep their ports and data while the cluster lives. With KRaft each node is broker and controller; before it there
is one ZooKeeper beside them. Topics are made by those who want them: auto-creation is off.
"""

import base64
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from listeners import PLAINTEXT, Listener, property_line
from peers.processes import PeerError, Process, free_ports, wait_until
from peers.releases import Release

HERE = Path(__file__).resolve().parent
START_TIMEOUT_S = 90
START_ATTEMPTS_MAX = 3
END_TIMEOUT_S = 60
TOOL_TIMEOUT_S = 120
NODES_FOR_ISR_2 = 3
PORTS_OF_A_NODE = 2  # beside its listeners: for controllers, and for its counters
# How Java compiles itself. Most clusters are started often and for minutes: quickly, not well.
QUICKLY_COMPILED = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
WELL_COMPILED = ("-XX:+UseG1GC",)
KEYS_URL = "sasl.oauthbearer.jwks.endpoint.url"


class Cluster:
    """Of the listeners, the first is the one that the harness, Kafka's tools and the other brokers come in by."""

    def __init__(self, release: Release, jars: Path, home: Path, *, nodes: int = 1,
                 listeners: tuple[Listener, ...] = (PLAINTEXT,), properties: dict[str, str] | None = None,
                 scram_users: tuple[str, ...] = (), heap: str = "1g",
                 compiled: tuple[str, ...] = QUICKLY_COMPILED):
        self.release = release
        self.jars = jars.resolve()
        self.home = home.resolve()
        self.home.mkdir(parents=True)
        self.listeners = {listener.name: listener for listener in listeners}
        self.properties = properties or {}
        self.scram_users = scram_users
        self.heap, self.compiled = heap, compiled
        self.nodes = [Node(self, number) for number in range(1, nodes + 1)]
        self.zookeeper: Process | None = None
        self.zookeeper_address = ""
        self.addresses: dict[str, str] = {}
        self.bootstrap = ""

    @property
    def version(self) -> str:
        """As the jars say it, such as `4.4.0`."""
        [jar] = self.jars.glob("kafka_2.1?-*.jar")
        return jar.stem.partition("-")[2]

    def start(self):
        for attempt in range(1, START_ATTEMPTS_MAX + 1):
            try:
                return self._start()
            except PeerError:
                # A port that was free may be taken by the time it is bound.
                self.stop()
                if attempt == START_ATTEMPTS_MAX:
                    raise
                shutil.rmtree(self.home / "data", ignore_errors=True)

    def _start(self):
        each = PORTS_OF_A_NODE + len(self.listeners)
        ports = free_ports(each * len(self.nodes))
        for index, node in enumerate(self.nodes):
            node.take_ports(ports[index * each:(index + 1) * each])
        self.addresses = {name: ",".join(node.address(listener) for node in self.nodes)
                          for name, listener in self.listeners.items()}
        self.bootstrap = self.addresses[next(iter(self.listeners))]
        if self.release.has_kraft:
            cluster_id = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=").replace("-", "A")
            with ThreadPoolExecutor(len(self.nodes)) as pool:
                list(pool.map(lambda node: node.format(cluster_id), self.nodes))
        else:
            self._start_zookeeper()
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.wait_until_it_answers()

    def _start_zookeeper(self):
        [port] = free_ports(1)
        self.zookeeper_address = f"127.0.0.1:{port}"
        file = self.home / "zookeeper.properties"
        file.write_text(f"dataDir={self.home / 'data' / 'zookeeper'}\nclientPort={port}\nclientPortAddress=127.0.0.1\n"
                        "maxClientCnxns=0\nadmin.enableServer=false\n")
        command = self.java("org.apache.zookeeper.server.quorum.QuorumPeerMain", str(file))
        self.zookeeper = Process("zookeeper", command, self.home / "zookeeper.log", dict(os.environ), self.home)
        wait_until("ZooKeeper takes connections", lambda: is_open(port), START_TIMEOUT_S, self.zookeeper)

    def java(self, *arguments: str, heap: str = "256m", compiled: tuple[str, ...] = QUICKLY_COMPILED) -> list[str]:
        logging = self.release.logging
        return ["java", f"-Xmx{heap}", *compiled, "-Djava.net.preferIPv4Stack=true",
                f"-D{logging.system_property}={(HERE / logging.file).as_uri()}", "-cp", f"{self.jars}/*", *arguments]

    def tool(self, *arguments: str) -> str:
        """Runs one of Kafka's own command-line tools and returns what it printed."""
        done = subprocess.run(self.java(*arguments), cwd=self.home, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=TOOL_TIMEOUT_S, check=False)
        if done.returncode != 0:
            raise PeerError(f"{arguments[0]} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def node(self, number: int) -> "Node":
        return self.nodes[number - 1]

    def segments(self, topic: str, partition: int) -> list[Path]:
        """The log on the disk of the first node that has a replica."""
        for node in self.nodes:
            found = sorted((node.data / f"{topic}-{partition}").glob("*.log"))
            if found:
                return found
        return []

    def counters(self, listener: str, *names: str) -> list[int]:
        """What the brokers count of one listener, each the sum over nodes and their network threads."""
        counts = [node.counters(listener, *names) for node in self.nodes]
        return [sum(each) for each in zip(*counts)]

    def stop(self):
        """At once, without a word: their data are thrown away, or kept as they are."""
        for node in self.nodes:
            node.kill()
        if self.zookeeper is not None:
            self.zookeeper.kill()


class Node:
    def __init__(self, cluster: Cluster, number: int):
        self.cluster = cluster
        self.number = number
        self.data = cluster.home / "data" / str(number)
        self.file = cluster.home / f"server-{number}.properties"
        self.process: Process | None = None
        self._ports: dict[str, int] = {}
        self._controller_port = self._metrics_port = 0

    def take_ports(self, ports: list[int]):
        self._controller_port, self._metrics_port, *ports = ports
        self._ports = dict(zip(self.cluster.listeners, ports))

    @property
    def name(self) -> str:
        return f"kafka-{self.number}"

    @property
    def controller(self) -> str:
        return f"127.0.0.1:{self._controller_port}"

    def address(self, listener: Listener) -> str:
        """Where it listens."""
        return f"{listener.bound}:{self._ports[listener.name]}"

    def format(self, cluster_id: str):
        self._write_properties()
        users = [word for user in self.cluster.scram_users for word in ("--add-scram", user)]
        self.cluster.tool("kafka.tools.StorageTool", "format", "--cluster-id", cluster_id, "--config", str(self.file),
                          *users)

    def _write_properties(self):
        cluster, listeners = self.cluster, self.cluster.listeners.values()
        replicas = min(len(cluster.nodes), NODES_FOR_ISR_2)
        properties = {
            "inter.broker.listener.name": next(iter(cluster.listeners)),
            "log.dirs": str(self.data),
            "auto.create.topics.enable": "false",
            "default.replication.factor": str(replicas),
            "min.insync.replicas": "2" if replicas >= NODES_FOR_ISR_2 else "1",
            "offsets.topic.replication.factor": str(replicas),
            "offsets.topic.num.partitions": "1",
            "group.initial.rebalance.delay.ms": "0",
            "transaction.state.log.replication.factor": str(replicas),
            "transaction.state.log.min.isr": "1",
        }
        bound = [f"{listener.name}://{self.address(listener)}" for listener in listeners]
        advertised = [f"{listener.name}://{listener.host}:{self._ports[listener.name]}" for listener in listeners]
        protocols = [f"{listener.name}:{listener.protocol}" for listener in listeners]
        if cluster.release.has_kraft:
            properties |= {
                "process.roles": "broker,controller",
                "node.id": str(self.number),
                "controller.listener.names": "CONTROLLER",
                "controller.quorum.voters": ",".join(f"{node.number}@{node.controller}" for node in cluster.nodes),
            }
            bound.append(f"CONTROLLER://{self.controller}")
            protocols.append("CONTROLLER:PLAINTEXT")
        else:
            properties |= {"broker.id": str(self.number), "zookeeper.connect": cluster.zookeeper_address}
        properties |= {
            "listeners": ",".join(bound),
            "advertised.listeners": ",".join(advertised),
            "listener.security.protocol.map": ",".join(protocols),
        } | cluster.properties
        for listener in listeners:
            properties |= listener.broker_properties()
        self.file.write_text("".join(property_line(*each) + "\n" for each in properties.items()))

    def start(self):
        """Fails if it does not answer in time."""
        self.launch()
        self.wait_until_it_answers()

    def launch(self):
        """By a thread that stays: see `dying_with_this_process`."""
        self._write_properties()
        metrics = [f"-Dcom.sun.management.jmxremote.{name}" for name in (
            f"port={self._metrics_port}", f"rmi.port={self._metrics_port}", "host=127.0.0.1", "authenticate=false",
            "ssl=false")]
        # Kafka's validator reads keys from nowhere that is not named here.
        keys = [listener.properties[KEYS_URL] for listener in self.cluster.listeners.values()
                if KEYS_URL in listener.properties]
        allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={','.join(keys)}"
        command = self.cluster.java(*metrics, "-Djava.rmi.server.hostname=127.0.0.1", allowed, "kafka.Kafka",
                                    str(self.file), heap=self.cluster.heap, compiled=self.cluster.compiled)
        self.process = Process(self.name, command, self.cluster.home / f"{self.name}.log", dict(os.environ),
                               self.cluster.home)

    def wait_until_it_answers(self):
        port = self._ports[next(iter(self.cluster.listeners))]
        wait_until(f"{self.name} answers at port {port}", lambda: answers(port), START_TIMEOUT_S, self.process)

    def terminate(self):
        """SIGTERM: it hands its leaderships over and ends in order. Returns when it has ended; fails if it does not."""
        self.process.signal(signal.SIGTERM)
        wait_until(f"{self.name} has ended", lambda: not self.process.is_running, END_TIMEOUT_S)

    def kill(self):
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()

    def freeze(self):
        """SIGSTOP: its connections stay open, and nothing answers."""
        self.process.signal(signal.SIGSTOP)

    def thaw(self):
        self.process.signal(signal.SIGCONT)

    def counters(self, listener: str, *names: str) -> list[int]:
        url = f"service:jmx:rmi:///jndi/rmi://127.0.0.1:{self._metrics_port}/jmxrmi"
        printed = self.cluster.tool(
            "org.apache.kafka.tools.JmxTool", "--jmx-url", url, "--object-name",
            f"kafka.server:type=socket-server-metrics,listener={listener},networkProcessor=*",
            "--attributes", ",".join(names), "--one-time", "--report-format", "properties")
        values = re.findall(r":([\w-]+)=([\d.]+)$", printed, re.MULTILINE)
        found = {name: [float(value) for key, value in values if key == name] for name in names}
        if not all(found.values()):
            raise PeerError(f"the broker does not count all of {names} of {listener}:\n{printed}")
        return [int(sum(found[name])) for name in names]


def is_open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
        return True
    return False


def answers(port: int) -> bool:
    """An ApiVersions request (version 0) gets a whole answer with error code 0."""
    request = bytes.fromhex("0012 0000 00000007 0004 74657374")
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(len(request).to_bytes(4, "big") + request)
        with connection.makefile("rb") as answer:
            head = answer.read(10)
        return len(head) == 10 and head[4:] == bytes.fromhex("00000007 0000")
    return False
