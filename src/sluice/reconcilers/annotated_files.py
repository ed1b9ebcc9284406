"""The files of a sync in which workloads are automated, by the namespace that their objects are given."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from sluice.api.kustomization import KustomizationSpec
from sluice.core.ids import NamespacedName
from sluice.core.image_update.annotated import NEEDLE, SUFFIXES, Annotated, ImageReason, find_annotated
from sluice.core.image_update.kustomized import Chain, Kustomized, replacing_entries
from sluice.core.image_update.shared_file import Sharing, shared_image
from sluice.git.head import Head
from sluice.render.applied_files import AppliedFiles, applied_files
from sluice.render.built_images import folder_spec
from sluice.render.taken_files import TakenFiles


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with a kustomization: how it is built, and through which kustomizations' `images:` its files go.

    `home` is the namespace of what gets none; `shared` are files that others build as well.
    """

    spec: KustomizationSpec
    home: str
    chains: Mapping[str, Chain]
    shared: frozenset[str] = frozenset()
    sharing: Sharing = field(default_factory=Sharing)

    def kustomized(self, files: Mapping[str, bytes], commit: str = "") -> Kustomized:
        """The entries as these files have them."""
        return Kustomized.read(self.chains, files, commit)


@dataclass(frozen=True, slots=True)
class Place:
    """Folders of a repository that are synced together. `namespace` is that of objects which name none.

    `syncs` own what is applied from there; empty where everything in the cluster may be (flag mode). `imposed` is the
    namespace that a sync sets on everything that kustomizations build. `specs` are those of the folders' syncs, where
    there are some. `folder` is set in a part of one folder with a kustomization.
    """

    paths: tuple[str, ...]
    namespace: str
    syncs: frozenset[NamespacedName] = frozenset()
    imposed: str = ""
    specs: Mapping[str, KustomizationSpec] = field(default_factory=dict)
    folder: Folder | None = None


@dataclass(frozen=True, slots=True)
class AnnotatedFiles:
    """What to look at, each part with its namespace, and why workloads of other files stay as they are."""

    parts: tuple[tuple[Place, Mapping[str, bytes]], ...] = ()
    reasons: tuple[ImageReason, ...] = ()


async def annotated_files(place: Place, head: Head, seen: Collection[str], taken: TakenFiles) -> AnnotatedFiles:
    """Find the files with an automated workload, but for those seen before. Raises UserError and StateError.

    `taken` is of the head.
    """
    holding = {path for path in await head.files_with(NEEDLE) if path.endswith(SUFFIXES)}
    if not holding:
        return AnnotatedFiles()
    tree, done = await head.tree(), set(seen)
    parts: list[tuple[Place, Mapping[str, bytes]]] = []
    reasons: list[ImageReason] = []
    plain, home = set[str](), place.namespace
    for path in place.paths:
        applied = await applied_files(taken, path, place.imposed)
        if applied is None:
            plain.update(holding.intersection(entry.path for entry in tree.under(path)).difference(done))
            continue
        for namespace in sorted({*applied.own(home), *applied.own_patches(home), *applied.shared(home)}):
            found = await _in_namespace(place, path, namespace, applied, (holding, done), head)
            parts += found.parts
            reasons += found.reasons
        done.update(file for files in applied.own(home).values() for file in files)
        done.update(file for files in applied.own_patches(home).values() for file in files)
    if plain:
        parts.append((place, await head.read(plain.difference(done))))
    return AnnotatedFiles(tuple(sorted(parts, key=lambda part: part[0].namespace)), tuple(reasons))


async def _in_namespace(
    place: Place, path: str, namespace: str, applied: AppliedFiles, among: tuple[set[str], set[str]], head: Head
) -> AnnotatedFiles:
    """One folder's files of a namespace: its own that were not seen before, and those that others build as well."""
    home, (holding, seen) = place.namespace, among
    own = applied.own(home).get(namespace, set()) | applied.own_patches(home).get(namespace, set())
    contents = await head.read(holding.intersection(own).difference(seen))
    beside = await head.read(holding.intersection(applied.shared(home).get(namespace, ())))
    known = {**contents, **beside}
    chains = {file: chain for file, chain in applied.chains(namespace, home).items() if file in known}
    kustomizations = await head.read({file for chain in chains.values() for file in chain})
    kustomized = Kustomized.read(chains, kustomizations, head.commit)
    reasons: list[ImageReason] = []
    replaced: set[str] = set()
    for each in find_annotated(beside, namespace, head.commit)[0]:
        if replacing_entries(kustomized, each.path, each.workload):
            replaced.add(each.path)
        else:
            reasons += _shared(each, applied.sharing)
    files = {**contents, **{file: beside[file] for file in replaced}}
    if not files:
        return AnnotatedFiles((), tuple(reasons))
    spec = place.specs.get(path) or folder_spec(path, place.imposed)
    folder = Folder(spec, home, chains, frozenset(replaced), applied.sharing)
    part = replace(place, paths=(path,), namespace=namespace, folder=folder)
    return AnnotatedFiles(((part, {**files, **kustomizations}),), tuple(reasons))


def _shared(each: Annotated, sharing: Sharing) -> list[ImageReason]:
    """A reason for every image of a workload whose file others build as well."""
    problem = shared_image(each.workload, each.origin, sharing)
    return [
        ImageReason(each.workload.id, name, str(image), problem.title, problem) for name, image in each.images().items()
    ]
