"""A kind's schema, asked for only when an error needs it: which field was probably meant."""

from __future__ import annotations

import difflib
import re
from typing import Any

import msgspec

from sluice.core.errors import SluiceError
from sluice.kube.client import KubeClient

MAX_DEPTH = 64
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


class Schemas:
    """Field names of served kinds, read from OpenAPI v3 once for each group and version."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._documents: dict[str, dict[str, Any]] = {}

    async def nearest_field(self, api_version: str, kind: str, path: str) -> str:
        """The existing field whose name is nearest to the last step of `path`; empty when nothing is near.

        Never raises for what the server lacks: a suggestion is a courtesy.
        """
        document = await self._document(api_version)
        schemas = document.get("components", {}).get("schemas", {})
        schema = _root(schemas, api_version, kind)
        steps = [name or "[]" for name, index in _STEP.findall(path)]
        if schema is None or not steps:
            return ""
        for step in steps[:-1]:
            schema = _child(_resolved(schema, schemas), step)
            if schema is None:
                return ""
        names = _resolved(schema, schemas).get("properties", {})
        found = difflib.get_close_matches(steps[-1], list(names), n=1, cutoff=0.6)
        return found[0] if found else ""

    async def _document(self, api_version: str) -> dict[str, Any]:
        if api_version not in self._documents:
            path = f"/openapi/v3/{'apis' if '/' in api_version else 'api'}/{api_version}"
            try:
                body = await self._client.get_path(path)
                self._documents[api_version] = msgspec.json.decode(body, type=dict[str, Any])
            except (SluiceError, msgspec.MsgspecError):
                self._documents[api_version] = {}
        return self._documents[api_version]


def _root(schemas: dict[str, Any], api_version: str, kind: str) -> dict[str, Any] | None:
    group, _, version = api_version.rpartition("/")
    wanted = {"group": group, "kind": kind, "version": version}
    for schema in schemas.values():
        if wanted in schema.get("x-kubernetes-group-version-kind", ()):
            return dict(schema)
    return None


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    for _ in range(MAX_DEPTH):
        if "$ref" in schema:
            schema = schemas.get(schema["$ref"].rsplit("/", 1)[-1], {})
        elif len(schema.get("allOf", ())) == 1:
            schema = schema["allOf"][0]
        else:
            break
    return schema


def _child(schema: dict[str, Any], step: str) -> dict[str, Any] | None:
    found = schema.get("items") if step == "[]" else schema.get("properties", {}).get(step)
    if found is None and step != "[]":
        found = schema.get("additionalProperties")
    return found if isinstance(found, dict) else None
