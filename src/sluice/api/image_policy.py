"""ImagePolicy image.toolkit.fluxcd.io/v1: which of an image's tags is the one to run."""

from __future__ import annotations

from typing import Annotated

from sluice.api.kinds import IMAGE_GROUP, ApiStruct, Condition, ObjectMeta
from sluice.api.notification_intent import StatusNotifications
from sluice.api.problem_status import StatusProblems
from sluice.api.schema import AGE, DURATION, READY, STATUS, Column, Definition, cel, doc
from sluice.core.ids import NamespacedName

GROUP = IMAGE_GROUP
VERSION = "v1"
KIND = "ImagePolicy"

DEFINITION = Definition(
    group=GROUP,
    version=VERSION,
    kind=KIND,
    plural="imagepolicies",
    short_names=("imgpol", "imagepol"),
    category="fluxcd-images",
    columns=(
        Column("Image", ".status.latestRef.name"),
        Column("Tag", ".status.latestRef.tag"),
        READY,
        STATUS,
        AGE,
    ),
)

_INTERVAL_RULES = [
    cel(
        "!has(self.interval) || (has(self.digestReflectionPolicy) && self.digestReflectionPolicy == 'Always')",
        "spec.interval is only accepted when spec.digestReflectionPolicy is set to 'Always'",
    ),
    cel(
        "has(self.interval) || !has(self.digestReflectionPolicy) || self.digestReflectionPolicy != 'Always'",
        "spec.interval must be set when spec.digestReflectionPolicy is set to 'Always'",
    ),
]
_ORDER = doc("Which end of the order is the newest: the last (asc), or the first.", enum=["asc", "desc"], default="asc")


class ImageRepositoryRef(ApiStruct, frozen=True, kw_only=True):
    """The ImageRepository whose tags are chosen from."""

    name: Annotated[str, doc("Name of the ImageRepository.")]
    namespace: Annotated[str, doc("Its namespace; the policy's own when unset. Its accessFrom must allow it.")] = ""


class SemVerPolicy(ApiStruct, frozen=True, kw_only=True):
    """The highest version of a range."""

    range: Annotated[str, doc("Range of versions; prereleases only when it names one: `>=1.0.0-0`.")]


class AlphabeticalPolicy(ApiStruct, frozen=True, kw_only=True):
    """The last tag, or the first, in the order of the alphabet."""

    order: Annotated[str, _ORDER] = "asc"


class NumericalPolicy(ApiStruct, frozen=True, kw_only=True):
    """The greatest number, or the smallest. Every tag must be one."""

    order: Annotated[str, _ORDER] = "asc"


class BuildTimePolicy(ApiStruct, frozen=True, kw_only=True):
    """The image that was built last, or first, by the creation time of its configuration."""

    order: Annotated[str, _ORDER] = "asc"


class ImagePolicyChoice(ApiStruct, frozen=True, kw_only=True):
    """How the newest tag is told from the others: exactly one of the fields."""

    semver: Annotated[SemVerPolicy | None, doc("Choose the highest version of a range.")] = None
    alphabetical: Annotated[AlphabeticalPolicy | None, doc("Choose by the alphabet.")] = None
    numerical: Annotated[NumericalPolicy | None, doc("Choose by number.")] = None
    buildTime: Annotated[
        BuildTimePolicy | None,
        doc("Extension of Sluice: choose by the time at which the image was built, which costs a request per tag."),
    ] = None


class TagFilter(ApiStruct, frozen=True, kw_only=True):
    """Which tags take part, and what of them is compared."""

    pattern: Annotated[str, doc("Regular expression (RE2) that a tag must match; unanchored.")] = ""
    extract: Annotated[str, doc("What is compared in place of the tag: a template of the pattern's groups, `$ts`.")] = (
        ""
    )


class ImagePolicySpec(ApiStruct, frozen=True, kw_only=True):
    """Where the tags come from, and which of them is wanted."""

    imageRepositoryRef: Annotated[ImageRepositoryRef, doc("The ImageRepository whose tags are chosen from.")]
    policy: Annotated[ImagePolicyChoice, doc("How the newest tag is told from the others.")]
    filterTags: Annotated[TagFilter | None, doc("Which tags take part; all when unset.")] = None
    digestReflectionPolicy: Annotated[
        str,
        doc(
            "Whether the chosen tag's digest is reported: never, once when the tag changes, or each interval.",
            enum=["Always", "IfNotPresent", "Never"],
            default="Never",
        ),
    ] = "Never"
    interval: Annotated[
        str, doc("How often the digest is looked up again, with digestReflectionPolicy Always.", pattern=DURATION)
    ] = ""
    suspend: Annotated[bool, doc("Stop choosing; what was chosen stays.")] = False


class ImageRef(ApiStruct, frozen=True, kw_only=True):
    """An image with its tag."""

    name: Annotated[str, doc("Name of the image, without tag.")]
    tag: Annotated[str, doc("Tag of the image.")]
    digest: Annotated[str, doc("Digest of the image.")] = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.tag}" + (f"@{self.digest}" if self.digest else "")


class ImagePolicyStatus(ApiStruct, frozen=True, kw_only=True):
    """What was last chosen, and how the last try went."""

    conditions: Annotated[tuple[Condition, ...], doc("How the choice is.")] = ()
    observedGeneration: Annotated[int, doc("The generation that was last acted on.")] = 0
    latestRef: Annotated[ImageRef | None, doc("The image that the policy chose.")] = None
    observedPreviousRef: Annotated[ImageRef | None, doc("The image that it had chosen before that.")] = None
    lastHandledReconcileAt: Annotated[str, doc("The last request annotation that was acted on.")] = ""
    notifications: StatusNotifications = ()
    problem: StatusProblems = ()


class ImagePolicy(ApiStruct, frozen=True, kw_only=True):
    """Which of an image's tags is the one to run."""

    metadata: ObjectMeta
    spec: Annotated[ImagePolicySpec, doc("What is wanted.", **{"x-kubernetes-validations": _INTERVAL_RULES})]
    status: Annotated[ImagePolicyStatus, doc("What is.", default={"observedGeneration": -1})] = ImagePolicyStatus()

    @property
    def repository(self) -> NamespacedName:
        """The key of the ImageRepository that it refers to."""
        ref = self.spec.imageRepositoryRef
        return NamespacedName(ref.namespace or self.metadata.namespace, ref.name)
