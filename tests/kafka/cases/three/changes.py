"""A topic that changes under load: it gains partitions, or is deleted and made anew."""

import json
import signal
import struct
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import NewPartitions

from cases.bench import SEED
from cases.three.bench import ADMIN_TIMEOUT_S, ThreeBench
from peers.processes import wait_until
from peers.topics import end_offset, end_offsets
from records import Record, murmur2, place_of

BEFORE, AFTER = 3, 12
CHANGE_TIMEOUT_S = 60
INTERVAL = "500us"
SOME_RECORDS = 2_000
# Where in a batch: its length, behind its first offset, and the offset of its last record.
BATCH_HEAD = struct.Struct(">qi")
LAST_OFFSET_DELTA = struct.Struct(">i")
LAST_OFFSET_DELTA_AT = 23


def partitions_that_a_topic_gains_are_used_once_they_are_known(bench: ThreeBench, topic: str):
    """Metadata is asked for every five minutes, and sooner when a connection ends, as that to a node that goes."""
    bench.create(topic, BEFORE)
    with bench.running(topic, MESSAGE_INTERVAL=INTERVAL) as run:
        bench.wait_for_records(topic, SOME_RECORDS, run)
        [gained] = bench.topics.admin.create_partitions([NewPartitions(topic, AFTER)]).values()
        gained.result(ADMIN_TIMEOUT_S)
        with bench.away(bench.topics.leader(topic)):
            wait_until("new partitions are used", lambda: holds_records_everywhere(bench, topic), CHANGE_TIMEOUT_S, run)
        run.signal(signal.SIGTERM)
        outcome = run.finish()
    count = outcome.ledger.generated
    outcome.expect_all_delivered(count)
    bench.verify(topic, outcome, count, partitions_before=(BEFORE,))


def holds_records_everywhere(bench: ThreeBench, topic: str) -> bool:
    """In each of the partitions that it has now. While a node goes they have no leader for a moment."""
    try:
        ends = end_offsets(bench.kafka.bootstrap, topic)
    except KafkaException:
        return False
    return len(ends) == AFTER and all(ends.values())


def a_topic_deleted_and_made_anew_takes_all_that_the_old_one_did_not(bench: ThreeBench, topic: str):
    bench.create(topic, BEFORE)
    with bench.running(topic, MESSAGE_INTERVAL=INTERVAL) as run:
        bench.wait_for_records(topic, SOME_RECORDS, run)
        [deleted] = bench.topics.admin.delete_topics([topic]).values()
        deleted.result(ADMIN_TIMEOUT_S)
        wait_until("its logs are gone", lambda: not bench.folders(topic), CHANGE_TIMEOUT_S, run)
        bench.create(topic, BEFORE)
        bench.wait_for_records(topic, SOME_RECORDS, run)
        run.signal(signal.SIGTERM)
        outcome = run.finish()
    ledger = outcome.ledger
    assert outcome.code == 0 and ledger.failed == ledger.unsent == 0, f"exit code {outcome.code}:\n{outcome.output}"
    missing = ledger.generated - end_offset(bench.kafka.bootstrap, topic)
    records = bench.verify(topic, outcome, ledger.generated, missing=missing)
    expect_the_rest_in_the_old_topic(bench.program.shoes(SEED, ledger.generated), records, deleted_logs(bench, topic))


def expect_the_rest_in_the_old_topic(shoes: list[str], records: list[Record], old: dict[int, int]):
    """Of each partition, what the new topic does not have is the beginning, and the old one had at least as many."""
    held = {record.key for record in records}
    for partition, old_count in old.items():
        keys = [key for key in (json.loads(shoe)["id"].encode() for shoe in shoes)
                if place_of(murmur2(key), BEFORE) == partition]
        missing = [number for number, key in enumerate(keys) if key not in held]
        assert missing == list(range(len(missing))), f"partition {partition} has holes: {missing[-10:]}"
        assert len(missing) <= old_count, f"partition {partition}: {len(missing)} missing, {old_count} in the old topic"
        assert len(missing) < len(keys), f"partition {partition} got nothing since"


def deleted_logs(bench: ThreeBench, topic: str) -> dict[int, int]:
    """How many records each partition of the deleted topic had: nodes keep logs for a minute under another name."""
    counts: dict[int, int] = {}
    for node in bench.kafka.nodes:
        for folder in node.data.glob(f"{topic}-*-delete"):
            partition = int(folder.name.removeprefix(f"{topic}-").partition(".")[0])
            counts[partition] = max(counts.get(partition, 0), *map(end_of_log, folder.glob("*.log")))
    return counts


def end_of_log(file: Path) -> int:
    """The offset behind a segment's last record."""
    content, at, end = file.read_bytes(), 0, 0
    while at + BATCH_HEAD.size < len(content):
        base, length = BATCH_HEAD.unpack_from(content, at)
        [delta] = LAST_OFFSET_DELTA.unpack_from(content, at + LAST_OFFSET_DELTA_AT)
        at, end = at + BATCH_HEAD.size + length, base + delta + 1
    return end


ALONE = (partitions_that_a_topic_gains_are_used_once_they_are_known,)
CASES = (
    a_topic_deleted_and_made_anew_takes_all_that_the_old_one_did_not,
)
