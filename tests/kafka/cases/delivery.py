"""Without security: what the program delivers, and that a client of another maker reads all of it."""

import signal

from confluent_kafka.schema_registry import Schema as RegisteredSchema
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from cases.bench import COUNT, PARTITIONS, Bench
from peers.topics import end_offset
from records import read_topic

COUNT_LARGE = 1_000_000


def every_shoe_arrives_once_in_order_in_its_keys_partition(bench: Bench, topic: str):
    bench.deliver_and_verify(topic)


def the_log_on_disk_is_valid_idempotent_and_in_sequence(bench: Bench, topic: str):
    bench.deliver_and_verify(topic)
    total, producers = 0, set()
    for partition, batches in bench.dumped_batches(topic).items():
        sequence = 0
        for batch in batches:
            assert batch["valid"] == "true", f"partition {partition}: {batch}"
            assert int(batch["sequence"]) == sequence, f"partition {partition}: sequence {sequence} expected: {batch}"
            sequence += int(batch["count"])
            producers.add(batch["producer"])
        total += sequence
    assert total == COUNT, f"DumpLogSegments counts {total} records"
    assert len(producers) == 1 and "-1" not in producers, f"producer ids {producers}"


def gzip_is_read_by_foreign_clients(bench: Bench, topic: str):
    read_compressed(bench, topic, "gzip")


def snappy_is_read_by_foreign_clients(bench: Bench, topic: str):
    read_compressed(bench, topic, "snappy")


def lz4_is_read_by_foreign_clients(bench: Bench, topic: str):
    read_compressed(bench, topic, "lz4")


def zstd_is_read_by_foreign_clients(bench: Bench, topic: str):
    read_compressed(bench, topic, "zstd")


def read_compressed(bench: Bench, topic: str, codec: str):
    """librdkafka decompresses with its own libraries, Kafka's console consumer with Java's."""
    bench.deliver_and_verify(topic, KAFKA_COMPRESSION_TYPE=codec)
    printed = bench.kafka.tool(
        "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", bench.kafka.bootstrap, "--topic",
        topic, "--from-beginning", "--max-messages", str(COUNT), "--timeout-ms", "30000", "--formatter-property",
        "print.key=true", "--formatter-property", "print.value=false")
    keys = printed.split()
    assert len(keys) == len(set(keys)) == COUNT, f"the console consumer read {len(keys)}, {len(set(keys))} different"
    batches = [batch for each in bench.dumped_batches(topic).values() for batch in each]
    codecs = {batch["codec"].lower() for batch in batches}
    assert codecs == {codec}, f"batches are written with {codecs}"
    assert sum(int(batch["count"]) for batch in batches) == COUNT


def confluents_own_deserializer_reads_the_frame(bench: Bench, topic: str):
    bench.deliver_and_verify(topic)
    # Without a registry client: the deserializer would ask for the schema in a serialised form that only Confluent's
    # own registry has. That the id leads to the schema is checked by `registered`.
    deserialize = ProtobufDeserializer(bench.schema.message, {"use.deprecated.format": False})
    context = SerializationContext(topic, MessageField.VALUE)
    ids = {deserialize(record.value, context).id for record in read_topic(bench.kafka.bootstrap, topic)}
    assert len(ids) == COUNT, f"{len(ids)} different ids"


def without_a_key_the_order_of_a_partition_still_holds(bench: Bench, topic: str):
    bench.deliver_and_verify(topic, KAFKA_MESSAGE_KEY="none", KAFKA_BATCH_SIZE=16_384)
    used = {record.partition for record in read_topic(bench.kafka.bootstrap, topic)}
    assert len(used) > 1, f"the sticky partitioner never left partition {used}"


def acks_1_delivers_everything(bench: Bench, topic: str):
    bench.deliver_and_verify(topic, KAFKA_ACKS=1)


def acks_0_delivers_everything_to_a_healthy_broker(bench: Bench, topic: str):
    bench.deliver_and_verify(topic, KAFKA_ACKS=0)


def a_missing_topic_is_created_when_asked_for(bench: Bench, topic: str):
    outcome = bench.produce(topic, KAFKA_CREATE_TOPIC=f"{PARTITIONS}:1")
    outcome.expect_all_delivered(COUNT)
    found = bench.topics.partitions(topic)
    assert len(found) == PARTITIONS, f"created with {len(found)} partitions"
    bench.verify(topic, outcome, COUNT)


def a_missing_topic_is_refused_with_its_name(bench: Bench, topic: str):
    outcome = bench.produce(topic)
    outcome.expect_refusal(topic, "topic")
    assert outcome.ledger.acknowledged == 0
    assert not bench.topics.exists(topic), "it created the topic nevertheless"


def a_registered_schema_is_used_without_registering(bench: Bench, topic: str):
    registered = bench.schemas.register_schema(f"{topic}-value", RegisteredSchema(bench.schema_text, "PROTOBUF"))
    bench.deliver_and_verify(topic, SCHEMA_REGISTRY_AUTO_REGISTER="false")
    assert bench.schemas.get_versions(f"{topic}-value") == [1], "it registered another version"
    assert bench.registered(topic)[0] == registered


def an_unregistered_schema_is_refused_without_registering(bench: Bench, topic: str):
    bench.create(topic)
    bench.produce(topic, SCHEMA_REGISTRY_AUTO_REGISTER="false").expect_refusal(f"{topic}-value")
    assert f"{topic}-value" not in bench.schemas.get_subjects(), "it registered the subject nevertheless"
    assert end_offset(bench.kafka.bootstrap, topic) == 0


def sigterm_in_mid_run_loses_nothing(bench: Bench, topic: str):
    stopped_in_mid_run(bench, topic, signal.SIGTERM)


def sigint_in_mid_run_loses_nothing(bench: Bench, topic: str):
    stopped_in_mid_run(bench, topic, signal.SIGINT)


def stopped_in_mid_run(bench: Bench, topic: str, number: signal.Signals):
    bench.create(topic)
    with bench.running(topic, MESSAGE_INTERVAL="50us") as run:
        bench.wait_for_records(topic, 1_000, run)
        run.signal(number)
        outcome = run.finish()
    held = end_offset(bench.kafka.bootstrap, topic)
    outcome.expect_all_delivered(held)
    bench.verify(topic, outcome, held)


def a_million_shoes_at_full_speed_all_arrive(bench: Bench, topic: str):
    bench.create(topic)
    outcome = bench.produce(topic, MESSAGE_COUNT=COUNT_LARGE)
    outcome.expect_all_delivered(COUNT_LARGE)
    printed = bench.kafka.tool("org.apache.kafka.tools.GetOffsetShell", "--bootstrap-server", bench.kafka.bootstrap,
                               "--topic", topic)
    ends = [int(line.rsplit(":", 1)[1]) for line in printed.splitlines() if line.startswith(f"{topic}:")]
    print(f"    Kafka's GetOffsetShell: {' + '.join(map(str, ends))} = {sum(ends)}", flush=True)
    assert sum(ends) == COUNT_LARGE
    bench.verify(topic, outcome, COUNT_LARGE)


CASES = [
    every_shoe_arrives_once_in_order_in_its_keys_partition,
    the_log_on_disk_is_valid_idempotent_and_in_sequence,
    confluents_own_deserializer_reads_the_frame,
    gzip_is_read_by_foreign_clients,
    snappy_is_read_by_foreign_clients,
    lz4_is_read_by_foreign_clients,
    zstd_is_read_by_foreign_clients,
    without_a_key_the_order_of_a_partition_still_holds,
    acks_1_delivers_everything,
    acks_0_delivers_everything_to_a_healthy_broker,
    a_missing_topic_is_created_when_asked_for,
    a_missing_topic_is_refused_with_its_name,
    a_registered_schema_is_used_without_registering,
    an_unregistered_schema_is_refused_without_registering,
    sigterm_in_mid_run_loses_nothing,
    sigint_in_mid_run_loses_nothing,
    a_million_shoes_at_full_speed_all_arrive,
]
