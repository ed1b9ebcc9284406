"""Writes the status of our own kinds: one merge patch of the fields that changed, nothing when none did.

Events that somebody is still to be told of ride along: see `notification_intents`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from sluice.api.kustomization import KnownInventory
from sluice.api.notification_intent import FIELD
from sluice.core.errors import ClusterError
from sluice.core.ids import NamespacedName
from sluice.kube.client import KubeClient
from sluice.kube.resource import Resource

if TYPE_CHECKING:  # flag mode has nobody to tell
    from sluice.runtime.notification_intents import NotificationIntents


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

    def __init__(
        self, client: KubeClient, resource: Resource, manager: str, intents: NotificationIntents | None = None
    ) -> None:
        self._client = client
        self._intents = intents
        self._resource = resource
        self._manager = manager
        self._written: dict[NamespacedName, dict[str, bytes]] = {}
        self._said: dict[NamespacedName, set[str]] = {}

    async def write(self, key: NamespacedName, status: Mapping[str, Any], present: msgspec.Struct) -> None:
        """Send the fields that differ from what this process wrote last, at its first write from `present`.

        An object that is gone is no error.
        """
        if key not in self._written:
            self._written[key] = {n: _digest_of(getattr(present, n, None)) for n in present.__struct_fields__}
        known = self._written[key]
        status = {**status, **self._intended(key, present)}
        encoded = {name: msgspec.json.encode(value) for name, value in status.items()}
        digests = {name: _digest_of(value) for name, value in status.items()}
        changed = {n: msgspec.Raw(encoded[n]) for n, digest in digests.items() if known.get(n) != digest}
        if not changed.keys() - self._unhurried(key, status, present):
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
        if FIELD in changed:
            self._said[key] = {each.id for each in status[FIELD] or ()}

    def _intended(self, key: NamespacedName, present: msgspec.Struct) -> dict[str, Any]:
        """What the status is to say of events that somebody must still be told; nothing for kinds that say none."""
        if self._intents is None or FIELD not in present.__struct_fields__:
            return {}
        return {FIELD: self._intents.of(self._resource.kind, key) or None}

    def _unhurried(self, key: NamespacedName, status: Mapping[str, Any], present: msgspec.Struct) -> set[str]:
        """Fields whose change is worth no write of its own: that somebody need not be told any more."""
        if FIELD not in status:
            return set()
        names = {each.id for each in status[FIELD] or ()}
        said = self._said.get(key)
        if said is None:
            said = {each.id for each in getattr(present, FIELD)}
        return set() if names - said else {FIELD}

    def forget(self, key: NamespacedName) -> None:
        """Drop what is remembered of an object that is gone."""
        self._written.pop(key, None)
        self._said.pop(key, None)


def _digest_of(value: Any) -> bytes:
    """Names a field's value; one that is empty is one that is not set, one that was not kept knows its name."""
    if isinstance(value, KnownInventory):
        return value.known_digest
    return hashlib.sha256(msgspec.json.encode(value or None)).digest()
