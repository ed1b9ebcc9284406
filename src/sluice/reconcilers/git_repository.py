"""GitRepository → Artifact: one ls-remote a poll, a fetch of what is new, a tree without a checkout, a tarball."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import msgspec
import structlog

from sluice.api.git_repository import GitRepository
from sluice.api.kinds import FINALIZER
from sluice.api.validate_git_repository import validate_git_repository
from sluice.core.artifact import Artifact
from sluice.core.duration import parse_duration
from sluice.core.errors import AuthenticationFailed, SluiceError, StateError, UserError
from sluice.core.ids import NamespacedName
from sluice.core.problem import Problem
from sluice.core.revision import Revision
from sluice.core.schedule import backoff, next_interval
from sluice.core.timestamp import rfc3339
from sluice.git.mirror import Mirror
from sluice.git.refs import ResolvedRef, wanted_of
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.source_facts import source_id, subject_of
from sluice.reconcilers.source_remote import Access, SourceRemotes
from sluice.reconcilers.source_report import SourceReport
from sluice.reconcilers.source_tree import Includes, included_in, includes_of, read_tree, told
from sluice.reconcilers.source_verification import SourceVerification, Verification
from sluice.reconcilers.source_verification import reason_of as unverified_reason
from sluice.runtime import tracing
from sluice.runtime.queue import Turn

# Each is an event: a tree with thousands of such paths is told of by the first few.
MOST_WARNINGS = 5
log = structlog.get_logger()


@dataclass(slots=True)
class _Memory:
    """What is remembered of one source between turns, so that a poll which finds nothing new asks for nothing else."""

    inputs: bytes = b""
    access: Access = field(default_factory=Access)
    failures: int = 0
    # What the last verification was made for, and what it said; and the revision that was let through, by which asking.
    verified_for: tuple[object, ...] = ()
    verification: Verification | None = None
    verified: tuple[str, int, str] = ("", 0, "")
    refused: str = ""


class GitRepositoryReconciler:
    """Keeps the artifact of every GitRepository at what its remote says."""

    def __init__(self, operator: Operator) -> None:
        self._op = operator
        self._memory: dict[NamespacedName, _Memory] = {}
        self._remotes = SourceRemotes(operator)
        self._signatures = SourceVerification(operator)
        self._report = SourceReport(operator)

    async def reconcile(self, turn: Turn[NamespacedName]) -> float | None:
        """One turn. Returns the seconds until the next."""
        key = turn.key
        source = self._op.git_repositories.get(key.namespace, key.name)
        if source is None:
            await self._forget(key)
            self._op.git_finalizers.forget(key)
            return None
        if source.metadata.deletionTimestamp:
            await self._forget(key)
            if self._op.git_finalizers.is_on(source.metadata):
                await self._op.git_finalizers.remove(source.metadata)
            return None
        if FINALIZER not in source.metadata.finalizers:
            await self._op.git_finalizers.add(source.metadata)
        memory = self._memory.setdefault(key, _Memory())
        try:
            if source.spec.suspend:
                await self._restore(source, memory)
                return None
            with tracing.span("fetch"):
                artifact, fresh = await self._fetch(source, memory)
        except SluiceError as error:
            if source.spec.verify is not None:
                await self._keep_verified(source, memory, error)
            memory.failures += 1
            if await self._report.failure(source, error):
                return None
            return min(backoff(memory.failures), max(parse_duration(source.spec.interval), 1.0))
        memory.failures = 0
        if fresh:
            tracing.about(str(artifact.source), str(artifact.revision), fetched=True)
        await self._remotes.tidy(memory.access, self._accesses())
        included = [
            found for include in source.spec.include if (found := included_in(source, include, self._op.artifacts))
        ]
        self._op.artifacts.put(artifact)
        await self._report.success(source, artifact, memory.verification, included, fresh=fresh)
        return next_interval(parse_duration(source.spec.interval), self._op.poll_jitter())

    async def fetch(self, source: GitRepository) -> Artifact:
        """Fetch what the spec names now, once, and tell nobody. Raises as a turn would report."""
        artifact, _ = await self._fetch(source, _Memory())
        return artifact

    async def earlier(self, source: GitRepository, revision: Revision, head: Revision | None = None) -> Artifact:
        """An earlier revision of what the source follows, without a tarball: only for a render.

        With `head`, the one the source stands at, it is proved to be in its history: raises UserError (BadCommit)
        when it is not. Without, the caller knows that the source was there. Raises what a turn would report.
        """
        wanted, seconds = wanted_of(source.spec.ref), parse_duration(source.spec.timeout)
        mirror = await self._remotes.open(source, Access())
        if head is not None:
            ref = wanted.ref or f"refs/tags/{head.name}"
            resolved = ResolvedRef(revision, ref, head=head.hex)
            await mirror.fetch_earlier(resolved, seconds=seconds)
        else:
            ref = wanted.ref or (f"refs/tags/{revision.name}" if revision.name else "")
            resolved = ResolvedRef(revision, ref)
            await mirror.fetch_again(resolved, seconds=seconds)
        await self._signatures.check(source, mirror, resolved, seconds=seconds)
        tree, blobs, _ = await read_tree(source, mirror, resolved, includes_of(source, self._op.artifacts))
        now = rfc3339(self._op.now())
        return await told(Artifact(source_id(source.metadata.key), revision, "", 0, "", now, tree, blobs), mirror)

    async def mirror_of(self, source: GitRepository) -> Mirror:
        """The mirror that the source is fetched into, for those who read other refs of it, or write to it.

        Raises UserError for a spec or Secret that can't be used, AuthenticationFailed when a Secret is missing.
        """
        problems = validate_git_repository(source)
        if problems:
            raise UserError(*problems)
        memory = self._memory.setdefault(source.metadata.key, _Memory())
        return await self._remotes.open(source, memory.access)

    def gate_of(self, source: GitRepository, mirror: Mirror) -> Callable[[str], Awaitable[bool]] | None:
        """Says of a commit whether its signature is good; None where commits of the source need none."""
        return self._signatures.gate(source, mirror)

    async def refusal_of(
        self, source: GitRepository, mirror: Mirror, head: ResolvedRef, seconds: float
    ) -> tuple[Problem, str] | None:
        """Why a fetched head is not synced for want of a signature, and the commit verified last; None when it is."""
        return await self._signatures.refusal(source, mirror, head, seconds=seconds)

    async def require_history(self, source: GitRepository, mirror: Mirror, commit: str, seconds: float) -> None:
        """Raises UserError (SignatureRequired) for a head that flags keep from being synced; see SourceVerification."""
        await self._signatures.require_history(source, mirror, commit, seconds=seconds)

    def read_secret_again(self, key: NamespacedName) -> None:
        """The Secret of a source is known to have changed: its next turn reads it."""
        memory = self._memory.get(key)
        if memory is not None:
            memory.access.auth = None

    async def _forget(self, key: NamespacedName) -> None:
        self._memory.pop(key, None)
        self._op.git_status.forget(key)
        identity = source_id(key)
        if self._op.artifacts.get(identity) is not None:
            self._op.artifacts.remove(identity)
            await self._op.store.remove(identity)

    def _accesses(self) -> Iterator[Access | None]:
        for source in self._op.git_repositories.items():
            memory = self._memory.get(source.metadata.key)
            yield memory.access if memory is not None else None

    # --- observe and act ----------------------------------------------------------------------------------------

    async def _fetch(self, source: GitRepository, memory: _Memory) -> tuple[Artifact, bool]:
        problems = validate_git_repository(source)
        if problems:
            raise UserError(*problems)
        seconds = parse_duration(source.spec.timeout)
        try:
            mirror = await self._remotes.open(source, memory.access)
            resolved = await mirror.resolve(source.spec.ref, seconds=seconds)
        except AuthenticationFailed:
            self._remotes.refused(memory.access)
            raise
        includes = includes_of(source, self._op.artifacts)
        current = self._op.artifacts.get(source_id(source.metadata.key))
        await mirror.fetch(resolved, seconds=seconds)  # costs a look at the disk when the commit is there
        if self._op.signed_history is not None:
            resolved = await self._last_verified(source, mirror, resolved, memory, seconds)
        else:
            await self._verify(source, mirror, resolved, memory, seconds)
        inputs = _digest(source, resolved, includes)
        if current is not None and memory.inputs == inputs:
            return current, False
        artifact = await self._store(source, mirror, resolved, includes)
        memory.inputs = inputs
        return artifact, current is None or current.digest != artifact.digest

    async def _verify(
        self, source: GitRepository, mirror: Mirror, resolved: ResolvedRef, memory: _Memory, seconds: float
    ) -> None:
        """Return when the revision may be used. Nothing is asked again while it, spec and requests stay the same."""
        meta = source.metadata
        asked = (meta.generation, meta.request, resolved.commit, resolved.tag_object)
        if memory.verified_for != asked:
            memory.verified_for = ()
            memory.verification = await self._signatures.check(source, mirror, resolved, seconds=seconds)
            memory.verified_for = asked
            if memory.verification is not None:
                memory.verified = _let_through(source, resolved.revision)

    async def _last_verified(
        self, source: GitRepository, mirror: Mirror, head: ResolvedRef, memory: _Memory, seconds: float
    ) -> ResolvedRef:
        """The head, or the newest commit before the first that is not signed as flags ask, which is told once."""
        if memory.verified_for == (head.commit,):
            return head
        since = self._signatures.marker(source)
        found = await self._signatures.last_verified(mirror, head, since, seconds=seconds)
        if found.refused is None:
            memory.verified_for = (head.commit,)
        elif memory.refused != head.commit:
            memory.refused = head.commit
            self._op.git_events.record(subject_of(source), "Warning", "InvalidCommitSignature", str(found.refused))
            log.warning("found invalid GPG signature for commit", head=head.commit, error=str(found.refused))
        return found.resolved

    async def _keep_verified(self, source: GitRepository, memory: _Memory, error: SluiceError) -> None:
        """After a failure: the last verified artifact stays, also over a restart; one that nobody verified goes.

        After a refusal, so does one that an earlier spec or request let through, and that the keys of today refuse.
        """
        identity = source_id(source.metadata.key)
        current, known = self._op.artifacts.get(identity), source.status.artifact
        refused, seconds = bool(unverified_reason(error)), parse_duration(source.spec.timeout)
        if current is not None and _let_through(source, current.revision) == memory.verified:
            return
        if not refused and (current is None or str(current.revision) == memory.verified[0]):
            return
        try:
            if current is not None:
                resolved = ResolvedRef(current.revision, "")
            elif known is not None:
                resolved = ResolvedRef(Revision.parse(known.revision), "")
            else:
                return
            mirror = await self._remotes.open(source, memory.access)
            await mirror.fetch_again(resolved, seconds=seconds)
            await self._signatures.check(source, mirror, resolved, seconds=seconds)
            memory.verified = _let_through(source, resolved.revision)
            if current is None:
                self._op.artifacts.put(
                    await self._store(source, mirror, resolved, includes_of(source, self._op.artifacts))
                )
        except (SluiceError, ValueError) as either:
            self._op.artifacts.remove(identity)
            log.warning("the last artifact is not verified either", name=source.metadata.name, error=str(either))

    async def _store(
        self,
        source: GitRepository,
        mirror: Mirror,
        resolved: ResolvedRef,
        includes: Includes,
    ) -> Artifact:
        tree, blobs, warnings = await read_tree(source, mirror, resolved, includes)
        identity = source_id(source.metadata.key)
        known = source.status.artifact
        artifact = None
        if known is not None and known.revision == str(resolved.revision):
            artifact = await self._op.store.find(
                identity, resolved.revision, tree, blobs, digest=known.digest, fetched_at=known.lastUpdateTime
            )
        if artifact is None:
            artifact = await self._op.store.put(identity, resolved.revision, tree, blobs, now=self._op.now())
            for warning in warnings[:MOST_WARNINGS]:
                self._op.git_events.record(
                    subject_of(source), "Warning", warning.code.name, str(warning), severity="info"
                )
        return await told(artifact, mirror)

    async def _restore(self, source: GitRepository, memory: _Memory) -> None:
        """A suspended source keeps its artifact over a restart when the mirror still has the commit."""
        known, identity = source.status.artifact, source_id(source.metadata.key)
        if known is None or self._op.artifacts.get(identity) is not None:
            return
        mirror = await self._remotes.open(source, memory.access)
        resolved = ResolvedRef(Revision.parse(known.revision), "")
        try:
            seconds = parse_duration(source.spec.timeout)
            await self._signatures.check(source, mirror, resolved, seconds=seconds)
            artifact = await self._store(source, mirror, resolved, includes_of(source, self._op.artifacts))
        except StateError as error:
            log.warning("suspended source has no artifact on this disk", name=source.metadata.name, error=str(error))
            return
        self._op.artifacts.put(artifact)


def _digest(source: GitRepository, resolved: ResolvedRef, includes: Includes) -> bytes:
    """Names everything that decides what the artifact holds."""
    spec = source.spec
    parts = (
        str(resolved.revision),
        spec.ignore,
        spec.recurseSubmodules,
        spec.sparseCheckout,
        [(i.fromPath, i.toPath, a.digest) for i, a in includes],
    )
    return hashlib.sha256(msgspec.json.encode(parts)).digest()


def _let_through(source: GitRepository, revision: Revision) -> tuple[str, int, str]:
    """Names a revision that was verified as the source asks now."""
    return str(revision), source.metadata.generation, source.metadata.request
