"""Kustomization kustomize.toolkit.fluxcd.io/v1: one sync."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import msgspec

from sluice.api.kinds import ApiStruct, Condition, LocalRef, ObjectMeta
from sluice.api.notification_intent import StatusNotifications
from sluice.api.problem_status import StatusProblems
from sluice.api.schema import AGE, DURATION, READY, STATUS, Definition, cel, doc, not_served
from sluice.core import history as past

GROUP = "kustomize.toolkit.fluxcd.io"
VERSION = "v1"
KIND = "Kustomization"

Snapshot = past.Snapshot

DEFINITION = Definition(
    group=GROUP,
    version=VERSION,
    kind=KIND,
    plural="kustomizations",
    short_names=("ks",),
    category="fluxcd-appliers",
    columns=(AGE, READY, STATUS),
)

_ONE_KUBECONFIG = "exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be specified"
_KUBECONFIG_RULES = [
    cel("has(self.configMapRef) || has(self.secretRef)", _ONE_KUBECONFIG),
    cel("!has(self.configMapRef) || !has(self.secretRef)", _ONE_KUBECONFIG),
]


class SourceRef(ApiStruct, frozen=True, kw_only=True):
    """The source that a sync applies."""

    kind: Annotated[
        str, doc("Kind of the source.", enum=["OCIRepository", "GitRepository", "Bucket", "ExternalArtifact"])
    ]
    name: Annotated[str, doc("Name of the source.")]
    namespace: Annotated[str, doc("Namespace of the source; the sync's own when unset.")] = ""
    apiVersion: Annotated[str, doc("API version of the source.")] = ""


class Selector(ApiStruct, frozen=True, kw_only=True):
    """What a patch or an ignore rule targets; names are anchored regular expressions, as kustomize reads them."""

    group: Annotated[str, doc("API group.")] = ""
    version: Annotated[str, doc("API version.")] = ""
    kind: Annotated[str, doc("Kind.")] = ""
    name: Annotated[str, doc("Name.")] = ""
    namespace: Annotated[str, doc("Namespace.")] = ""
    labelSelector: Annotated[str, doc("Label selector.")] = ""
    annotationSelector: Annotated[str, doc("Selector of annotations, in the form of a label selector.")] = ""


class Patch(ApiStruct, frozen=True, kw_only=True):
    """A strategic merge or JSON 6902 patch."""

    patch: Annotated[str, doc("The patch, as YAML text.")]
    target: Annotated[Selector | None, doc("What is patched; a merge patch can name it itself.")] = None


class Image(ApiStruct, frozen=True, kw_only=True):
    """Another name, tag or digest for a container image."""

    name: Annotated[str, doc("The image's name in the manifests, without a tag.")]
    newName: Annotated[str, doc("The name to write.")] = ""
    newTag: Annotated[str, doc("The tag to write.")] = ""
    digest: Annotated[str, doc("The digest to write; goes before newTag.")] = ""


class CommonMetadata(ApiStruct, frozen=True, kw_only=True):
    """Labels and annotations that every object gets."""

    labels: Annotated[dict[str, str], doc("Labels; one that an object has is overwritten.")] = {}
    annotations: Annotated[dict[str, str], doc("Annotations; one that an object has is overwritten.")] = {}


class SubstituteReference(ApiStruct, frozen=True, kw_only=True):
    """A ConfigMap or Secret whose entries are variables."""

    kind: Annotated[str, doc("ConfigMap or Secret.", enum=["Secret", "ConfigMap"])]
    name: Annotated[str, doc("Name, in the sync's namespace.", minLength=1, maxLength=253)]
    optional: Annotated[bool, doc("Go on without it when it does not exist.", default=False)] = False


class PostBuild(ApiStruct, frozen=True, kw_only=True):
    """Variables that are put into the rendered manifests."""

    substitute: Annotated[dict[str, str], doc("Variables and their values.")] = {}
    substituteFrom: Annotated[
        tuple[SubstituteReference, ...], doc("ConfigMaps and Secrets that hold variables; later ones win.")
    ] = ()
    substituteStrategy: Annotated[
        str,
        doc("Substitute only when there are variables (the default), or always.", enum=["WithVariables", "Always"]),
    ] = ""


class DependencyRef(ApiStruct, frozen=True, kw_only=True):
    """A sync that must be ready first."""

    name: Annotated[str, doc("Name of the Kustomization.")]
    namespace: Annotated[str, doc("Its namespace; the sync's own when unset.")] = ""
    readyExpr: Annotated[str, doc("CEL expression over self and dep that says when it is ready.")] = ""


class HealthCheck(ApiStruct, frozen=True, kw_only=True):
    """An object whose health decides."""

    kind: Annotated[str, doc("Kind.")]
    name: Annotated[str, doc("Name.")]
    namespace: Annotated[str, doc("Namespace.")] = ""
    apiVersion: Annotated[str, doc("API version; apps/v1 when unset.")] = ""


class HealthCheckExpr(ApiStruct, frozen=True, kw_only=True):
    """How to judge the health of a kind, in CEL over the object's own fields."""

    apiVersion: Annotated[str, doc("API version; only its group is compared.")]
    current: Annotated[str, doc("True when the object is as wanted.")]
    kind: Annotated[str, doc("Kind; all of the group when unset.")] = ""
    inProgress: Annotated[str, doc("True while its controller works on it.")] = ""
    failed: Annotated[str, doc("True when it failed.")] = ""


class Decryption(ApiStruct, frozen=True, kw_only=True):
    """How encrypted files are read."""

    provider: Annotated[str, doc("What they are encrypted with.", enum=["sops"])]
    secretRef: Annotated[LocalRef | None, doc("Secret with private keys.")] = None
    serviceAccountName: Annotated[str, doc("ServiceAccount whose cloud identity may use the keys.")] = ""


class SecretKeyRef(ApiStruct, frozen=True, kw_only=True):
    """One key of a Secret."""

    name: Annotated[str, doc("Name of the Secret.")]
    key: Annotated[str, doc("Key in it; value or value.yaml when unset.")] = ""


class KubeConfigRef(ApiStruct, frozen=True, kw_only=True):
    """Access to another cluster."""

    secretRef: Annotated[SecretKeyRef | None, doc("Secret with a kubeconfig.")] = None
    configMapRef: Annotated[LocalRef | None, doc("ConfigMap that says how to reach the cluster without a secret.")] = (
        None
    )


class IgnoreRule(ApiStruct, frozen=True, kw_only=True):
    """Fields that are neither applied nor drift."""

    paths: Annotated[tuple[str, ...], doc("JSON pointers.")]
    target: Annotated[Selector | None, doc("Which objects; all when unset.")] = None


class KustomizationSpec(ApiStruct, frozen=True, kw_only=True):
    """What is applied, how it is rendered, and when a run counts as done."""

    interval: Annotated[str, doc("How often the whole is checked.", pattern=DURATION)]
    sourceRef: Annotated[SourceRef, doc("Where the manifests come from.")]
    prune: Annotated[bool, doc("Delete objects that left the source.")]
    path: Annotated[str, doc("Folder of the source; its root when unset.")] = ""
    retryInterval: Annotated[str, doc("When to retry a failed run; interval when unset.", pattern=DURATION)] = ""
    timeout: Annotated[
        str, doc("Time one run may take, health checks included; interval less 30s when unset.", pattern=DURATION)
    ] = ""
    wait: Annotated[bool, doc("Wait until every applied object is healthy; healthChecks is then not needed.")] = False
    force: Annotated[bool, doc("Recreate an object whose immutable field changed.", default=False)] = False
    suspend: Annotated[bool, doc("Stop applying.")] = False
    targetNamespace: Annotated[str, doc("Namespace for all objects.", minLength=1, maxLength=63)] = ""
    namePrefix: Annotated[str, doc("Put before every name.", minLength=1, maxLength=200)] = ""
    nameSuffix: Annotated[str, doc("Put after every name.", minLength=1, maxLength=200)] = ""
    commonMetadata: Annotated[CommonMetadata | None, doc("Labels and annotations for all objects.")] = None
    components: Annotated[tuple[str, ...], doc("Kustomize components, relative to path.")] = ()
    ignoreMissingComponents: Annotated[bool, doc("Leave out components that do not exist.")] = False
    patches: Annotated[tuple[Patch, ...], doc("Patches to apply.")] = ()
    images: Annotated[tuple[Image, ...], doc("Images to replace.")] = ()
    buildMetadata: Annotated[
        tuple[Annotated[str, doc("One kind of note.", enum=["originAnnotations", "transformerAnnotations"])], ...],
        doc("What kustomize notes on each object about how it was made."),
    ] = ()
    postBuild: Annotated[PostBuild | None, doc("Variables to put into the rendered manifests.")] = None
    decryption: Annotated[Decryption | None, doc("How encrypted files are read.")] = None
    dependsOn: Annotated[tuple[DependencyRef, ...], doc("Kustomizations that must be ready first.")] = ()
    healthChecks: Annotated[tuple[HealthCheck, ...], doc("Objects that must be healthy.")] = ()
    healthCheckExprs: Annotated[tuple[HealthCheckExpr, ...], doc("How to judge the health of custom kinds.")] = ()
    deletionPolicy: Annotated[
        str,
        doc(
            "What deleting this Kustomization does to its objects; as prune says when unset.",
            enum=["MirrorPrune", "Delete", "WaitForTermination", "Orphan"],
        ),
    ] = ""
    serviceAccountName: Annotated[str, doc("ServiceAccount to apply as.")] = ""
    kubeConfig: Annotated[
        KubeConfigRef | None, doc("The cluster to apply to.", **{"x-kubernetes-validations": _KUBECONFIG_RULES})
    ] = None
    ignore: Annotated[tuple[IgnoreRule, ...], doc("Fields that are neither applied nor drift.")] = ()
    patchesStrategicMerge: Annotated[tuple[Any, ...], not_served("Kustomize's older form of patches.")] = ()
    patchesJson6902: Annotated[tuple[Any, ...], not_served("Kustomize's older form of patches.")] = ()
    onFailure: Annotated[
        str,
        doc(
            "Extension of Sluice: what happens to a revision that fails half-way: undone (the default), left as it is, "
            "or applied as far as it can be.",
            enum=["Undo", "Stop", "Continue"],
        ),
    ] = ""
    drift: Annotated[
        str,
        doc(
            "Extension of Sluice: whether changes of others are set right (the default), told, or not looked at; "
            "sluice.dev/drift says so of one object.",
            enum=["Correct", "Warn", "Ignore"],
        ),
    ] = ""
    adopt: Annotated[
        str,
        doc(
            "Extension of Sluice: which objects that exist and are not its own it may take over; IfUnowned: those "
            "without another tool's mark.",
            enum=["Always", "IfUnowned", "Never"],
        ),
    ] = ""
    pruneLimit: Annotated[
        int | None,
        doc(
            "Extension of Sluice: how much of the inventory one revision may delete, in percent; unset is no limit.",
            minimum=0,
        ),
    ] = None
    irreversible: Annotated[
        str,
        doc(
            "Extension of Sluice: whether changes that can't be undone are told (the default), or wait for a person's "
            "word in sluice.dev/irreversible.",
            enum=["Tell", "Ask"],
        ),
    ] = ""
    allowEmpty: Annotated[
        bool, doc("Extension of Sluice: let a revision without objects delete all that was applied.")
    ] = False


class InventoryEntry(ApiStruct, frozen=True, kw_only=True):
    """One applied object."""

    id: Annotated[str, doc("namespace_name_group_kind.")]
    v: Annotated[str, doc("API version.")]


class InventoryStatus(ApiStruct, frozen=True, kw_only=True):
    """The objects that were applied and not yet let go."""

    entries: Annotated[tuple[InventoryEntry, ...], doc("The objects.")]


class KnownInventory(InventoryStatus, frozen=True, kw_only=True):
    """Stands for an inventory that is not kept: by the digest of its JSON it is known whether another is the same."""

    known_digest: bytes


class TransactionStatus(ApiStruct, frozen=True, kw_only=True):
    """How far the present transaction is."""

    id: Annotated[str, doc("Its identifier, as in events.")] = ""
    phase: Annotated[str, doc("What it does now.")] = ""
    from_: Annotated[str, doc("The revision that was there before.")] = msgspec.field(default="", name="from")
    to: Annotated[str, doc("The revision that is being applied.")] = ""
    done: Annotated[int, doc("How many changes are done.")] = 0
    total: Annotated[int, doc("How many changes there are.")] = 0


class UpdateChange(ApiStruct, frozen=True, kw_only=True):
    """One value of a file that an update changed, or would change."""

    field: Annotated[str, doc("The container, or the annotation.")]
    from_: Annotated[str, doc("What it was; unset when there was none.")] = msgspec.field(default="", name="from")
    to: Annotated[str, doc("What it is now; unset when it is gone.")] = ""
    path: Annotated[str, doc("File in the repository.")] = ""
    line: Annotated[int, doc("Line in that file.")] = 0


class UpdateResult(ApiStruct, frozen=True, kw_only=True):
    """What became of one workload of an update."""

    workload: Annotated[str, doc("namespace:kind/name.")]
    status: Annotated[str, doc("success, failed, skipped, ignored or unknown.")]
    reason: Annotated[str, doc("Why something stays as it is.")] = ""
    problem: Annotated[str, doc("What holds it up, where, and how to lift that.")] = ""
    changes: Annotated[tuple[UpdateChange, ...], doc("What changes for it.")] = ()


class UpdateAnswer(ApiStruct, frozen=True, kw_only=True):
    """How the last update is that was asked for by annotation."""

    nonce: Annotated[str, doc("The request's own name, as its sender chose it.")]
    state: Annotated[str, doc("queued, running, succeeded or failed.")]
    dryRun: Annotated[bool, doc("Nothing was to be written.")] = False
    jobID: Annotated[str, doc("The job that carries it out; its commit and note have it.")] = ""
    revision: Annotated[str, doc("The commit that was pushed.")] = ""
    message: Annotated[str, doc("Why it failed.")] = ""
    results: Annotated[tuple[UpdateResult, ...], doc("The workloads that it is about.")] = ()
    omitted: Annotated[int, doc("How many more workloads there are.")] = 0


class KustomizationStatus(ApiStruct, frozen=True, kw_only=True):
    """What was applied, and how the last run went."""

    observedGeneration: Annotated[int, doc("The generation that was last acted on.")] = 0
    conditions: Annotated[tuple[Condition, ...], doc("How the sync is.")] = ()
    lastAppliedRevision: Annotated[str, doc("The last revision that took effect wholly.")] = ""
    lastAppliedOriginRevision: Annotated[str, doc("The revision of that artifact's own origin.")] = ""
    lastAttemptedRevision: Annotated[str, doc("The last revision that was tried.")] = ""
    lastHandledReconcileAt: Annotated[str, doc("The last request annotation that was acted on.")] = ""
    inventory: Annotated[InventoryStatus | None, doc("The objects that were applied.")] = None
    history: Annotated[tuple[Snapshot, ...], doc("The last outcomes, newest first.")] = ()
    transaction: Annotated[TransactionStatus | None, doc("Extension of Sluice: the present transaction.")] = None
    notifications: StatusNotifications = ()
    problem: StatusProblems = ()
    updateRequest: Annotated[
        UpdateAnswer | None,
        doc("Extension of Sluice: the answer to sluice.dev/update-request, which `sluice release` and others write."),
    ] = None


class Kustomization(ApiStruct, frozen=True, kw_only=True):
    """A folder of a source that is kept applied to the cluster."""

    metadata: ObjectMeta
    spec: Annotated[KustomizationSpec, doc("What is wanted.")]
    status: Annotated[KustomizationStatus, doc("What is.", default={"observedGeneration": -1})] = KustomizationStatus()


def without_inventory(sync: Kustomization) -> Kustomization:
    """What is kept of a Kustomization between turns: all but the names of its objects, which its record has."""
    inventory = sync.status.inventory
    if inventory is None:
        return sync
    digest = hashlib.sha256(msgspec.json.encode(inventory)).digest()
    known = KnownInventory(entries=(), known_digest=digest)
    return msgspec.structs.replace(sync, status=msgspec.structs.replace(sync.status, inventory=known))
