"""An object as it is, and as applying its manifest again would leave it → which of our fields differ, and who did it.

Only fields count that we own, or would own: what others put beside them is theirs. No value is kept, so nothing of a
Secret can come out in an event or a status.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

import msgspec

from sluice.core import codes, field_set
from sluice.core.field_set import FieldSet, Path
from sluice.core.ids import ResourceId
from sluice.core.managed_fields import applied_fields, is_applied_by
from sluice.core.manifest import Directives, Manifest
from sluice.core.order import JOB
from sluice.core.problem import Origin, Problem, clip

MAX_FIELDS = 10


class DriftMode(StrEnum):
    """What is done about a change of others: set right, told and left, or not looked at."""

    CORRECT = "Correct"
    WARN = "Warn"
    IGNORE = "Ignore"


def mode_of(spec: str, manifest: Directives | None, live: Directives | None) -> DriftMode:
    """The mode of one object: its manifest's annotation, else the live object's, else the sync's, else Correct."""
    for said in (manifest.drift if manifest else "", live.drift if live else "", spec.lower()):
        for mode in DriftMode:
            if said == mode.value.lower():
                return mode
    return DriftMode.CORRECT


@dataclass(frozen=True, slots=True)
class DriftedField:
    """One field. `manager` is who owns it now, empty when the object does not tell; `time` is when, as RFC 3339."""

    path: str
    pointer: str
    what: str = "changed"
    manager: str = ""
    time: str = ""


@dataclass(frozen=True, slots=True)
class Drifted:
    """One object that is not as it was applied. Neither fields nor `deleted`: it could not be compared, and `why`.

    `seen` is when we looked (RFC 3339): it is told where the object itself does not say when it was changed.
    """

    id: ResourceId
    fields: tuple[DriftedField, ...] = ()
    more: int = 0
    deleted: bool = False
    why: str = ""
    origin: Origin | None = None
    seen: str = ""

    def __str__(self) -> str:
        """`field .spec.replicas of Deployment shop/web changed by kubectl-edit at 2026-05-01T10:00:00Z`."""
        dated = bool(self.fields) and all(field.time for field in self.fields)
        seen = f", seen at {self.seen}" if self.seen and not dated else ""
        if self.deleted:
            return f"{self.id} was deleted{seen}"
        if not self.fields:
            return f"{self.id} can't be compared: {self.why}"
        parts = []
        for (what, manager, time), group in groupby(self.fields, key=lambda f: (f.what, f.manager, f.time)):
            paths = [field.path for field in group]
            text = f"field{'s' if len(paths) > 1 else ''} {', '.join(paths)} of {self.id} {what}"
            parts.append(text + (f" by {manager}" if manager else " by somebody") + (f" at {time}" if time else ""))
        return "; ".join(parts) + (f"; and {self.more} more fields" if self.more else "") + seen

    @property
    def managers(self) -> str:
        """Who did it, as far as the object tells."""
        return ", ".join(dict.fromkeys(f.manager for f in self.fields if f.manager)) or "somebody"


def find_drift(manifest: Manifest, live: bytes, wanted: bytes, ours: str) -> Drifted | None:
    """Compare the JSON of the live object with the API server's answer to a dry-run; None when nothing is ours to mend.

    `ours` is our field manager.
    """
    now = msgspec.json.decode(live, type=dict[str, Any])
    then = msgspec.json.decode(wanted, type=dict[str, Any])
    managers = now.get("metadata", {}).get("managedFields", [])
    owned = field_set.union(
        applied_fields(managers, ours), applied_fields(then.get("metadata", {}).get("managedFields", []), ours)
    )
    found = tuple(dict.fromkeys(_differing(now, then, owned, managers, ours)))
    if not found:
        return None
    ordered = tuple(sorted(found, key=lambda f: (f.what, f.manager, f.time, f.path)))
    return Drifted(manifest.id, ordered[:MAX_FIELDS], max(0, len(ordered) - MAX_FIELDS), origin=manifest.origin)


def expires(manifest: Manifest) -> bool:
    """True for a Job that the cluster deletes once it has finished: that it is gone is no drift."""
    if manifest.id.group_kind != JOB:
        return False
    return msgspec.json.decode(manifest.body).get("spec", {}).get("ttlSecondsAfterFinished") is not None


def warned(drifted: Drifted) -> Problem:
    """What people are told of an object that is left as it is."""
    return Problem(
        codes.DRIFTED,
        str(drifted),
        subject=drifted.id,
        origin=drifted.origin,
        cause="drift is Warn: it is told and left as it is",
        fix="put the change into git, undo it, or set drift to Correct",
    )


def _differing(
    now: dict[str, Any], then: dict[str, Any], owned: FieldSet, managers: list[dict[str, Any]], ours: str
) -> Iterator[DriftedField]:
    for path in field_set.leaves(owned):
        before, after = field_set.value_at(now, path), field_set.value_at(then, path)
        if before == after:
            continue
        what = "changed" if before[0] and after[0] else "added" if before[0] else "removed"
        if not before[0]:
            path = _gone_from(now, path)  # noqa: PLW2901 - the whole of what is missing, not each field of it
        manager, time = _by_whom(managers, path, ours) if before[0] else ("", "")
        yield DriftedField(_shown(path), pointer_of(path, now if before[0] else then), what, manager, time)


def _gone_from(now: dict[str, Any], path: Path) -> Path:
    """The shortest part of the path that is not there."""
    return next((path[:n] for n in range(1, len(path)) if not field_set.value_at(now, path[:n])[0]), path)


def _shown(path: Path) -> str:
    return clip(f".{field_set.readable(path)}", 300)


def _by_whom(managers: list[dict[str, Any]], path: Path, ours: str) -> tuple[str, str]:
    """The other manager that owns the path, the latest when there are several."""
    holders = [m for m in managers if not is_applied_by(m, ours) and field_set.covers(m.get("fieldsV1", {}), path)]
    if not holders:
        return "", ""
    latest = max(holders, key=lambda m: m.get("time") or "")
    through = f" (through {latest['subresource']})" if latest.get("subresource") else ""
    return clip(f"{latest.get('manager', '')}{through}", 128), latest.get("time") or ""


def pointer_of(path: Path, body: Any) -> str:
    """The path as a JSON pointer into `body`: what an ignore rule would name.

    >>> pointer_of(("f:metadata", "f:labels", "f:a/b"), {})
    '/metadata/labels/a~1b'
    """
    text, node = "", body
    for step in path:
        found, child = field_set.value_at(node, (step,))
        if step.startswith("f:"):
            text += "/" + step[2:].replace("~", "~0").replace("/", "~1")
        else:
            place = next((n for n, item in enumerate(node) if item is child), 0) if isinstance(node, list) else 0
            text += f"/{place}"
        node = child if found else None
    return text
