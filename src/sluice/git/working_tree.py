"""Which files of a person's checkout are the repository's: tracked ones and new ones that nothing ignores.

The checkout's own configuration is not trusted further than git needs it to list files: no hooks, no file system
monitor, no attributes of the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sluice.core.codes import FILE_MISSING
from sluice.core.errors import StateError
from sluice.core.problem import Origin, Problem, clip
from sluice.git.process import GitOutput, RunLimits, base_env, run_git

_HARMLESS = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*")


@dataclass(frozen=True, slots=True)
class WorkingTree:
    """A checkout: its top folder, its files as paths from there, and the commit it stands on (empty: none yet)."""

    root: Path
    files: tuple[str, ...]
    commit: str


async def find_working_tree(folder: Path) -> WorkingTree | None:
    """The checkout that `folder` is in, or None when it is in none. Raises StateError when git can't list it."""
    top = await _git(folder, "rev-parse", "--show-toplevel")
    if not top.ok:
        return None
    root = Path(top.stdout.decode("utf-8", "surrogateescape").rstrip("\n"))
    listed = await _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
    if not listed.ok:
        cause = "git took too long" if listed.timed_out else clip(listed.stderr.strip(), 300)
        raise StateError(Problem(FILE_MISSING, "the checkout can't be read", origin=Origin(str(root)), cause=cause))
    head = await _git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    files = tuple(f for f in listed.stdout.decode("utf-8", "surrogateescape").split("\0") if f)
    return WorkingTree(root, files, head.stdout.decode("ascii").strip() if head.ok else "")


async def _git(folder: Path, *args: str) -> GitOutput:
    env = base_env(folder, Path("/dev/null"))
    return await run_git([*_HARMLESS, *args], env=env, cwd=folder, limits=RunLimits(timeout=30.0))
