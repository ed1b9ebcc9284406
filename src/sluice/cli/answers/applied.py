"""Answers about what was applied: trees, traces, histories, events, exports."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

from sluice.cli.answers.objects import ObjectItem
from sluice.cli.answers.parts import (
    CommitWords,
    HealthWord,
    Place,
    Ref,
    RevisionParts,
    State,
    StateRef,
    Version1,
    one_of,
)


class HealthParts(TypedDict):
    """How an object is."""

    status: HealthWord
    message: str


class BranchItem(TypedDict):
    """One object, and what its controller made."""

    ref: Ref
    health: HealthParts
    origin: Place | None
    children: list[BranchItem]


class Tree(TypedDict):
    """`sluice tree`."""

    apiVersion: Version1
    kind: Literal["Tree"]
    ref: Ref
    state: State
    items: list[BranchItem]


class TraceItem(TypedDict):
    """From an object through its owners to its sync, its source and its file."""

    ref: Ref
    owners: list[Ref]
    sync: StateRef
    source: Ref | None
    revision: RevisionParts | None
    origin: Place | None
    commit: CommitWords


class TraceList(TypedDict):
    """`sluice trace`."""

    apiVersion: Version1
    kind: Literal["TraceList"]
    items: list[TraceItem]


class ChangeCounts(TypedDict):
    """How many objects a revision created, changed and deleted."""

    created: int
    changed: int
    deleted: int


class HistoryItem(TypedDict):
    """One revision that was tried. `current` is the one that is in the cluster."""

    revision: RevisionParts | None
    outcome: str
    succeeded: bool
    current: bool
    endedAt: str
    seconds: float
    changes: ChangeCounts
    commit: CommitWords
    digest: str


class History(TypedDict):
    """`sluice history`, newest first."""

    apiVersion: Version1
    kind: Literal["History"]
    items: list[HistoryItem]


class EventItem(TypedDict):
    """One event; `count` says how often the same was told."""

    ref: Ref
    type: str
    reason: str
    message: str
    lastSeen: str
    count: int
    name: str


class EventList(TypedDict):
    """`sluice events`, oldest first."""

    apiVersion: Version1
    kind: Literal["EventList"]
    items: list[EventItem]


class WatchedObject(TypedDict):
    """One line of `sluice get -w`."""

    type: Annotated[str, one_of("ADDED", "MODIFIED", "DELETED")]
    object: ObjectItem


class WatchedEvent(TypedDict):
    """One line of `sluice events -w`."""

    type: Literal["ADDED"]
    object: EventItem


class ExportedObject(TypedDict):
    """An object as it would stand in git."""

    apiVersion: str
    kind: str
    metadata: dict[str, Any]
    spec: dict[str, Any]


class ExportList(TypedDict):
    """`sluice export -o json`; as YAML the objects themselves are printed."""

    apiVersion: Version1
    kind: Literal["ExportList"]
    items: list[ExportedObject]
