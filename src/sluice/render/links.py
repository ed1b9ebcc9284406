"""Paths inside an artifact's tree: normalised, with symlinks followed inside the tree and refused outside it."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from sluice.core.artifact import BlobReader, FileTree

MAX_HOPS = 40


@dataclass(frozen=True, slots=True)
class Escape(Exception):
    """The path leads out of the source, or in a circle; `reason` says which."""

    path: str
    reason: str


def normal(path: str) -> str:
    """Make a path relative to the root, without `.` and `..`; the root is the empty text. Raises Escape.

    >>> normal("./apps/"), normal("/apps"), normal("a/../apps")
    ('apps', 'apps', 'apps')
    """
    if "\0" in path:
        raise Escape(path, "it holds a NUL character")
    clean = posixpath.normpath(path.strip("/") or ".")
    if clean == ".." or clean.startswith("../"):
        raise Escape(path, "it leaves the source's root")
    return "" if clean == "." else clean


class Links:
    """The symlinks of a tree and where they lead."""

    def __init__(self, targets: Mapping[str, str]) -> None:
        self.targets = targets

    @staticmethod
    async def of(tree: FileTree, blobs: BlobReader) -> Links:
        """Read the targets of all symlinks of the tree."""
        entries = tree.symlinks
        contents = await blobs.read(entries) if entries else []
        return Links(
            {e.path: data.decode("utf-8", "surrogateescape") for e, data in zip(entries, contents, strict=True)}
        )

    def resolve(self, path: str, followed: set[str] | None = None) -> str:
        """Follow and note every symlink of a normal path. Raises Escape when it leaves the tree or runs in a circle."""
        if not self.targets:
            return path
        done: list[str] = []
        rest = path.split("/") if path else []
        hops = 0
        while rest:
            step = rest.pop(0)
            if step in {"", "."}:
                continue
            if step == "..":
                if not done:
                    raise Escape(path, "it leaves the source's root")
                done.pop()
                continue
            done.append(step)
            target = self.targets.get("/".join(done))
            if target is None:
                continue
            if followed is not None:
                followed.add("/".join(done))
            hops += 1
            if hops > MAX_HOPS:
                raise Escape(path, "its symlinks lead in a circle")
            if target.startswith("/") or "\0" in target:
                raise Escape(path, f"the symlink {'/'.join(done)} leads to an absolute path")
            done.pop()
            rest = target.split("/") + rest
        return "/".join(done)
