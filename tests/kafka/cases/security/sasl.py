"""User name and password, in the clear and under TLS."""

from cases.bench import SEED
from cases.security.bench import SecuredBench
from cases.security.common import COUNT, deliver, deliver_under_load, show
from gate import REGISTRY_USER
from listeners import PLAIN, PLAIN_USER, SCRAM_256, SCRAM_512, in_quotes

# A session lasts for four seconds of the fifteen.
RENEWALS_MIN = 3


def plain_in_the_clear_delivers_everything(bench: SecuredBench, topic: str):
    deliver(bench, topic, bench.secured.access("SASL_PLAINTEXT", PLAIN))


def scram_sha_256_in_the_clear_delivers_everything(bench: SecuredBench, topic: str):
    deliver(bench, topic, bench.secured.access("SASL_PLAINTEXT", SCRAM_256))


def scram_sha_512_in_the_clear_delivers_everything(bench: SecuredBench, topic: str):
    deliver(bench, topic, bench.secured.access("SASL_PLAINTEXT", SCRAM_512))


def plain_under_tls_delivers_everything(bench: SecuredBench, topic: str):
    deliver(bench, topic, bench.secured.access("SASL_SSL", PLAIN))


def scram_sha_256_under_tls_delivers_everything(bench: SecuredBench, topic: str):
    deliver(bench, topic, bench.secured.access("SASL_SSL", SCRAM_256))


def scram_sha_512_under_tls_delivers_everything(bench: SecuredBench, topic: str):
    deliver(bench, topic, bench.secured.access("SASL_SSL", SCRAM_512))


def a_secret_that_stands_in_a_file_opens_the_same_door(bench: SecuredBench, topic: str):
    access = bench.secured.access("SASL_SSL", SCRAM_512)
    file = bench.program.folder(topic) / "secret"
    file.write_text(access.user.secret + "\n")
    settings = access.settings() | {"KAFKA_API_SECRET_FILE": file, "MESSAGE_COUNT": COUNT}
    del settings["KAFKA_API_SECRET"]
    bench.deliver_and_verify(topic, **settings).expect_no_trace_of(access.user.secret)


def all_settings_may_stand_in_dot_env_whatever_the_secret_holds(bench: SecuredBench, topic: str):
    """SASL_SSL and PLAIN are what an API key means by itself; the registry's CA is Kafka's unless said otherwise."""
    for wanted in "=# '\"\\":
        assert wanted in PLAIN_USER.secret, f"the secret of this case holds no {wanted}"
    bench.create(topic)
    folder = bench.program.folder(topic)
    (folder / ".env").write_text("\n".join([
        "# The cluster",
        f"KAFKA_BOOTSTRAP_SERVERS={bench.kafka.addresses['SASL_SSL']}",
        f"KAFKA_API_KEY={PLAIN_USER.name}",
        f"KAFKA_API_SECRET={in_quotes(PLAIN_USER.secret)} # in quotes, for it holds white space and #",
        f"KAFKA_SSL_CA_LOCATION={bench.secured.certificates.ca}",
        f"KAFKA_TOPIC={topic}",
        "",
        f"export SCHEMA_REGISTRY_URL={bench.gate.url}",
        f"export SCHEMA_REGISTRY_API_KEY={in_quotes(REGISTRY_USER.name)}",
        f"export SCHEMA_REGISTRY_API_SECRET={in_quotes(REGISTRY_USER.secret)}",
        "",
        f"MESSAGE_COUNT={COUNT}",
        "MESSAGE_INTERVAL=1ms",
        f"SEED={SEED}",
        "STATS_INTERVAL=1s",
        "LOG_FORMAT=pretty",
        "",
    ]))
    outcome = bench.program.run({}, folder=folder)
    show(outcome)
    outcome.expect_all_delivered(COUNT)
    bench.verify(topic, outcome, COUNT)
    outcome.expect_no_trace_of(PLAIN_USER.secret)
    outcome.expect_no_trace_of(REGISTRY_USER.secret)


def a_session_of_seconds_is_renewed_under_load_with_plain(bench: SecuredBench, topic: str):
    deliver_under_load(bench, topic, bench.secured.access("REAUTH", PLAIN), RENEWALS_MIN)


def a_session_of_seconds_is_renewed_under_load_with_scram(bench: SecuredBench, topic: str):
    deliver_under_load(bench, topic, bench.secured.access("REAUTH", SCRAM_512), RENEWALS_MIN)


CASES = [
    plain_in_the_clear_delivers_everything,
    scram_sha_256_in_the_clear_delivers_everything,
    scram_sha_512_in_the_clear_delivers_everything,
    plain_under_tls_delivers_everything,
    scram_sha_256_under_tls_delivers_everything,
    scram_sha_512_under_tls_delivers_everything,
    a_secret_that_stands_in_a_file_opens_the_same_door,
    all_settings_may_stand_in_dot_env_whatever_the_secret_holds,
    a_session_of_seconds_is_renewed_under_load_with_plain,
    a_session_of_seconds_is_renewed_under_load_with_scram,
]
