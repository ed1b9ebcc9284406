"""What this process has seen of values in git that it writes: enough to notice that two writers fight over one."""

from __future__ import annotations

from collections.abc import Iterable

from sluice.core.image_update.flip import Flips
from sluice.core.image_update.result import ImageChange

MAX_PLACES = 10_000
# Repository and branch, file, object, field.
Place = tuple[str, str, str, str]


class FlipMemory:
    """The flips of every place that was written. Lost with the process: a fight is then noticed once more."""

    def __init__(self) -> None:
        self._flips: dict[Place, Flips] = {}

    def held(self, where: str, changes: Iterable[ImageChange]) -> tuple[tuple[ImageChange, str], ...]:
        """Those of the changes that must not be made, each with the writer of what is there (empty: not known)."""
        known = [(change, self._flips[place]) for change in changes if (place := _place(where, change)) in self._flips]
        seen = [(change, flips.seen(change.old)) for change, flips in known]
        return tuple((change, flips.last_writer) for change, flips in seen if flips.is_held(change.new))

    def wrote(self, where: str, changes: Iterable[ImageChange], writer: str) -> None:
        """Remember what was pushed. Of too many places the longest unchanged are forgotten."""
        for change in changes:
            place = _place(where, change)
            flips = self._flips.pop(place, Flips())
            self._flips[place] = flips.wrote(change.old, change.new, writer)
        while len(self._flips) > MAX_PLACES:
            del self._flips[next(iter(self._flips))]


def _place(where: str, change: ImageChange) -> Place:
    return where, change.path, str(change.subject), change.field
