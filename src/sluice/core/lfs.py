"""Git LFS pointers: a small text that stands in git for a large file kept elsewhere. Pure."""

from __future__ import annotations

from sluice.core.codes import LFS_POINTER
from sluice.core.problem import Origin, Problem, printable

MAX_POINTER = 1024
_HEADS = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")


def is_lfs_pointer(content: bytes) -> bool:
    """True when the content of a file is an LFS pointer, not what its author sees in a checkout."""
    return len(content) < MAX_POINTER and content.startswith(_HEADS) and b"\noid sha256:" in content


def lfs_problem(path: str, commit: str) -> Problem:
    """The Problem of a pointer where a manifest should be."""
    return Problem(
        LFS_POINTER,
        f"{printable(path)} is a Git LFS pointer, not the file itself",
        origin=Origin(path, commit=commit),
        cause="LFS is off: only what is in git is read",
        fix="keep manifests in git: git lfs migrate export --include=PATH",
    )
