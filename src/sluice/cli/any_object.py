"""Objects of any kind, named as kubectl names them: `deploy/web`, `deployments.apps web`; and whose they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from sluice.cli.cluster import Cluster
from sluice.cli.flags import usage
from sluice.core import codes
from sluice.core.deferral import NOT_ACTED_ON
from sluice.core.errors import UserError
from sluice.core.ids import ResourceId, split_api_version
from sluice.core.plan import Owner
from sluice.core.problem import Problem, printable
from sluice.kube.resource import Resource

if TYPE_CHECKING:
    from sluice.cli.answers import Ref

Object = dict[str, Any]
MAX_OWNERS = 8


def ref_of_id(key: ResourceId) -> Ref:
    """A resource id in the output contract's form."""
    return {"group": key.group, "kind": key.kind, "namespace": key.namespace, "name": key.name}


async def find_objects(cluster: Cluster, words: Sequence[str]) -> list[tuple[Resource, Object]]:
    """The objects of `KIND/NAME…` or `KIND NAME…`. Raises UsageRefused, UserError (TargetMissing), ClusterError."""
    pairs = [tuple(word.split("/", 1)) for word in words] if any("/" in word for word in words) else []
    pairs = pairs or [(words[0], name) for name in words[1:]]
    if not pairs or any(len(pair) != 2 or not pair[1] for pair in pairs):
        raise usage("name an object as KIND/NAME", fix="sluice trace deploy/web")
    found = []
    for kind, name in pairs:
        resource = await resource_of(cluster, kind)
        obj = await read_object(cluster, resource, cluster.namespace if resource.namespaced else "", name)
        if obj is None:
            where = f" in namespace {cluster.namespace}" if resource.namespaced else ""
            subject = resource.id_of(cluster.namespace if resource.namespaced else "", name)
            title = f"there is no {resource.kind} {printable(name)!r}{where}"
            raise UserError(Problem(codes.TARGET_MISSING, title, subject, fix="look with kubectl, or name another -n"))
        found.append((resource, obj))
    return found


async def resource_of(cluster: Cluster, word: str) -> Resource:
    """The kind of a word as kubectl takes it: plural, singular, short name, `plural.group`. Raises UsageRefused."""
    if not cluster.discovery.resources():
        await cluster.discovery.invalidate()
    wanted, _, group = word.lower().partition(".")
    for resource in cluster.discovery.resources():
        names = {resource.plural, resource.singular, resource.kind.lower(), *resource.short_names}
        if wanted in names and (not group or group in {resource.group, f"{resource.version}.{resource.group}"}):
            return resource
    absent = _not_acted_on(wanted)
    cause = f"this version of Sluice does not act on kind {absent}, and nothing else has installed it" if absent else ""
    raise usage(f"the cluster has no kind {printable(word)!r}", cause=cause, fix="see kubectl api-resources")


def _not_acted_on(word: str) -> str:
    """The kind of Flux that the word means, where it is one on which nothing here acts; else empty."""
    names = {kind.kind.lower().removesuffix("y"): kind.kind for kind in NOT_ACTED_ON} | {"hr": "HelmRelease"}
    return names.get(word) or next((kind for name, kind in names.items() if name != "hr" and word.startswith(name)), "")


async def read_object(cluster: Cluster, resource: Resource, namespace: str, name: str) -> Object | None:
    """The object with its kind, or None. Raises ClusterError."""
    raw = await cluster.client.get(resource, namespace, name)
    if raw is None:
        return None
    return {"apiVersion": resource.api_version, "kind": resource.kind, **msgspec.json.decode(raw, type=Object)}


async def owners_of(cluster: Cluster, obj: Object) -> list[Object]:
    """The object, its controller, that one's controller …, as far as they can be read; at most a few."""
    line = [obj]
    while len(line) < MAX_OWNERS:
        meta = line[-1].get("metadata") or {}
        reference = next((o for o in meta.get("ownerReferences") or () if o.get("controller")), None)
        if reference is None:
            break
        resource = await cluster.discovery.find(reference.get("apiVersion", ""), reference.get("kind", ""))
        namespace = meta.get("namespace", "") if resource is not None and resource.namespaced else ""
        found = await read_object(cluster, resource, namespace, reference.get("name", "")) if resource else None
        if found is None or found.get("metadata", {}).get("uid") != reference.get("uid"):
            break
        line.append(found)
    return line


def sync_of(line: Sequence[Object]) -> tuple[Object, Owner] | None:
    """The first of an object and its owners with a sync's labels, and that sync; None: nobody's. Labels are a claim."""
    for obj in line:
        owner = Owner.of(obj.get("metadata", {}).get("labels") or {})
        if owner is not None:
            return obj, owner
    return None


def reference_of(obj: Object) -> str:
    """`Deployment/web`."""
    return f"{obj.get('kind', '')}/{obj.get('metadata', {}).get('name', '')}"


def id_of(obj: Object) -> ResourceId:
    """The object's identity."""
    meta = obj.get("metadata", {})
    group = split_api_version(obj.get("apiVersion", ""))[0]
    return ResourceId(group, obj.get("kind", ""), meta.get("namespace", ""), meta.get("name", ""))
