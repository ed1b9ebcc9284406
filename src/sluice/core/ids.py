"""Names of things in a cluster: parse, format, order.

Millions of them are compared and looked up: structs do that without a call of Python's.
"""

from __future__ import annotations

import msgspec


class GroupKind(msgspec.Struct, frozen=True, order=True, gc=False):
    """A kind without its version: what an inventory compares."""

    group: str
    kind: str

    def __str__(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind


class ResourceId(msgspec.Struct, frozen=True, order=True, gc=False):
    """The identity of an object across API versions. `namespace` is empty for cluster-scoped objects."""

    group: str
    kind: str
    namespace: str
    name: str

    @property
    def group_kind(self) -> GroupKind:
        """The kind without its version."""
        return GroupKind(self.group, self.kind)

    def inventory_id(self) -> str:
        """Flux's text form `namespace_name_group_kind`; a colon in an RBAC name becomes a double underscore.

        >>> ResourceId("apps", "Deployment", "shop", "web").inventory_id()
        'shop_web_apps_Deployment'
        """
        return f"{self.namespace}_{self.name.replace(':', '__')}_{self.group}_{self.kind}"

    @staticmethod
    def from_inventory_id(text: str) -> ResourceId:
        """Parse Flux's text form. Raises ValueError when it has not four parts.

        >>> ResourceId.from_inventory_id("_system__node_rbac.authorization.k8s.io_ClusterRole").name
        'system:node'
        """
        namespace, separator, rest = text.partition("_")
        parts = rest.rsplit("_", 2)
        if not separator or len(parts) != 3 or not parts[0] or not parts[2]:
            raise ValueError(f"not an inventory id: {text!r}")
        name, group, kind = parts
        return ResourceId(group, kind, namespace, name.replace("__", ":"))

    def __str__(self) -> str:
        """The form people read: `Deployment shop/web`, `Namespace shop`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class NamespacedName(msgspec.Struct, frozen=True, order=True, gc=False):
    """An object of a known kind: the key of a work queue."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def split_api_version(api_version: str) -> tuple[str, str]:
    """Split `apps/v1` into group and version; the core group is empty.

    >>> split_api_version("v1")
    ('', 'v1')
    """
    group, separator, version = api_version.partition("/")
    return (group, version) if separator else ("", group)
