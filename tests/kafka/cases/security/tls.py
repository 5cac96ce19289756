"""TLS, with and without a certificate of our own. The listener MUTUAL speaks only TLS 1.2, MUTUAL_NEW only 1.3."""

from cases.security.bench import SecuredBench
from cases.security.common import deliver


def tls_without_a_client_certificate_delivers_everything(bench: SecuredBench, topic: str):
    deliver(bench, topic, bench.secured.access("SSL"))


def tls_with_a_certificate_that_the_broker_only_asks_for_delivers_everything(bench: SecuredBench, topic: str):
    deliver(bench, topic, bench.secured.access("SSL", client=bench.secured.certificates.client))


def mutual_tls_1_2_with_an_elliptic_key_delivers_everything(bench: SecuredBench, topic: str):
    deliver(bench, topic, bench.secured.access("MUTUAL", client=bench.secured.certificates.client))


def mutual_tls_1_2_with_an_rsa_key_delivers_everything(bench: SecuredBench, topic: str):
    deliver(bench, topic, bench.secured.access("MUTUAL", client=bench.secured.certificates.client_rsa))


def mutual_tls_1_3_with_an_elliptic_key_delivers_everything(bench: SecuredBench, topic: str):
    deliver(bench, topic, bench.secured.access("MUTUAL_NEW", client=bench.secured.certificates.client))


def mutual_tls_1_3_with_an_rsa_key_delivers_everything(bench: SecuredBench, topic: str):
    deliver(bench, topic, bench.secured.access("MUTUAL_NEW", client=bench.secured.certificates.client_rsa))


CASES = [
    tls_without_a_client_certificate_delivers_everything,
    tls_with_a_certificate_that_the_broker_only_asks_for_delivers_everything,
    mutual_tls_1_2_with_an_elliptic_key_delivers_everything,
    mutual_tls_1_2_with_an_rsa_key_delivers_everything,
    mutual_tls_1_3_with_an_elliptic_key_delivers_everything,
    mutual_tls_1_3_with_an_rsa_key_delivers_everything,
]
