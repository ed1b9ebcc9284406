"""Changes of one file, made together: each image wholly or not at all, the file as intended or as it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sluice.core import codes
from sluice.core.ids import NamespacedName
from sluice.core.image_update.result import FileObject, ImageChange, ImageUpdate, Skipped, enclosing_object
from sluice.core.problem import Problem, printable
from sluice.core.yaml_edit import scalar_edit, set_scalars, value_at
from sluice.core.yaml_error import dotted
from sluice.core.yaml_text import Address, EditRefused, YamlText


@dataclass(frozen=True, slots=True)
class Wanted:
    """The values that belong to one image, with what they become: all of them change, or none.

    `field` names the image to people (a container); empty, each change is named by its path in the object.
    """

    values: tuple[tuple[Address, str, str], ...]  # (where, the new value, the policy that asks for it)
    field: str = ""


def edit_file(file: YamlText, wanted: Iterable[Wanted]) -> ImageUpdate:
    """Make the changes that can be made. What can't is skipped with its reason; a value asked for twice as well."""
    accepted: dict[Address, str] = {}
    changes: list[ImageChange] = []
    skipped: list[Skipped] = []
    for image in wanted:
        refusal = _refusal(file, image, accepted)
        if refusal is not None:
            skipped += [skip(file, at, refusal, policy=policy, field=image.field) for at, _, policy in image.values]
            continue
        accepted |= {at: value for at, value, _ in image.values}
        # Also a number that becomes the text of the same digits is a change.
        changes += [
            _change(file, image, at, value, policy) for at, value, policy in image.values if value_at(file, at) != value
        ]
    try:
        data = set_scalars(file, accepted)
    except EditRefused as error:
        problem = error.problems[0]
        return ImageUpdate({}, (), (*skipped, *(_undone(change, problem) for change in changes)))
    made = tuple(sorted(changes, key=lambda change: change.line))
    return ImageUpdate({file.path: data} if data != file.edited([]) else {}, made, tuple(skipped))


def skip(file: YamlText, at: Address, problem: Problem, *, policy: str = "", field: str = "") -> Skipped:
    """Say that the value at an address stays as it is."""
    document = file.documents[at.document - 1]
    subject, place = enclosing_object(document.value, at.path)
    origin = problem.origin
    line = origin.line if origin is not None and origin.line else _line(file, at)
    if origin is not None and not origin.line:
        problem = replace(problem, origin=replace(origin, line=line))
    problem = replace(problem, subject=subject.id if subject.name else None)
    return Skipped(file.path, line, subject, field or dotted(at.path[len(place) :]), policy, problem)


def merged(updates: Iterable[ImageUpdate]) -> ImageUpdate:
    """Several files' updates as one."""
    files: dict[str, bytes] = {}
    changes: list[ImageChange] = []
    skipped: list[Skipped] = []
    marked: set[NamespacedName] = set()
    for update in updates:
        files |= update.files
        changes += update.changes
        skipped += update.skipped
        marked |= update.marked
    return ImageUpdate(files, tuple(changes), tuple(skipped), frozenset(marked))


def unreadable(path: str, error: EditRefused) -> Skipped:
    """Say that a whole file is left alone because it can't be read."""
    return Skipped(path, _first_line(error), FileObject(), "", "", error.problems[0])


def _first_line(error: EditRefused) -> int:
    origin = error.problems[0].origin
    return origin.line if origin is not None else 0


def _refusal(file: YamlText, image: Wanted, accepted: dict[Address, str]) -> Problem | None:
    for at, value, _ in image.values:
        if not value.isprintable() or not value.isascii():
            title, cause = "this can be no part of an image", printable(value)
            return file.refused(codes.TAG_REJECTED, title, address=at, cause=cause, fix="name another tag").problems[0]
        if accepted.get(at, value) != value:
            node = file.branch(at)[-1]
            cause = f"one asks for {accepted[at]}, another for {value}"
            title, fix = "the value is asked for twice", "let one policy decide it"
            return file.refused(codes.MARKER_AMBIGUOUS, title, at=node, address=at, cause=cause, fix=fix).problems[0]
        try:
            scalar_edit(file, at, value)
        except EditRefused as error:
            return error.problems[0]
    return None


def _change(file: YamlText, image: Wanted, at: Address, value: str, policy: str) -> ImageChange:
    subject, place = enclosing_object(file.document(at).value, at.path)
    field = image.field or dotted(at.path[len(place) :])
    return ImageChange(file.path, _line(file, at), subject, field, policy, file.branch(at)[-1].text, value)


def _undone(change: ImageChange, problem: Problem) -> Skipped:
    return Skipped(change.path, change.line, change.subject, change.field, change.policy, problem)


def _line(file: YamlText, at: Address) -> int:
    return list(file.documents[at.document - 1].root.descend(at.path))[-1].at.line
