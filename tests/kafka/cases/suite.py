"""Cases that share their peers."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Callable

from context import Context

# Its bench is what its suite opens.
Case = Callable[[Any, str], None]


@dataclass(frozen=True)
class Suite:
    """`open` starts the peers and stops them again; the bench that it gives has the cluster as `kafka`."""

    name: str
    open: Callable[[Context], AbstractContextManager]
    one_by_one: tuple[Case, ...] = ()
    # These wait more than they work, some for as long as the program gives an unreachable cluster: side by side.
    together: tuple[Case, ...] = ()
    # Tells its cases from the same ones of another suite, as `v0_11` does.
    variant: str = ""

    def name_of(self, case: Case) -> str:
        """As the output has it and the words of a choice are looked for: `delivery.every_shoe_arrives_…`, or
        `releases.v0_11.every_codec_…`."""
        return ".".join(filter(None, (case.__module__.removeprefix("cases."), self.variant, case.__name__)))
