"""An alert tells of its own namespace only, unless the operator's flags let it tell of others."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from devcluster.fixture import FreshCluster, create_namespace
from tests.notification_objects import Notifications
from tests.notification_sink import NotificationSink
from tests.operator_fixture import (
    Bench,
    Json,
    LogCapture,
    OpenBench,
    Sync,
    config_map,
    install_crds,
    poll,
    settings_for,
)

pytestmark = pytest.mark.cluster
FLAG = "--allow-cross-namespace-alerts"


@pytest.fixture
def everywhere(fresh_cluster: FreshCluster, log_capture: LogCapture, tmp_path: Path) -> Iterator[Bench]:
    """An operator that serves every namespace, as it is installed."""
    cluster: Cluster = fresh_cluster()
    install_crds(cluster)
    create_namespace(cluster, "flux-system")
    settings = replace(settings_for("flux-system", tmp_path), watch_namespace="")
    with OpenBench(cluster, tmp_path, log_capture, settings) as opened:
        yield opened


def alert_elsewhere(bench: Bench, sync: Sync, sink: NotificationSink) -> tuple[Notifications, str]:
    """An alert in a namespace of its own about a sync in the operator's; and where it tells."""
    team = f"team-{secrets.token_hex(3)}"
    create_namespace(bench.cluster, team)
    there = Notifications(bench, replace(sync, home=team))
    source: Json = {"kind": "Kustomization", "name": sync.name, "namespace": sync.namespace}
    return there, there.alert(there.provider("generic", address=sink.url), eventSources=[source])


def restart_with(bench: Bench, **flags: bool) -> None:
    """Start the operator anew with flags."""
    bench.operator.stop()
    bench.operator.settings = replace(bench.operator.settings, **flags)  # type: ignore[arg-type]
    bench.operator.start()


def test_an_alert_on_another_namespace_is_refused_by_an_event_that_names_the_flag_and_told_with_it(
    everywhere: Bench, sink: NotificationSink
) -> None:
    sync = everywhere.source()
    there, alert = alert_elsewhere(everywhere, sync, sink)
    near = Notifications(everywhere, sync)
    near.alert(near.provider("generic", address=f"{sink.url}/near"))

    said = there.wait_complaint(alert, "[E248]")
    assert (said["type"], said["reason"]) == ("Warning", "InvalidConfig")
    assert FLAG in said["message"]
    revision = sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)
    poll("the alert beside the sync told it", lambda: sink.events("ReconciliationSucceeded"))
    assert {told.path for told in sink.received} == {"/near"}

    restart_with(everywhere, cross_namespace_alerts=True)
    sync.wait_ready(sync.push({"a.yaml": config_map("a"), "b.yaml": config_map("b")}))
    poll("the alert elsewhere told it", lambda: [told for told in sink.received if told.path != "/near"])


def test_where_references_to_other_namespaces_are_switched_off_no_flag_brings_such_alerts_back(
    everywhere: Bench, sink: NotificationSink
) -> None:
    restart_with(everywhere, no_cross_namespace_refs=True, cross_namespace_alerts=True)
    there, alert = alert_elsewhere(everywhere, everywhere.source(), sink)
    message = there.wait_complaint(alert, "[E248]")["message"]
    assert "--no-cross-namespace-refs" in message
    assert FLAG not in message
