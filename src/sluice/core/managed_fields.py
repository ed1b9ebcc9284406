"""Field ownership that is taken over when an object is adopted, so that what leaves git leaves the object too.

Server-side apply removes a field only when its last owner stops sending it. Fields that kubectl, or an older
controller's plain updates, own would therefore stay for ever. On adoption their ownership becomes ours, as Flux does
it; other managers (an HPA, another operator) keep theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from sluice.core import field_set
from sluice.core.field_set import FieldSet
from sluice.core.live import FieldManager

# Flux's own name as a field manager: a cluster can be taken over and given back without any field changing hands.
MANAGER = "kustomize-controller"

# Manager name prefix → operations whose fields are taken over. Ours, as Update, is from before server-side apply.
TAKEN = {
    "kubectl": frozenset({"Apply", "Update"}),
    "before-first-apply": frozenset({"Update"}),
    MANAGER: frozenset({"Update"}),
}
DROPPED_ANNOTATIONS = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "kustomize.toolkit.fluxcd.io/checksum",
    "fluxcd.io/sync-checksum",
)
SECOND = timedelta(seconds=1)
DROPPED_LABELS = ("fluxcd.io/sync-gc-mark",)


def take_over(managers: tuple[FieldManager, ...], ours: str) -> list[dict[str, Any]] | None:
    """The new list of managers, ours holding what was theirs; None when there is nothing to take over."""
    taken = [m for m in managers if _is_taken(m)]
    if not taken:
        return None
    mine = next((m for m in managers if m.manager == ours and m.operation == "Apply" and not m.subresource), None)
    fields: dict[str, Any] = msgspec.json.decode(mine.fields_v1) if mine is not None else {}
    for manager in taken:
        _merge(fields, msgspec.json.decode(manager.fields_v1))
    first = mine or taken[0]
    merged = FieldManager(ours, "Apply", first.api_version, first.time, "", msgspec.Raw(msgspec.json.encode(fields)))
    rest = [m for m in managers if m is not mine and not _is_taken(m)]
    return [_stored(m) for m in (merged, *rest)]


def is_applied_by(manager: dict[str, Any], ours: str) -> bool:
    """True for the entry (as JSON has it) of what `ours` applied to the object itself."""
    return manager.get("manager") == ours and manager.get("operation") == "Apply" and not manager.get("subresource")


def applied_fields(managers: Iterable[dict[str, Any]], ours: str) -> FieldSet:
    """The fields that `ours` holds by applying."""
    fields: FieldSet = {}
    for manager in managers:
        if is_applied_by(manager, ours):
            fields = field_set.union(fields, manager.get("fieldsV1", {}))
    return fields


def created_by(
    managers: tuple[FieldManager, ...], created: str | None, ours: str, operations: tuple[str, ...] = ("Apply",)
) -> bool:
    """True when the object's first write was an apply of ours (or another of `operations`): it made the object.

    The answer to a create may be lost, and then only the object can say who made it. Times are whole seconds, so that
    who wrote in the same second as we did may have been first: in doubt it is not ours, and is not deleted.
    """
    writers = [m for m in managers if not m.subresource]
    mine = next((m for m in writers if m.manager == ours and m.operation in operations), None)
    if mine is None or mine.time is None or created is None:
        return False
    born, wrote = datetime.fromisoformat(created), datetime.fromisoformat(mine.time)
    others = [m for m in writers if m is not mine]
    return wrote - born <= SECOND and all(m.time and datetime.fromisoformat(m.time) > wrote for m in others)


def is_taken(manager: str, operation: str, subresource: str) -> bool:
    """True when an adoption makes the fields of that manager ours."""
    return not subresource and any(manager.startswith(name) and operation in ops for name, ops in TAKEN.items())


def _is_taken(manager: FieldManager) -> bool:
    return is_taken(manager.manager, manager.operation, manager.subresource)


def _stored(manager: FieldManager) -> dict[str, Any]:
    entry: dict[str, Any] = {"manager": manager.manager, "operation": manager.operation}
    entry |= {"apiVersion": manager.api_version, "fieldsType": "FieldsV1"}
    entry["fieldsV1"] = msgspec.json.decode(manager.fields_v1)
    optional = {"time": manager.time, "subresource": manager.subresource}
    return entry | {key: value for key, value in optional.items() if value}


def _merge(into: dict[str, Any], other: dict[str, Any]) -> None:
    """The union of two field sets: trees whose leaves are empty objects."""
    for key, value in other.items():
        known = into.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            _merge(known, value)
        else:
            into[key] = value


def _pointer(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")


def take_over_patch(
    managers: list[dict[str, Any]], labels: dict[str, str], annotations: dict[str, str], resource_version: str
) -> bytes:
    """The JSON patch that makes it so, as long as nobody wrote the object meanwhile."""
    operations: list[dict[str, Any]] = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version},
        {"op": "replace", "path": "/metadata/managedFields", "value": managers},
    ]
    dropped = [("annotations", key) for key in DROPPED_ANNOTATIONS if key in annotations]
    dropped += [("labels", key) for key in DROPPED_LABELS if key in labels]
    operations += [{"op": "remove", "path": f"/metadata/{where}/{_pointer(key)}"} for where, key in dropped]
    return msgspec.json.encode(operations)
