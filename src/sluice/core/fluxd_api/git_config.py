"""What is told of the repository: where it is, without any secret in its address, and whether it can be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sluice.core.fluxd_api.public_key import NO_KEY, PublicKey
from sluice.core.git_url import mask_userinfo
from sluice.core.problem import clip

RepoStatus = Literal["unconfigured", "new", "cloned", "ready", "unreachable"]


@dataclass(frozen=True, slots=True)
class RepoFacts:
    """The repository and how it is. `error` is why it can't be read; `paths` are the folders that are synced."""

    status: RepoStatus
    url: str = ""
    branch: str = ""
    paths: Sequence[str] = ()
    error: str = ""
    key: PublicKey | None = None


def config_shape(facts: RepoFacts) -> dict[str, Any]:
    """GitConfig. What stands before an `@` in an http address is left out: it may be a password."""
    shown = facts.url if facts.url.startswith("ssh:") else mask_userinfo(facts.url)
    return {
        "remote": {"url": shown, "branch": facts.branch, "path": ",".join(path for path in facts.paths if path)},
        "publicSSHKey": facts.key.shape() if facts.key is not None else NO_KEY,
        "status": facts.status,
        "errors": clip(facts.error, 2000),
    }
