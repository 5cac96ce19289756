"""A real Apache Kafka for contestants to send to: one cluster for all runs, a topic of its own for each."""

import contextlib
from pathlib import Path
from typing import Iterator

from confluent_kafka import KafkaException

from brokers import PARTITIONS, TOPIC, Broker, Endpoint, Ground, Sandbox
from context import timed
from peers.cluster import WELL_COMPILED, Cluster
from peers.jars import fetch
from peers.processes import PeerError
from peers.releases import NEWEST
from peers.topics import Topics, end_offset, wait_until_whole

HEAP = "2g"
# What a deleted topic held is gone before the disk is full.
PROPERTIES = {"log.segment.delete.delay.ms": "1000"}


@contextlib.contextmanager
def started(cache: Path, home: Path) -> Iterator["Kafka"]:
    """A node runs meanwhile, and beside it the sandbox's registry, which is asked once a run."""
    cluster = Cluster(NEWEST, fetch(cache, NEWEST.profile), home / "kafka", heap=HEAP,
                      compiled=WELL_COMPILED, properties=PROPERTIES)
    registry = Sandbox().start(home)
    try:
        timed(f"Kafka {cluster.version} started", cluster.start)
        wait_until_whole(cluster)
        yield Kafka(cluster, registry.endpoint.registry_url)
    finally:
        cluster.stop()
        registry.kill()


class Kafka(Ground):
    needs_warming_up = True  # before Java has compiled what is hot, it is several times slower

    def __init__(self, cluster: Cluster, registry_url: str):
        self.cluster, self.registry_url = cluster, registry_url
        self.topics = Topics(cluster)
        self.runs = 0
        self.name = f"Apache Kafka {cluster.version}, one node"

    def start(self, home: Path) -> Broker:
        self.runs += 1
        topic = f"{TOPIC}_{self.runs}"
        with as_peer_error():
            self.topics.create(topic, PARTITIONS)
        return KafkaTopic(self, topic)


class KafkaTopic(Broker):
    def __init__(self, ground: Kafka, topic: str):
        self.ground = ground
        self.endpoint = Endpoint(ground.cluster.bootstrap, topic, ground.registry_url)
        self.is_there = True

    def finish(self) -> int:
        with as_peer_error():
            took = end_offset(self.endpoint.bootstrap, self.endpoint.topic)
        self.kill()
        return took

    def kill(self):
        """Deleted, so that the disk does not fill."""
        if self.is_there:
            self.is_there = False
            try:
                self.ground.topics.delete(self.endpoint.topic)
            except (KafkaException, PeerError) as error:
                print(f"topic {self.endpoint.topic} is left behind: {error}")


@contextlib.contextmanager
def as_peer_error() -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise PeerError(str(error)) from error
