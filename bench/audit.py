"""Who asked the API server for what, from its audit log, between two moments."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

AGENT = "sluice/"
OWN_GROUPS = ("source.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io")


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the operator: verb, and `resource` or `resource/subresource`."""

    verb: str
    resource: str
    group: str

    @property
    def is_own_business(self) -> bool:
        """True for the lease, for Events and for the status of our own kinds: what no figure counts."""
        own_status = self.group in OWN_GROUPS and self.resource.endswith("/status")
        return own_status or self.resource in {"leases", "events"}


class AuditLog:
    """The audit log from the moment of construction (or of the last `restart`) on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.restart()

    def restart(self) -> None:
        """Count from here."""
        self._offset = self._path.stat().st_size

    def requests(self) -> list[Request]:
        """Every request of the operator since; a watch counts when it is opened, any other when it is answered."""
        return [_request(event) for event in self._events()]

    def began(self, verb: str, resource: str, number: int) -> float:
        """When (seconds since 1970) that one (1 is the first) of the operator's such requests since came in.

        Raises RuntimeError when there have not been so many.
        """
        asked = ((event["verb"], event.get("objectRef", {}).get("resource"), event) for event in self._events())
        times = [event["requestReceivedTimestamp"] for *what, event in asked if what == [verb, resource]]
        if len(times) < number:
            raise RuntimeError(f"the operator has sent {len(times)} times {verb} {resource}, not {number} times")
        return datetime.fromisoformat(sorted(times)[number - 1]).timestamp()

    def counted(self) -> Counter[str]:
        """The requests that a figure counts, as `verb resource` → how many. Watches opened since are among them."""
        return Counter(f"{r.verb} {r.resource}" for r in self.requests() if not r.is_own_business)

    def _events(self) -> list[dict[str, Any]]:
        with self._path.open("rb") as log:
            log.seek(self._offset)
            lines = log.read().splitlines()
        events = [json.loads(line) for line in lines if line.endswith(b"}")]
        return [event for event in events if _counts(event)]


def _counts(event: dict[str, str]) -> bool:
    if not event.get("userAgent", "").startswith(AGENT):
        return False
    return event["stage"] == ("ResponseStarted" if event["verb"] == "watch" else "ResponseComplete")


def _request(event: dict[str, dict[str, str]]) -> Request:
    asked = event.get("objectRef", {})
    resource, subresource = asked.get("resource", ""), asked.get("subresource", "")
    name = f"{resource}/{subresource}" if subresource else resource
    return Request(str(event["verb"]), name or str(event["requestURI"]), asked.get("apiGroup", ""))


def shown(counted: Counter[str]) -> str:
    """A count for people."""
    return ", ".join(f"{number} {what}" for what, number in counted.most_common()) or "none"
