"""Values of the pure engine for tests: short ways to make ids, manifests and live objects, and strategies for them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from hypothesis import strategies as st

from sluice.core.ids import ResourceId, split_api_version
from sluice.core.inventory import Entry, Inventory
from sluice.core.manifest import Directives, Manifest
from sluice.core.plan import Live, Owner
from sluice.core.problem import Origin

OWNER = Owner("flux-system", "apps")
OTHER = Owner("flux-system", "other")
API_VERSIONS = {
    "ConfigMap": "v1",
    "Secret": "v1",
    "Namespace": "v1",
    "Deployment": "apps/v1",
    "Role": "rbac.authorization.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
    "ClusterRole": "rbac.authorization.k8s.io/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "Pod": "v1",
    "Gadget": "example.com/v1",
}
CLUSTER_SCOPED = {"Namespace", "ClusterRole", "CustomResourceDefinition"}


def rid(kind: str, name: str, namespace: str = "shop") -> ResourceId:
    """The id of an object of a kind that tests use."""
    group, _ = split_api_version(API_VERSIONS[kind])
    return ResourceId(group, kind, "" if kind in CLUSTER_SCOPED else namespace, name)


def manifest(
    kind: str,
    name: str,
    content: str = "1",
    *,
    namespace: str = "shop",
    spec: Any = None,
    wants: Directives | None = None,
) -> Manifest:
    """A manifest whose digest follows from its content."""
    key = rid(kind, name, namespace)
    metadata = {"name": name, "namespace": key.namespace} if key.namespace else {"name": name}
    value = {"apiVersion": API_VERSIONS[kind], "kind": kind, "metadata": metadata, "data": content, **(spec or {})}
    body = json.dumps(value).encode()
    digest = hashlib.sha256(body).digest()[:16]
    return Manifest(key, API_VERSIONS[kind], body, Origin(f"{name}.yaml", 1), digest, wants or Directives())


def entry(of: Manifest, uid: str = "uid-1") -> Entry:
    """The inventory's entry after `of` was applied."""
    return Entry(of.id, of.api_version, uid, of.digest, "g1")


def live(
    uid: str = "uid-1", owner: Owner | None = OWNER, *, wants: Directives | None = None, deleting: bool = False
) -> Live:
    """A live object."""
    return Live(uid, "100", "g1", owner, wants or Directives(), deleting=deleting)


KINDS = st.sampled_from(sorted(API_VERSIONS))
NAMES = st.sampled_from(["a", "b", "c", "d"])
IDS = st.builds(rid, KINDS, NAMES)
UIDS = st.sampled_from(["uid-1", "uid-2", ""])
DIRECTIVES = st.builds(
    Directives,
    reconcile=st.sampled_from([True, True, True, False]),
    prune=st.sampled_from([True, True, False]),
    force=st.booleans(),
    ssa=st.sampled_from(["override", "override", "merge", "ifnotpresent", "ignore"]),
    wave=st.integers(-1, 1),
)
OWNERS = st.sampled_from([OWNER, OWNER, OWNER, OTHER, None])
LIVES = st.builds(
    live, st.sampled_from(["uid-1", "uid-2"]), OWNERS, wants=DIRECTIVES, deleting=st.sampled_from([False, False, True])
)


@st.composite
def desired(draw: st.DrawFn) -> tuple[Manifest, ...]:
    """Some manifests, each id once."""
    keys = draw(st.lists(st.tuples(KINDS, NAMES), unique=True, max_size=8))
    contents = st.sampled_from(["1", "2"])
    return tuple(manifest(kind, name, draw(contents), wants=draw(DIRECTIVES)) for kind, name in keys)


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    """Some entries: applied ones with a UID and a digest, and ones that nothing but the id is known of."""
    keys = draw(st.lists(st.tuples(KINDS, NAMES), unique=True, max_size=8))
    entries = []
    for kind, name in keys:
        made = manifest(kind, name, draw(st.sampled_from(["1", "2"])))
        known = draw(st.booleans())
        entries.append(entry(made, draw(UIDS)) if known else Entry(made.id, made.api_version, draw(UIDS)))
    return Inventory(entries)


def lives() -> st.SearchStrategy[dict[ResourceId, Live]]:
    """What is in the cluster."""
    return st.dictionaries(IDS, LIVES, max_size=20)
