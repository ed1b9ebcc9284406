"""What a scrape says of turns, queues, objects and requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec
import pytest
import structlog
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from sluice.api.git_repository import GitRepository
from sluice.api.kustomization import Kustomization
from sluice.api.provider import Provider
from sluice.core import codes
from sluice.core.artifact import Artifact, FileTree
from sluice.core.errors import ClusterError
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.problem import Problem
from sluice.core.revision import Revision
from sluice.reconcilers.kustomization_report import Turnout
from sluice.reconcilers.lead_time import reached_by
from sluice.reconcilers.our_kinds import GIT_REPOSITORIES, KUSTOMIZATIONS, PROVIDERS
from sluice.runtime.controller import Controller, note_failure
from sluice.runtime.queue import Turn
from sluice.runtime.resource_info import MAX_VALUE, resource_info
from sluice.runtime.scrape import exposition, gauge, merged, scraped

PROBLEM = Problem(codes.SOURCE_EMPTY, "no answer")
COMMIT = "a" * 40


async def sampled(name: str, /, **labels: str) -> float:
    """The value of one series of a scrape; 0 where there is none."""
    text = (await exposition()).decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    return 0.0


async def serve_one(kind: str, reconcile: Callable[[Turn[NamespacedName]], Awaitable[float | None]]) -> None:
    """One turn of one key, to its end."""
    ended = asyncio.Event()

    async def once(turn: Turn[NamespacedName]) -> float | None:
        try:
            return await reconcile(turn)
        finally:
            asyncio.get_running_loop().call_later(0.01, ended.set)

    controller = Controller(kind, once)
    controller.queue.add(NamespacedName("shop", "web"))
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        running = group.create_task(controller.run())
        await ended.wait()
        running.cancel()


async def fails_and_says_so(_: Turn[NamespacedName]) -> float | None:
    note_failure((PROBLEM, PROBLEM))
    return 60.0


async def is_refused(_: Turn[NamespacedName]) -> float | None:
    raise ClusterError(PROBLEM, status=500, reason="InternalError")


async def meets_a_bug(_: Turn[NamespacedName]) -> float | None:
    raise RuntimeError("a bug")


async def comes_again(_: Turn[NamespacedName]) -> float | None:
    return 60.0


async def is_done(_: Turn[NamespacedName]) -> float | None:
    return None


@pytest.mark.parametrize(
    ("reconcile", "result"),
    [
        (fails_and_says_so, "error"),
        (is_refused, "error"),
        (meets_a_bug, "error"),
        (comes_again, "requeue_after"),
        (is_done, "success"),
    ],
)
async def test_a_turn_is_counted_once_as_what_it_came_to(
    reconcile: Callable[[Turn[NamespacedName]], Awaitable[float | None]], result: str
) -> None:
    name = reconcile.__name__.replace("_", "")
    await serve_one(name, reconcile)
    assert await sampled("controller_runtime_reconcile_total", controller=name, result=result) == 1
    assert await sampled("controller_runtime_reconcile_errors_total", controller=name) == (result == "error")
    assert await sampled("controller_runtime_reconcile_panics_total", controller=name) == (reconcile is meets_a_bug)
    assert await sampled("gotk_reconcile_duration_seconds_count", kind=name) == 1
    assert await sampled("workqueue_queue_duration_seconds_count", name=name) == 1


async def test_a_problem_is_counted_by_its_code_however_often_one_turn_tells_it() -> None:
    before = await sampled("sluice_problems_total", code=codes.SOURCE_EMPTY.number)
    await serve_one("Counted", fails_and_says_so)
    assert await sampled("sluice_problems_total", code=codes.SOURCE_EMPTY.number) == before + 1


async def test_every_log_line_of_a_turn_says_whose_it_is() -> None:
    bound: list[dict[str, str]] = []

    async def look(_: Turn[NamespacedName]) -> float | None:
        bound.append(structlog.contextvars.get_contextvars())
        return None

    await serve_one("Thing", look)
    await serve_one("Thing", look)
    assert [{**each, "reconcileID": ""} for each in bound] == [
        {"controllerKind": "Thing", "namespace": "shop", "name": "web", "reconcileID": ""}
    ] * 2
    assert bound[0]["reconcileID"] != bound[1]["reconcileID"]


async def test_a_scrape_shows_who_works_who_waits_for_a_slot_and_who_waits_for_health() -> None:
    go_on, resting = asyncio.Event(), asyncio.Event()

    async def reconcile(turn: Turn[NamespacedName]) -> float | None:
        if turn.key.name == "rests":
            async with turn.waiting():
                resting.set()
                await go_on.wait()
        await go_on.wait()
        return None

    controller = Controller("Crowded", reconcile, slots=1)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        running = group.create_task(controller.run())
        controller.queue.add(NamespacedName("", "rests"))
        await resting.wait()
        controller.queue.add(NamespacedName("", "works"))
        controller.queue.add(NamespacedName("", "waits"))
        while await sampled("workqueue_depth", controller="crowded") != 1:  # noqa: ASYNC110 - the queue tells nobody
            await asyncio.sleep(0.01)
        assert await sampled("controller_runtime_active_workers", controller="crowded") == 1
        assert await sampled("controller_runtime_max_concurrent_reconciles", controller="crowded") == 1
        assert await sampled("sluice_queue_oldest_seconds", controller="crowded") > 0
        assert await sampled("workqueue_longest_running_processor_seconds", controller="crowded") > 0
        go_on.set()
        running.cancel()
    assert b"crowded" not in b"".join(
        line for line in (await exposition()).splitlines() if line.startswith(b"workqueue_depth")
    )


def test_families_of_one_name_become_one_with_all_samples() -> None:
    families = [gauge("a", "about", {"of": "1"}, 1), gauge("b", "about", {}, 2), gauge("a", "about", {"of": "2"}, 3)]
    found = {family.name: [sample.value for sample in family.samples] for family in merged(families)}
    assert found == {"a": [1, 3], "b": [2]}


async def test_a_part_is_asked_for_as_long_as_it_runs() -> None:
    def says() -> list[Metric]:
        return [gauge("sluice_test_gauge", "about", {}, 7)]

    with scraped(says):
        assert await sampled("sluice_test_gauge") == 7
    assert b"sluice_test_gauge" not in await exposition()


def source(url: str, **more: object) -> GitRepository:
    spec = {"url": url, "interval": "1m"}
    return msgspec.convert(
        {"metadata": {"name": "fleet", "namespace": "flux-system"}, "spec": spec, **more}, GitRepository
    )


def labels_of(*families: Metric) -> list[dict[str, str]]:
    return [sample.labels for family in families for sample in family.samples]


def test_an_object_is_told_under_the_labels_that_flux_dashboards_read() -> None:
    sync = msgspec.convert(
        {
            "metadata": {"name": "apps", "namespace": "flux-system"},
            "spec": {
                "interval": "1m",
                "prune": True,
                "suspend": True,
                "sourceRef": {"kind": "GitRepository", "name": "fleet"},
            },
            "status": {
                "lastAppliedRevision": "main@sha1:abc",
                "conditions": [{"type": "Ready", "status": "False", "reason": "Undone", "message": "no"}],
            },
        },
        Kustomization,
    )
    assert labels_of(*resource_info(KUSTOMIZATIONS, [sync])) == [
        {
            "customresource_group": "kustomize.toolkit.fluxcd.io",
            "customresource_kind": "Kustomization",
            "customresource_version": "v1",
            "exported_namespace": "flux-system",
            "name": "apps",
            "ready": "False",
            "suspended": "true",
            "revision": "main@sha1:abc",
            "source_name": "fleet",
            "url": "",
        }
    ]


def test_no_credential_and_no_long_text_of_a_spec_reaches_a_label() -> None:
    (labels,) = labels_of(*resource_info(GIT_REPOSITORIES, [source("https://ann:hunter2@git.example/" + "x" * 1000)]))
    assert "hunter2" not in labels["url"]
    assert len(labels["url"]) <= MAX_VALUE
    assert (labels["ready"], labels["suspended"]) == ("Unknown", "false")


def test_a_kind_without_a_status_is_neither_ready_nor_not() -> None:
    spec = {"type": "slack", "address": "https://hooks.example/secret"}
    provider = msgspec.convert({"metadata": {"name": "chat", "namespace": "apps"}, "spec": spec}, Provider)
    (labels,) = labels_of(*resource_info(PROVIDERS, [provider]))
    assert (labels["customresource_kind"], labels["name"], labels["ready"]) == ("Provider", "chat", "")
    assert not any("secret" in value for value in labels.values())


class NoBlobs:
    async def read(self, entries: object) -> list[bytes]:
        return []


def artifact(committed_at: str) -> Artifact:
    revision = Revision("main", "sha1", COMMIT)
    empty = FileTree(())
    return Artifact(ResourceId("", "", "", ""), revision, "", 0, "", "", empty, NoBlobs(), committed_at=committed_at)


COMMITTED, APPLIED, NOW = (datetime(2026, 1, 1, 0, minute, tzinfo=UTC) for minute in (0, 2, 5))
REVISION = f"main@sha1:{COMMIT}"


@pytest.mark.parametrize(
    ("turnout", "before", "applied", "healthy"),
    [
        (Turnout(REVISION), "main@sha1:old", 300, 0),
        (Turnout(REVISION, gated=True, applied_at=APPLIED), "main@sha1:old", 120, 300),
        (Turnout(REVISION, gated=True), "main@sha1:old", 0, 300),
        (Turnout(REVISION), "", 0, 0),
        (Turnout(REVISION), REVISION, 0, 0),
        (Turnout(REVISION, problems=(PROBLEM,)), "main@sha1:old", 0, 0),
        (Turnout(REVISION, instead_of="main@sha1:newer"), "main@sha1:old", 0, 0),
        (Turnout("main@sha1:other"), "main@sha1:old", 0, 0),
    ],
    ids=["applied", "healthy", "of a group", "the first", "the same", "failed", "rolled back", "another"],
)
async def test_the_lead_time_is_told_of_revisions_that_follow_another(
    turnout: Turnout, before: str, applied: float, healthy: float
) -> None:
    at = [await sampled("sluice_lead_time_seconds_sum", stage=stage) for stage in ("applied", "healthy")]
    reached_by(turnout, artifact("2026-01-01T01:00:00+01:00"), before, NOW)
    assert await sampled("sluice_lead_time_seconds_sum", stage="applied") == at[0] + applied
    assert await sampled("sluice_lead_time_seconds_sum", stage="healthy") == at[1] + healthy


@pytest.mark.parametrize("date", ["2036-01-01T00:00:00Z", "no date", ""])
async def test_a_commit_date_that_can_not_be_adds_no_time(date: str) -> None:
    before = await sampled("sluice_lead_time_seconds_sum", stage="applied")
    reached_by(Turnout(REVISION), artifact(date), "main@sha1:old", NOW)
    assert await sampled("sluice_lead_time_seconds_sum", stage="applied") == before
