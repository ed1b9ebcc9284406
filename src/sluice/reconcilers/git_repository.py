"""GitRepository → Artifact: one ls-remote a poll, a fetch of what is new, a tree without a checkout, a tarball."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import structlog

from sluice.api.git_repository import GROUP, KIND, VERSION, GitRepository, Include
from sluice.api.kinds import FINALIZER, ArtifactStatus
from sluice.api.problem_status import problem_status
from sluice.api.validate_git_repository import validate_git_repository, warn_git_repository
from sluice.core import codes, condition
from sluice.core.artifact import Artifact, BlobReader, FileEntry, FileTree
from sluice.core.duration import parse_duration
from sluice.core.errors import AuthenticationFailed, NotReady, SluiceError, StateError, UserError
from sluice.core.git_url import GitUrl, parse_url
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.ignore import filter_tree, ignore_files
from sluice.core.include import CombinedBlobs, merge_include
from sluice.core.problem import Problem, cause_of, clip
from sluice.core.revision import Revision
from sluice.core.schedule import backoff, next_interval
from sluice.core.timestamp import rfc3339
from sluice.core.tree_check import attribute_files, attributes_ignored, case_collisions
from sluice.git.auth import NO_AUTH, GitAuth, auth_of_secret, proxy_url
from sluice.git.github_app import GitHubApp, github_app_of
from sluice.git.mirror import Mirror
from sluice.git.refs import ResolvedRef, wanted_of
from sluice.reconcilers.dependencies import readers_of
from sluice.reconcilers.lead_time import reached
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.secret_data import secret_data
from sluice.reconcilers.source_verification import SourceVerification, Verification
from sluice.reconcilers.source_verification import reason_of as unverified_reason
from sluice.runtime import tracing
from sluice.runtime.controller import note_failure
from sluice.runtime.event_recorder import Subject
from sluice.runtime.queue import Turn

STALLED_CODES = frozenset(
    {
        codes.NOT_HONOURED,
        codes.SPEC_INVALID,
        codes.URL_SCHEME,
        codes.URL_SYNTAX,
        codes.URL_BLOCKED,
        codes.REF_SYNTAX,
        codes.PATH_ESCAPE,
        codes.PATH_NOT_ALLOWED,
        codes.FIELD_CONFLICT,
        codes.VERIFY_MODE,
    }
)
# Each is an event: a tree with thousands of such paths is told of by the first few.
MOST_WARNINGS = 5
log = structlog.get_logger()


@dataclass(slots=True)
class _Memory:
    """What is remembered of one source between turns, so that a poll which finds nothing new asks for nothing else."""

    inputs: bytes = b""
    auth: GitAuth | None = None
    auth_for: tuple[int, str] = (-1, "")
    app: GitHubApp | None = None
    remote: tuple[GitUrl, GitAuth] | None = None
    stored_from: tuple[GitUrl, GitAuth] | None = None
    failures: int = 0
    # What the last verification was made for, and what it said; and the revision that it let through.
    verified_for: tuple[object, ...] = ()
    verification: Verification | None = None
    verified: str = ""
    refused: str = ""


class GitRepositoryReconciler:
    """Keeps the artifact of every GitRepository at what its remote says."""

    def __init__(self, operator: Operator) -> None:
        self._op = operator
        self._memory: dict[NamespacedName, _Memory] = {}
        self._signatures = SourceVerification(operator)

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
            if source.spec.verify is not None and unverified_reason(error):
                await self._keep_verified(source, memory, parse_duration(source.spec.timeout))
            return await self._report_failure(source, memory, error)
        memory.failures = 0
        if fresh:
            tracing.about(str(artifact.source), str(artifact.revision), fetched=True)
        await self._tidy(memory)
        await self._report_success(source, artifact, memory, fresh=fresh)
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
        mirror = await self._mirror(source, parse_url(source.spec.url), _Memory())
        if head is not None:
            ref = wanted.ref or f"refs/tags/{head.name}"
            resolved = ResolvedRef(revision, ref, head=head.hex)
            await mirror.fetch_earlier(resolved, seconds=seconds)
        else:
            ref = wanted.ref or (f"refs/tags/{revision.name}" if revision.name else "")
            resolved = ResolvedRef(revision, ref)
            await mirror.fetch_again(resolved, seconds=seconds)
        await self._signatures.check(source, mirror, resolved, seconds=seconds)
        tree, blobs, _ = await self._tree(source, mirror, resolved, self._includes(source))
        now = rfc3339(self._op.now())
        return await _told(Artifact(source_id(source.metadata.key), revision, "", 0, "", now, tree, blobs), mirror)

    async def mirror_of(self, source: GitRepository) -> Mirror:
        """The mirror that the source is fetched into, for those who read other refs of it, or write to it.

        Raises UserError for a spec or Secret that can't be used, AuthenticationFailed when a Secret is missing.
        """
        problems = validate_git_repository(source)
        if problems:
            raise UserError(*problems)
        memory = self._memory.setdefault(source.metadata.key, _Memory())
        return await self._mirror(source, parse_url(source.spec.url), memory)

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
            memory.auth = None

    async def _forget(self, key: NamespacedName) -> None:
        self._memory.pop(key, None)
        self._op.git_status.forget(key)
        identity = source_id(key)
        if self._op.artifacts.get(identity) is not None:
            self._op.artifacts.remove(identity)
            await self._op.store.remove(identity)

    # --- observe and act ----------------------------------------------------------------------------------------

    async def _fetch(self, source: GitRepository, memory: _Memory) -> tuple[Artifact, bool]:
        problems = validate_git_repository(source)
        if problems:
            raise UserError(*problems)
        url = parse_url(source.spec.url)
        seconds = parse_duration(source.spec.timeout)
        try:
            mirror = await self._mirror(source, url, memory)
            resolved = await mirror.resolve(source.spec.ref, seconds=seconds)
        except AuthenticationFailed:
            memory.auth = None  # the Secret may have changed: the next try reads it again
            if memory.app is not None and self._op.github_apps is not None:
                self._op.github_apps.forget(memory.app)
            raise
        includes = self._includes(source)
        inputs = _digest(source, resolved, includes)
        current = self._op.artifacts.get(source_id(source.metadata.key))
        await mirror.fetch(resolved, seconds=seconds)  # costs a look at the disk when the commit is there
        if self._op.signed_history is not None:
            resolved = await self._last_verified(source, mirror, resolved, memory, seconds)
            inputs = _digest(source, resolved, includes)
        else:
            await self._verify(source, mirror, resolved, memory, seconds)
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
            memory.verified = str(resolved.revision) if memory.verification is not None else ""

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

    async def _keep_verified(self, source: GitRepository, memory: _Memory, seconds: float) -> None:
        """After a refusal: the last verified artifact stays, also over a restart; one that nobody verified goes."""
        identity = source_id(source.metadata.key)
        current, known = self._op.artifacts.get(identity), source.status.artifact
        if current is not None and str(current.revision) == memory.verified:
            return
        try:
            if current is not None:
                resolved = ResolvedRef(current.revision, "")
            elif known is not None:
                resolved = ResolvedRef(Revision.parse(known.revision), "")
            else:
                return
            mirror = await self._mirror(source, parse_url(source.spec.url), memory)
            await mirror.fetch_again(resolved, seconds=seconds)
            await self._signatures.check(source, mirror, resolved, seconds=seconds)
            if current is None:
                self._op.artifacts.put(await self._store(source, mirror, resolved, self._includes(source)))
        except (SluiceError, ValueError) as error:
            self._op.artifacts.remove(identity)
            log.warning("the last artifact is not verified either", name=source.metadata.name, error=str(error))

    async def _store(
        self,
        source: GitRepository,
        mirror: Mirror,
        resolved: ResolvedRef,
        includes: tuple[tuple[Include, Artifact], ...],
    ) -> Artifact:
        tree, blobs, warnings = await self._tree(source, mirror, resolved, includes)
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
        return await _told(artifact, mirror)

    async def _tree(
        self,
        source: GitRepository,
        mirror: Mirror,
        resolved: ResolvedRef,
        includes: tuple[tuple[Include, Artifact], ...],
    ) -> tuple[FileTree, BlobReader, tuple[Problem, ...]]:
        spec = source.spec
        tree = await mirror.tree(resolved.commit, submodules=spec.recurseSubmodules, sparse=spec.sparseCheckout)
        blobs: BlobReader = mirror.blobs
        others = [(other.tree, other.blobs) for _, other in includes]
        for include, other in includes:
            tree = merge_include(tree, other.tree, include.fromPath, include.toPath or include.repository.name)
        if others:
            blobs = CombinedBlobs(blobs, others)
        warnings = attributes_ignored(await _with_content(attribute_files(tree), blobs), resolved.revision.hex)
        tree = await _filtered(source, tree, blobs)
        if not tree.entries:
            raise UserError(
                Problem(
                    codes.SOURCE_EMPTY,
                    "no file is left of the repository",
                    cause="the ignore rules or the sparse checkout leave out everything",
                    fix="correct spec.ignore, spec.sparseCheckout or .sourceignore",
                )
            )
        return tree, blobs, (*warnings, *case_collisions(tree, resolved.revision.hex))

    async def _restore(self, source: GitRepository, memory: _Memory) -> None:
        """A suspended source keeps its artifact over a restart when the mirror still has the commit."""
        known, identity = source.status.artifact, source_id(source.metadata.key)
        if known is None or self._op.artifacts.get(identity) is not None:
            return
        url = parse_url(source.spec.url)
        mirror = await self._mirror(source, url, memory)
        resolved = ResolvedRef(Revision.parse(known.revision), "")
        try:
            seconds = parse_duration(source.spec.timeout)
            await self._signatures.check(source, mirror, resolved, seconds=seconds)
            artifact = await self._store(source, mirror, resolved, self._includes(source))
        except StateError as error:
            log.warning("suspended source has no artifact on this disk", name=source.metadata.name, error=str(error))
            return
        self._op.artifacts.put(artifact)

    async def _mirror(self, source: GitRepository, url: GitUrl, memory: _Memory) -> Mirror:
        auth = await self._auth(source, url, memory)
        memory.remote = (url, auth)
        return self._op.mirrors.open(url, auth)

    async def _tidy(self, memory: _Memory) -> None:
        """Once every source has an artifact from where it points now, remove the mirrors that none of them uses."""
        if memory.stored_from == memory.remote:
            return
        memory.stored_from = memory.remote
        everyone = [self._memory.get(source.metadata.key) for source in self._op.git_repositories.items()]
        used = [m.stored_from for m in everyone if m is not None and m.stored_from == m.remote and m.stored_from]
        if len(used) == len(everyone):
            await self._op.mirrors.remove_unused(used)

    async def _auth(self, source: GitRepository, url: GitUrl, memory: _Memory) -> GitAuth:
        spec, meta = source.spec, source.metadata
        asked = (meta.generation, meta.request)
        if memory.auth is None or memory.auth_for != asked:
            data = await self._secret(source, spec.secretRef.name, "secretRef") if spec.secretRef else None
            proxy = (
                await self._secret(source, spec.proxySecretRef.name, "proxySecretRef") if spec.proxySecretRef else None
            )
            if spec.provider == "github":
                memory.app = await asyncio.to_thread(github_app_of, data or {})
                memory.auth = GitAuth(proxy=proxy_url(proxy) if proxy else "")
            else:
                memory.app = None
                memory.auth = auth_of_secret(url, data or {}, proxy=proxy) if data or proxy else NO_AUTH
            memory.auth_for = asked
        if memory.app is None or self._op.github_apps is None:
            return memory.auth
        return await self._op.github_apps.auth(memory.app, self._op.now(), memory.auth.proxy)

    async def _secret(self, source: GitRepository, name: str, field_name: str) -> Mapping[str, bytes]:
        meta = source.metadata
        subject, field = source_id(meta.key), f"spec.{field_name}"
        found = await secret_data(self._op.client, meta.namespace, name, subject=subject, field=field)
        return found.values

    def _included(self, source: GitRepository, include: Include) -> Artifact | None:
        return self._op.artifacts.get(source_id(NamespacedName(source.metadata.namespace, include.repository.name)))

    def _includes(self, source: GitRepository) -> tuple[tuple[Include, Artifact], ...]:
        found = []
        for include in source.spec.include:
            artifact = self._included(source, include)
            if artifact is None:
                raise NotReady(
                    Problem(
                        codes.INCLUDE_UNAVAILABLE,
                        f"included GitRepository {source.metadata.namespace}/{include.repository.name} has no artifact",
                        field="spec.include",
                        cause="it does not exist, or is not ready",
                        fix="create it, or correct the name",
                    )
                )
            found.append((include, artifact))
        return tuple(found)

    # --- report -------------------------------------------------------------------------------------------------

    async def _report_success(self, source: GitRepository, artifact: Artifact, memory: _Memory, *, fresh: bool) -> None:
        stamp = condition.Stamp(source.metadata.generation, rfc3339(self._op.now()))
        message = f"stored artifact for revision '{artifact.revision}'"
        verification = memory.verification
        told = verification.message if verification is not None else ""
        included = [
            artifact_status(found, self._op.artifact_host)
            for include in source.spec.include
            if (found := self._included(source, include)) is not None
        ]
        if self._op.fluxd_metrics is not None:
            self._op.fluxd_metrics.fetched(succeeded=True)
        self._op.artifacts.put(artifact)
        self._tell_success(source, artifact, message, fresh=fresh)
        # Before the status: once it says that this is done, no later process would tell it.
        await self._op.told()
        await self._op.git_status.write(
            source.metadata.key,
            {
                "observedGeneration": source.metadata.generation,
                "conditions": condition.source_verified(
                    condition.source_succeeded(source.status.conditions, message, stamp), told, stamp
                ),
                "problem": None,
                "artifact": artifact_status(artifact, self._op.artifact_host),
                "includedArtifacts": included or None,
                "observedIgnore": source.spec.ignore,
                "observedRecurseSubmodules": source.spec.recurseSubmodules or None,
                "observedInclude": source.spec.include or None,
                "observedSparseCheckout": source.spec.sparseCheckout or None,
                "sourceVerificationMode": verification.mode if verification is not None else None,
                "lastHandledReconcileAt": source.metadata.request or None,
            },
            source.status,
        )

    def _tell_success(self, source: GitRepository, artifact: Artifact, message: str, *, fresh: bool) -> None:
        if source.metadata.generation != source.status.observedGeneration:
            for warning in warn_git_repository(source):
                self._op.git_events.record(subject_of(source), "Warning", "SpecWarning", warning, severity="info")
        if fresh:
            known = source.status.artifact
            if known is not None and known.revision != str(artifact.revision):
                reached("fetched", artifact, self._op.now())
            revision = {f"{GROUP}/revision": str(artifact.revision), f"{GROUP}/digest": artifact.digest}
            self._op.git_events.record(subject_of(source), "Normal", "NewArtifact", message, revision)
            return
        before = condition.find_condition(source.status.conditions, condition.READY)
        if before is not None and before.status == "False":  # it is over, and the revision is the one from before
            self._op.git_events.record(subject_of(source), "Normal", condition.SUCCEEDED, message)

    async def _report_failure(self, source: GitRepository, memory: _Memory, error: SluiceError) -> float | None:
        memory.failures += 1
        note_failure(error.problems)
        if self._op.fluxd_metrics is not None:
            self._op.fluxd_metrics.fetched(succeeded=False)
        stamp = condition.Stamp(source.metadata.generation, rfc3339(self._op.now()))
        stalled = bool(error.problems) and all(_is_of_the_spec(p) for p in error.problems)
        reason = _reason(error)
        waits = readers_of(source_id(source.metadata.key), self._op.kustomizations)
        status: dict[str, Any] = {
            "conditions": self._failure_conditions(source, error, stamp, stalled=stalled),
            "problem": problem_status(error.problems, source.status.problem, stamp.now, waits),
            "lastHandledReconcileAt": source.metadata.request or None,
        }
        if stalled:
            status["observedGeneration"] = source.metadata.generation
        cause = cause_of(error.problems)
        self._op.git_events.record(subject_of(source), "Warning", reason, str(error), cause=cause)
        await self._op.told()
        await self._op.git_status.write(source.metadata.key, status, source.status)
        log.warning("source failed", reason=reason, error=str(error))
        if stalled:
            return None
        return min(backoff(memory.failures), max(parse_duration(source.spec.interval), 1.0))

    def _failure_conditions(
        self, source: GitRepository, error: SluiceError, stamp: condition.Stamp, *, stalled: bool
    ) -> condition.Conditions:
        present, reason = source.status.conditions, _reason(error)
        if unverified_reason(error):
            return condition.source_unverified(present, reason, str(error), stamp, is_stalled=stalled)
        failure = condition.INCLUDE_UNAVAILABLE if isinstance(error, NotReady) else condition.FETCH_FAILED
        report = condition.source_stalled if stalled else condition.source_failed
        return report(present, reason, str(error), stamp, failure)


async def _with_content(entries: Sequence[FileEntry], blobs: BlobReader) -> list[tuple[FileEntry, bytes]]:
    return list(zip(entries, await blobs.read(entries), strict=True))


async def _told(artifact: Artifact, mirror: Mirror) -> Artifact:
    """With who wrote the commit, what its first line says, and whether it is an update of images."""
    info = await mirror.commit_info(artifact.revision.hex)
    updated_by = info.mark.owner if info.mark is not None else ""
    author, subject = clip(info.author, 60), clip(info.subject, 120)
    return replace(artifact, author=author, subject=subject, updated_by=updated_by, committed_at=info.committed)


async def _filtered(source: GitRepository, tree: FileTree, blobs: BlobReader) -> FileTree:
    """The files that all ignore rules leave."""
    ignores = ignore_files(tree)
    contents = await blobs.read(ignores)
    texts = {e.path: c.decode("utf-8", "replace") for e, c in zip(ignores, contents, strict=True)}
    return filter_tree(tree, texts, source.spec.ignore)


def source_id(key: NamespacedName) -> ResourceId:
    """The resource id of the GitRepository with that key."""
    return ResourceId(GROUP, KIND, key.namespace, key.name)


def artifact_status(artifact: Artifact, host: str) -> ArtifactStatus:
    """The artifact as the source's status shows it."""
    return ArtifactStatus(
        digest=artifact.digest,
        lastUpdateTime=artifact.fetched_at,
        path=artifact.path,
        revision=str(artifact.revision),
        url=f"http://{host}/{artifact.path}",
        size=artifact.size,
    )


def subject_of(source: GitRepository) -> Subject:
    """The source, as an event names it."""
    return Subject.of(f"{GROUP}/{VERSION}", KIND, source.metadata)


def _digest(source: GitRepository, resolved: ResolvedRef, includes: tuple[tuple[Include, Artifact], ...]) -> bytes:
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


def _is_of_the_spec(problem: Problem) -> bool:
    """True for what only an edit of the object can mend; a fault of the repository is looked at again."""
    return problem.code in STALLED_CODES and problem.field.startswith("spec.")


def _reason(error: SluiceError) -> str:
    found = {problem.code for problem in error.problems}
    if unverified := unverified_reason(error):
        return unverified
    if codes.GITHUB_APP in found and isinstance(error, UserError):
        return "InvalidProviderConfiguration"
    if isinstance(error, AuthenticationFailed):
        return "AuthenticationFailed"
    if found & {codes.URL_SCHEME, codes.URL_SYNTAX, codes.URL_BLOCKED}:
        return "URLInvalid"
    if isinstance(error, NotReady):
        return "IncludeUnavailable"
    if isinstance(error, StateError):
        return "ArchiveOperationFailed"
    return "GitOperationFailed"
