"""What fluxd's upstream hears of commits and releases: fluxcloud and its kin read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sluice.core.automation_flags import AutomationFlags
from tests.contract.fluxctl.conftest import Fluxd
from tests.notification_sink import NotificationSink
from tests.operator_fixture import poll

pytestmark = pytest.mark.cluster


@pytest.fixture
def upstream(fluxd: Fluxd) -> Iterator[NotificationSink]:
    """The operator, started anew with `--connect`."""
    with NotificationSink() as sink:
        fluxd.operator.stop()
        automation = AutomationFlags(is_on=True, interval=2.0, scan_interval=0.5)
        fluxd.operator.settings = replace(fluxd.operator.settings, upstream=sink.url, automation=automation)
        fluxd.operator.start()
        yield sink


def told(sink: NotificationSink, kind: str, commit: str = "") -> Any:
    """Wait for the last event of a kind; of one commit where that is given."""

    def look() -> Any:
        found = [each for each in sink.bodies() if each["type"] == kind and commit in str(each["metadata"])]
        return found[-1] if found else None

    return poll(f"{kind} {commit[:7]} was told", look, 30)


def test_a_release_by_policy_and_one_by_hand_are_told_as_commit_sync_and_release(
    fluxd: Fluxd, upstream: NotificationSink
) -> None:
    poll("fluxctl is answered", lambda: fluxd.call("GET", "/v6/services", namespace=fluxd.target).status == 200, 30)
    policy = fluxd.update("policy", {fluxd.workload: {"add": {"automated": "true"}}}, message="follow")
    automated = told(upstream, "commit", policy["Result"]["revision"])
    assert automated["serviceIDs"] == [fluxd.workload]
    assert automated["metadata"]["spec"]["type"] == "policy"

    by_policy = told(upstream, "autorelease")
    change = by_policy["metadata"]["spec"]["Changes"][0]
    assert (change["ImageID"], by_policy["serviceIDs"]) == (f"{fluxd.image}:1.1.0", [fluxd.workload])
    made = by_policy["metadata"]["Revision"]
    assert told(upstream, "commit", made)["metadata"]["spec"]["type"] == "auto"
    assert told(upstream, "sync", made)["metadata"]["includes"]["autorelease"] is True

    spec = {"ServiceSpecs": [fluxd.workload], "ImageSpec": f"{fluxd.image}:2.0.0", "Kind": "execute", "Excludes": None}
    released = fluxd.update("image", {**spec, "Force": True}, user="Ana <ana@example.com>", message="now")
    commit = released["Result"]["revision"]
    by_hand = told(upstream, "release", commit)
    assert by_hand["serviceIDs"] == [fluxd.workload]
    assert by_hand["metadata"]["cause"] == {"Message": "now", "User": "Ana <ana@example.com>"}
    assert by_hand["metadata"]["spec"]["Type"] == "releaseImageSpecType"
    assert by_hand["metadata"]["spec"]["ReleaseImageSpec"]["ImageSpec"] == f"{fluxd.image}:2.0.0"
    assert by_hand["metadata"]["result"][fluxd.workload]["Status"] == "success"
    assert told(upstream, "sync", commit)["metadata"]["includes"] == {"release": True}
    assert [each["type"] for each in upstream.bodies() if commit in str(each["metadata"])] == [
        "commit",
        "sync",
        "release",
    ]
