"""What happens to a commit reaches those whom alerts name, as Flux would tell it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.notification_objects import Notifications
from tests.notification_sink import Answer, NotificationSink, Received
from tests.operator_fixture import Bench, Json, config_map, poll

pytestmark = pytest.mark.cluster

BROKEN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a\n"
GROUP = "kustomize.toolkit.fluxcd.io"


def test_a_broken_commit_is_told_to_a_webhook_in_fluxs_words(bench: Bench, sink: NotificationSink) -> None:
    sync = bench.source()
    notifications = Notifications(bench, sync)
    notifications.alert(notifications.provider("generic", address=f"{sink.url}/hook"), eventSeverity="error")
    revision = sync.commit({"a.yaml": BROKEN})
    sync.create_source()
    sync.create()
    sync.wait_failed(revision)

    poll("the failure was told", lambda: sink.events("BuildFailed"))
    [told] = sink.received
    item = sync.get()
    body = told.json
    message = body.pop("message")
    stamp = body.pop("timestamp")
    version = body["involvedObject"].pop("resourceVersion")
    assert (told.method, told.path) == ("POST", "/hook")
    assert told.headers["gotk-component"] == "kustomize-controller"
    assert told.headers["content-type"] == "application/json"
    assert "E202" in message
    assert f"a.yaml:3:18@{revision[10:17]}" in message or "a.yaml" in message
    assert stamp.endswith("Z")
    assert version.isdecimal()
    assert body == {
        "involvedObject": {
            "kind": "Kustomization",
            "namespace": sync.namespace,
            "name": sync.name,
            "uid": item["metadata"]["uid"],
            "apiVersion": f"{GROUP}/v1",
        },
        "severity": "error",
        "reason": "BuildFailed",
        "metadata": {"revision": revision},
        "reportingController": "kustomize-controller",
        "reportingInstance": bench.operator.settings.identity,
    }


def test_a_failure_and_its_end_are_told_once_each(bench: Bench, sink: NotificationSink) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    notifications = Notifications(bench, sync)
    notifications.alert(notifications.provider("slack", address=sink.url, username="flux", channel="ops"))
    broken = sync.push({"a.yaml": BROKEN})
    sync.wait_failed(broken)
    sync.reconcile()
    fixed = sync.push({"a.yaml": config_map("a")})  # as it was: nothing in the cluster changes
    sync.wait_ready(fixed)
    poll("the end was told", lambda: len(sink.received) >= 2)

    bodies = sink.bodies()
    assert [body["attachments"][0]["color"] for body in bodies] == ["danger", "good"]
    assert {(body["username"], body["channel"]) for body in bodies} == {("flux", "ops")}
    assert bodies[1]["attachments"][0]["text"].startswith("Resolved after ")
    assert bodies[1]["attachments"][0]["text"].endswith(f": Applied revision: {fixed}")
    assert {"title": "revision", "value": fixed, "short": False} in bodies[1]["attachments"][0]["fields"]


def test_a_commit_gets_its_status_when_its_revision_is_live(bench: Bench, sink: NotificationSink) -> None:
    sink.answer = lambda request: Answer(body=b"[]") if request.method == "GET" else Answer(status=201)
    sync = bench.source()
    notifications = Notifications(bench, sync)
    secret = notifications.secret(token="hunter9-of-gitea")
    provider = notifications.provider("gitea", address=f"{sink.url}/org/fleet", secretRef={"name": secret})
    notifications.alert(provider)
    revision = sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)

    def set_for(wanted: str) -> list[Received]:
        commit = wanted.partition(":")[2]
        return [r for r in sink.received if r.method == "POST" and r.path.endswith(f"/statuses/{commit}")]

    [status] = poll("the status was set", lambda: set_for(revision))
    found = bench.api.get(notifications.path("Provider", provider))
    assert found is not None
    assert status.path.startswith("/api/v1/repos/org/fleet/")
    assert status.headers["authorization"] == "token hunter9-of-gitea"
    assert status.json == {
        "state": "success",
        "target_url": "",
        "description": "reconciliation succeeded",
        "context": f"kustomization/{sync.name}/{found['metadata']['uid'].partition('-')[0]}",
    }
    broken = sync.push({"a.yaml": BROKEN})
    sync.wait_failed(broken)
    [status] = poll("the failure was set", lambda: set_for(broken))
    assert (status.json["state"], status.json["description"]) == ("failure", "build failed")


def test_what_can_not_be_used_is_said_on_the_object(bench: Bench) -> None:
    sync = bench.source()
    notifications = Notifications(bench, sync)
    cloud = notifications.provider("azureeventhub", address="flux", serviceAccountName="cloud")
    event = notifications.wait_complaint(cloud, "E244")
    assert (event["type"], event["reason"]) == ("Warning", "InvalidConfig")
    assert event["source"]["component"] == "notification-controller"
    assert "spec.serviceAccountName is not supported by this version" in event["message"]
    pattern = notifications.alert(cloud, inclusionList=["(unclosed"])
    assert "E503" in notifications.wait_complaint(pattern, "spec.inclusionList[0]")["message"]


def test_a_provider_that_is_not_there_or_in_the_cluster_is_said_on_the_alert(bench: Bench) -> None:
    sync = bench.source()
    notifications = Notifications(bench, sync)
    missing = notifications.alert("nobody")
    inside = notifications.alert(notifications.provider("generic", address="http://10.96.0.1/hook"))
    metadata = notifications.alert(notifications.provider("generic", address="http://169.254.169.254/latest"))
    sync.commit({"a.yaml": BROKEN})
    sync.create_source()
    sync.create()
    assert "E247" in notifications.wait_complaint(missing, "Provider")["message"]
    text = notifications.wait_complaint(inside, "E731")["message"]
    assert "10.96.0.1 is an address of a private network, which --egress-allow does not name" in text
    assert "cloud metadata" in notifications.wait_complaint(metadata, "E731")["message"]


def test_a_receiver_that_is_down_holds_up_no_sync_and_is_told_when_it_is_back(
    bench: Bench, sink: NotificationSink
) -> None:
    sink.answer = lambda _: Answer(status=503, body=b"come back with hunter-in-url", headers={"Retry-After": "1"})
    sync = bench.source()
    notifications = Notifications(bench, sync)
    secret = notifications.secret(address=f"{sink.url}/hunter-in-url")
    alert = notifications.alert(notifications.provider("generic", secretRef={"name": secret}))
    revision = sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)
    event = notifications.wait_complaint(alert, "it is tried again")
    assert "E734" in event["message"]
    first = sink.received[0].headers["idempotency-key"]
    bench.operator.kill()
    sink.answer = lambda _: Answer()
    tries = len(sink.received)
    bench.operator.start()
    poll("it was told by the next process", lambda: len(sink.received) > tries)
    assert sink.received[tries].headers["idempotency-key"] == first
    said = [str(entry) for entry in bench.operator.logged] + [
        each["message"] for each in notifications.complaints(alert)
    ]
    assert not [line for line in said if "hunter-in-url" in line]


POLICIES = "/apis/admissionregistration.k8s.io/v1"


@pytest.fixture
def no_events(bench: Bench) -> Iterator[None]:
    """No Event may be made in the operator's namespace."""
    name = f"no-events-{bench.namespace}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["events"]}
    matched = {"resourceRules": [rule]}
    here = {"matchLabels": {"kubernetes.io/metadata.name": bench.namespace}}
    policy = {"matchConstraints": matched, "validations": [{"expression": "false", "message": "no events here"}]}
    binding = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": here},
    }
    bench.api.create(f"{POLICIES}/validatingadmissionpolicies", {"metadata": {"name": name}, "spec": policy})
    bench.api.create(f"{POLICIES}/validatingadmissionpolicybindings", {"metadata": {"name": name}, "spec": binding})
    subject = {"kind": "Namespace", "name": bench.namespace, "namespace": bench.namespace}
    event = {"metadata": {"generateName": "try-"}, "involvedObject": subject, "reason": "Try", "type": "Normal"}
    events = f"/api/v1/namespaces/{bench.namespace}/events"
    poll("events are refused", lambda: bench.api.request("POST", events, event)[0] == 422)
    yield
    bench.api.delete(f"{POLICIES}/validatingadmissionpolicybindings/{name}")
    bench.api.delete(f"{POLICIES}/validatingadmissionpolicies/{name}")
    poll("events are taken again", lambda: bench.api.request("POST", events, event)[0] == 201)


@pytest.mark.usefixtures("no_events")
def test_where_no_events_may_be_written_syncs_and_notifications_go_on(bench: Bench, sink: NotificationSink) -> None:
    sync = bench.source()
    notifications = Notifications(bench, sync)
    notifications.alert(notifications.provider("generic", address=sink.url))
    revision = sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)
    poll("it was told", lambda: sink.events("ReconciliationSucceeded"))
    poll("it is logged", lambda: any(entry["event"] == "event not written" for entry in bench.operator.logged))
    assert notifications.complaints(sync.name) == []


def test_a_status_has_the_name_that_its_expression_makes(bench: Bench, sink: NotificationSink) -> None:
    sink.answer = lambda request: Answer(body=b"[]") if request.method == "GET" else Answer(status=201)
    sync = bench.source()
    notifications = Notifications(bench, sync)
    secret = notifications.secret(token="hunter9-of-gitea")
    expression = "event.involvedObject.name + '@' + alert.spec.eventMetadata.cluster"
    provider = notifications.provider(
        "gitea", address=f"{sink.url}/org/fleet", secretRef={"name": secret}, commitStatusExpr=expression
    )
    notifications.alert(provider, eventMetadata={"cluster": "prod"})
    revision = sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)
    [status] = poll("the status was set", lambda: [r for r in sink.received if r.method == "POST"])
    assert status.json["context"] == f"{sync.name}@prod"


def test_labels_and_annotations_of_the_object_choose_and_tell(bench: Bench, sink: NotificationSink) -> None:
    sync = bench.source()
    notifications = Notifications(bench, sync)
    provider = notifications.provider("generic", address=sink.url)
    for team in ("pay", "shop"):
        sources = [{"kind": "Kustomization", "name": "*", "matchLabels": {"team": team}}]
        notifications.alert(provider, eventSources=sources, eventMetadata={"alert": team})
    revision = sync.commit({"a.yaml": BROKEN})
    sync.create_source()
    metadata = {"labels": {"team": "pay"}, "annotations": {"event.toolkit.fluxcd.io/owner": "ann"}}
    sync.create(metadata=metadata)
    sync.wait_failed(revision)
    [told] = poll("it was told", lambda: sink.events("BuildFailed"))
    assert told["metadata"] == {"revision": revision, "alert": "pay", "owner": "ann"}

    def written() -> list[Json]:
        return [each for each in notifications.complaints(sync.name) if each["reason"] == "BuildFailed"]

    [event] = poll("the event is written", written)
    annotations = {f"{GROUP}/revision": revision, "event.toolkit.fluxcd.io/owner": "ann"}
    assert event["metadata"]["annotations"] == annotations
