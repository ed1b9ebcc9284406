"""What is read of an object that lives in the cluster: its metadata, and only when asked for its field managers.

The API server's JSON becomes these structs without a detour through dicts. `managedFields`, often the largest part
of an object, is skipped by the decoder unless `LiveManagers` is asked for.
"""

from __future__ import annotations

import msgspec


class LiveOwner(msgspec.Struct, frozen=True, gc=False):
    """An owner reference: who the object goes with when it is deleted."""

    uid: str
    kind: str
    name: str
    controller: bool = False


class LiveMeta(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """The metadata of a live object. Times are RFC 3339 as the server writes them; None is "not set"."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[LiveOwner, ...] = ()


class LiveObject(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """Any live object, of which only the kind and the metadata are kept."""

    metadata: LiveMeta
    api_version: str = ""
    kind: str = ""


class FieldManager(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """Who owns which fields: `fields_v1` is the raw JSON of the field set (`{"f:spec":{"f:replicas":{}}}`)."""

    manager: str = ""
    operation: str = ""
    api_version: str = ""
    time: str | None = None
    subresource: str = ""
    fields_v1: msgspec.Raw = msgspec.field(name="fieldsV1", default=msgspec.Raw(b"{}"))


class _ManagersMeta(msgspec.Struct, frozen=True, rename="camel", gc=False):
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] = {}
    creation_timestamp: str | None = None
    managed_fields: tuple[FieldManager, ...] = ()


class LiveManagers(msgspec.Struct, frozen=True, gc=False):
    """A live object of which the field managers are wanted: decode an object's JSON into this."""

    metadata: _ManagersMeta

    @property
    def managers(self) -> tuple[FieldManager, ...]:
        """The managers of the object's fields, in the server's order."""
        return self.metadata.managed_fields
