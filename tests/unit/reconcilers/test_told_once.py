"""What is held is told by one event, also when a turn comes before the watch has shown the status that says so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from sluice.api.kinds import ObjectMeta
from sluice.api.kustomization import Kustomization, KustomizationSpec, SourceRef
from sluice.core import codes, condition
from sluice.core.problem import Problem
from sluice.reconcilers.kustomization_report import Turnout
from sluice.reconcilers.sync_reporter import SyncReporter

REVISION = "main@sha1:0123"


def test_what_is_held_is_told_once_by_turns_that_see_the_same_status_and_again_when_it_is_held_anew() -> None:
    events: list[Any] = []
    told = SimpleNamespace(record=lambda *event, **_: events.append(event))
    reporter = SyncReporter(cast("Any", SimpleNamespace(sync_events=told)), cast("Any", None), cast("Any", None))
    spec = KustomizationSpec(interval="1m", prune=True, sourceRef=SourceRef(kind="GitRepository", name="fleet"))
    sync = Kustomization(metadata=ObjectMeta(name="web", namespace="shop"), spec=spec)
    held = Turnout(REVISION, reason=condition.SUCCEEDED, held=(Problem(codes.MAY_BE_MOVED, "x is not pruned"),))
    for _ in range(3):
        reporter._tell_held(sync, held, {})
    assert len(events) == 1
    reporter._tell_held(sync, Turnout(REVISION, reason=condition.SUCCEEDED), {})
    reporter._tell_held(sync, held, {})
    assert len(events) == 2
