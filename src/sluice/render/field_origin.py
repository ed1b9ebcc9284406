"""The line of one field of a rendered object, for errors that the API server reports by field."""

from __future__ import annotations

from dataclasses import replace

from sluice.core.artifact import BlobReader, FileTree
from sluice.core.problem import Origin
from sluice.core.yaml_position import locate


async def field_origin(tree: FileTree, blobs: BlobReader, origin: Origin, field: str) -> Origin:
    """Point an object's origin at a field (`spec.containers[0].image`), or at its nearest parent in the file.

    The origin comes back as it was when its file is not known, or is a symlink.
    """
    entry = tree.by_path.get(origin.path)
    if entry is None or entry.mode == "symlink" or not origin.line or origin.renderer:
        return origin
    [data] = await blobs.read([entry])
    at = locate(data, origin.line, field)
    return origin if at is None else replace(origin, line=at.line, column=at.column)
