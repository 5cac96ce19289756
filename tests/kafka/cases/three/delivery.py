"""What arrives on three nodes, whatever the codec, the acknowledgements, the key and the number of partitions."""

from cases.bench import COUNT
from cases.matrix import deliver_every_codec
from cases.three.bench import ThreeBench

REPLICAS = 3


def one_partition_takes_every_codec_acks_and_key(bench: ThreeBench, topic: str):
    deliver_every_codec(bench, topic, 1, shift=0)


def three_partitions_take_every_codec_acks_and_key(bench: ThreeBench, topic: str):
    deliver_every_codec(bench, topic, 3, shift=1)


def twelve_partitions_take_every_codec_acks_and_key(bench: ThreeBench, topic: str):
    deliver_every_codec(bench, topic, 12, shift=2)


def a_missing_topic_is_created_with_the_partitions_and_replicas_asked_for(bench: ThreeBench, topic: str):
    outcome = bench.produce(topic, KAFKA_CREATE_TOPIC="12:3")
    outcome.expect_all_delivered(COUNT)
    replicas = [len(partition.replicas) for partition in bench.topics.partitions(topic).values()]
    assert replicas == [REPLICAS] * 12, f"created with {replicas} replicas by partition"
    bench.verify(topic, outcome, COUNT)


def a_missing_topic_is_refused_in_one_line_and_not_created(bench: ThreeBench, topic: str):
    """Scenario 27."""
    bench.produce(topic).expect_one_error(topic, "does not exist")
    assert not bench.topics.exists(topic), "it created the topic nevertheless"


CASES = (
    one_partition_takes_every_codec_acks_and_key,
    three_partitions_take_every_codec_acks_and_key,
    twelve_partitions_take_every_codec_acks_and_key,
    a_missing_topic_is_created_with_the_partitions_and_replicas_asked_for,
    a_missing_topic_is_refused_in_one_line_and_not_created,
)
