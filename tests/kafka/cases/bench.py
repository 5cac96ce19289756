"""What every case needs: the peers, the program, and the schema as the repository has it."""

import re

from confluent_kafka.schema_registry import SchemaRegistryClient

from gate import Gate
from peers.cluster import Cluster
from peers.registry import Registry
from peers.topics import Topics
from program import Outcome, Program
from records import Schema, compare, read_topic
from secured import Secured

PARTITIONS = 6
COUNT = 20_000
SEED = 20_241_124
DUMPED_BATCH = re.compile(
    r"baseOffset: (?P<base>\d+) lastOffset: (?P<last>\d+) count: (?P<count>\d+) baseSequence: (?P<sequence>-?\d+)"
    r".* producerId: (?P<producer>-?\d+) .*compresscodec: (?P<codec>\w+) .*isvalid: (?P<valid>\w+)")


class PlainBench:
    """Kafka and a registry in the clear. Each case has a topic, named after itself: none can see another's records."""

    def __init__(self, kafka: Cluster, registry: Registry, program: Program, schema_text: str):
        self.kafka, self.registry, self.program = kafka, registry, program
        self.schema_text = schema_text
        self.schema = Schema(schema_text)
        self.schemas = SchemaRegistryClient({"url": registry.url})
        self.topics = Topics(self.kafka)

    def create(self, topic: str):
        self.topics.create(topic, PARTITIONS)

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
        self.verify_as(topic, outcome, count, schema_id, schema, keyed=keyed)

    def verify_as(self, topic: str, outcome: Outcome, count: int, schema_id: int, schema: Schema, *,
                  keyed: bool = True):
        """As `verify`, where the registry cannot be asked."""
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
            text = self.kafka.tool(self.kafka.release.dump_log_segments, "--deep-iteration", "--files", files)
            batches[partition] = [found.groupdict() for found in DUMPED_BATCH.finditer(text)]
        return batches


class Bench(PlainBench):
    """With every way into Kafka, and the registry behind a gate too."""

    def __init__(self, secured: Secured, registry: Registry, gate: Gate, program: Program, schema_text: str):
        super().__init__(secured.kafka, registry, program, schema_text)
        self.secured, self.gate = secured, gate
