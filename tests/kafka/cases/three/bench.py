"""The bench of three nodes, and who may do what there: everybody everything without a password, a user only what a case
grants.
"""

import contextlib
from pathlib import Path
from typing import Iterator

from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, ResourcePatternType,
                                   ResourceType)

from cases.bench import Bench
from listeners import PLAIN, PLAINTEXT, Access, Listener, User

ADMIN_TIMEOUT_S = 30
# Each belongs to one case, so that cases side by side do not grant each other anything.
ONLY_READER = User("only-reader", "r=1")
STRANGER = User("stranger", "s=2")
BEGINNER = User("beginner", "b=3")
NOT_CREATOR = User("not-creator", "c=4")
WITHDRAWN = User("withdrawn", "w=5")
SASL = Listener("SASL_PLAINTEXT", "SASL_PLAINTEXT", (PLAIN,),
                users=(ONLY_READER, STRANGER, BEGINNER, NOT_CREATOR, WITHDRAWN))
LISTENERS = (PLAINTEXT, SASL)
PROPERTIES = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}


class ThreeBench(Bench):
    def settings_of(self, user: User) -> dict[str, object]:
        return Access(SASL, self.kafka.addresses[SASL.name], mechanism=PLAIN, user=user).settings()

    @contextlib.contextmanager
    def away(self, number: int) -> Iterator[None]:
        """A node stops in order, and is back afterwards: for a case that runs alone."""
        node = self.kafka.node(number)
        node.terminate()
        try:
            yield
        finally:
            node.start()

    def folders(self, topic: str) -> list[Path]:
        """Its logs, on all nodes."""
        return [folder for node in self.kafka.nodes for folder in node.data.glob(f"{topic}-*")
                if not folder.name.endswith("-delete")]

    def grant(self, user: User, topic: str, *operations: AclOperation):
        """Before the topic is made: a broker that leads it has then heard of the grant too."""
        for granted in self.topics.admin.create_acls([self._acl(AclBinding, user, topic, each)
                                                      for each in operations]).values():
            granted.result(ADMIN_TIMEOUT_S)

    def withdraw(self, user: User, topic: str, operation: AclOperation):
        [withdrawn] = self.topics.admin.delete_acls([self._acl(AclBindingFilter, user, topic, operation)]).values()
        assert len(withdrawn.result(ADMIN_TIMEOUT_S)) == 1, f"{user.name} had no permission to {operation.name} {topic}"

    @staticmethod
    def _acl(kind, user: User, topic: str, operation: AclOperation):
        return kind(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, f"User:{user.name}", "*", operation,
                    AclPermissionType.ALLOW)
