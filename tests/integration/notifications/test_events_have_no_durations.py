"""Events with the same words are counted as one; how long something took would make each of them another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from devcluster.cluster import Cluster
from devcluster.registry import Registry
from tests.image_objects import Images, deployment_of
from tests.integration.receivers.hook_calls import Hook
from tests.notification_objects import Notifications
from tests.notification_sink import Answer, NotificationSink
from tests.operator_fixture import (
    Bench,
    Json,
    LogCapture,
    Sync,
    bench_with,
    config_map,
    deployment,
    free_port,
    poll,
)

pytestmark = pytest.mark.cluster
DURATION = re.compile(r"\b\d+(?:\.\d+)?(?:ms|s|m|h)\b")
# What a spec of the test says; an event may repeat it.
TIMEOUT = "31s"


@pytest.fixture(scope="module")
def bench(
    cluster: Cluster, crds: None, log_capture: LogCapture, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """An operator with everything on, in a namespace of its own."""
    addresses = {"hook_address": f"127.0.0.1:{free_port()}", "fluxd_address": f"127.0.0.1:{free_port()}"}
    with bench_with(cluster, log_capture, tmp_path_factory, **addresses) as opened:
        yield opened


def what_goes_well(bench: Bench) -> Sync:
    """Applied, waited for, set right after an edit, pruned."""
    sync = bench.synced(
        {"a.yaml": config_map("a"), "b.yaml": config_map("b"), "web.yaml": deployment("web")}, wait=True
    )
    bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "edited"}}, manager="somebody")
    poll("it was set right", lambda: sync.config("a")["data"] == {"key": "1"})
    sync.wait_ready(sync.push({"b.yaml": None}))
    return sync


def what_fails(bench: Bench, well: Sync) -> Callable[[], str]:
    """Not to be built, not to be fetched, waiting for another; never healthy and undone, which is to be waited for."""
    well.wait_failed(well.push({"c.yaml": "a: b: c\n"}))
    stuck = bench.synced({"a.yaml": config_map("a")}, wait=True, timeout=TIMEOUT)
    starved = deployment("web").replace('"}\n', '", resources: {requests: {cpu: "9000"}}}\n')
    stuck_at = stuck.push({"web.yaml": starved})
    unfetched, waiting = bench.source(), bench.source()
    unfetched.create_source(url="http://127.0.0.1:1/fleet.git", timeout=TIMEOUT)
    unfetched.create()
    unfetched.wait_condition("Ready", "False", "ArtifactFailed")
    waiting.commit({"a.yaml": config_map("a")})
    waiting.create_source()
    waiting.create(dependsOn=[{"name": well.name}])
    waiting.wait_condition("Ready", "False", "DependencyNotReady")
    return lambda: stuck.wait_failed(stuck_at, TIMEOUT, seconds=60)


def what_images_do(bench: Bench, registry: Registry) -> None:
    """Scanned, chosen, written into git; and a registry that is not there."""
    sync = bench.source()
    images = Images.beside(sync, registry)
    images.push("1.0.0", "1.1.0")
    images.scan()
    images.choose()
    images.wait_chosen("1.1.0")
    sync.commit({"apps/web.yaml": deployment_of(images, "1.0.0")})
    sync.create_source()
    images.write()
    images.wait_pushed()
    images.create("ImageRepository", {"image": "127.0.0.1:1/web", "interval": "1h", "timeout": TIMEOUT}, name="gone")
    images.wait_ready("ImageRepository", "False", name="gone")


def what_is_told(sync: Sync, sink: NotificationSink) -> None:
    """Notifications to a server that is down, and a call to a Receiver."""
    sink.answer = lambda received: Answer(status=503 if received.path == "/down" else 200, headers={"Retry-After": "1"})
    notifications = Notifications(sync.bench, sync)
    notifications.alert(notifications.provider("generic", address=f"{sink.url}/up"))
    down = notifications.alert(notifications.provider("generic", address=f"{sink.url}/down"))
    hook = Hook.beside(sync)
    hook.wait()
    hook.push(hook.address())
    sync.wait_ready(sync.push({"c.yaml": config_map("c")}))
    notifications.wait_complaint(down, "it is tried again")
    poll("it was told", lambda: sink.events("ReconciliationSucceeded"))


def test_no_event_of_a_run_with_everything_on_says_how_long_something_took(
    bench: Bench, registry: Registry, sink: NotificationSink
) -> None:
    well = what_goes_well(bench)
    undone = what_fails(bench, well)
    what_images_do(bench, registry)
    what_is_told(well, sink)
    undone()

    def events() -> list[Json]:
        return list((bench.api.get(f"/api/v1/namespaces/{bench.namespace}/events") or {})["items"])

    poll("it is told what the spec says", lambda: [each for each in events() if TIMEOUT in each["message"]])
    found = events()
    kinds = {event["involvedObject"]["kind"] for event in found}
    assert kinds >= {
        "GitRepository",
        "Kustomization",
        "Alert",
        "ImageRepository",
        "ImagePolicy",
        "ImageUpdateAutomation",
    }
    reasons = {event["reason"] for event in found}
    assert reasons >= {"ReconciliationSucceeded", "BuildFailed", "DependencyNotReady", "NotificationDispatchFailed"}
    messages = {event["message"] for event in found} | {told.json["message"] for told in sink.received}
    assert TIMEOUT in DURATION.findall("\n".join(messages))
    said = {(match, message) for message in messages for match in DURATION.findall(message) if match != TIMEOUT}
    assert said == set()
