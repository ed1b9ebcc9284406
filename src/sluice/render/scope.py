"""Which kinds get the target namespace: the built-in cluster-scoped ones never, the rest as the cluster says."""

from __future__ import annotations

from collections.abc import Callable

from sluice.core.ids import GroupKind
from sluice.core.manifest import Manifest

_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"
CLUSTER_SCOPED = frozenset(
    GroupKind(group, kind)
    for group, kinds in {
        "": ("ComponentStatus", "Namespace", "Node", "PersistentVolume"),
        _ADMISSION: (
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ),
        "apiextensions.k8s.io": ("CustomResourceDefinition",),
        "apiregistration.k8s.io": ("APIService",),
        "certificates.k8s.io": ("CertificateSigningRequest", "ClusterTrustBundle"),
        "flowcontrol.apiserver.k8s.io": ("FlowSchema", "PriorityLevelConfiguration"),
        "networking.k8s.io": ("IPAddress", "IngressClass", "ServiceCIDR"),
        "node.k8s.io": ("RuntimeClass",),
        "policy": ("PodSecurityPolicy",),
        _RBAC: ("ClusterRole", "ClusterRoleBinding"),
        "resource.k8s.io": ("DeviceClass", "ResourceSlice"),
        "scheduling.k8s.io": ("PriorityClass",),
        "storage.k8s.io": ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"),
    }.items()
    for kind in kinds
)
_CRD = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")
# Kinds in which kustomize's namespace transformer changes more than metadata.namespace: these need the real one.
REWRITTEN = frozenset(
    (
        GroupKind("", "Namespace"),
        GroupKind("", "PersistentVolume"),
        GroupKind(_RBAC, "RoleBinding"),
        GroupKind(_RBAC, "ClusterRoleBinding"),
        GroupKind(_ADMISSION, "MutatingWebhookConfiguration"),
        GroupKind(_ADMISSION, "ValidatingWebhookConfiguration"),
        GroupKind("apiregistration.k8s.io", "APIService"),
    )
)


def needs_kustomize(manifest: Manifest) -> bool:
    """True when setting the target namespace on this object takes more than its metadata."""
    kind = manifest.id.group_kind
    if kind == _CRD:
        return b'"conversion"' in manifest.body
    return kind in REWRITTEN


class TargetNamespace:
    """Gives each kind its namespace, and remembers what was asked of the cluster."""

    def __init__(self, namespace: str, scope: Callable[[GroupKind], bool | None]) -> None:
        self._namespace = namespace
        self._scope = scope
        self.asked: dict[GroupKind, bool | None] = {}

    def __call__(self, kind: GroupKind) -> str:
        if kind in CLUSTER_SCOPED:
            return ""
        if kind not in self.asked:
            self.asked[kind] = self._scope(kind)
        return "" if self.asked[kind] is False else self._namespace
