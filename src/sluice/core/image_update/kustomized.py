"""What the `images:` of kustomizations make of a workload's images, and which entry has to change for another. Pure.

As kustomize does it: entry after entry, from the innermost kustomization to the outermost; a tag or a digest replaces
both. The entries are read from the files of the same version as the workload, so that an old commit says what it built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sluice.core import codes
from sluice.core.image import ImageRef, ImageRefError, parse
from sluice.core.image_update.container import Container
from sluice.core.image_update.file_edit import merged
from sluice.core.image_update.kustomization import update_entry
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.result import FileObject, ImageChange, ImageUpdate, Skipped
from sluice.core.image_update.shared_file import Sharing, named_sharers
from sluice.core.image_update.workload import Workload, WorkloadId, is_pod_kind
from sluice.core.problem import Code, Origin, Problem, printable
from sluice.core.yaml_text import Address, EditRefused, open_text

# kustomization files, the innermost first, through whose `images:` the objects of a file go.
Chain = tuple[str, ...]
_SUFFIX = re.compile(r"(?::[\w.{}-]*)?(?:@sha256:[\w.{}-]*)?", re.ASCII)
_FIELDS = ("newName", "newTag", "digest", "tagSuffix")


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """One entry of `images:` that replaces something, and where it is."""

    origin: Origin
    at: Address
    name: str
    fields: Mapping[str, Any]

    @property
    def path(self) -> str:
        """The kustomization's file."""
        return self.origin.path

    def takes(self, text: str) -> bool:
        """True for an image of this very name: kustomize compares what is written."""
        return text.startswith(self.name) and _SUFFIX.fullmatch(text[len(self.name) :]) is not None

    def applied(self, text: str) -> str:
        """The image that it makes of one that it takes."""
        values = {key: value for key, value in self.fields.items() if isinstance(value, str)}
        name, suffix = values.get("newName") or self.name, text[len(self.name) :]
        if values.get("newTag") or values.get("digest"):
            tag, digest = values.get("newTag"), values.get("digest")
            suffix = (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
        return name + suffix


@dataclass(frozen=True, slots=True)
class Kustomized:
    """The entries that objects of each file go through, as one version of the files has them."""

    entries: Mapping[str, tuple[ImageEntry, ...]] = field(default_factory=dict)

    @staticmethod
    def read(chains: Mapping[str, Chain], files: Mapping[str, bytes], commit: str = "") -> Kustomized:
        """Read the kustomizations of `chains` from `files`; one that can't be read, or is not there, has no entries."""
        paths = {path for chain in chains.values() for path in chain}
        known = {path: tuple(_entries(files.get(path, b""), path, commit)) for path in paths}
        return Kustomized({path: tuple(each for one in chain for each in known[one]) for path, chain in chains.items()})

    def of(self, path: str, container: Container) -> tuple[ImageEntry, ...]:
        """The entries that replace the image of a container of this file, in order."""
        return tuple(entry for entry, _ in self._steps(path, container))

    def seen(self, path: str, workload: Workload) -> Workload:
        """The workload with the images that come out of its kustomizations."""
        if not self.entries.get(path) or not is_pod_kind(workload.id.kind):
            return workload
        return replace(workload, containers=tuple(self._seen(path, each) for each in workload.containers))

    def only(self, path: str, workload: Workload, fault: str) -> Workload:
        """The workload, seen already, with the images alone that entries replace; the others can't be changed."""

        def kept(each: Container) -> Container:
            return each if self.of(path, each) else replace(each, image=None, fault=fault)

        return replace(workload, containers=tuple(kept(each) for each in workload.containers))

    def _seen(self, path: str, container: Container) -> Container:
        steps = list(self._steps(path, container))
        if not steps:
            return container
        entry, text = steps[-1]
        odd = [key for key, value in entry.fields.items() if not isinstance(value, str)]
        fault = f"{odd[0]} of {_place(entry)} is no text" if odd else ""
        try:
            image = None if fault else parse(text)
        except ImageRefError as error:
            image, fault = None, str(error)
        return replace(container, image=image, fault=fault)

    def _steps(self, path: str, container: Container) -> Iterator[tuple[ImageEntry, str]]:
        text = container.written
        for entry in self.entries.get(path, ()):
            if entry.takes(text):
                text = entry.applied(text)
                yield entry, text


def replacing_entries(
    kustomized: Kustomized, path: str, workload: Workload
) -> dict[tuple[WorkloadId, str], tuple[ImageEntry, ...]]:
    """The entries that replace images of a workload as its file has it, by container; nothing for the others."""
    if not is_pod_kind(workload.id.kind):
        return {}
    found = {(workload.id, each.name): kustomized.of(path, each) for each in workload.containers}
    return {key: entries for key, entries in found.items() if entries}


@dataclass(frozen=True, slots=True)
class EntryUpdate:
    """An update of a workload, given as it is seen, with the entries that replace the image of its container.

    Kustomizations that are shared are not changed.
    """

    update: ContainerUpdate
    workload: Workload
    entries: tuple[ImageEntry, ...]
    sharing: Sharing = field(default_factory=Sharing)

    @property
    def subject(self) -> FileObject:
        """The workload, in the namespace that it gets."""
        return replace(self.workload.subject, namespace=self.update.workload.namespace)

    def skipped(self, problem: Problem) -> ImageUpdate:
        """No change, and why."""
        entry, update = self.entries[-1], self.update
        problem = replace(problem, subject=self.subject.id)
        return ImageUpdate(
            skipped=(Skipped(entry.path, entry.origin.line, self.subject, update.container, update.policy, problem),)
        )


def update_entries(files: Mapping[str, bytes], updates: Sequence[EntryUpdate], commit: str = "") -> ImageUpdate:
    """Write images into the entries that replace them.

    Nothing raises: an image with several entries, or one that can't be written, is skipped with a reason that names
    the entry's line.
    """
    now, parts = dict(files), []
    for each in updates:
        part = _updated(now, each, commit)
        now.update(part.files)
        parts.append(part)
    return merged(parts)


def _updated(files: Mapping[str, bytes], each: EntryUpdate, commit: str) -> ImageUpdate:
    entry, update = each.entries[-1], each.update
    container = each.workload.container(update.container)
    current = container.image if container is not None else None
    problem = _fault(each, current, container.fault if container is not None else "")
    if problem is not None:
        return each.skipped(problem)
    try:
        file = open_text(files[entry.path], entry.path, commit)
        data, changes = update_entry(file, entry.at, update.image)
    except EditRefused as error:
        return each.skipped(error.problems[0])
    # Without a change another container's update was of this entry, too.
    line = changes[0].line if changes else entry.origin.line
    change = ImageChange(
        entry.path, line, each.subject, update.container, update.policy, str(current), str(update.image)
    )
    return ImageUpdate({entry.path: data} if changes else {}, (change,))


def _fault(each: EntryUpdate, current: ImageRef | None, fault: str) -> Problem | None:
    entry, update = each.entries[-1], each.update
    if len(each.entries) > 1:
        title, fix = "several entries of images: replace the image", "keep one of them"
        cause = f"{update.workload} {update.container} gets it from {' and then '.join(map(_place, each.entries))}"
        return _refused(entry, codes.IMAGE_ENTRY, title, cause, fix)
    if entry.path in each.sharing.shared_by:
        title = "the image is replaced by a kustomization that is not this sync's alone"
        cause = f"{_place(entry)} is taken in {named_sharers(each.sharing.shared_by[entry.path])}"
        fix = "set the image by images: of the overlay instead, or change the entry by hand for all of them"
        return _refused(entry, codes.IMAGE_ENTRY, title, cause, fix)
    if "tagSuffix" in entry.fields:
        title, fix = "the entry adds a suffix to the tag", "use newTag instead of tagSuffix"
        return _refused(entry, codes.IMAGE_FORM, title, f"the tag is to be {update.image.tag}", fix)
    if current is None:
        return _refused(entry, codes.CONTAINER_MISSING, "the image can't be read", fault, "correct the entry")
    if update.current is not None and current.canonical != update.current.canonical:
        title, fix = "git has another image", "look at what is in git and ask again"
        cause = f"the kustomization makes it {current}, expected {update.current}"
        return _refused(entry, codes.IMAGE_MISMATCH, title, cause, fix)
    return None


def _refused(entry: ImageEntry, code: Code, title: str, cause: str, fix: str) -> Problem:
    return Problem(code, title, None, entry.origin, str(entry.at), cause, fix)


def _place(entry: ImageEntry) -> str:
    return f"{printable(entry.path)}:{entry.origin.line}"


def _entries(data: bytes, path: str, commit: str) -> Iterator[ImageEntry]:
    if b"images" not in data:
        return
    try:
        file = open_text(data, path, commit)
    except EditRefused:
        return  # the sync tells of a kustomization that can't be read
    value = file.documents[0].value if file.documents else None
    held = value.get("images") if isinstance(value, dict) else None
    for index, entry in enumerate(held if isinstance(held, list) else ()):
        fields = {key: entry[key] for key in _FIELDS if entry.get(key)} if isinstance(entry, dict) else {}
        if fields and isinstance(entry.get("name"), str) and entry["name"]:
            at = Address(1, ("images", index))
            line = list(file.documents[0].root.descend(at.path))[-1].at.line
            yield ImageEntry(Origin(path, line, commit=commit), at, entry["name"], fields)
