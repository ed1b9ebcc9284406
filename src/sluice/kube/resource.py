"""A kind as the API server serves it, and the URL paths of its objects.

Names come from repositories and may be hostile: a path is built only from segments that Kubernetes itself would
accept in a path, so that no name can address another object, another namespace or a whole collection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from sluice.core.codes import BAD_NAME, NAMESPACE_MISSING, NAMESPACE_NOT_ALLOWED
from sluice.core.errors import UserError
from sluice.core.ids import ResourceId
from sluice.core.problem import Problem, printable

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Resource:
    """One version of one kind: how it is named in URLs, and what may be done with it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()
    short_names: tuple[str, ...] = ()
    singular: str = ""
    categories: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()
    root: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        object.__setattr__(self, "root", root)

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def id_of(self, namespace: str, name: str) -> ResourceId:
        """The identity of the object `name` of this kind."""
        return ResourceId(self.group, self.kind, namespace, name)

    def collection_path(self, namespace: str = "") -> str:
        """The path of all objects, or of those of one namespace. Raises UserError for an impossible namespace."""
        if not namespace:
            return f"{self.root}/{self.plural}"
        if not self.namespaced:
            raise UserError(
                Problem(
                    NAMESPACE_NOT_ALLOWED,
                    f"{self.kind} is cluster-scoped, but a namespace is named",
                    self.id_of(namespace, ""),
                    field="metadata.namespace",
                    fix="remove metadata.namespace",
                )
            )
        return f"{self.root}/namespaces/{segment(namespace, 'namespace')}/{self.plural}"

    def object_path(self, namespace: str, name: str, subresource: str = "") -> str:
        """The path of one object. Raises UserError when name or namespace is missing or can't stand in a path."""
        if self.namespaced and not namespace:
            raise UserError(
                Problem(
                    NAMESPACE_MISSING,
                    f"{self.kind} is namespaced, but no namespace is named",
                    self.id_of("", name),
                    field="metadata.namespace",
                    fix="set metadata.namespace, or spec.targetNamespace",
                )
            )
        path = f"{self.collection_path(namespace)}/{segment(name, 'name')}"
        return f"{path}/{segment(subresource, 'subresource')}" if subresource else path


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects of one kind that a list or a watch is about. Empty means all."""

    resource: Resource
    namespace: str = ""
    labels: str = ""
    fields: str = ""

    @property
    def path(self) -> str:
        """The collection's path. Raises UserError for an impossible namespace."""
        return self.resource.collection_path(self.namespace)

    def query(self, **more: str) -> str:
        """The selectors and `more`, percent-encoded."""
        selectors = {"labelSelector": self.labels, "fieldSelector": self.fields}
        return urlencode({**{k: v for k, v in selectors.items() if v}, **more})


def segment(text: str, what: str) -> str:
    """Percent-encode one path segment. Raises UserError for what no path can hold: empty, `.`, `..`, `/`, `%`."""
    if _PLAIN.fullmatch(text):
        return text
    if text in {"", ".", ".."} or "/" in text or "%" in text or not text.isprintable():
        raise UserError(
            Problem(
                BAD_NAME,
                f"the {what} {printable(text)!r} can't stand in an API path",
                field=f"metadata.{what}",
                fix=f"use a {what} of lowercase letters, digits, '-' and '.'",
            )
        )
    return quote(text, safe=":")
