"""fluxd's events, field for field: bridges made for fluxd read them."""

from __future__ import annotations

import msgspec

from sluice.core import codes
from sluice.core.fluxd_event import (
    MAX_ERRORS,
    MAX_IDS,
    Span,
    Synced,
    autorelease_event,
    commit_event,
    release_event,
    sync_event,
)
from sluice.core.ids import ResourceId
from sluice.core.problem import Origin, Problem

SPAN = Span("2026-01-02T03:04:05Z", "2026-01-02T03:04:09Z")
WEB = ResourceId("apps", "Deployment", "shop", "web")
HEAD = {"id": 0, "startedAt": SPAN.started, "endedAt": SPAN.ended, "message": ""}
RESULT = {"shop:deployment/web": {"Status": "success"}}


def test_a_sync_tells_its_commit_and_the_workloads_that_changed() -> None:
    cluster_role = ResourceId("rbac.authorization.k8s.io", "ClusterRole", "", "view")
    event = sync_event(Synced("9fbc3ea", "Bump web", (WEB, cluster_role, WEB), initial=True), SPAN)
    assert msgspec.json.decode(msgspec.json.encode(event)) == {
        **HEAD,
        "type": "sync",
        "serviceIDs": ["<cluster>:clusterrole/view", "shop:deployment/web"],
        "logLevel": "info",
        "metadata": {
            "commits": [{"revision": "9fbc3ea", "message": "Bump web"}],
            "includes": {"other": True},
            "initialSync": True,
        },
    }


def test_what_failed_is_told_with_its_object_and_its_file() -> None:
    problem = Problem(codes.INVALID_OBJECT, "not valid", WEB, Origin("apps/web.yaml", 3))
    nowhere = Problem(codes.API_UNAVAILABLE, "no answer")
    event = sync_event(Synced("9fbc3ea", "Bump web", problems=(problem, nowhere), includes=("autorelease",)), SPAN)
    assert (event.logLevel, event.serviceIDs) == ("error", ("shop:deployment/web",))
    assert event.metadata["includes"] == {"autorelease": True}
    assert event.metadata["errors"] == [
        {"ID": "shop:deployment/web", "Path": "apps/web.yaml", "Error": str(problem)},
        {"ID": "", "Path": "", "Error": str(nowhere)},
    ]


def test_a_commit_and_the_two_releases_have_fluxds_heads() -> None:
    spec, cause = {"type": "image"}, {"Message": "now", "User": "ann"}
    made = commit_event("9fbc3ea", spec, RESULT, SPAN)
    by_hand = release_event("9fbc3ea", {"Type": "releaseImageSpecType"}, cause, RESULT, SPAN)
    by_policy = autorelease_event("9fbc3ea", [{"ServiceID": "shop:deployment/web"}], RESULT, SPAN)
    assert [each.type for each in (made, by_hand, by_policy)] == ["commit", "release", "autorelease"]
    assert {each.serviceIDs for each in (made, by_hand, by_policy)} == {("shop:deployment/web",)}
    assert made.metadata == {"revision": "9fbc3ea", "spec": spec, "result": RESULT}
    assert by_hand.metadata == {
        "Revision": "9fbc3ea",
        "result": RESULT,
        "spec": {"Type": "releaseImageSpecType"},
        "cause": cause,
    }
    assert by_policy.metadata["spec"] == {"Changes": [{"ServiceID": "shop:deployment/web"}]}


def test_an_event_of_a_large_revision_is_bounded() -> None:
    many = tuple(ResourceId("", "ConfigMap", "shop", f"c-{number}") for number in range(5000))
    problems = tuple(Problem(codes.INVALID_OBJECT, "x" * 9000, each) for each in many)
    event = sync_event(Synced("9fbc3ea", "m" * 99_999, many, problems), SPAN)
    assert (len(event.serviceIDs), len(event.metadata["errors"])) == (MAX_IDS, MAX_ERRORS)
    assert len(msgspec.json.encode(event)) < 300_000
