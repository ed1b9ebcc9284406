"""A Receiver made and called by a test, as a git host would."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import secrets
from dataclasses import dataclass
from typing import Any

from tests.canary import CANARY
from tests.operator_fixture import Bench, Json, Sync, condition, poll

KIND = "/apis/notification.toolkit.fluxcd.io/v1"


@dataclass
class Hook:
    """A Receiver beside a sync, for the sync's source."""

    bench: Bench
    name: str
    token: str

    @staticmethod
    def beside(sync: Sync, type_: str = "github", **spec: Any) -> Hook:
        hook = Hook(sync.bench, f"{sync.name}-{secrets.token_hex(2)}", CANARY + secrets.token_hex(12))
        hook.make_secret(hook.token)
        resources = [{"kind": "GitRepository", "name": sync.name}]
        hook.create(type=type_, resources=resources, secretRef={"name": hook.name}, **spec)
        return hook

    @property
    def path(self) -> str:
        return f"{KIND}/namespaces/{self.bench.namespace}/receivers/{self.name}"

    def make_secret(self, token: str) -> None:
        data = {"token": base64.b64encode(token.encode()).decode()}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": self.name}, "data": data}
        self.bench.api.create(f"/api/v1/namespaces/{self.bench.namespace}/secrets", body)

    def create(self, **spec: Any) -> None:
        body = {
            "apiVersion": "notification.toolkit.fluxcd.io/v1",
            "kind": "Receiver",
            "metadata": {"name": self.name},
            "spec": spec,
        }
        self.bench.api.create(self.path.rpartition("/")[0], body)

    def edit(self, **spec: Any) -> None:
        self.bench.api.patch(self.path, {"spec": spec})

    def get(self) -> Json:
        found = self.bench.api.get(self.path)
        assert found is not None
        found.setdefault("status", {})
        return found

    def wait(self, status: str = "True", reason: str = "", text: str = "") -> Json:
        def look() -> Json | None:
            found = self.get()
            ready = condition(found, "Ready")
            current = ready.get("observedGeneration") == found["metadata"]["generation"]
            fits = ready.get("status") == status and reason in {"", ready.get("reason")}
            return found if current and fits and text in ready.get("message", "") else None

        return dict(poll(f"the receiver is {status} {reason} {text}", look))

    def address(self) -> str:
        return str(self.wait()["status"]["webhookPath"])

    def call(self, path: str, body: bytes = b"{}", method: str = "POST", **headers: str) -> tuple[int, str]:
        """Call it; names of headers are given with `_` for `-`. Returns the code and the text of the answer."""
        host, _, port = self.bench.operator.settings.hook_address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def push(self, path: str, body: Any = None, event: str = "push", delivery: str = "", token: str = "") -> int:
        """Call it as GitHub does; returns the code."""
        text = json.dumps(body if body is not None else {"ref": "refs/heads/main"}).encode()
        signature = hmac.new((token or self.token).encode(), text, hashlib.sha256).hexdigest()
        headers = {"X_GitHub_Event": event, "X_Hub_Signature_256": f"sha256={signature}"}
        if delivery:
            headers["X_GitHub_Delivery"] = delivery
        return self.call(path, text, **headers)[0]
