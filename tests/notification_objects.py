"""Providers and Alerts, made by a test beside a sync."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import Any

from tests.operator_fixture import Bench, Json, Sync, poll

NOTIFICATIONS = "/apis/notification.toolkit.fluxcd.io/v1beta3"


@dataclass
class Notifications:
    """Objects of the notification kinds in the namespace of one sync."""

    bench: Bench
    sync: Sync

    def create(self, kind: str, name: str, spec: Json) -> None:
        """Make a Provider or an Alert."""
        body = {
            "apiVersion": "notification.toolkit.fluxcd.io/v1beta3",
            "kind": kind,
            "metadata": {"name": name, "namespace": self.sync.namespace},
            "spec": spec,
        }
        self.bench.api.create(self.path(kind), body)

    def path(self, kind: str, name: str = "") -> str:
        """The path of a kind's objects, or of one, in the API."""
        base = f"{NOTIFICATIONS}/namespaces/{self.sync.namespace}/{kind.lower()}s"
        return f"{base}/{name}" if name else base

    def provider(self, type_: str, **spec: Any) -> str:
        """Make a Provider; returns its name."""
        name = f"p-{secrets.token_hex(3)}"
        self.create("Provider", name, {"type": type_, **spec})
        return name

    def alert(self, provider: str, **spec: Any) -> str:
        """Make an Alert for the sync's Kustomization; returns its name."""
        name = f"a-{secrets.token_hex(3)}"
        sources = [{"kind": "Kustomization", "name": self.sync.name}]
        self.create("Alert", name, {"providerRef": {"name": provider}, "eventSources": sources, **spec})
        return name

    def secret(self, **data: str) -> str:
        """Make a Secret; returns its name."""
        name = f"s-{secrets.token_hex(3)}"
        encoded = {key.replace("_", "."): base64.b64encode(text.encode()).decode() for key, text in data.items()}
        path = f"/api/v1/namespaces/{self.sync.namespace}/secrets"
        self.bench.api.create(path, {"metadata": {"name": name}, "data": encoded})
        return name

    def complaints(self, name: str) -> list[Json]:
        """The Kubernetes Events about one object of ours."""
        path = f"/api/v1/namespaces/{self.sync.namespace}/events?fieldSelector=involvedObject.name%3D{name}"
        _, answer = self.bench.api.request("GET", path)
        return list(answer["items"])

    def wait_complaint(self, name: str, text: str) -> Json:
        """Wait for an Event about an object whose message holds `text`; returns it."""

        def found() -> Json | None:
            return next((each for each in self.complaints(name) if text in each["message"]), None)

        return dict(poll(f"an event about {name} with {text!r}", found))
