"""Kinds' schemas as the API server serves them: which field was probably meant, and what one is for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from sluice.core.errors import SluiceError
from sluice.core.openapi_schema import FieldPage, NoField, child, find_field, resolved, root_of_kind
from sluice.kube.client import KubeClient

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
        schema = root_of_kind(schemas, api_version, kind)
        steps = [name or "[]" for name, index in _STEP.findall(path)]
        if schema is None or not steps:
            return ""
        for step in steps[:-1]:
            schema = child(resolved(schema, schemas), step)
            if schema is None:
                return ""
        names = resolved(schema, schemas).get("properties", {})
        found = difflib.get_close_matches(steps[-1], list(names), n=1, cutoff=0.6)
        return found[0] if found else ""

    async def field(
        self, api_version: str, kind: str, path: Sequence[str], depth: int = 1
    ) -> FieldPage | NoField | None:
        """What is to be said of one field of a served kind; None when the server has no schema for the kind."""
        document = await self._document(api_version)
        schemas = document.get("components", {}).get("schemas", {})
        root = root_of_kind(schemas, api_version, kind)
        return None if root is None else find_field(root, schemas, path, depth)

    async def _document(self, api_version: str) -> dict[str, Any]:
        if api_version not in self._documents:
            path = f"/openapi/v3/{'apis' if '/' in api_version else 'api'}/{api_version}"
            try:
                body = await self._client.get_path(path)
                self._documents[api_version] = msgspec.json.decode(body, type=dict[str, Any])
            except (SluiceError, msgspec.MsgspecError):
                self._documents[api_version] = {}
        return self._documents[api_version]
