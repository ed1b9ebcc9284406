"""The patch file of a `.flux.yaml`: read, held against what is generated, and applied by the real kustomize.

Kustomize merges as fluxd did: strategically for kinds that it knows, as a JSON merge patch for all others.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.image_update.patch_file import identity
from sluice.core.image_update.result import file_object
from sluice.core.manifest_read import SourceObject, read_objects
from sluice.core.problem import Origin, Problem, clip, printable
from sluice.core.tree_path import clean_path
from sluice.core.yaml_compose import compose
from sluice.core.yaml_read import split
from sluice.render import kubectl
from sluice.render.confine import as_yaml
from sluice.render.generation_target import Repository, Target
from sluice.render.kustomize import SECONDS, private_folder
from sluice.render.links import Escape


def patch_path(target: Target) -> str:
    """Where the patch file of a target is. Raises UserError (PathEscape) when that is outside of the source."""
    try:
        return clean_path(target.file.patch_file, target.folder)
    except ValueError as error:
        title, origin = "patchFile leaves the source", Origin(target.file.path, commit=target.file.commit)
        field = "patchUpdated.patchFile"
        raise UserError(Problem(codes.PATH_ESCAPE, title, None, origin, field, str(error), "keep it inside")) from None


async def patch_content(repository: Repository, target: Target) -> bytes | None:
    """The patch file as it is; None where there is none yet, which is fine as long as its folder is there."""
    path = patch_path(target)
    try:
        entry = repository.tree.by_path.get(repository.links.resolve(path))
    except Escape as escape:
        title, origin = "patchFile leaves the source", Origin(path, commit=repository.commit)
        raise UserError(Problem(codes.PATH_ESCAPE, title, None, origin, "", escape.reason, "keep it inside")) from None
    if entry is not None and entry.mode != "symlink":
        [data] = await repository.blobs.read([entry])
        return data
    folder = path.rpartition("/")[0]
    if not repository.tree.has_folder(folder):
        title, origin = "the folder of patchFile does not exist", Origin(target.file.path, commit=target.file.commit)
        raise UserError(
            Problem(codes.PATH_MISSING, title, None, origin, "patchUpdated.patchFile", f"no folder {folder!r}")
        )
    return None


async def read_patches(
    repository: Repository, target: Target, printed: Sequence[SourceObject]
) -> tuple[SourceObject, ...]:
    """The patches of a target. Raises UserError (PatchStale) for each that fits no generated object."""
    data = await patch_content(repository, target)
    if data is None:
        return ()
    patches, problems = read_objects(data, patch_path(target), repository.commit)
    there = {identity(each.value) for each in printed}
    problems += [_stale(patch, target) for patch in patches if identity(patch.value) not in there]
    if problems:
        raise UserError(*problems)
    return tuple(patches)


def _stale(patch: SourceObject, target: Target) -> Problem:
    held = file_object(patch.value)
    title = "a patch is for an object that is not generated"
    cause = f"{held.api_version} {held} is printed by no generator of {target.file.path}"
    fix = "remove the patch, or correct its apiVersion, kind, namespace or name"
    return Problem(codes.PATCH_STALE, title, held.id if held.name else None, patch.origin, "", cause, fix)


async def patched(
    target: Target, printed: Sequence[SourceObject], patches: Sequence[SourceObject], binary: Path, work_dir: Path
) -> list[SourceObject]:
    """Apply patches to what is printed. Raises UserError (PatchStale) with kustomize's words."""
    named = [file_object(each.value) for each in printed]
    if len(set(named)) < len(named) or any(not (each.kind and each.name and each.api_version) for each in named):
        return list(printed)  # refused, with the reason, where manifests are made
    work = await asyncio.to_thread(private_folder, work_dir)
    try:
        source = work / "source"
        await asyncio.to_thread(_export, source, printed, patches)
        outcome = await kubectl.build(binary, source, "", work, SECONDS)
    finally:
        await asyncio.to_thread(shutil.rmtree, work)
    if outcome.status != 0:
        words = printable(
            outcome.errors.replace(f"{source}/", "").strip().splitlines()[-1:][0] if outcome.errors else ""
        )
        cause = clip(words, 500) or f"over {outcome.limit}"
        title, fix = "the patches can't be applied", "correct the patch file"
        origin = Origin(patch_path(target), commit=target.file.commit)
        raise UserError(Problem(codes.PATCH_STALE, title, None, origin, "", cause, fix))
    origins = {identity(each.value): each.origin for each in printed}
    return [
        SourceObject(value, origins[identity(value)])
        for chunk in split(outcome.output.decode("utf-8", "replace"), [])
        if isinstance(value := compose(chunk)[0], dict)
    ]


def _export(source: Path, printed: Sequence[SourceObject], patches: Sequence[SourceObject]) -> None:
    source.mkdir(mode=0o700)
    (source / "printed.yaml").write_bytes(b"".join(b"---\n" + as_yaml(each.value) + b"\n" for each in printed))
    names = [f"patch-{number}.yaml" for number in range(len(patches))]
    for name, patch in zip(names, patches, strict=True):
        (source / name).write_bytes(as_yaml(patch.value))
    kustomization = {"resources": ["printed.yaml"], "patches": [{"path": name} for name in names]}
    (source / "kustomization.yaml").write_bytes(msgspec.json.encode(kustomization))
