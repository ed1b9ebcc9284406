"""Which files a folder's kustomizations take objects from, and the namespace that each of them is given there.

Nothing is built: references are followed, and the namespace of the outermost kustomization that sets one counts, as in
kustomize. What is wrong with a reference is for the sync to tell; here it leads nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sluice.core.artifact import FileEntry, FileTree
from sluice.core.image_update.kustomized import Chain
from sluice.core.image_update.shared_file import Sharing
from sluice.render.closure import Closure, Walker
from sluice.render.generated import empty_root
from sluice.render.image_chains import Chains, image_chains
from sluice.render.kustomization_file import NAMES, KustomizationFile, read_kustomization, references
from sluice.render.links import Escape, Links, normal
from sluice.render.taken_files import TakenFiles

# Files by path, each with the namespaces that its objects are given; empty: those that it names, or the default.
Given = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class AppliedFiles:
    """The files of resources, and those of patches, which may define an image as well.

    A file with several namespaces is built several times over: it is shared, as is one that others take in as well.
    """

    sharing: Sharing
    resources: Given
    patches: Given
    _chains: Chains = field(default_factory=dict)

    def chains(self, namespace: str, default: str) -> dict[str, Chain]:
        """By file, the kustomizations with `images:` that its objects of a namespace go through, innermost first.

        A file that is built several times for the same namespace has none: nobody could say which one counts.
        """
        ways: dict[str, set[Chain]] = {}
        for (path, given), there in self._chains.items():
            if (given or default) == namespace:
                ways.setdefault(path, set()).update(there)
        return {path: chain for path, (chain, *others) in ways.items() if chain and not others}

    def ways(self, path: str, namespace: str = "") -> list[Chain]:
        """Every way of a file's objects through kustomizations with `images:`, where they can get to the namespace."""
        ways = [
            there
            for (file, given), there in self._chains.items()
            if file == path and (not namespace or given in {"", namespace})
        ]
        return sorted({chain for there in ways for chain in there if chain})

    def own(self, default: str) -> dict[str, set[str]]:
        """By namespace, the resources that are built once, and by nobody else: who changes one changes nothing else."""
        return self._by_namespace(self.resources, default, is_own=True)

    def own_patches(self, default: str) -> dict[str, set[str]]:
        """By namespace, such files of patches."""
        return self._by_namespace(self.patches, default, is_own=True)

    def shared(self, default: str) -> dict[str, set[str]]:
        """By namespace, the other resources: built by others as well, or several times over."""
        return self._by_namespace(self.resources, default, is_own=False)

    def _by_namespace(self, files: Given, default: str, *, is_own: bool) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for path, namespaces in files.items():
            for namespace in namespaces if (path not in self.sharing.shared_by) is is_own else ():
                found.setdefault(namespace or default, set()).add(path)
        return found


async def applied_files(taken: TakenFiles, path: str, namespace: str = "") -> AppliedFiles | None:
    """The files of a folder that has a kustomization in it; None for any other, where all files below are applied.

    `namespace` is what the sync sets on everything, if it does. Raises StateError when a file can't be read.
    """
    tree, blobs, commit = await taken.version.tree(), taken.version.blobs, taken.version.commit
    links = await Links.of(tree, blobs)
    try:
        folder = links.resolve(normal(path))
    except Escape:
        return None
    if not any(entry.path.rpartition("/")[2] in NAMES for entry in tree.under(folder)):
        return None
    walker = Walker(tree, blobs, links, commit)
    entry = walker.kustomization_in(folder)
    root: KustomizationFile | None = empty_root(tree, folder, commit)
    if entry is not None:
        [data] = await blobs.read([entry])
        root, _ = read_kustomization(data, entry.path, folder, commit)
    if root is None:
        return AppliedFiles(Sharing(folder), {}, {})
    followed = _Followed(tree, links, await walker.collect(root))
    followed.follow(root, namespace)
    chains = image_chains(root, followed.targets)
    if namespace:  # the outermost of all
        chains = _imposed(chains, namespace)
    resources, patches = _given(followed.resources), _given(followed.patches)
    kustomizations = {file for ways in chains.values() for way in ways for file in way}
    often = {path for files in (resources, patches) for path, namespaces in files.items() if len(namespaces) > 1}
    shared_by: dict[str, tuple[str, ...]] = {}
    for file in sorted({*resources, *patches, *kustomizations}):
        if file in often or not await taken.is_of(file, folder):
            shared_by[file] = await taken.sharers(file)
    return AppliedFiles(Sharing(folder, shared_by), resources, patches, chains)


@dataclass(slots=True)
class _Followed:
    """A walk along resources, components and patches, each folder once for every namespace that it is given."""

    tree: FileTree
    links: Links
    closure: Closure
    done: set[tuple[str, str]] = field(default_factory=set)
    resources: dict[str, set[str]] = field(default_factory=dict)
    patches: dict[str, set[str]] = field(default_factory=dict)

    def follow(self, root: KustomizationFile, namespace: str) -> None:
        waiting = [(root, namespace)]
        while waiting:
            file, outer = waiting.pop()
            given = outer or _namespace(file)
            if (file.folder, given) in self.done:
                continue
            self.done.add((file.folder, given))
            for kind, target in self.targets(file):
                if isinstance(target, KustomizationFile):
                    waiting.append((target, given))
                else:
                    files = self.patches if kind == "patch" else self.resources
                    files.setdefault(target.path, set()).add(given)

    def targets(self, file: KustomizationFile) -> Iterator[tuple[str, FileEntry | KustomizationFile]]:
        """What a kustomization names of resources, components and patches, by kind."""
        for reference in references(file):
            if reference.kind not in {"resource", "component", "patch"}:
                continue
            try:
                path = self.links.resolve(normal(f"{file.folder}/{reference.text}"))
            except Escape:
                continue
            target = self.tree.by_path.get(path) or self.closure.kustomizations.get(path)
            if target is not None:
                yield reference.kind, target


def _given(files: Mapping[str, set[str]]) -> Given:
    return {path: frozenset(namespaces) for path, namespaces in files.items()}


def _imposed(chains: Chains, namespace: str) -> Chains:
    ways: dict[tuple[str, str], frozenset[Chain]] = {}
    for (path, _), there in chains.items():
        ways[path, namespace] = ways.get((path, namespace), frozenset()) | there
    return ways


def _namespace(file: KustomizationFile) -> str:
    held = file.value.get("namespace")
    return held if isinstance(held, str) else ""
