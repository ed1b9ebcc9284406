"""A folder of this machine as an artifact's tree, so that what is not pushed yet is rendered as a commit would be.

Contents are read when asked for; a blob is named by its content, as in git. Links are kept as links and followed by
the renderer alone, inside the tree; anything that is neither file, link nor folder (a pipe, a device) is refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.core import codes
from sluice.core.artifact import FileEntry, FileMode, FileTree
from sluice.core.errors import StateError, UserError
from sluice.core.problem import Origin, Problem
from sluice.core.tree_check import path_fault, tree_problem

MAX_FILES = 200_000
MAX_FILE_BYTES = 50 << 20


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """The tree below `root`. It is also the tree's blob reader."""

    root: Path
    tree: FileTree

    async def read(self, entries: Sequence[FileEntry]) -> list[bytes]:
        """The contents, in the order asked. Raises StateError when a file is gone or changed since it was listed."""
        return await asyncio.to_thread(lambda: [self._content(entry) for entry in entries])

    def _content(self, entry: FileEntry) -> bytes:
        try:
            data = _read(self.root / entry.path, entry.mode)
        except OSError as error:
            raise _unreadable(entry.path, error) from error
        if _blob(data) != entry.blob:
            title = "a file changed while it was read"
            raise StateError(Problem(codes.FILE_MISSING, title, origin=Origin(entry.path), fix="run it again"))
        return data


def read_folder(root: Path, chosen: Collection[str] | None = None) -> LocalFolder:
    """List the files below `root`; of `chosen` only (paths from there) when it is given.

    Raises UserError: no such folder, not a folder, a path that no repository may hold, too many or too large files.
    """
    if not root.is_dir():
        cause = "it is a file" if root.is_file() else "it is no folder" if root.exists() else "it does not exist"
        raise UserError(_refused(str(root), "the folder can't be read", cause, "name a folder"))
    entries: list[FileEntry] = []
    problems: list[Problem] = []
    try:
        for path in _walk(root) if chosen is None else sorted(chosen):
            _take(root, path, entries, problems)
            if len(entries) > MAX_FILES:
                cause = f"more than {MAX_FILES} files"
                raise UserError(_refused(str(root), "the folder is too big", cause, "name a folder of manifests"))
    except OSError as error:
        raise _unreadable(str(error.filename or root), error) from error
    if problems:
        raise UserError(*problems)
    return LocalFolder(root, FileTree(tuple(entries)))


def replace_files(root: Path, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
    """Give files other contents: all of them, or none. `before` is what each has now; modes stay.

    A file that `before` does not have is new. Raises UserError (EditRace), with every file as it was: somebody else
    changed one meanwhile, one is no plain file of the folder, or the disk refuses. A reader never sees half of a file.
    """
    staged: dict[str, Path] = {}
    done: list[str] = []
    try:
        for path, data in after.items():
            _check_unchanged(root, path, before.get(path))
            staged[path] = _stage(root / path, data)
        for path in after:
            _check_unchanged(root, path, before.get(path))
            staged[path].replace(root / path)
            done.append(path)
    except OSError as error:
        _put_back(root, before, done)
        raise UserError(_race(str(error.filename or root), error.strerror or type(error).__name__)) from error
    except UserError:
        _put_back(root, before, done)
        raise
    finally:
        for left in staged.values():
            left.unlink(missing_ok=True)


def restore_files(root: Path, written: Mapping[str, bytes], before: Mapping[str, bytes]) -> None:
    """Take back what `replace_files` wrote: old contents come back, and new files go. Raises UserError (EditRace)."""
    replace_files(root, {path: data for path, data in written.items() if path in before}, before)
    for path in written.keys() - before.keys():
        (root / path).unlink(missing_ok=True)


def _put_back(root: Path, before: Mapping[str, bytes], paths: Sequence[str]) -> None:
    for path in paths:
        if path in before:
            _stage(root / path, before[path]).replace(root / path)
        else:
            (root / path).unlink(missing_ok=True)


def _check_unchanged(root: Path, path: str, content: bytes | None) -> None:
    place = root / path
    if content is None:
        place.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(place) or place.parent.resolve() != (root.resolve() / path).parent:
            raise UserError(_race(path, "there is a file now where there was none"))
        return
    if place.parent.resolve() != (root.resolve() / path).parent or not stat.S_ISREG(place.lstat().st_mode):
        raise UserError(_race(path, "it is no plain file of the folder any more"))
    if place.read_bytes() != content:
        raise UserError(_race(path, "it was changed while the edit was made"))


def _stage(place: Path, data: bytes) -> Path:
    """The new contents beside the file, with its mode."""
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=".sluice-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        mode = stat.S_IMODE(place.lstat().st_mode) if os.path.lexists(place) else 0o644
        os.chmod(name, mode)  # noqa: PTH101  the name is mkstemp's
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _race(path: str, cause: str) -> Problem:
    title = "nothing was written"
    return Problem(codes.EDIT_RACE, title, origin=Origin(path), cause=cause, fix="look at the file, and run it again")


def _walk(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root, onerror=_raise):
        folders[:] = sorted(name for name in folders if name != ".git")
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in sorted((*files, *links)):
            yield (Path(folder) / name).relative_to(root).as_posix()


def _raise(error: OSError) -> None:
    raise error


def _take(root: Path, path: str, entries: list[FileEntry], problems: list[Problem]) -> None:
    fault = path_fault(path)
    if fault is not None:
        problems.append(tree_problem(path, *fault, ""))
        return
    try:
        status = (root / path).lstat()
    except FileNotFoundError:
        return  # deleted in the working tree, not yet in git's index
    mode = _mode_of(status)
    if mode is None:
        problems.append(_refused(path, "neither a file nor a link", "it can't be in a repository", "remove it"))
    elif status.st_size > MAX_FILE_BYTES:
        problems.append(_refused(path, "the file is too big", f"it has {status.st_size} bytes", "remove it"))
    else:
        data = _read(root / path, mode)
        entries.append(FileEntry(path, _blob(data), len(data), mode))


def _mode_of(status: os.stat_result) -> FileMode | None:
    if stat.S_ISLNK(status.st_mode):
        return "symlink"
    if not stat.S_ISREG(status.st_mode):
        return None
    return "executable" if status.st_mode & stat.S_IXUSR else "file"


def _read(path: Path, mode: FileMode) -> bytes:
    return os.fsencode(path.readlink()) if mode == "symlink" else path.read_bytes()


def _blob(data: bytes) -> str:
    sha = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    sha.update(data)
    return sha.hexdigest()


def _refused(path: str, title: str, cause: str, fix: str) -> Problem:
    return Problem(codes.FILE_MISSING, title, origin=Origin(path), cause=cause, fix=fix)


def _unreadable(path: str, error: OSError) -> UserError:
    reason = error.strerror or type(error).__name__
    return UserError(_refused(path, "it can't be read", reason, "check that it exists and its permissions"))
