"""What the last whole scan of every ImageRepository found, by its revision, and who wants to know when that changes.

The tags themselves are in the scanner's cache on disk: memory does not grow with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sluice.core.ids import NamespacedName


@dataclass(frozen=True, slots=True)
class FoundTags:
    """A whole list of the tags of `image` (its canonical name): `revision` changes when they do."""

    image: str
    revision: str


class ImageScans:
    """What policies wait for. Memory only: after a restart the first turn of a repository fills it again."""

    def __init__(self) -> None:
        self._found: dict[NamespacedName, FoundTags] = {}
        self._listeners: list[Callable[[NamespacedName], None]] = []

    def get(self, repository: NamespacedName) -> FoundTags | None:
        """What is known of an ImageRepository; None before its first scan."""
        return self._found.get(repository)

    def put(self, repository: NamespacedName, found: FoundTags) -> None:
        """Note a whole scan, and tell everyone when it found something else than the one before."""
        old = self._found.get(repository)
        self._found[repository] = found
        if old != found:
            for listener in self._listeners:
                listener(repository)

    def remove(self, repository: NamespacedName) -> None:
        """Forget an ImageRepository that is gone."""
        self._found.pop(repository, None)

    def subscribe(self, listener: Callable[[NamespacedName], None]) -> None:
        """Call `listener` with the key of every ImageRepository of which another list was found."""
        self._listeners.append(listener)
