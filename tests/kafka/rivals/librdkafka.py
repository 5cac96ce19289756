"""librdkafka as a producer, through confluent-kafka: one of the rivals' programs.

    librdkafka.py BOOTSTRAP TOPIC MESSAGES_PER_S LEDGER_FILE

Makes messages until SIGTERM, gives librdkafka 30 s to send what is left, and writes the ledger. Run by itself: it
imports nothing of the test.
"""

import signal
import sys
import time
from collections import Counter
from itertools import groupby
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException, Producer

KEY_BYTES, VALUE_BYTES = 36, 90
CATCH_UP_MAX_NS = 1_000_000_000
CLOSE_TIMEOUT_S = 30
POLL_S_MIN, POLL_S_MAX = 0.001, 0.1  # librdkafka counts in milliseconds; a stop is looked for between two polls
OPEN, ACKNOWLEDGED, FAILED = range(3)


class Ledger:
    """What became of each message. All in one thread: librdkafka's callbacks come out of `poll` and `flush`."""

    def __init__(self):
        self.fates = bytearray()
        self.reasons = Counter()
        self.last_ns: int | None = None  # the last acknowledgement
        self.stall_ns = 0

    def delivered(self, error: KafkaError | None, message):
        number = int(message.key())
        if error is None:
            self.fates[number] = ACKNOWLEDGED
            now = time.monotonic_ns()
            self.wait_ended(now)
            self.last_ns = now
        else:
            self.fail(number, error.name())

    def fail(self, number: int, reason: str):
        self.fates[number] = FAILED
        self.reasons[reason] += 1

    def wait_ended(self, now: int):
        if self.last_ns is not None:
            self.stall_ns = max(self.stall_ns, now - self.last_ns)

    def write(self, file: Path):
        lines = [f"generated {len(self.fates)}", f"stall_ms {self.stall_ns // 1_000_000}"]
        lines += [f"reason {count} {name}" for name, count in self.reasons.items()]
        first = 0
        for fate, same in groupby(self.fates):
            end = first + sum(1 for _ in same)
            if fate != ACKNOWLEDGED:
                lines.append(f"{'failed' if fate == FAILED else 'unsent'} {first} {end - 1}")
            first = end
        file.write_text("".join(line + "\n" for line in lines))


class Maker:
    def __init__(self, bootstrap: str, topic: str, messages_per_s: int):
        self.topic = topic
        self.interval_ns = 1_000_000_000 // messages_per_s
        self.ledger = Ledger()
        self.is_stopping = False
        self.producer = Producer({
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "enable.idempotence": True,
            "on_delivery": self.ledger.delivered,
        })

    def stop(self, *_):
        self.is_stopping = True

    def run(self):
        due = time.monotonic_ns()
        while not self.is_stopping:
            now = time.monotonic_ns()
            due = max(due, now - CATCH_UP_MAX_NS)
            while due <= now and not self.is_stopping:
                self.produce()
                due += self.interval_ns
            wait_s = (due - time.monotonic_ns()) / 1_000_000_000
            self.producer.poll(min(max(wait_s, POLL_S_MIN), POLL_S_MAX))
        self.ledger.wait_ended(time.monotonic_ns())
        self.producer.flush(CLOSE_TIMEOUT_S)

    def produce(self):
        number = len(self.ledger.fates)
        self.ledger.fates.append(OPEN)
        key = str(number).zfill(KEY_BYTES)
        while True:
            try:
                return self.producer.produce(self.topic, key.ljust(VALUE_BYTES, "."), key)
            except BufferError as full:
                # Whoever has more to send waits for room.
                if self.is_stopping:
                    return self.ledger.fail(number, str(full))
                self.producer.poll(POLL_S_MAX)
            except KafkaException as error:
                return self.ledger.fail(number, error.args[0].name())


def main():
    bootstrap, topic, messages_per_s, file = sys.argv[1:]
    maker = Maker(bootstrap, topic, int(messages_per_s))
    signal.signal(signal.SIGTERM, maker.stop)
    maker.run()
    maker.ledger.write(Path(file))


if __name__ == "__main__":
    main()
