"""ImageUpdateAutomation image.toolkit.fluxcd.io/v1: chosen images are written into files of a git repository."""

from __future__ import annotations

from typing import Annotated

from sluice.api.git_repository import GitRef
from sluice.api.image_policy import ImageRef
from sluice.api.kinds import IMAGE_GROUP, ApiStruct, Condition, LocalRef, ObjectMeta
from sluice.api.notification_intent import StatusNotifications
from sluice.api.problem_status import StatusProblems
from sluice.api.schema import AGE, DURATION, READY, STATUS, Column, Definition, doc
from sluice.core.ids import NamespacedName

GROUP = IMAGE_GROUP
VERSION = "v1"
KIND = "ImageUpdateAutomation"

DEFINITION = Definition(
    group=GROUP,
    version=VERSION,
    kind=KIND,
    plural="imageupdateautomations",
    short_names=("iua", "imgupd", "imgauto"),
    category="fluxcd-images",
    columns=(READY, STATUS, Column("Last run", ".status.lastAutomationRunTime", priority=1), AGE),
)


class AutomationSourceRef(ApiStruct, frozen=True, kw_only=True):
    """The GitRepository that says where the repository is and with what credentials it is read and written."""

    kind: Annotated[str, doc("Kind of the source.", enum=["GitRepository"], default="GitRepository")]
    name: Annotated[str, doc("Name of the source.")]
    namespace: Annotated[str, doc("Namespace of the source; the automation's own when unset.")] = ""
    apiVersion: Annotated[str, doc("API version of the source.")] = ""


class LabelRequirement(ApiStruct, frozen=True, kw_only=True):
    """One requirement of a label selector."""

    key: Annotated[str, doc("Key of the label.")]
    operator: Annotated[str, doc("In, NotIn, Exists or DoesNotExist.")]
    values: Annotated[tuple[str, ...], doc("Values for In and NotIn; none for the others.")] = ()


class LabelSelector(ApiStruct, frozen=True, kw_only=True):
    """Kubernetes' label selector: all of it must hold."""

    matchLabels: Annotated[dict[str, str], doc("Labels with their values.")] = {}
    matchExpressions: Annotated[tuple[LabelRequirement, ...], doc("Requirements.")] = ()


class GitCheckout(ApiStruct, frozen=True, kw_only=True):
    """What of the repository is read."""

    ref: Annotated[GitRef, doc("Branch, tag or commit to start from.")]


class CommitUser(ApiStruct, frozen=True, kw_only=True):
    """Who a commit is by."""

    email: Annotated[str, doc("E-mail address.")]
    name: Annotated[str, doc("Name.")] = ""


class SigningKey(ApiStruct, frozen=True, kw_only=True):
    """The key that commits are signed with."""

    secretRef: Annotated[
        LocalRef, doc("Secret with git.asc (and passphrase) for gpg, or identity (and password) for ssh.")
    ]
    type: Annotated[str, doc("Kind of the key; gpg when unset.", enum=["gpg", "ssh"])] = ""


class CommitSpec(ApiStruct, frozen=True, kw_only=True):
    """How a commit is made."""

    author: Annotated[CommitUser, doc("Who the commits are by.")]
    signingKey: Annotated[SigningKey | None, doc("Key to sign commits with.")] = None
    messageTemplate: Annotated[str, doc("Template of the commit message, as Go's text/template with Sprig.")] = ""
    messageTemplateValues: Annotated[dict[str, str], doc("Values that the template has as `.Values`.")] = {}


class PushSpec(ApiStruct, frozen=True, kw_only=True):
    """Where commits go."""

    branch: Annotated[str, doc("Branch to push to; it is made when there is none. The checked-out one when unset.")] = (
        ""
    )
    refspec: Annotated[str, doc("Refspec to push with, beside the branch when both are set.")] = ""
    options: Annotated[dict[str, str], doc("Push options for the server.")] = {}


class GitSpec(ApiStruct, frozen=True, kw_only=True):
    """What is read, how it is committed, and where it goes."""

    commit: Annotated[CommitSpec, doc("How commits are made.")]
    checkout: Annotated[GitCheckout | None, doc("What to start from; the GitRepository's own ref when unset.")] = None
    push: Annotated[PushSpec | None, doc("Where commits go; back to what was checked out when unset.")] = None


class UpdateStrategy(ApiStruct, frozen=True, kw_only=True):
    """How files are changed."""

    strategy: Annotated[str, doc("Setters: values with a marker comment.", enum=["Setters"], default="Setters")] = (
        "Setters"
    )
    path: Annotated[str, doc("Folder whose files are changed; the whole repository when unset.")] = ""


class ImageUpdateAutomationSpec(ApiStruct, frozen=True, kw_only=True):
    """Which policies are written into which files of which repository."""

    sourceRef: Annotated[AutomationSourceRef, doc("The GitRepository whose files are changed.")]
    interval: Annotated[str, doc("How often to look, beside what is told at once.", pattern=DURATION)]
    policySelector: Annotated[
        LabelSelector | None, doc("Which policies of the namespace are used; all when unset.")
    ] = None
    git: Annotated[GitSpec | None, doc("How commits are made and where they go. Nothing works without it.")] = None
    update: Annotated[UpdateStrategy, doc("How files are changed.", default={"strategy": "Setters"})] = UpdateStrategy()
    suspend: Annotated[bool, doc("Stop changing files.")] = False
    revertFailed: Annotated[
        bool,
        doc(
            "Extension of Sluice: take an image back in git, once, when a workload failed on it; true when unset. "
            "It holds for the branch that is synced."
        ),
    ] = True


class RejectedImage(ApiStruct, frozen=True, kw_only=True):
    """An image that a workload failed on, or that somebody took out of a file again after we had written it."""

    path: Annotated[str, doc("File in the repository.")]
    policy: Annotated[str, doc("The policy that chose the image.")]
    image: Annotated[str, doc("The image. Another one that the policy chooses is written.")]
    object: Annotated[str, doc("The object that failed on it; unset for what somebody took out.")] = ""
    reason: Annotated[str, doc("What the object said.")] = ""
    commit: Annotated[str, doc("The commit that was undone.")] = ""


class ImageUpdateAutomationStatus(ApiStruct, frozen=True, kw_only=True):
    """What was last written, and how the last try went."""

    conditions: Annotated[tuple[Condition, ...], doc("How the automation is.")] = ()
    observedGeneration: Annotated[int, doc("The generation that was last acted on.")] = 0
    lastAutomationRunTime: Annotated[str, doc("When it last ran to its end.", format="date-time")] = ""
    lastPushCommit: Annotated[str, doc("The last commit that it pushed.")] = ""
    lastPushTime: Annotated[str, doc("When it last pushed.", format="date-time")] = ""
    observedPolicies: Annotated[dict[str, ImageRef], doc("The images of the policies at the last run.")] = {}
    observedSourceRevision: Annotated[str, doc("The revision of the repository at the last run.")] = ""
    lastHandledReconcileAt: Annotated[str, doc("The last request annotation that was acted on.")] = ""
    problem: StatusProblems = ()
    rejectedImages: Annotated[
        tuple[RejectedImage, ...],
        doc("Extension of Sluice: images that failed, or that somebody took out again; they stay out."),
    ] = ()
    notifications: StatusNotifications = ()


class ImageUpdateAutomation(ApiStruct, frozen=True, kw_only=True):
    """Writes the images that policies choose into files of a git repository."""

    metadata: ObjectMeta
    spec: Annotated[ImageUpdateAutomationSpec, doc("What is wanted.")]
    status: Annotated[ImageUpdateAutomationStatus, doc("What is.", default={"observedGeneration": -1})] = (
        ImageUpdateAutomationStatus()
    )

    @property
    def source(self) -> NamespacedName:
        """The key of the GitRepository that it refers to."""
        ref = self.spec.sourceRef
        return NamespacedName(ref.namespace or self.metadata.namespace, ref.name)
