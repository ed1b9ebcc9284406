"""In which order objects are applied."""

from __future__ import annotations

import random

import pytest

from sluice.core.ids import GroupKind
from sluice.core.order import Stage, order_of, stage_of

# Flux v2's order of kinds (reference 2.9), CRDs and Namespaces being stages of their own here.
FLUX = [
    GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"),
    GroupKind("", "Namespace"),
    GroupKind("rbac.authorization.k8s.io", "ClusterRole"),
    GroupKind("cluster.x-k8s.io", "ClusterClass"),
    GroupKind("node.k8s.io", "RuntimeClass"),
    GroupKind("scheduling.k8s.io", "PriorityClass"),
    GroupKind("storage.k8s.io", "StorageClass"),
    GroupKind("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
    GroupKind("networking.k8s.io", "IngressClass"),
    GroupKind("gateway.networking.k8s.io", "GatewayClass"),
    GroupKind("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    GroupKind("", "ResourceQuota"),
    GroupKind("", "ServiceAccount"),
    GroupKind("rbac.authorization.k8s.io", "Role"),
    GroupKind("rbac.authorization.k8s.io", "RoleBinding"),
    GroupKind("", "ConfigMap"),
    GroupKind("", "Secret"),
    GroupKind("", "Service"),
    GroupKind("apps", "Deployment"),
    GroupKind("apps", "StatefulSet"),
    GroupKind("batch", "CronJob"),
    GroupKind("policy", "PodDisruptionBudget"),
    GroupKind("example.com", "Gadget"),
    GroupKind("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
]


def test_kinds_are_applied_in_flux_order() -> None:
    shuffled = random.Random(7).sample(FLUX, len(FLUX))
    assert sorted(shuffled, key=order_of) == FLUX


def test_a_limit_range_is_there_before_the_pods_that_it_limits() -> None:
    assert order_of(GroupKind("", "LimitRange")) < order_of(GroupKind("apps", "Deployment"))


def test_both_webhook_configurations_come_last_and_together() -> None:
    group = "admissionregistration.k8s.io"
    mutating, validating = (GroupKind(group, f"{k}WebhookConfiguration") for k in ("Mutating", "Validating"))
    assert order_of(mutating) == order_of(validating) > order_of(GroupKind("example.com", "Gadget"))


@pytest.mark.parametrize(
    ("kind", "stage"),
    [
        (GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"), Stage.CRDS),
        (GroupKind("example.com", "CustomResourceDefinition"), Stage.REST),
        (GroupKind("", "Namespace"), Stage.NAMESPACES),
        (GroupKind("example.com", "Namespace"), Stage.REST),
        (GroupKind("example.com", "WidgetClass"), Stage.DEFINITIONS),
        (GroupKind("example.com", "Gadget"), Stage.REST),
    ],
)
def test_a_stage_follows_from_group_and_kind(kind: GroupKind, stage: Stage) -> None:
    assert stage_of(kind) is stage


def test_a_wave_goes_before_every_kind() -> None:
    assert order_of(GroupKind("example.com", "Gadget"), -1) < order_of(FLUX[0]) < order_of(FLUX[0], 1)
