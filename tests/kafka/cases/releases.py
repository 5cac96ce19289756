"""The other releases of Kafka, old and older: the same small set of promises is kept with each of them."""

import contextlib
import signal
from functools import partial
from typing import Iterator

from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, ResourcePatternType,
                                   ResourceType)

from cases import delivery
from cases.bench import COUNT, Bench
from cases.matrix import CODECS, deliver_every_codec
from cases.suite import Suite
from context import SCHEMA, Context, started
from peers.cluster import Cluster
from peers.releases import Release, release_of
from peers.topics import end_offset

PARTITIONS = 3
NODES = {"0.11": 1, "2.8": 1, "3.9": 3}
ADMIN_TIMEOUT_S = 30
PASSED, FAILED = "✅", "❌"
# Before KRaft. Nobody is a super user, since everybody comes in without a name and is to be denied something.
AUTHORIZERS = {"0.11": "kafka.security.auth.SimpleAclAuthorizer", "2.8": "kafka.security.authorizer.AclAuthorizer"}
EVERYBODY = "User:*"
CLUSTER = "kafka-cluster"


def every_codec_acks_and_key_is_delivered(bench: Bench, topic: str):
    codecs = CODECS if bench.kafka.release.has_zstd else tuple(codec for codec in CODECS if codec != "zstd")
    deliver_every_codec(bench, topic, PARTITIONS, shift=0, codecs=codecs)


def a_missing_topic_is_created_when_asked_for(bench: Bench, topic: str):
    replicas = len(bench.kafka.nodes)
    outcome = bench.produce(topic, KAFKA_CREATE_TOPIC=f"{PARTITIONS}:{replicas}")
    outcome.expect_all_delivered(COUNT)
    found = [len(partition.replicas) for partition in bench.topics.partitions(topic).values()]
    assert found == [replicas] * PARTITIONS, f"created with {found} replicas by partition"
    bench.verify(topic, outcome, COUNT)


def a_missing_topic_is_refused_in_one_line_and_not_created(bench: Bench, topic: str):
    """Scenario 27."""
    bench.produce(topic).expect_one_error(topic, "does not exist")
    assert not bench.topics.exists(topic), "it created the topic nevertheless"


def sigterm_in_mid_run_loses_nothing(bench: Bench, topic: str):
    delivery.stopped_in_mid_run(bench, topic, signal.SIGTERM)


def the_check_passes_in_every_row(bench: Bench, topic: str):
    bench.create(topic, PARTITIONS)
    outcome = bench.program.run(bench.settings(topic), "--check")
    assert outcome.code == 0 and FAILED not in outcome.output, f"exit code {outcome.code}:\n{outcome.output}"
    assert PASSED in outcome.output, outcome.output
    assert end_offset(bench.kafka.bootstrap, topic) == 0, "it produced something"


def zstd_is_refused_in_one_line_before_anything_is_made(bench: Bench, topic: str):
    bench.create(topic, PARTITIONS)
    outcome = bench.produce(topic, KAFKA_COMPRESSION_TYPE="zstd")
    outcome.expect_one_error("too old for zstd", "Kafka 2.1", "KAFKA_COMPRESSION_TYPE")
    assert outcome.ledger.generated == 0, outcome.ledger
    assert end_offset(bench.kafka.bootstrap, topic) == 0


def without_idempotent_write_no_producer_id_is_given(bench: Bench, topic: str):
    bench.create(topic, PARTITIONS)
    with idempotent_write_denied(bench):
        bench.produce(topic).expect_one_error("CLUSTER_AUTHORIZATION_FAILED", "IDEMPOTENT_WRITE on the cluster")
    assert end_offset(bench.kafka.bootstrap, topic) == 0


def who_may_write_needs_no_idempotent_write(bench: Bench, topic: str):
    with idempotent_write_denied(bench):
        bench.deliver_and_verify(topic)


@contextlib.contextmanager
def idempotent_write_denied(bench: Bench) -> Iterator[None]:
    """To everybody, who may do everything else with the cluster."""
    allowed = (AclOperation.ALL, AclPermissionType.ALLOW)
    denied = (AclOperation.IDEMPOTENT_WRITE, AclPermissionType.DENY)
    for each in (allowed, denied):
        [made] = bench.topics.admin.create_acls([acl(AclBinding, *each)]).values()
        made.result(ADMIN_TIMEOUT_S)
    try:
        yield
    finally:
        for each in (denied, allowed):
            [withdrawn] = bench.topics.admin.delete_acls([acl(AclBindingFilter, *each)]).values()
            assert len(withdrawn.result(ADMIN_TIMEOUT_S)) == 1, f"{each} was not there"


def acl(kind, operation: AclOperation, permission: AclPermissionType):
    return kind(ResourceType.BROKER, CLUSTER, ResourcePatternType.LITERAL, EVERYBODY, "*", operation, permission)


ALONE = {
    "0.11": (without_idempotent_write_no_producer_id_is_given,),
    "2.8": (who_may_write_needs_no_idempotent_write,),
}
ALL = (
    every_codec_acks_and_key_is_delivered,
    a_missing_topic_is_created_when_asked_for,
    a_missing_topic_is_refused_in_one_line_and_not_created,
    sigterm_in_mid_run_loses_nothing,
    the_check_passes_in_every_row,
)


@contextlib.contextmanager
def bench(context: Context, release: Release) -> Iterator[Bench]:
    name = variant_of(release)
    home = context.home / name
    properties = {}
    if release.name in AUTHORIZERS:
        properties = {"authorizer.class.name": AUTHORIZERS[release.name], "allow.everyone.if.no.acl.found": "true"}
    kafka = Cluster(release, context.jars(release.profile), home / "kafka", nodes=NODES[release.name],
                    properties=properties)
    with started(context, kafka, home) as registry:
        yield Bench(kafka, registry, context.program(f"{name}/program"), SCHEMA.read_text())


def suite_of(release: Release) -> Suite:
    together = ALL if release.has_zstd else (*ALL, zstd_is_refused_in_one_line_before_anything_is_made)
    return Suite(f"Kafka {release.name}", partial(bench, release=release), variant=variant_of(release),
                 one_by_one=ALONE.get(release.name, ()), together=together)


def variant_of(release: Release) -> str:
    """In a word that no topic's or case's name has trouble with."""
    return "v" + release.name.replace(".", "_")


SUITES = tuple(suite_of(release_of(name)) for name in NODES)
