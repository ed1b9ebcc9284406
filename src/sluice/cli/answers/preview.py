"""Answers about what a push would do, and problems that a command found itself."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from sluice.cli.answers.parts import ProblemItem, Ref, RenderedPlace, Version1, one_of


class FieldDifference(TypedDict):
    """One field that would change; without `before` it is new, without `after` it goes."""

    path: str
    action: str
    before: NotRequired[Any]
    after: NotRequired[Any]


class DriftedField(TypedDict):
    """One field that somebody else changed, and when."""

    path: str
    what: str
    manager: str
    time: str


class DriftedObject(TypedDict):
    """What others than git did to an object."""

    mode: str
    deleted: bool
    fields: list[DriftedField]
    text: str


class PlanItem(TypedDict):
    """One object with what would happen to it. `sync` is the Kustomization whose it is afterwards."""

    ref: Ref
    sync: Ref | None
    effect: str
    stage: str | None
    reason: str
    deferred: bool
    origin: RenderedPlace | None
    fields: list[FieldDifference]
    drift: DriftedObject | None


class PlannedGroup(TypedDict):
    """The Kustomizations that are one transaction: the items are of all of them."""

    name: str
    members: list[Ref]


class Preview(TypedDict):
    """`sluice plan` and `sluice diff`. `group` is null for a Kustomization that is of none."""

    apiVersion: Version1
    kind: Annotated[str, one_of("Plan", "Diff")]
    ref: Ref
    compared: str
    group: PlannedGroup | None
    differs: bool
    items: list[PlanItem]
    problems: list[ProblemItem]
    warnings: list[ProblemItem]


class ProblemList(TypedDict):
    """`sluice validate`, and every verb that fails; `warnings` and `objects` are validate's."""

    apiVersion: Version1
    kind: Literal["ProblemList"]
    items: list[ProblemItem]
    warnings: NotRequired[list[ProblemItem]]
    objects: NotRequired[int]
