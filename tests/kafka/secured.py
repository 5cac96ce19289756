"""The secured cluster, and the proof that it is one: librdkafka comes in by every way that is open, and by none that is
shut. So a case that fails afterwards speaks of the program under test, and not of this harness.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from certificates import Certificates, ClientCertificate
from listeners import OAUTHBEARER, PASSWORDS, PLAIN, SCRAM_256, SCRAM_512, Access, User, user_of
from peers.cluster import Cluster
from peers.processes import PeerError
from tokens import TokenServer

TOPIC = "set_up"
TIMEOUT_S = 30
AT_ONCE = 4
WRONG = "wrong-" * 3


class Secured:
    def __init__(self, kafka: Cluster, certificates: Certificates, tokens: TokenServer):
        self.kafka, self.certificates, self.tokens = kafka, certificates, tokens

    def access(self, name: str, mechanism: str = "", *, client: ClientCertificate | None = None) -> Access:
        """The right way in by a listener. A wrong one is this, with something replaced."""
        listener = self.kafka.listeners[name]
        token_url = ""
        if mechanism == OAUTHBEARER:
            token_url = self.tokens.signed_url if listener.is_encrypted else self.tokens.unsecured_url
        return Access(listener, self.kafka.addresses[name], self.certificates.ca if listener.is_encrypted else None,
                      client, mechanism, user_of(mechanism) if mechanism else None, token_url)

    def unsigned(self) -> Access:
        """To where signatures are verified, with a token that has none."""
        return replace(self.access("OAUTH_SSL", OAUTHBEARER), token_url=self.tokens.unsecured_url)

    def open_ways(self) -> list[Access]:
        with_password = [self.access(name, mechanism) for name in ("SASL_PLAINTEXT", "SASL_SSL", "REAUTH")
                         for mechanism in PASSWORDS]
        with_token = [self.access(name, OAUTHBEARER) for name in ("OAUTH_PLAINTEXT", "OAUTH_SSL")]
        with_certificate = [self.access(name, client=client) for name in ("SSL", "MUTUAL", "MUTUAL_NEW")
                            for client in (self.certificates.client, self.certificates.client_rsa)]
        return [self.access("SSL"), *with_password, *with_token, *with_certificate]

    def shut_ways(self) -> list[tuple[Access, int, str]]:
        """Each with librdkafka's error and words of its text, the broker's own where it has any."""
        passwords = (("SASL_PLAINTEXT", PLAIN, "authentication failed: invalid username or password"),
                     ("SASL_SSL", SCRAM_256, "invalid credentials"), ("SASL_SSL", SCRAM_512, "invalid credentials"),
                     ("OAUTH_SSL", OAUTHBEARER, "invalid_client"))
        wrong = [(replace(self.access(name, mechanism), user=User(user_of(mechanism).name, WRONG)),
                  KafkaError._AUTHENTICATION, words) for name, mechanism, words in passwords]
        stranger = self.certificates.client_stranger
        return [
            *wrong,
            (replace(self.access("SSL"), ca=self.certificates.stranger_ca), KafkaError._SSL, "certificate"),
            (self.access("ELSEWHERE"), KafkaError._SSL, "verify"),
            (self.access("EXPIRED"), KafkaError._SSL, "verify"),
            (self.access("MUTUAL"), KafkaError._SSL, "certificate"),
            # With TLS 1.3 the client has shaken hands before the server has judged its certificate.
            (self.access("MUTUAL_NEW"), KafkaError._TRANSPORT, "alert bad certificate"),
            (self.access("MUTUAL_NEW", client=stranger), KafkaError._TRANSPORT, "alert bad certificate"),
            (self.access("OAUTH_SSL", PLAIN), KafkaError._AUTHENTICATION, "mechanism"),
            (self.unsigned(), KafkaError._AUTHENTICATION, "invalid_token"),
        ]

    def prove(self):
        """Fails with every way that is not as it should be."""
        admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap, "log_level": 0})
        [made] = admin.create_topics([NewTopic(TOPIC, 1, 1)]).values()
        made.result(TIMEOUT_S)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            faults = [*pool.map(fault_of_open, self.open_ways()), *pool.map(fault_of_shut, self.shut_ways())]
        faults = [fault for fault in faults if fault]
        if faults:
            raise PeerError("the cluster is not secured as it should be:\n" + "\n".join(faults))


def fault_of_open(access: Access) -> str:
    """A record goes in and comes out again, or why not."""
    errors, delivered = [], []
    options = access.librdkafka() | {"error_cb": errors.append}
    producer = Producer(options | {"message.timeout.ms": TIMEOUT_S * 1000})
    producer.produce(TOPIC, describe(access), partition=0, on_delivery=lambda *report: delivered.append(report))
    producer.flush(TIMEOUT_S)
    if not delivered or delivered[0][0] is not None:
        return f"{describe(access)}: not produced: {delivered} {errors}"
    consumer = Consumer(options | {"group.id": "unused", "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(TOPIC, 0, delivered[0][1].offset())])
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            message = consumer.poll(1)
            if message is not None and message.error() is None:
                as_sent = message.value().decode() == describe(access)
                return "" if as_sent else f"{describe(access)}: another record: {message.value()}"
        return f"{describe(access)}: not consumed: {errors}"
    finally:
        consumer.close()


def fault_of_shut(way: tuple[Access, int, str]) -> str:
    """The expected error comes, and no record goes in, or why not."""
    access, code, word = way
    errors, delivered = [], []
    producer = Producer(access.librdkafka() | {"error_cb": errors.append})
    producer.produce(TOPIC, describe(access), partition=0, on_delivery=lambda *report: delivered.append(report))
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline and not delivered:
        producer.poll(0.1)
        if any(error.code() == code and word in error.str().lower() for error in errors):
            producer.purge()
            producer.flush(TIMEOUT_S)
            return ""
    return f"{describe(access)}: {code} with {word!r} expected: {errors} {delivered}"


def describe(access: Access) -> str:
    client = access.client.certificate.name if access.client else ""
    return " ".join(filter(None, (access.listener.name, access.mechanism, client)))
