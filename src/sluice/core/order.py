"""In which order objects are applied: waves, stages, ranks. Deletion is the reverse.

Flux v2's order of kinds, with its first stage split so that CRDs are served before anything can need them. Objects
of one rank are independent and are sent together.
"""

from __future__ import annotations

from enum import IntEnum

from sluice.core.ids import GroupKind


class Stage(IntEnum):
    """A stage begins when the one before it is served (CRDs established, Namespaces active)."""

    CRDS = 0
    NAMESPACES = 1
    DEFINITIONS = 2
    REST = 3

    @property
    def title(self) -> str:
        """The word for people."""
        return ("CRDs", "Namespaces", "definitions", "objects")[self]


CRD = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")
NAMESPACE = GroupKind("", "Namespace")
JOB = GroupKind("batch", "Job")

_DEFINITIONS = (
    "ClusterRole",
    "ClusterClass",
    "RuntimeClass",
    "PriorityClass",
    "StorageClass",
    "VolumeSnapshotClass",
    "IngressClass",
    "GatewayClass",
)
_REST = (
    "ClusterRoleBinding",
    "ResourceQuota",
    "LimitRange",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
)
_LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_DEFINITION_RANK = {kind: rank for rank, kind in enumerate(_DEFINITIONS)}
_REST_RANK = {kind: rank for rank, kind in enumerate(_REST)}
_OTHER_RANK = len(_REST)


def stage_of(kind: GroupKind) -> Stage:
    """The stage that a kind belongs to."""
    if kind == CRD:
        return Stage.CRDS
    if kind == NAMESPACE:
        return Stage.NAMESPACES
    if kind.kind in _DEFINITION_RANK or kind.kind.endswith("Class"):
        return Stage.DEFINITIONS
    return Stage.REST


def rank_of(kind: GroupKind) -> int:
    """The place of a kind inside its stage; kinds that nobody orders share one place near the end."""
    if stage_of(kind) is Stage.DEFINITIONS:
        return _DEFINITION_RANK.get(kind.kind, len(_DEFINITIONS))
    if kind.kind in _LAST:
        return _OTHER_RANK + 1
    return _REST_RANK.get(kind.kind, _OTHER_RANK)


def order_of(kind: GroupKind, wave: int = 0) -> tuple[int, Stage, int]:
    """The sort key: wave first, then stage, then rank.

    >>> order_of(NAMESPACE) < order_of(GroupKind("", "ConfigMap")) < order_of(NAMESPACE, wave=1)
    True
    """
    return (wave, stage_of(kind), rank_of(kind))
