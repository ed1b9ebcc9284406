"""Containers of named workloads, and the images they are to run, to files that say so: fluxd's releases."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sluice.core import codes
from sluice.core.image import ImageRef
from sluice.core.image_update.container import Container
from sluice.core.image_update.file_edit import Wanted, edit_file, merged, skip, unreadable
from sluice.core.image_update.result import FileObject, ImageUpdate, Skipped
from sluice.core.image_update.workload import DEFAULT_NAMESPACE, Workload, WorkloadId, find_workloads
from sluice.core.problem import Code, Problem
from sluice.core.yaml_text import EditRefused, YamlText, open_text

_WORD = re.compile(rb"[a-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class ContainerUpdate:
    """A container that is to run another image.

    Where `current` is given, the file must have that image. `policy` is the one that asks, for the report.
    """

    workload: WorkloadId
    container: str
    image: ImageRef
    current: ImageRef | None = None
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Located:
    """Where workloads are: each in the one file that defines it. `missing` has a reason for each that is not there."""

    workloads: Mapping[WorkloadId, tuple[YamlText, Workload]]
    missing: Mapping[WorkloadId, Problem]

    def by_file(self) -> Iterator[tuple[YamlText, tuple[Workload, ...]]]:
        """The files with the workloads looked for in each, in the order of their paths."""
        files = {file.path: file for file, _ in self.workloads.values()}
        for path in sorted(files):
            yield files[path], tuple(workload for file, workload in self.workloads.values() if file.path == path)


def update_containers(
    files: Mapping[str, bytes], updates: Sequence[ContainerUpdate], namespace: str = DEFAULT_NAMESPACE, commit: str = ""
) -> ImageUpdate:
    """Make the named containers run the given images, and change nothing else.

    `namespace` is that of objects which name none. Only files in which a workload's name occurs are parsed. Nothing
    raises: what is not there, is there twice, or can't be written is skipped with its reason.
    """
    located = locate_workloads(files, [update.workload for update in updates], namespace, commit)
    parts = [_in_file(file, workloads, updates) for file, workloads in located.by_file()]
    missing = tuple(
        missing_workload(update.workload, located.missing[update.workload], update.container, update.policy)
        for update in updates
        if update.workload in located.missing
    )
    return merged([*parts, ImageUpdate(skipped=missing)])


def locate_workloads(
    files: Mapping[str, bytes], wanted: Iterable[WorkloadId], namespace: str = DEFAULT_NAMESPACE, commit: str = ""
) -> Located:
    """Find each workload in the one file that defines it."""
    ids = set(wanted)
    names = {identity.name.encode() for identity in ids}
    found: dict[WorkloadId, list[tuple[YamlText, Workload]]] = {}
    unread: dict[str, EditRefused] = {}
    for path in sorted(files):
        if not path.endswith((".yaml", ".yml", ".json")) or not _mentions(files[path], names):
            continue
        try:
            file = open_text(files[path], path, commit)
        except EditRefused as error:
            unread[path] = error
            continue
        for workload in find_workloads(file, namespace):
            if workload.id in ids:
                found.setdefault(workload.id, []).append((file, workload))
    here = {identity: places[0] for identity, places in found.items() if len(places) == 1}
    missing = {identity: _missing(found.get(identity, []), identity, unread, files) for identity in ids - here.keys()}
    return Located({identity: here[identity] for identity in sorted(here)}, missing)


def workload_ids(
    files: Mapping[str, bytes], namespace: str = DEFAULT_NAMESPACE
) -> tuple[frozenset[WorkloadId], tuple[Skipped, ...]]:
    """The names of all workloads that files define, and the files that could not be read for them."""
    ids: set[WorkloadId] = set()
    unread = []
    for path in sorted(files):
        if path.endswith((".yaml", ".yml", ".json")):
            try:
                ids |= {workload.id for workload in find_workloads(open_text(files[path], path), namespace)}
            except EditRefused as error:
                unread.append(unreadable(path, error))
    return frozenset(ids), tuple(unread)


def missing_workload(identity: WorkloadId, problem: Problem, field: str, policy: str) -> Skipped:
    """Say of a workload that it is in no file, or in several."""
    return Skipped("", 0, FileObject("", identity.kind, identity.namespace, identity.name), field, policy, problem)


def _mentions(data: bytes, names: set[bytes]) -> bool:
    """A search that costs less than parsing: for a few names one by one, for many by the file's words."""
    return any(name in data for name in names) if len(names) <= 8 else not names.isdisjoint(_WORD.findall(data))


def _missing(
    places: list[tuple[YamlText, Workload]],
    identity: WorkloadId,
    unread: dict[str, EditRefused],
    files: Mapping[str, bytes],
) -> Problem:
    if places:
        where = ", ".join(f"{file.path}:{workload.line}" for file, workload in places)
        title, fix = "the workload is defined twice", "keep one definition"
        return Problem(codes.WORKLOAD_AMBIGUOUS, title, None, None, "", f"{identity} is in {where}", fix)
    broken = next((error for path, error in unread.items() if identity.name.encode() in files[path]), None)
    cause = f"{identity} is in no file" + (f"; this one can't be read: {broken.problems[0]}" if broken else "")
    title, fix = "the workload is not in git", "check namespace, kind and name, and that its path is one that is synced"
    return Problem(codes.WORKLOAD_MISSING, title, None, None, "", cause, fix)


def _in_file(file: YamlText, workloads: tuple[Workload, ...], updates: Sequence[ContainerUpdate]) -> ImageUpdate:
    wanted: list[Wanted] = []
    skipped: list[Skipped] = []
    for workload in workloads:
        for update in (update for update in updates if update.workload == workload.id):
            container = workload.container(update.container)
            problem = _fault(file, workload, container, update)
            if problem is not None:
                at = workload.address if container is None else container.repository
                skipped.append(skip(file, at, problem, policy=update.policy, field=update.container))
            elif container is not None:
                values = tuple((at, value, update.policy) for at, value in container.values(update.image))
                wanted.append(Wanted(values, update.container))
    edited = edit_file(file, wanted)
    return ImageUpdate(edited.files, edited.changes, (*skipped, *edited.skipped))


def _fault(file: YamlText, workload: Workload, container: Container | None, update: ContainerUpdate) -> Problem | None:
    def problem(code: Code, title: str, cause: str, fix: str) -> Problem:
        return file.refused(code, title, address=workload.address, cause=cause, fix=fix).problems[0]

    if container is None:
        names = ", ".join(held.name for held in workload.containers) or "none"
        cause, fix = f"{workload.id} has {names}", "name one of its containers"
        return problem(codes.CONTAINER_MISSING, f"there is no container {update.container!r}", cause, fix)
    if container.image is None:
        title = f"the image of {container.name!r} can't be read"
        return problem(codes.CONTAINER_MISSING, title, container.fault, "correct the image in the file")
    if container.tag is not None and update.image.tag is None:
        title, cause = "an image without a tag can't be written here", "the file has the tag in a value of its own"
        return problem(codes.IMAGE_FORM, title, cause, "name the image with a tag")
    if update.current is not None and update.current.canonical != container.image.canonical:
        cause = f"the file has {container.image}, expected {update.current}"
        return problem(
            codes.IMAGE_MISMATCH, "the file has another image", cause, "look at what is in git and ask again"
        )
    return None
