"""The promises that are kept against real peers, one function each, named after its promise.

A case takes the bench and the name of the topic that it has for itself.
"""

from typing import Callable

from cases import delivery
from cases.bench import Bench
from cases.security import check, oauth, refusals, registry, sasl, tls

Case = Callable[[Bench, str], None]

ONE_BY_ONE: list[Case] = [*delivery.CASES, *sasl.CASES, *tls.CASES, *oauth.CASES, *registry.CASES, *check.CASES]
# These wait more than they work, some for as long as the program gives an unreachable cluster: they run side by side.
TOGETHER: list[Case] = [*refusals.REFUSALS, *oauth.REFUSALS, *registry.REFUSALS, *check.REFUSALS]


def name_of(case: Case) -> str:
    """As the output has it and the words of a choice are looked for: `delivery.every_shoe_arrives_…`."""
    return f"{case.__module__.removeprefix('cases.')}.{case.__name__}"
