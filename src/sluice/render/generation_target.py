"""Where commands work, and what a path's `.flux.yaml` is: its own, or the nearest above it."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.core import codes
from sluice.core.artifact import BlobReader, FileTree
from sluice.core.errors import UserError
from sluice.core.flux_yaml import NAME, FluxYaml, candidates, parse_flux_yaml
from sluice.core.problem import Origin, Problem, printable
from sluice.render.links import Escape, Links, normal


@dataclass(frozen=True, slots=True)
class Repository:
    """The files that commands work on, at a commit (empty: none)."""

    tree: FileTree
    blobs: BlobReader
    links: Links
    commit: str

    @staticmethod
    async def of(tree: FileTree, blobs: BlobReader, commit: str) -> Repository:
        """With the links of the tree read."""
        return Repository(tree, blobs, await Links.of(tree, blobs), commit)


@dataclass(frozen=True, slots=True)
class Target:
    """A path whose manifests are generated: the folder that commands run in, and the file that lists them."""

    folder: str
    file: FluxYaml

    @property
    def name(self) -> str:
        """The path and the file, as fluxd showed where a manifest is from: `apps/prod/../.flux.yaml`."""
        place = self.file.path.rpartition("/")[0]
        below = self.folder.removeprefix(place).strip("/")
        up = "../" * len(below.split("/")) if below else ""
        return f"{self.folder}/{up}.flux.yaml" if self.folder else ".flux.yaml"


async def find_target(repository: Repository, path: str) -> Target | None:
    """What generates the manifests of a path: the nearest `.flux.yaml` in it or above, None where files are scanned.

    Raises UserError: the path leaves the source, or the file can't be used.
    """
    try:
        folder, places = candidates(normal(path))
        for place in places:
            entry = repository.tree.by_path.get(repository.links.resolve(place))
            if entry is not None and entry.mode != "symlink":
                [data] = await repository.blobs.read([entry])
                file = parse_flux_yaml(data, place, repository.commit)
                return None if file.scan_for_files else Target(folder, file)
    except Escape as escape:
        title = "the path leaves the source"
        origin = Origin(printable(path), commit=repository.commit)
        raise UserError(Problem(codes.PATH_ESCAPE, title, None, origin, "", escape.reason, "keep it inside")) from None
    return None


def without_flux_files(tree: FileTree) -> FileTree:
    """The tree as it is scanned for manifests: a `.flux.yaml` is none."""
    kept = tuple(entry for entry in tree.entries if entry.path.rpartition("/")[2] != NAME)
    return tree if len(kept) == len(tree.entries) else FileTree(kept)
