"""The current artifact of every source, and who wants to know when it changes."""

from __future__ import annotations

from collections.abc import Callable

from sluice.core.artifact import Artifact
from sluice.core.ids import ResourceId


class Artifacts:
    """What sources have fetched, for the syncs that read it. Memory only: after a restart sources fill it again."""

    def __init__(self) -> None:
        self._current: dict[ResourceId, Artifact] = {}
        self._listeners: list[Callable[[ResourceId], None]] = []

    def get(self, source: ResourceId) -> Artifact | None:
        """The source's artifact, or None while it has none."""
        return self._current.get(source)

    def put(self, artifact: Artifact) -> None:
        """Make it the source's current one, and tell everyone when it is another than before."""
        old = self._current.get(artifact.source)
        self._current[artifact.source] = artifact
        if old is None or (old.revision, old.digest) != (artifact.revision, artifact.digest):
            for listener in self._listeners:
                listener(artifact.source)

    def remove(self, source: ResourceId) -> None:
        """Forget a source that is gone."""
        self._current.pop(source, None)

    def subscribe(self, listener: Callable[[ResourceId], None]) -> None:
        """Call `listener` with the id of every source whose artifact changed."""
        self._listeners.append(listener)
