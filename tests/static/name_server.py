"""A name server on loopback that knows some names, and remembers what it was asked.

It listens at the address that musl asks where no file names another: so a question that should not be asked is noticed.
"""

import socket
import struct
import threading
from collections.abc import Mapping

ADDRESS = ("127.0.0.1", 53)
A, IN = 1, 1
NO_SUCH_NAME = 3


class NameServer:
    """`addresses` by names in lower case."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self.addresses = addresses
        self.asked: list[str] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(ADDRESS)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            query, client = self.socket.recvfrom(512)
            self.socket.sendto(self._answer(query), client)

    def _answer(self, query: bytes) -> bytes:
        """RFC 1035, section 4: the question again, and one address where there is one."""
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        name = ".".join(labels)
        self.asked.append(name)
        (kind,) = struct.unpack_from(">H", query, at + 1)
        question = query[12:at + 5]
        address = self.addresses.get(name.lower())
        answer = b""
        if address and kind == A:
            answer = struct.pack(">HHHIH", 0xC00C, A, IN, 60, 4) + socket.inet_aton(address)
        flags = 0x8180 | (0 if address else NO_SUCH_NAME)
        return query[:2] + struct.pack(">HHHHH", flags, 1, bool(answer), 0, 0) + question + answer
