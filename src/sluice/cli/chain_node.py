"""What a chain is made of: our objects with what links them, the links, and the chain itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.cli.kinds import Kind
from sluice.cli.view import View, view_of
from sluice.core.ids import ResourceId
from sluice.core.problem_text import ToldProblem

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Node:
    """One Kustomization or source, and what a chain reads of it beyond its view."""

    view: View
    depends_on: tuple[Key, ...] = ()
    deleted_at: str = ""
    finalizers: tuple[str, ...] = ()
    entries: Sequence[Mapping[str, Any]] = ()

    @property
    def inventory(self) -> tuple[tuple[ResourceId, str], ...]:
        """The objects that it owns, each with its version; entries that can't be read are left out.

        Read when it is asked for: a chain passes by a thousand syncs, and looks at the objects of one.
        """
        found = []
        for entry in self.entries:
            try:
                found.append((ResourceId.from_inventory_id(entry.get("id", "")), str(entry.get("v", ""))))
            except ValueError:
                continue
        return tuple(found)

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return self.view.namespace, self.view.name

    @property
    def id(self) -> ResourceId:
        """Its identity in the cluster."""
        return self.view.kind.resource.id_of(*self.key)


@dataclass(frozen=True, slots=True)
class World:
    """Every sync and source that may be read."""

    syncs: Mapping[Key, Node]
    sources: Mapping[Key, Node]


@dataclass(frozen=True, slots=True)
class Link:
    """One line of a chain: something that `sluice get` or kubectl can show, and how it is."""

    reference: str
    namespace: str
    state: str
    text: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """The links from the target down; the cause, if status tells one, of `culprit`, the last object of ours in it.

    `look` is a sync whose objects must be looked at themselves, because its status does not say (all) of them.
    """

    links: tuple[Link, ...]
    culprit: Node
    cause: ToldProblem | None = None
    others: tuple[ToldProblem, ...] = ()
    look: Node | None = None
    since: str = ""
    passing: bool = False


def node_of(kind: Kind, item: dict[str, Any]) -> Node:
    """Read one object as the API server sends it."""
    view = view_of(kind, item)
    meta, spec, status = (item.get(part) or {} for part in ("metadata", "spec", "status"))
    depends = tuple((d.get("namespace") or view.namespace, d.get("name", "")) for d in spec.get("dependsOn") or ())
    entries = tuple((status.get("inventory") or {}).get("entries") or ())
    finalizers = tuple(meta.get("finalizers") or ())
    return Node(view, depends, meta.get("deletionTimestamp") or "", finalizers, entries)


def source_key(node: Node) -> Key:
    """Namespace and name of the source that a sync reads."""
    return node.view.source_namespace, node.view.source.rpartition("/")[2]
