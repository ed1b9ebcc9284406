"""Providers and Alerts on the command line, which have no status."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Sluice
from tests.notification_objects import Notifications
from tests.operator_fixture import Bench

pytestmark = pytest.mark.cluster


def test_providers_and_alerts_are_shown_and_suspended_and_their_faults_are_events(cli: Sluice, bench: Bench) -> None:
    notifications = Notifications(bench, bench.source())
    provider = notifications.provider(
        "azuredevops", address="https://dev.azure.com/o/p/_git/r", serviceAccountName="cloud"
    )
    alert = notifications.alert(provider)
    notifications.wait_complaint(provider, "E244")

    listed = cli("get", "alert-providers", "-o", "json").json
    [item] = [each for each in listed["items"] if each["ref"]["name"] == provider]
    assert (item["ref"]["kind"], item["ready"]["status"]) == ("Provider", "True")
    assert "told by events" in cli("get", "alert", alert).out
    assert "E244" in cli("events", "--for", f"provider/{provider}").out
    assert provider in cli("events").out

    suspended = cli("suspend", "alert", alert)
    assert suspended.code == 0
    assert "what happens meanwhile is not told" in suspended.out + suspended.err
    found = bench.api.get(notifications.path("Alert", alert))
    assert found is not None
    assert found["spec"]["suspend"] is True
    assert cli("resume", "alert", alert).code == 0
    ran = cli("reconcile", "alert", alert)
    assert ran.code == 2
    assert "is not reconciled" in ran.err
    bench.api.delete(notifications.path("Alert", alert))
    bench.api.delete(notifications.path("Provider", provider))
