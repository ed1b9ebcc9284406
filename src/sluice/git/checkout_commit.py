"""A commit in a person's own checkout: of named files alone, in their name, with what they have staged left as it is.

This is their git with their identity and signing, but without the checkout's hooks: what somebody else's repository
configures is not run by a verb that edits YAML.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from sluice.core.codes import CHECKOUT_COMMIT, CHECKOUT_DIRTY
from sluice.core.errors import StateError, UserError
from sluice.core.problem import Origin, Problem, clip, printable
from sluice.git.process import GitOutput, RunLimits, run_git

_HARMLESS = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*")
_LIMITS = RunLimits(timeout=60.0)
# Where the caller is itself run by a hook of git, these name another repository.
_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")


class Checkout:
    """A checkout at its top folder. `environment` is the person's: where their git finds name, keys and agent."""

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self._root = root
        self._env = {key: value for key, value in environment.items() if key not in _FOREIGN}
        self._env |= {"GIT_TERMINAL_PROMPT": "0", "GIT_LITERAL_PATHSPECS": "1", "LC_ALL": "C"}

    async def person(self) -> str:
        """Who works here, as git's configuration says: `Name <email>`, or whichever it has; empty for neither."""
        name, email = [await self._config(key) for key in ("user.name", "user.email")]
        return f"{name} <{email}>" if name and email else name or email

    async def check(self, paths: Sequence[str]) -> None:
        """Raise UserError (CheckoutDirty) when a file has changes that are not committed, or is not in git."""
        output = await self._run("status", "--porcelain", "-z", "--no-renames", "--", *paths)
        if not output.ok:
            raise _failed(output, self._root)
        changed = [entry[3:] for entry in output.stdout.decode("utf-8", "surrogateescape").split("\0") if entry]
        if changed:
            fix = "commit or stash them first, or leave --commit out and commit all of it yourself"
            title = "a commit would take changes of yours along"
            raise UserError(*(Problem(CHECKOUT_DIRTY, title, origin=Origin(path), fix=fix) for path in changed))

    async def commit(self, paths: Sequence[str], message: str, author: str, *, new: Sequence[str] = ()) -> str:
        """Commit these files as they are now, and nothing else; returns the hash. An empty `author` is the person.

        `new` are those of them that git does not know yet. Raises StateError (CheckoutCommit) with git's own words.
        """
        if new:
            known = await self._run("add", "--intent-to-add", "--", *new)
            if not known.ok:
                raise _failed(known, self._root)
        with tempfile.TemporaryDirectory(prefix="sluice-") as folder:
            text = Path(folder) / "message"
            text.write_text(message + "\n", encoding="utf-8")
            args = ["commit", "--quiet", "--no-verify", "--only", "--cleanup=whitespace", "-F", str(text)]
            args += [f"--author={author}"] if author else []
            names = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
            args += ["--pathspec-from-file=-", "--pathspec-file-nul"]
            output = await self._run(*args, stdin=names)
            if not output.ok:
                if new:
                    await self._run("reset", "--quiet", "--", *new)
                raise _failed(output, self._root)
        head = await self._run("rev-parse", "--verify", "HEAD")
        return head.stdout.decode("ascii", "replace").strip()

    async def _config(self, key: str) -> str:
        output = await self._run("config", "--get", key)
        return printable(output.stdout.decode("utf-8", "replace").strip()) if output.ok else ""

    async def _run(self, *args: str, stdin: bytes = b"") -> GitOutput:
        return await run_git([*_HARMLESS, *args], env=self._env, cwd=self._root, limits=_LIMITS, stdin=stdin)


def _failed(output: GitOutput, root: Path) -> StateError:
    lines = [line.strip() for line in output.stderr.splitlines() if line.strip()]
    cause = "git took too long" if output.timed_out else clip("; ".join(lines), 300) or "git gave no reason"
    title, fix = "git did not commit, and the files are as they were", "see that `git commit` works here"
    return StateError(Problem(CHECKOUT_COMMIT, title, origin=Origin(str(root)), cause=cause, fix=fix))
