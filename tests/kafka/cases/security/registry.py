"""A registry behind TLS and a password; Kafka itself is in the clear, so that nothing else can be the cause."""

import urllib.parse

from cases.security.bench import SecuredBench
from cases.security.common import COUNT
from gate import REGISTRY_USER

WRONG = "not-the-secret-0815"


def a_registry_over_https_takes_credentials_from_the_settings(bench: SecuredBench, topic: str):
    deliver(bench, topic, REGISTRY_USER.secret, SCHEMA_REGISTRY_URL=bench.gate.url, **credentials(REGISTRY_USER.secret))


def a_registry_over_https_takes_credentials_from_its_url(bench: SecuredBench, topic: str):
    deliver(bench, topic, REGISTRY_USER.secret, SCHEMA_REGISTRY_URL=url_with_credentials(bench))


def a_registry_is_verified_by_its_address_too(bench: SecuredBench, topic: str):
    deliver(bench, topic, REGISTRY_USER.secret, SCHEMA_REGISTRY_URL=bench.gate.url_by("127.0.0.1"),
            **credentials(REGISTRY_USER.secret))


def deliver(bench: SecuredBench, topic: str, secret: str, **more: object):
    let_in = bench.gate.let_in
    outcome = bench.deliver_and_verify(topic, MESSAGE_COUNT=COUNT, LOG_LEVEL="debug",
                                       SCHEMA_REGISTRY_SSL_CA_LOCATION=bench.gate.ca, **more)
    outcome.expect_no_trace_of(secret)
    assert bench.gate.let_in > let_in, "it never came through the gate"


def url_with_credentials(bench: SecuredBench) -> str:
    user, secret = (urllib.parse.quote(each, safe="") for each in (REGISTRY_USER.name, REGISTRY_USER.secret))
    return bench.gate.url.replace("://", f"://{user}:{secret}@", 1)


def credentials(secret: str) -> dict[str, object]:
    return {"SCHEMA_REGISTRY_API_KEY": REGISTRY_USER.name, "SCHEMA_REGISTRY_API_SECRET": secret}


def a_wrong_password_of_the_registry_is_refused(bench: SecuredBench, topic: str):
    outcome = bench.produce(topic, LOG_LEVEL="debug", SCHEMA_REGISTRY_URL=bench.gate.url,
                            SCHEMA_REGISTRY_SSL_CA_LOCATION=bench.gate.ca, **credentials(WRONG))
    outcome.expect_one_error("401", "Unauthorized", "SCHEMA_REGISTRY_API_SECRET")
    outcome.expect_no_trace_of(WRONG)


def an_authority_of_the_registry_that_we_do_not_know_is_not_trusted(bench: SecuredBench, topic: str):
    outcome = bench.produce(topic, LOG_LEVEL="debug", SCHEMA_REGISTRY_URL=bench.gate.url,
                            SCHEMA_REGISTRY_SSL_CA_LOCATION=bench.secured.certificates.stranger_ca,
                            **credentials(REGISTRY_USER.secret))
    outcome.expect_one_error("certificate", "SCHEMA_REGISTRY_SSL_CA_LOCATION")
    outcome.expect_no_trace_of(REGISTRY_USER.secret)


def plain_http_to_a_registry_with_tls_is_told(bench: SecuredBench, topic: str):
    address = bench.gate.url_by("localhost", "http")
    bench.produce(topic, SCHEMA_REGISTRY_URL=address).expect_one_error(address, "SCHEMA_REGISTRY_URL")


def https_to_a_registry_without_tls_is_told(bench: SecuredBench, topic: str):
    address = bench.registry.url.replace("http://", "https://")
    bench.produce(topic, SCHEMA_REGISTRY_URL=address).expect_one_error(address, "TLS", "SCHEMA_REGISTRY_URL")


CASES = [
    a_registry_over_https_takes_credentials_from_the_settings,
    a_registry_over_https_takes_credentials_from_its_url,
    a_registry_is_verified_by_its_address_too,
]
REFUSALS = [
    a_wrong_password_of_the_registry_is_refused,
    an_authority_of_the_registry_that_we_do_not_know_is_not_trusted,
    plain_http_to_a_registry_with_tls_is_told,
    https_to_a_registry_without_tls_is_told,
]
