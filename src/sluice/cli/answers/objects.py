"""Answers about objects of ours: how they are, and why one is not as wanted."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

import msgspec

from sluice.cli.answers.parts import Cause, Place, Ref, RevisionParts, State, Truth, Version1


class ReadyParts(TypedDict):
    """The Ready condition."""

    status: Truth
    reason: str
    message: str
    since: str


class Suspension(TypedDict):
    """By whom, when and why it was suspended; empty where nobody said."""

    by: str
    at: str
    reason: str


RolledBack = TypedDict("RolledBack", {"to": RevisionParts | None, "from": RevisionParts | None, "by": str})


class DriftParts(TypedDict):
    """What is not as it was applied, and what was set right last."""

    reason: str
    problems: list[Cause]
    corrected: list[str]


class ObjectItem(TypedDict):
    """One object of ours."""

    ref: Ref
    state: State
    ready: ReadyParts
    cause: Cause | None
    problems: list[Cause]
    revision: RevisionParts | None
    image: str | None
    attemptedRevision: RevisionParts | None
    origin: Place | None
    suspended: Suspension | None
    rolledBack: RolledBack | None
    source: str | None
    path: str
    objects: int
    drift: DriftParts | None
    createdAt: str
    requestedAt: str | None
    lastHandledReconcileAt: str | None


class ObjectList(TypedDict):
    """`sluice get`: the list of one kind, or ObjectList for several."""

    apiVersion: Version1
    kind: Annotated[str, msgspec.Meta(pattern="^[A-Z][A-Za-z]+List$")]
    items: list[ObjectItem]


class StatusSummary(TypedDict):
    """How many are in which state, and how many objects the syncs own."""

    sources: dict[str, int]
    apps: dict[str, int]
    images: dict[str, int]
    objects: int


class Status(TypedDict):
    """`sluice status`. `operator` is its version, null where none is installed."""

    apiVersion: Version1
    kind: Literal["Status"]
    operator: str | None
    summary: StatusSummary
    items: list[ObjectItem]


class LinkItem(TypedDict):
    """One step from the target to the cause."""

    reference: str
    namespace: str
    state: str
    text: str


class WhyItem(TypedDict):
    """Why something is not live; `cause` null means that nothing is known to be wrong."""

    ref: Ref
    live: bool
    state: State
    revision: RevisionParts | None
    attemptedRevision: RevisionParts | None
    cause: Cause | None
    origin: Place | None
    culprit: Ref
    passing: bool
    since: str | None
    commit: str | None
    chain: list[LinkItem]
    others: list[Cause]
    blocked: list[Ref]


class WhyReport(WhyItem):
    """`sluice why NAME`."""

    apiVersion: Version1
    kind: Literal["WhyReport"]


class WhyReportList(TypedDict):
    """`sluice why`: one report for each cause."""

    apiVersion: Version1
    kind: Literal["WhyReportList"]
    items: list[WhyItem]
