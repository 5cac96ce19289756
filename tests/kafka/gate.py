"""What stands before the registry where it is secured: TLS, a name and a password, then the registry itself."""

import contextlib
import http.client
import json
import ssl
import urllib.parse

from confluent_kafka.schema_registry import SchemaRegistryClient, SchemaRegistryError

from certificates import Certificates
from listeners import User
from peers.processes import PeerError
from servers import Handler, Server, basic_credentials

# A name in basic authentication must not hold a colon.
REGISTRY_USER = User("registry key", r"""r=w#4 two ' and " of \ them: ü%20&+@/?==""")
REGISTRY_TIMEOUT_S = 30
BODY_MAX = 1_000_000
CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
PASSED_ON = ("Content-Type", "Accept")


class Gate:
    """Counts what it let in and what it turned away."""

    def __init__(self, registry_url: str, certificates: Certificates):
        self.ca = certificates.ca
        self.let_in, self.turned_away = 0, 0
        registry = urllib.parse.urlsplit(registry_url)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificates.server)
        self._path = registry.path
        server = Server(handler(self, registry.netloc), "gate of the registry", tls)
        self.port = int(server.address.rsplit(":", 1)[1])
        self.url = self.url_by("localhost")

    def url_by(self, host: str, scheme: str = "https") -> str:
        return f"{scheme}://{host}:{self.port}{self._path}"

    def prove(self):
        """Confluent's own client comes in, and without the password it does not."""
        options = {"url": self.url, "ssl.ca.location": str(self.ca)}
        user = f"{REGISTRY_USER.name}:{REGISTRY_USER.secret}"
        SchemaRegistryClient(options | {"basic.auth.user.info": user}).get_subjects()
        with contextlib.suppress(SchemaRegistryError):
            SchemaRegistryClient(options | {"basic.auth.user.info": "somebody:else"}).get_subjects()
            raise PeerError("the registry's gate is open to everybody")


def handler(gate: Gate, registry: str) -> type[Handler]:
    class PassingOn(Handler):
        def pass_on(self):
            body = self.body(BODY_MAX)
            if basic_credentials(self.headers) != (REGISTRY_USER.name, REGISTRY_USER.secret):
                gate.turned_away += 1
                return refuse(self, 401, 401, "Unauthorized")
            gate.let_in += 1
            self.answer(*asked(registry, self, self.path, body))

        do_GET = do_POST = pass_on

    return PassingOn


def refuse(request: Handler, status: int, code: int, message: str):
    """As a registry words a refusal."""
    request.answer(status, CONTENT_TYPE, json.dumps({"error_code": code, "message": message}).encode())


def asked(registry: str, request: Handler, path: str, body: bytes) -> tuple[int, str, bytes]:
    """What the registry answers to this request, at that path: status, content type and body."""
    connection = http.client.HTTPConnection(registry, timeout=REGISTRY_TIMEOUT_S)
    with contextlib.closing(connection):
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        connection.request(request.command, path, body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read()
