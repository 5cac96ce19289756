"""A token server: OAuth 2 client credentials (RFC 6749, 4.4), as far as Kafka's OAUTHBEARER needs it.

Two kinds of token, by path: `/unsecured` (`alg` none, for Kafka's unsecured validator) and `/signed` (RS256; the
public key stands in a file for Kafka's own validator). The server remembers what it granted and counts what it refused.
"""

import base64
import json
import math
import ssl
import time
import urllib.parse
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from certificates import Certificates, rsa_key
from listeners import OAUTH_USER, TOKEN_AUDIENCE, TOKEN_ISSUER, TOKEN_SCOPE, TOKEN_SECONDS
from servers import Handler, Server, basic_credentials

KEY_ID = "key-of-this-run"
UNSECURED, SIGNED = "/unsecured", "/signed"
BODY_MAX = 10_000


class TokenServer:
    """On two ports, one in the clear and one with TLS."""

    def __init__(self, home: Path, certificates: Certificates):
        self._key = rsa_key()
        self.keys = home.resolve() / "keys.json"
        self.keys.write_text(json.dumps({"keys": [self._public_key()]}))
        self.granted: list[str] = []
        self.refused = 0
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificates.server)
        self.unsecured_url = f"http://{Server(handler(self), 'tokens').address}{UNSECURED}"
        self.signed_url = f"https://{Server(handler(self), 'tokens with TLS', tls).address}{SIGNED}"

    def token(self, path: str) -> str:
        now = time.time()
        # In whole seconds, but never good for less than `expires_in` says.
        claims = {"sub": OAUTH_USER.name, "iat": int(now), "exp": math.ceil(now) + TOKEN_SECONDS,
                  "scope": TOKEN_SCOPE.split(), "aud": TOKEN_AUDIENCE, "iss": TOKEN_ISSUER}
        head = {"alg": "none"} if path == UNSECURED else {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}
        text = f"{part(json.dumps(head).encode())}.{part(json.dumps(claims).encode())}"
        signature = b"" if path == UNSECURED else self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{part(signature)}"

    def _public_key(self) -> dict[str, str]:
        numbers = self._key.public_key().public_numbers()
        size = (numbers.n.bit_length() + 7) // 8
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": part(numbers.n.to_bytes(size, "big")),
                "e": part(numbers.e.to_bytes(3, "big"))}


def handler(server: TokenServer) -> type[Handler]:
    class Granting(Handler):
        def do_POST(self):
            form = dict(urllib.parse.parse_qsl(self.body(BODY_MAX).decode()))
            # By RFC 6749 2.3.1 both parts are form-encoded before they go into the header; Kafka's own client and
            # librdkafka do not, unless told to.
            known = (OAUTH_USER.name, OAUTH_USER.secret)
            given = basic_credentials(self.headers)
            if self.path not in (UNSECURED, SIGNED):
                self.say(404, {"error": "not_found"})
            elif given != known and tuple(map(urllib.parse.unquote_plus, given)) != known:
                self.say(401, {"error": "invalid_client", "error_description": "no such client, or its secret"})
            elif form.get("grant_type") != "client_credentials":
                self.say(400, {"error": "unsupported_grant_type"})
            elif form.get("scope") != TOKEN_SCOPE:
                self.say(400, {"error": "invalid_scope"})
            else:
                token = server.token(self.path)
                server.granted.append(token)
                self.say(200, {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS,
                               "scope": TOKEN_SCOPE})

        def say(self, status: int, content: dict[str, object]):
            server.refused += status != 200
            self.answer(status, "application/json", json.dumps(content).encode())

    return Granting


def part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
