"""Runs the generators of a `.flux.yaml`, and puts its patches onto what they print: the objects of a path.

Each run has a writable copy of its own, so that what one leaves behind reaches no other. Commands get no variable of
ours but `PATH`, `HOME`, `TMPDIR` and `LANG`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sluice.core import codes
from sluice.core.errors import StateError, UserError
from sluice.core.flux_yaml import Command
from sluice.core.manifest_read import SourceObject, read_objects
from sluice.core.problem import Problem, clip, printable
from sluice.render import kubectl
from sluice.render.generation_target import Repository, Target
from sluice.render.patches import patched, read_patches
from sluice.render.sandbox import Ended, Task, run_confined
from sluice.render.writable_copy import WritableCopy, writable_copy

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PARALLEL = 2
# A repository for fluxd says `kustomize build`; the kubectl that we bring can do that.
_KUSTOMIZE = """#!/bin/sh
if [ "$1" = build ]; then shift; exec kubectl kustomize "$@"; fi
echo "this is 'kubectl kustomize': only 'kustomize build' is known" >&2
exit 2
"""


@dataclass(frozen=True, slots=True)
class Generated:
    """The objects of a target, as they are printed and as they are after its patches."""

    printed: tuple[SourceObject, ...]
    objects: tuple[SourceObject, ...]


class Generators:
    """Runs commands in folders below `work_dir`, two at a time. `path` is their PATH; ours is not used."""

    def __init__(self, work_dir: Path, path: str = DEFAULT_PATH, binary: Path | None = None) -> None:
        self._work_dir = work_dir
        self.path = path
        self._binary = binary
        self._slots = asyncio.Semaphore(PARALLEL)

    async def generate(self, repository: Repository, target: Target) -> Generated:
        """Run a target's generators and apply its patches.

        Raises UserError (CommandFailed, CommandLimit, GeneratedInvalid, PatchStale): whoever keeps the repository can
        fix it.
        """
        async with self.copy(repository) as copy:
            outputs = [await self.run(copy, target, command) for command in target.file.generators]
        printed: list[SourceObject] = []
        problems: list[Problem] = []
        for number, (command, output) in enumerate(zip(target.file.generators, outputs, strict=True), 1):
            objects, faults = _objects(target, command, number, output)
            printed += objects
            problems += faults
        if problems:
            raise UserError(*problems)
        if not target.file.patch_file:
            return Generated(tuple(printed), tuple(printed))
        patches = await read_patches(repository, target, printed)
        async with self._slots:
            objects = await patched(target, printed, patches, self.kubectl, self._work_dir) if patches else printed
        return Generated(tuple(printed), tuple(objects))

    @asynccontextmanager
    async def copy(self, repository: Repository) -> AsyncIterator[WritableCopy]:
        """A writable copy for commands; the slot for running them is held until it is gone."""
        async with (
            self._slots,
            writable_copy(self._work_dir, repository.tree, repository.blobs, repository.links) as copy,
        ):
            await asyncio.to_thread(_install, copy.work / "bin", self.kubectl)
            yield copy

    @property
    def kubectl(self) -> Path:
        """The kubectl that we bring."""
        return (self._binary or kubectl.find_kubectl()).resolve()

    async def run(
        self, copy: WritableCopy, target: Target, command: Command, variables: Mapping[str, str] | None = None
    ) -> bytes:
        """Run one command in the target's folder and give what it prints. Raises UserError, StateError."""
        folder = copy.source / target.folder
        if not folder.is_dir():
            cause = "it is not in this revision"
            raise UserError(Problem(codes.PATH_MISSING, f"no folder {target.folder!r}", cause=cause))
        tools = copy.work / "bin"
        places = tuple(Path(each) for each in self.path.split(":") if each.startswith("/"))
        environment = {
            "PATH": f"{self.path}:{tools}",
            "HOME": str(copy.home),
            "TMPDIR": str(copy.temporary),
            "LANG": "C.UTF-8",
            **(variables or {}),
        }
        writable = (copy.source, copy.home, copy.temporary)
        readable = (*places, tools, self.kubectl)
        try:
            ended = await run_confined(
                Task(command.text, folder, environment, command.seconds, writable, readable), copy.work
            )
        except OSError as error:
            title, cause = "a command could not be started", error.strerror or type(error).__name__
            raise StateError(
                Problem(codes.COMMAND_START, title, origin=target.file.origin(command), cause=cause)
            ) from error
        if ended.status != 0:
            raise UserError(_failed(target, command, ended, copy))
        return ended.output


def _install(folder: Path, binary: Path) -> None:
    """Put our kubectl, and a kustomize that is it, into a folder that stands last in PATH."""
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "kubectl").symlink_to(binary)
    (folder / "kustomize").write_text(_KUSTOMIZE)
    (folder / "kustomize").chmod(0o700)


def _objects(target: Target, command: Command, number: int, output: bytes) -> tuple[list[SourceObject], list[Problem]]:
    objects, faults = read_objects(output, target.file.path, target.file.commit)
    origin = target.file.origin(command, f"generator {number}")
    title = f"generator {number} prints what can't be read as manifests"
    fix = f"run `{clip(command.text, 200)}` in {target.folder or 'the root'}, and correct what it prints"
    problems = []
    for fault in faults:
        line = f"line {fault.origin.line} of its output: " if fault.origin is not None and fault.origin.line else ""
        cause = f"{line}{fault.title}{': ' if fault.cause else ''}{fault.cause}"
        problems.append(Problem(codes.GENERATED_INVALID, title, None, origin, "", cause, fix))
    return [replace(each, origin=replace(origin, document=each.origin.document)) for each in objects], problems


def _failed(target: Target, command: Command, ended: Ended, copy: WritableCopy) -> Problem:
    origin = target.file.origin(command)
    shown = clip(printable(command.text), 200)
    lines = [line.strip() for line in ended.errors.replace(f"{copy.source}/", "").splitlines() if line.strip()]
    words = clip("; ".join(lines[-20:]), 600)
    if ended.limit:
        title = f"`{shown}` was ended: it went over {ended.limit}"
        fix = "make it do less, or give it a longer `timeout`" if ended.limit.endswith(" s") else "make it do less"
        return Problem(codes.COMMAND_LIMIT, title, None, origin, "", words, fix)
    how = (
        f"ended with status {ended.status}"
        if (ended.status or 0) > 0
        else f"was killed by signal {-(ended.status or 0)}"
    )
    where = target.folder or "the root of the repository"
    fix = f"run it in {where}; programs are looked for in the PATH of --generator-path"
    return Problem(codes.COMMAND_FAILED, f"`{shown}` {how}", None, origin, "", words, fix)
