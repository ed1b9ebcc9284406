"""Receivers that answer calls, by the path of their address. Memory only: after a start each turn brings one back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sluice.api.receiver import Receiver, ReceiverResource
from sluice.core.caller_token import TokenRule
from sluice.core.cel import Expression
from sluice.core.ids import NamespacedName

HOOK = "/hook/"


@dataclass(frozen=True, slots=True)
class Target:
    """One entry of `spec.resources`, with the filters that an object must pass."""

    resource: ReceiverResource
    filters: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class OpenReceiver:
    """A receiver and its token, which nothing prints; where callers prove themselves by tokens, whose those are."""

    item: Receiver
    token: str
    targets: tuple[Target, ...]
    callers: tuple[TokenRule, ...] = ()
    suspended: bool = False

    def __repr__(self) -> str:
        return f"OpenReceiver({self.item.metadata.key})"

    @property
    def needs_body(self) -> bool:
        """Whether the body is looked into."""
        return any(target.filters for target in self.targets)


class Receivers:
    """Who answers at which path."""

    def __init__(self) -> None:
        self._by_path: dict[str, OpenReceiver] = {}
        self._paths: dict[NamespacedName, str] = {}

    def get(self, path: str) -> OpenReceiver | None:
        """The receiver of a path, None for a path that is nobody's."""
        return self._by_path.get(path)

    def open(self, receiver: OpenReceiver) -> str:
        """Let it answer calls, and no longer at another path; returns the path."""
        path = path_of(receiver.token, receiver.item.metadata.key)
        self.close(receiver.item.metadata.key)
        self._by_path[path] = receiver
        self._paths[receiver.item.metadata.key] = path
        return path

    def suspend(self, key: NamespacedName) -> None:
        """Let it answer that it is suspended."""
        path = self._paths.get(key)
        if path is not None:
            self._by_path[path] = replace(self._by_path[path], suspended=True)

    def close(self, key: NamespacedName) -> None:
        """Its path is nobody's from now on."""
        self._by_path.pop(self._paths.pop(key, ""), None)

    def paths(self) -> Mapping[NamespacedName, str]:
        """Every open receiver's path."""
        return self._paths


def path_of(token: str, key: NamespacedName) -> str:
    """The path of a receiver's address: as Flux makes it, so that what is set up at a git host goes on working."""
    return HOOK + hashlib.sha256(f"{token}{key.name}{key.namespace}".encode()).hexdigest()
