"""OAUTHBEARER: tokens from an endpoint, by client credentials, and new ones before the old ones end."""

from dataclasses import replace

from cases.security.bench import SecuredBench
from cases.security.common import deliver, deliver_under_load
from listeners import OAUTH_USER, OAUTHBEARER, User

# A token lasts for five to six seconds of the fifteen.
RENEWALS_MIN = 2
WRONG = "not-the-secret-0815"


def tokens_without_a_signature_over_plain_http_open_the_door(bench: SecuredBench, topic: str):
    deliver(bench, topic, bench.secured.access("OAUTH_PLAINTEXT", OAUTHBEARER))


def tokens_that_the_broker_verifies_from_an_https_endpoint_open_the_door(bench: SecuredBench, topic: str):
    deliver(bench, topic, bench.secured.access("OAUTH_SSL", OAUTHBEARER))


def a_token_of_seconds_is_renewed_under_load(bench: SecuredBench, topic: str):
    granted, refused = len(bench.secured.tokens.granted), bench.secured.tokens.refused
    deliver_under_load(bench, topic, bench.secured.access("OAUTH_SSL", OAUTHBEARER), RENEWALS_MIN)
    granted = len(bench.secured.tokens.granted) - granted
    assert granted > RENEWALS_MIN, f"only {granted} tokens were asked for"
    assert bench.secured.tokens.refused == refused, "the token server refused a request"


def a_wrong_client_secret_is_told_in_the_token_servers_words(bench: SecuredBench, topic: str):
    access = replace(bench.secured.access("OAUTH_PLAINTEXT", OAUTHBEARER), user=User(OAUTH_USER.name, WRONG))
    outcome = bench.produce(topic, LOG_LEVEL="debug", **access.settings())
    outcome.expect_one_error("401", "invalid_client")
    outcome.expect_no_trace_of(WRONG)


def a_token_that_the_broker_does_not_accept_is_told_in_its_words(bench: SecuredBench, topic: str):
    outcome = bench.produce(topic, LOG_LEVEL="debug", **bench.secured.unsigned().settings())
    outcome.expect_one_error(OAUTHBEARER, "invalid_token")
    for secret in (OAUTH_USER.secret, *bench.secured.tokens.granted):
        outcome.expect_no_trace_of(secret)


CASES = [
    tokens_without_a_signature_over_plain_http_open_the_door,
    tokens_that_the_broker_verifies_from_an_https_endpoint_open_the_door,
    a_token_of_seconds_is_renewed_under_load,
]
REFUSALS = [
    a_wrong_client_secret_is_told_in_the_token_servers_words,
    a_token_that_the_broker_does_not_accept_is_told_in_its_words,
]
