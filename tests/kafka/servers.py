"""HTTP servers inside this process, each on a port of 127.0.0.1 and with threads of its own, with or without TLS.

They serve until this process ends: there is nothing in them that would have to be put in order.
"""

import base64
import contextlib
import socket
import ssl
import threading
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONNECTION_TIMEOUT_S = 30


class Server:
    def __init__(self, handler: type[BaseHTTPRequestHandler], name: str, tls: ssl.SSLContext | None = None):
        http = _Http(("127.0.0.1", 0), handler, tls)
        self.address = f"127.0.0.1:{http.server_address[1]}"
        threading.Thread(target=http.serve_forever, name=name, daemon=True).start()


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address, handler, tls: ssl.SSLContext | None):
        super().__init__(address, handler)
        self._tls = tls

    def finish_request(self, request: socket.socket, client_address):
        """In the connection's own thread, so that a slow or hostile handshake holds up no other."""
        request.settimeout(CONNECTION_TIMEOUT_S)
        # A client that hangs up, in the handshake or later, is the client's business.
        with contextlib.suppress(OSError):
            if self._tls is not None:
                request = self._tls.wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Keeps connections open, and quiet about requests."""
    protocol_version = "HTTP/1.1"

    def body(self, bytes_max: int) -> bytes:
        return self.rfile.read(min(int(self.headers.get("Content-Length", 0)), bytes_max))

    def answer(self, status: int, kind: str, body: bytes):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def basic_credentials(headers: Message) -> tuple[str, str]:
    """Name and password of an `Authorization: Basic`; both empty where there is none that can be read."""
    scheme, _, encoded = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):
            name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
            return name, password
    return "", ""
