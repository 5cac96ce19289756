"""Topics by librdkafka's admin client: made, waited for, asked who leads and who is in step."""

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from peers.cluster import Cluster
from peers.processes import wait_until

TIMEOUT_S = 30
IN_STEP_TIMEOUT_S = 120
# What a broker says of a partition that it is told to lead and does not know of yet.
NOT_LED_YET = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART)


class Topics:
    def __init__(self, cluster: Cluster):
        self.cluster = cluster
        self.admin = AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 0})

    def create(self, topic: str, partitions: int, replicas: int | None = None, **config: object):
        """Returns when every partition has a leader that leads. The configuration's names have `_` for `.`."""
        if replicas is None:
            replicas = len(self.cluster.nodes)
        settings = {name.replace("_", "."): str(value) for name, value in config.items()}
        [made] = self.admin.create_topics([NewTopic(topic, partitions, replicas, config=settings)]).values()
        made.result(TIMEOUT_S)
        # The controller's word is not the broker's, and its metadata are not its logs: wait until every leader leads.
        wait_until(f"{topic} has leaders", lambda: self._is_led(topic, partitions), TIMEOUT_S)

    def _is_led(self, topic: str, partitions: int) -> bool:
        found = self.partitions(topic)
        if len(found) < partitions or any(each.leader < 0 for each in found.values()):
            return False
        try:
            # Whom this asks first may be another node, which has not heard of the topic and would name no leader.
            return len(end_offsets(self.cluster.bootstrap, topic)) >= partitions
        except KafkaException as error:
            if error.args[0].code() not in NOT_LED_YET:
                raise
            return False

    def delete(self, topic: str):
        [gone] = self.admin.delete_topics([topic]).values()
        gone.result(TIMEOUT_S)

    def exists(self, topic: str) -> bool:
        return topic in self.admin.list_topics(timeout=TIMEOUT_S).topics

    def partitions(self, topic: str) -> dict:
        """By number: objects with `leader`, `replicas` and `isrs`."""
        return self.admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions

    def leader(self, topic: str, partition: int = 0) -> int:
        """The node's number; -1 if there is none just now."""
        return self.partitions(topic)[partition].leader

    def wait_until_in_step(self, topic: str):
        """Every replica of every partition is in sync, and every partition has a leader."""
        def in_step() -> bool:
            try:
                found = self.partitions(topic)
            except KafkaException:
                return False
            return bool(found) and all(each.leader >= 0 and set(each.isrs) == set(each.replicas)
                                       for each in found.values())
        wait_until(f"all replicas of {topic} are in sync", in_step, IN_STEP_TIMEOUT_S)


def wait_until_whole(cluster: Cluster):
    """Every node knows all of them, and who controls them. Before, a client would drop nodes that it has just heard of,
    with what it had asked them.
    """
    listener = next(iter(cluster.listeners.values()))
    addresses = [node.address(listener) for node in cluster.nodes]
    wait_until("all nodes know each other", lambda: all(knows_all(address, len(addresses)) for address in addresses),
               TIMEOUT_S)


def knows_all(address: str, nodes: int) -> bool:
    try:
        # Anew each time: a client that was told of all would ask any.
        metadata = AdminClient({"bootstrap.servers": address, "log_level": 0}).list_topics(timeout=TIMEOUT_S)
    except KafkaException:
        return False
    return len(metadata.brokers) == nodes and metadata.controller_id >= 0


def end_offset(bootstrap: str, topic: str) -> int:
    """How many records the topic holds, as its end offsets say; 0 while there is no topic."""
    return sum(end_offsets(bootstrap, topic).values())


def end_offsets(bootstrap: str, topic: str) -> dict[int, int]:
    """The same by partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused"})
    try:
        metadata = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
        return {partition: consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=TIMEOUT_S)[1]
                for partition in metadata.partitions}
    finally:
        consumer.close()
