"""One edit of a repository, from the branch's head to a pushed commit: planned again whenever somebody was faster.

What is written is always a child of the head that the edit was planned on. The branch that is synced only moves by
that child; a separate branch is made anew only when every commit that this drops is ours. A lost answer is not a lost
commit: the remote is asked before anything is said or tried again.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from sluice.api.git_repository import GitRef
from sluice.core.codes import LEASE_TOO_SHORT, PUSH_RACE
from sluice.core.commit_rule import CommitFacts, commit_refusal, untrusted_key
from sluice.core.commit_text import CommitText, Identity, UpdateMark, clean_message, with_mark
from sluice.core.errors import NotReady, RemoteError, SluiceError, UserError
from sluice.core.problem import Problem, printable
from sluice.core.push_target import PushTarget
from sluice.git.commit import tree_of, write_commit, write_tree
from sluice.git.head import Head
from sluice.git.mirror import Mirror
from sluice.git.notes import Note, write_note
from sluice.git.push import RefMove, push_refs
from sluice.git.push_base import PushBase, push_base
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
    `note` is attached to the commit and pushed with it; `seconds` limits each step that talks to the host.
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
    note: Note | None = None
    seconds: float = 60.0


def _for_ever() -> float:
    return math.inf


@dataclass(frozen=True, slots=True)
class Gates:
    """What may stop a commit. `verify` is asked where signatures are required, and None elsewhere: about the head, and
    about our own commit before it is pushed, which must not be what stops the sync.

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
    # Pushed without an answer that can be trusted: each may be on the remote.
    _lost: set[str] = field(default_factory=set)

    async def attempt(self) -> Written | None:
        """One round, on the head as it is now. None when somebody was faster."""
        wanted = self.wanted
        followed = await self.mirror.resolve(wanted.checkout, seconds=wanted.seconds)
        await self.mirror.fetch(followed, seconds=wanted.seconds)
        me = wanted.mark.owner if wanted.mark is not None else ""
        base = await push_base(self.mirror, followed, wanted.target, wanted.committer, me, seconds=wanted.seconds)
        found = await self._already_there(followed, base)
        if found:
            return Written("already-there", found, base.commit, wanted.target.refs)
        head = self.mirror.head(base.commit)
        draft = await self.plan(head)
        if draft is None or not draft.files:
            return Written("unchanged", base.commit, base.commit)
        message = with_mark(clean_message(draft.message), wanted.mark)
        text = CommitText(message, wanted.author, wanted.committer, wanted.at)
        commit = await self._commit(base, head, draft.files, text)
        if commit is None:
            return Written("unchanged", base.commit, base.commit)
        moves = [RefMove(ref, old, commit) for ref, old in base.expected.items()]
        if wanted.note is not None:
            moves.append(await self._noted(wanted.note, commit, text))
        if not await self._push(commit, moves):
            return None
        if wanted.target.branch == followed.ref:
            await self.mirror.keep(followed, commit)
        files = tuple(sorted(draft.files))
        return Written("pushed", commit, base.commit, wanted.target.refs, files, message, base.displaced)

    async def _already_there(self, followed: ResolvedRef, base: PushBase) -> str:
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

    async def _commit(self, base: PushBase, head: Head, files: Mapping[str, bytes], text: CommitText) -> str | None:
        """The new commit; None when it would change nothing on the branch."""
        repo, scratch = self.mirror.repository, self.mirror.remote.scratch
        refusal = commit_refusal(await self._facts(base.commit))
        if refusal is not None:
            raise UserError(refusal)
        tree = await write_tree(repo, head, files, scratch, within=self.wanted.within)
        if tree in {await tree_of(repo, there) for there in (base.commit, base.tip) if there}:
            return None
        commit = await write_commit(repo, tree, base.commit, text, scratch, key=self.wanted.key)
        if self.gates.verify is not None and not await self.gates.verify(commit):
            raise UserError(untrusted_key())
        return commit

    async def _facts(self, head: str) -> CommitFacts:
        verify, read_only, signs = self.gates.verify, self.gates.read_only, self.wanted.key is not None
        if verify is None:
            return CommitFacts(head, read_only=read_only)
        verified = await verify(head)
        return CommitFacts(head, read_only, True, verified, signs)

    async def _noted(self, note: Note, commit: str, text: CommitText) -> RefMove:
        refs = await self.mirror.remote.list_refs((), seconds=self.wanted.seconds)
        old = refs.get(note.ref, "")
        if old:
            await self.mirror.fetch_tip(note.ref, old, seconds=self.wanted.seconds)
        repo, scratch = self.mirror.repository, self.mirror.remote.scratch
        return RefMove(note.ref, old, await write_note(repo, old, commit, note.content(commit), text, scratch))

    async def _push(self, commit: str, moves: Sequence[RefMove]) -> bool:
        """True when everything is where it was to be, False when somebody was faster. Raises the host's refusal."""
        seconds = min(self.wanted.seconds, self.gates.lease_left())
        if seconds < min(LEAST_PUSH_SECONDS, self.wanted.seconds):
            title = "nothing was pushed: this process may stop being the leader before the push ends"
            raise NotReady(Problem(LEASE_TOO_SHORT, title, fix="nothing: it is tried again"))
        repo, remote = self.mirror.repository, self.mirror.remote
        answer = await push_refs(repo, remote, moves, options=self.wanted.target.options, seconds=seconds)
        if answer.ok:
            return True
        if not answer.is_unsent:
            self._lost.add(commit)
        error = push_error(answer, remote, seconds)
        return await self._is_there(moves, error if answer.is_unsent else _maybe_there(error, commit), error)

    async def _is_there(self, moves: Sequence[RefMove], unasked: SluiceError, error: SluiceError) -> bool:
        """After a push that did not say yes: whether it came through all the same, or others were faster.

        Raises `error` when neither is so, and `unasked` when the remote can't be asked.
        """
        visible = [move for move in moves if move.is_guarded]
        only = ("--heads",) if self.wanted.note is None else ()
        try:
            refs = await self.mirror.remote.list_refs(only, seconds=self.wanted.seconds)
        except SluiceError:
            raise unasked from None
        if visible and all(refs.get(move.ref, "") == move.new for move in visible):
            return True
        if any(refs.get(move.ref, "") != move.old for move in visible):
            return False
        raise error


def _maybe_there(error: SluiceError, commit: str) -> SluiceError:
    """The error of a push of which nobody could say how it ended."""
    (problem, *rest) = error.problems
    title = f"{problem.title}, and whether it took commit {commit[:12]} is not known"
    fix = "look whether the branch has that commit before it is asked for again"
    return type(error)(replace(problem, title=title, fix=fix), *rest)
