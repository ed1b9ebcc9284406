"""What we wrote and somebody set back: the values of a head against those of our own last commit.

Git says it all: no list of what was written is kept. A value that our commit had as the policy wants it, and that a
later head has differently, was changed by somebody who knows better; it is not written again by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sluice.core.codes import IMAGE_REJECTED
from sluice.core.ids import NamespacedName
from sluice.core.image_update.marker import NEEDLE, Marker, find_markers
from sluice.core.image_update.result import FileObject, ImageChange, enclosing_object
from sluice.core.problem import Origin, Problem, clip, printable
from sluice.core.yaml_error import dotted
from sluice.core.yaml_text import EditRefused, YamlText, open_text

# A file and a policy: what is rejected is the policy's image for the file.
Rejected = tuple[str, NamespacedName]
Place = tuple[str, FileObject, str, str]


def set_back(changes: Iterable[ImageChange], written: Mapping[str, bytes]) -> frozenset[Rejected]:
    """The files and policies whose values somebody set back: they had, in what we wrote, what `changes` would write.

    `written` are the files of our last commit; one that can't be read says nothing.
    """
    before: dict[str, dict[Place, str]] = {}
    found = set()
    for change in changes:
        if change.path not in before:
            before[change.path] = marked_values(change.path, written.get(change.path, b""))
        place = (change.path, change.subject, change.field, change.policy)
        if before[change.path].get(place) == change.new:
            found.add((change.path, policy_of(change.policy)))
    return frozenset(found)


def set_back_problem(change: ImageChange, commit: str) -> Problem:
    """What people are told of a value that is left to them."""
    return Problem(
        IMAGE_REJECTED,
        "somebody has changed the value since it was written, and it stays as they want it",
        subject=change.subject.id if change.subject.name else None,
        origin=Origin(change.path, change.line, commit=commit),
        cause=f"{change.policy} still chooses {clip(printable(change.new), 120)}",
        fix="wait for another image, or ask for a run to have this one again",
    )


def policy_of(marker: str) -> NamespacedName:
    """The policy that a marker names.

    >>> str(policy_of("flux-system:web:tag"))
    'flux-system/web'
    """
    namespace, _, rest = marker.partition(":")
    return NamespacedName(namespace, rest.partition(":")[0])


def marked_values(path: str, data: bytes) -> dict[Place, str]:
    """Every marked value of a file, by file, object, place in the object and marker; none of one that can't be read."""
    values: dict[Place, str] = {}
    if NEEDLE not in data:
        return values
    try:
        file = open_text(data, path)
        for marker in find_markers(file)[0]:
            values[place_of(file, marker)] = file.branch(marker.address)[-1].text
    except EditRefused:
        return {}
    return values


def place_of(file: YamlText, marker: Marker) -> Place:
    """Where a marked value stands, in words that hold for other versions of the file, too."""
    at = marker.address
    subject, place = enclosing_object(file.document(at).value, at.path)
    return file.path, subject, dotted(at.path[len(place) :]), str(marker)
