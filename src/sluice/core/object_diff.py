"""Two states of one object → the fields that differ, each with its path, for people to read.

What the API server keeps for itself (managedFields, versions, status) is left out, so two answers of it that differ
only there are equal. List items that have unique names are matched by name, as the API server merges them; others by
their place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sluice.core.ids import GroupKind

MASK: Final = "*****"
_SERVER_METADATA = frozenset(
    {"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink", "deletionTimestamp"}
)
_SECRET = GroupKind("", "Secret")
_ANNOTATIONS = "metadata.annotations"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Absent:
    """The value of a field that is not there."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = Absent()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field before and after; `ABSENT` is "not there"."""

    path: str
    before: Any
    after: Any

    @property
    def action(self) -> str:
        """`add`, `remove` or `change`."""
        return "add" if self.before is ABSENT else "remove" if self.after is ABSENT else "change"


def diff_objects(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """Every field that differs, in the order of the paths of `after`; equal objects give none."""
    return tuple(_diff("", _comparable(before), _comparable(after)))


def masked(changes: tuple[FieldChange, ...], kind: GroupKind) -> tuple[FieldChange, ...]:
    """The same changes without the values of a Secret: only that they differ may be shown."""
    return tuple(_mask(change) for change in changes) if kind == _SECRET else changes


def _comparable(body: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {k: v for k, v in (body.get("metadata") or {}).items() if k not in _SERVER_METADATA}
    return {**{k: v for k, v in body.items() if k not in {"status", "metadata"}}, "metadata": metadata}


def _diff(path: str, before: Any, after: Any) -> Iterator[FieldChange]:
    if before == after and type(before) is type(after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in (*after, *(k for k in before if k not in after)):
            yield from _diff(_join(path, str(key)), before.get(key, ABSENT), after.get(key, ABSENT))
        return
    if isinstance(before, list) and isinstance(after, list):
        yield from _diff_lists(path, before, after)
        return
    if before != after:
        yield FieldChange(path, before, after)


def _diff_lists(path: str, before: list[Any], after: list[Any]) -> Iterator[FieldChange]:
    old, new = _by_name(before), _by_name(after)
    if old is None or new is None:
        old = {str(index): item for index, item in enumerate(before)}
        new = {str(index): item for index, item in enumerate(after)}
    found = []
    for key in (*new, *(k for k in old if k not in new)):
        found += list(_diff(f"{path}[{key}]", old.get(key, ABSENT), new.get(key, ABSENT)))
    # The same named items in another order: an order can matter (environment variables), so it is a change.
    if not found and before != after:
        found.append(FieldChange(f"{path} (order)", list(old), list(new)))
    yield from found


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    names = [item.get("name") for item in items if isinstance(item, Mapping)]
    if (
        len(names) != len(items)
        or len(set(map(str, names))) != len(names)
        or not all(isinstance(n, str) for n in names)
    ):
        return None
    return {str(item["name"]): item for item in items}


def _join(path: str, key: str) -> str:
    if "." in key or "/" in key:
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def _mask(change: FieldChange) -> FieldChange:
    root = change.path.partition(".")[0].partition("[")[0]
    # All annotations at once may hold the copy of the whole Secret that kubectl keeps in one.
    if root not in {"data", "stringData"} and _LAST_APPLIED not in change.path and change.path != _ANNOTATIONS:
        return change
    hidden: dict[str, Any] = {side: MASK for side in ("before", "after") if getattr(change, side) is not ABSENT}
    return replace(change, **hidden)
