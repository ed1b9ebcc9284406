"""Releases that people ask for: what becomes of each workload, in fluxd's words, and what holds one up."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sluice.core import codes
from sluice.core.image import ImageTag, parse
from sluice.core.image_policy.workload_choice import Listing
from sluice.core.image_update.request import ReleaseRequest, WorkloadResult, plan_release
from sluice.core.image_update.workload import WorkloadId, live_workload

WEB = WorkloadId("shop", "deployment", "web")
TAGS = [ImageTag(tag, None, datetime(2026, 1, day, tzinfo=UTC)) for day, tag in enumerate(["1.1", "1.2", "2.0"], 1)]


def plan(
    image: str | None,
    annotations: dict[str, str],
    *,
    named: bool = True,
    force: bool = False,
    excluded: bool = False,
    running: str = "acme/web:1.1",
    complete: bool = True,
) -> WorkloadResult:
    pod = {"containers": [{"name": "main", "image": running}, {"name": "side", "image": "nginx:1"}]}
    workload = live_workload(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "annotations": annotations},
            "spec": {"template": {"spec": pod}},
        }
    )
    assert workload is not None
    request = ReleaseRequest(
        None if image is None else parse(image),
        (WEB,) if named else (),
        frozenset({WEB}) if excluded else frozenset(),
        force,
    )

    def listing(asked: object) -> Listing:
        return (
            Listing(TAGS, complete)
            if str(asked).startswith("acme")
            else Listing([ImageTag("1", None, TAGS[0].created)], True)
        )

    (result,) = plan_release([("web.yaml", workload)], request, listing)
    return result


def images(result: WorkloadResult) -> list[tuple[str, str]]:
    return [(update.container, str(update.image)) for update in result.updates]


LOCKED = {"fluxcd.io/locked": "true"}
IGNORED = {"flux.weave.works/ignore": "true"}
OLD_ONLY = {"fluxcd.io/tag.main": "semver:~1"}


@pytest.mark.parametrize(
    ("image", "annotations", "wanted"),
    [
        ("acme/web:1.2", {}, [("main", "acme/web:1.2")]),
        ("docker.io/acme/web:1.2", {}, [("main", "acme/web:1.2")]),
        ("acme/web:latest", {}, [("main", "acme/web:latest")]),
        ("acme/web:1.0", OLD_ONLY, [("main", "acme/web:1.0")]),
        (None, {}, [("main", "acme/web:2.0")]),
        (None, OLD_ONLY, [("main", "acme/web:1.2")]),
    ],
)
def test_the_image_is_the_one_named_or_the_newest_that_the_pattern_takes(
    image: str | None, annotations: dict[str, str], wanted: list[tuple[str, str]]
) -> None:
    result = plan(image, annotations)
    assert (result.status, images(result), result.problem) == ("success", wanted, None)


@pytest.mark.parametrize(
    ("result", "status", "reason", "held"),
    [
        (plan("acme/web:1.1", {}), "skipped", "image(s) up to date", False),
        (plan(None, {}, running="acme/web:2.0"), "skipped", "image(s) up to date", False),
        (plan("acme/other:1", {}), "skipped", "does not use image(s)", False),
        (plan("acme/other:1", {}, named=False), "ignored", "a different image", False),
        (plan("acme/web:1.2", {}, excluded=True), "ignored", "excluded", False),
        (plan("acme/web:1.2", LOCKED), "skipped", "locked", True),
        (plan("acme/web:1.2", IGNORED), "skipped", "ignore", True),
        (plan("acme/web:1.2", LOCKED, named=False, force=True), "skipped", "locked", True),
        (plan("acme/web:1.2", {"fluxcd.io/locked": "maybe"}), "skipped", "neither true nor false", True),
        (plan("acme/web:2.0", OLD_ONLY), "skipped", 'which does not take "2.0"', True),
        (plan("acme/web:2.0", {"fluxcd.io/tag.main": "semver:("}), "skipped", "fluxcd.io/tag.main", True),
        (plan(None, {"fluxcd.io/tag.main": "semver:~9"}), "skipped", "main: ", True),
        (plan(None, {}, complete=False), "skipped", "was not complete", True),
    ],
)
def test_a_workload_that_stays_has_a_reason_and_a_problem_where_a_wish_is_held_up(
    result: WorkloadResult, status: str, reason: str, held: bool
) -> None:
    assert (result.status, result.updates) == (status, ())
    assert reason in result.reason
    assert (result.problem is not None) is held
    if result.problem is not None:
        assert result.problem.code in {codes.RELEASE_HELD, codes.ANNOTATION_INVALID}
        assert result.problem.fix


@pytest.mark.parametrize(
    "result",
    [
        plan("acme/web:1.2", LOCKED, force=True),
        plan("acme/web:1.2", IGNORED, force=True),
        plan("acme/web:2.0", OLD_ONLY, force=True),
        plan("acme/web:2.0", OLD_ONLY, force=True, named=False),
        plan(None, LOCKED, force=True),
    ],
)
def test_force_lifts_locks_of_named_workloads_and_patterns_for_a_named_image(result: WorkloadResult) -> None:
    assert result.status == "success"


def test_a_container_that_stays_beside_one_that_does_not_has_its_reason() -> None:
    result = plan(None, {"fluxcd.io/tag.side": "semver:~9"})
    assert images(result) == [("main", "acme/web:2.0")]
    assert result.reason.startswith("side: ")


def test_force_does_not_lift_a_pattern_when_no_image_is_named() -> None:
    assert images(plan(None, OLD_ONLY, force=True)) == [("main", "acme/web:1.2")]
