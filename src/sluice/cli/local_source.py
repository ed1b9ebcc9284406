"""A folder on this machine to an artifact: the checkout it is in (or the folder alone), and where in it the path is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sluice.core import codes
from sluice.core.artifact import Artifact
from sluice.core.errors import UserError
from sluice.core.ids import ResourceId
from sluice.core.ignore import filter_tree, ignore_files
from sluice.core.problem import Origin, Problem
from sluice.core.revision import Revision
from sluice.git.working_tree import find_working_tree
from sluice.store.local_folder import LocalFolder, read_folder


@dataclass(frozen=True, slots=True)
class LocalSource:
    """The files, and `path`: the named folder inside them. `commit` is what a checkout stands on."""

    folder: LocalFolder
    path: str
    commit: str

    async def artifact(self, source: ResourceId, ignore: str | None = None) -> Artifact:
        """As a source would give it, ignore rules applied. Its commit is empty: it is no commit."""
        tree = self.folder.tree
        rules = ignore_files(tree)
        contents = await self.folder.read(rules)
        texts = {e.path: c.decode("utf-8", "replace") for e, c in zip(rules, contents, strict=True)}
        kept = filter_tree(tree, texts, ignore)
        return Artifact(source, Revision("", "sha1", ""), "", 0, "", "", kept, self.folder)


async def local_source(path: Path) -> LocalSource:
    """Read the checkout that `path` is in, or `path` alone. Raises UserError (FileMissing) for what is no folder."""
    folder = _folder(path)
    checkout = await find_working_tree(folder)
    if checkout is None:
        return LocalSource(read_folder(folder), "", "")
    return LocalSource(read_folder(checkout.root, checkout.files), _inside(folder, checkout.root), checkout.commit)


def _folder(path: Path) -> Path:
    if path.is_dir():
        return path.resolve()
    cause = "it is a file" if path.is_file() else "it is no folder" if path.exists() else "it does not exist"
    fix = "name the folder that holds the manifests"
    raise UserError(
        Problem(codes.FILE_MISSING, "the folder can't be read", origin=Origin(str(path)), cause=cause, fix=fix)
    )


def _inside(folder: Path, root: Path) -> str:
    inside = folder.relative_to(root.resolve()).as_posix()
    return "" if inside == "." else inside
