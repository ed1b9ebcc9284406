"""Health: an object as the API server holds it → whether it has become what its spec wants.

Owns the words Current, InProgress, Failed, Terminating, NotFound and Unknown, with kstatus's meanings (and Flux's
for Jobs). An object's decoded JSON enters `assess`, a `Health` leaves it. One file per family of kinds, one table
here. Nothing waits, polls or compares generations of ours here: when a verdict counts is the transaction's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from sluice.core.health.crd import assess_crd
from sluice.core.health.custom import CustomHealth
from sluice.core.health.daemonset import assess_daemonset
from sluice.core.health.deployment import assess_deployment
from sluice.core.health.generic import assess_common, assess_ready
from sluice.core.health.job import assess_job, vanishes_when_done
from sluice.core.health.namespace import assess_namespace
from sluice.core.health.pdb import assess_pdb
from sluice.core.health.pod import assess_pod
from sluice.core.health.pvc import assess_pvc
from sluice.core.health.replicaset import assess_replicaset
from sluice.core.health.service import assess_service
from sluice.core.health.statefulset import assess_statefulset
from sluice.core.health.verdict import Health, HealthStatus, Object, current, not_found, text
from sluice.core.ids import GroupKind, split_api_version

__all__ = [
    "CustomHealth",
    "Health",
    "HealthStatus",
    "assess",
    "needs_watch",
    "not_found",
    "rule_for",
    "vanishes_when_done",
]

_POD = GroupKind("", "Pod")

_RULES: Mapping[GroupKind, Callable[[Object], Health]] = {
    GroupKind("", "Namespace"): assess_namespace,
    GroupKind("", "PersistentVolumeClaim"): assess_pvc,
    GroupKind("", "Service"): assess_service,
    GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"): assess_crd,
    GroupKind("apps", "DaemonSet"): assess_daemonset,
    GroupKind("apps", "Deployment"): assess_deployment,
    GroupKind("apps", "ReplicaSet"): assess_replicaset,
    GroupKind("apps", "StatefulSet"): assess_statefulset,
    GroupKind("batch", "Job"): assess_job,
    GroupKind("policy", "PodDisruptionBudget"): assess_pdb,
}

_ALWAYS_CURRENT = frozenset(
    GroupKind(group, kind)
    for group, kinds in (
        ("", "ConfigMap Endpoints LimitRange Namespace PodTemplate Secret ServiceAccount"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration ValidatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding MutatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
        ("batch", "CronJob"),
        ("coordination.k8s.io", "Lease"),
        ("discovery.k8s.io", "EndpointSlice"),
        ("networking.k8s.io", "Ingress IngressClass NetworkPolicy"),
        ("node.k8s.io", "RuntimeClass"),
        ("rbac.authorization.k8s.io", "ClusterRole ClusterRoleBinding Role RoleBinding"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "CSIDriver StorageClass VolumeAttributesClass"),
    )
    for kind in kinds.split()
)


def assess(obj: Object, now: datetime | None = None, rule: CustomHealth | None = None) -> Health:
    """Judge an object by what it says of itself, or by a rule of the user's. Never raises, whatever `obj` holds.

    `now` (with a time zone) is needed only to see that a Pod has been unschedulable for too long.
    """
    if rule is not None:
        return rule.assess(obj)
    verdict = assess_common(obj)
    if verdict is not None:
        return verdict
    kind = GroupKind(split_api_version(text(obj, "apiVersion"))[0], text(obj, "kind"))
    if kind == _POD:
        return assess_pod(obj, now)
    if kind == GroupKind("batch", "CronJob"):
        return current("Resource is always ready")
    return _RULES.get(kind, assess_ready)(obj)


def rule_for(kind: GroupKind, rules: tuple[CustomHealth, ...]) -> CustomHealth | None:
    """The first of the user's rules that is about the kind; None when its own rule holds."""
    return next((rule for rule in rules if rule.judges(kind)), None)


def needs_watch(kind: GroupKind) -> bool:
    """False for kinds that are Current as soon as they exist: the answer to our own apply is the last word on them."""
    return kind not in _ALWAYS_CURRENT
