"""Whether a commit may be made at all, decided from what is known before: pure, so that every case is in a table."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.core.codes import GIT_READ_ONLY, SIGNATURE_REQUIRED
from sluice.core.problem import Origin, Problem

_KEY_FIELD = "spec.git.commit.signingKey"


@dataclass(frozen=True, slots=True)
class CommitFacts:
    """What decides. `head` is the commit that the new one would follow."""

    head: str
    read_only: bool = False
    signatures_required: bool = False
    head_is_verified: bool = False
    will_be_signed: bool = False


def commit_refusal(facts: CommitFacts) -> Problem | None:
    """Why no commit may be made, or None.

    Where a repository's signatures are verified, a commit on an unverified head would make it look trusted, and an
    unsigned one would stop the very sync that it is for.
    """
    if facts.read_only:
        title = "git is read-only here: nothing is committed"
        return Problem(GIT_READ_ONLY, title, fix="start without --git-readonly to let changes be written")
    if not facts.signatures_required:
        return None
    if not facts.will_be_signed:
        title = "this repository's commits must be signed, and there is no key to sign with"
        return Problem(SIGNATURE_REQUIRED, title, field=_KEY_FIELD, fix="name a Secret with the key there")
    if not facts.head_is_verified:
        title = f"commit {facts.head[:12]} at the branch's head is not verified, so nothing is committed on top of it"
        fix = "have a trusted person sign a commit on the branch, or add the signer's public key to what is verified"
        return Problem(SIGNATURE_REQUIRED, title, origin=Origin(".", commit=facts.head), fix=fix)
    return None


def untrusted_key() -> Problem:
    """Why a commit of ours is not pushed where its signature would not be accepted by the very source it is for."""
    title = "the key that signs our commits is not among those that this repository's commits are verified with"
    fix = "add its public key to the Secret of the GitRepository's spec.verify"
    return Problem(SIGNATURE_REQUIRED, title, field=_KEY_FIELD, fix=fix)
