"""What became of files that were read before, so that an unchanged one is never read again. Bounded by bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from sluice.core.ids import GroupKind, ResourceId
from sluice.core.manifest import Manifest
from sluice.core.problem import Problem

Scope = Callable[[GroupKind], bool | None]
OVERHEAD_BYTES = 600


@dataclass(frozen=True, slots=True)
class FileResult:
    """The manifests of one file (or one build). `scopes` are the answers about kinds that they depend on."""

    manifests: tuple[Manifest, ...]
    warnings: tuple[Problem, ...] = ()
    owners: tuple[tuple[ResourceId, tuple[ResourceId, ...]], ...] = ()
    scopes: tuple[tuple[GroupKind, bool | None], ...] = ()
    size: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", OVERHEAD_BYTES + sum(len(m.body) + OVERHEAD_BYTES for m in self.manifests))


class ResultCache:
    """Least recently used results go first when `limit` bytes are reached."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._results: OrderedDict[Hashable, FileResult] = OrderedDict()

    def get(self, key: Hashable, scope: Scope) -> FileResult | None:
        """Give the result for `key`, when the kinds it depends on still have the scope they had."""
        found = self._results.get(key)
        if found is None or any(scope(kind) != answer for kind, answer in found.scopes):
            return None
        self._results.move_to_end(key)
        return found

    def put(self, key: Hashable, result: FileResult) -> None:
        """Keep a result; one that alone is over the limit is not kept."""
        old = self._results.pop(key, None)
        self._size -= old.size if old is not None else 0
        self._results[key] = result
        self._size += result.size
        while self._size > self._limit:
            _, dropped = self._results.popitem(last=False)
            self._size -= dropped.size
