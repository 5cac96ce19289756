"""The promises that are kept against real peers, one function each, named after its promise.

A case takes the bench and the name of the topic that it has for itself.
"""

from typing import Callable

from cases import delivery
from cases.bench import Bench

Case = Callable[[Bench, str], None]

CASES: list[Case] = [*delivery.CASES]


def name_of(case: Case) -> str:
    """As the output has it and the words of a choice are looked for: `delivery.every_shoe_arrives_…`."""
    return f"{case.__module__.removeprefix('cases.')}.{case.__name__}"
