"""One node with every way in, and a registry: what the program delivers, and how it comes in."""

import contextlib
from typing import Iterator

from cases import delivery
from cases.security import check, oauth, refusals, registry, sasl, tls
from cases.security.bench import SecuredBench
from cases.suite import Suite
from certificates import Certificates
from context import SCHEMA, Context, started, timed
from gate import Gate
from listeners import all_listeners, common_properties, scram_users
from peers.cluster import Cluster
from secured import Secured
from tokens import TokenServer


@contextlib.contextmanager
def bench(context: Context) -> Iterator[SecuredBench]:
    home = context.home / "single"
    certificates = timed("Certificates made", lambda: Certificates(home / "certificates"))
    tokens = TokenServer(home, certificates)
    kafka = Cluster(context.release, context.jars(context.release.profile), home / "kafka",
                    listeners=all_listeners(certificates, tokens.keys.as_uri()),
                    properties=common_properties(certificates), scram_users=scram_users())
    with started(context, kafka, home) as registry_peer:
        secured = Secured(kafka, certificates, tokens)
        timed("Every way into Kafka tried with librdkafka", secured.prove)
        gate = Gate(registry_peer.url, certificates)
        gate.prove()
        yield SecuredBench(secured, registry_peer, gate, context.program("single/program"), SCHEMA.read_text())


SUITE = Suite("single", bench,
              one_by_one=(*delivery.CASES, *sasl.CASES, *tls.CASES, *oauth.CASES, *registry.CASES, *check.CASES),
              together=(*refusals.REFUSALS, *oauth.REFUSALS, *registry.REFUSALS, *check.REFUSALS))
