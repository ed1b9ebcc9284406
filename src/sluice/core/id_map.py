"""A map from ids to values that holds no id: of each object its name, once, below what it shares with others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from sluice.core.ids import GroupKind, ResourceId

V = TypeVar("V")


class IdMap(Generic[V]):
    """Like a dict by `ResourceId`, in half its memory, and looked up without a call of Python's."""

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: dict[tuple[str, str, str], dict[str, V]] = {}

    def get(self, resource: ResourceId) -> V | None:
        """The value of that id, or None."""
        names = self._places.get((resource.group, resource.kind, resource.namespace))
        return names.get(resource.name) if names is not None else None

    def put(self, resource: ResourceId, value: V) -> None:
        """Set the value of that id."""
        place = (resource.group, resource.kind, resource.namespace)
        self._places.setdefault(place, {})[resource.name] = value

    def pop(self, resource: ResourceId) -> V | None:
        """Take the value of that id out; None when there was none."""
        place = (resource.group, resource.kind, resource.namespace)
        names = self._places.get(place)
        if names is None:
            return None
        value = names.pop(resource.name, None)
        if not names:
            del self._places[place]
        return value

    def ids_of(self, kind: GroupKind) -> Iterator[ResourceId]:
        """Every id of that kind."""
        for (group, name, namespace), names in self._places.items():
            if (group, name) == (kind.group, kind.kind):
                for each in names:
                    yield ResourceId(group, name, namespace, each)
