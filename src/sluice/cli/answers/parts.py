"""The parts that answers to programs share: references, places, causes, problems."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, TypedDict

import msgspec

Version1: TypeAlias = Literal["cli.sluice.dev/v1"]


def one_of(*words: str) -> msgspec.Meta:
    """A text that is one of these words."""
    return msgspec.Meta(extra_json_schema={"enum": list(words)})


State: TypeAlias = Annotated[str, one_of("Ready", "Failing", "Waiting", "Reconciling", "Suspended", "Unknown")]
Truth: TypeAlias = Annotated[str, one_of("True", "False", "Unknown")]
HealthWord: TypeAlias = Annotated[str, one_of("Current", "InProgress", "Failed", "Terminating", "NotFound", "Unknown")]
CodeNumber: TypeAlias = Annotated[str, msgspec.Meta(pattern="^([EW][0-9]{3})?$")]


class Ref(TypedDict):
    """An object of the cluster. `group` is empty for the core's, `namespace` for what has none."""

    group: str
    kind: str
    namespace: str
    name: str


class StateRef(Ref):
    """An object of ours, and how it is."""

    state: State


class RevisionParts(TypedDict):
    """A revision: branch or tag, hash, the repository's URL, and all as status has it."""

    branch: str
    sha: str
    url: str
    text: str


class Place(TypedDict):
    """A place in git. `line` 0 is unknown; `commit` may be short."""

    path: str
    line: int
    commit: str


class RenderedPlace(Place):
    """A place in git, or what produced the object when its file can't be known."""

    renderer: str


class ExactPlace(Place):
    """A place in git with its column; 0 is unknown."""

    column: int


class Cause(TypedDict):
    """A problem that a status tells. What it does not say is empty."""

    code: CodeNumber
    title: str
    object: str
    where: str
    why: str
    fix: str
    since: str | None
    waits: list[str]


class ProblemItem(TypedDict):
    """A problem that this command found itself."""

    code: CodeNumber
    name: str
    title: str
    ref: Ref | None
    origin: ExactPlace | None
    field: str
    cause: str
    fix: str


class CommitWords(TypedDict):
    """Who wrote a commit, and its first line; empty when that is not known."""

    author: str
    subject: str
