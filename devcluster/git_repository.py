"""A working repository for tests and the demo: commit files, push them, get the hash back.

Hermetic: no system or user configuration and a fixed author, so that it works on any machine as it does on this one.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

AUTHOR = "Ada Demo"
EMAIL = "ada@example.com"


def hermetic_env(home: Path) -> dict[str, str]:
    """An environment in which git sees no configuration but the repository's own."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
    }


class WorkingRepo:
    """A clone-like folder at `path` whose commits are pushed to `remote` (a URL or a bare repository's path)."""

    def __init__(self, path: Path, remote: str | Path, *, branch: str = "main", sha256: bool = False) -> None:
        self.path = path
        self.remote = str(remote)
        self.branch = branch
        self.env = hermetic_env(path)
        path.mkdir(parents=True, exist_ok=True)
        if not (path / ".git").exists():
            self.git("init", "-q", "--template=", f"--object-format={'sha256' if sha256 else 'sha1'}", "-b", branch)
            config = f'[user]\n\tname = {AUTHOR}\n\temail = {EMAIL}\n[remote "origin"]\n\turl = {self.remote}\n'
            with (path / ".git" / "config").open("a") as file:
                file.write(config)

    def git(self, *args: str, stdin: bytes | None = None) -> str:
        """Run git in the folder and return what it printed. Raises CalledProcessError with git's words."""
        command = ["git", *args]
        done = subprocess.run(command, cwd=self.path, env=self.env, input=stdin, capture_output=True, check=False)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def commit(self, files: Mapping[str, str | bytes | None], message: str, *, push: bool = True) -> str:
        """Write `files` (None deletes), commit all of it, push the branch, and return the commit's hash."""
        for name, content in files.items():
            target = self.path / name
            if content is None:
                target.unlink(missing_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        if push:
            self.push()
        return self.head()

    def head(self) -> str:
        """The hash of the newest commit."""
        return self.git("rev-parse", "HEAD")

    def push(self, *refspecs: str, force: bool = False) -> None:
        """Push the given refspecs, by default the branch."""
        options = ["--force"] if force else []
        self.git("push", "-q", *options, "origin", *(refspecs or (f"HEAD:refs/heads/{self.branch}",)))

    def tag(self, name: str, *, annotated: bool = False, commit: str = "HEAD") -> None:
        """Make a tag at `commit` and push it."""
        self.git("tag", *(["-a", "-m", name] if annotated else []), name, commit)
        self.push(f"refs/tags/{name}")
