"""What every case needs: the peers, the program, and the schema as the repository has it."""

import contextlib
import re
from typing import Iterator

from confluent_kafka.schema_registry import SchemaRegistryClient

from peers.cluster import Cluster
from peers.processes import wait_until
from peers.registry import Registry
from peers.topics import Topics, end_offset
from program import Outcome, Program, Run
from records import Record, Schema, compare, read_topic

PARTITIONS = 6
COUNT = 20_000
SEED = 20_241_124
PROGRESS_TIMEOUT_S = 60
# The program may end before the broker has read all that was written to the socket (acks=0), and before followers have
# it (acks=1).
REPLICATED_TIMEOUT_S = 30
DUMPED_BATCH = re.compile(
    r"baseOffset: (?P<base>\d+) lastOffset: (?P<last>\d+) count: (?P<count>\d+) baseSequence: (?P<sequence>-?\d+)"
    r".* producerId: (?P<producer>-?\d+) .*compresscodec: (?P<codec>\w+) .*isvalid: (?P<valid>\w+)")


class Bench:
    """One for all cases. Each makes a topic of its own (named after itself): none can see another's records."""

    def __init__(self, kafka: Cluster, registry: Registry, program: Program, schema_text: str):
        self.kafka, self.registry, self.program = kafka, registry, program
        self.schema_text = schema_text
        self.schema = Schema(schema_text)
        self.schemas = SchemaRegistryClient({"url": registry.url})
        self.topics = Topics(self.kafka)

    def create(self, topic: str, partitions: int = PARTITIONS, **config: object):
        self.topics.create(topic, partitions, **config)

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

    @contextlib.contextmanager
    def running(self, topic: str, **more: object) -> Iterator[Run]:
        """A run that goes on until it is told to stop, unless MESSAGE_COUNT says otherwise. The case finishes it."""
        settings = self.settings(topic, **more)
        if "MESSAGE_COUNT" not in more:
            del settings["MESSAGE_COUNT"]
        run = self.program.start(settings)
        try:
            yield run
        finally:
            run.kill()

    def wait_for_records(self, topic: str, more_than: int, run: Run):
        wait_until(f"{topic} holds more than {more_than} records",
                   lambda: end_offset(self.kafka.bootstrap, topic) > more_than, PROGRESS_TIMEOUT_S, run)

    def registered(self, topic: str) -> tuple[int, Schema]:
        """The topic's schema id and schema, from the registry. The schema must be the repository's."""
        version = self.schemas.get_latest_version(f"{topic}-value")
        fetched = self.schemas.get_schema(version.schema_id)
        assert fetched.schema_type == "PROTOBUF", f"registered as {fetched.schema_type}"
        schema = Schema(fetched.schema_str)
        assert schema.file == self.schema.file, f"the registry has another schema:\n{fetched.schema_str}"
        return version.schema_id, schema

    def verify(self, topic: str, outcome: Outcome, count: int, *, keyed: bool = True, missing: int = 0,
               partitions_before: tuple[int, ...] = ()) -> list[Record]:
        """Every record of the topic, as librdkafka reads it, is what it must be: see `compare`."""
        schema_id, schema = self.registered(topic)
        return self.verify_as(topic, outcome, count, schema_id, schema, keyed=keyed, missing=missing,
                              partitions_before=partitions_before)

    def verify_as(self, topic: str, outcome: Outcome, count: int, schema_id: int, schema: Schema, *,
                  keyed: bool = True, missing: int = 0, partitions_before: tuple[int, ...] = ()) -> list[Record]:
        """As `verify`, where the registry cannot be asked."""
        records = read_topic(self.kafka.bootstrap, topic)
        compare(records, self.program.shoes(SEED, count), schema, schema_id,
                partitions=len(self.topics.partitions(topic)), partitions_before=partitions_before, keyed=keyed,
                missing=missing, started_ms=outcome.started_ms, ended_ms=outcome.ended_ms)
        return records

    def deliver_and_verify(self, topic: str, partitions: int = PARTITIONS, **more: object) -> Outcome:
        self.create(topic, partitions)
        return self.deliver_and_verify_into(topic, **more)

    def deliver_and_verify_into(self, topic: str, **more: object) -> Outcome:
        """Into a topic that is there."""
        count = int(more.get("MESSAGE_COUNT", COUNT))
        outcome = self.produce(topic, **more)
        outcome.expect_all_delivered(count)
        if more.get("KAFKA_ACKS", "all") != "all":
            wait_until(f"all nodes have all {count} of {topic}",
                       lambda: end_offset(self.kafka.bootstrap, topic) == count, REPLICATED_TIMEOUT_S)
        self.verify(topic, outcome, count, keyed=more.get("KAFKA_MESSAGE_KEY") != "none")
        return outcome

    def dumped_batches(self, topic: str) -> dict[int, list[dict[str, str]]]:
        """What Kafka's DumpLogSegments says of each batch on the disk, by partition."""
        batches = {}
        for partition in self.topics.partitions(topic):
            files = ",".join(map(str, self.kafka.segments(topic, partition)))
            text = self.kafka.tool(self.kafka.release.dump_log_segments, "--deep-iteration", "--files", files)
            batches[partition] = [found.groupdict() for found in DUMPED_BATCH.finditer(text)]
        return batches
