"""Answers about what was done: objects that were synced or deleted, images and policies in git, installations."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from sluice.cli.answers.objects import ObjectItem
from sluice.cli.answers.parts import Cause, Ref, Version1, one_of


class SyncResultList(TypedDict):
    """`sluice sync`: what was synced, and the sources that could not be fetched, as they are now."""

    apiVersion: Version1
    kind: Literal["SyncResultList"]
    items: list[ObjectItem]


class RolledBackObject(ObjectItem):
    """A Kustomization after the rollback. `toMakeItLast` is a command; null when it was not rolled back."""

    toMakeItLast: str | None


class RollbackResult(TypedDict):
    """`sluice rollback`."""

    apiVersion: Version1
    kind: Literal["RollbackResult"]
    items: list[RolledBackObject]


class DeletedList(TypedDict):
    """`sluice delete`: the objects as they were last. `written` false: a dry run, they are still there."""

    apiVersion: Version1
    kind: Literal["DeletedList"]
    written: bool
    items: list[ObjectItem]


# `from` is no name that a class can have.
WrittenField = TypedDict(
    "WrittenField", {"field": str, "from": str | None, "to": str | None, "path": str | None, "line": int | None}
)


class UpdatedWorkload(TypedDict):
    """What became of one workload. `problem` holds it up; `updates` are the fields that change in git."""

    workload: str
    status: str
    reason: str | None
    problem: Cause | None
    updates: list[WrittenField]


class RolloutItem(TypedDict):
    """How the rollout of a released workload ended."""

    workload: str
    status: str
    updated: int
    desired: int
    messages: list[str]


class UpdateResult(TypedDict):
    """`sluice release`, and `automate`, `deautomate`, `lock`, `unlock`, `policy`.

    Several syncs may make several commits. `written` false: nothing was to do, or a dry run. `rollouts` with --watch.
    """

    apiVersion: Version1
    kind: Annotated[str, one_of("ReleaseResult", "PolicyResult")]
    written: bool
    commit: str | None
    commits: list[str]
    problems: list[Cause]
    items: list[UpdatedWorkload]
    rollouts: NotRequired[list[RolloutItem]]


class InstallStep(TypedDict):
    """One object of the installation, and what becomes of it."""

    action: Annotated[str, one_of("create", "change", "unchanged")]
    ref: Ref


class InstallPlan(TypedDict):
    """`sluice install`; `written` is false after a dry run, and where nothing was to do."""

    apiVersion: Version1
    kind: Literal["InstallPlan"]
    written: bool
    items: list[InstallStep]


class RemovedObject(TypedDict):
    """One object that is deleted."""

    ref: Ref


class UninstallPlan(TypedDict):
    """`sluice uninstall`. `released` objects of our kinds lose their finalizer; `written` is false after a dry run."""

    apiVersion: Version1
    kind: Literal["UninstallPlan"]
    written: bool
    items: list[RemovedObject]
    released: int


class ManifestList(TypedDict):
    """`sluice install --export -o json`, for kubectl; as YAML the objects themselves are printed."""

    apiVersion: Literal["v1"]
    kind: Literal["List"]
    items: list[dict[str, Any]]


class LogLine(TypedDict):
    """One line of `sluice logs`, as the operator wrote it; fields that are not named here say more."""

    ts: str
    level: Annotated[str, one_of("debug", "info", "error")]
    msg: str
    error: NotRequired[str]
    logger: NotRequired[str]
    controllerKind: NotRequired[str]
    namespace: NotRequired[str]
    name: NotRequired[str]


class PodLine(TypedDict):
    """One line of `sluice logs --pods`."""

    namespace: str
    pod: str
    container: str
    line: str
