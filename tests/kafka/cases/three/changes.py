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
    """Scenario 26."""
    bench.create(topic, BEFORE)
    with bench.running(topic, MESSAGE_INTERVAL=INTERVAL) as run:
        bench.wait_for_records(topic, SOME_RECORDS, run)
        bench.topics.delete(topic)
        wait_until("its logs are gone", lambda: not bench.folders(topic), CHANGE_TIMEOUT_S, run)
        bench.create(topic, BEFORE)
        bench.wait_for_records(topic, SOME_RECORDS, run)
        run.signal(signal.SIGTERM)
        outcome = run.finish()
    ledger = outcome.ledger
    # A batch may fail that only the old topic took: rather that than to write it behind its successors.
    assert outcome.code == (1 if ledger.failed else 0) and ledger.unsent == 0, f"{outcome.code}:\n{outcome.output}"
    missing = ledger.generated - end_offset(bench.kafka.bootstrap, topic)
    records = bench.verify(topic, outcome, ledger.generated, missing=missing)
    lost = lost_in_neither(bench.program.shoes(SEED, ledger.generated), records, deleted_logs(bench, topic))
    assert lost <= ledger.failed, f"{lost} are in neither topic, {ledger}"


def lost_in_neither(shoes: list[str], records: list[Record], old: dict[int, int]) -> int:
    """How many shoes are in neither topic: of each partition, the old one had the first so many, the new one has these
    records. Each partition must have got some since."""
    held, lost = {record.key for record in records}, 0
    for partition, old_count in old.items():
        keys = [key for key in (json.loads(shoe)["id"].encode() for shoe in shoes)
                if place_of(murmur2(key), BEFORE) == partition]
        lost += sum(key not in held for key in keys[old_count:])
        assert not held.isdisjoint(keys), f"partition {partition} got nothing since"
    return lost


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
