"""Commits of a mirror → refs of its remote, in one push that is all or nothing and overwrites nothing unseen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sluice.git.process import GitOutput
from sluice.git.remote import Remote
from sluice.git.repository import BareRepository

_PUSH = ("push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no")
_MAX_RESULTS = 16


@dataclass(frozen=True, slots=True)
class RefMove:
    """One ref, the commit at which it must stand (empty: it is absent), and the one it is to stand at."""

    ref: str
    old: str
    new: str

    @property
    def is_guarded(self) -> bool:
        """True when the host compares with `old` and shows the ref: not so for a review's ref, as Gerrit has them."""
        return self.ref.startswith(("refs/heads/", "refs/notes/", "refs/tags/"))


@dataclass(frozen=True, slots=True)
class RefResult:
    """What became of one ref: git's flag (`!` is refused) and its words."""

    ref: str
    flag: str
    summary: str


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """How a push ended. Without `results` nobody knows: the answer was lost, or the host never got so far."""

    output: GitOutput
    results: tuple[RefResult, ...]
    count: int

    @property
    def ok(self) -> bool:
        """True when every ref is where it was to be, whatever became of the connection after that was said."""
        return self.output.ok or (len(self.results) == self.count and not any(r.flag == "!" for r in self.results))

    @property
    def is_unsent(self) -> bool:
        """True when git itself refused each ref, so that nothing has happened.

        The host's refusal proves less: a request whose connection breaks is sent again by the transport, and the
        second one is refused because the first was taken.
        """
        refused = all(r.flag == "!" and r.summary.startswith("[rejected]") for r in self.results)
        return len(self.results) == self.count and refused


async def push_refs(
    repo: BareRepository, remote: Remote, moves: Sequence[RefMove], *, options: Sequence[str] = (), seconds: float
) -> PushAnswer:
    """Move refs of the remote to commits of the mirror, together or not at all. Nothing is ever forced unseen.

    Takes at most `seconds`; git never outlives that.
    """
    leases = [f"--force-with-lease={move.ref}:{move.old}" for move in moves if move.is_guarded]
    atomic = ["--atomic"] if len(moves) > 1 else []
    args = [f"--git-dir={repo.path}", *_PUSH, *atomic, *leases, *(f"--push-option={option}" for option in options)]
    refspecs = [f"{move.new}:{move.ref}" for move in moves]
    output = await remote.run(args, refspecs, cwd=repo.path, seconds=seconds)
    return PushAnswer(output, _results(output.stdout), len(moves))


def _results(stdout: bytes) -> tuple[RefResult, ...]:
    """The lines `FLAG TAB FROM:TO TAB SUMMARY` of git's porcelain form."""
    results = []
    for line in stdout.decode("utf-8", "replace").split("\n"):
        fields = line.split("\t")
        if len(fields) >= 3 and len(fields[0]) == 1:
            results.append(RefResult(fields[1].partition(":")[2], fields[0], fields[2]))
    return tuple(results[:_MAX_RESULTS])
