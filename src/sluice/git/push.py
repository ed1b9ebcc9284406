"""A commit of a mirror → refs of its remote, in one push that is all or nothing and overwrites nothing unseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sluice.git.process import GitOutput
from sluice.git.remote import Remote
from sluice.git.repository import BareRepository

_PUSH = ("push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no")
_MAX_RESULTS = 16


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
    def is_refusal(self) -> bool:
        """True when each ref was refused, so that nothing has happened."""
        return len(self.results) == self.count and all(r.flag == "!" for r in self.results)


async def push_commit(
    repo: BareRepository,
    remote: Remote,
    commit: str,
    expected: Mapping[str, str],
    *,
    options: Sequence[str] = (),
    seconds: float,
) -> PushAnswer:
    """Push `commit` to every ref of `expected`, each only if it still stands at the commit given (empty: is absent).

    A ref outside `refs/heads/` (a review's, as Gerrit has them) is pushed to without such a condition, and never
    forced. Several refs move together or not at all. Takes at most `seconds`; git never outlives that.
    """
    leases = [f"--force-with-lease={ref}:{old}" for ref, old in expected.items() if ref.startswith("refs/heads/")]
    atomic = ["--atomic"] if len(expected) > 1 else []
    args = [f"--git-dir={repo.path}", *_PUSH, *atomic, *leases, *(f"--push-option={option}" for option in options)]
    refspecs = [f"{commit}:{ref}" for ref in expected]
    output = await remote.run(args, refspecs, cwd=repo.path, seconds=seconds)
    return PushAnswer(output, _results(output.stdout), len(expected))


def _results(stdout: bytes) -> tuple[RefResult, ...]:
    """The lines `FLAG TAB FROM:TO TAB SUMMARY` of git's porcelain form."""
    results = []
    for line in stdout.decode("utf-8", "replace").splitlines():
        fields = line.split("\t")
        if len(fields) >= 3 and len(fields[0]) == 1:
            results.append(RefResult(fields[1].partition(":")[2], fields[0], fields[2]))
    return tuple(results[:_MAX_RESULTS])
