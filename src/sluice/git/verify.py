"""The signatures of fetched commits and tags, checked by git with the keys that are trusted and with no others.

Fails closed: whatever can't be read, found or understood is no good signature.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.problem import Code, Origin, Problem
from sluice.core.signature import Verdict, commit_fault, gpg_verdict, ssh_verdict, tag_fault
from sluice.git.mirror import Mirror
from sluice.git.refs import ResolvedRef
from sluice.git.trusted_keys import Trust, TrustedKeys, opened_keys

TAGS = "refs/tags/"
OBJECT_BYTES = 1 << 20
_CODES: dict[str, Code] = {
    "missing": codes.SIGNATURE_MISSING,
    "unknown": codes.SIGNER_UNKNOWN,
    "expired": codes.SIGNER_EXPIRED,
    "invalid": codes.SIGNATURE_INVALID,
    "malformed": codes.SIGNATURE_INVALID,
}
_FIXES = {
    "missing": "have it signed (git commit -S, git tag -s) by a person whose public key is trusted",
    "unknown": "add the signer's public key to what is trusted, or have a trusted person sign",
    "expired": "have it signed by a key that is in force, or extend the key and give its new public key",
    "invalid": "find out who made it; have a trusted person sign a new one",
    "malformed": "make the object again with git: what is there can be read in two ways",
}


class SignatureRefused(UserError):
    """Something that must be signed is not, or not by a trusted key. `reason` is Flux's word for the condition."""

    def __init__(self, problem: Problem, reason: str) -> None:
        super().__init__(problem)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Verified:
    """One good signature: of what (`commit '…'`, `tag '…'`), and by which key."""

    what: str
    key: str

    def __str__(self) -> str:
        return f"{self.what} with key '{self.key}'"


class Verifier:
    """Checks objects of one mirror, inside `verifying`."""

    def __init__(self, mirror: Mirror, trust: Trust, field: str) -> None:
        self._mirror = mirror
        self._trust = trust
        self._field = field

    async def commit(self, commit: str) -> Verified:
        """The signature of a fetched commit. Raises SignatureRefused, StateError when the mirror lacks it."""
        raw = await self._raw("commit", commit)
        verdict = commit_fault(raw) or await self._verdict("verify-commit", commit, raw)
        if verdict.holds:
            return Verified(f"commit '{commit}'", verdict.key)
        title = f"signature verification of commit '{commit}' failed"
        raise self._refused(verdict, title, "InvalidCommitSignature", commit)

    async def tag(self, resolved: ResolvedRef, *, seconds: float) -> Verified:
        """The signature of the tag that was resolved, which is fetched first. Raises as `commit` and `fetch` do."""
        name = resolved.ref.removeprefix(TAGS)
        shown = f"{name}@{resolved.revision.algorithm}:{resolved.tag_object or resolved.commit}"
        if not resolved.tag_object:
            verdict = Verdict(fault="missing", why="it is a lightweight tag, which holds no signature")
            title = f"cannot verify signature of tag '{shown}' since it is not signed"
            raise self._refused(verdict, title, "InvalidGitObject", resolved.commit)
        await self._mirror.fetch_tip(resolved.ref, resolved.tag_object, seconds=seconds)
        raw = await self._raw("tag", resolved.tag_object)
        fault = tag_fault(raw, name, resolved.commit)
        verdict = fault or await self._verdict("verify-tag", resolved.tag_object, raw)
        if verdict.holds:
            return Verified(f"tag '{shown}'", verdict.key)
        missing = verdict.fault == "missing"
        title = f"signature verification of tag '{shown}' failed"
        if missing:
            title = f"cannot verify signature of tag '{shown}' since it is not signed"
        raise self._refused(verdict, title, "InvalidGitObject" if missing else "InvalidTagSignature", resolved.commit)

    async def _raw(self, kind: str, name: str) -> bytes:
        repo = self._mirror.repository
        return repo.checked(await repo.run("cat-file", kind, name, cap=OBJECT_BYTES), name)

    async def _verdict(self, verb: str, name: str, raw: bytes) -> Verdict:
        trust = self._trust
        output = await self._mirror.repository.run(*trust.config, verb, "--raw", name, env=trust.env)
        if "[GNUPG:] " in output.stderr:
            return gpg_verdict(output.stderr, ok=output.ok)
        if not trust.env and b"-----BEGIN SSH SIGNATURE-----" not in raw:
            return Verdict(fault="unknown", why="only SSH keys are trusted, and it is signed by another kind of key")
        return ssh_verdict(output.stderr, ok=output.ok, expired=trust.expired)

    def _refused(self, verdict: Verdict, title: str, reason: str, commit: str) -> SignatureRefused:
        fault = verdict.fault or "invalid"
        by = f" (key {verdict.key})" if verdict.key else ""
        problem = Problem(
            _CODES[fault],
            title,
            origin=Origin(".", commit=commit),
            field=self._field,
            cause=f"{verdict.why}{by}",
            fix=_FIXES[fault],
        )
        return SignatureRefused(problem, reason)


@asynccontextmanager
async def verifying(mirror: Mirror, keys: TrustedKeys, now: datetime) -> AsyncIterator[Verifier]:
    """Checks of many objects with one set of keys. Raises as `opened_keys` does."""
    async with opened_keys(keys, mirror.remote.scratch, now) as trust:
        yield Verifier(mirror, trust, keys.field)
