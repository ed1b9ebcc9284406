"""GitRepository source.toolkit.fluxcd.io/v1: a place desired state comes from."""

from __future__ import annotations

from sluice.api.kinds import ApiStruct, ArtifactStatus, Condition, LocalRef, ObjectMeta

GROUP = "source.toolkit.fluxcd.io"
VERSION = "v1"
KIND = "GitRepository"


class GitRef(ApiStruct, frozen=True, kw_only=True):
    """What to follow. Precedence: commit > name > semver > tag > branch; nothing set means branch master."""

    branch: str = ""
    tag: str = ""
    semver: str = ""
    name: str = ""
    commit: str = ""


class Verification(ApiStruct, frozen=True, kw_only=True):
    secretRef: LocalRef
    mode: str = "HEAD"


class Include(ApiStruct, frozen=True, kw_only=True):
    """Copies another GitRepository's artifact below `toPath` (default: the repository's name)."""

    repository: LocalRef
    fromPath: str = ""
    toPath: str = ""


class GitRepositorySpec(ApiStruct, frozen=True, kw_only=True):
    url: str
    interval: str
    timeout: str = "60s"
    secretRef: LocalRef | None = None
    provider: str = ""
    serviceAccountName: str = ""
    ref: GitRef | None = None
    verify: Verification | None = None
    ignore: str | None = None
    suspend: bool = False
    recurseSubmodules: bool = False
    include: tuple[Include, ...] = ()
    proxySecretRef: LocalRef | None = None
    sparseCheckout: tuple[str, ...] = ()


class GitRepositoryStatus(ApiStruct, frozen=True, kw_only=True):
    observedGeneration: int = 0
    conditions: tuple[Condition, ...] = ()
    artifact: ArtifactStatus | None = None
    includedArtifacts: tuple[ArtifactStatus, ...] = ()
    observedIgnore: str | None = None
    observedRecurseSubmodules: bool = False
    observedInclude: tuple[Include, ...] = ()
    observedSparseCheckout: tuple[str, ...] = ()
    sourceVerificationMode: str = ""
    lastHandledReconcileAt: str = ""


class GitRepository(ApiStruct, frozen=True, kw_only=True):
    metadata: ObjectMeta
    spec: GitRepositorySpec
    status: GitRepositoryStatus = GitRepositoryStatus()
