"""Which dry-runs have to wait, and for what: objects that need something the same plan creates or changes.

A dry-run writes nothing, so the API server refuses a custom resource whose CRD is not there yet, an object in a
Namespace that is only planned, a RoleBinding to a Role it can't see. Refusing the revision for that would be wrong,
and so would be skipping the check: these are dry-run once what they need is served.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import msgspec

from sluice.core import codes
from sluice.core.ids import GroupKind, ResourceId
from sluice.core.kind_guess import ServedKind, meant_kind
from sluice.core.manifest import Manifest
from sluice.core.order import CRD, NAMESPACE
from sluice.core.plan import Action, Change, Plan
from sluice.core.problem import Problem
from sluice.core.steps import Deferral

_RBAC = "rbac.authorization.k8s.io"
# Kinds of Flux on which this version does not act: an object of one would lie there, and nobody would say why.
NOT_ACTED_ON = frozenset(
    {
        GroupKind("helm.toolkit.fluxcd.io", "HelmRelease"),
        *(GroupKind("source.toolkit.fluxcd.io", kind) for kind in ("HelmChart", "HelmRepository")),
        *(GroupKind("source.toolkit.fluxcd.io", kind) for kind in ("Bucket", "ExternalArtifact", "OCIRepository")),
    }
)


class _Names(msgspec.Struct, frozen=True):
    kind: str = ""


class _CrdVersion(msgspec.Struct, frozen=True):
    name: str = ""
    served: bool = False


class _CrdSpec(msgspec.Struct, frozen=True):
    group: str = ""
    names: _Names = _Names()
    scope: str = ""
    versions: tuple[_CrdVersion, ...] = ()


class _Crd(msgspec.Struct, frozen=True):
    spec: _CrdSpec = _CrdSpec()


class DefinedKind(msgspec.Struct, frozen=True):
    """A kind that a CRD of this revision defines."""

    crd: ResourceId
    namespaced: bool
    versions: frozenset[str]


def defined_kinds(manifests: Iterable[Manifest]) -> dict[GroupKind, DefinedKind]:
    """The kinds that the CRDs among `manifests` define. A CRD too malformed to tell defines none."""
    kinds = {}
    for manifest in manifests:
        if manifest.id.group_kind != CRD:
            continue
        try:
            spec = msgspec.json.decode(manifest.body, type=_Crd).spec
        except msgspec.ValidationError:
            continue  # its own dry-run names what is wrong with it
        served = frozenset(v.name for v in spec.versions if v.served)
        kind = GroupKind(spec.group, spec.names.kind)
        kinds[kind] = DefinedKind(manifest.id, spec.scope == "Namespaced", served)
    return kinds


def unknown_kinds(
    manifests: Iterable[Manifest],
    defined: dict[GroupKind, DefinedKind],
    served: Callable[[ResourceId], bool],
    known: Callable[[], Collection[ServedKind]] = tuple,
) -> tuple[Problem, ...]:
    """A problem for each object whose kind is neither served nor defined by a CRD of the same revision.

    `known` are all kinds that are served: one of them may have been meant.
    """
    return tuple(
        _unknown_kind(m, known)
        for m in manifests
        if m.directives.reconcile and m.id.group_kind not in defined and not served(m.id)
    )


def _unknown_kind(manifest: Manifest, known: Callable[[], Collection[ServedKind]]) -> Problem:
    kind, cause = manifest.id.group_kind, "the API server does not serve it, and no CRD of this revision defines it"
    title = f"kind {kind.kind} ({manifest.api_version}) is not installed"
    otherwise = "add its CRD to this path, or a dependsOn to the sync that installs it; check the spelling"
    fix = meant_kind(manifest, known()) or otherwise
    if kind in NOT_ACTED_ON:
        title = f"this version of Sluice does not act on kind {kind.kind} ({manifest.api_version})"
        instead = "commit what `helm template` prints" if kind.kind.startswith("Helm") else "commit what it would fetch"
        fix = f"take it out of this path until that is supported; {instead}"
    return Problem(codes.UNKNOWN_KIND, title, subject=manifest.id, origin=manifest.origin, cause=cause, fix=fix)


def find_deferred(plan: Plan, defined: dict[GroupKind, DefinedKind]) -> Deferral:
    """Which of the plan's dry-runs must wait."""
    applying = {c.id: c for batch in plan.applies for c in batch.changes}
    namespaces = {i.name for i, c in applying.items() if i.group_kind == NAMESPACE and c.action is Action.CREATE}
    served = {
        i
        for i in applying
        if i.namespace in namespaces or ((kind := defined.get(i.group_kind)) is not None and kind.crd in applying)
    }
    applied = {i for i, c in applying.items() if i not in served and any(n in applying for n in _needs(c))}
    return Deferral(frozenset(served), frozenset(applied))


class _RoleRef(msgspec.Struct, frozen=True):
    kind: str = ""
    name: str = ""


class _Binding(msgspec.Struct, frozen=True):
    roleRef: _RoleRef = _RoleRef()  # noqa: N815


class _PodSpec(msgspec.Struct, frozen=True):
    serviceAccountName: str = ""  # noqa: N815
    priorityClassName: str = ""  # noqa: N815


class _Pod(msgspec.Struct, frozen=True):
    spec: _PodSpec = _PodSpec()


def _needs(change: Change) -> tuple[ResourceId, ...]:
    """The objects without which the API server would refuse this one."""
    key, manifest = change.id, change.manifest
    if manifest is None:
        return ()
    try:
        if key.group == _RBAC and key.kind in {"RoleBinding", "ClusterRoleBinding"}:
            ref = msgspec.json.decode(manifest.body, type=_Binding).roleRef
            return (ResourceId(_RBAC, ref.kind, key.namespace if ref.kind == "Role" else "", ref.name),)
        if key.group_kind == GroupKind("", "Pod"):
            pod = msgspec.json.decode(manifest.body, type=_Pod).spec
            return (
                ResourceId("", "ServiceAccount", key.namespace, pod.serviceAccountName),
                ResourceId("scheduling.k8s.io", "PriorityClass", "", pod.priorityClassName),
            )
    except msgspec.ValidationError:
        return ()  # its own dry-run names what is wrong with it
    return ()
