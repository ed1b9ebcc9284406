"""What the status of a commit is to be, and where its repository is; the hosts' files make requests of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from sluice.core.event import Event
from sluice.notify.message import Request, Target, need_commit

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """One status. `context` tells it from others of the commit; `subject` is `kind/name`, `genre` Azure's group."""

    commit: str
    context: str
    failed: bool
    description: str
    subject: str
    genre: str = "fluxcd"

    def word(self, good: str, bad: str) -> str:
        """How a host names the state."""
        return bad if self.failed else good


@dataclass(frozen=True, slots=True)
class StatusApi:
    """A host's API: ask what is set, tell from the answer whether that is ours already, and set it.

    The request is not made when the latest status says the same: some hosts refuse it, and all show it twice.
    """

    ask: Callable[[CommitStatus, Target], Request]
    is_set: Callable[[bytes, CommitStatus], bool]
    put: Callable[[CommitStatus, Target], Request]


def commit_status(event: Event, target: Target) -> CommitStatus:
    """The status for an event, named as the provider says, or as Flux names it. Raises UserError (NotifyRevision)."""
    subject = event.involved_object
    uid = target.provider_uid.partition("-")[0]
    summary = event.metadata.get("summary", "")
    return CommitStatus(
        commit=need_commit(event),
        context=target.status_name or f"{subject.kind}/{subject.name}/{uid}".lower(),
        failed=event.is_error,
        description=event.description,
        subject=f"{subject.kind}/{subject.name}".lower(),
        genre=f"fluxcd:{summary}" if summary else "fluxcd",
    )


def repository_of(target: Target, parts: int | None) -> tuple[str, list[str]]:
    """Origin and path of the repository that the address names. Raises UserError when the path has not `parts` parts.

    An address for git over ssh names the same repository: `ssh://git@host/owner/name`, `git@host:owner/name`.
    """
    address = target.address
    if address.startswith("git@") and "://" not in address:
        address = "ssh://" + address.replace(":", "/", 1)
    if address.startswith("ssh://"):
        address = f"https://{urlsplit(address).hostname or ''}{urlsplit(address).path}"
    url = urlsplit(Target(target.type, address=address).need_address())
    path = url.path.strip("/").removesuffix(".git").split("/")
    if not all(path) or (parts is not None and len(path) != parts):
        target.refuse_address("the URL of a repository")
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}", path


def read(answer: bytes, shape: type[T], otherwise: T) -> T:
    """An answer of a host; `otherwise` when it is not of that shape: then the status is set once more."""
    try:
        return msgspec.json.decode(answer, type=shape)
    except msgspec.DecodeError:
        return otherwise


def latest_says(statuses: list[dict[str, Any]], name: str, expected: dict[str, str]) -> bool:
    """True when the first of the statuses that has our `name` has these values; hosts list the newest first."""
    latest = next((status for status in statuses if status.get(name) == expected[name]), None)
    return latest is not None and all(latest.get(key) == value for key, value in expected.items())
