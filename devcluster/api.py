"""The few API requests that starting a cluster needs: is it ready, make a node, does the service account exist.

Plain `http.client` with the admin's certificate. Tests of Sluice use Sluice's own client, or kubectl.
"""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from devcluster.certificates import KeyPair


class ApiClient:
    """One request per connection: nothing to keep, nothing to close."""

    def __init__(self, server: str, ca: Path, admin: KeyPair) -> None:
        address = urlsplit(server)
        self._host = address.hostname or ""
        self._port = address.port
        self._context = ssl.create_default_context(cafile=str(ca))
        self._context.load_cert_chain(admin.certificate, admin.key)

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
        """Send one request and return status and body. Raises `OSError` when there is no answer within 30 seconds."""
        connection = http.client.HTTPSConnection(self._host, self._port, context=self._context, timeout=30)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except http.client.HTTPException as error:
            raise ConnectionError(f"no HTTP answer from the API server: {error!r}") from error
        finally:
            connection.close()

    def get(self, path: str) -> dict[str, Any] | None:
        """Return the object at `path`, or None when it is not there (yet)."""
        status, body = self.request("GET", path)
        if status != 200:
            return None
        found: dict[str, Any] = json.loads(body)
        return found
