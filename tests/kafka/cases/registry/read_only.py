"""A registry that takes no writes: what it has is used, what it lacks is told."""

from confluent_kafka.schema_registry import Schema as RegisteredSchema

from cases.registry.bench import RegistryBench
from peers.topics import end_offset


def a_read_only_registry_without_the_schema_is_told(bench: RegistryBench, topic: str):
    """Scenario 40."""
    bench.create(topic)
    outcome = bench.produce(topic, SCHEMA_REGISTRY_URL=bench.read_only.url)
    outcome.expect_one_error(bench.read_only.url, "42205", f"Subject {topic}-value is in read-only mode",
                             "change its mode", "SCHEMA_REGISTRY_AUTO_REGISTER=false")
    assert f"{topic}-value" not in bench.schemas.get_subjects(), "it registered the subject nevertheless"
    assert end_offset(bench.kafka.bootstrap, topic) == 0, "it produced something"


def a_read_only_registry_that_has_the_schema_gives_its_id(bench: RegistryBench, topic: str):
    deliver_as_registered(bench, topic)


def a_read_only_registry_is_enough_without_registration(bench: RegistryBench, topic: str):
    deliver_as_registered(bench, topic, SCHEMA_REGISTRY_AUTO_REGISTER="false")


def deliver_as_registered(bench: RegistryBench, topic: str, **more: object):
    registered = bench.schemas.register_schema(f"{topic}-value", RegisteredSchema(bench.schema_text, "PROTOBUF"))
    refused = bench.read_only.refused
    bench.deliver_and_verify(topic, SCHEMA_REGISTRY_URL=bench.read_only.url, **more)
    assert bench.read_only.refused == refused, "something was refused"
    assert bench.registered(topic)[0] == registered


CASES = [
    a_read_only_registry_without_the_schema_is_told,
    a_read_only_registry_that_has_the_schema_gives_its_id,
    a_read_only_registry_is_enough_without_registration,
]
