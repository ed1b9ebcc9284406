"""One update of a path that is generated: its patch file is edited, or its updaters are run on a copy of the files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.flux_yaml import Command, Updater
from sluice.core.image_update.generated import policy_of
from sluice.core.image_update.patch_file import annotate_in_patch, identity, line_in_patch, set_in_patch, steps_to
from sluice.core.image_update.policy_annotation import PolicyUpdate, annotation_changes
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.result import ImageChange, ImageUpdate
from sluice.core.image_update.workload import Workload, WorkloadId, find_workloads
from sluice.core.problem import Origin, Problem
from sluice.core.yaml_text import YamlText, open_text
from sluice.render.confine import as_yaml
from sluice.render.generation_target import Repository, Target
from sluice.render.generators import Generated, Generators
from sluice.render.patches import patch_content, patch_path

_Variables = dict[str, str]
_Run = tuple[Command, _Variables]


@dataclass(frozen=True, slots=True)
class GeneratedEdit:
    """What is changed. `wanted` is the change as it would be of the output itself: which values, and their new text."""

    generators: Generators
    repository: Repository
    target: Target
    generated: Generated
    wanted: ImageUpdate
    namespace: str

    async def containers(self, updates: Sequence[ContainerUpdate]) -> ImageUpdate:
        """New images. Raises UserError; no file is changed then."""
        changed = [each for each in updates if self._is_meant(each)]
        if self.target.file.patch_file:
            return await self._patched(lambda data: self._with_images(data, changed))
        runs = [
            (command, _image_variables(each))
            for each in changed
            for command in self._commands(lambda updater: updater.container_image, "containerImage", "images")
        ]
        return await self._commanded(runs)

    async def policies(self, updates: Sequence[PolicyUpdate]) -> ImageUpdate:
        """New policies. Raises UserError; no file is changed then."""
        if self.target.file.patch_file:
            return await self._patched(lambda data: self._with_policies(data, updates))
        runs = [
            (command, {**_workload_variables(workload.id), **variables})
            for workload, changes in self._annotations(updates)
            for variables in _policy_variables(workload, changes)
            for command in self._commands(lambda updater: updater.policy, "policy", "policies")
        ]
        return await self._commanded(runs)

    # --- patchUpdated -------------------------------------------------------------------------------------------

    async def _patched(self, edit: Callable[[bytes], bytes]) -> ImageUpdate:
        path = patch_path(self.target)
        before = await patch_content(self.repository, self.target)
        data = edit(before or b"")
        changes = tuple(self._placed(change, path, data) for change in self.wanted.changes)
        return ImageUpdate({path: data} if data != before else {}, changes)

    def _with_images(self, data: bytes, updates: Sequence[ContainerUpdate]) -> bytes:
        path, commit = patch_path(self.target), self.repository.commit
        file = self._output()
        for update in updates:
            workload = next(w for w in find_workloads(file, self.namespace) if w.id == update.workload)
            container = workload.container(update.container)
            assert container is not None  # noqa: S101  the wanted change was made of it
            value = file.document(workload.address).value
            for at, text in container.values(update.image):
                data = set_in_patch(data, path, workload.subject, steps_to(value, at.path), text, commit)
        return data

    def _with_policies(self, data: bytes, updates: Sequence[PolicyUpdate]) -> bytes:
        path, commit = patch_path(self.target), self.repository.commit
        printed = {identity(each.value): each.value for each in self.generated.printed}
        for workload, changes in self._annotations(updates):
            whole = printed.get(identity(self._output().document(workload.address).value)) or {}
            held = (whole.get("metadata") or {}).get("annotations") or {}
            data = annotate_in_patch(data, path, workload.subject, changes, held.keys(), commit)
        return data

    def _placed(self, change: ImageChange, path: str, data: bytes) -> ImageChange:
        """A change of the output, told of the patch file."""
        steps = ("metadata", "annotations", change.field) if policy_of(change.field) else ("spec",)
        return replace(change, path=path, line=line_in_patch(data, path, change.subject, steps))

    # --- commandUpdated -----------------------------------------------------------------------------------------

    async def _commanded(self, runs: Sequence[_Run]) -> ImageUpdate:
        """Run updaters one after another on one copy, and take what they changed."""
        async with self.generators.copy(self.repository) as copy:
            for command, variables in runs:
                await self.generators.run(copy, self.target, command, variables)
            files = await copy.changes()
        if not files:
            title, fix = "the updaters changed no file", "run them by hand, with the variables that they get"
            origin = self.target.file.origin(runs[0][0])
            raise UserError(Problem(codes.UPDATE_REJECTED, title, None, origin, "", "", fix))
        line = runs[0][0].line
        changes = tuple(replace(change, path=self.target.file.path, line=line) for change in self.wanted.changes)
        return ImageUpdate(files, changes)

    def _commands(self, chosen: Callable[[Updater], Command | None], key: str, what: str) -> list[Command]:
        commands = [command for updater in self.target.file.updaters if (command := chosen(updater)) is not None]
        if not commands:
            title, origin = f"no updater changes {what}", Origin(self.target.file.path, commit=self.repository.commit)
            field, fix = "commandUpdated.updaters", f"add an updater with `{key}`, or use `patchUpdated`"
            raise UserError(Problem(codes.NO_UPDATER, title, None, origin, field, "", fix))
        return commands

    # --- both ---------------------------------------------------------------------------------------------------

    def _output(self) -> YamlText:
        text = b"".join(b"---\n" + as_yaml(each.value) + b"\n" for each in self.generated.objects)
        return open_text(text, self.target.name, self.repository.commit)

    def _is_meant(self, update: ContainerUpdate) -> bool:
        """False for a container that the output shows to be as it should, or that was skipped."""
        return any(
            change.field == update.container and _id_of(change, self.namespace) == update.workload
            for change in self.wanted.changes
        )

    def _annotations(self, updates: Sequence[PolicyUpdate]) -> Iterator[tuple[Workload, dict[str, str | None]]]:
        """The annotations of each workload that are to become others."""
        workloads = {workload.id: workload for workload in find_workloads(self._output(), self.namespace)}
        for update in updates:
            workload = workloads[update.workload]
            wanted = annotation_changes(workload, update)
            changes = {key: value for key, value in wanted.items() if workload.annotations.get(key) != value}
            if changes:
                yield workload, changes


def _id_of(change: ImageChange, namespace: str) -> WorkloadId:
    subject = change.subject
    return WorkloadId(subject.namespace or namespace, subject.kind.lower(), subject.name)


def _workload_variables(identity: WorkloadId) -> _Variables:
    return {
        "FLUX_WORKLOAD": str(identity),
        "FLUX_WL_NS": identity.namespace,
        "FLUX_WL_KIND": identity.kind,
        "FLUX_WL_NAME": identity.name,
    }


def _image_variables(update: ContainerUpdate) -> _Variables:
    image = update.image
    tag = str(image).removeprefix(image.name)[1:]
    named = {"FLUX_CONTAINER": update.container, "FLUX_IMG": image.name, "FLUX_TAG": tag}
    return {**_workload_variables(update.workload), **named}


def _policy_variables(workload: Workload, changes: Mapping[str, str | None]) -> Iterator[_Variables]:
    for key, value in changes.items():
        named = {"FLUX_POLICY": policy_of(key)}
        yield named if value is None else {**named, "FLUX_POLICY_VALUE": value}
