"""Images in a checkout that a kustomization elsewhere replaces: an edit of the file would be without effect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sluice.cli.local_edit import Files
from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.image_update.release import ContainerUpdate, Located
from sluice.core.problem import Problem, printable

if TYPE_CHECKING:
    from sluice.core.image_update.kustomized import ImageEntry


async def refuse_replaced(files: Files, located: Located, updates: Sequence[ContainerUpdate]) -> None:
    """Raise UserError (ImageEntry) for each image that `images:` replaces, in a folder of the workload's or above it.

    Kustomizations elsewhere, which take the file in as a base, are not looked for.
    """
    problems: list[Problem] = []
    for update in updates:
        file, workload = located.workloads[update.workload]
        container = workload.container(update.container)
        if container is not None and not files.workloads.is_generated(file.path):
            entry = await _entry_of(files, file.path, container.written)
            if entry is not None:
                problems.append(_replaced(update, entry, file.path))
    if problems:
        raise UserError(*problems)


async def _entry_of(files: Files, path: str, written: str) -> ImageEntry | None:
    from sluice.core.image_update.kustomized import Kustomized
    from sluice.render.applied_files import applied_files
    from sluice.render.taken_files import TakenFiles
    from sluice.render.tree_version import TreeVersion

    taken, folder = TakenFiles(TreeVersion(files.workloads.place.tree, files.workloads.place.blobs)), path
    while folder:
        folder = folder.rpartition("/")[0]
        applied = await applied_files(taken, folder)
        for chain in applied.ways(path) if applied is not None else ():
            contents = await files.workloads.before(chain)
            entries = Kustomized.read({path: chain}, contents).entries[path]
            found = next((entry for entry in entries if entry.takes(written)), None)
            if found is not None:
                return found
    return None


def _replaced(update: ContainerUpdate, entry: ImageEntry, path: str) -> Problem:
    title = "the image is replaced by an entry of images:, and is not changed in the workload's file"
    cause = f"what {printable(path)} says of {update.workload} {update.container} is not what runs"
    folder = printable(entry.path.rpartition("/")[0]) or "."
    fix = f"name {folder} with --local, and the workload in the namespace that it is given there: the entry is changed"
    return Problem(codes.IMAGE_ENTRY, title, None, entry.origin, str(entry.at), cause, fix)
