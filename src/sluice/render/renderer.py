"""The one way in: picks the native reader or the real kustomize, and gives all manifests or all problems."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sluice.core import manifest_set
from sluice.core.artifact import FileEntry, digest_of
from sluice.core.errors import UserError
from sluice.core.ids import GroupKind, ResourceId
from sluice.core.manifest import Manifest
from sluice.core.manifest_make import Finishing, Made, make
from sluice.core.manifest_read import SourceObject
from sluice.core.problem import Origin, Problem
from sluice.render import plain
from sluice.render.chart_folder import fold_charts
from sluice.render.closure import Walker
from sluice.render.generated import empty_root, with_spec
from sluice.render.generation_target import Repository, Target, find_target, without_flux_files
from sluice.render.generators import Generators
from sluice.render.kustomization_file import NAMES, read_kustomization
from sluice.render.kustomize import SECONDS, Build, Kustomize
from sluice.render.links import Escape, Links, normal
from sluice.render.render_input import RenderInput, find_folder, finishing_of, transform_digest, variables_of
from sluice.render.result_cache import FileResult, ResultCache, pages
from sluice.render.scope import CLUSTER_SCOPED, TargetNamespace, needs_kustomize

CACHE_BYTES = 32 << 20
BATCH = 256
# A build has one result, whatever files it reads.
WHOLE = ""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Manifests sorted by id. `digest` is of their content; `cached` is true when nothing had to be read or built."""

    manifests: tuple[Manifest, ...]
    warnings: tuple[Problem, ...]
    digest: str
    cached: bool


class Renderer:
    """Renders syncs; remembers what unchanged inputs gave. `work_dir` must exist; `seconds` bounds one build.

    With `generators`, a path that has a `.flux.yaml` is what its commands print; without, that file means nothing.
    """

    def __init__(
        self,
        work_dir: Path,
        kubectl: Path | None = None,
        *,
        cache_bytes: int = CACHE_BYTES,
        seconds: float = SECONDS,
        generators: Generators | None = None,
    ) -> None:
        self.generators = generators
        self._cache = ResultCache(cache_bytes)
        self._kustomize = Kustomize(work_dir, kubectl, seconds)

    @property
    def identity(self) -> str:
        """Names the programs that render beside this one: another kustomize may give other manifests."""
        return self._kustomize.identity

    async def render(self, given: RenderInput) -> Rendered:
        """Render one sync. Raises UserError with every problem; the repository or the spec must change then."""
        try:
            return await self._render(given)
        except UserError as error:
            raise UserError(*fold_charts(error.problems, given.tree, given.commit)) from None

    async def _render(self, given: RenderInput) -> Rendered:
        links = await Links.of(given.tree, given.blobs)
        if self.generators is not None:
            repository = Repository(given.tree, given.blobs, links, given.commit)
            target = await find_target(repository, given.spec.path)
            if target is not None:
                result, cached = await self._generated(self.generators, given, repository, target)
                return _collect([result], given.commit, cached=cached)
            given = replace(given, tree=without_flux_files(given.tree))
        folder = find_folder(given, links)
        variables = variables_of(given)
        transform = transform_digest(given, variables)
        if not _needs_build(given, folder):
            namespace = TargetNamespace(given.spec.targetNamespace, given.scope) if given.spec.targetNamespace else None
            finishing = finishing_of(given, variables, namespace)
            results, cached = await self._plain(given, folder, links, finishing, transform)
            if namespace is None or not any(needs_kustomize(m) for result in results for m in result.manifests):
                return _collect(results, given.commit, cached=cached)
        result, cached = await self._built(given, folder, links, finishing_of(given, variables, None), transform)
        return _collect([result], given.commit, cached=cached)

    async def _plain(
        self, given: RenderInput, folder: str, links: Links, finishing: Finishing, transform: bytes
    ) -> tuple[list[FileResult], bool]:
        entries, problems = plain.pick(given.tree, folder, links, given.commit)
        found: dict[str, FileResult] = {}
        whole = True
        for page in pages(entries):
            key = (page[-1].path, transform)
            known = self._cache.get(key, given.scope)
            missing = [entry for entry in page if _name(entry) not in known]
            read = await plain.read_files(missing, given.blobs, finishing, given.commit)
            faulty: set[FileEntry] = set()
            for entry, (fresh, faults) in zip(missing, read, strict=True):
                known[_name(entry)] = _with_scopes(fresh, finishing)
                problems += faults
                if faults:
                    faulty.add(entry)
            found.update((entry.path, known[_name(entry)]) for entry in page)
            if missing:
                self._cache.put(key, {_name(e): found[e.path] for e in page if e not in faulty})
            whole = whole and not missing
            await asyncio.sleep(0)
        results = list(found.values())
        if problems:
            raise UserError(*problems, *manifest_set.duplicates(m for result in results for m in result.manifests))
        return results, whole

    async def _generated(
        self, generators: Generators, given: RenderInput, repository: Repository, target: Target
    ) -> tuple[FileResult, bool]:
        """What commands print depends on any file of the tree, so that any change makes them run again."""
        variables = variables_of(given)
        place = (target.folder, target.file.path, generators.path)
        key = (digest_of(given.tree.entries), place, transform_digest(given, variables))
        known = self._cache.get(key, given.scope).get(WHOLE)
        if known is not None:
            return known, True
        generated = await generators.generate(repository, target)
        namespace = TargetNamespace(given.spec.targetNamespace, given.scope) if given.spec.targetNamespace else None
        finishing = finishing_of(given, variables, namespace)
        result = _with_scopes(await _made([(source, None) for source in generated.objects], finishing), finishing)
        self._cache.put(key, {WHOLE: result})
        return result, False

    async def _built(
        self, given: RenderInput, folder: str, links: Links, finishing: Finishing, transform: bytes
    ) -> tuple[FileResult, bool]:
        walker = Walker(given.tree, given.blobs, links, given.commit)
        build, problems = await prepare(given, folder, links, walker)
        if build is None:
            return FileResult(()), True
        key = (build.key(), transform)
        known = self._cache.get(key, given.scope).get(WHOLE) if not problems else None
        if known is not None:
            return known, True
        problems += await walker.judge()
        if problems:
            raise UserError(*dict.fromkeys(problems))
        objects = await self._kustomize.objects(build, given.blobs)
        scopes = _strip_namespaces(objects, given)
        known_files = build.closure.resources
        sources = [
            (source, known_files.get(source.origin.path) if not source.origin.renderer else None) for source in objects
        ]
        result = replace(await _made(sources, finishing), scopes=scopes)
        self._cache.put(key, {WHOLE: result})
        return result, False


def _name(entry: FileEntry) -> str:
    return f"{entry.blob} {entry.path}"


async def _made(sources: Sequence[tuple[SourceObject, bytes | None]], finishing: Finishing) -> FileResult:
    """Make the manifests of objects, given with the content of their files. Raises UserError with every problem."""
    made: list[Made] = []
    for start in range(0, len(sources), BATCH):
        made += [make(source, finishing, data) for source, data in sources[start : start + BATCH]]
        await asyncio.sleep(0)
    problems = [problem for one in made for problem in one.problems]
    if problems:
        raise UserError(*problems)
    return FileResult(
        tuple(one.manifest for one in made if one.manifest is not None),
        tuple(warning for one in made for warning in one.warnings),
        tuple((one.manifest.id, one.owners) for one in made if one.manifest is not None and one.owners),
    )


def _needs_build(given: RenderInput, folder: str) -> bool:
    spec = given.spec
    fields = (spec.namePrefix, spec.nameSuffix, spec.patches, spec.images, spec.components, spec.buildMetadata)
    if any(fields) or spec.patchesStrategicMerge or spec.patchesJson6902:
        return True
    return any(entry.path.rsplit("/", 1)[-1] in NAMES for entry in given.tree.under(folder))


async def prepare(given: RenderInput, folder: str, links: Links, walker: Walker) -> tuple[Build | None, list[Problem]]:
    """List a build's files and what is wrong with its references; no build when there is nothing to build.

    Raises UserError when the kustomization can't be read at all.
    """
    entry = walker.kustomization_in(folder)
    problems: list[Problem] = []
    if entry is None:
        file = empty_root(given.tree, folder, given.commit)
        if not file.value["resources"] and not given.spec.components:
            return None, []
    else:
        [data] = await given.blobs.read([entry])
        read, problems = read_kustomization(data, entry.path, folder, given.commit)
        if read is None:
            raise UserError(*problems)
        file = read

    def has_folder(text: str) -> bool:
        try:
            return given.tree.has_folder(links.resolve(normal(f"{folder}/{text}")))
        except Escape:
            return True  # refused with its reason when the closure is walked

    root, keeps_origin = with_spec(file, given.spec, has_folder)
    closure = await walker.collect(root)
    return Build(root, closure, links, keeps_origin), [*problems, *closure.problems]


def _strip_namespaces(objects: list[SourceObject], given: RenderInput) -> tuple[tuple[GroupKind, bool | None], ...]:
    """Take the target namespace off cluster-scoped objects: kustomize sets it on every kind that it does not know."""
    wanted = given.spec.targetNamespace
    asked: dict[GroupKind, bool | None] = {}
    for source in objects if wanted else ():
        kind = GroupKind(str(source.value.get("apiVersion", "")).rpartition("/")[0], str(source.value.get("kind", "")))
        if kind not in asked:
            asked[kind] = given.scope(kind)
        metadata = source.value.get("metadata")
        is_cluster_scoped = kind in CLUSTER_SCOPED or asked[kind] is False
        if is_cluster_scoped and isinstance(metadata, dict) and metadata.get("namespace") == wanted:
            del metadata["namespace"]
    return tuple(sorted(asked.items(), key=lambda item: item[0]))


def _with_scopes(result: FileResult, finishing: Finishing) -> FileResult:
    """Note which answers about kinds a result depends on."""
    if not isinstance(finishing.namespace_for, TargetNamespace):
        return result
    asked = finishing.namespace_for.asked
    kinds = {manifest.id.group_kind for manifest in result.manifests} & asked.keys()
    return FileResult(result.manifests, result.warnings, result.owners, tuple((kind, asked[kind]) for kind in kinds))


def _collect(results: list[FileResult], commit: str, *, cached: bool) -> Rendered:
    manifests = [_at_commit(manifest, commit) for result in results for manifest in result.manifests]
    owners: dict[ResourceId, tuple[ResourceId, ...]] = {}
    for result in results:
        owners.update(result.owners)
    problems = [*manifest_set.duplicates(manifests), *manifest_set.unknown_owners(manifests, owners)]
    if problems:
        raise UserError(*problems)
    manifests.sort(key=lambda manifest: manifest.id)
    sha = hashlib.sha256()
    for manifest in manifests:
        sha.update(manifest.digest)
    warnings = tuple(_warning_at(warning, commit) for result in results for warning in result.warnings)
    return Rendered(tuple(manifests), warnings, f"sha256:{sha.hexdigest()}", cached)


def _at_commit(manifest: Manifest, commit: str) -> Manifest:
    """The same manifest, said to be at this commit."""
    known = manifest.origin
    if known.commit == commit:
        return manifest
    origin = Origin(known.path, known.line, known.column, known.document, commit, known.renderer)
    return Manifest(manifest.id, manifest.api_version, manifest.body, origin, manifest.digest, manifest.directives)


def _warning_at(warning: Problem, commit: str) -> Problem:
    if warning.origin is None or warning.origin.commit == commit:
        return warning
    return replace(warning, origin=replace(warning.origin, commit=commit))
