"""GitRepository source.toolkit.fluxcd.io/v1: a place desired state comes from."""

from __future__ import annotations

from typing import Annotated

from sluice.api.kinds import ApiStruct, ArtifactStatus, Condition, LocalRef, ObjectMeta
from sluice.api.notification_intent import StatusNotifications
from sluice.api.problem_status import StatusProblems
from sluice.api.schema import AGE, DURATION, DURATION_WITHOUT_HOURS, READY, STATUS, Column, Definition, cel, doc

GROUP = "source.toolkit.fluxcd.io"
VERSION = "v1"
KIND = "GitRepository"

DEFINITION = Definition(
    group=GROUP,
    version=VERSION,
    kind=KIND,
    plural="gitrepositories",
    short_names=("gitrepo",),
    category="fluxcd-sources",
    columns=(Column("URL", ".spec.url"), AGE, READY, STATUS),
)

_IDENTITY_RULE = cel(
    "!has(self.serviceAccountName) || (has(self.provider) && (self.provider == 'azure' || self.provider == 'aws'))",
    "serviceAccountName can only be set when provider is 'azure' or 'aws'",
)


class GitRef(ApiStruct, frozen=True, kw_only=True):
    """What to follow. Precedence: commit > name > semver > tag > branch; nothing set means branch master."""

    branch: Annotated[str, doc("Branch to follow; master when nothing else is set.")] = ""
    tag: Annotated[str, doc("Tag to follow; goes before branch.")] = ""
    semver: Annotated[str, doc("Range of versions, of which the newest tag is followed; goes before tag.")] = ""
    name: Annotated[str, doc("Full reference, like refs/pull/420/head; goes before semver.")] = ""
    commit: Annotated[str, doc("Full commit hash; goes before all others. With branch, where to look for it.")] = ""


class Verification(ApiStruct, frozen=True, kw_only=True):
    """Which signatures a revision must carry."""

    secretRef: Annotated[LocalRef, doc("Secret with trusted public keys, under names ending in .asc or .sshpub.")]
    mode: Annotated[
        str,
        doc(
            "What must be signed: the commit, the tag, or both.",
            enum=["head", "HEAD", "Tag", "TagAndHEAD"],
            default="HEAD",
        ),
    ] = "HEAD"


class Include(ApiStruct, frozen=True, kw_only=True):
    """Copies another GitRepository's artifact below `toPath` (default: the repository's name)."""

    repository: Annotated[LocalRef, doc("The GitRepository to take files from.")]
    fromPath: Annotated[str, doc("Folder to copy; the whole artifact when unset.")] = ""
    toPath: Annotated[str, doc("Folder to copy to; the repository's name when unset.")] = ""


class GitRepositorySpec(ApiStruct, frozen=True, kw_only=True):
    """Where the repository is, what of it is wanted, and how often it is looked at."""

    url: Annotated[str, doc("Address of the repository: http, https or ssh.", pattern="^(http|https|ssh)://.*$")]
    interval: Annotated[str, doc("How often to look for a new revision.", pattern=DURATION)]
    timeout: Annotated[str, doc("Time one git operation may take.", pattern=DURATION_WITHOUT_HOURS, default="60s")] = (
        "60s"
    )
    secretRef: Annotated[
        LocalRef | None,
        doc("Secret with username and password, bearerToken, or identity and known_hosts; ca.crt for a private CA."),
    ] = None
    provider: Annotated[
        str,
        doc("Who gives the credentials; generic when unset.", enum=["generic", "aws", "azure", "github"]),
    ] = ""
    serviceAccountName: Annotated[str, doc("ServiceAccount whose cloud identity is used.")] = ""
    ref: Annotated[GitRef | None, doc("What to follow; branch master when unset.")] = None
    verify: Annotated[Verification | None, doc("Signatures that a revision must carry.")] = None
    ignore: Annotated[str | None, doc("Files to leave out, in gitignore's form, in place of the usual ones.")] = None
    suspend: Annotated[bool, doc("Stop looking for new revisions.")] = False
    recurseSubmodules: Annotated[bool, doc("Fetch submodules too.")] = False
    include: Annotated[tuple[Include, ...], doc("Other repositories whose files are added.")] = ()
    proxySecretRef: Annotated[LocalRef | None, doc("Secret with the address and credentials of a proxy.")] = None
    sparseCheckout: Annotated[tuple[str, ...], doc("Folders to take; all when unset.")] = ()


class GitRepositoryStatus(ApiStruct, frozen=True, kw_only=True):
    """What was last fetched, and how the last try went."""

    observedGeneration: Annotated[int, doc("The generation that was last acted on.")] = 0
    conditions: Annotated[tuple[Condition, ...], doc("How the source is.")] = ()
    artifact: Annotated[ArtifactStatus | None, doc("What was last fetched and stored.")] = None
    includedArtifacts: Annotated[tuple[ArtifactStatus, ...], doc("What was included in the artifact.")] = ()
    observedIgnore: Annotated[str | None, doc("The ignore rules that the artifact was made with.")] = None
    observedRecurseSubmodules: Annotated[bool, doc("Whether the artifact has submodules.")] = False
    observedInclude: Annotated[tuple[Include, ...], doc("The includes that the artifact was made with.")] = ()
    observedSparseCheckout: Annotated[tuple[str, ...], doc("The folders that the artifact was made from.")] = ()
    sourceVerificationMode: Annotated[str, doc("Which signatures were verified.")] = ""
    lastHandledReconcileAt: Annotated[str, doc("The last request annotation that was acted on.")] = ""
    notifications: StatusNotifications = ()
    problem: StatusProblems = ()


class GitRepository(ApiStruct, frozen=True, kw_only=True):
    """A git repository that desired state comes from."""

    metadata: ObjectMeta
    spec: Annotated[GitRepositorySpec, doc("What is wanted.", **{"x-kubernetes-validations": [_IDENTITY_RULE]})]
    status: Annotated[GitRepositoryStatus, doc("What is.", default={"observedGeneration": -1})] = GitRepositoryStatus()
