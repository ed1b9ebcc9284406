"""Images that failed where they were rolled out: which of a revision's they are, and how they are taken back.

A sync that undoes a revision names the objects whose health failed. An image is rejected for that when an automation
had written it, the value is still the automation's, and its object is one of those. Git says the rest: what was in
the revision that took effect last is put back, and a value that a person has touched is theirs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sluice.core.codes import IMAGE_UNHEALTHY
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.image_update.file_edit import Wanted, edit_file, merged
from sluice.core.image_update.marker import find_markers
from sluice.core.image_update.result import FileObject, ImageUpdate, Skipped
from sluice.core.image_update.set_back import Place, Rejected, marked_values, place_of, policy_of
from sluice.core.image_update.setters import Policies, belonging_together, part_of
from sluice.core.problem import Origin, Problem, clip, printable
from sluice.core.yaml_text import EditRefused, open_text

MAX_REASON = 300

# Entries of kustomizations, by file and place in it (`images[0]`), with the object whose image each replaces.
Entries = Mapping[tuple[str, str], ResourceId]


@dataclass(frozen=True, slots=True)
class FailedRollout:
    """A revision that a sync did not keep because objects failed: its commit, and what each of them said.

    `good` is the commit that the sync had before (empty: none), `folders` where the files of those objects are: the
    sync's path, or those of a group's members where it can be any of them, without slashes at their ends.
    """

    sync: NamespacedName
    commit: str
    good: str
    folders: tuple[str, ...]
    objects: Mapping[ResourceId, str]


@dataclass(frozen=True, slots=True)
class Unhealthy:
    """An image that failed: the value's file and policy, the object that it failed for, and what that said."""

    path: str
    policy: NamespacedName
    image: str
    object: str
    reason: str
    commit: str

    @property
    def key(self) -> Rejected:
        """What is rejected."""
        return self.path, self.policy


@dataclass(frozen=True, slots=True)
class Versions:
    """The same files at the head, at the commit that failed, and at the one before that took effect."""

    now: Mapping[str, bytes]
    failed: Mapping[str, bytes] = field(default_factory=dict)
    good: Mapping[str, bytes] = field(default_factory=dict)


def unhealthy(
    files: Versions, policies: Policies, failed: FailedRollout, *, is_update: bool, entries: Entries | None = None
) -> tuple[Unhealthy, ...]:
    """The images of `files` that made a revision fail; `files.now` are those that an automation was the last to change.

    A value counts that is as its policy wants it, was so in the failed revision, and was not in the good one. Of these
    the objects that failed decide, by their names or by the `entries` that replace their images; where neither stands
    in the files (a prefix), all of them, if the failed revision was an update (`is_update`) and so nothing but such
    values.
    """
    found = _near(failed.folders, _changed(files, policies))
    named = [(place, live) for place in found for live in failed.objects if _is_of(place, live, entries or {})]
    if not named and is_update and failed.objects and not _is_blamed(files, failed, entries or {}):
        named = [(place, next(iter(failed.objects))) for place in found]
    first: dict[Rejected, Unhealthy] = {}
    for (path, _, _, marker), live in named:
        policy = policy_of(marker)
        reason = clip(printable(failed.objects[live]), MAX_REASON)
        image = Unhealthy(path, policy, str(policies[policy]), str(live), reason, failed.commit)
        first.setdefault(image.key, image)
    return tuple(first.values())


def _is_blamed(files: Versions, failed: FailedRollout, entries: Entries) -> bool:
    """True when the failed revision changed the image of an object that failed: to blame also once it is back."""
    for path, data in files.failed.items():
        then = marked_values(path, files.good.get(path, b""))
        changed = [place for place, value in marked_values(path, data).items() if then.get(place) != value]
        if any(_is_of(place, live, entries) for place in changed for live in failed.objects):
            return True
    return False


def _changed(files: Versions, policies: Policies) -> list[Place]:
    found = []
    for path, data in files.now.items():
        before, then = (marked_values(path, version.get(path, b"")) for version in (files.failed, files.good))
        for place, value in marked_values(path, data).items():
            wanted = wanted_text(place[3], policies)
            if value and value == wanted and before.get(place) == value and then.get(place) != value:
                found.append(place)
    return found


def wanted_text(marker: str, policies: Policies) -> str:
    """What a marker's value is to be; empty when its policy has nothing for it."""
    image = policies.get(policy_of(marker))
    return part_of(image, marker.partition(":")[2].partition(":")[2]) if image is not None else ""


def _near(folders: Collection[str], places: list[Place]) -> list[Place]:
    """Those in the sync's own folder, where there are some: others may be bases of it, or another sync's."""
    inside = [p for p in places if any(not folder or p[0].startswith(f"{folder}/") for folder in folders)]
    return inside or places


def _is_of(place: Place, live: ResourceId, entries: Entries) -> bool:
    """True when a value stands in the object that failed, or in an entry that replaces its image."""
    path, subject, field, _ = place
    return _is_same(subject, live) or entries.get((path, field.partition(".")[0])) == live


def _is_same(written: FileObject, live: ResourceId) -> bool:
    """True when a file's object can be the one of the cluster. A namespace is often set from outside."""
    there = written.id
    return (there.group, there.kind, there.name) == (live.group, live.kind, live.name) and there.namespace in {
        "",
        live.namespace,
    }


def take_back(
    now: Mapping[str, bytes], rejected: Collection[Rejected], good: Mapping[str, bytes], commit: str = ""
) -> ImageUpdate:
    """Put back, in each rejected file, the values of the rejected policies that the good revision had there.

    Nothing raises: what can't be put back is skipped with its reason, and what `good` lacks stays as it is.
    """
    paths = sorted({path for path, _ in rejected if path in now and path in good})
    return merged(_take_back(path, now[path], rejected, good[path], commit) for path in paths)


def _take_back(path: str, data: bytes, rejected: Collection[Rejected], good: bytes, commit: str) -> ImageUpdate:
    try:
        file = open_text(data, path, commit)
    except EditRefused:
        return ImageUpdate()  # the update that follows says so
    before = marked_values(path, good)
    markers = [marker for marker in find_markers(file)[0] if (path, marker.policy) in rejected]
    wanted = []
    for group in belonging_together(markers):
        values = [(marker, before.get(place_of(file, marker), "")) for marker in group]
        if all(value for _, value in values):
            wanted.append(Wanted(tuple((marker.address, value, str(marker)) for marker, value in values)))
    return edit_file(file, wanted)


def unhealthy_problem(image: Unhealthy, line: int, commit: str) -> Problem:
    """What people are told of an image that is not written, or left where it is, because it failed."""
    return Problem(
        IMAGE_UNHEALTHY,
        f"{clip(printable(image.image), 120)} failed for {image.object}, and is not written again by itself",
        origin=Origin(image.path, line, commit=commit),
        cause=image.reason,
        fix="push a newer image, or ask for a run to have this one again",
    )


def left_in_place(files: Mapping[str, bytes], failing: Collection[Unhealthy], commit: str) -> tuple[Skipped, ...]:
    """Each marked value of `files` that has an image which failed: it is told, also where it is not taken back."""
    skipped = []
    for image in failing:
        file = open_text(files[image.path], image.path, commit)
        for marker in find_markers(file)[0]:
            if marker.policy == image.policy:
                _, subject, name, text = place_of(file, marker)
                problem = unhealthy_problem(image, marker.line, commit)
                skipped.append(Skipped(image.path, marker.line, subject, name, text, problem))
    return tuple(skipped)


def with_taken_back(back: ImageUpdate, update: ImageUpdate, left: tuple[Skipped, ...]) -> ImageUpdate:
    """The update of files that had been taken back before, as one; and what else is to be told."""
    return ImageUpdate(
        {**back.files, **update.files},
        (*back.changes, *update.changes),
        (*left, *back.skipped, *update.skipped),
        back.marked | update.marked,
    )


def told_of(images: Collection[Unhealthy]) -> str:
    """The paragraph of a commit's message that says why images are taken back."""
    lines = (
        f"- {i.image} in {i.path}: {i.object} failed: {i.reason.splitlines()[0] if i.reason else ''}" for i in images
    )
    return "Take back what failed:\n\n" + "\n".join(line.rstrip(": ") for line in lines)
