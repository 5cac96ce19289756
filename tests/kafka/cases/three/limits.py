"""What brokers do not take, or not yet: batches and records that are too large, too few replicas, more than a quota
allows, records without the key that a compacted topic needs.
"""

import signal

from cases.bench import COUNT
from cases.three.bench import ThreeBench
from peers.processes import wait_until
from peers.topics import end_offset

PARTITIONS = 3
COUNT_FEW = 100
WAIT_TIMEOUT_S = 60
# Some ten records. Batches of a thousand are halved down to it, each half on its own.
BATCH_BYTES_MAX = 2_000
COUNT_HALVED = 2_000
# Less than any shoe takes.
RECORD_BYTES_MAX = 100
QUOTA_BYTES_PER_S = 100_000
# Kafka measures over so many seconds, and lets pass at once what it allows over that time.
QUOTA_WINDOW_S = 11
QUOTA_BATCH_BYTES = 50_000
IN_FLIGHT_MAX = 5
QUOTA_COUNT = 25_000
BUFFER_BYTES = 2_200_000
# What the process takes beside its buffer. Without a bound it would generate more than that in a second.
MEMORY_BESIDE_BYTES_MAX = 24_000_000


def batches_that_are_too_large_are_split_and_arrive_once_in_order(bench: ThreeBench, topic: str):
    """Scenario 21."""
    bench.create(topic, PARTITIONS, max_message_bytes=BATCH_BYTES_MAX)
    # Each level of halves is a round trip, so that a busy machine takes longer than a shutdown may by default.
    outcome = bench.deliver_and_verify_into(topic, KAFKA_BATCH_SIZE=1_000_000, MESSAGE_COUNT=COUNT_HALVED,
                                            SHUTDOWN_TIMEOUT="100s")
    assert "MESSAGE_TOO_LARGE" in outcome.output, outcome.output


def records_that_are_too_large_by_themselves_fail_each(bench: ThreeBench, topic: str):
    """Scenario 21."""
    bench.create(topic, PARTITIONS, max_message_bytes=RECORD_BYTES_MAX)
    outcome = bench.produce(topic, MESSAGE_COUNT=COUNT_FEW)
    outcome.expect_all_failed(COUNT_FEW, "MESSAGE_TOO_LARGE", "raise the topic's max.message.bytes")
    assert end_offset(bench.kafka.bootstrap, topic) == 0


def a_compacted_topic_takes_what_has_a_key(bench: ThreeBench, topic: str):
    bench.create(topic, PARTITIONS, cleanup_policy="compact")
    bench.deliver_and_verify_into(topic)


def a_compacted_topic_refuses_what_has_no_key_and_that_is_told(bench: ThreeBench, topic: str):
    """Scenario 21."""
    bench.create(topic, PARTITIONS, cleanup_policy="compact")
    outcome = bench.produce(topic, MESSAGE_COUNT=COUNT_FEW, KAFKA_MESSAGE_KEY="none")
    outcome.expect_all_failed(COUNT_FEW, "INVALID_RECORD", "a compacted topic needs keys")
    assert end_offset(bench.kafka.bootstrap, topic) == 0


def a_quota_slows_down_and_costs_neither_records_nor_memory(bench: ThreeBench, topic: str):
    """Scenario 34."""
    bench.kafka.tool("org.apache.kafka.tools.ConfigCommand", "--bootstrap-server", bench.kafka.bootstrap, "--alter",
                     "--add-config", f"producer_byte_rate={QUOTA_BYTES_PER_S}", "--entity-type", "clients",
                     "--entity-name", topic)
    bench.create(topic, PARTITIONS)
    with bench.running(topic, KAFKA_CLIENT_ID=topic, KAFKA_BUFFER_MEMORY=BUFFER_BYTES,
                       KAFKA_BATCH_SIZE=QUOTA_BATCH_BYTES) as run:
        bench.wait_for_records(topic, QUOTA_COUNT, run)
        run.signal(signal.SIGTERM)
        memory_bytes = run.peak_memory_bytes()
        outcome = run.finish()
    count = outcome.ledger.generated
    outcome.expect_all_delivered(count)
    bench.verify(topic, outcome, count)
    expect_throttled(bench, topic, outcome.seconds)
    assert memory_bytes < BUFFER_BYTES + MEMORY_BESIDE_BYTES_MAX, f"it took {memory_bytes} bytes of memory"


def expect_throttled(bench: ThreeBench, topic: str, seconds: float):
    """A quota is each broker's own: no partition got more in this time than one broker allows."""
    sent_bytes = max(sum(file.stat().st_size for file in bench.kafka.segments(topic, partition))
                     for partition in range(PARTITIONS))
    at_once_bytes = QUOTA_WINDOW_S * QUOTA_BYTES_PER_S + IN_FLIGHT_MAX * QUOTA_BATCH_BYTES
    seconds_min = (sent_bytes - at_once_bytes) / QUOTA_BYTES_PER_S
    assert seconds_min > 0, f"{sent_bytes} bytes are too few to be throttled"
    assert seconds >= seconds_min, f"{sent_bytes} bytes to a broker in {seconds:.1f} s"


def with_too_few_replicas_it_waits_and_goes_on_when_there_are_enough(bench: ThreeBench, topic: str):
    """Scenario 23. All three must be in sync, and one is away for a while. What was appended just before is answered
    for when it is back, or by the request's timeout.
    """
    bench.create(topic, PARTITIONS, min_insync_replicas=3)
    with bench.running(topic, MESSAGE_INTERVAL="200us", MESSAGE_COUNT=COUNT, KAFKA_REQUEST_TIMEOUT="5s") as run:
        bench.wait_for_records(topic, 1_000, run)
        with bench.away(3):
            wait_until("it is told", lambda: "NOT_ENOUGH_REPLICAS" in run.output(), WAIT_TIMEOUT_S, run)
        outcome = run.finish()
    outcome.expect_all_delivered(COUNT)
    bench.verify(topic, outcome, COUNT)
    assert any("back after" in line and "none lost" in line for line in outcome.output.splitlines()), outcome.output
    bench.topics.wait_until_in_step(topic)


ALONE = (with_too_few_replicas_it_waits_and_goes_on_when_there_are_enough,)
CASES = (
    a_quota_slows_down_and_costs_neither_records_nor_memory,
    records_that_are_too_large_by_themselves_fail_each,
    batches_that_are_too_large_are_split_and_arrive_once_in_order,
    a_compacted_topic_takes_what_has_a_key,
    a_compacted_topic_refuses_what_has_no_key_and_that_is_told,
)
