"""Documents of a file to objects: Lists are taken apart, kustomize's own documents are left out, as Flux does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sluice.core import codes
from sluice.core.lfs import is_lfs_pointer, lfs_problem
from sluice.core.problem import Origin, Problem
from sluice.core.yaml_position import locate
from sluice.core.yaml_read import read_documents

MAX_LIST_NESTING = 3
_LOCAL_CONFIG = "config.kubernetes.io/local-config"


@dataclass(frozen=True, slots=True)
class SourceObject:
    """One object as it was written, and where. The value is the caller's own: nothing shares its nodes."""

    value: Any
    origin: Origin


def read_objects(data: bytes, path: str, commit: str = "") -> tuple[list[SourceObject], list[Problem]]:
    """Read the objects of a YAML file, and every problem of its text."""
    if is_lfs_pointer(data):
        return [], [lfs_problem(path, commit)]
    documents, problems = read_documents(data, path, commit)
    objects: list[SourceObject] = []
    for document in documents:
        origin = Origin(path, document.line, document=document.number, commit=commit)
        if is_list(document.value):
            objects += _items(SourceObject(document.value, origin), "", data, 1, problems)
        elif not is_left_out(document.value):
            objects.append(SourceObject(document.value, origin))
    return objects, problems


def is_list(value: Any) -> bool:
    """True for `kind: List`, `kind: ConfigMapList`, …: a kind that only carries other objects."""
    return isinstance(value, dict) and isinstance(value.get("items"), list) and str(value.get("kind")).endswith("List")


def is_left_out(value: Any) -> bool:
    """True for what Flux does not apply: kustomize's own kinds, and objects marked as local configuration."""
    if not isinstance(value, dict):
        return False
    if str(value.get("apiVersion")).startswith("kustomize.config.k8s.io/"):
        return True
    metadata = value.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return isinstance(annotations, dict) and _LOCAL_CONFIG in annotations


def _items(
    holder: SourceObject, prefix: str, data: bytes, depth: int, problems: list[Problem]
) -> Iterator[SourceObject]:
    if depth > MAX_LIST_NESTING:
        cause = f"a List in a List, more than {MAX_LIST_NESTING} deep"
        fix = "write the objects as documents"
        problems.append(
            Problem(codes.LIST_NESTING, "Lists are nested too deep", None, holder.origin, "items", cause, fix)
        )
        return
    for index, item in enumerate(holder.value["items"]):
        field = f"{prefix}items[{index}]"
        at = locate(data, holder.origin.line, field)
        origin = replace(holder.origin, line=at.line) if at is not None else holder.origin
        if is_list(item):
            yield from _items(SourceObject(item, holder.origin), f"{field}.", data, depth + 1, problems)
        elif not is_left_out(item):
            yield SourceObject(item, origin)
