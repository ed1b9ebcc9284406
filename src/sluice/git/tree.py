"""The output of `git ls-tree -r -z -l` becomes a FileTree: every path checked, every limit kept. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sluice.core.artifact import FileEntry, FileMode, FileTree
from sluice.core.codes import REPO_TOO_BIG, SOURCE_MISSING
from sluice.core.errors import StateError, UserError
from sluice.core.problem import Origin, Problem, clip, printable
from sluice.core.tree_check import path_fault, tree_problem

MODES: dict[bytes, FileMode] = {
    b"100644": "file",
    b"100664": "file",
    b"100755": "executable",
    b"120000": "symlink",
}
MAX_FAULTS = 50


@dataclass(frozen=True, slots=True)
class Gitlink:
    """A submodule's place in the tree and the commit it stands at."""

    path: str
    commit: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of one commit, and its submodules."""

    entries: tuple[FileEntry, ...]
    gitlinks: tuple[Gitlink, ...]


def parse_listing(output: bytes, commit: str) -> Listing:
    """Read the listing.

    Raises UserError (TreeEntry, PathNotAllowed) that names every path that is refused, and StateError when the mirror
    lacks a file: git then says `BAD` for its size, and nothing else.
    """
    entries: list[FileEntry] = []
    gitlinks: list[Gitlink] = []
    faults: list[Problem] = []
    for record in output.split(b"\0"):
        if not record:
            continue
        meta, _, raw_path = record.partition(b"\t")
        mode, _, blob, size = meta.split()
        path = raw_path.decode("utf-8", "surrogateescape")
        fault = path_fault(path)
        if fault is not None:
            faults.append(tree_problem(path, *fault, commit))
        elif mode == b"160000":
            gitlinks.append(Gitlink(path, blob.decode("ascii")))
        elif not size.isdigit():
            raise _lacking(path, commit)
        else:
            entries.append(FileEntry(path, blob.decode("ascii"), int(size), MODES.get(mode, "file")))
    if faults:
        raise UserError(*faults[:MAX_FAULTS])
    return Listing(tuple(entries), tuple(gitlinks))


def _lacking(path: str, commit: str) -> StateError:
    title = "the git mirror lacks a file of this commit"
    origin = Origin(clip(path, 200), commit=commit)
    return StateError(Problem(SOURCE_MISSING, title, origin=origin, fix="nothing: it is fetched anew"))


def check_tree(tree: FileTree, commit: str, *, max_files: int, max_bytes: int) -> FileTree:
    """Return the tree, or raise UserError (RepoTooBig) that names the limit and the largest file."""
    if len(tree.entries) > max_files:
        raise too_many_files(commit, max_files)
    total = sum(entry.size for entry in tree.entries)
    if total > max_bytes:
        largest = max(tree.entries, key=lambda entry: entry.size)
        name = clip(printable(largest.path), 200)
        cause = f"the files have {total} bytes, the limit is {max_bytes}; the largest is {name} with {largest.size}"
        origin = Origin(clip(largest.path, 200), commit=commit)
        fix = "remove the large file, or raise the limit on a repository's size"
        raise UserError(
            Problem(REPO_TOO_BIG, "the repository's files are too big", origin=origin, cause=cause, fix=fix)
        )
    return tree


def too_many_files(commit: str, max_files: int) -> UserError:
    """The error for a tree with more files than allowed."""
    title = f"the repository has more than {max_files} files"
    fix = "use a repository of its own for the manifests, or raise the limit on a repository's files"
    return UserError(Problem(REPO_TOO_BIG, title, origin=Origin(".", commit=commit), fix=fix))


def below(folder: str, entries: Sequence[FileEntry]) -> tuple[FileEntry, ...]:
    """The same files moved below `folder`."""
    return tuple(FileEntry(f"{folder}/{entry.path}", entry.blob, entry.size, entry.mode) for entry in entries)


def sorted_tree(entries: Sequence[FileEntry]) -> FileTree:
    """A FileTree in the order of its paths, whatever order the entries came in."""
    return FileTree(tuple(sorted(entries, key=lambda entry: entry.path)))
