"""An issuer of tokens on loopback, with TLS: it tells its name and its keys, and signs what a test asks for."""

from __future__ import annotations

import base64
import hmac
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.contract.kube.webhook import self_signed

WELL_KNOWN = "/.well-known/openid-configuration"


class TokenIssuer:
    """Serve with `with`. `ca` is the file of its certificate; `documents` what it answers, which a test may change."""

    def __init__(self, folder: Path) -> None:
        self.ca, key = self_signed(folder)
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.ca, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_port}"
        self.documents: dict[str, Any] = {
            WELL_KNOWN: {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": {"keys": [public_key(self.rsa, "one"), public_key(self.ec, "two")]},
        }

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def token(self, *, key: Any = None, algorithm: str = "RS256", kid: str | None = "one", **claims: Any) -> str:
        """A token for `notification-controller`, good for five minutes; claims given as None are left out."""
        now = int(time.time())
        whole = {"iss": self.url, "aud": "notification-controller", "iat": now, "exp": now + 300, "sub": "ci", **claims}
        left = {name: value for name, value in whole.items() if value is not None}
        headers = {"kid": kid} if kid is not None else {}
        return jwt.encode(left, key if key is not None else self.rsa, algorithm, headers=headers)


def public_key(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, name: str) -> dict[str, Any]:
    """The public part of a key, as an issuer's document has it."""
    if isinstance(key, rsa.RSAPrivateKey):
        return {**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": name, "use": "sig"}
    return {**jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": name, "use": "sig"}


def with_part(token: str, index: int, **changes: Any) -> str:
    """A token one of whose parts (0: the head, 1: the claims) says something else than what was signed."""
    parts = token.split(".")
    padded = parts[index] + "=" * (-len(parts[index]) % 4)
    said = {**json.loads(base64.urlsafe_b64decode(padded)), **changes}
    parts[index] = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
    return ".".join(parts)


def with_secret(token: str, secret: bytes) -> str:
    """The token, said to be and signed with a shared secret."""
    signed = with_part(token, 0, alg="HS256").rpartition(".")[0]
    digest = hmac.digest(secret, signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _handler(issuer: TokenIssuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            document = issuer.documents.get(self.path)
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(200 if document is not None else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing: a test reads what was asked."""

    return Handler
