"""Which paths of a git tree are refused or warned about, before anything reads or writes them.

Sluice never checks a tree out, but renderers and downstream consumers of the tarball do: names that git itself
refuses on some file system (`.git` in disguise, backslashes, device names) are refused on all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from sluice.core.artifact import FileEntry, FileTree
from sluice.core.codes import ATTRIBUTES_IGNORED, CASE_COLLISION, PATH_NOT_ALLOWED, TREE_ENTRY
from sluice.core.problem import Code, Origin, Problem, clip, printable

MAX_PATH = 4095

_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))})
# Code points that HFS+ ignores in names, so that `.g\u200cit` is `.git` there.
_IGNORABLE = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_SUSPECT = re.compile(r"[.~\\\x00-\x1f\x7f]|//|^/|(?:^|/)(?:con|prn|aux|nul|com[1-9]|lpt[1-9])(?:/|$)", re.IGNORECASE)
_FILTERS = re.compile(rb"(?m)^[^#\n]*\b(?:filter=|ident\b|export-subst|export-ignore|working-tree-encoding=)")


def path_fault(path: str) -> tuple[Code, str] | None:
    """The code and the reason for which a path is refused, or None. Cheap for the plain names that most are."""
    if len(path) > MAX_PATH:
        return TREE_ENTRY, f"the path is longer than {MAX_PATH} characters"
    if path.isascii() and not _SUSPECT.search(path):
        return None
    if any(_is_control(c) for c in path):
        return PATH_NOT_ALLOWED, "it holds control characters or direction marks"
    if "\\" in path:
        return TREE_ENTRY, "it holds a backslash"
    for part in path.split("/"):
        reason = _part_fault(part)
        if reason:
            return TREE_ENTRY, reason
    return None


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc" or bool(re.match("[\u202a-\u202e\u2066-\u2069]", character))


def _part_fault(part: str) -> str:
    if part in {"", ".", ".."}:
        return f"{part!r} as a part of a path leads elsewhere"
    plain = _IGNORABLE.sub("", part).casefold()
    windows = plain.partition(":")[0].rstrip(". ")
    if windows in {".git", "git~1"} or plain == ".git":
        return f"{printable(part)!r} stands for git's own folder"
    if part.casefold() in _DEVICES:
        return f"{part!r} is the name of a device on some systems"
    return ""


def tree_problem(path: str, code: Code, reason: str, commit: str) -> Problem:
    """The Problem of one refused path."""
    return Problem(
        code,
        f"the repository holds a path that is refused: {clip(printable(path), 200)!r}",
        origin=Origin(clip(path, 200), commit=commit),
        cause=reason,
        fix="rename or remove it in git",
    )


def case_collisions(tree: FileTree, commit: str = "") -> tuple[Problem, ...]:
    """Warnings about paths that differ only in case: both are read, but some file systems can hold only one."""
    seen: dict[str, str] = {}
    found = []
    for entry in tree.entries:
        other = seen.setdefault(entry.path.casefold(), entry.path)
        if other != entry.path:
            title = f"{printable(entry.path)!r} and {printable(other)!r} differ only in case"
            found.append(Problem(CASE_COLLISION, title, origin=Origin(entry.path, commit=commit), fix="rename one"))
    return tuple(found)


def attribute_files(tree: FileTree) -> tuple[FileEntry, ...]:
    """The files whose git settings might matter to a checkout: `.gitattributes` and `.lfsconfig`."""
    names = (".gitattributes", ".lfsconfig")
    return tuple(entry for entry in tree.entries if entry.path.rpartition("/")[2] in names)


def attributes_ignored(files: Iterable[tuple[FileEntry, bytes]], commit: str = "") -> tuple[Problem, ...]:
    """Warnings for attribute files (`attribute_files`, with content) that ask for filters: they are never run."""
    return tuple(
        Problem(
            ATTRIBUTES_IGNORED,
            f"{printable(entry.path)} asks git to change files on checkout; Sluice reads them as they are in git",
            origin=Origin(entry.path, commit=commit),
        )
        for entry, content in files
        if entry.path.endswith(".lfsconfig") or _FILTERS.search(content)
    )
