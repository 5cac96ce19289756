"""A registry in read-only mode.

Apicurio has no such mode: it answers `PUT /mode` with "Operation not supported". So this is a proxy before the real
registry that refuses what Confluent's registry refuses in its mode READONLY, in the same words (`KafkaSchemaRegistry`:
`registerOrForward`, `checkRegisterMode`), and leaves everything else to the real one. Confluent's looks a schema up
before it looks at the mode: to register what is registered already is no write, and has its id for an answer.
"""

import json
import re
import urllib.parse

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, SchemaRegistryError

from gate import BODY_MAX, asked, refuse
from peers.processes import PeerError
from servers import Handler, Server

OPERATION_NOT_PERMITTED = 42205
REGISTRATION = re.compile(r"(?P<lookup>.*/subjects/(?P<subject>[^/?]+))/versions(?P<query>\?.*)?")


class ReadOnly:
    """Counts the registrations that it refused."""

    def __init__(self, registry_url: str):
        self.refused = 0
        registry = urllib.parse.urlsplit(registry_url)
        server = Server(handler(self, registry.netloc), "read-only registry")
        self.url = f"http://{server.address}{registry.path}"

    def prove(self):
        """To Confluent's own client it is a registry like any other, but for writes."""
        client = SchemaRegistryClient({"url": self.url})
        client.get_subjects()
        try:
            client.register_schema("a-subject-of-nobody", Schema('syntax = "proto3"; message Nothing {}', "PROTOBUF"))
        except SchemaRegistryError as error:
            if error.error_code == OPERATION_NOT_PERMITTED and not client.get_subjects():
                return
            raise
        raise PeerError("the read-only registry takes writes")


def handler(gate: ReadOnly, registry: str) -> type[Handler]:
    class Reading(Handler):
        def do_GET(self):
            self.answer(*asked(registry, self, self.path, b""))

        def do_POST(self):
            body = self.body(BODY_MAX)
            registration = REGISTRATION.fullmatch(self.path)
            if registration is None:
                return self.answer(*asked(registry, self, self.path, body))
            lookup = registration["lookup"] + (registration["query"] or "")
            status, kind, found = asked(registry, self, lookup, body)
            if status == 200:
                return self.answer(status, kind, json.dumps({"id": json.loads(found)["id"]}).encode())
            gate.refused += 1
            subject = urllib.parse.unquote(registration["subject"])
            refuse(self, 422, OPERATION_NOT_PERMITTED, f"Subject {subject} is in read-only mode")

    return Reading
