"""Who asked the API server for what, from its audit log, between two moments."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

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
        with self._path.open("rb") as log:
            log.seek(self._offset)
            lines = log.read().splitlines()
        events = [json.loads(line) for line in lines if line.endswith(b"}")]
        return [_request(event) for event in events if _counts(event)]

    def began(self, verb: str, resource: str) -> float:
        """When (seconds since 1970) the operator's first such request since came in. Raises RuntimeError for none."""
        with self._path.open("rb") as log:
            log.seek(self._offset)
            lines = [line for line in log.read().splitlines() if line.endswith(b"}")]
        for event in map(json.loads, lines):
            asked = event.get("objectRef", {})
            if _counts(event) and (event["verb"], asked.get("resource")) == (verb, resource):
                return datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp()
        raise RuntimeError(f"the operator has sent no {verb} {resource}")

    def counted(self) -> Counter[str]:
        """The requests that a figure counts, as `verb resource` → how many. Watches opened since are among them."""
        return Counter(f"{r.verb} {r.resource}" for r in self.requests() if not r.is_own_business)


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
