"""An object as it was before a transaction touched it, and the write that takes it back there.

Undo goes by values and owners, never by applying an old render: a forced apply takes fields that others own, and
giving them up again removes them. Each field that we own now gets back its value from before, or goes if it was not
there; fields that somebody else has written since are theirs, stay as they are, and are reported. Ownership is then
put back in a second write, since the API server gives every changed field to whoever changes it. Where nobody but us is
concerned, an apply of exactly the fields that we owned does both in one.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from sluice.core import field_set
from sluice.core.field_set import FieldSet, Path
from sluice.core.ids import ResourceId
from sluice.core.managed_fields import is_taken

# What the server sets itself, and no undo may send back.
_SERVER_METADATA = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "selfLink", "uid")


@dataclass(frozen=True, slots=True)
class BeforeImage:
    """`body` is the object's JSON without status and without what the server sets; `managers` its managedFields."""

    id: ResourceId
    api_version: str
    uid: str
    body: bytes
    managers: bytes


@dataclass(frozen=True, slots=True)
class Restored:
    """What to write: the whole object, then its managedFields. `left` are fields that others hold now.

    `changes` is False when the object and its owners are as they were: then nothing has to be written. `ours` is
    what one apply would have to send to the same end, if that is possible.
    """

    body: dict[str, Any]
    managers: list[dict[str, Any]]
    left: tuple[str, ...]
    changes: bool
    ours: dict[str, Any] | None = None

    def is_reached(self, raw: bytes) -> bool:
        """True when the object, as the server answered it, is as it should be, values and owners."""
        live = msgspec.json.decode(raw, type=dict[str, Any])
        owned = _as_set(live["metadata"].get("managedFields", [])) == _as_set(self.managers)
        return owned and _comparable(live) == _comparable(self.body)


def before_image(identity: ResourceId, raw: bytes) -> BeforeImage:
    """Take the image of a live object's JSON."""
    body = msgspec.json.decode(raw, type=dict[str, Any])
    metadata = body.get("metadata", {})
    managers = [m for m in metadata.get("managedFields", []) if not m.get("subresource")]
    kept = {k: v for k, v in metadata.items() if k not in _SERVER_METADATA}
    image = {**{k: v for k, v in body.items() if k != "status"}, "metadata": kept}
    return BeforeImage(
        identity,
        body.get("apiVersion", ""),
        metadata.get("uid", ""),
        msgspec.json.encode(image),
        msgspec.json.encode(managers),
    )


def restore(image: BeforeImage, live_raw: bytes, ours: str) -> Restored:
    """Work out the write that takes the live object back to its image, as far as it is still ours.

    The result carries the live resourceVersion: it holds only while nobody writes in between.
    """
    live = msgspec.json.decode(live_raw, type=dict[str, Any])
    before = msgspec.json.decode(image.body, type=dict[str, Any])
    managers_before = msgspec.json.decode(image.managers, type=list[dict[str, Any]])
    managers_now = live["metadata"].get("managedFields", [])
    mine_now, mine_before = _fields_of(managers_now, ours), _fields_of(managers_before, ours)
    body, left = copy.deepcopy(live), []
    for path in field_set.containers(mine_now):
        if not field_set.value_at(before, path)[0] and not _holds_others(managers_now, ours, path):
            field_set.remove(body, path)
    touched = list(field_set.leaves(mine_now))
    dropped = [p for p in field_set.leaves(mine_before) if not field_set.contains(mine_now, p)]
    for path in touched:
        there, value = field_set.value_at(before, path)
        if there:
            field_set.put(body, path, copy.deepcopy(value))
        elif not _holds_others(managers_now, ours, path):
            field_set.remove(body, path)
            for above in _left_empty(body, path, before):
                if not _holds_others(managers_now, ours, above):
                    field_set.remove(body, above)
    for path in dropped:
        there, value = field_set.value_at(before, path)
        now_there, now = field_set.value_at(live, path)
        if there and not now_there:
            field_set.put(body, path, copy.deepcopy(value))
        elif there and now != value:
            left.append(field_set.readable(path))
    for path in _taken_over(managers_before, managers_now):
        there, value = field_set.value_at(before, path)
        if there and not field_set.value_at(live, path)[0]:
            field_set.put(body, path, copy.deepcopy(value))
            touched.append(path)
    managers = _managers(managers_before, managers_now, ours, set(left), touched)
    same = body == live and _as_set(managers) == _as_set(managers_now)
    alone = not left and _one_apply(managers_before, ours) and _one_apply(managers_now, ours)
    alone = alone and _of_others(managers, ours) == _of_others(managers_now, ours)
    return Restored(body, managers, tuple(left), not same, _owned_part(before, mine_before, live) if alone else None)


def _left_empty(body: dict[str, Any], removed: Path, before: dict[str, Any]) -> Iterator[Path]:
    """The maps above a removed path that are empty now and were not there before, innermost first."""
    for length in range(len(removed) - 1, 0, -1):
        above = removed[:length]
        if field_set.value_at(body, above) != (True, {}) or field_set.value_at(before, above)[0]:
            return
        yield above


def _one_apply(managers: list[dict[str, Any]], ours: str) -> bool:
    """True when all that we own comes from one apply, and nothing from an undo that was cut short."""
    return [m.get("operation") for m in managers if _is_mine(m, ours)] == ["Apply"]


def _of_others(managers: list[dict[str, Any]], ours: str) -> set[tuple[tuple[str, str, str], bytes]]:
    return _as_set([m for m in managers if not _is_mine(m, ours)])


def _owned_part(before: dict[str, Any], fields: FieldSet, live: dict[str, Any]) -> dict[str, Any]:
    """The fields of ours of the image; it holds for the object and the version that `live` is, and for no other."""
    meta = {k: v for k, v in live["metadata"].items() if k in {"name", "namespace", "uid", "resourceVersion"}}
    part: dict[str, Any] = {"apiVersion": before["apiVersion"], "kind": before["kind"], "metadata": meta}
    for path in field_set.leaves(fields):
        there, value = field_set.value_at(before, path)
        if there:
            field_set.put(part, path, copy.deepcopy(value))
    return part


def _comparable(body: dict[str, Any]) -> dict[str, Any]:
    moving = ("managedFields", "resourceVersion", "generation")
    metadata = {k: v for k, v in body["metadata"].items() if k not in moving}
    return {**{k: v for k, v in body.items() if k != "status"}, "metadata": metadata}


def _taken_over(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[Path]:
    """Fields of managers whose entry an adoption made ours: what was not in git has left the object with it."""
    present = {_name(manager) for manager in now}
    gone = [m for m in before if _name(m) not in present and is_taken(*_name(m))]
    return [path for manager in gone for path in field_set.leaves(manager.get("fieldsV1", {}))]


def _as_set(managers: list[dict[str, Any]]) -> set[tuple[tuple[str, str, str], bytes]]:
    return {(_name(m), msgspec.json.encode(m.get("fieldsV1", {}), order="sorted")) for m in managers}


def _fields_of(managers: list[dict[str, Any]], ours: str) -> FieldSet:
    fields: FieldSet = {}
    for manager in managers:
        if _is_mine(manager, ours):
            fields = field_set.union(fields, manager.get("fieldsV1", {}))
    return fields


def _holds_others(managers: list[dict[str, Any]], ours: str, path: Path) -> bool:
    """True when another manager owns something below `path`: then the container must stay for it."""
    for manager in managers:
        if _is_mine(manager, ours):
            continue
        node = manager.get("fieldsV1", {})
        for step in path:
            node = node.get(step)
            if node is None:
                break
        else:
            return True
    return False


def _managers(
    before: list[dict[str, Any]], now: list[dict[str, Any]], ours: str, left: set[str], touched: list[Path]
) -> list[dict[str, Any]]:
    """Today's managers with ours as it was before, and what we took from others given back to them."""
    others = {_name(m): dict(m) for m in now if not _is_mine(m, ours)}
    for manager in before:
        if _is_mine(manager, ours):
            continue
        fields: FieldSet = manager.get("fieldsV1", {})
        taken = [p for p in touched if field_set.contains(fields, p)]
        if not taken:
            continue
        if _name(manager) not in others and len(taken) == len(list(field_set.leaves(fields))):
            others[_name(manager)] = dict(manager)
            continue
        known = others.setdefault(_name(manager), {**manager, "fieldsV1": {}})
        given = known["fieldsV1"]
        for path in taken:
            given = field_set.add(given, path)
        known["fieldsV1"] = given
    mine = [{**m, "fieldsV1": _without(m.get("fieldsV1", {}), left)} for m in before if _is_mine(m, ours)]
    return [*(m for m in mine if m["fieldsV1"]), *others.values()]


def _without(fields: FieldSet, left: set[str]) -> FieldSet:
    for path in list(field_set.leaves(fields)):
        if field_set.readable(path) in left:
            fields = field_set.without(fields, path)
    return fields


def _name(manager: dict[str, Any]) -> tuple[str, str, str]:
    return manager.get("manager", ""), manager.get("operation", ""), manager.get("subresource", "")


def _is_mine(manager: dict[str, Any], ours: str) -> bool:
    """True for what we apply, and for what an undo wrote before it was cut short: both are ours to take back."""
    return manager.get("manager") == ours and not manager.get("subresource")
