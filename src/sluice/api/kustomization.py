"""Kustomization kustomize.toolkit.fluxcd.io/v1: one sync."""

from __future__ import annotations

from typing import Any

from sluice.api.kinds import ApiStruct, Condition, LocalRef, ObjectMeta
from sluice.core import history as past

GROUP = "kustomize.toolkit.fluxcd.io"
VERSION = "v1"
KIND = "Kustomization"

Snapshot = past.Snapshot


class SourceRef(ApiStruct, frozen=True, kw_only=True):
    kind: str
    name: str
    namespace: str = ""
    apiVersion: str = ""


class Selector(ApiStruct, frozen=True, kw_only=True):
    """What a patch or an ignore rule targets; names are anchored regular expressions, as kustomize reads them."""

    group: str = ""
    version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    labelSelector: str = ""
    annotationSelector: str = ""


class Patch(ApiStruct, frozen=True, kw_only=True):
    patch: str
    target: Selector | None = None


class Image(ApiStruct, frozen=True, kw_only=True):
    name: str
    newName: str = ""
    newTag: str = ""
    digest: str = ""


class CommonMetadata(ApiStruct, frozen=True, kw_only=True):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class SubstituteReference(ApiStruct, frozen=True, kw_only=True):
    kind: str
    name: str
    optional: bool = False


class PostBuild(ApiStruct, frozen=True, kw_only=True):
    substitute: dict[str, str] = {}
    substituteFrom: tuple[SubstituteReference, ...] = ()
    substituteStrategy: str = ""


class DependencyRef(ApiStruct, frozen=True, kw_only=True):
    name: str
    namespace: str = ""
    readyExpr: str = ""


class HealthCheck(ApiStruct, frozen=True, kw_only=True):
    kind: str
    name: str
    namespace: str = ""
    apiVersion: str = ""


class HealthCheckExpr(ApiStruct, frozen=True, kw_only=True):
    apiVersion: str
    current: str
    kind: str = ""
    inProgress: str = ""
    failed: str = ""


class Decryption(ApiStruct, frozen=True, kw_only=True):
    provider: str
    secretRef: LocalRef | None = None
    serviceAccountName: str = ""


class SecretKeyRef(ApiStruct, frozen=True, kw_only=True):
    name: str
    key: str = ""


class KubeConfigRef(ApiStruct, frozen=True, kw_only=True):
    secretRef: SecretKeyRef | None = None
    configMapRef: LocalRef | None = None


class IgnoreRule(ApiStruct, frozen=True, kw_only=True):
    paths: tuple[str, ...]
    target: Selector | None = None


class KustomizationSpec(ApiStruct, frozen=True, kw_only=True):
    interval: str
    sourceRef: SourceRef
    prune: bool
    path: str = ""
    retryInterval: str = ""
    timeout: str = ""
    wait: bool = False
    force: bool = False
    suspend: bool = False
    targetNamespace: str = ""
    namePrefix: str = ""
    nameSuffix: str = ""
    commonMetadata: CommonMetadata | None = None
    components: tuple[str, ...] = ()
    ignoreMissingComponents: bool = False
    patches: tuple[Patch, ...] = ()
    images: tuple[Image, ...] = ()
    buildMetadata: tuple[str, ...] = ()
    postBuild: PostBuild | None = None
    decryption: Decryption | None = None
    dependsOn: tuple[DependencyRef, ...] = ()
    healthChecks: tuple[HealthCheck, ...] = ()
    healthCheckExprs: tuple[HealthCheckExpr, ...] = ()
    deletionPolicy: str = ""
    serviceAccountName: str = ""
    kubeConfig: KubeConfigRef | None = None
    ignore: tuple[IgnoreRule, ...] = ()
    # Legacy fields that kustomize itself still reads; Flux's generator honours them.
    patchesStrategicMerge: tuple[Any, ...] = ()
    patchesJson6902: tuple[Any, ...] = ()
    # Ours (extensions, optional).
    onFailure: str = ""
    drift: str = ""
    adopt: str = ""
    pruneLimit: int | None = None
    allowEmpty: bool = False


class InventoryEntry(ApiStruct, frozen=True, kw_only=True):
    id: str
    v: str


class InventoryStatus(ApiStruct, frozen=True, kw_only=True):
    entries: tuple[InventoryEntry, ...] = ()


class KustomizationStatus(ApiStruct, frozen=True, kw_only=True):
    observedGeneration: int = 0
    conditions: tuple[Condition, ...] = ()
    lastAppliedRevision: str = ""
    lastAppliedOriginRevision: str = ""
    lastAttemptedRevision: str = ""
    lastHandledReconcileAt: str = ""
    inventory: InventoryStatus | None = None
    history: tuple[Snapshot, ...] = ()


class Kustomization(ApiStruct, frozen=True, kw_only=True):
    metadata: ObjectMeta
    spec: KustomizationSpec
    status: KustomizationStatus = KustomizationStatus()
