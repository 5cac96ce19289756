"""A name server on loopback that knows one address for every name, and remembers what it was asked. For contacts.py
alone.

It answers questions for IPv4 addresses by 127.0.0.1, and all others by no record.
"""

import socket
import threading

QUESTION_AT = 12
TYPE_A = 1


class NameServer:
    """Answers until the process ends; `asked` are the names, in lower case."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            query, sender = self._socket.recvfrom(512)
            labels, at = [], QUESTION_AT
            while query[at]:
                labels.append(query[at + 1 : at + 1 + query[at]].decode())
                at += 1 + query[at]
            self.asked.add(".".join(labels).lower())
            wanted = int.from_bytes(query[at + 1 : at + 3], "big")
            record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01" if wanted == TYPE_A else b""
            header = query[:2] + b"\x81\x80\x00\x01" + (b"\x00\x01" if record else b"\x00\x00") + b"\x00\x00\x00\x00"
            self._socket.sendto(header + query[QUESTION_AT : at + 5] + record, sender)
