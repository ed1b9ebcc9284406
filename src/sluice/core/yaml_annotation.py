"""Set and delete annotations of an object in a YAML file, with every other byte kept.

Written wherever annotations can stand: no annotations yet, an empty key, block and flow maps, items of a List.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from sluice.core import codes
from sluice.core.yaml_edit import scalar_edit, value_at, verified
from sluice.core.yaml_map_edit import content_end, deleted, filled, inserted
from sluice.core.yaml_node import MAP, Node
from sluice.core.yaml_quote import quoted
from sluice.core.yaml_text import Address, Edit, EditRefused, YamlText, open_text


def set_annotations(file: YamlText, subject: Address, changes: Mapping[str, str | None], quote: str = "'") -> bytes:
    """Give the object at `subject` these annotations; None deletes one. What is so already changes no byte.

    With the last annotation its `annotations:` goes too. Raises EditRefused when the object's metadata is no map of
    its own (a merge, an alias, a shared anchor), or when a value is no scalar; nothing is changed then.
    """
    now = file
    for key, value in changes.items():
        edit = _edit(now, subject, key, value, quote)
        if edit is not None:
            data = now.edited([edit])
            now = open_text(verified(now, data, _expected(now.values(), subject, key, value)), file.path, file.commit)
    return now.edited([])


def _edit(file: YamlText, subject: Address, key: str, value: str | None, quote: str) -> Edit | None:
    metadata = subject.step("metadata")
    if file.branch(metadata)[-1].kind != MAP:
        raise file.refused(
            codes.METADATA_FORM, "the object's metadata is no map", at=file.branch(metadata)[-1], address=metadata
        )
    place = metadata.step("annotations")
    held = value_at(file, metadata).get("annotations")
    if "annotations" not in value_at(file, metadata):
        return None if value is None else inserted(file, metadata, "annotations", {key: value}, quote)
    node = file.branch(place)[-1]
    if held is None or held == {}:
        return None if value is None else filled(file, place, {key: value}, quote)
    if not isinstance(held, dict):
        raise file.refused(codes.METADATA_FORM, "the annotations are no map", at=node, address=place)
    if value is None:
        return _deletion(file, place, node, key) if key in held else None
    if key not in node.keys:
        return inserted(file, place, key, value, quote)
    return _replacement(file, place.step(key), value, quote)


def _deletion(file: YamlText, place: Address, node: Node, key: str) -> Edit:
    if len(node.keys) == 1 and key in node.keys:
        return deleted(file, place)
    return deleted(file, place.step(key))


def _replacement(file: YamlText, address: Address, value: str, quote: str) -> Edit | None:
    """Replace a value; unlike an image's, an annotation's block scalar of several lines may become a quoted one."""
    node = file.branch(address)[-1]
    if node.style not in {"|", ">"} or value_at(file, address) == value:
        return scalar_edit(file, address, value, quote)
    chunk = file.document(address).chunk
    if "#" in chunk.text[node.start : node.end].partition("\n")[0]:
        raise file.refused(codes.VALUE_FORM, "a comment would be lost", at=node, address=address, fix="move it")
    return Edit(chunk.start + node.start, chunk.start + content_end(chunk.text, node), quoted(value, quote))


def _expected(documents: list[Any], subject: Address, key: str, value: str | None) -> list[Any]:
    copied = copy.deepcopy(documents)
    holder = copied[subject.document - 1]
    for step in (*subject.path, "metadata"):
        holder = holder[step]
    annotations = holder.get("annotations") or {}
    holder["annotations"] = annotations
    if value is not None:
        annotations[key] = value
    else:
        annotations.pop(key)
        if not annotations:
            del holder["annotations"]
    return copied


__all__ = ["EditRefused", "set_annotations"]
