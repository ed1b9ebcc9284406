"""Through which kustomizations' `images:` the objects of each file go, in the order in which kustomize builds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from sluice.core.artifact import FileEntry
from sluice.core.image_update.kustomized import Chain
from sluice.render.kustomization_file import KustomizationFile

# A file and the namespace that its objects are given (empty: their own), with the ways that lead to the root.
Chains = Mapping[tuple[str, str], frozenset[Chain]]
Targets = Callable[[KustomizationFile], Iterable[tuple[str, FileEntry | KustomizationFile]]]
_Built = dict[tuple[str, str], frozenset[Chain]]

MAX_FILES = 20_000
# More than one way is ambiguous, however many there are.
MAX_WAYS = 2


def image_chains(root: KustomizationFile, targets: Targets) -> Chains:
    """Follow resources, components and patches from a root; nothing where that leads to too many files.

    A component is applied to what its kustomization has taken in before it; patches come before `images:`.
    """
    chains = _Chains(targets)
    built = chains.built(root, {}, ())
    return {} if chains.files > MAX_FILES else built


@dataclass(slots=True)
class _Chains:
    targets: Targets
    files: int = 0
    _known: dict[str, _Built] = field(default_factory=dict)

    def built(self, file: KustomizationFile, taken: _Built, above: tuple[str, ...]) -> _Built:
        """What comes out of a kustomization; `taken` is what it is given as a component."""
        if file.folder in above or self.files > MAX_FILES:
            return {}
        found, stack = dict(taken), (*above, file.folder)
        targets = list(self.targets(file))
        for kind, target in targets:
            if kind == "resource":
                _add(found, self._resource(target, stack))
        for kind, target in targets:
            if kind == "component" and isinstance(target, KustomizationFile):
                found = self.built(target, found, stack)
        for kind, target in targets:
            if kind == "patch" and isinstance(target, FileEntry):
                _add(found, {(target.path, ""): frozenset({()})})
        self.files += len(found)
        return _through(file, found)

    def _resource(self, target: FileEntry | KustomizationFile, stack: tuple[str, ...]) -> _Built:
        if isinstance(target, FileEntry):
            return {(target.path, ""): frozenset({()})}
        if target.folder not in self._known:
            self._known[target.folder] = self.built(target, {}, stack)
        return self._known[target.folder]


def _add(found: _Built, more: _Built) -> None:
    for place, ways in more.items():
        found[place] = frozenset(sorted(found.get(place, frozenset()) | ways)[:MAX_WAYS])


def _through(file: KustomizationFile, built: _Built) -> _Built:
    namespace, has_images = file.value.get("namespace"), bool(file.value.get("images"))
    outer = namespace if isinstance(namespace, str) else ""
    found: _Built = {}
    for (path, given), ways in built.items():
        longer = frozenset((*way, file.path) for way in ways) if has_images else ways
        _add(found, {(path, outer or given): longer})
    return found
