"""Where in the files of a build the objects are written that kustomize names in a complaint, or can't name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from sluice.core import codes
from sluice.core.manifest_read import SourceObject, read_objects
from sluice.core.problem import Problem, clip
from sluice.render.closure import Closure

# kustomize's id of an object: `Deployment.v1.apps/web.shop`, `Service.v1.[noGrp]/web.[noNs]`.
_ID = re.compile(r"(?P<kind>[^./]+)\.[^./]*\.[^/]*/(?P<name>.+)\.(?P<namespace>[^.]+)")


def twice(identity: str, closure: Closure, commit: str) -> Problem | None:
    """A problem that names both places of an object that kustomize was given twice; None where it is written once."""
    found = _ID.fullmatch(identity)
    if found is None:
        return None
    kind, name, namespace = found["kind"], found["name"], found["namespace"].replace("[noNs]", "")

    def is_it(value: dict[str, Any], metadata: dict[str, Any]) -> bool:
        own = metadata.get("namespace") or ""
        return value.get("kind") == kind and metadata.get("name") == name and own == namespace

    places = list(_written(closure, commit, is_it))
    if len(places) < 2:
        return None
    title = f"{kind} {namespace}{'/' if namespace else ''}{name} is defined twice"
    return Problem(
        codes.DUPLICATE_OBJECT,
        clip(title, 200),
        origin=places[1].origin,
        cause=f"first at {places[0].origin}",
        fix="remove one, or make it a patch",
    )


def nameless(closure: Closure, commit: str) -> tuple[Problem, ...]:
    """A problem for each object without metadata.name."""
    return tuple(
        Problem(
            codes.MISSING_FIELD,
            "metadata.name is missing",
            origin=each.origin,
            field="metadata.name",
            cause="every object needs it",
            fix="add metadata.name",
        )
        for each in _written(closure, commit, lambda _, metadata: not metadata.get("name"))
    )


def _written(
    closure: Closure, commit: str, fits: Callable[[dict[str, Any], dict[str, Any]], bool]
) -> Iterator[SourceObject]:
    for path, data in sorted(closure.resources.items()):
        for each in read_objects(data, path, commit)[0]:
            value = each.value
            metadata = value.get("metadata") if isinstance(value, dict) else None
            if isinstance(value, dict) and fits(value, metadata if isinstance(metadata, dict) else {}):
                yield each
