"""Which signatures a GitRepository asks for, and whether a revision has them; in flag mode, up to which commit.

The keys are read when something is to be verified, never kept: a key that is taken out of the Secret counts for
nothing from the next revision, edit or request on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from sluice.api.git_repository import GROUP, KIND, GitRepository
from sluice.core import codes
from sluice.core.errors import SluiceError, UserError
from sluice.core.ids import ResourceId
from sluice.core.problem import Problem
from sluice.core.revision import Revision
from sluice.core.signature import MODES
from sluice.core.transaction_messages import Phase
from sluice.core.update_result import unverified
from sluice.git.mirror import Mirror
from sluice.git.refs import ResolvedRef, at_ref, wanted_of
from sluice.git.trusted_keys import TrustedKeys, trusted_keys_of
from sluice.git.verify import TAGS, SignatureRefused, verifying
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.secret_data import secret_data
from sluice.reconcilers.sync_facts import owner_of, source_of

KEYS_REFUSED = "VerificationError"
MODE_REFUSED = "InvalidVerificationMode"
KEYS_FIELD = "spec.verify.secretRef"


@dataclass(frozen=True, slots=True)
class Verification:
    """What was verified of one revision: the mode, as status shows it, and what the condition says."""

    mode: str
    message: str


@dataclass(frozen=True, slots=True)
class LastVerified:
    """The newest commit that may be synced where every commit must be signed; `refused` is what keeps the next out."""

    resolved: ResolvedRef
    refused: Problem | None = None


class SourceVerification:
    """Reads the keys of a source and asks git; keeps nothing."""

    def __init__(self, operator: Operator) -> None:
        self._op = operator

    async def check(
        self, source: GitRepository, mirror: Mirror, resolved: ResolvedRef, *, seconds: float
    ) -> Verification | None:
        """Verify a fetched revision by the source's spec; None where it asks for no signature.

        Raises SignatureRefused, UserError (VerifyKeys, VerifyMode), AuthenticationFailed without the Secret, and what
        talking to the remote does. After any of them the revision must not be used.
        """
        verify = source.spec.verify
        if verify is None:
            return None
        mode = MODES[verify.mode]
        resolved = await _with_tag(mirror, resolved, seconds) if mode != "HEAD" else resolved
        keys = await self._keys(source)
        found = []
        async with verifying(mirror, keys, self._op.now()) as verifier:
            if mode != "HEAD":
                found.append(await verifier.tag(resolved, seconds=seconds))
            if mode != "Tag":
                found.append(await verifier.commit(resolved.commit))
        return Verification(mode, "verified signature of" + "".join(f"\n\t- {each}" for each in found))

    def gate(self, source: GitRepository, mirror: Mirror) -> Callable[[str], Awaitable[bool]] | None:
        """Asked about each commit that we would build on or push; None where commits need not be signed."""
        verify, history = source.spec.verify, self._op.signed_history
        if history is None and (verify is None or MODES[verify.mode] == "Tag"):
            return None

        async def is_verified(commit: str) -> bool:
            keys = await history.keys() if history is not None else await self._keys(source)
            async with verifying(mirror, keys, self._op.now()) as verifier:
                try:
                    await verifier.commit(commit)
                except SignatureRefused:
                    return False
            return True

        return is_verified

    async def last_verified(self, mirror: Mirror, head: ResolvedRef, since: str, *, seconds: float) -> LastVerified:
        """fluxd's rule: the newest commit such that each one since `since`, oldest first, has a good signature.

        `since` itself must have one; empty, the whole history is verified. Raises what `check` does, SignatureRefused
        when not even the first commit has a good one.
        """
        history = self._op.signed_history
        assert history is not None  # noqa: S101 - the caller looked
        since = since if since and await mirror.head(since).is_there() else ""
        commits = await mirror.line(head, since, first_parent=history.first_parent, seconds=seconds)
        good = ""
        async with verifying(mirror, await history.keys(), self._op.now()) as verifier:
            try:
                for commit in (*([since] if since else []), *commits):
                    await verifier.commit(commit)
                    good = commit
            except SignatureRefused as error:
                if not good:
                    raise
                at = replace(head, revision=Revision.of_commit(head.revision.name, good), head=head.commit)
                return LastVerified(at, error.problems[0])
        return LastVerified(head)

    async def refusal(
        self, source: GitRepository, mirror: Mirror, head: ResolvedRef, *, seconds: float
    ) -> tuple[Problem, str] | None:
        """Why a fetched head is not synced, and the commit that was verified last, empty when none was; else None.

        Raises what `check` does, but SignatureRefused.
        """
        try:
            if self._op.signed_history is None:
                await self.check(source, mirror, head, seconds=seconds)
                return None
            found = await self.last_verified(mirror, head, self.marker(source), seconds=seconds)
        except SignatureRefused as error:
            here = ResourceId(GROUP, KIND, source.metadata.namespace, source.metadata.name)
            artifact = self._op.artifacts.get(here)
            return error.problems[0], artifact.revision.hex if artifact is not None else ""
        return None if found.refused is None else (found.refused, found.resolved.commit)

    async def require_history(self, source: GitRepository, mirror: Mirror, commit: str, *, seconds: float) -> None:
        """Where flags ask for a signature of every commit: return when all that lead to a fetched head have one.

        Raises UserError (SignatureRequired) before something is built on one that is never synced, and as `check`.
        """
        if self._op.signed_history is None:
            return
        followed = wanted_of(source.spec.ref)
        head = ResolvedRef(Revision.of_commit(followed.text, commit), followed.ref)
        found = await self.refusal(source, mirror, head, seconds=seconds)
        if found is not None:
            raise UserError(unverified(*found, commit))

    def marker(self, source: GitRepository) -> str:
        """The commit that was synced last, in this process or before it; empty when that is not known for sure."""
        if source.status.artifact is not None:
            return Revision.parse(source.status.artifact.revision).hex
        here = ResourceId(GROUP, KIND, source.metadata.namespace, source.metadata.name)
        owners = [owner_of(sync) for sync in self._op.kustomizations.items() if source_of(sync) == here]
        records = [self._op.records.get(str(owner)) for owner in owners]
        found = {record.revision for record in records if record is not None and record.phase is Phase.DONE}
        return Revision.parse(found.pop()).hex if len(found) == 1 and None not in records else ""

    async def _keys(self, source: GitRepository) -> TrustedKeys:
        """The keys of the source's Secret. Raises UserError (VerifyKeys), AuthenticationFailed when there is none."""
        assert source.spec.verify is not None  # noqa: S101 - only sources that verify are asked for keys
        meta = source.metadata
        subject = ResourceId(GROUP, KIND, meta.namespace, meta.name)
        name = source.spec.verify.secretRef.name
        found = await secret_data(self._op.client, meta.namespace, name, subject=subject, field=KEYS_FIELD)
        return trusted_keys_of(found.values, KEYS_FIELD)


async def _with_tag(mirror: Mirror, resolved: ResolvedRef, seconds: float) -> ResolvedRef:
    """The same with the tag's own object, which an earlier revision is resolved without.

    Raises UserError (VerifyMode) where no tag is followed, SignatureRefused for a tag that stands elsewhere now.
    """
    name = resolved.ref or f"{TAGS}{resolved.revision.name.removeprefix(TAGS)}"
    if not name.startswith(TAGS) or name == TAGS:
        title = "cannot verify tag object's signature if a tag reference is not specified"
        fix = "follow a tag in spec.ref (tag, semver, or name: refs/tags/…), or verify HEAD"
        raise UserError(Problem(codes.VERIFY_MODE, title, field="spec.verify.mode", fix=fix))
    if resolved.tag_object:
        return resolved
    refs = await mirror.remote.list_refs(("--tags",), seconds=seconds)
    found = at_ref(resolved.revision.name, name, refs) if name in refs else None
    if found is None or found.commit != resolved.commit:
        title = f"signature verification of tag '{resolved.revision}' failed"
        cause = "the tag stands elsewhere now, so nothing vouches for this revision"
        problem = Problem(codes.SIGNATURE_MISSING, title, field="spec.verify.mode", cause=cause)
        raise SignatureRefused(problem, "InvalidTagSignature")
    return replace(resolved, ref=name, tag_object=found.tag_object)


def reason_of(error: SluiceError) -> str:
    """Flux's reason of a refusal to verify; empty when the error is about something else."""
    if isinstance(error, SignatureRefused):
        return error.reason
    found = {problem.code for problem in error.problems}
    if codes.VERIFY_MODE in found:
        return MODE_REFUSED
    if codes.VERIFY_KEYS in found or any(problem.field == KEYS_FIELD for problem in error.problems):
        return KEYS_REFUSED
    return ""
