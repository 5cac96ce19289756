"""Codecs, acknowledgements and keys: each goes with each, without trying all of their combinations.

Run `step` takes codec `step`, and walks through the others from `shift` on. Shifts 0, 1 and 2 together have every pair
of values; one alone has every value.
"""

from cases.bench import Bench

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
ACKS = ("all", 1, 0)
KEYS = ("id", "none")
# Small enough that a partition gets several batches, and the sticky partitioner has to leave one for another.
BATCH_BYTES = 100_000


def deliver_every_codec(bench: Bench, topic: str, partitions: int, *, shift: int, codecs: tuple[str, ...] = CODECS):
    """Each to a topic of its own."""
    for step, codec in enumerate(codecs):
        acks, key = ACKS[(step + shift) % len(ACKS)], KEYS[(step + shift) % len(KEYS)]
        try:
            bench.deliver_and_verify(f"{topic}.{codec}", partitions, KAFKA_COMPRESSION_TYPE=codec, KAFKA_ACKS=acks,
                                     KAFKA_MESSAGE_KEY=key, KAFKA_BATCH_SIZE=BATCH_BYTES)
        except AssertionError as error:
            raise AssertionError(f"{codec}, acks={acks}, key={key}: {error}") from error
