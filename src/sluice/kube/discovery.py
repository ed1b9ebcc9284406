"""Which kinds the API server serves: read once in two requests, and again only when an unknown kind is asked for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

import msgspec

from sluice.core.codes import API_UNAVAILABLE
from sluice.core.errors import ClusterError
from sluice.core.ids import GroupKind, split_api_version
from sluice.core.problem import Problem, printable
from sluice.kube.client import KubeClient
from sluice.kube.errors import Asked, unreadable
from sluice.kube.resource import Resource

ACCEPT = ",".join(
    [
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        "application/json",
    ]
)
MIN_INTERVAL = 1.0
GATHER = 0.005  # callers of the same moment share one reading
S = TypeVar("S")


class _Kind(msgspec.Struct):
    kind: str = ""


class _Subresource(msgspec.Struct):
    subresource: str


class _ServedResource(msgspec.Struct, rename="camel"):
    resource: str
    response_kind: _Kind | None = None
    scope: str = "Namespaced"
    singular_resource: str = ""
    verbs: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[_Subresource, ...] = ()


class _ServedVersion(msgspec.Struct):
    version: str
    resources: tuple[_ServedResource, ...] = ()
    freshness: str = ""


class _GroupName(msgspec.Struct):
    name: str = ""


class _Group(msgspec.Struct):
    metadata: _GroupName = msgspec.field(default_factory=_GroupName)
    versions: tuple[_ServedVersion, ...] = ()


class _GroupList(msgspec.Struct):
    kind: str = ""
    items: tuple[_Group, ...] = ()
    versions: tuple[str, ...] = ()  # of a plain APIVersions
    groups: tuple[msgspec.Raw, ...] = ()  # of a plain APIGroupList


class _PlainVersion(msgspec.Struct, rename="camel"):
    group_version: str


class _PlainGroup(msgspec.Struct, rename="camel"):
    name: str
    versions: tuple[_PlainVersion, ...] = ()
    preferred_version: _PlainVersion | None = None


class _PlainResource(msgspec.Struct, rename="camel"):
    name: str
    kind: str
    namespaced: bool = False
    singular_name: str = ""
    verbs: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


class _PlainResourceList(msgspec.Struct):
    resources: tuple[_PlainResource, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One reading: resources by (apiVersion, kind), the preferred one by (group, kind), and groups not answering."""

    by_kind: dict[tuple[str, str], Resource]
    preferred: dict[tuple[str, str], Resource]
    stale: frozenset[str]

    @staticmethod
    def of(resources: Iterable[Resource], stale: Iterable[str]) -> Catalogue:
        """`resources` in the server's order of preference."""
        by_kind: dict[tuple[str, str], Resource] = {}
        preferred: dict[tuple[str, str], Resource] = {}
        for resource in resources:
            by_kind.setdefault((resource.api_version, resource.kind), resource)
            preferred.setdefault((resource.group, resource.kind), resource)
        return Catalogue(by_kind, preferred, frozenset(stale))


EMPTY = Catalogue({}, {}, frozenset())


class Discovery:
    """The kinds of one API server, cached. A None from `find` is as fresh as the call: the server was asked.

    Raises ClusterError when the server can't be asked, or when the kind's group is served by an aggregated API server
    that does not answer: "could not look" is never "not there".
    """

    def __init__(self, client: KubeClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._catalogue = EMPTY
        self._asked_at = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, api_version: str, kind: str) -> Resource | None:
        """The resource of `apiVersion` and `kind`; when it is unknown the server is asked, at most once a second."""
        key = (api_version, kind)
        return await self._find(split_api_version(api_version)[0], lambda: self._catalogue.by_kind.get(key))

    async def find_any(self, api_version: str, kind: str) -> Resource | None:
        """The same; where that version is not served, the one that the server prefers: it shows the same objects."""
        found = await self.find(api_version, kind)
        return found or self.preferred(GroupKind(split_api_version(api_version)[0], kind))

    async def find_preferred(self, group: str, kind: str) -> Resource | None:
        """The resource of a kind in the version that the server prefers."""
        return await self._find(group, lambda: self._catalogue.preferred.get((group, kind)))

    def known(self, api_version: str, kind: str) -> Resource | None:
        """What `find` would answer from the cache alone."""
        return self._catalogue.by_kind.get((api_version, kind))

    def preferred(self, kind: GroupKind) -> Resource | None:
        """What `find_preferred` would answer from the cache alone."""
        return self._catalogue.preferred.get((kind.group, kind.kind))

    def scope(self, kind: GroupKind) -> bool | None:
        """Whether a kind is namespaced, from the cache alone; None when it was not served at the last reading."""
        found = self.preferred(kind)
        return found.namespaced if found is not None else None

    def resources(self) -> tuple[Resource, ...]:
        """All that was served at the last reading."""
        return tuple(self._catalogue.by_kind.values())

    async def invalidate(self) -> None:
        """Read again now: the caller knows that something changed (a CRD was established or removed)."""
        await self._refresh(self._clock(), wait=False)

    async def _find(self, group: str, look: Callable[[], Resource | None]) -> Resource | None:
        found = look()
        if found is not None:
            return found
        await self._refresh(self._clock(), wait=True)
        found = look()
        if found is None and group in self._catalogue.stale:
            raise _group_stale(group)
        return found

    async def _refresh(self, since: float, *, wait: bool) -> None:
        """Make the catalogue one that was asked for at `since` or later; whoever waits shares the reading."""
        async with self._lock:
            if self._asked_at >= since:
                return
            pause = self._asked_at + MIN_INTERVAL - self._clock() if wait else 0.0
            await asyncio.sleep(max(pause, GATHER))
            asked_at = self._clock()
            self._catalogue = await _read(self._client)
            self._asked_at = asked_at


async def _read(client: KubeClient) -> Catalogue:
    resources: list[Resource] = []
    stale: set[str] = set()
    for root in ("/api", "/apis"):
        body = await client.get_path(root, accept=ACCEPT)
        listing = _decode(body, _GroupList, client, root)
        if listing.kind == "APIGroupDiscoveryList":
            _take_groups(listing, resources, stale)
        else:
            await _read_plain(client, listing, resources, stale)
    return Catalogue.of(resources, stale)


def _take_groups(listing: _GroupList, resources: list[Resource], stale: set[str]) -> None:
    for group in listing.items:
        name = group.metadata.name
        for version in group.versions:
            if version.freshness == "Stale":
                stale.add(name)
            resources.extend(
                _resource(name, version.version, served, served.response_kind)
                for served in version.resources
                if served.response_kind is not None and served.response_kind.kind
            )


def _resource(group: str, version: str, served: _ServedResource, kind: _Kind) -> Resource:
    return Resource(
        group=group,
        version=version,
        kind=kind.kind,
        plural=served.resource,
        namespaced=served.scope == "Namespaced",
        verbs=frozenset(served.verbs),
        short_names=served.short_names,
        singular=served.singular_resource,
        categories=served.categories,
        subresources=frozenset(sub.subresource for sub in served.subresources),
    )


async def _read_plain(client: KubeClient, listing: _GroupList, resources: list[Resource], stale: set[str]) -> None:
    """The old way, a request per group and version, for servers without aggregated discovery."""
    if listing.kind == "APIVersions":
        paths = [(f"/api/{quote(version, safe='')}", "", version) for version in listing.versions]
    else:
        groups = [_decode(bytes(raw), _PlainGroup, client, "/apis") for raw in listing.groups]
        paths = [
            (f"/apis/{quote(version, safe='/')}", group.name, split_api_version(version)[1])
            for group in groups
            for version in _preferred_first(group)
        ]
    for path, group_name, version in paths:
        try:
            body = await client.get_path(path)
        except ClusterError as error:
            if error.status != 503:
                raise
            stale.add(group_name)
            continue
        resources.extend(_plain_resources(group_name, version, _decode(body, _PlainResourceList, client, path)))


def _preferred_first(group: _PlainGroup) -> list[str]:
    names = [version.group_version for version in group.versions]
    first = group.preferred_version.group_version if group.preferred_version is not None else ""
    return sorted(names, key=lambda name: name != first)


def _plain_resources(group: str, version: str, listing: _PlainResourceList) -> list[Resource]:
    subresources: dict[str, set[str]] = {}
    for served in listing.resources:
        plural, _, subresource = served.name.partition("/")
        subresources.setdefault(plural, set()).update({subresource} - {""})
    return [
        Resource(
            group=group,
            version=version,
            kind=served.kind,
            plural=served.name,
            namespaced=served.namespaced,
            verbs=frozenset(served.verbs),
            short_names=served.short_names,
            singular=served.singular_name,
            categories=served.categories,
            subresources=frozenset(subresources[served.name]),
        )
        for served in listing.resources
        if "/" not in served.name
    ]


def _decode(body: bytes, shape: type[S], client: KubeClient, path: str) -> S:
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.MsgspecError as error:
        raise unreadable(Asked(client.access.server), f"{path}: {error}") from error


def _group_stale(group: str) -> ClusterError:
    problem = Problem(
        API_UNAVAILABLE,
        f"the API group {printable(group)} does not answer",
        cause="its aggregated API server is down, so its kinds can't be looked up",
        fix="look at its APIService: kubectl get apiservice",
    )
    return ClusterError(problem, status=503, reason="ServiceUnavailable", message=problem.cause)
