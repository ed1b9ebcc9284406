"""What tests of write-back share: an edit of one line, what is wanted by default, and hooks on a real server."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from devcluster.git_repository import hermetic_env
from sluice.core.commit_text import Identity, UpdateMark
from sluice.core.push_target import push_target
from sluice.git.head import Head
from sluice.git.write_back import Draft, PlanEdit, WriteBack
from tests.git_servers import MAIN

BOT = Identity("Sluice", "sluice@example.com")
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
WEB = "apps/web.yaml"
OLD, NEW = b"image: web:1.0\n", b"image: web:1.1\n"


def wanted(
    *, branch: str = "", refspec: str = "", options: Mapping[str, str] | None = None, **changes: Any
) -> WriteBack:
    """A write-back of the branch `main` by the bot; `changes` are other fields."""
    target = push_target("main", branch=branch, refspec=refspec, options=options)
    fields: dict[str, Any] = {"author": BOT, "committer": BOT, "at": AT, "seconds": 20.0}
    return WriteBack(MAIN, target, **(fields | changes))


def replacing(old: bytes, new: bytes, path: str = WEB, message: str = "Update web") -> PlanEdit:
    """A plan that puts `new` for `old` in one file, and has nothing to do once `old` is gone."""

    async def plan(head: Head) -> Draft | None:
        content = (await head.read([path])).get(path, b"")
        return Draft({path: content.replace(old, new)}, message) if old in content else None

    return plan


BUMP = replacing(OLD, NEW)


def mark(digest: str = "sha256:1", owner: str = "ImageUpdateAutomation/apps/web") -> UpdateMark:
    """The mark of one decision."""
    return UpdateMark(owner, digest)


def git(repo: Path, *args: str) -> str:
    """Run git in a repository of the server and return what it printed."""
    command = ["git", f"--git-dir={repo}", *args]
    done = subprocess.run(command, env=hermetic_env(repo), capture_output=True, check=True)
    return done.stdout.decode("utf-8", "surrogateescape")


def show(repo: Path, rev: str, path: str) -> bytes:
    """A file's bytes at a revision."""
    command = ["git", f"--git-dir={repo}", "cat-file", "blob", f"{rev}:{path}"]
    return subprocess.run(command, env=hermetic_env(repo), capture_output=True, check=True).stdout


def log(repo: Path, rev: str = "main") -> list[str]:
    """The subjects on a branch, newest first."""
    return git(repo, "log", "--format=%s", rev).splitlines()


def hook(repo: Path, name: str, script: str) -> None:
    """Give the server's repository a hook: the body of a shell script."""
    path = repo / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
