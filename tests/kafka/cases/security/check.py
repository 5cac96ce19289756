"""`--check`: a table of what was tried, in order, each with its verdict; nothing is produced."""

from dataclasses import replace

from cases.security.bench import SecuredBench
from cases.security.common import show
from gate import REGISTRY_USER
from listeners import PLAIN, PLAIN_USER, Access, User
from peers.topics import end_offset

PASSED, FAILED = "✅", "❌"
# What is tried, in the order of the contract, by a word of each.
STEPS = ("settings", "name", "tcp", "tls", "sasl", "api versions", "topic", "registry", "schema")
WRONG = "not-the-secret-0815"


def a_good_cluster_passes_every_check_and_gets_nothing(bench: SecuredBench, topic: str):
    bench.create(topic)
    bench.produce(topic, MESSAGE_COUNT=10).expect_all_delivered(10)
    outcome = check(bench, topic, bench.secured.access("SASL_SSL", PLAIN))
    show(outcome)
    assert outcome.code == 0, f"exit code {outcome.code}:\n{outcome.output}"
    assert FAILED not in outcome.output, outcome.output
    lines = [line.lower() for line in outcome.output.splitlines() if PASSED in line]
    where = [next((n for n, line in enumerate(lines) if step in line), None) for step in STEPS]
    assert None not in where and where == sorted(where), f"{dict(zip(STEPS, where))} in:\n{outcome.output}"
    assert end_offset(bench.kafka.bootstrap, topic) == 10, "it produced something"


def a_cluster_in_the_clear_passes_every_check(bench: SecuredBench, topic: str):
    bench.create(topic)
    outcome = bench.program.run(bench.settings(topic), "--check")
    assert outcome.code == 0 and FAILED not in outcome.output, f"exit code {outcome.code}:\n{outcome.output}"
    assert end_offset(bench.kafka.bootstrap, topic) == 0, "it produced something"


def a_wrong_password_fails_the_check_of_sasl(bench: SecuredBench, topic: str):
    access = replace(bench.secured.access("SASL_SSL", PLAIN), user=User(PLAIN_USER.name, WRONG))
    outcome = check(bench, topic, access)
    expect_failure(outcome, "sasl", "Authentication failed: Invalid username or password")
    outcome.expect_no_trace_of(WRONG)


def an_unknown_authority_fails_the_check_of_tls(bench: SecuredBench, topic: str):
    access = replace(bench.secured.access("SASL_SSL", PLAIN), ca=bench.secured.certificates.stranger_ca)
    expect_failure(check(bench, topic, access), "tls", "certificate")


def a_port_that_nobody_listens_on_fails_the_check_of_tcp(bench: SecuredBench, topic: str):
    access = replace(bench.secured.access("SASL_SSL", PLAIN), bootstrap="127.0.0.1:1")
    expect_failure(check(bench, topic, access), "tcp", "127.0.0.1:1", "refused")


def a_missing_topic_fails_the_check_of_the_topic(bench: SecuredBench, topic: str):
    expect_failure(check(bench, topic, bench.secured.access("SASL_SSL", PLAIN)), "topic", topic)
    assert not bench.topics.exists(topic), "it created the topic"


def a_wrong_password_of_the_registry_fails_its_check(bench: SecuredBench, topic: str):
    outcome = check(bench, topic, bench.secured.access("SASL_SSL", PLAIN), SCHEMA_REGISTRY_API_SECRET=WRONG)
    expect_failure(outcome, "registry", "401")
    outcome.expect_no_trace_of(WRONG)


def check(bench: SecuredBench, topic: str, access: Access, **more: object):
    """With the registry behind its gate, as a cluster that is secured at all has it."""
    settings = bench.settings(topic, **access.settings()) | {
        "SCHEMA_REGISTRY_URL": bench.gate.url,
        "SCHEMA_REGISTRY_SSL_CA_LOCATION": bench.gate.ca,
        "SCHEMA_REGISTRY_API_KEY": REGISTRY_USER.name,
        "SCHEMA_REGISTRY_API_SECRET": REGISTRY_USER.secret,
        "LOG_LEVEL": "debug",
    } | more
    outcome = bench.program.run(settings, "--check")
    outcome.expect_no_trace_of(PLAIN_USER.secret)
    outcome.expect_no_trace_of(REGISTRY_USER.secret)
    return outcome


def expect_failure(outcome, step: str, *words: str):
    """Exit code 1, and the line of this step, which says that it failed, holds all the words."""
    assert outcome.code == 1, f"exit code {outcome.code} and not 1:\n{outcome.output}"
    failed = [line for line in outcome.output.splitlines() if FAILED in line and step in line.lower()]
    assert any(all(word.lower() in line.lower() for word in words) for line in failed), \
        f"no line {FAILED} of {step} with {words}:\n{outcome.output}"


CASES = [
    a_good_cluster_passes_every_check_and_gets_nothing,
    a_cluster_in_the_clear_passes_every_check,
]
REFUSALS = [
    a_wrong_password_fails_the_check_of_sasl,
    an_unknown_authority_fails_the_check_of_tls,
    a_port_that_nobody_listens_on_fails_the_check_of_tcp,
    a_missing_topic_fails_the_check_of_the_topic,
    a_wrong_password_of_the_registry_fails_its_check,
]
