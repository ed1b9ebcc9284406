"""Which fields of an object hold a quantity that is none: the API server refuses the object and does not say where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sluice.core.openapi_schema import MAX_DEPTH, Schema, child, resolved
from sluice.core.quantity import parse_quantity

_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


def bad_quantities(
    value: Any, schema: Schema, schemas: Schema, path: str = "", depth: int = 0
) -> Iterator[tuple[str, str]]:
    """The path (`spec.containers[0].resources.limits.memory`) and text of every value that its schema calls a quantity.

    Nothing is said of what the schema does not know, nor of values deeper than schemas are followed.
    """
    if depth > MAX_DEPTH:
        return
    if _is_quantity(schema):
        if isinstance(value, str | int | float) and parse_quantity(value) is None:
            yield path, str(value)
        return
    inside = resolved(schema, schemas)
    if isinstance(value, dict):
        for key, each in value.items():
            if (below := child(inside, key)) is not None:
                yield from bad_quantities(each, below, schemas, f"{path}.{key}".lstrip("."), depth + 1)
    elif isinstance(value, list) and (item := child(inside, "[]")) is not None:
        for index, each in enumerate(value):
            yield from bad_quantities(each, item, schemas, f"{path}[{index}]", depth + 1)


def _is_quantity(schema: Schema) -> bool:
    """By name: the schema behind it says no more than that it is text."""
    every = (schema, *(each for each in schema.get("allOf", ()) if isinstance(each, dict)))
    return any(str(each.get("$ref", "")).endswith(f"/{_QUANTITY}") for each in every)
