"""A subject that has an older schema, which ours fits or does not."""

import re

from confluent_kafka.schema_registry import Schema as RegisteredSchema

from cases.bench import COUNT
from cases.registry.bench import RegistryBench
from cases.security.check import expect_failure
from peers.topics import end_offset
from records import Schema

INCOMPATIBLE_FIELD = ("int32 sale_price = 4;", "string sale_price = 4;")
LAST_FIELD = re.compile(r"(  //[^\n]*\n)*  \w+ created_at = 10;\n")
REGISTRYS_WORDS = "not backward compatible"


def a_schema_that_does_not_fit_an_older_one_is_refused(bench: RegistryBench, topic: str):
    """Scenario 40."""
    register_incompatible(bench, topic)
    outcome = bench.produce(topic)
    outcome.expect_one_error(f"{topic}-value", "incompatible", REGISTRYS_WORDS, "SCHEMA_REGISTRY_SUBJECT",
                             "compatibility level")
    expect_untouched(bench, topic)


def without_registration_a_schema_that_does_not_fit_is_not_found(bench: RegistryBench, topic: str):
    register_incompatible(bench, topic)
    outcome = bench.produce(topic, SCHEMA_REGISTRY_AUTO_REGISTER="false")
    outcome.expect_one_error(f"{topic}-value", "does not have this schema", "does not match any schema",
                             "register the schema first")
    expect_untouched(bench, topic)


def a_schema_that_does_not_fit_fails_its_check(bench: RegistryBench, topic: str):
    register_incompatible(bench, topic)
    outcome = bench.program.run(bench.settings(topic), "--check")
    expect_failure(outcome, "schema", f"{topic}-value", "incompatible", REGISTRYS_WORDS, "SCHEMA_REGISTRY_SUBJECT")
    expect_untouched(bench, topic)


def a_schema_that_fits_an_older_one_becomes_the_second_version(bench: RegistryBench, topic: str):
    older, found = LAST_FIELD.subn("", bench.schema_text)
    assert found == 1 and len(Schema(older).fields) == len(bench.schema.fields) - 1, older
    older_id = register(bench, topic, older)
    check = bench.program.run(bench.settings(topic), "--check")
    assert "a run would register it" in check.output, check.output
    assert versions(bench, topic) == [1], "the check registered it"
    outcome = bench.produce(topic)
    outcome.expect_all_delivered(COUNT)
    assert versions(bench, topic) == [1, 2], f"versions {versions(bench, topic)}"
    schema_id, _ = bench.registered(topic)
    assert schema_id != older_id, f"both versions have id {schema_id}"
    bench.verify(topic, outcome, COUNT)


def register_incompatible(bench: RegistryBench, topic: str):
    assert bench.schema_text.count(INCOMPATIBLE_FIELD[0]) == 1
    register(bench, topic, bench.schema_text.replace(*INCOMPATIBLE_FIELD))


def register(bench: RegistryBench, topic: str, older: str) -> int:
    """An older schema under the topic's subject, which later ones must fit. Returns its id."""
    bench.create(topic)
    schema_id = bench.schemas.register_schema(f"{topic}-value", RegisteredSchema(older, "PROTOBUF"))
    bench.schemas.set_compatibility(f"{topic}-value", "BACKWARD")
    return schema_id


def expect_untouched(bench: RegistryBench, topic: str):
    assert versions(bench, topic) == [1], f"versions {versions(bench, topic)}"
    assert end_offset(bench.kafka.bootstrap, topic) == 0, "it produced something"


def versions(bench: RegistryBench, topic: str) -> list[int]:
    return bench.schemas.get_versions(f"{topic}-value")


CASES = [
    a_schema_that_does_not_fit_an_older_one_is_refused,
    without_registration_a_schema_that_does_not_fit_is_not_found,
    a_schema_that_does_not_fit_fails_its_check,
    a_schema_that_fits_an_older_one_becomes_the_second_version,
]
