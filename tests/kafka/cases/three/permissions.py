"""What a user may not do is told in one line with what to do about it, and nothing is written."""

import signal

from confluent_kafka.admin import AclOperation

from cases.three.bench import BEGINNER, NOT_CREATOR, ONLY_READER, STRANGER, WITHDRAWN, ThreeBench
from peers.processes import wait_until
from peers.topics import end_offset
from program import ERROR

PARTITIONS = 3
COUNT = 2_000
EFFECT_TIMEOUT_S = 30
SOME_RECORDS = 1_000


def without_write_every_message_fails_with_the_right_that_is_missing(bench: ThreeBench, topic: str):
    """The user may write elsewhere, and so gets a producer id."""
    bench.grant(ONLY_READER, topic, AclOperation.DESCRIBE)
    bench.grant(ONLY_READER, f"{topic}.another", AclOperation.WRITE)
    bench.create(topic, PARTITIONS)
    outcome = bench.produce(topic, MESSAGE_COUNT=COUNT, **bench.settings_of(ONLY_READER))
    outcome.expect_all_failed(COUNT, "TOPIC_AUTHORIZATION_FAILED", "grant this user WRITE")
    assert end_offset(bench.kafka.bootstrap, topic) == 0


def without_describe_the_topic_is_refused_before_anything_is_made(bench: ThreeBench, topic: str):
    bench.create(topic, PARTITIONS)
    outcome = bench.produce(topic, MESSAGE_COUNT=COUNT, **bench.settings_of(STRANGER))
    outcome.expect_one_error(topic, "TOPIC_AUTHORIZATION_FAILED", "WRITE and DESCRIBE")
    assert outcome.ledger.generated == 0, outcome.ledger
    assert end_offset(bench.kafka.bootstrap, topic) == 0


def without_any_right_to_write_no_producer_id_is_given(bench: ThreeBench, topic: str):
    bench.grant(BEGINNER, topic, AclOperation.DESCRIBE)
    bench.create(topic, PARTITIONS)
    outcome = bench.produce(topic, MESSAGE_COUNT=COUNT, **bench.settings_of(BEGINNER))
    outcome.expect_one_error("CLUSTER_AUTHORIZATION_FAILED", "grant this user WRITE")
    assert outcome.ledger.generated == 0, outcome.ledger
    assert end_offset(bench.kafka.bootstrap, topic) == 0


def without_create_the_topic_is_not_created(bench: ThreeBench, topic: str):
    bench.grant(NOT_CREATOR, topic, AclOperation.WRITE)
    # As good as the topic itself for telling that brokers have heard of the grant.
    bench.create(f"{topic}.another", PARTITIONS)
    outcome = bench.produce(topic, MESSAGE_COUNT=COUNT, KAFKA_CREATE_TOPIC="3:3", **bench.settings_of(NOT_CREATOR))
    outcome.expect_one_error(topic, "TOPIC_AUTHORIZATION_FAILED", "grant this user CREATE")
    assert outcome.ledger.generated == 0, outcome.ledger
    assert not bench.topics.exists(topic), "it created the topic nevertheless"


def what_is_refused_while_write_is_withdrawn_fails_and_the_rest_arrives(bench: ThreeBench, topic: str):
    """A refusal for want of permission is final for its batch, and not for those that come later."""
    bench.grant(WITHDRAWN, topic, AclOperation.DESCRIBE, AclOperation.WRITE)
    bench.create(topic, PARTITIONS)
    with bench.running(topic, MESSAGE_INTERVAL="1ms", **bench.settings_of(WITHDRAWN)) as run:
        bench.wait_for_records(topic, SOME_RECORDS, run)
        bench.withdraw(WITHDRAWN, topic, AclOperation.WRITE)
        wait_until("records fail", lambda: ERROR in run.output(), EFFECT_TIMEOUT_S, run)
        held = end_offset(bench.kafka.bootstrap, topic)
        bench.grant(WITHDRAWN, topic, AclOperation.WRITE)
        bench.wait_for_records(topic, held + SOME_RECORDS, run)
        run.signal(signal.SIGTERM)
        outcome = run.finish()
    assert outcome.code == 1, f"exit code {outcome.code}:\n{outcome.output}"
    ledger = outcome.ledger
    assert ledger.failed > 0 and ledger.unsent == 0, ledger
    errors = [line for line in outcome.output.splitlines() if ERROR in line]
    assert all("TOPIC_AUTHORIZATION_FAILED" in line for line in errors), outcome.output
    bench.verify(topic, outcome, ledger.generated, missing=ledger.failed)


CASES = (
    without_write_every_message_fails_with_the_right_that_is_missing,
    without_describe_the_topic_is_refused_before_anything_is_made,
    without_any_right_to_write_no_producer_id_is_given,
    without_create_the_topic_is_not_created,
    what_is_refused_while_write_is_withdrawn_fails_and_the_rest_arrives,
)
