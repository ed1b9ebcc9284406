"""Artifact trees in memory, for tests that need files but no git."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from sluice.api.kustomization import KustomizationSpec, SourceRef
from sluice.core.artifact import FileEntry, FileTree
from sluice.core.ids import GroupKind
from sluice.render import RenderInput

OWNER = {"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
COMMIT = "a1b2c3d" + "0" * 33


class MemoryBlobs:
    """A blob reader over a dict, which counts what it was asked for."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.reads = 0

    async def read(self, entries: Sequence[FileEntry]) -> list[bytes]:
        self.reads += len(entries)
        return [self.contents[entry.blob] for entry in entries]


def tree_of(
    files: Mapping[str, str | bytes], links: Mapping[str, str] | None = None, blobs: MemoryBlobs | None = None
) -> tuple[FileTree, MemoryBlobs]:
    """Make a tree of files and symlinks."""
    blobs = blobs or MemoryBlobs()
    entries = []
    for path, content in files.items():
        entries.append(_entry(path, content, "file", blobs))
    for path, target in (links or {}).items():
        entries.append(_entry(path, target, "symlink", blobs))
    return FileTree(tuple(sorted(entries, key=lambda entry: entry.path))), blobs


def _entry(path: str, content: str | bytes, mode: Any, blobs: MemoryBlobs) -> FileEntry:
    data = content.encode() if isinstance(content, str) else content
    blob = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    blobs.contents[blob] = data
    return FileEntry(path, blob, len(data), mode)


def render_input(
    files: Mapping[str, str | bytes],
    *,
    links: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    scopes: Mapping[GroupKind, bool] | None = None,
    blobs: MemoryBlobs | None = None,
    commit: str = COMMIT,
    **spec: Any,
) -> RenderInput:
    """Make a render's input; `spec` are fields of KustomizationSpec."""
    tree, blobs = tree_of(files, links, blobs)
    source = SourceRef(kind="GitRepository", name="repo")
    whole = KustomizationSpec(interval="10m", sourceRef=source, prune=True, **spec)
    answers = dict(scopes or {})
    return RenderInput(tree, blobs, commit, whole, OWNER, variables or {}, answers.get)


def config_map(name: str, *, namespace: str = "shop", **data: str) -> str:
    """Make a ConfigMap's text."""
    lines = ["apiVersion: v1", "kind: ConfigMap", "metadata:", f"  name: {name}", f"  namespace: {namespace}"]
    return "\n".join([*lines, "data:", *(f"  {key}: {value!r}" for key, value in (data or {"a": "b"}).items()), ""])
