"""An API struct → the structural schema of its CRD, so that the shape people write has one definition.

A field's sentence and its constraints stand beside it in the struct (`doc`); types, lists and required fields follow
from the annotations. What Flux's CRDs accept these accept, and what they refuse these refuse.
"""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from sluice.core.condition import MAX_MESSAGE, Condition

Schema: TypeAlias = dict[str, Any]

DURATION = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
DURATION_WITHOUT_HOURS = r"^([0-9]+(\.[0-9]+)?(ms|s|m))+$"
DIGEST = r"^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$"
_NOT_SERVED = "not-served"

_SCALARS: dict[Any, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "format": "int64"},
}

CONDITION: Schema = {
    "description": "One observation of the object's state.",
    "type": "object",
    "required": ["lastTransitionTime", "message", "reason", "status", "type"],
    "properties": {
        "lastTransitionTime": {
            "description": "When the status last changed.",
            "type": "string",
            "format": "date-time",
        },
        "message": {"description": "Details for people.", "type": "string", "maxLength": MAX_MESSAGE},
        "observedGeneration": {
            "description": "The metadata.generation that this speaks of.",
            "type": "integer",
            "format": "int64",
            "minimum": 0,
        },
        "reason": {
            "description": "Why, as one CamelCase word for programs.",
            "type": "string",
            "minLength": 1,
            "maxLength": 1024,
            "pattern": r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        },
        "status": {"description": "True, False or Unknown.", "type": "string", "enum": ["True", "False", "Unknown"]},
        "type": {
            "description": "What is observed, in CamelCase or as a domain's own.",
            "type": "string",
            "maxLength": 316,
            "pattern": (
                r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
                r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
            ),
        },
    },
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column that `kubectl get` prints."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0  # above 0: with -o wide only


AGE = Column("Age", ".metadata.creationTimestamp", "date")
READY = Column("Ready", '.status.conditions[?(@.type=="Ready")].status')
STATUS = Column("Status", '.status.conditions[?(@.type=="Ready")].message')


@dataclass(frozen=True, slots=True)
class Definition:
    """What a CRD says beside its schema. The kind is namespaced, and its singular is the kind in lower case."""

    group: str
    version: str
    kind: str
    plural: str
    short_names: tuple[str, ...]
    category: str
    columns: tuple[Column, ...]

    @property
    def crd_name(self) -> str:
        """The CRD's own name."""
        return f"{self.plural}.{self.group}"


def doc(sentence: str, **constraints: Any) -> msgspec.Meta:
    """Describe a field. The constraints are OpenAPI's and only the API server enforces them."""
    return msgspec.Meta(description=sentence, extra_json_schema=constraints or None)


def not_served(sentence: str) -> msgspec.Meta:
    """Describe a field that no CRD has, so that nobody can set it in a cluster."""
    return msgspec.Meta(description=sentence, extra={_NOT_SERVED: True})


def cel(rule: str, message: str) -> dict[str, str]:
    """One entry of `x-kubernetes-validations`."""
    return {"rule": rule, "message": message}


def schema_of(shape: Any) -> Schema:
    """The structural schema of a type: a struct, a scalar, `tuple[T, ...]`, `dict[str, str]`, `T | None` or Any.

    Raises TypeError for a type that a CRD can't hold (a mistake in the struct).
    """
    if shape is Any:
        return {"x-kubernetes-preserve-unknown-fields": True}
    if shape is Condition:
        return CONDITION
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        return _object_schema(shape)
    if shape in _SCALARS:
        return dict(_SCALARS[shape])
    origin, arguments = typing.get_origin(shape), typing.get_args(shape)
    if origin is typing.Annotated:
        return _described(schema_of(arguments[0]), arguments[1:])
    if origin in {typing.Union, types.UnionType}:
        [inner] = [argument for argument in arguments if argument is not types.NoneType]
        return schema_of(inner)
    if origin is tuple:
        return {"type": "array", "items": schema_of(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(arguments[1])}
    raise TypeError(f"no schema for {shape!r}")


def _object_schema(struct: type[msgspec.Struct]) -> Schema:
    served = [field for field in msgspec.structs.fields(struct) if not _is_hidden(field.type)]
    schema: Schema = {"type": "object"}
    if struct.__doc__ and not struct.__doc__.startswith(f"{struct.__name__}("):
        schema["description"] = struct.__doc__.strip().split("\n\n")[0]
    required = sorted(field.encode_name for field in served if field.required)
    if required:
        schema["required"] = required
    schema["properties"] = {field.encode_name: schema_of(field.type) for field in served}
    return schema


def _is_hidden(shape: Any) -> bool:
    return any(
        isinstance(meta, msgspec.Meta) and bool(meta.extra) and _NOT_SERVED in (meta.extra or {})
        for meta in typing.get_args(shape)[1:]
    )


def _described(schema: Schema, metas: tuple[Any, ...]) -> Schema:
    result = dict(schema)
    for meta in metas:
        result["description"] = meta.description
        result.update(meta.extra_json_schema or {})
    return result


def _column(column: Column) -> Schema:
    priority = {"priority": column.priority} if column.priority else {}
    return {"name": column.name, "type": column.type, "jsonPath": column.path} | priority


def crd(definition: Definition, struct: type[msgspec.Struct], labels: dict[str, str]) -> dict[str, Any]:
    """The whole CustomResourceDefinition, with one version that is served and stored; without status where none is."""
    schema = schema_of(struct)
    properties = schema["properties"]
    root = {
        "description": schema["description"],
        "type": "object",
        "properties": {
            "apiVersion": {"description": "The API's group and version.", "type": "string"},
            "kind": {"description": "The kind of the object.", "type": "string"},
            "metadata": {"type": "object"},
            **{part: properties[part] for part in ("spec", "status") if part in properties},
        },
    }
    version = {
        "name": definition.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}} if "status" in properties else {},
        "additionalPrinterColumns": [_column(column) for column in definition.columns],
        "schema": {"openAPIV3Schema": root},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": definition.crd_name,
            "labels": dict(labels),
            # The CRDs themselves hold `${…}` in their texts: a substitution must leave them alone.
            "annotations": {"kustomize.toolkit.fluxcd.io/substitute": "disabled"},
        },
        "spec": {
            "group": definition.group,
            "scope": "Namespaced",
            "names": {
                "kind": definition.kind,
                "listKind": f"{definition.kind}List",
                "plural": definition.plural,
                "singular": definition.kind.lower(),
                **({"shortNames": list(definition.short_names)} if definition.short_names else {}),
                "categories": ["all", "fluxcd", definition.category],
            },
            "versions": [version],
        },
    }
