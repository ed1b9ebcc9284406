"""Which files an edit may write: existing or new plain files of the tree, below one folder, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sluice.core.artifact import FileEntry, FileTree
from sluice.core.codes import EDIT_PATH
from sluice.core.problem import Origin, Problem, clip, printable
from sluice.core.tree_check import path_fault


def edit_problems(
    paths: Iterable[str], tree: FileTree, submodules: Iterable[str] = (), *, within: str = "", commit: str = ""
) -> tuple[Problem, ...]:
    """One Problem (EditPath) for each path that must not be written. `within` is a folder, or empty for the root."""
    roots = tuple(submodules)
    found = []
    for path in paths:
        reason = _fault(path, tree, roots, within)
        if reason:
            title = f"{clip(printable(path), 200)!r} is not written"
            found.append(Problem(EDIT_PATH, title, origin=Origin(clip(path, 200), commit=commit), cause=reason))
    return tuple(found)


def _fault(path: str, tree: FileTree, submodules: tuple[str, ...], within: str) -> str:
    refused = path_fault(path)
    if refused is not None:
        return refused[1]
    if path.endswith("/"):
        return "it is a folder"
    if within and path != within and not path.startswith(within + "/"):
        return f"it is outside {printable(within)!r}, the path that updates are confined to"
    if any(path == root or path.startswith(root + "/") for root in submodules):
        return "it is in a submodule, which is another repository"
    parent = _file_above(path, tree.by_path)
    if parent:
        return f"{printable(parent)!r} is a file, not a folder"
    entry = tree.by_path.get(path)
    if entry is None:
        return "it is a folder" if tree.under(path) else ""
    return "it is a symlink: edit the file that it points to" if entry.mode == "symlink" else ""


def _file_above(path: str, files: Mapping[str, FileEntry]) -> str:
    parts = path.split("/")
    above = ("/".join(parts[:n]) for n in range(1, len(parts)))
    return next((folder for folder in above if folder in files), "")
