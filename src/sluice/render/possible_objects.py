"""What a sync that can't be rendered may define after all: told from the text of the files that it would be made of."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace

from sluice.core.artifact import FileEntry
from sluice.core.errors import UserError
from sluice.core.flux_yaml import NAME
from sluice.core.ids import ResourceId
from sluice.core.mentions import Rewriting, mentioned
from sluice.core.yaml_read import MAX_FILE_BYTES
from sluice.render.closure import Walker
from sluice.render.kustomization_file import NAMES
from sluice.render.links import Escape, Links
from sluice.render.render_input import RenderInput, find_folder
from sluice.render.renderer import prepare

BATCH = 64


async def possible_objects(
    given: RenderInput, wanted: Collection[ResourceId], *, generated: bool
) -> frozenset[ResourceId]:
    """Those of `wanted` that the sync may define: a file that it is made of names both the kind and the name.

    Those are the files below its path, and what its kustomizations take in; where that can't be told (or commands may
    print it, which `generated` says) all files of the tree are. A path that is not there defines nothing. Nothing is
    parsed that did not have to be. Raises StateError.
    """
    spec = given.spec
    asked = [i for i in wanted if not spec.targetNamespace or i.namespace in {"", spec.targetNamespace}]
    entries = await _files(given, generated=generated) if asked else []
    kustomizations = [entry for entry in entries if entry.path.rpartition("/")[2] in NAMES]
    others = [entry for entry in entries if entry.path.rpartition("/")[2] not in NAMES]
    rewriting = Rewriting(bool(spec.namePrefix or spec.nameSuffix), spec.postBuild is not None)
    if spec.targetNamespace:
        rewriting = replace(rewriting, namespaces=frozenset({spec.targetNamespace}))
    found: set[ResourceId] = set()
    # Kustomizations first: they say what becomes of what the others say.
    for group in (kustomizations, others):
        for start in range(0, len(group), BATCH):
            contents = await given.blobs.read(group[start : start + BATCH])
            if group is kustomizations:
                rewriting = rewriting.with_kustomizations(contents)
            found |= await asyncio.to_thread(_in_files, contents, asked, rewriting)
    return frozenset(found)


def _in_files(contents: Sequence[bytes], asked: Collection[ResourceId], rewriting: Rewriting) -> set[ResourceId]:
    return {key for data in contents for key in mentioned(data, asked, rewriting)}


async def _files(given: RenderInput, *, generated: bool) -> list[FileEntry]:
    tree = given.tree
    links = await Links.of(tree, given.blobs)
    try:
        folder = find_folder(given, links)
    except UserError:
        return []
    whole = generated and any(path.rpartition("/")[2] == NAME for path in tree.by_path)
    taken = None if whole else await _taken(given, folder, links)
    entries = tree.entries if taken is None else (*tree.under(folder), *taken)
    real: dict[str, FileEntry] = {}
    for entry in entries:
        try:
            target = tree.by_path.get(links.resolve(entry.path))
        except Escape:
            continue
        if target is not None and target.size <= MAX_FILE_BYTES:
            real[target.path] = target
    return list(real.values())


async def _taken(given: RenderInput, folder: str, links: Links) -> list[FileEntry] | None:
    """What the kustomizations of the folder take in from anywhere; None when not all of it can be told."""
    walker = Walker(given.tree, given.blobs, links, given.commit)
    try:
        build, problems = await prepare(given, folder, links, walker)
    except UserError:
        return None
    if problems:
        return None
    if build is None:
        return []
    paths = [file.path for file in build.closure.kustomizations.values()]
    read = [entry for path in paths if (entry := given.tree.by_path.get(path)) is not None]
    plugins = [entry for path in build.closure.rewritten if (entry := given.tree.by_path.get(path)) is not None]
    return [*read, *plugins, *build.closure.files.values()]
