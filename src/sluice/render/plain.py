"""A folder without any kustomization, read natively: every `.yaml` and `.yml` file below it, no subprocess."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from sluice.core import codes
from sluice.core.artifact import BlobReader, FileEntry, FileTree
from sluice.core.manifest_make import Finishing, make
from sluice.core.manifest_read import read_objects
from sluice.core.problem import Origin, Problem
from sluice.core.yaml_read import MAX_FILE_BYTES, too_big
from sluice.render.links import Escape, Links
from sluice.render.result_cache import FileResult

EXTENSIONS = (".yaml", ".yml")
BATCH = 64
BATCH_BYTES = 128 << 10


def pick(tree: FileTree, folder: str, links: Links, commit: str) -> tuple[list[FileEntry], list[Problem]]:
    """Choose the files to read, symlinks resolved; a symlink to a folder is not followed, as in Flux."""
    picked, problems = [], []
    for entry in tree.under(folder):
        if not entry.path.endswith(EXTENSIONS):
            continue
        try:
            found = entry if entry.mode != "symlink" else _followed(tree, entry, links)
        except Escape as escape:
            problems.append(escaped(entry.path, escape.reason, commit))
            continue
        if not entry.path.isprintable() or len(entry.path.rsplit("/", 1)[-1].encode("utf-8", "replace")) > 255:
            problems.append(_bad_path(entry.path, commit))
        elif found is None:
            origin = Origin(entry.path, commit=commit)
            cause = "the symlink leads to nothing, or to a folder"
            problems.append(Problem(codes.PATH_MISSING, "no such file", None, origin, "", cause, "correct the symlink"))
        elif found.size > MAX_FILE_BYTES:
            problems.append(too_big(entry.path, commit, found.size))
        else:
            picked.append(found)
    return picked, problems


def _followed(tree: FileTree, entry: FileEntry, links: Links) -> FileEntry | None:
    target = tree.by_path.get(links.resolve(entry.path))
    return None if target is None else replace(target, path=entry.path)


def escaped(path: str, reason: str, commit: str, line: int = 0, title: str = "the path leaves the source") -> Problem:
    """Say that a path leads out of the source."""
    return Problem(codes.PATH_ESCAPE, title, None, Origin(path, line, commit=commit), "", reason, "keep it inside")


def _bad_path(path: str, commit: str) -> Problem:
    cause = "control characters, direction marks and names over 255 bytes are refused"
    origin = Origin(path, commit=commit)
    return Problem(codes.PATH_NOT_ALLOWED, "the file name is not allowed", None, origin, "", cause, "rename the file")


async def read_files(
    entries: Iterable[FileEntry], blobs: BlobReader, finishing: Finishing, commit: str
) -> list[tuple[FileResult, list[Problem]]]:
    """Read files and make their manifests; the event loop gets its turn between batches, and after large files."""
    wanted = list(entries)
    results: list[tuple[FileResult, list[Problem]]] = []
    for start in range(0, len(wanted), BATCH):
        batch = wanted[start : start + BATCH]
        since = 0
        for entry, data in zip(batch, await blobs.read(batch), strict=True):
            results.append(file_result(data, entry.path, finishing, commit))
            since += len(data)
            if since > BATCH_BYTES:
                await asyncio.sleep(0)
                since = 0
        await asyncio.sleep(0)
    return results


def file_result(data: bytes, path: str, finishing: Finishing, commit: str) -> tuple[FileResult, list[Problem]]:
    """Make the manifests of one file, and give its errors."""
    objects, problems = read_objects(data, path, commit)
    made = [make(source, finishing, data) for source in objects]
    for one in made:
        problems += one.problems
    result = FileResult(
        tuple(one.manifest for one in made if one.manifest is not None),
        tuple(warning for one in made for warning in one.warnings),
        tuple((one.manifest.id, one.owners) for one in made if one.manifest is not None and one.owners),
    )
    return result, problems
