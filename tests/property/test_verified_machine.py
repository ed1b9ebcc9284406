"""A source that demands signatures, whatever is pushed, edited, lost or unreachable: what it offers was verified.

The reconciler is the one that the operator runs. The mirror below it is in memory: a branch of commits that each know
who signed them; that git, gpg and ssh tell a good signature is held by tests against the real ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sluice.api import git_repository
from sluice.api.git_repository import GitRepository, GitRepositorySpec
from sluice.api.kinds import FINALIZER, REQUESTED_AT, ArtifactStatus, LocalRef, ObjectMeta
from sluice.core import codes
from sluice.core.artifact import Artifact, FileEntry, FileTree
from sluice.core.errors import RemoteError
from sluice.core.ids import NamespacedName
from sluice.core.problem import Problem
from sluice.core.revision import Revision
from sluice.git.refs import ResolvedRef
from sluice.git.verify import SignatureRefused
from sluice.reconcilers.artifacts import Artifacts
from sluice.reconcilers.git_repository import GitRepositoryReconciler
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.source_facts import source_id
from sluice.reconcilers.source_verification import Verification
from sluice.runtime.queue import Turn

KEY = NamespacedName("shop", "fleet")
NOW = datetime(2026, 5, 1, tzinfo=UTC)
SIGNERS = st.sampled_from(["ana", "ana", "bob", "eve", ""])


@dataclass
class World:
    """The repository, and who may sign."""

    signed_by: dict[str, str] = field(default_factory=dict)
    branch: list[str] = field(default_factory=list)
    mirrored: set[str] = field(default_factory=set)
    trusted: set[str] = field(default_factory=lambda: {"ana"})
    is_down: bool = False
    # Commits with the generation and the request for which a good signature was seen.
    good: set[tuple[str, int, str]] = field(default_factory=set)

    def push(self, signer: str) -> None:
        commit = f"{len(self.signed_by) + 1:040x}"
        self.signed_by[commit] = signer
        self.branch.append(commit)


@dataclass
class Mirror:
    """What the reconciler asks of a mirror."""

    world: World

    async def resolve(self, ref: object, *, seconds: float) -> ResolvedRef:
        self._reach()
        return ResolvedRef(Revision.of_commit("main", self.world.branch[-1]), "refs/heads/main")

    async def fetch(self, resolved: ResolvedRef, *, seconds: float) -> None:
        if resolved.commit not in self.world.mirrored:
            self._reach()
            self.world.mirrored.add(resolved.commit)

    fetch_again = fetch

    async def tree(self, commit: str, **_: object) -> FileTree:
        return FileTree((FileEntry("web.yaml", commit, 1),))

    async def commit_info(self, commit: str) -> Any:
        return SimpleNamespace(author="", subject="", committed="", mark=None)

    @property
    def blobs(self) -> Mirror:
        return self

    async def read(self, entries: Sequence[FileEntry]) -> list[bytes]:
        return [b"" for _ in entries]

    def _reach(self) -> None:
        if self.world.is_down:
            raise RemoteError(Problem(codes.REMOTE_UNREACHABLE, "the git host does not answer"))


class Reconciler(GitRepositoryReconciler):
    """With signatures that are known without git."""

    def __init__(self, operator: Operator, world: World) -> None:
        super().__init__(operator)
        self._world = world
        self._signatures = cast("Any", self)

    async def check(self, source: GitRepository, mirror: object, resolved: ResolvedRef, *, seconds: float) -> Any:
        if source.spec.verify is None:
            return None
        world, meta = self._world, source.metadata
        if world.signed_by[resolved.commit] not in world.trusted:
            raise SignatureRefused(Problem(codes.SIGNER_UNKNOWN, "not trusted"), "InvalidCommitSignature")
        world.good.add((resolved.commit, meta.generation, meta.request))
        return Verification("HEAD", "verified")


class Verified(RuleBasedStateMachine):
    """One source."""

    @initialize(signer=SIGNERS, demands=st.booleans())
    def begin(self, signer: str, demands: bool) -> None:
        self.world = World()
        self.world.push(signer)
        self.demands, self.generation, self.request = demands, 1, ""
        self.status: dict[str, Any] = {}
        self.artifacts = Artifacts()
        self.start()

    def start(self) -> None:
        nothing, silent = (lambda *_, **__: None), SimpleNamespace(record=lambda *_, **__: None)
        self.artifacts = Artifacts()
        operator = SimpleNamespace(
            git_repositories=SimpleNamespace(get=lambda *_: self.source, items=lambda: [self.source]),
            git_finalizers=SimpleNamespace(is_on=nothing),
            git_status=SimpleNamespace(write=self.report),
            git_events=silent,
            kustomizations=SimpleNamespace(items=list),
            artifacts=self.artifacts,
            artifact_host="localhost",
            store=self,
            mirrors=SimpleNamespace(open=lambda *_: Mirror(self.world), remove_unused=self.nothing),
            signed_history=None,
            github_apps=None,
            fluxd_metrics=None,
            poll_jitter=lambda: 0.0,
            now=lambda: NOW,
            told=self.nothing,
        )
        self.reconciler = Reconciler(cast("Operator", operator), self.world)

    @property
    def source(self) -> GitRepository:
        annotations = {REQUESTED_AT: self.request} if self.request else {}
        verify = git_repository.Verification(mode="HEAD", secretRef=LocalRef(name="keys")) if self.demands else None
        found = GitRepository(
            metadata=ObjectMeta(
                name=KEY.name, namespace=KEY.namespace, generation=self.generation, annotations=annotations,
                finalizers=(FINALIZER,),
            ),
            spec=GitRepositorySpec(url="https://git.example/fleet", interval="1m", verify=verify),
        )  # fmt: skip
        known: ArtifactStatus | None = self.status.get("artifact")
        return msgspec.structs.replace(found, status=msgspec.structs.replace(found.status, artifact=known))

    async def report(self, key: object, status: dict[str, Any], present: object) -> None:
        self.status |= status

    async def nothing(self, *_: object) -> None:
        pass

    async def find(self, *_: object, **__: object) -> None:
        """The store has lost it."""

    async def put(self, source: Any, revision: Revision, tree: FileTree, blobs: Any, *, now: datetime) -> Artifact:
        return Artifact(source, revision, f"sha256:{revision.hex}", 1, "a.tar.gz", "2026-05-01T00:00:00Z", tree, blobs)

    # --- what happens -------------------------------------------------------------------------------------------

    @rule(signer=SIGNERS)
    def push(self, signer: str) -> None:
        """Somebody commits, and signs or not."""
        self.world.push(signer)

    @precondition(lambda self: len(self.world.branch) > 1)
    @rule()
    def rewrite(self) -> None:
        """The branch is forced back."""
        self.world.branch.pop()

    @rule(key=st.sampled_from(["ana", "bob"]))
    def change_keys(self, key: str) -> None:
        """A key is taken out of the Secret, or put in."""
        self.world.trusted ^= {key}

    @rule(demands=st.booleans())
    def edit(self, demands: bool) -> None:
        """A person edits the spec."""
        self.demands = demands
        self.generation += 1

    @rule()
    def ask(self) -> None:
        """A person asks for a turn."""
        self.request = str(int(self.request or "0") + 1)

    @rule(is_down=st.booleans())
    def reach(self, is_down: bool) -> None:
        """The git host goes, or comes back."""
        self.world.is_down = is_down

    @rule()
    def restart(self) -> None:
        """The process dies; status and mirror stay."""
        self.start()

    @rule()
    def turn(self) -> None:
        """The source's turn. What it offers then was verified: as the spec asks now, if it could ask at all."""
        asyncio.run(self.reconciler.reconcile(Turn(KEY, asyncio.Semaphore(1))))
        offered = self.artifacts.get(source_id(KEY))
        if offered is None or not self.demands:
            return
        commit = offered.revision.hex
        if self.world.is_down:
            assert commit in {each for each, *_ in self.world.good}, "nobody has ever verified it"
        else:
            assert (commit, self.generation, self.request) in self.world.good, "it is not verified as the spec asks"

    @rule()
    def come_to_rest(self) -> None:
        """L1: what is signed by who is trusted is offered once the host answers."""
        self.world.is_down = False
        self.ask()
        self.turn()
        offered, head = self.artifacts.get(source_id(KEY)), self.world.branch[-1]
        if not self.demands or self.world.signed_by[head] in self.world.trusted:
            assert offered is not None
            assert offered.revision.hex == head

    @invariant()
    def status_and_offer_agree(self) -> None:
        """I10: the revision that status tells was offered, byte for byte."""
        told: ArtifactStatus | None = self.status.get("artifact") if hasattr(self, "status") else None
        assert told is None or told.digest == f"sha256:{told.revision.rpartition(':')[2]}"


TestVerified = Verified.TestCase
TestVerified.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
