"""OpenAPI schemas of kinds: follow references and steps, and say of one field what people ask about it.

Schemas come from the API server and from CRDs of strangers: what is missing or strange in one is empty here, references
that go in circles end, and no page has more than `MAX_FIELDS` fields.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any]
MAX_DEPTH = 64
MAX_FIELDS = 5000


@dataclass(frozen=True, slots=True)
class FieldPage:
    """One field of a kind: `type` in kubectl's words, the rules that its schema has, and the fields below it."""

    name: str
    type: str
    description: str = ""
    required: bool = False
    rules: tuple[str, ...] = ()
    fields: tuple[FieldPage, ...] = ()


@dataclass(frozen=True, slots=True)
class NoField:
    """That the step `name` below `path` is none; `near` are fields there that may have been meant."""

    path: str
    name: str
    near: tuple[str, ...]


def root_of_kind(schemas: Schema, api_version: str, kind: str) -> Schema | None:
    """The schema of a kind among the components of an OpenAPI v3 document."""
    group, _, version = api_version.rpartition("/")
    wanted = {"group": group, "kind": kind, "version": version}
    for schema in schemas.values():
        if wanted in schema.get("x-kubernetes-group-version-kind", ()):
            return dict(schema)
    return None


def resolved(schema: Schema, schemas: Schema) -> Schema:
    """The schema behind references."""
    for _ in range(MAX_DEPTH):
        if "$ref" in schema:
            schema = schemas.get(str(schema["$ref"]).rsplit("/", 1)[-1], {})
        elif len(schema.get("allOf", ())) == 1:
            schema = schema["allOf"][0]
        else:
            break
    return schema


def child(schema: Schema, step: str) -> Schema | None:
    """The schema one step below: a field's, a map's value for any key, a list's item for `[]`."""
    found = schema.get("items") if step == "[]" else schema.get("properties", {}).get(step)
    if found is None and step != "[]":
        found = schema.get("additionalProperties")
    return found if isinstance(found, dict) else None


def find_field(schema: Schema, schemas: Schema, path: Sequence[str], depth: int = 1) -> FieldPage | NoField:
    """The page of the field at `path` (steps without indexes: a list is looked into by itself), `depth` levels deep."""
    required = False
    for place, step in enumerate(path):
        inside = _inside(schema, schemas)
        found = child(inside, step)
        if found is None:
            near = difflib.get_close_matches(step, list(inside.get("properties", {})), n=3, cutoff=0.5)
            return NoField(".".join(path[:place]), step, tuple(near))
        required = step in inside.get("required", ())
        schema = found
    return _Unfolding(schemas).page(path[-1] if path else "", schema, required=required, depth=depth)


def paths_of(page: FieldPage, above: str = "") -> Iterable[str]:
    """The path of every field below a page."""
    for each in page.fields:
        path = f"{above}.{each.name}" if above else each.name
        yield path
        yield from paths_of(each, path)


class _Unfolding:
    """One page being made: a schema that is inside of itself is not unfolded again, and there is an end to all."""

    def __init__(self, schemas: Schema) -> None:
        self._schemas = schemas
        self._left = MAX_FIELDS

    def page(
        self, name: str, schema: Schema, *, required: bool, depth: int, above: frozenset[int] = frozenset()
    ) -> FieldPage:
        schemas = self._schemas
        inside = _inside(schema, schemas)
        unfolds = depth > 0 and id(inside) not in above
        needed, above = inside.get("required", ()), above | {id(inside)}
        fields = []
        for inner, each in sorted(inside.get("properties", {}).items()) if unfolds else ():
            if self._left > 0 and isinstance(each, dict):
                self._left -= 1
                fields.append(self.page(inner, each, required=inner in needed, depth=depth - 1, above=above))
        type_, words = _type_of(schema, schemas), _description(schema, schemas)
        return FieldPage(name, type_, words, required, _rules(schema, schemas), tuple(fields))


def _inside(schema: Schema, schemas: Schema) -> Schema:
    """The schema in which the next step is looked for: a list's item, a map of objects' value."""
    for _ in range(MAX_DEPTH):
        schema = resolved(schema, schemas)
        inner = schema.get("items") or schema.get("additionalProperties")
        if "properties" in schema or not isinstance(inner, dict):
            break
        schema = inner
    return schema


def _description(schema: Schema, schemas: Schema) -> str:
    """Beside the reference, else behind it, else at a list's items."""
    for each in (schema, resolved(schema, schemas), _inside(schema, schemas)):
        if text := str(each.get("description") or "").strip():
            return text
    return ""


def _type_of(schema: Schema, schemas: Schema, depth: int = 0) -> str:
    seen = resolved(schema, schemas)
    if depth > MAX_DEPTH:
        return "Object"
    if isinstance(items := seen.get("items"), dict):
        return f"[]{_type_of(items, schemas, depth + 1)}"
    if isinstance(values := seen.get("additionalProperties"), dict):
        return f"map[string]{_type_of(values, schemas, depth + 1)}"
    if seen.get("x-kubernetes-int-or-string") or seen.get("format") == "int-or-string":
        return "IntOrString"
    if "properties" in seen or seen.get("type") in {"object", None}:
        return "Object"
    return str(seen["type"])


def _rules(schema: Schema, schemas: Schema) -> tuple[str, ...]:
    seen = {**resolved(schema, schemas), **schema}
    choices = seen.get("enum") or (seen.get("items") or {}).get("enum") or ()
    found = [f"one of {', '.join(str(choice) or '(empty)' for choice in choices)}"] if choices else []
    if seen.get("default") not in (None, "", {}):
        default = seen["default"]
        found.append(f"default {str(default).lower() if isinstance(default, bool) else default}")
    if "pattern" in seen:
        found.append(f"matches {seen['pattern']}")
    for key, word in (("minimum", "at least"), ("maximum", "at most")):
        if key in seen:
            found.append(f"{word} {seen[key]}")
    for key, unit in (("Length", "characters"), ("Items", "items")):
        for bound, word in (("min", "at least"), ("max", "at most")):
            if f"{bound}{key}" in seen:
                found.append(f"{word} {seen[f'{bound}{key}']} {unit}")
    rules = seen.get("x-kubernetes-validations") or ()
    return (*found, *(str(rule["message"]) for rule in rules if isinstance(rule, dict) and rule.get("message")))
