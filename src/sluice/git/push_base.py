"""Which commit an edit is built on, and where each ref must stand when it is pushed."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.core.codes import BRANCH_NOT_OURS, NO_PUSH_BRANCH, PUSH_REFSPEC
from sluice.core.commit_text import CommitRead, Identity, is_ours
from sluice.core.errors import UserError
from sluice.core.problem import Origin, Problem, printable
from sluice.core.push_target import HEADS, PushTarget
from sluice.git.mirror import Mirror
from sluice.git.refs import ResolvedRef


@dataclass(frozen=True, slots=True)
class PushBase:
    """The commit to build on, and where each ref must stand for the push (empty: is absent).

    `chain` are the commits of a separate branch that is built upon, newest first; `tip` is the head of one that is
    begun anew, and `displaced` names the owners of what that drops.
    """

    commit: str
    expected: dict[str, str]
    chain: tuple[CommitRead, ...] = ()
    tip: str = ""
    displaced: tuple[str, ...] = ()


async def push_base(
    mirror: Mirror, followed: ResolvedRef, target: PushTarget, committer: Identity, owner: str, *, seconds: float
) -> PushBase:
    """Decide for a fetched head. `owner` is whose edit it is: its own commits are not told as displaced.

    Raises UserError (NoPushBranch, BranchNotOurs, PushRefspec), and what asking the remote does.
    """
    if target.is_synced and target.branch and (followed.ref != target.branch or followed.head):
        title = f"{followed.revision.short} is not the head of {target.branch}, so nothing can be pushed there"
        fix = "name a branch of its own in spec.git.push.branch"
        raise UserError(Problem(NO_PUSH_BRANCH, title, field="spec.git.push.branch", fix=fix))
    heads: dict[str, str] = {}
    if not target.is_synced or target.extra.startswith(HEADS):
        heads = await mirror.remote.list_refs(("--heads",), seconds=seconds)
    if target.is_synced:
        base = PushBase(followed.commit, {target.branch: followed.commit} if target.branch else {})
    else:
        base = await _separate(mirror, followed, target.branch, heads.get(target.branch, ""), committer, owner, seconds)
    if target.extra:
        base.expected[target.extra] = await _extra(mirror, followed, target.extra, heads, base, seconds)
    return base


async def _separate(
    mirror: Mirror, followed: ResolvedRef, branch: str, tip: str, committer: Identity, owner: str, seconds: float
) -> PushBase:
    """A branch of ours is built on as long as it is up to date; else it is begun anew on the newer head."""
    if tip in {"", followed.commit}:
        return PushBase(followed.commit, {branch: tip})
    chain = await mirror.ahead(tip, branch, followed, seconds=seconds)
    foreign = next((commit for commit in chain if not is_ours(commit, committer)), None)
    if foreign is not None:
        raise _not_ours(branch, foreign)
    if chain and chain[-1].parents == (followed.commit,):
        return PushBase(tip, {branch: tip}, chain)
    owners = sorted({commit.mark.owner for commit in chain if commit.mark} - {owner})
    return PushBase(followed.commit, {branch: tip}, (), tip, tuple(owners))


async def _extra(
    mirror: Mirror, followed: ResolvedRef, extra: str, heads: dict[str, str], base: PushBase, seconds: float
) -> str:
    """Where the refspec's branch stands, when our commit would move it forward; it is never forced."""
    old = heads.get(extra, "")
    known = {"", base.commit, *(commit.commit for commit in base.chain)}
    if old in known or not await mirror.ahead(old, extra, followed, seconds=seconds):
        return old
    title = f"{extra} holds commits that the new one would drop"
    fix = "merge or delete that branch"
    raise UserError(Problem(PUSH_REFSPEC, title, field="spec.git.push.refspec", fix=fix))


def _not_ours(branch: str, commit: CommitRead) -> UserError:
    name = branch.removeprefix(HEADS)
    by = f"{commit.author.name} <{commit.author.email}>"
    if commit.committer != commit.author:
        by += f", committed by {commit.committer.name} <{commit.committer.email}>,"
    return UserError(
        Problem(
            BRANCH_NOT_OURS,
            f"branch {name!r} holds commits that Sluice did not make, and is left as it is",
            origin=Origin(".", commit=commit.commit),
            field="spec.git.push.branch",
            cause=f"commit {commit.commit[:12]} by {printable(by)} is on it",
            fix="merge or delete the branch, or name another in spec.git.push.branch",
        )
    )
