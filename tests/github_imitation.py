"""GitHub's API as far as apps log in by it: who calls is known by the key, and only its own installation is shown."""

from __future__ import annotations

import base64
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

APP_ID, INSTALLATION, OWNER = "1234", 4711, "acme"


def private_key() -> rsa.RSAPrivateKey:
    """An app's key."""
    return rsa.generate_private_key(65537, 2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    """The key as GitHub gives it."""
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@dataclass
class GitHubImitation:
    """The server on loopback. It gives out `tokens` in turn, each good for `seconds`; its clock is `ahead` of ours."""

    key: rsa.RSAPrivateKey
    tokens: list[str]
    seconds: float = 3600.0
    ahead: float = 0.0
    asked: list[str] = field(default_factory=list)
    url: str = ""
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            def _reply(self) -> None:
                status, body = answer(self.command, self.path, self.headers.get("Authorization", ""))
                payload = json.dumps(body).encode()
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST = _reply  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/api/v3"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, authorization: str) -> tuple[int, Any]:
        """What the API answers."""
        self.asked.append(f"{method} {path}")
        if not self._knows(authorization.removeprefix("Bearer ")):
            return 401, {"message": "A JSON web token could not be decoded"}
        if path == f"/api/v3/users/{OWNER}/installation":
            return 200, {"id": INSTALLATION, "account": {"login": OWNER}}
        if (method, path) == ("POST", f"/api/v3/app/installations/{INSTALLATION}/access_tokens"):
            until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._now() + self.seconds))
            token = self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]
            return 201, {"token": token, "expires_at": until}
        return 404, {"message": "Not Found"}

    def _now(self) -> float:
        return time.time() + self.ahead

    def _knows(self, proof: str) -> bool:
        """Whether the claim is the app's, signed by its key, in force, and for no longer than ten minutes."""
        head, _, signature = proof.rpartition(".")
        try:
            self.key.public_key().verify(_decoded(signature), head.encode(), padding.PKCS1v15(), hashes.SHA256())
            claims = json.loads(_decoded(head.partition(".")[2]))
        except (InvalidSignature, ValueError):
            return False
        now = self._now()
        return bool(claims["iss"] == APP_ID and claims["iat"] <= now < claims["exp"] <= now + 600)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
