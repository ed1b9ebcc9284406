"""The one way in: picks the native reader or the real kustomize, and gives all manifests or all problems."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from sluice.api.kustomization import KustomizationSpec
from sluice.core import codes, manifest_set
from sluice.core.artifact import BlobReader, FileEntry, FileTree
from sluice.core.errors import UserError
from sluice.core.ids import GroupKind, ResourceId
from sluice.core.manifest import Manifest
from sluice.core.manifest_make import Finishing
from sluice.core.problem import Origin, Problem
from sluice.render import plain
from sluice.render.links import Escape, Links, normal
from sluice.render.result_cache import FileResult, ResultCache
from sluice.render.scope import TargetNamespace

CACHE_BYTES = 32 << 20
KUSTOMIZATION_FILES = frozenset(("kustomization.yaml", "kustomization.yml", "Kustomization"))
RENDERER_VERSION = "1"


@dataclass(frozen=True, slots=True)
class RenderInput:
    """All that a render depends on. `scope` says whether a kind is namespaced, None when nobody knows yet."""

    tree: FileTree
    blobs: BlobReader
    commit: str
    spec: KustomizationSpec
    owner_labels: Mapping[str, str]
    variables: Mapping[str, str]
    scope: Callable[[GroupKind], bool | None]


@dataclass(frozen=True, slots=True)
class Rendered:
    """Manifests sorted by id. `digest` is of their content; `cached` is true when no file had to be read."""

    manifests: tuple[Manifest, ...]
    warnings: tuple[Problem, ...]
    digest: str
    cached: bool


class Renderer:
    """Renders syncs; remembers what unchanged files gave."""

    def __init__(self, work_dir: Path, kubectl: Path | None = None, cache_bytes: int = CACHE_BYTES) -> None:
        self._work_dir = work_dir
        self._kubectl = kubectl
        self._cache = ResultCache(cache_bytes)

    async def render(self, given: RenderInput) -> Rendered:
        """Render one sync. Raises UserError with every problem; the repository or the spec must change then."""
        links = await Links.of(given.tree, given.blobs)
        folder = find_folder(given, links)
        _refuse_builds(given, folder)
        results, cached = await self._plain(given, folder, links)
        return _collect(results, given.commit, cached=cached)

    async def _plain(self, given: RenderInput, folder: str, links: Links) -> tuple[list[FileResult], bool]:
        entries, problems = plain.pick(given.tree, folder, links, given.commit)
        finishing, namespace = finishing_of(given)
        transform = transform_digest(given)
        keys = [(entry.blob, entry.path, transform) for entry in entries]
        found = [self._cache.get(key, given.scope) for key in keys]
        missing: list[FileEntry] = [entry for entry, result in zip(entries, found, strict=True) if result is None]
        read = iter(await plain.read_files(missing, given.blobs, finishing, given.commit))
        results = []
        for key, result in zip(keys, found, strict=True):
            if result is None:
                fresh, faults = next(read)
                problems += faults
                if namespace is not None:
                    fresh = replace_scopes(fresh, namespace)
                if not faults:
                    self._cache.put(key, fresh)
                results.append(fresh)
            else:
                results.append(result)
        if problems:
            raise UserError(*problems, *manifest_set.duplicates(m for result in results for m in result.manifests))
        return results, not missing


def _refuse_builds(given: RenderInput, folder: str) -> None:
    spec = given.spec
    needs = spec.namePrefix or spec.nameSuffix or spec.patches or spec.images or spec.components or spec.postBuild
    files = [entry.path for entry in given.tree.under(folder) if entry.path.rsplit("/", 1)[-1] in KUSTOMIZATION_FILES]
    if needs or files:
        where = Origin(files[0], commit=given.commit) if files else None
        raise UserError(Problem(codes.NOT_HONOURED, "kustomizations are not honoured yet", None, where))


def replace_scopes(result: FileResult, namespace: TargetNamespace) -> FileResult:
    """Note which answers about kinds a result depends on."""
    kinds = {manifest.id.group_kind for manifest in result.manifests} & namespace.asked.keys()
    scopes = tuple((kind, namespace.asked[kind]) for kind in sorted(kinds))
    return FileResult(result.manifests, result.warnings, result.owners, scopes)


def find_folder(given: RenderInput, links: Links) -> str:
    """Find the folder of spec.path: `./apps`, `/apps` and `apps/` are one. Raises UserError when it is not there."""
    path = given.spec.path
    try:
        folder = links.resolve(normal(path))
    except Escape as escape:
        problem = Problem(
            codes.PATH_ESCAPE, "spec.path leaves the source", None, None, "spec.path", escape.reason, "keep it inside"
        )
        raise UserError(problem) from None
    if given.tree.has_folder(folder):
        return folder
    folders = {p.rsplit("/", depth)[0] for p in given.tree.by_path for depth in range(1, p.count("/") + 1)}
    near = difflib.get_close_matches(folder, sorted(folders), n=3, cutoff=0.5)
    cause = "it is a file" if folder in given.tree.by_path else f"at commit {given.commit[:7]}" if given.commit else ""
    fix = f"did you mean {' or '.join(near)}?" if near else "correct spec.path"
    raise UserError(Problem(codes.PATH_MISSING, f"no folder {folder!r}", None, None, "spec.path", cause, fix))


def finishing_of(given: RenderInput) -> tuple[Finishing, TargetNamespace | None]:
    """Say what is done to each object of this sync."""
    common = given.spec.commonMetadata
    namespace = TargetNamespace(given.spec.targetNamespace, given.scope) if given.spec.targetNamespace else None
    labels, annotations = (common.labels, common.annotations) if common is not None else ({}, {})
    return Finishing(given.owner_labels, labels, annotations, namespace), namespace


def transform_digest(given: RenderInput) -> bytes:
    """Digest the parts of the input, other than files, that change what a file's objects become."""
    spec = given.spec
    parts = (
        RENDERER_VERSION,
        sorted(given.owner_labels.items()),
        spec.commonMetadata,
        spec.targetNamespace,
        spec.postBuild,
        sorted(given.variables.items()),
    )
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).digest()


def _between(results: list[FileResult]) -> list[Problem]:
    manifests = [manifest for result in results for manifest in result.manifests]
    owners: dict[ResourceId, tuple[ResourceId, ...]] = {}
    for result in results:
        owners.update(result.owners)
    return [*manifest_set.duplicates(manifests), *manifest_set.unknown_owners(manifests, owners)]


def _collect(results: list[FileResult], commit: str, *, cached: bool) -> Rendered:
    manifests = [at_commit(manifest, commit) for result in results for manifest in result.manifests]
    problems = _between(results)
    if problems:
        raise UserError(*problems)
    manifests.sort(key=lambda manifest: manifest.id)
    sha = hashlib.sha256()
    for manifest in manifests:
        sha.update(manifest.digest)
    warnings = tuple(_warning_at(warning, commit) for result in results for warning in result.warnings)
    return Rendered(tuple(manifests), warnings, f"sha256:{sha.hexdigest()}", cached)


def at_commit(manifest: Manifest, commit: str) -> Manifest:
    """The same manifest, said to be at this commit."""
    if manifest.origin.commit == commit:
        return manifest
    origin = replace(manifest.origin, commit=commit)
    return Manifest(manifest.id, manifest.api_version, manifest.body, origin, manifest.digest, manifest.directives)


def _warning_at(warning: Problem, commit: str) -> Problem:
    if warning.origin is None or warning.origin.commit == commit:
        return warning
    return replace(warning, origin=replace(warning.origin, commit=commit))
