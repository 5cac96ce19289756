"""What can befall a cluster of three while a producer is at work, each fault a function of the stage.

A fault strikes once or several times, undoes what it did, and returns when every replica is in sync again. Each strike
is noted with the moments at which it began and at which its cause was gone. To be called by the main thread only: it
starts processes (see `dying_with_this_process`).
"""

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Callable, Iterator

from chaos.network import NEAR_ADDRESS, Network
from listeners import PLAINTEXT, Listener
from peers.cluster import Cluster, Node
from peers.processes import wait_until
from peers.topics import Topics

# Where a producer at the far end of the network comes in.
FAR_LISTENER = Listener("FAR_END", "PLAINTEXT", host=NEAR_ADDRESS, bound=NEAR_ADDRESS)
FROZEN_S = 20
CUT_S = 30
SLOW_S = 30
SLOW_KBIT_PER_S = 3_000
DOWN_S = 5
FAILOVER_TIMEOUT_S = 60
MOVE_TIMEOUT_S = 60


@dataclass(frozen=True)
class Strike:
    """Wall-clock time, as the brokers stamp records with it."""

    began_ms: int
    mended_ms: int


@dataclass
class Stage:
    """Where a trial takes place: what a fault may lay its hands on."""

    cluster: Cluster
    topics: Topics
    topic: str
    partitions: int
    network: Network | None = None
    strikes: list[Strike] = field(default_factory=list)

    @property
    def bootstrap(self) -> str:
        """Where the producer is to find the cluster."""
        return self.cluster.addresses[FAR_LISTENER.name if self.network else PLAINTEXT.name]

    def wrapped(self, command: list[str]) -> list[str]:
        """The command that runs the producer where it is to be: at the far end of the network, if there is one."""
        return self.network.far_command(command) if self.network else command

    def leader(self) -> Node:
        """The node that leads partition 0."""
        wait_until(f"{self.topic} has a leader", lambda: self.topics.leader(self.topic) > 0, FAILOVER_TIMEOUT_S)
        return self.cluster.node(self.topics.leader(self.topic))

    def wait_until_another_leads(self, node: Node):
        wait_until(f"another node than {node.number} leads {self.topic}",
                   lambda: self.topics.leader(self.topic) not in (-1, node.number), FAILOVER_TIMEOUT_S)

    def wait_until_whole(self):
        self.topics.wait_until_in_step(self.topic)

    @contextmanager
    def strike(self) -> Iterator[None]:
        """Around what hurts, until its cause is gone."""
        began_ms = now_ms()
        yield
        self.strikes.append(Strike(began_ms, now_ms()))


@dataclass(frozen=True)
class Fault:
    name: str  # as the table has it
    slug: str  # as the command line and topics have it
    act: Callable[[Stage], None]
    rounds: int = 1
    needs_network: bool = False

    def description(self) -> str:
        return f"{self.name} ×{self.rounds}" if self.rounds > 1 else self.name

    def once(self) -> "Fault":
        return replace(self, rounds=1)

    def strike(self, stage: Stage):
        for _ in range(self.rounds):
            self.act(stage)
            stage.wait_until_whole()


def terminate_leader(stage: Stage):
    """Scenario 1. In order: the node hands its leaderships over before it ends."""
    node = stage.leader()
    with stage.strike():
        node.terminate()
        node.start()


def kill_leader(stage: Stage):
    """Scenario 2. Without a word; back only when the cluster has found out and another node leads."""
    node = stage.leader()
    with stage.strike():
        node.kill()
        stage.wait_until_another_leads(node)
        node.start()


def restart_all_in_turn(stage: Stage):
    """Scenario 3. Each in order, and the next only when all replicas are in sync again."""
    for node in stage.cluster.nodes:
        with stage.strike():
            node.terminate()
            node.start()
        stage.wait_until_whole()


def freeze_leader(stage: Stage):
    """Scenario 5. Its connections stay open and nobody answers; meanwhile the cluster has others lead."""
    node = stage.leader()
    with stage.strike():
        node.freeze()
        time.sleep(FROZEN_S)
        node.thaw()


def kill_all(stage: Stage):
    """Scenario 4. Brokers and controllers at once."""
    with stage.strike():
        for node in stage.cluster.nodes:
            node.kill()
        time.sleep(DOWN_S)
        for node in stage.cluster.nodes:
            node.launch()
        for node in stage.cluster.nodes:
            node.wait_until_it_answers()


def move_leaders(stage: Stage):
    """Scenario 6. Each partition's leader loses its replica, and gets one back behind the others'."""
    partitions = stage.topics.partitions(stage.topic)
    before = {number: partition.leader for number, partition in partitions.items()}
    followers = {number: [each for each in partition.replicas if each != before[number]]
                 for number, partition in partitions.items()}
    with stage.strike():
        reassign(stage, followers)
        wait_until("every leader has moved", lambda: all(
            partition.leader not in (-1, before[number])
            for number, partition in stage.topics.partitions(stage.topic).items()), MOVE_TIMEOUT_S)
    reassign(stage, {number: [*followers[number], before[number]] for number in before})
    replicas = len(stage.cluster.nodes)
    wait_until("every partition has all replicas", lambda: all(
        len(partition.isrs) == replicas for partition in stage.topics.partitions(stage.topic).values()),
        MOVE_TIMEOUT_S)


def reassign(stage: Stage, replicas: dict[int, list[int]]):
    plan = stage.cluster.home / "reassignment.json"
    plan.write_text(json.dumps({"version": 1, "partitions": [
        {"topic": stage.topic, "partition": number, "replicas": nodes} for number, nodes in replicas.items()]}))
    stage.cluster.tool("org.apache.kafka.tools.reassign.ReassignPartitionsCommand", "--bootstrap-server",
                       stage.cluster.bootstrap, "--reassignment-json-file", str(plan), "--execute")


def cut_network(stage: Stage):
    """Scenario 7. Every packet vanishes; no connection is told."""
    with stage.strike():
        stage.network.cut()
        time.sleep(CUT_S)
        stage.network.mend()


def slow_network(stage: Stage):
    """Scenario 8. Less than the producer makes gets through, with a full queue on the way."""
    with stage.strike():
        stage.network.slow_down(SLOW_KBIT_PER_S)
        time.sleep(SLOW_S)
        stage.network.speed_up()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


TERMINATE = Fault("leader SIGTERM", "terminate", terminate_leader, rounds=5)
KILL = Fault("leader SIGKILL", "kill", kill_leader, rounds=5)
ROLL = Fault("rolling restart", "roll", restart_all_in_turn, rounds=2)
FREEZE = Fault(f"leader SIGSTOP {FROZEN_S} s", "freeze", freeze_leader)
KILL_ALL = Fault("all three SIGKILL", "kill-all", kill_all)
MOVE = Fault("leaders moved by reassignment", "move", move_leaders, rounds=3)
CUT = Fault(f"network cut {CUT_S} s", "cut", cut_network, needs_network=True)
SLOW = Fault(f"network at {SLOW_KBIT_PER_S // 1000} Mbit/s {SLOW_S} s", "slow", slow_network, needs_network=True)
FAULTS = (TERMINATE, KILL, ROLL, FREEZE, KILL_ALL, MOVE, CUT, SLOW)
