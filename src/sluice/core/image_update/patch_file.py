"""Edits of the patch file of a `.flux.yaml`: one value of one object's patch, every other byte kept. Pure.

An object that has no patch yet gets a document of its own at the end. Nothing is merged or sorted anew: what people
wrote into the file stays as they wrote it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sluice.core import codes
from sluice.core.image_update.result import FileObject, file_object
from sluice.core.yaml_annotation import set_annotations
from sluice.core.yaml_edit import set_scalars, verified
from sluice.core.yaml_map_edit import appended
from sluice.core.yaml_node import LIST, MAP, SCALAR
from sluice.core.yaml_quote import plain_or_quoted
from sluice.core.yaml_text import Address, Edit, Path, YamlText, open_text

DEFAULT_NAMESPACE = "default"
_ANNOTATIONS = ("metadata", "annotations")


@dataclass(frozen=True, slots=True)
class Named:
    """The item of a list whose `name` this is: what a strategic merge finds a container by."""

    name: str


Steps = tuple["str | Named", ...]


def steps_to(value: Any, path: Path) -> Steps:
    """The path of a value of a whole object, as it stands in a patch: list items by their names."""
    steps: list[str | Named] = []
    for step in path:
        value = value[step]
        steps.append(step if isinstance(step, str) else Named(value["name"]))
    return tuple(steps)


def identity(value: Any) -> FileObject:
    """What a patch and its object have in common: version, kind, name, and a namespace that may be left out."""
    held = file_object(value)
    return replace(held, namespace=held.namespace or DEFAULT_NAMESPACE)


def set_in_patch(
    data: bytes, path: str, subject: FileObject, steps: Steps, value: str | None, commit: str = ""
) -> bytes:
    """Make a value of an object's patch this text; None is `null`, which takes the value away where it is applied.

    Raises EditRefused when the file can't be read, or has the value in a form that can't be changed in place.
    """
    file = _with_patch(open_text(data, path, commit), subject)
    at, rest = _deepest(file, _patch_of(file, subject), steps)
    expected = _expected(file, at, rest, value)
    if not rest and value is not None:
        return set_scalars(file, {at: value})
    if not rest:
        node = file.branch(at)[-1]
        if node.kind != SCALAR or node.style in {"|", ">"}:
            raise file.refused(codes.VALUE_FORM, "the value can't be taken away in place", at=node, address=at)
        start = file.document(at).chunk.start
        return verified(file, file.edited([Edit(start + node.start, start + node.end, "null")]), expected)
    node = file.branch(at)[-1]
    if node.kind != (MAP if isinstance(rest[0], str) else LIST):
        cause = f"it is a {node.kind}, and {rest[0] if isinstance(rest[0], str) else rest[0].name} should stand in it"
        raise file.refused(codes.VALUE_FORM, "the patch can't take this value", at=node, address=at, cause=cause)
    edit = appended(file, at, _block(rest, value), _flow(rest, value))
    return verified(file, file.edited([edit]), expected)


def annotate_in_patch(
    data: bytes,
    path: str,
    subject: FileObject,
    changes: Mapping[str, str | None],
    printed: Collection[str],
    commit: str = "",
) -> bytes:
    """Set or take away annotations by an object's patch. `printed` are those that the object has without it.

    One that the generators print is taken away with `null`, another by deleting it. Raises EditRefused.
    """
    for key, value in changes.items():
        if value is None and key in printed:
            data = set_in_patch(data, path, subject, (*_ANNOTATIONS, key), None, commit)
            continue
        file = open_text(data, path, commit)
        if value is not None or any(identity(each) == _whole(subject) for each in file.values()):
            file = _with_patch(file, subject)
            data = set_annotations(file, _patch_of(file, subject), {key: value})
    return data


def line_in_patch(data: bytes, path: str, subject: FileObject, steps: Steps) -> int:
    """The line of a value, or of what is nearest to it; 0 when the object has no patch."""
    file = open_text(data, path)
    if all(identity(each) != _whole(subject) for each in file.values()):
        return 0
    at, _ = _deepest(file, _patch_of(file, subject), steps)
    return file.branch(at)[-1].named.line


def _whole(subject: FileObject) -> FileObject:
    return replace(subject, namespace=subject.namespace or DEFAULT_NAMESPACE)


def _patch_of(file: YamlText, subject: FileObject) -> Address:
    numbers = [n for n, each in enumerate(file.values(), 1) if identity(each) == _whole(subject)]
    return Address(numbers[0], ())


def _with_patch(file: YamlText, subject: FileObject) -> YamlText:
    """The file with a document for the object, which may say nothing yet."""
    if any(identity(each) == _whole(subject) for each in file.values()):
        return file
    end = "\r\n" if "\r\n" in file.text else "\n"
    metadata = {key: text for key, text in (("name", subject.name), ("namespace", subject.namespace)) if text}
    lines = ["---", f"apiVersion: {_text(subject.api_version)}", f"kind: {_text(subject.kind)}", "metadata:"]
    lines += [f"  {key}: {_text(text)}" for key, text in metadata.items()]
    gap = end if file.text and not file.text.endswith("\n") else ""
    at = len(file.text)
    data = file.edited([Edit(at, at, gap + "".join(line + end for line in lines))])
    added = {"apiVersion": subject.api_version, "kind": subject.kind, "metadata": metadata}
    return open_text(verified(file, data, [*file.values(), added]), file.path, file.commit)


def _deepest(file: YamlText, at: Address, steps: Steps) -> tuple[Address, Steps]:
    """How far a patch has the way to a value, and what of the way is missing."""
    value = file.document(at).value
    for number, step in enumerate(steps):
        found = _child(value, step)
        if found is None:
            return at, steps[number:]
        at, value = at.step(found), value[found]
    return at, ()


def _child(value: Any, step: str | Named) -> str | int | None:
    if isinstance(step, str):
        return step if isinstance(value, dict) and step in value else None
    items = value if isinstance(value, list) else []
    return next((n for n, item in enumerate(items) if isinstance(item, dict) and item.get("name") == step.name), None)


def _nested(steps: Steps, value: str | None) -> Any:
    """What stands below the last value that is there: a map, or a list of one named item."""
    if not steps:
        return value
    head, below = steps[0], _nested(steps[1:], value)
    return {head: below} if isinstance(head, str) else [{"name": head.name, **below}]


def _block(steps: Steps, value: str | None) -> list[str]:
    head, rest = steps[0], steps[1:]
    if isinstance(head, Named):
        return [f"- name: {_text(head.name)}", *_indented(_block(rest, value))]
    key = _text(head)
    if rest:
        return [f"{key}:", *_indented(_block(rest, value))]
    return [f"{key}: {'null' if value is None else _text(value)}"]


def _text(value: str) -> str:
    return plain_or_quoted(value, '"', in_flow=False)


def _indented(lines: list[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _flow(steps: Steps, value: str | None) -> str:
    """The entry without the brackets of the map or list that it goes into."""
    return json.dumps(_nested(steps, value), ensure_ascii=False)[1:-1]


def _expected(file: YamlText, at: Address, rest: Steps, value: str | None) -> list[Any]:
    documents = copy.deepcopy(file.values())
    if not rest:
        holder = documents[at.document - 1]
        for step in at.path[:-1]:
            holder = holder[step]
        holder[at.path[-1]] = value
        return documents
    holder = documents[at.document - 1]
    for step in at.path:
        holder = holder[step]
    added = _nested(rest, value)
    if isinstance(holder, dict) and isinstance(added, dict):
        holder.update(added)
    elif isinstance(holder, list) and isinstance(added, list):
        holder.extend(added)
    return documents
