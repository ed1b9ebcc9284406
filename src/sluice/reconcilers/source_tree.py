"""The files of a source's revision: what is included and ignored, and what to warn of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sluice.api.git_repository import GitRepository, Include
from sluice.core import codes
from sluice.core.artifact import Artifact, BlobReader, FileEntry, FileTree
from sluice.core.errors import NotReady, UserError
from sluice.core.ids import NamespacedName
from sluice.core.ignore import filter_tree, ignore_files
from sluice.core.include import CombinedBlobs, merge_include
from sluice.core.problem import Problem, clip
from sluice.core.tree_check import attribute_files, attributes_ignored, case_collisions
from sluice.git.mirror import Mirror
from sluice.git.refs import ResolvedRef
from sluice.reconcilers.artifacts import Artifacts
from sluice.reconcilers.source_facts import source_id

Includes = tuple[tuple[Include, Artifact], ...]


def included_in(source: GitRepository, include: Include, artifacts: Artifacts) -> Artifact | None:
    """The artifact of another source that this one includes, if there is one now."""
    return artifacts.get(source_id(NamespacedName(source.metadata.namespace, include.repository.name)))


def includes_of(source: GitRepository, artifacts: Artifacts) -> Includes:
    """All that a source includes. Raises NotReady (IncludeUnavailable) when one of them has no artifact."""
    found = []
    for include in source.spec.include:
        artifact = included_in(source, include, artifacts)
        if artifact is None:
            raise NotReady(
                Problem(
                    codes.INCLUDE_UNAVAILABLE,
                    f"included GitRepository {source.metadata.namespace}/{include.repository.name} has no artifact",
                    field="spec.include",
                    cause="it does not exist, or is not ready",
                    fix="create it, or correct the name",
                )
            )
        found.append((include, artifact))
    return tuple(found)


async def read_tree(
    source: GitRepository, mirror: Mirror, resolved: ResolvedRef, includes: Includes
) -> tuple[FileTree, BlobReader, tuple[Problem, ...]]:
    """The files, how to read them, and warnings. Raises UserError (SourceEmpty) when no file is left."""
    spec = source.spec
    tree = await mirror.tree(resolved.commit, submodules=spec.recurseSubmodules, sparse=spec.sparseCheckout)
    blobs: BlobReader = mirror.blobs
    others = [(other.tree, other.blobs) for _, other in includes]
    for include, other in includes:
        tree = merge_include(tree, other.tree, include.fromPath, include.toPath or include.repository.name)
    if others:
        blobs = CombinedBlobs(blobs, others)
    warnings = attributes_ignored(await _with_content(attribute_files(tree), blobs), resolved.revision.hex)
    tree = await _filtered(source, tree, blobs)
    if not tree.entries:
        raise UserError(
            Problem(
                codes.SOURCE_EMPTY,
                "no file is left of the repository",
                cause="the ignore rules or the sparse checkout leave out everything",
                fix="correct spec.ignore, spec.sparseCheckout or .sourceignore",
            )
        )
    return tree, blobs, (*warnings, *case_collisions(tree, resolved.revision.hex))


async def told(artifact: Artifact, mirror: Mirror) -> Artifact:
    """With who wrote the commit, what its first line says, and whether it is an update of images."""
    info = await mirror.commit_info(artifact.revision.hex)
    updated_by = info.mark.owner if info.mark is not None else ""
    author, subject = clip(info.author, 60), clip(info.subject, 120)
    return replace(artifact, author=author, subject=subject, updated_by=updated_by, committed_at=info.committed)


async def _with_content(entries: Sequence[FileEntry], blobs: BlobReader) -> list[tuple[FileEntry, bytes]]:
    return list(zip(entries, await blobs.read(entries), strict=True))


async def _filtered(source: GitRepository, tree: FileTree, blobs: BlobReader) -> FileTree:
    """The files that all ignore rules leave."""
    ignores = ignore_files(tree)
    contents = await blobs.read(ignores)
    texts = {e.path: c.decode("utf-8", "replace") for e, c in zip(ignores, contents, strict=True)}
    return filter_tree(tree, texts, source.spec.ignore)
