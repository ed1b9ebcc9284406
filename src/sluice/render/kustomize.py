"""A folder with a kustomization, or a spec that needs one: the real kustomize, run once per distinct input."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice.core.artifact import BlobReader, digest_of
from sluice.core.errors import UserError
from sluice.core.manifest_read import SourceObject, is_left_out
from sluice.core.problem import Problem
from sluice.core.yaml_compose import compose
from sluice.core.yaml_read import split
from sluice.render import kubectl
from sluice.render.closure import Closure
from sluice.render.kustomization_file import KustomizationFile
from sluice.render.kustomize_error import translate
from sluice.render.kustomize_origin import Origins
from sluice.render.leftovers import BUILDS
from sluice.render.links import Links

SECONDS = 120.0
PARALLEL = 2


@dataclass(frozen=True, slots=True)
class Build:
    """What one run of kustomize needs: the root with the spec written into it, and all files it may read."""

    root: KustomizationFile
    closure: Closure
    links: Links
    keeps_origin: bool

    def key(self) -> bytes:
        """The digest of exactly the inputs: same key, same output."""
        sha = hashlib.sha256(f"{self.root.folder}\0{self.keeps_origin}\0".encode())
        sha.update(digest_of(sorted(self.closure.files.values(), key=lambda entry: entry.path)).encode())
        for path, text in sorted(self.closure.rewritten.items()):
            sha.update(f"{path}\0{len(text)}\0".encode() + text)
        for link in sorted(self.closure.links):
            sha.update(f"{link}\0{self.links.targets[link]}\0".encode("utf-8", "surrogateescape"))
        return sha.digest()


class Kustomize:
    """Runs builds, two at a time, each in a private folder that is gone afterwards."""

    def __init__(self, work_dir: Path, binary: Path | None = None, seconds: float = SECONDS) -> None:
        self._work_dir = work_dir
        self._binary = binary
        self._seconds = seconds
        self._slots = asyncio.Semaphore(PARALLEL)

    @property
    def identity(self) -> str:
        """Which binary it is; empty when there is none."""
        try:
            binary = self._binary or kubectl.find_kubectl()
            found = binary.stat()
        except OSError:
            return ""
        return f"{binary} {found.st_size} {found.st_mtime_ns}"

    async def objects(self, build: Build, blobs: BlobReader) -> list[SourceObject]:
        """Run a checked build and give its objects with their origins. Raises UserError."""
        entries = list(build.closure.files.values())
        contents = await blobs.read(entries) if entries else []
        files = {entry.path: data for entry, data in zip(entries, contents, strict=True)}
        async with self._slots:
            outcome, source = await self._run(build, {**files, **build.closure.rewritten})
        if outcome.status != 0:
            raise UserError(*translate(outcome, source, build.root, build.closure))
        return await asyncio.to_thread(_objects, outcome.output, build)

    async def _run(self, build: Build, files: Mapping[str, bytes]) -> tuple[kubectl.Outcome, str]:
        binary = self._binary or kubectl.find_kubectl()
        work = await asyncio.to_thread(private_folder, self._work_dir)
        try:
            source = work / "source"
            await asyncio.to_thread(
                _export, source, files, {path: build.links.targets[path] for path in build.closure.links}
            )
            return await kubectl.build(binary, source, build.root.folder, work, self._seconds), str(source)
        finally:
            await asyncio.to_thread(shutil.rmtree, work)


def private_folder(parent: Path) -> Path:
    """Make a folder that only we can read, below `parent`; the caller removes it."""
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=BUILDS, dir=parent)).resolve()


def _export(source: Path, files: Mapping[str, bytes], links: Mapping[str, str]) -> None:
    """Write the files and symlinks of a closure; every path was resolved inside the tree before."""
    source.mkdir(mode=0o700)
    for path, target in links.items():
        place = source / path
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.symlink_to(target)
    for path, data in files.items():
        place = source / path
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.write_bytes(data)


def _objects(output: bytes, build: Build) -> list[SourceObject]:
    origins = Origins.of(build.root, build.closure, build.links)
    objects: list[SourceObject] = []
    problems: list[Problem] = []
    for chunk in split(output.decode("utf-8", "replace"), []):
        value, _, faults = compose(chunk)
        if not isinstance(value, dict):
            continue
        origin = origins.take(value, keep=build.keeps_origin)
        if not is_left_out(value):
            objects.append(SourceObject(value, origin))
            problems += [fault.problem(origin.path, origin.commit) for fault in faults]
    if problems:
        raise UserError(*problems)
    return objects
