"""One edit of a repository, from the branch's head to a pushed commit: planned again whenever somebody was faster.

What is written is always a child of the head that the edit was planned on. The branch that is synced only moves by
that child; a separate branch is made anew only when every commit that this drops is ours. A lost answer is not a lost
commit: the remote is asked before anything is said or tried again.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sluice.api.git_repository import GitRef
from sluice.core.codes import BRANCH_NOT_OURS, LEASE_TOO_SHORT, NO_PUSH_BRANCH, PUSH_RACE, PUSH_REFSPEC
from sluice.core.commit_rule import CommitFacts, commit_refusal
from sluice.core.commit_text import CommitRead, CommitText, Identity, UpdateMark, clean_message, is_ours, with_mark
from sluice.core.errors import NotReady, RemoteError, SluiceError, UserError
from sluice.core.problem import Origin, Problem, printable
from sluice.core.push_target import HEADS, PushTarget
from sluice.git.commit import tree_of, write_commit, write_tree
from sluice.git.head import Head
from sluice.git.mirror import Mirror
from sluice.git.push import PushAnswer, push_commit
from sluice.git.push_errors import push_error
from sluice.git.refs import ResolvedRef
from sluice.git.signing import SigningKey

ATTEMPTS = 5
# How far back our commit is looked for when the answer to its push was lost and others have pushed since.
LOST_COMMITS = 50
LEAST_PUSH_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Draft:
    """What one head is to be changed to: whole new contents by path, and the message that tells of it."""

    files: Mapping[str, bytes]
    message: str


# Called with the head of the branch, again for each newer head. None, or no files, is "nothing to change".
PlanEdit = Callable[[Head], Awaitable[Draft | None]]


@dataclass(frozen=True, slots=True)
class WriteBack:
    """What is written where. `checkout` is the ref that edits are planned on (`spec.ref` of the repository).

    `within` is the folder that files must be in; `look_back` how many commits of the branch are searched for `mark`
    before anything is planned (more than one costs a fetch: it is for a first run after a start, or a single request);
    `seconds` limits each step that talks to the host.
    """

    checkout: GitRef | None
    target: PushTarget
    author: Identity
    committer: Identity
    at: datetime
    mark: UpdateMark | None = None
    key: SigningKey | None = None
    within: str = ""
    look_back: int = 1
    seconds: float = 60.0


def _for_ever() -> float:
    return math.inf


@dataclass(frozen=True, slots=True)
class Gates:
    """What may stop a commit. `verify` is asked about a head where signatures are required, and None elsewhere.

    `lease_left` tells for how many seconds this process surely still leads: a push is given no longer than that.
    """

    read_only: bool = False
    verify: Callable[[str], Awaitable[bool]] | None = None
    lease_left: Callable[[], float] = _for_ever


@dataclass(frozen=True, slots=True)
class Written:
    """How it ended. `commit` is what was pushed, what was found already there, or the head that needed no change.

    `displaced` names the owners of commits that a separate branch lost because it was made anew on a newer head: their
    edits are to be planned again.
    """

    outcome: Literal["pushed", "already-there", "unchanged"]
    commit: str
    head: str
    refs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    message: str = ""
    displaced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Base:
    """The commit to build on, where each ref must stand for the push, and a separate branch's own commits."""

    commit: str
    expected: dict[str, str]
    chain: tuple[CommitRead, ...] = ()
    tip: str = ""
    displaced: tuple[str, ...] = ()


async def write_back(mirror: Mirror, wanted: WriteBack, plan: PlanEdit, gates: Gates | None = None) -> Written:
    """Plan the edit on the branch's head, commit and push it; on a race do so again, ATTEMPTS times at most.

    Raises what `Mirror.resolve` and `fetch` do; UserError (EditPath, CommitText, SigningKey, BranchNotOurs,
    PushRefspec, PushOption, NoAtomicPush, GitReadOnly, SignatureRequired) when something must be changed first;
    RemoteError (PushDeclined, ProtectedBranch, PushRace) and AuthenticationFailed (PushDenied) for the host's refusals;
    NotReady (LeaseTooShort). After any of them nothing is on the remote, unless its problem says so.
    """
    writer = _Writer(mirror, wanted, plan, gates or Gates())
    for _ in range(ATTEMPTS):
        written = await writer.attempt()
        if written is not None:
            return written
    title = f"{printable(', '.join(wanted.target.refs))} moved {ATTEMPTS} times while a commit was made"
    raise RemoteError(Problem(PUSH_RACE, title, field="spec.git.push", fix="nothing: it is tried again"))


@dataclass(slots=True)
class _Writer:
    mirror: Mirror
    wanted: WriteBack
    plan: PlanEdit
    gates: Gates
    # Pushed without an answer: each may be on the remote.
    _lost: set[str] = field(default_factory=set)

    async def attempt(self) -> Written | None:
        """One round, on the head as it is now. None when somebody was faster."""
        followed = await self.mirror.resolve(self.wanted.checkout, seconds=self.wanted.seconds)
        await self.mirror.fetch(followed, seconds=self.wanted.seconds)
        base = await self._base(followed)
        found = await self._already_there(followed, base)
        if found:
            return Written("already-there", found, base.commit, self.wanted.target.refs)
        head = self.mirror.head(base.commit)
        draft = await self.plan(head)
        if draft is None or not draft.files:
            return Written("unchanged", base.commit, base.commit)
        message = with_mark(clean_message(draft.message), self.wanted.mark)
        commit = await self._commit(base, head, draft, message)
        if commit is None:
            return Written("unchanged", base.commit, base.commit)
        answer, seconds = await self._push(commit, base)
        if not answer.ok and not await self._is_there(commit, base, answer, seconds):
            return None
        if self.wanted.target.branch == followed.ref:
            await self.mirror.keep(followed, commit)
        files, refs = tuple(sorted(draft.files)), self.wanted.target.refs
        return Written("pushed", commit, base.commit, refs, files, message, base.displaced)

    # --- where to build on --------------------------------------------------------------------------------------

    async def _base(self, followed: ResolvedRef) -> _Base:
        target = self.wanted.target
        if target.is_synced and target.branch and (followed.ref != target.branch or followed.head):
            title = f"{followed.revision.short} is not the head of {target.branch}, so nothing can be pushed there"
            fix = "name a branch of its own in spec.git.push.branch"
            raise UserError(Problem(NO_PUSH_BRANCH, title, field="spec.git.push.branch", fix=fix))
        heads: dict[str, str] = {}
        if not target.is_synced or target.extra.startswith(HEADS):
            heads = await self.mirror.remote.list_refs(("--heads",), seconds=self.wanted.seconds)
        if target.is_synced:
            base = _Base(followed.commit, {target.branch: followed.commit} if target.branch else {})
        else:
            base = await self._separate(followed, heads.get(target.branch, ""))
        if target.extra:
            base.expected[target.extra] = await self._extra(followed, base, heads.get(target.extra, ""))
        return base

    async def _separate(self, followed: ResolvedRef, tip: str) -> _Base:
        """A branch of ours is built on as long as it is up to date; else it is begun anew on the newer head."""
        branch = self.wanted.target.branch
        if tip in {"", followed.commit}:
            return _Base(followed.commit, {branch: tip})
        chain = await self.mirror.ahead(tip, branch, followed, seconds=self.wanted.seconds)
        foreign = next((commit for commit in chain if not is_ours(commit, self.wanted.committer)), None)
        if foreign is not None:
            raise _not_ours(branch, foreign)
        if chain and chain[-1].parents == (followed.commit,):
            return _Base(tip, {branch: tip}, chain)
        me = self.wanted.mark.owner if self.wanted.mark else ""
        owners = sorted({commit.mark.owner for commit in chain if commit.mark} - {me})
        return _Base(followed.commit, {branch: tip}, (), tip, tuple(owners))

    async def _extra(self, followed: ResolvedRef, base: _Base, old: str) -> str:
        """Where the refspec's branch stands, when our commit would move it forward; it is never forced."""
        known = {"", base.commit, *(commit.commit for commit in base.chain)}
        extra = self.wanted.target.extra
        if old in known or not await self.mirror.ahead(old, extra, followed, seconds=self.wanted.seconds):
            return old
        title = f"{extra} holds commits that the new one would drop"
        fix = "merge or delete that branch"
        raise UserError(Problem(PUSH_REFSPEC, title, field="spec.git.push.refspec", fix=fix))

    async def _already_there(self, followed: ResolvedRef, base: _Base) -> str:
        """The commit that carries our mark, or one whose push was not answered; empty when there is none."""
        if self.wanted.mark is None and not self._lost:
            return ""
        count = max(self.wanted.look_back, LOST_COMMITS if self._lost else 1)
        commits = (*base.chain, *await self.mirror.recent(followed, count, seconds=self.wanted.seconds))
        for commit in commits:
            if commit.commit in self._lost or (commit.mark is not None and commit.mark == self.wanted.mark):
                return commit.commit
        return ""

    # --- commit and push ----------------------------------------------------------------------------------------

    async def _commit(self, base: _Base, head: Head, draft: Draft, message: str) -> str | None:
        """The new commit; None when it would change nothing on the branch."""
        repo, scratch, wanted = self.mirror.repository, self.mirror.remote.scratch, self.wanted
        refusal = commit_refusal(await self._facts(base.commit))
        if refusal is not None:
            raise UserError(refusal)
        tree = await write_tree(repo, head, draft.files, scratch, within=wanted.within)
        if tree in {await tree_of(repo, there) for there in (base.commit, base.tip) if there}:
            return None
        text = CommitText(message, wanted.author, wanted.committer, wanted.at)
        return await write_commit(repo, tree, base.commit, text, scratch, key=wanted.key)

    async def _facts(self, head: str) -> CommitFacts:
        verify, read_only, signs = self.gates.verify, self.gates.read_only, self.wanted.key is not None
        if verify is None:
            return CommitFacts(head, read_only=read_only)
        verified = await verify(head)
        return CommitFacts(head, read_only, True, verified, signs)

    async def _push(self, commit: str, base: _Base) -> tuple[PushAnswer, float]:
        seconds = min(self.wanted.seconds, self.gates.lease_left())
        if seconds < min(LEAST_PUSH_SECONDS, self.wanted.seconds):
            title = "nothing was pushed: this process may stop being the leader before the push ends"
            raise NotReady(Problem(LEASE_TOO_SHORT, title, fix="nothing: it is tried again"))
        options = self.wanted.target.options
        repo, remote = self.mirror.repository, self.mirror.remote
        return await push_commit(repo, remote, commit, base.expected, options=options, seconds=seconds), seconds

    async def _is_there(self, commit: str, base: _Base, answer: PushAnswer, seconds: float) -> bool:
        """After a push that did not say yes: True when it came through all the same, False when others were faster.

        Raises the host's refusal when neither is so, or when the remote can't be asked.
        """
        if not answer.is_refusal:
            self._lost.add(commit)
        error = push_error(answer, self.mirror.remote, seconds)
        try:
            heads = await self.mirror.remote.list_refs(("--heads",), seconds=self.wanted.seconds)
        except SluiceError:
            raise error from None
        seen = {ref: heads.get(ref, "") for ref in base.expected if ref.startswith(HEADS)}
        if seen and all(found == commit for found in seen.values()):
            return True
        if any(found != base.expected[ref] for ref, found in seen.items()):
            return False
        raise error


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
