"""Who is not let in, or should not trust who answers, gets one line that says why and what to do, and exit code 1.

Nothing is produced. A word that is looked for is one that any clear line would hold: the setting to change, or the
broker's own.
"""

from dataclasses import replace

from cases.security.bench import SecuredBench
from listeners import PLAIN, SCRAM_256, SCRAM_512, Access, User
from program import Outcome

# Well under the time for which a cluster that cannot be reached is tried at the start.
PROMPT_S = 20
WRONG = "not-the-secret-0815"


def refused(bench: SecuredBench, topic: str, access: Access, *words: str) -> Outcome:
    outcome = bench.produce(topic, LOG_LEVEL="debug", **access.settings())
    outcome.expect_one_error(*words)
    if access.user:
        outcome.expect_no_trace_of(access.user.secret)
    return outcome


def refused_promptly(bench: SecuredBench, topic: str, access: Access, *words: str):
    outcome = refused(bench, topic, access, *words)
    assert outcome.seconds < PROMPT_S, f"it took {outcome.seconds:.0f} s to say so"


def a_wrong_password_is_refused_with_plain(bench: SecuredBench, topic: str):
    access = bench.secured.access("SASL_PLAINTEXT", PLAIN)
    refused_promptly(bench, topic, with_secret(access, WRONG), access.bootstrap, PLAIN,
                     "Authentication failed: Invalid username or password", "KAFKA_API_SECRET")


def a_wrong_password_is_refused_with_plain_under_tls(bench: SecuredBench, topic: str):
    access = bench.secured.access("SASL_SSL", PLAIN)
    refused_promptly(bench, topic, with_secret(access, WRONG), PLAIN,
                     "Authentication failed: Invalid username or password", "KAFKA_API_SECRET")


def a_password_with_a_character_too_many_is_refused_with_scram(bench: SecuredBench, topic: str):
    access = bench.secured.access("SASL_SSL", SCRAM_256)
    refused_promptly(bench, topic, with_secret(access, access.user.secret + "="), SCRAM_256, "invalid credentials",
                     "KAFKA_API_SECRET")


def a_user_that_nobody_knows_is_refused_with_scram(bench: SecuredBench, topic: str):
    access = bench.secured.access("SASL_PLAINTEXT", SCRAM_512)
    refused_promptly(bench, topic, replace(access, user=User("nobody", WRONG)), access.bootstrap, SCRAM_512,
                     "invalid credentials", "KAFKA_API_KEY")


def with_secret(access: Access, secret: str) -> Access:
    return replace(access, user=User(access.user.name, secret))


def a_mechanism_that_is_not_enabled_is_refused_with_those_that_are(bench: SecuredBench, topic: str):
    access = bench.secured.access("OAUTH_SSL", PLAIN)
    refused_promptly(bench, topic, access, "mechanism", PLAIN, "OAUTHBEARER", "KAFKA_SASL_MECHANISM")


def an_authority_that_we_do_not_know_is_not_trusted(bench: SecuredBench, topic: str):
    access = replace(bench.secured.access("SSL"), ca=bench.secured.certificates.stranger_ca)
    refused(bench, topic, access, access.bootstrap, "certificate", "KAFKA_SSL_CA_LOCATION")


def built_in_roots_do_not_vouch_for_a_private_authority(bench: SecuredBench, topic: str):
    access = replace(bench.secured.access("SASL_SSL", PLAIN), ca=None)
    refused(bench, topic, access, access.bootstrap, "certificate", "KAFKA_SSL_CA_LOCATION")


def a_certificate_for_another_host_is_not_trusted(bench: SecuredBench, topic: str):
    access = bench.secured.access("ELSEWHERE")
    refused(bench, topic, access, access.bootstrap, "certificate", "elsewhere.invalid")


def an_expired_certificate_is_not_trusted(bench: SecuredBench, topic: str):
    access = bench.secured.access("EXPIRED")
    refused(bench, topic, access, access.bootstrap, "certificate", "expired")


def a_client_certificate_that_is_missing_is_asked_for_with_tls_1_2(bench: SecuredBench, topic: str):
    access = bench.secured.access("MUTUAL")
    refused(bench, topic, access, access.bootstrap, "client certificate", "KAFKA_SSL_CERTIFICATE_LOCATION")


def a_client_certificate_that_is_missing_is_asked_for_with_tls_1_3(bench: SecuredBench, topic: str):
    access = bench.secured.access("MUTUAL_NEW")
    refused(bench, topic, access, access.bootstrap, "client certificate", "KAFKA_SSL_CERTIFICATE_LOCATION")


def a_client_certificate_of_an_authority_that_the_broker_does_not_know_is_refused(bench: SecuredBench, topic: str):
    access = bench.secured.access("MUTUAL_NEW", client=bench.secured.certificates.client_stranger)
    refused(bench, topic, access, access.bootstrap, "client certificate", "KAFKA_SSL_CERTIFICATE_LOCATION")


def plaintext_to_a_port_that_wants_tls_is_told(bench: SecuredBench, topic: str):
    mixed_up(bench, topic, "SSL", bench.secured.access("PLAINTEXT"), "speaks TLS")


def tls_to_a_port_that_has_none_is_told(bench: SecuredBench, topic: str):
    mixed_up(bench, topic, "PLAINTEXT", bench.secured.access("SSL"), "TLS")


def a_password_in_the_clear_to_a_port_that_wants_tls_is_told(bench: SecuredBench, topic: str):
    mixed_up(bench, topic, "SASL_SSL", bench.secured.access("SASL_PLAINTEXT", PLAIN), "speaks TLS")


def a_password_to_a_port_that_wants_none_is_told(bench: SecuredBench, topic: str):
    mixed_up(bench, topic, "PLAINTEXT", bench.secured.access("SASL_PLAINTEXT", PLAIN), "SASL")


def no_password_to_a_port_that_wants_one_is_told(bench: SecuredBench, topic: str):
    mixed_up(bench, topic, "SASL_PLAINTEXT", bench.secured.access("PLAINTEXT"), "SASL")


def mixed_up(bench: SecuredBench, topic: str, listener: str, access: Access, word: str):
    """As one listener wants it, but to the port of another."""
    address = bench.kafka.addresses[listener]
    refused(bench, topic, replace(access, bootstrap=address), address, word, "KAFKA_SECURITY_PROTOCOL")


REFUSALS = [
    a_wrong_password_is_refused_with_plain,
    a_wrong_password_is_refused_with_plain_under_tls,
    a_password_with_a_character_too_many_is_refused_with_scram,
    a_user_that_nobody_knows_is_refused_with_scram,
    a_mechanism_that_is_not_enabled_is_refused_with_those_that_are,
    an_authority_that_we_do_not_know_is_not_trusted,
    built_in_roots_do_not_vouch_for_a_private_authority,
    a_certificate_for_another_host_is_not_trusted,
    an_expired_certificate_is_not_trusted,
    a_client_certificate_that_is_missing_is_asked_for_with_tls_1_2,
    a_client_certificate_that_is_missing_is_asked_for_with_tls_1_3,
    a_client_certificate_of_an_authority_that_the_broker_does_not_know_is_refused,
    plaintext_to_a_port_that_wants_tls_is_told,
    tls_to_a_port_that_has_none_is_told,
    a_password_in_the_clear_to_a_port_that_wants_tls_is_told,
    a_password_to_a_port_that_wants_none_is_told,
    no_password_to_a_port_that_wants_one_is_told,
]
