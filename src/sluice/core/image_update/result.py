"""What an update of images did to files: new bytes, each change, and each image left as it was with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sluice.core.ids import NamespacedName, ResourceId, split_api_version
from sluice.core.problem import Problem
from sluice.core.yaml_text import Path


@dataclass(frozen=True, slots=True, order=True)
class FileObject:
    """An object as its file has it. Any part may be empty: a kustomization has no name, a values file no kind."""

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def id(self) -> ResourceId:
        """The object's name in a cluster."""
        return ResourceId(split_api_version(self.api_version)[0], self.kind, self.namespace, self.name)

    def __str__(self) -> str:
        return str(self.id).strip()


@dataclass(frozen=True, slots=True)
class ImageChange:
    """One value that an update changed. `field` is the container, or else the path of the value in its object.

    `policy` is the marker (`flux-system:web:tag`) or the annotation's policy, or empty; `line` counts from 1.
    """

    path: str
    line: int
    subject: FileObject
    field: str
    policy: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """An image, or a file, that an update left as it was; `problem` says why and who can change that."""

    path: str
    line: int
    subject: FileObject
    field: str
    policy: str
    problem: Problem

    @property
    def reason(self) -> str:
        """The reason in one line."""
        cause = f": {self.problem.cause}" if self.problem.cause else ""
        return f"{self.problem.title}{cause}"


@dataclass(frozen=True, slots=True)
class ImageUpdate:
    """`files` holds only what differs from before. Applied to its own result, an update changes nothing.

    `marked` are the policies that markers name, whether their values had to be changed or not.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    changes: tuple[ImageChange, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    marked: frozenset[NamespacedName] = frozenset()


def placed(update: ImageUpdate, namespace: str) -> ImageUpdate:
    """The changes with the namespace that objects without one are given where these files are: elsewhere it may be
    another.
    """

    def given(change: ImageChange) -> ImageChange:
        subject = change.subject
        return replace(change, subject=replace(subject, namespace=subject.namespace or namespace))

    return replace(update, changes=tuple(given(change) for change in update.changes))


def file_object(value: Any) -> FileObject:
    """The identity of an object from its value; what is missing or no text is empty."""
    if not isinstance(value, dict):
        return FileObject()
    metadata = value.get("metadata")
    held = metadata if isinstance(metadata, dict) else {}
    parts = (value.get("apiVersion"), value.get("kind"), held.get("namespace"), held.get("name"))
    return FileObject(*(part if isinstance(part, str) else "" for part in parts))


def enclosing_object(document: Any, path: Path) -> tuple[FileObject, Path]:
    """The object that a path of a document leads into, through Lists, and the path of that object."""
    from sluice.core.manifest_read import is_list

    at: Path = ()
    value = document
    while is_list(value) and path[len(at) : len(at) + 1] == ("items",) and len(path) >= len(at) + 2:
        index = path[len(at) + 1]
        assert isinstance(index, int)  # noqa: S101  a list's steps are numbers
        value, at = value["items"][index], path[: len(at) + 2]
    return file_object(value), at
