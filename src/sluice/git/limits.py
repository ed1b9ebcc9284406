"""What git operations may use and where they may go; `settings.py` fills these from flags."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GitPolicy:
    """Where connections may go. In-cluster git servers have private addresses, so those are always allowed."""

    allow_loopback: bool = False
    insecure_http_credentials: bool = False


@dataclass(frozen=True, slots=True)
class GitLimits:
    """Bytes, counts and seconds. `timeout` is used where the caller gives none."""

    timeout: float = 60.0
    refs_bytes: int = 64 << 20
    fetch_bytes: int = 4 << 30
    tree_files: int = 100_000
    tree_bytes: int = 1 << 30
    read_bytes: int = 256 << 20
    submodule_depth: int = 10
    submodules: int = 200


DEFAULT_POLICY = GitPolicy()
DEFAULT_LIMITS = GitLimits()
