"""Writes the status of our own kinds: one merge patch of the fields that changed, nothing when none did."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from sluice.core.errors import ClusterError
from sluice.core.ids import NamespacedName
from sluice.kube.client import KubeClient
from sluice.kube.resource import Resource


class Statuses(Protocol):
    """Where reconcilers put what they report."""

    async def write(self, key: NamespacedName, status: Mapping[str, Any], present: msgspec.Struct) -> None:
        """Set these top-level fields of the status; None removes one, the others stay. `present` is what it is now."""
        ...

    def forget(self, key: NamespacedName) -> None:
        """Drop what is remembered of an object that is gone."""
        ...


class StatusWriter:
    """The status subresource of one kind. Per object and field a digest of what was written last is kept."""

    def __init__(self, client: KubeClient, resource: Resource, manager: str) -> None:
        self._client = client
        self._resource = resource
        self._manager = manager
        self._written: dict[NamespacedName, dict[str, bytes]] = {}

    async def write(self, key: NamespacedName, status: Mapping[str, Any], present: msgspec.Struct) -> None:
        """Send the fields that differ from what this process wrote last, at its first write from `present`.

        An object that is gone is no error.
        """
        if key not in self._written:
            self._written[key] = {n: _digest_of(getattr(present, n, None)) for n in present.__struct_fields__}
        known = self._written[key]
        encoded = {name: msgspec.json.encode(value) for name, value in status.items()}
        digests = {name: _digest_of(value) for name, value in status.items()}
        changed = {n: msgspec.Raw(encoded[n]) for n, digest in digests.items() if known.get(n) != digest}
        if not changed:
            return
        for name in changed:  # until an answer comes, nobody knows what stands there
            known.pop(name, None)
        body = msgspec.json.encode({"status": changed})
        try:
            await self._client.merge_patch(
                self._resource, key.namespace, key.name, body, manager=self._manager, subresource="status"
            )
        except ClusterError as error:
            if error.status != 404:
                raise
            self.forget(key)
            return
        known.update({name: digests[name] for name in changed})

    def forget(self, key: NamespacedName) -> None:
        """Drop what is remembered of an object that is gone."""
        self._written.pop(key, None)


def _digest_of(value: Any) -> bytes:
    """Names a field's value; one that is empty is one that is not set."""
    return hashlib.sha256(msgspec.json.encode(value or None)).digest()
