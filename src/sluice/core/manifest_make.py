"""A source object and a spec to a Manifest: what Flux does to every object after the build, in Flux's order.

Namespace, substitution, owner labels, normalisation, `commonMetadata` (which may overwrite the owner labels, as in
Flux). All findings are collected, each with the line of its field.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from sluice.core import codes, manifest_check
from sluice.core.ids import GroupKind, ResourceId, split_api_version
from sluice.core.manifest import Directives, Manifest
from sluice.core.manifest_check import Finding
from sluice.core.manifest_read import SourceObject
from sluice.core.normalise import normalise
from sluice.core.problem import Problem
from sluice.core.yaml_position import locate

MAX_BODY_BYTES = 1536 << 10
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Finishing:
    """What a sync does to each object. `namespace_for` gives the namespace to set on a kind, empty for none."""

    owner_labels: Mapping[str, str]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    namespace_for: Callable[[GroupKind], str] | None = None
    substitute: Callable[[dict[str, Any]], tuple[dict[str, Any], list[Finding]]] | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """What became of one object: a manifest, unless there are errors. `owners` are the ids its ownerReferences name."""

    manifest: Manifest | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    owners: tuple[ResourceId, ...] = ()


def make(source: SourceObject, finishing: Finishing, data: bytes | None) -> Made:
    """Turn one object into what will be sent. `data` is its file's content, for the lines of its fields."""
    value, findings = source.value, list[Finding]()
    if isinstance(value, dict) and finishing.namespace_for is not None:
        _set_namespace(value, finishing.namespace_for)
    if isinstance(value, dict) and finishing.substitute is not None:
        value, findings = finishing.substitute(value)
    id_, missing = manifest_check.identify(value)
    findings += missing
    if id_ is not None:
        findings += manifest_check.check(value, id_, finishing.owner_labels)
    problems = [_problem(finding, source, id_ or _guess(value), data) for finding in findings]
    errors = tuple(problem for problem in problems if problem.code.number[0] == "E")
    warnings = tuple(problem for problem in problems if problem.code.number[0] != "E")
    if id_ is None or errors:
        return Made(None, errors, warnings)
    manifest = _finish(value, id_, finishing, source)
    if len(manifest.body) > MAX_BODY_BYTES:
        cause = f"{len(manifest.body)} bytes, and {MAX_BODY_BYTES} are the limit"
        finding = Finding(codes.OBJECT_TOO_BIG, f"the {id_.kind} is too big", "", cause, "split it")
        return Made(None, (_problem(finding, source, id_, data),), warnings)
    return Made(manifest, (), warnings, _owners(value, id_))


def _set_namespace(value: dict[str, Any], namespace_for: Callable[[GroupKind], str]) -> None:
    api_version, kind, metadata = value.get("apiVersion"), value.get("kind"), value.get("metadata")
    if isinstance(api_version, str) and isinstance(kind, str) and isinstance(metadata, dict):
        namespace = namespace_for(GroupKind(split_api_version(api_version)[0], kind))
        if namespace:
            metadata["namespace"] = namespace


def _finish(value: dict[str, Any], id_: ResourceId, finishing: Finishing, source: SourceObject) -> Manifest:
    metadata = value["metadata"]
    _merge(metadata, "labels", finishing.owner_labels)
    normalise(value, id_)
    _merge(metadata, "labels", finishing.labels)
    _merge(metadata, "annotations", finishing.annotations)
    body = _encode(value)
    directives = Directives.of(metadata.get("labels") or {}, metadata.get("annotations") or {})
    digest = hashlib.sha256(body).digest()[:16]
    return Manifest(id_, value["apiVersion"], body, source.origin, digest, directives)


def _merge(metadata: dict[str, Any], field: str, entries: Mapping[str, str]) -> None:
    if entries:
        metadata[field] = {**(metadata.get(field) or {}), **entries}


def _guess(value: Any) -> ResourceId | None:
    """Name an object that lacks a part of its identity, as far as its kind and name are known."""
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        return None
    metadata = value.get("metadata")
    names = metadata if isinstance(metadata, dict) else {}
    name, namespace = names.get("name"), names.get("namespace")
    if not isinstance(name, str) or not name:
        return None
    return ResourceId("", value["kind"], namespace if isinstance(namespace, str) else "", name)


def _problem(finding: Finding, source: SourceObject, subject: ResourceId | None, data: bytes | None) -> Problem:
    origin = source.origin
    at = locate(data, origin.line, finding.field) if data is not None and origin.line else None
    if at is not None:
        origin = replace(origin, line=at.line, column=at.column)
    return Problem(finding.code, finding.title, subject, origin, finding.field, finding.cause, finding.fix)


def _owners(value: dict[str, Any], id_: ResourceId) -> tuple[ResourceId, ...]:
    references = value["metadata"].get("ownerReferences")
    if not isinstance(references, list):
        return ()
    return tuple(
        ResourceId(
            split_api_version(str(reference.get("apiVersion", "")))[0],
            str(reference.get("kind", "")),
            id_.namespace,
            str(reference.get("name", "")),
        )
        for reference in references
        if isinstance(reference, dict)
    )
