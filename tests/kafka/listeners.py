"""The ways into a broker: each of its listeners, who may enter, and how a client is told to.

Everything that broker, librdkafka and the program under test must agree on stands here once: protocols, mechanisms,
users. The secrets hold what users' secrets hold and what each layer of quoting would trip over.
"""

from dataclasses import dataclass, field
from pathlib import Path

from certificates import Certificates, ClientCertificate

PLAIN, SCRAM_256, SCRAM_512, OAUTHBEARER = "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"
PASSWORDS = (PLAIN, SCRAM_256, SCRAM_512)
# How long a session of the listener REAUTH may last, and how long a token of the listeners OAUTH_… is good for.
SESSION_MS = 4_000
TOKEN_SECONDS = 5
TOKEN_SCOPE = "produce shoes"
TOKEN_AUDIENCE = "kafka"
TOKEN_ISSUER = "https://identity.example"
OAUTH_PACKAGE = "org.apache.kafka.common.security.oauthbearer"


@dataclass(frozen=True)
class User:
    name: str
    secret: str


PLAIN_USER = User("AKEY0123456789", r"""p=w#1 two ' and " of \ them: ü%20&+/==""")
# A name in SCRAM must not hold `,` and `=` as they are; StorageTool takes no comma in a name or a password.
SCRAM_USER = User("scram=user", r"""s=w#2 two ' and " of \ them/==""")
OAUTH_USER = User("oauth-client", r"""o=w#3 two ' and " of \ them: ü%20&+/==""")


@dataclass(frozen=True)
class Listener:
    """One way in. The properties are Kafka's, without the prefix that says for which listener they are."""

    name: str
    protocol: str
    mechanisms: tuple[str, ...] = ()
    host: str = "127.0.0.1"  # as advertised: clients verify the certificate against it
    bound: str = "127.0.0.1"
    properties: dict[str, str] = field(default_factory=dict)
    users: tuple[User, ...] = (PLAIN_USER,)  # who may come in by PLAIN

    @property
    def is_encrypted(self) -> bool:
        return self.protocol.endswith("SSL")

    def broker_properties(self) -> dict[str, str]:
        prefix = f"listener.name.{self.name.lower()}."
        ours = {}
        if self.mechanisms:
            ours["sasl.enabled.mechanisms"] = ",".join(self.mechanisms)
        for mechanism in self.mechanisms:
            ours[f"{mechanism.lower()}.sasl.jaas.config"] = jaas(mechanism, self.users)
        return {prefix + name: value for name, value in (ours | self.properties).items()}


PLAINTEXT = Listener("PLAINTEXT", "PLAINTEXT")


def jaas(mechanism: str, users: tuple[User, ...]) -> str:
    if mechanism == PLAIN:
        module, options = "plain.PlainLoginModule", {f"user_{user.name}": user.secret for user in users}
    elif mechanism == OAUTHBEARER:
        module = "oauthbearer.OAuthBearerLoginModule"
        # For validating unsecured tokens. Where there are options, the broker's own login wants a name among them.
        options = {"unsecuredValidatorRequiredScope": TOKEN_SCOPE, "unsecuredLoginStringClaim_sub": "broker"}
    else:
        module, options = "scram.ScramLoginModule", {}
    quoted = "".join(f" {name}={in_quotes(value)}" for name, value in options.items())
    return f"org.apache.kafka.common.security.{module} required{quoted};"


def scram_users() -> tuple[str, ...]:
    """What StorageTool's --add-scram takes."""
    return tuple(f'{mechanism}=[name="{SCRAM_USER.name}",password="{SCRAM_USER.secret}"]'
                 for mechanism in (SCRAM_256, SCRAM_512))


def all_listeners(certificates: Certificates, keys_url: str) -> tuple[Listener, ...]:
    """Every way in, the broken ones too. `keys_url` leads to the keys that tokens are signed with."""
    elliptic = {"ssl.keystore.location": str(certificates.server_elliptic)}
    session = {f"{mechanism.lower()}.connections.max.reauth.ms": str(SESSION_MS) for mechanism in PASSWORDS}
    unsecured = {"oauthbearer.sasl.server.callback.handler.class":
                 f"{OAUTH_PACKAGE}.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"}
    signed = {"oauthbearer.sasl.server.callback.handler.class": f"{OAUTH_PACKAGE}.OAuthBearerValidatorCallbackHandler",
              "sasl.oauthbearer.jwks.endpoint.url": keys_url,
              "sasl.oauthbearer.expected.audience": TOKEN_AUDIENCE,
              "sasl.oauthbearer.expected.issuer": TOKEN_ISSUER}
    return (
        PLAINTEXT,
        Listener("SSL", "SSL", properties={"ssl.client.auth": "requested"}),
        # With TLS 1.2 and an elliptic key, so that both are tried somewhere.
        Listener("MUTUAL", "SSL", properties=elliptic | {"ssl.client.auth": "required",
                                                         "ssl.enabled.protocols": "TLSv1.2"}),
        Listener("MUTUAL_NEW", "SSL", properties={"ssl.client.auth": "required", "ssl.enabled.protocols": "TLSv1.3"}),
        Listener("SASL_PLAINTEXT", "SASL_PLAINTEXT", PASSWORDS),
        Listener("SASL_SSL", "SASL_SSL", PASSWORDS, host="localhost"),
        Listener("REAUTH", "SASL_SSL", PASSWORDS, properties=elliptic | session),
        Listener("OAUTH_PLAINTEXT", "SASL_PLAINTEXT", (OAUTHBEARER,), properties=unsecured),
        Listener("OAUTH_SSL", "SASL_SSL", (OAUTHBEARER,), properties=signed),
        Listener("ELSEWHERE", "SSL", properties={"ssl.keystore.location": str(certificates.server_elsewhere)}),
        Listener("EXPIRED", "SSL", properties={"ssl.keystore.location": str(certificates.server_expired)}),
    )


def common_properties(certificates: Certificates) -> dict[str, str]:
    """What holds for every listener that does not say otherwise."""
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(certificates.server),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(certificates.ca),
    }


@dataclass(frozen=True)
class Access:
    """How a client is to come in: told to the program in its settings, to librdkafka in its own."""

    listener: Listener
    bootstrap: str
    ca: Path | None = None
    client: ClientCertificate | None = None
    mechanism: str = ""
    user: User | None = None
    token_url: str = ""

    def settings(self) -> dict[str, object]:
        found: dict[str, object] = {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "KAFKA_SECURITY_PROTOCOL": self.listener.protocol,
        }
        if self.ca:
            found["KAFKA_SSL_CA_LOCATION"] = self.ca
        if self.client:
            found["KAFKA_SSL_CERTIFICATE_LOCATION"] = self.client.certificate
            found["KAFKA_SSL_KEY_LOCATION"] = self.client.key
        if self.mechanism:
            found["KAFKA_SASL_MECHANISM"] = self.mechanism
        if self.user:
            found["KAFKA_API_KEY"] = self.user.name
            found["KAFKA_API_SECRET"] = self.user.secret
        if self.token_url:
            found["KAFKA_OAUTH_TOKEN_ENDPOINT_URL"] = self.token_url
            found["KAFKA_OAUTH_SCOPE"] = TOKEN_SCOPE
        return found

    def librdkafka(self) -> dict[str, object]:
        found: dict[str, object] = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.listener.protocol,
            "log_level": 0,
        }
        if self.ca:
            found["ssl.ca.location"] = str(self.ca)
        if self.client:
            found["ssl.certificate.location"] = str(self.client.certificate)
            found["ssl.key.location"] = str(self.client.key)
        if self.mechanism:
            found["sasl.mechanism"] = self.mechanism
        if self.token_url:
            found |= {"sasl.oauthbearer.method": "oidc", "sasl.oauthbearer.client.id": self.user.name,
                      "sasl.oauthbearer.client.secret": self.user.secret, "sasl.oauthbearer.scope": TOKEN_SCOPE,
                      "sasl.oauthbearer.token.endpoint.url": self.token_url}
            if self.token_url.startswith("https"):
                found["https.ca.location"] = str(self.ca)
        elif self.user:
            found |= {"sasl.username": self.user.name, "sasl.password": self.user.secret}
        return found


def user_of(mechanism: str) -> User:
    return {PLAIN: PLAIN_USER, OAUTHBEARER: OAUTH_USER}.get(mechanism, SCRAM_USER)


def in_quotes(value: str) -> str:
    """As a quoted value of JAAS and of `.env` has it: both know `\\\\` and `\\"`, and nothing else is special here."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def property_line(name: str, value: str) -> str:
    """As Java's `Properties` read it: `\\` escapes, and what is not ASCII must be."""
    escaped = "".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in value.replace("\\", "\\\\"))
    return f"{name}={escaped}"
