"""What every case needs: the peers, the program, and the schema as the repository has it."""

import re

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import SchemaRegistryClient

from gate import Gate
from peers import Registry, wait_until
from program import Outcome, Program
from records import Schema, compare, end_offset, read_topic
from secured import Secured

PARTITIONS = 6
COUNT = 20_000
SEED = 20_241_124
TOPIC_TIMEOUT_S = 30
DUMPED_BATCH = re.compile(
    r"baseOffset: (?P<base>\d+) lastOffset: (?P<last>\d+) count: (?P<count>\d+) baseSequence: (?P<sequence>-?\d+)"
    r".* producerId: (?P<producer>-?\d+) .*compresscodec: (?P<codec>\w+) .*isvalid: (?P<valid>\w+)")


class Bench:
    """One for all cases. Each makes a topic of its own (named after itself): none can see another's records."""

    def __init__(self, secured: Secured, registry: Registry, gate: Gate, program: Program, schema_text: str):
        self.secured, self.kafka = secured, secured.kafka
        self.registry, self.gate, self.program = registry, gate, program
        self.schema_text = schema_text
        self.schema = Schema(schema_text)
        self.schemas = SchemaRegistryClient({"url": registry.url})
        self.admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap, "log_level": 0})

    def create(self, topic: str):
        [made] = self.admin.create_topics([NewTopic(topic, PARTITIONS, 1)]).values()
        made.result(TOPIC_TIMEOUT_S)
        # The controller's word is not the broker's, and its metadata are not its logs: wait until every leader leads.
        wait_until(f"{topic} has leaders", lambda: self._is_led(topic), TOPIC_TIMEOUT_S)

    def _is_led(self, topic: str) -> bool:
        found = self.admin.list_topics(topic, timeout=TOPIC_TIMEOUT_S).topics[topic]
        if len(found.partitions) < PARTITIONS or any(p.leader < 0 for p in found.partitions.values()):
            return False
        try:
            return end_offset(self.kafka.bootstrap, topic) == 0
        except KafkaException as error:
            if error.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION:
                raise
            return False

    def settings(self, topic: str, **more: object) -> dict[str, object]:
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap,
            "SCHEMA_REGISTRY_URL": self.registry.url,
            "KAFKA_TOPIC": topic,
            "MESSAGE_INTERVAL": 0,
            "MESSAGE_COUNT": COUNT,
            "SEED": SEED,
        } | more

    def produce(self, topic: str, **more: object) -> Outcome:
        return self.program.run(self.settings(topic, **more))

    def registered(self, topic: str) -> tuple[int, Schema]:
        """The topic's schema id and schema, from the registry. The schema must be the repository's."""
        version = self.schemas.get_latest_version(f"{topic}-value")
        fetched = self.schemas.get_schema(version.schema_id)
        assert fetched.schema_type == "PROTOBUF", f"registered as {fetched.schema_type}"
        schema = Schema(fetched.schema_str)
        assert schema.file == self.schema.file, f"the registry has another schema:\n{fetched.schema_str}"
        return version.schema_id, schema

    def verify(self, topic: str, outcome: Outcome, count: int, *, keyed: bool = True):
        """Every record of the topic, as librdkafka reads it, is what it must be."""
        schema_id, schema = self.registered(topic)
        compare(read_topic(self.kafka.bootstrap, topic), self.program.shoes(SEED, count), schema, schema_id,
                partitions=PARTITIONS, keyed=keyed, started_ms=outcome.started_ms, ended_ms=outcome.ended_ms)

    def deliver_and_verify(self, topic: str, **more: object) -> Outcome:
        self.create(topic)
        count = int(more.get("MESSAGE_COUNT", COUNT))
        outcome = self.produce(topic, **more)
        outcome.expect_all_delivered(count)
        self.verify(topic, outcome, count, keyed=more.get("KAFKA_MESSAGE_KEY") != "none")
        return outcome

    def dumped_batches(self, topic: str) -> dict[int, list[dict[str, str]]]:
        """What Kafka's DumpLogSegments says of each batch on the disk, by partition."""
        batches = {}
        for partition in range(PARTITIONS):
            files = ",".join(map(str, self.kafka.segments(topic, partition)))
            text = self.kafka.tool("org.apache.kafka.tools.DumpLogSegments", "--deep-iteration", "--files", files)
            batches[partition] = [found.groupdict() for found in DUMPED_BATCH.finditer(text)]
        return batches
