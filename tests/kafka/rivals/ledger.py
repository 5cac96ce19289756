"""What a rival says at its end, and what its records are made of.

Invariant: of the numbers 0 to generated - 1, each is acknowledged, failed or unsent, and never two of these. A message
that failed or is unsent may be in the topic nevertheless: nobody told its producer.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

KEY_BYTES = 36  # as long as a shoe's id
VALUE_BYTES = 90  # about as long as a framed shoe


@dataclass
class RivalLedger:
    generated: int = 0
    # The client said that these were not delivered, or would not take them.
    failed: set[int] = field(default_factory=set)
    # The client said nothing of these by the end.
    unsent: set[int] = field(default_factory=set)
    # The longest time without an acknowledgement, from the first one to the stop or the last one; 0 if there was none.
    stall_ms: int = 0
    # Why messages failed, in the client's words, and how many for each reason.
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def acknowledged(self) -> set[int]:
        return set(range(self.generated)) - self.failed - self.unsent


def read_ledger(file: Path) -> RivalLedger:
    """The lines that each program writes: `generated N`, `stall_ms N`, `failed FIRST LAST`, `unsent FIRST LAST`,
    `reason COUNT WORDS`."""
    ledger = RivalLedger()
    seen = Counter()
    for line in file.read_text().splitlines():
        kind, _, rest = line.partition(" ")
        seen[kind] += 1
        if kind == "generated":
            ledger.generated = int(rest)
        elif kind == "stall_ms":
            ledger.stall_ms = int(rest)
        elif kind in ("failed", "unsent"):
            first, last = map(int, rest.split())
            assert first <= last, f"a range that is none: {line}"
            numbers = ledger.failed if kind == "failed" else ledger.unsent
            numbers.update(range(first, last + 1))
        elif kind == "reason":
            count, _, words = rest.partition(" ")
            ledger.reasons[words] += int(count)
        else:
            raise AssertionError(f"not a line of a ledger: {line!r}")
    assert seen["generated"] == seen["stall_ms"] == 1, f"not a whole ledger: {dict(seen)}"
    assert not ledger.failed & ledger.unsent, f"both failed and unsent: {sorted(ledger.failed & ledger.unsent)[:5]}"
    beyond = [number for number in ledger.failed | ledger.unsent if not 0 <= number < ledger.generated]
    assert not beyond, f"never made: {sorted(beyond)[:5]} of {ledger.generated}"
    return ledger


def number_of(key: bytes | None, value: bytes | None) -> int:
    """The number of the message that a record carries. Fails if it is not whole."""
    assert key is not None and len(key) == KEY_BYTES and key.isdigit(), f"not a rival's key: {key!r}"
    assert value == key.ljust(VALUE_BYTES, b"."), f"the value of key {key!r} is {value!r}"
    return int(key)
