"""Files with markers, and what the policies chose, to files that hold the choice: Flux v2's `Setters` strategy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

from sluice.core import codes
from sluice.core.ids import NamespacedName
from sluice.core.image import ImageRef
from sluice.core.image_update.file_edit import Wanted, edit_file, merged, skip, unreadable
from sluice.core.image_update.marker import NEEDLE, Marker, find_markers, is_candidate
from sluice.core.image_update.result import FileObject, ImageUpdate, Skipped
from sluice.core.problem import Code, Origin, Problem
from sluice.core.yaml_text import EditRefused, YamlText, open_text

Policies = Mapping[NamespacedName, ImageRef | None]


# A change that must not be made (by its file, line and field), and why.
Held = Mapping[tuple[str, int, str], Problem]


def update_marked(
    files: Mapping[str, bytes], policies: Policies, commit: str = "", held: Held | None = None
) -> ImageUpdate:
    """Set every marked value to what its policy chose.

    `policies` are those in the automation's reach; None is a policy that has not chosen. A file is parsed only if it
    holds the marker's text. Nothing raises: a marker, a value or a file that can't be used is skipped with its reason,
    and values of one map that follow the same policy (a name and its tag) change together or not at all. So are changes
    that are `held`.
    """
    return merged(
        _update_file(path, files[path], policies, commit, held or {})
        for path in sorted(files)
        if NEEDLE in files[path] and is_candidate(path)
    )


def _update_file(path: str, data: bytes, policies: Policies, commit: str, held: Held) -> ImageUpdate:
    try:
        file = open_text(data, path, commit)
    except EditRefused as error:
        return ImageUpdate(skipped=(unreadable(path, error),))
    markers, problems = find_markers(file)
    wanted: list[Wanted] = []
    skipped = [_not_used(path, problem) for problem in problems]
    for group in belonging_together(markers):
        values = [_value(file, marker, policies) for marker in group]
        refused = next((value for value in values if isinstance(value, Problem)), None)
        if refused is not None:
            skipped += [skip(file, marker.address, refused, policy=str(marker)) for marker in group]
            continue
        texts = [value for value in values if isinstance(value, str)]
        wanted.append(Wanted(tuple(zip((m.address for m in group), texts, map(str, group), strict=True))))
    if any(path == there for there, _, _ in held):
        wanted, kept = _without(file, wanted, held)
        skipped += kept
    update = edit_file(file, wanted)
    marked = frozenset(marker.policy for marker in markers)
    return ImageUpdate(update.files, update.changes, (*skipped, *update.skipped), marked)


def _without(file: YamlText, wanted: list[Wanted], held: Held) -> tuple[list[Wanted], list[Skipped]]:
    """The images that may change, and those of which a value is held."""
    allowed: list[Wanted] = []
    skipped: list[Skipped] = []
    for image in wanted:
        changes = edit_file(file, [image]).changes
        problem = next((held[key] for c in changes if (key := (c.path, c.line, c.field)) in held), None)
        if problem is None:
            allowed.append(image)
        else:
            skipped += [Skipped(c.path, c.line, c.subject, c.field, c.policy, problem) for c in changes]
    return allowed, skipped


def belonging_together(markers: list[Marker]) -> Iterator[list[Marker]]:
    """Parts of one reference: those of the same map that follow the same policy. A whole reference is alone."""

    def place(marker: Marker) -> tuple[int, str, NamespacedName, bool]:
        return marker.address.document, repr(marker.address.path[:-1]), marker.policy, bool(marker.part)

    for (_, _, _, is_part), group in groupby(sorted(markers, key=place), key=place):
        if is_part:
            yield list(group)
        else:
            yield from ([marker] for marker in group)


def part_of(image: ImageRef, part: str) -> str:
    """The text of an image, or of a part of it as markers name them; empty when it has no such part."""
    return {"": str(image), "name": image.name, "tag": image.tag, "digest": image.digest}.get(part) or ""


def _value(file: YamlText, marker: Marker, policies: Policies) -> str | Problem:
    """What a marker asks for, or why there is no such thing."""
    if marker.policy not in policies:
        cause = f"no ImagePolicy {marker.policy} is in this automation's reach"
        fix = "correct the name, create the policy in the automation's namespace, or let its policySelector select it"
        return _problem(file, marker, codes.MARKER_UNKNOWN, "the marker's policy is not there", cause, fix)
    image = policies[marker.policy]
    if image is None:
        cause, fix = f"ImagePolicy {marker.policy} has no latest image", "see the policy's status"
        return _problem(file, marker, codes.POLICY_UNRESOLVED, "the policy has not chosen an image", cause, fix)
    value = part_of(image, marker.part)
    if value:
        return value
    cause = f"the image of ImagePolicy {marker.policy} has no {marker.part}"
    fix = "set spec.digestReflectionPolicy of the policy" if marker.part == "digest" else "see the policy's status"
    return _problem(file, marker, codes.POLICY_UNRESOLVED, f"the policy has no {marker.part} to set", cause, fix)


def _problem(file: YamlText, marker: Marker, code: Code, title: str, cause: str, fix: str) -> Problem:
    origin = Origin(file.path, marker.line, 0, marker.address.document, file.commit)
    return Problem(code, title, None, origin, str(marker.address), cause, fix)


def _not_used(path: str, problem: Problem) -> Skipped:
    line = problem.origin.line if problem.origin is not None else 0
    return Skipped(path, line, FileObject(), problem.field, "", problem)
