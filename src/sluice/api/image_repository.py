"""ImageRepository image.toolkit.fluxcd.io/v1: an image whose tags are watched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from sluice.api.kinds import IMAGE_GROUP, ApiStruct, Condition, LocalRef, ObjectMeta
from sluice.api.notification_intent import StatusNotifications
from sluice.api.problem_status import StatusProblems
from sluice.api.schema import AGE, DURATION, DURATION_WITHOUT_HOURS, READY, STATUS, Column, Definition, doc

GROUP = IMAGE_GROUP
VERSION = "v1"
KIND = "ImageRepository"
DEFAULT_EXCLUSIONS = (r"^.*\.sig$",)

DEFINITION = Definition(
    group=GROUP,
    version=VERSION,
    kind=KIND,
    plural="imagerepositories",
    short_names=("imgrepo", "imagerepo"),
    category="fluxcd-images",
    columns=(
        Column("Image", ".spec.image"),
        Column("Tags", ".status.lastScanResult.tagCount"),
        READY,
        STATUS,
        Column("Last scan", ".status.lastScanResult.scanTime", priority=1),
        AGE,
    ),
)


class NamespaceSelector(ApiStruct, frozen=True, kw_only=True):
    """Namespaces that carry all of the labels; without labels every namespace."""

    matchLabels: Annotated[dict[str, str], doc("Labels that the namespace must carry, all of them.")] = {}


class AccessFrom(ApiStruct, frozen=True, kw_only=True):
    """From which other namespaces an ImagePolicy may refer to the repository."""

    namespaceSelectors: Annotated[
        tuple[NamespaceSelector, ...], doc("A namespace may when one of these matches its labels.")
    ]

    def admits(self, labels: Mapping[str, str]) -> bool:
        """True for a namespace with these labels."""
        return any(selector.matchLabels.items() <= labels.items() for selector in self.namespaceSelectors)


class ImageRepositorySpec(ApiStruct, frozen=True, kw_only=True):
    """Which image, how often its tags are listed, and with what credentials."""

    image: Annotated[str, doc("Name of the image, without scheme and tag: `ghcr.io/org/app`.")]
    interval: Annotated[str, doc("How often to list the tags.", pattern=DURATION)]
    timeout: Annotated[str, doc("Time one scan may take; the interval when unset.", pattern=DURATION_WITHOUT_HOURS)] = (
        ""
    )
    secretRef: Annotated[
        LocalRef | None, doc("Secret of type kubernetes.io/dockerconfigjson with the registry's credentials.")
    ] = None
    proxySecretRef: Annotated[LocalRef | None, doc("Secret with the address and credentials of a proxy.")] = None
    serviceAccountName: Annotated[
        str,
        doc(
            "ServiceAccount whose imagePullSecrets are used, and whose identity in the cloud of provider.",
            maxLength=253,
        ),
    ] = ""
    certSecretRef: Annotated[
        LocalRef | None, doc("Secret with ca.crt for a private CA, or tls.crt and tls.key for a client certificate.")
    ] = None
    suspend: Annotated[bool, doc("Stop looking for new tags.")] = False
    accessFrom: Annotated[
        AccessFrom | None, doc("From which other namespaces policies may use it; from none when unset.")
    ] = None
    exclusionList: Annotated[
        tuple[str, ...],
        doc("Tags that match one of these regular expressions are left out.", maxItems=25, default=[r"^.*\.sig$"]),
    ] = DEFAULT_EXCLUSIONS
    provider: Annotated[
        str,
        doc("Who gives the credentials.", enum=["generic", "aws", "azure", "gcp"], default="generic"),
    ] = "generic"
    insecure: Annotated[bool, doc("Allow a registry without TLS.")] = False


class ScanResult(ApiStruct, frozen=True, kw_only=True):
    """What the last scan found."""

    tagCount: Annotated[int, doc("How many tags there are, without the excluded.")]
    revision: Annotated[str, doc("Checksum of the tags: it changes when they do.")] = ""
    scanTime: Annotated[str, doc("When the tags were listed.", format="date-time")] = ""
    latestTags: Annotated[tuple[str, ...], doc("The ten last of the tags in the order of the alphabet.")] = ()


class ImageRepositoryStatus(ApiStruct, frozen=True, kw_only=True):
    """What was last found, and how the last try went."""

    conditions: Annotated[tuple[Condition, ...], doc("How the scan is.")] = ()
    observedGeneration: Annotated[int, doc("The generation that was last acted on.")] = 0
    canonicalImageName: Annotated[
        str, doc("The image's name with all that is implied: `docker.io/library/alpine` for `alpine`.")
    ] = ""
    lastScanResult: Annotated[ScanResult | None, doc("What the last scan found.")] = None
    observedExclusionList: Annotated[tuple[str, ...], doc("The exclusions of the last scan.")] = ()
    lastHandledReconcileAt: Annotated[str, doc("The last request annotation that was acted on.")] = ""
    notifications: StatusNotifications = ()
    problem: StatusProblems = ()


class ImageRepository(ApiStruct, frozen=True, kw_only=True):
    """An image in a registry whose tags are watched."""

    metadata: ObjectMeta
    spec: Annotated[ImageRepositorySpec, doc("What is wanted.")]
    status: Annotated[ImageRepositoryStatus, doc("What is.", default={"observedGeneration": -1})] = (
        ImageRepositoryStatus()
    )
