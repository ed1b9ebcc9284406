"""Objects of ours in the cluster, for every verb that names them: found, or missing with the nearest names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any, TypedDict, cast

import msgspec

from sluice.cli.cluster import Cluster
from sluice.cli.kinds import Kind
from sluice.cli.view import View, view_of
from sluice.core import codes
from sluice.core.errors import ClusterError, UserError
from sluice.core.problem import Problem

Item = dict[str, Any]


class _Metadata(TypedDict, total=False):
    """What verbs read of metadata. The largest part, managedFields, is passed over as it is read."""

    name: str
    namespace: str
    uid: str
    resourceVersion: str
    generation: int
    creationTimestamp: str
    deletionTimestamp: str
    finalizers: list[str]
    labels: dict[str, str]
    annotations: dict[str, str]


class _Item(TypedDict, total=False):
    metadata: _Metadata
    spec: dict[str, Any]
    status: dict[str, Any]


async def list_views(cluster: Cluster, kind: Kind, namespace: str) -> list[View]:
    """All objects of a kind, by namespace and name. Raises UserError (NotInstalled) when the kind is not served."""
    views = [view_of(kind, item) for item in await list_items(cluster, kind, namespace)]
    return sorted(views, key=lambda view: (view.namespace, view.name))


async def list_items(cluster: Cluster, kind: Kind, namespace: str) -> list[Item]:
    """The same with metadata, spec and status, for verbs that look at more of them than a `View` has."""
    try:
        found = (await cluster.client.list(kind.resource, namespace, item_type=_Item)).items
        return cast("list[Item]", found)
    except ClusterError as error:
        raise _not_installed(kind) if error.problems[0].code is codes.UNKNOWN_KIND else error from None


async def read_view(cluster: Cluster, kind: Kind, namespace: str, name: str) -> View | None:
    """One object, wherever it is; None when there is none."""
    raw = await cluster.client.get(kind.resource, namespace, name)
    return None if raw is None else view_of(kind, msgspec.json.decode(raw, type=Item))


async def find_views(cluster: Cluster, kind: Kind, names: Sequence[str]) -> list[View]:
    """The objects of these names, in that order. Raises UserError: TargetMissing naming each that is, NotInstalled."""
    return [view_of(kind, item) for item in await find_items(cluster, kind, names)]


async def find_items(cluster: Cluster, kind: Kind, names: Sequence[str]) -> list[Item]:
    """The same as they are served."""
    items: list[Item] = []
    missing = []
    for name in names:
        try:
            raw = await cluster.client.get(kind.resource, cluster.namespace, name)
        except ClusterError as error:
            raise _not_installed(kind) if error.problems[0].code is codes.UNKNOWN_KIND else error from None
        if raw is None:
            missing.append(name)
        else:
            items.append(msgspec.json.decode(raw, type=Item))
    if missing:
        known = await list_views(cluster, kind, "")
        raise UserError(*(_missing(kind, cluster.namespace, name, known) for name in missing))
    return items


def _missing(kind: Kind, namespace: str, name: str, known: Sequence[View]) -> Problem:
    elsewhere = [view.namespace for view in known if view.name == name]
    here = [view.name for view in known if view.namespace == namespace]
    near = difflib.get_close_matches(name, here, n=3, cutoff=0.5)
    if elsewhere:
        fix = f"it is in namespace {' and '.join(elsewhere)}: add -n {elsewhere[0]}"
    elif near:
        fix = f"did you mean {' or '.join(near)}?"
    else:
        fix = f"there: {', '.join(here[:10])}" if here else "none is there; look with `sluice get all -A`"
    return Problem(
        codes.TARGET_MISSING,
        f"there is no {kind.resource.kind} {name!r} in namespace {namespace}",
        kind.resource.id_of(namespace, name),
        fix=fix,
    )


def _not_installed(kind: Kind) -> UserError:
    return UserError(
        Problem(
            codes.NOT_INSTALLED,
            f"the CRD of {kind.resource.kind} is not installed in this cluster",
            cause=f"the API server does not serve {kind.resource.api_version}",
            fix="run `sluice install`, or choose another cluster with --context; an operator that runs by "
            "flags alone tells in its log",
        )
    )
