"""Image policy markers: the comment behind a value that says which policy sets it.

`image: web:v1 # {"$imagepolicy": "flux-system:web"}` sets the whole reference; `:name`, `:tag` or `:digest` behind
the policy's name sets that part. As in Flux the comment is JSON and nothing else. Where Flux silently passes over a
marker that it can't use, there is a reason here, but for lines that are commented out.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from sluice.core import codes
from sluice.core.ids import NamespacedName
from sluice.core.problem import Code, Origin, Problem, clip, printable
from sluice.core.yaml_node import ALIAS, LIST, MAP, SCALAR, Node
from sluice.core.yaml_text import Address, Path, TextDocument, YamlText

KEY = "$imagepolicy"
NEEDLE = b'"$imagepolicy"'
PARTS = frozenset({"", "name", "tag", "digest"})
MAX_COMMENT = 1024

_NEEDLE = NEEDLE.decode()
_ITEM = re.compile(r" *-\s+(?:[&!]\S*\s+)*")
_COMMENT = re.compile(r"[^\S\n]*#")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Marker:
    """A value that a policy sets. `part` is empty for the whole reference, else name, tag or digest."""

    address: Address
    policy: NamespacedName
    part: str
    line: int

    def __str__(self) -> str:
        text = f"{self.policy.namespace}:{self.policy.name}"
        return f"{text}:{self.part}" if self.part else text


@dataclass(frozen=True, slots=True)
class _Place:
    """A node with the way to it."""

    node: Node
    path: Path
    is_key: bool
    in_list: bool


def is_candidate(path: str) -> bool:
    """True for files that may hold markers: `.yaml`, `.yml` and kustomize's `Kustomization`, as in Flux."""
    return path.endswith((".yaml", ".yml")) or path.rpartition("/")[2] == "Kustomization"


def find_markers(file: YamlText) -> tuple[list[Marker], list[Problem]]:
    """All markers of a file in the order of their lines, and what is wrong with comments that look like one."""
    markers: list[Marker] = []
    problems: list[Problem] = []
    for number, document in enumerate(file.documents, 1):
        if _NEEDLE in document.chunk.text:
            for found in _Finder(file, document, number).read():
                if isinstance(found, Problem):
                    problems.append(found)
                else:
                    markers.append(found)
    return markers, problems


class _Finder:
    """One document's values, sorted by where they stand, so that each marker costs two look-ups."""

    def __init__(self, file: YamlText, document: TextDocument, number: int) -> None:
        self.file = file
        self.number = number
        self.text = document.chunk.text
        self.first_line = document.chunk.line
        self.breaks = [match.start() for match in re.finditer("\n", self.text)]
        places = [place for place in _places(document.root, (), False) if not _is_block(place.node)]
        # A key comes before the empty value that ends where it does not: behind `key:` the value counts.
        self.by_end = sorted(places, key=lambda place: (place.node.end, not place.is_key))
        self.scalars = sorted(
            (place for place in places if place.node.kind in {SCALAR, ALIAS}),
            key=lambda place: (place.node.start, place.node.end),
        )

    def read(self) -> Iterator[Marker | Problem]:
        """Each line that holds the marker's key, once."""
        at = self.text.find(_NEEDLE)
        while at >= 0:
            start, end = self.text.rfind("\n", 0, at) + 1, self.text.find("\n", at)
            end = len(self.text) if end < 0 else end
            found = self.read_line(start, end)
            if found is not None:
                yield found
            at = self.text.find(_NEEDLE, end)

    def read_line(self, start: int, end: int) -> Marker | Problem | None:
        at = self.comment_start(start, end)
        if at is None:
            return None
        is_alone = not self.text[start:at].strip()
        comment = self.text[at:end].strip().lstrip("#")
        value = _marked(comment)
        if value is None and (is_alone or _NEEDLE not in comment):
            return None
        if value is None or comment.count(_NEEDLE) > 1:
            return self.unreadable(comment, at)
        place = self.item_below(end) if is_alone else self.value_before(start, at)
        if isinstance(place, str):
            title = "the marker stands where there is no single value"
            return self.problem(
                codes.MARKER_PLACE, title, at, place, "put it behind the value, on the value's own line"
            )
        return self.marker(value, place, at)

    def comment_start(self, start: int, end: int) -> int | None:
        """Where the line's comment begins: a `#` after white space that is inside no value."""
        for match in re.finditer(r"(?<!\S)#", self.text[start:end]):
            place = self.covering(start + match.start())
            if place is None or self.is_header(place, start + match.start()):
                return start + match.start()
        return None

    def covering(self, at: int) -> _Place | None:
        """The scalar whose text holds a character."""
        index = bisect_right(self.scalars, at, key=lambda place: place.node.start) - 1
        place = self.scalars[index] if index >= 0 else None
        return place if place is not None and at < place.node.end else None

    def is_header(self, place: _Place, at: int) -> bool:
        """True on the line of a block scalar's `|` or `>`."""
        return place.node.style in {"|", ">"} and "\n" not in self.text[place.node.start : at]

    def value_before(self, start: int, at: int) -> _Place | str:
        """The value that ends on this line before its comment, or what stands there instead."""
        place = self.covering(at)
        if place is not None:
            return place
        index = bisect_right(self.by_end, at, key=lambda place: place.node.end) - 1
        if index < 0 or self.by_end[index].node.end < start:
            return "there is no value on this line"
        last = self.by_end[index]
        if last.node.kind in {MAP, LIST}:
            return f"it is behind a {last.node.kind}"
        if last.is_key or self.text[last.node.end : at].strip() not in {"", ","}:
            return "it is not behind a value"
        return last

    def item_below(self, end: int) -> _Place | str:
        """A comment of its own marks a list's item on the next line, as in Flux."""
        limit = self.text.find("\n", end + 1)
        index = bisect_right(self.scalars, end, key=lambda place: place.node.start)
        place = self.scalars[index] if index < len(self.scalars) else None
        if place is None or not place.in_list or 0 <= limit < place.node.start:
            return "it is on a line of its own"
        behind = place.node.start + 2 if place.node.style in {"|", ">"} else place.node.end
        if _COMMENT.match(self.text, behind):
            return "the item has a comment of its own, which counts alone"
        return place if _ITEM.fullmatch(self.text[end + 1 : place.node.start]) else "it is above a list in a list"

    def marker(self, value: str, place: _Place, at: int) -> Marker | Problem:
        namespace, _, rest = value.partition(":")
        name, _, part = rest.partition(":")
        if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(name) and part in PARTS) or rest.endswith(":"):
            cause = f"{clip(printable(value), 120)!r} is not <namespace>:<policy>, or that with :name, :tag or :digest"
            title, fix = "the marker names no policy", "name the policy with its namespace"
            return self.problem(codes.MARKER_SYNTAX, title, at, cause, fix)
        return Marker(Address(self.number, place.path), NamespacedName(namespace, name), part, self.line(at))

    def unreadable(self, comment: str, at: int) -> Problem:
        if comment.count(_NEEDLE) > 1:
            title, fix = "two markers are on one line", "keep one of them"
            return self.problem(codes.MARKER_AMBIGUOUS, title, at, "one value can follow one policy only", fix)
        cause, fix = (
            "the comment is not JSON alone",
            f'write # {{"{KEY}": "<namespace>:<policy>"}} and nothing behind it',
        )
        return self.problem(codes.MARKER_SYNTAX, "the marker can't be read", at, cause, fix)

    def problem(self, code: Code, title: str, at: int, cause: str, fix: str) -> Problem:
        column = at - self.text.rfind("\n", 0, at)
        origin = Origin(self.file.path, self.line(at), column, self.number, self.file.commit)
        return Problem(code, title, None, origin, "", cause, fix)

    def line(self, at: int) -> int:
        return self.first_line + bisect_right(self.breaks, at)


def _is_block(node: Node) -> bool:
    return node.kind in {MAP, LIST} and not node.style


def _marked(comment: str) -> str | None:
    if len(comment) > MAX_COMMENT:
        return None
    try:
        return msgspec.json.decode(comment, type=dict[str, str]).get(KEY)
    except (msgspec.DecodeError, RecursionError):
        return None


def _places(node: Node, path: Path, in_list: bool) -> Iterator[_Place]:
    if node.key is not None:
        yield _Place(node.key, path, is_key=True, in_list=False)
    yield _Place(node, path, is_key=False, in_list=in_list)
    for key, child in node.keys.items():
        yield from _places(child, (*path, key), False)
    for index, child in enumerate(node.items):
        yield from _places(child, (*path, index), not node.style)
