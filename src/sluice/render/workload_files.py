"""Where the workloads of a repository's paths are defined, and updates of them: in plain files, or by a `.flux.yaml`.

Whoever changes images or policies in git asks here. Plain files are edited as `core/image_update` does it. Of a path
that is generated, the patch file is edited or the updaters are run; then everything is generated again, and the update
counts only when exactly what was meant has changed. Otherwise it is skipped with the reason, and no file changes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from sluice.core import codes
from sluice.core.artifact import BlobReader, FileTree
from sluice.core.errors import UserError
from sluice.core.image_update.file_edit import merged
from sluice.core.image_update.generated import differences, facts_of
from sluice.core.image_update.policy_annotation import PolicyUpdate, update_policies
from sluice.core.image_update.release import ContainerUpdate, locate_workloads, update_containers
from sluice.core.image_update.result import ImageUpdate, Skipped
from sluice.core.image_update.workload import DEFAULT_NAMESPACE
from sluice.core.problem import Origin, Problem, clip
from sluice.render.confine import as_yaml
from sluice.render.generated_edit import GeneratedEdit
from sluice.render.generation_target import Repository, Target, find_target
from sluice.render.generators import Generated, Generators
from sluice.render.links import Escape, normal
from sluice.render.overlay import overlaid

SUFFIXES = (".yaml", ".yml", ".json")
Asked = TypeVar("Asked", bound=ContainerUpdate | PolicyUpdate)
_OnText = Callable[[Mapping[str, bytes], Sequence[Asked]], ImageUpdate]
_OnTarget = Callable[[GeneratedEdit, Sequence[Asked]], Awaitable[ImageUpdate]]
_Change = Callable[[GeneratedEdit], Awaitable[ImageUpdate]]
MAX_SAID = 10


@dataclass(frozen=True, slots=True)
class Place:
    """A commit's files (`commit` empty: none), the paths that are synced, and the namespace of what names none."""

    tree: FileTree
    blobs: BlobReader
    paths: tuple[str, ...] = ("",)
    namespace: str = DEFAULT_NAMESPACE
    commit: str = ""


@dataclass(frozen=True, slots=True)
class WorkloadFiles:
    """The YAML that defines workloads, by path. What is generated stands under the name of its target.

    `contents` is for reading only (`locate_workloads`, `workload_ids`): a change of it is asked for here.
    """

    place: Place
    contents: Mapping[str, bytes]
    _generators: Generators | None
    _targets: Mapping[str, tuple[Target, Generated]] = field(default_factory=dict)

    @staticmethod
    async def read(place: Place, generators: Generators | None = None) -> WorkloadFiles:
        """Read plain files, and run generators where there are any and a path has them.

        Raises UserError for what a `.flux.yaml`, its generators or its patches do wrong; StateError.
        """
        contents: dict[str, bytes] = {}
        targets: dict[str, tuple[Target, Generated]] = {}
        repository = await Repository.of(place.tree, place.blobs, place.commit)
        for path in place.paths:
            target = await find_target(repository, path) if generators is not None else None
            if target is None or generators is None:
                contents |= await _plain(place, path)
            elif target.name not in targets:
                targets[target.name] = (target, await generators.generate(repository, target))
        for name, (_, generated) in targets.items():
            contents[name] = b"".join(b"---\n" + as_yaml(each.value) + b"\n" for each in generated.objects)
        return WorkloadFiles(place, contents, generators, targets)

    @property
    def has_generated(self) -> bool:
        """True where commands of a `.flux.yaml` print workloads."""
        return bool(self._targets)

    def is_generated(self, path: str) -> bool:
        """True for the name of a target, which is no file that could be edited."""
        return path in self._targets

    async def before(self, paths: Sequence[str]) -> dict[str, bytes]:
        """The present contents of those of these files that exist."""
        entries = [entry for path in paths if (entry := self.place.tree.by_path.get(path)) is not None]
        return dict(zip((entry.path for entry in entries), await self.place.blobs.read(entries), strict=True))

    async def update_containers(self, updates: Sequence[ContainerUpdate]) -> ImageUpdate:
        """`core.image_update.release.update_containers`, wherever the workloads are defined. StateError is raised."""

        def on_text(files: Mapping[str, bytes], asked: Sequence[ContainerUpdate]) -> ImageUpdate:
            return update_containers(files, asked, self.place.namespace, self.place.commit)

        return await self._updated(updates, on_text, GeneratedEdit.containers)

    async def update_policies(self, updates: Sequence[PolicyUpdate]) -> ImageUpdate:
        """`core.image_update.policy_annotation.update_policies`, wherever they are defined. StateError is raised."""

        def on_text(files: Mapping[str, bytes], asked: Sequence[PolicyUpdate]) -> ImageUpdate:
            return update_policies(files, asked, self.place.namespace, self.place.commit)

        return await self._updated(updates, on_text, GeneratedEdit.policies)

    async def _updated(
        self, updates: Sequence[Asked], on_text: _OnText[Asked], on_target: _OnTarget[Asked]
    ) -> ImageUpdate:
        located = locate_workloads(self.contents, [each.workload for each in updates], self.place.namespace)
        homes = {identity: file.path for identity, (file, _) in located.workloads.items()}
        elsewhere = [each for each in updates if homes.get(each.workload) not in self._targets]
        parts = [on_text(self.contents, elsewhere)]
        meant: list[_Meant] = []
        for name in self._targets:
            asked = [each for each in updates if homes.get(each.workload) == name]
            # What it would be if the output itself could be edited is what must come out of it.
            wanted = on_text({name: self.contents[name]}, asked)
            parts.append(ImageUpdate(skipped=wanted.skipped))
            if wanted.files:
                meant.append(_Meant(name, wanted, _bound(on_target, asked)))
        plain = merged(parts)
        return merged([plain, *await self._made(plain.files, meant)])

    async def _made(self, before: Mapping[str, bytes], meant: Sequence[_Meant]) -> list[ImageUpdate]:
        """Make changes of targets together, for one updater may serve several; or else each that can be made alone."""
        if not meant:
            return []
        try:
            return await self._together(before, meant)
        except UserError as error:
            if len(meant) == 1:
                return [_not_made(meant[0].wanted, error.problems[0])]
        parts: list[ImageUpdate] = []
        for each in meant:
            parts += await self._made({**before, **merged(parts).files}, [each])
        return parts

    async def _together(self, before: Mapping[str, bytes], meant: Sequence[_Meant]) -> list[ImageUpdate]:
        """Raises UserError unless exactly what is meant comes out."""
        assert self._generators is not None  # noqa: S101  there are targets
        start = await self.changed(before) if before else self
        place, parts = start.place, list[ImageUpdate]()
        for each in meant:
            target, generated = start._targets[each.name]
            repository = await Repository.of(place.tree, place.blobs, place.commit)
            edit = GeneratedEdit(self._generators, repository, target, generated, each.wanted, place.namespace)
            part = await each.change(edit)
            parts.append(part)
            place = _changed(place, part.files)
        after = await WorkloadFiles.read(place, self._generators)
        wanted = merged([each.wanted for each in meant])
        expected = facts_of({**start.contents, **wanted.files}, place.namespace)
        said = differences(expected, facts_of(after.contents, place.namespace))
        if said:
            raise UserError(_rejected(start._targets[meant[0].name][0], wanted, said))
        return parts

    async def changed(self, files: Mapping[str, bytes]) -> WorkloadFiles:
        """The same place with these files changed, read again. Raises as `read` does."""
        return await WorkloadFiles.read(_changed(self.place, files), self._generators)


async def generated_files(place: Place, generators: Generators | None) -> WorkloadFiles | None:
    """The files of a place that has a generated path; None for any other, where plain files are all there is.

    Raises as `WorkloadFiles.read` does.
    """
    if generators is None:
        return None
    repository = await Repository.of(place.tree, place.blobs, place.commit)
    for path in place.paths:
        if await find_target(repository, path) is not None:
            return await WorkloadFiles.read(place, generators)
    return None


@dataclass(frozen=True, slots=True)
class _Meant:
    """A change of one target: what must come out, and how it is made."""

    name: str
    wanted: ImageUpdate
    change: _Change


def _bound(on_target: _OnTarget[Asked], asked: Sequence[Asked]) -> _Change:
    return lambda edit: on_target(edit, asked)


def _changed(place: Place, files: Mapping[str, bytes]) -> Place:
    tree, blobs = overlaid(place.tree, place.blobs, files)
    return replace(place, tree=tree, blobs=blobs)


async def _plain(place: Place, path: str) -> dict[str, bytes]:
    """The YAML files below a path. One that leaves the source has none."""
    try:
        below = place.tree.under(normal(path))
    except Escape:
        return {}
    entries = [entry for entry in below if entry.mode != "symlink" and entry.path.endswith(SUFFIXES)]
    contents = await place.blobs.read(entries) if entries else []
    return {entry.path: data for entry, data in zip(entries, contents, strict=True)}


def _rejected(target: Target, wanted: ImageUpdate, said: Sequence[str]) -> Problem:
    names = ", ".join(sorted({str(change.subject) for change in wanted.changes}))
    title = clip(f"the update of {names} did not do what was meant", 300)
    fix = "correct the updater" if target.file.updaters else "look at the patch file"
    origin = Origin(target.file.path, commit=target.file.commit)
    return Problem(codes.UPDATE_REJECTED, title, None, origin, "", clip("; ".join(said[:MAX_SAID]), 600), fix)


def _not_made(wanted: ImageUpdate, problem: Problem) -> ImageUpdate:
    """No change, and the one reason for each that was meant."""
    return ImageUpdate(
        skipped=tuple(
            Skipped(each.path, each.line, each.subject, each.field, each.policy, problem) for each in wanted.changes
        )
    )
