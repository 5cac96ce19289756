"""What a record must be: the rules of the Confluent frame, of murmur2 and of the shoe's schema, written down a second
time and independently of the program under test.

Invariant: nothing here is sampled. `compare` looks at every record that Kafka returned, and at every field of it.
The only thing taken from the program is what shoe n of a seed is (`--dry-run`).
"""

import json
import struct
import tempfile
import time
from array import array
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import grpc_tools
from confluent_kafka import Consumer, TopicPartition
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

FRAME = struct.Struct(">BIB")  # magic, schema id, message indexes; the path [0] is the single byte 0
READ_BATCH = 10_000
READ_TIMEOUT_S = 60
FAULTS_SHOWN_MAX = 5
CLOCK_TOLERANCE_MS = 1_000
TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME = 1, 2
NOWHERE = -1


@dataclass(frozen=True)
class Record:
    partition: int
    offset: int
    timestamp_type: int
    timestamp_ms: int
    key: bytes | None
    value: bytes


class Schema:
    """A .proto text, compiled by protoc."""

    def __init__(self, text: str):
        with tempfile.TemporaryDirectory() as folder:
            source, output = Path(folder, "schema.proto"), Path(folder, "schema.bin")
            source.write_text(text)
            includes = Path(grpc_tools.__file__).parent / "_proto"
            if protoc.main(["protoc", f"-I{folder}", f"-I{includes}", f"--descriptor_set_out={output}", str(source)]):
                raise AssertionError(f"protoc refuses the schema:\n{text}")
            [self.file] = descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes()).file
        pool = descriptor_pool.DescriptorPool()
        pool.Add(self.file)
        first = self.file.message_type[0].name  # what the message index [0] names
        name = f"{self.file.package}.{first}" if self.file.package else first
        self.message = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
        self.fields = [field.name for field in self.message.DESCRIPTOR.fields]


def read_topic(bootstrap: str, topic: str) -> list[Record]:
    """Every record of a topic, by librdkafka's consumer, which checks each batch's CRC on the way."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "unused",
        "enable.auto.commit": False,
        "check.crcs": True,
        "auto.offset.reset": "error",
        "queued.max.messages.kbytes": 65_536,
    })
    try:
        ends = {}
        for partition in consumer.list_topics(topic, timeout=READ_TIMEOUT_S).topics[topic].partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=READ_TIMEOUT_S)
            assert low == 0, f"partition {partition} starts at offset {low}"
            ends[partition] = high
        consumer.assign([TopicPartition(topic, partition, 0) for partition, end in ends.items() if end > 0])
        records, wanted = [], sum(ends.values())
        heard = time.monotonic()
        while len(records) < wanted:
            messages = consumer.consume(READ_BATCH, timeout=1)
            if messages:
                heard = time.monotonic()
            silence_s = time.monotonic() - heard
            assert silence_s < READ_TIMEOUT_S, f"nothing for {silence_s:.0f} s at {len(records)} of {wanted} of {topic}"
            for message in messages:
                assert message.error() is None, f"the consumer met {message.error()}"
                kind, timestamp_ms = message.timestamp()
                records.append(Record(message.partition(), message.offset(), kind, timestamp_ms, message.key(),
                                      message.value()))
        return records
    finally:
        consumer.close()


def compare(records: list[Record], shoes: list[str], schema: Schema, schema_id: int, *, partitions: int,
            keyed: bool, started_ms: int, ended_ms: int, missing: int = 0, partitions_before: tuple[int, ...] = (),
            timestamp_type: int = TIMESTAMP_CREATE_TIME):
    """Every record is one of the shoes (JSON lines, in order), each shoe is there once, all as the contract says.

    `missing` of the shoes, any of them, are not there. `partitions_before`: how many the topic had before it had
    as many as now, one number after the other.
    """
    faults = Faults()
    wanted = len(shoes) - missing
    faults.check(len(records) == wanted, "Kafka holds {} records and not {}", len(records), wanted)
    number_of = {json.loads(line)["id"]: number for number, line in enumerate(shoes)}
    faults.check(len(number_of) == len(shoes), "only {} of {} ids are different", len(number_of), len(shoes))
    seen = bytearray(len(shoes))
    last_number = [-1] * partitions
    last_offset = [-1] * partitions
    # By a shoe's number: in which partition it is, and the hash of its key.
    places, hashes = array("i", [NOWHERE]) * len(shoes), array("I", [0]) * len(shoes)
    make, parse, unpack = schema.message, schema.message.FromString, FRAME.unpack_from
    for record in records:
        where = (record.partition, record.offset)
        if not faults.check(len(record.value) > FRAME.size, "{}: only {} bytes", where, len(record.value)):
            continue
        magic, record_schema_id, index = unpack(record.value)
        faults.check((magic, record_schema_id, index) == (0, schema_id, 0), "{}: frame {} {} {} for schema {}", where,
                     magic, record_schema_id, index, schema_id)
        shoe = parse(record.value[FRAME.size:])
        number = number_of.get(shoe.id)
        if not faults.check(number is not None, "{}: no shoe of this seed has the id {!r}", where, shoe.id):
            continue
        faults.check(not seen[number], "{}: shoe {} a second time", where, number)
        seen[number] = 1
        expected = make(**json.loads(shoes[number]))
        faults.check(shoe == expected, "{}: shoe {} is\n{}and not\n{}", where, number, shoe, expected)
        faults.check(number > last_number[record.partition], "{}: shoe {} after shoe {}", where, number,
                     last_number[record.partition])
        last_number[record.partition] = number
        faults.check(record.offset == last_offset[record.partition] + 1, "{}: offset after {}", where,
                     last_offset[record.partition])
        last_offset[record.partition] = record.offset
        faults.check(record.timestamp_type == timestamp_type
                     and started_ms - CLOCK_TOLERANCE_MS <= record.timestamp_ms <= ended_ms + CLOCK_TOLERANCE_MS,
                     "{}: timestamp {} (type {}) outside of {} to {}", where, record.timestamp_ms,
                     record.timestamp_type, started_ms, ended_ms)
        if keyed:
            key = shoe.id.encode()
            faults.check(record.key == key, "{}: key {!r} and not {!r}", where, record.key, key)
            places[number], hashes[number] = record.partition, murmur2(key)
        else:
            faults.check(record.key is None, "{}: key {!r} and not null", where, record.key)
    faults.check(seen.count(0) == missing, "{} shoes and not {} never arrived, the first is shoe {}", seen.count(0),
                 missing, seen.find(0))
    check_places(faults, places, hashes, (*partitions_before, partitions))
    faults.report()


def check_places(faults: "Faults", places: array, hashes: array, partitions: tuple[int, ...]):
    """Each shoe is in its key's partition, and once one was placed by a number of partitions, none behind it was by an
    earlier number."""
    era = 0
    for number, (place, hashed) in enumerate(zip(places, hashes)):
        if place == NOWHERE:
            continue
        fitting = [later for later in range(era, len(partitions)) if place == place_of(hashed, partitions[later])]
        if faults.check(bool(fitting), "shoe {} is in partition {}, which is not its key's among {}", number, place,
                        partitions[era:]):
            era = fitting[0]


class Faults:
    """Collects what is wrong, so that one fault does not hide the others and a million do not fill the screen."""

    def __init__(self):
        self.count = Counter()
        self.shown = []

    def check(self, holds: bool, text: str, *values) -> bool:
        if not holds:
            self.count[text] += 1
            if self.count[text] <= FAULTS_SHOWN_MAX:
                self.shown.append(text.format(*values))
        return holds

    def report(self):
        total = sum(self.count.values())
        assert not total, f"{total} faults:\n" + "\n".join(self.shown)


def partition_of(key: bytes, partitions: int) -> int:
    return place_of(murmur2(key), partitions)


def place_of(hashed: int, partitions: int) -> int:
    """The partition that Kafka's Java client picks for a key with this hash: toPositive(murmur2(key)) % partitions."""
    return (hashed & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """MurmurHash2, 32 bits, with the seed of Kafka's `Utils.murmur2`; unsigned."""
    multiplier, mask = 0x5BD1E995, 0xFFFFFFFF
    length = len(data)
    whole = length & ~3
    value = 0x9747B28C ^ length
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        word = word * multiplier & mask
        word = (word ^ word >> 24) * multiplier & mask
        value = (value * multiplier & mask) ^ word
    if whole < length:
        value = (value ^ int.from_bytes(data[whole:], "little")) * multiplier & mask
    value = (value ^ value >> 13) * multiplier & mask
    return value ^ value >> 15


for _key, _hash in ((b"21", -973932308), (b"foobar", -790332482), (b"abc", 479470107)):
    assert murmur2(_key) == _hash & 0xFFFFFFFF, f"murmur2 of {_key} is wrong"
