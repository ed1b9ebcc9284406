"""Kinds' schemas as the API server serves them: which field was probably meant, and what one is for."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import msgspec

from sluice.core.errors import SluiceError
from sluice.core.field_path import names_of
from sluice.core.openapi_schema import FieldPage, NoField, Schema, child, find_field, resolved, root_of_kind
from sluice.core.quantity_fields import bad_quantities
from sluice.kube.client import KubeClient


class Schemas:
    """Field names of served kinds, read from OpenAPI v3 once for each group and version."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._documents: dict[str, dict[str, Any]] = {}

    async def nearest_field(self, api_version: str, kind: str, path: str) -> str:
        """The existing field whose name is nearest to the last step of `path`; empty when nothing is near.

        Never raises for what the server lacks: a suggestion is a courtesy.
        """
        schema, schemas = await self._root(api_version, kind)
        steps = names_of(path)
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
        root, schemas = await self._root(api_version, kind)
        return None if root is None else find_field(root, schemas, path, depth)

    async def bad_quantities(self, api_version: str, kind: str, body: bytes) -> tuple[tuple[str, str], ...]:
        """Path and text of each value of an object that its kind calls a quantity and that is none.

        Never raises for what the server lacks, as `nearest_field`.
        """
        root, schemas = await self._root(api_version, kind)
        return () if root is None else tuple(bad_quantities(msgspec.json.decode(body), root, schemas))

    async def _root(self, api_version: str, kind: str) -> tuple[Schema | None, Schema]:
        document = await self._document(api_version)
        schemas = document.get("components", {}).get("schemas", {})
        return root_of_kind(schemas, api_version, kind), schemas

    async def _document(self, api_version: str) -> dict[str, Any]:
        if api_version not in self._documents:
            path = f"/openapi/v3/{'apis' if '/' in api_version else 'api'}/{api_version}"
            try:
                body = await self._client.get_path(path)
                self._documents[api_version] = msgspec.json.decode(body, type=dict[str, Any])
            except (SluiceError, msgspec.MsgspecError):
                self._documents[api_version] = {}
        return self._documents[api_version]
