"""A simulated pod's fate is in its image's tag, and the controllers above it see that fate."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from devcluster import Cluster

Object = dict[str, Any]


class Workloads:
    """Makes workloads in one namespace and reads them back."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    def deployment(self, name: str, *images: str) -> None:
        labels = {"app": name}
        spec = {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": _containers(images)}},
        }
        self._create("apps/v1", "Deployment", name, spec)

    def job(self, name: str, image: str, restart_policy: str = "Never") -> None:
        pod = {"restartPolicy": restart_policy, "containers": _containers((image,))}
        self._create("batch/v1", "Job", name, {"backoffLimit": 0, "template": {"spec": pod}})

    def _create(self, version: str, kind: str, name: str, spec: Object) -> None:
        metadata = {"name": name, "namespace": self._namespace}
        body = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
        path = f"/apis/{version}/namespaces/{self._namespace}/{kind.lower()}s"
        status, answer = self._cluster.api.request("POST", path, body)
        assert status == 201, answer

    def status(self, kind: str, name: str) -> Object:
        group = {"deployment": "apps/v1", "job": "batch/v1"}[kind]
        found = self._cluster.api.get(f"/apis/{group}/namespaces/{self._namespace}/{kind}s/{name}")
        assert found is not None
        status: Object = found["status"]
        return status

    def pods(self, name: str) -> list[Object]:
        listed = self._cluster.api.get(f"/api/v1/namespaces/{self._namespace}/pods")
        assert listed is not None
        return [pod for pod in listed["items"] if pod["metadata"]["name"].startswith(f"{name}-")]

    def events(self, reason: str) -> list[str]:
        answer = self._cluster.kubectl("get", "events", f"--namespace={self._namespace}", "--output=json")
        return [event["message"] for event in json.loads(answer)["items"] if event["reason"] == reason]


def _containers(images: tuple[str, ...]) -> list[Object]:
    return [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]


@pytest.fixture
def workloads(cluster: Cluster, namespace: str) -> Workloads:
    return Workloads(cluster, namespace)


def wait_for(read: Callable[[], Any], wanted: Callable[[Any], bool], timeout: float = 60.0) -> Any:
    deadline = time.monotonic() + timeout
    while not wanted(value := read()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout} s; last seen: {value!r}")
        time.sleep(0.05)
    return value


def has_condition(status: Object, kind: str, reason: str) -> bool:
    return any((c["type"], c.get("reason")) == (kind, reason) for c in status.get("conditions", []))


@pytest.mark.parametrize("image", ["app", "registry.example:5000/team/broken/app:1.2", "never-ready-not/app:v1"])
def test_a_deployment_of_an_ordinary_image_becomes_available(workloads: Workloads, image: str) -> None:
    workloads.deployment("web", image)
    wait_for(lambda: workloads.status("deployment", "web"), lambda status: status.get("availableReplicas") == 2)


@pytest.mark.parametrize(
    "image", ["app:broken", "registry.example:5000/app:broken@sha256:" + "0" * 64, "registry.example/x/never-ready:v1"]
)
def test_a_broken_image_waits_in_image_pull_back_off_and_leaves_its_deployment_unavailable(
    workloads: Workloads, image: str
) -> None:
    workloads.deployment("web", "sidecar:1", image)
    reason = "ImagePullBackOff"
    pods = wait_for(
        lambda: workloads.pods("web"),
        lambda pods: len(pods) == 2 and all(len(p["status"].get("containerStatuses", [])) == 2 for p in pods),
    )
    for pod in pods:
        by_name = {one["name"]: one for one in pod["status"]["containerStatuses"]}
        assert pod["status"]["phase"] == "Pending"
        assert by_name["c1"]["state"]["waiting"]["reason"] == reason
        assert by_name["c0"]["ready"] is True
    status = wait_for(lambda: workloads.status("deployment", "web"), lambda s: s.get("unavailableReplicas") == 2)
    assert "availableReplicas" not in status
    wait_for(lambda: workloads.events("Failed"), bool)


def test_an_unready_image_runs_without_ever_being_ready(workloads: Workloads) -> None:
    workloads.deployment("web", "app:unready")
    pods = wait_for(
        lambda: workloads.pods("web"), lambda pods: [p["status"]["phase"] for p in pods] == ["Running", "Running"]
    )
    assert all("running" in pod["status"]["containerStatuses"][0]["state"] for pod in pods)
    wait_for(lambda: workloads.status("deployment", "web"), lambda status: status.get("unavailableReplicas") == 2)


def test_a_crashing_image_goes_into_crash_loop_back_off_and_its_restarts_are_counted(workloads: Workloads) -> None:
    workloads.deployment("web", "app:crash")

    def restarted_twice(pods: list[Object]) -> bool:
        counts = [one["restartCount"] for pod in pods for one in pod["status"].get("containerStatuses", [])]
        return len(counts) == 2 and min(counts) >= 2

    pods = wait_for(lambda: workloads.pods("web"), restarted_twice)
    for pod in pods:
        (container,) = pod["status"]["containerStatuses"]
        assert container["state"]["waiting"]["reason"] == "CrashLoopBackOff"
        assert container["lastState"]["terminated"]["exitCode"] == 1
    wait_for(lambda: workloads.status("deployment", "web"), lambda status: status.get("unavailableReplicas") == 2)


def test_a_slow_image_is_ready_after_the_seconds_in_its_tag_and_not_before(workloads: Workloads) -> None:
    begun = time.monotonic()
    workloads.deployment("web", "app:slow-1s", "app:slow-3s")
    wait_for(lambda: workloads.status("deployment", "web"), lambda status: status.get("readyReplicas") == 2)
    assert time.monotonic() - begun >= 2.9


def test_a_job_of_an_ordinary_or_slow_image_completes(workloads: Workloads) -> None:
    workloads.job("quick", "app:1")
    workloads.job("slow", "app:slow-1s")
    for name in ("quick", "slow"):
        read = functools.partial(workloads.status, "job", name)
        wait_for(read, lambda status: has_condition(status, "Complete", "CompletionsReached"))


@pytest.mark.parametrize(
    ("image", "restart_policy"), [("app:fail", "Never"), ("app:fail", "OnFailure"), ("app:crash", "Never")]
)
def test_a_job_whose_container_exits_with_1_fails(workloads: Workloads, image: str, restart_policy: str) -> None:
    workloads.job("doomed", image, restart_policy)
    status = wait_for(
        lambda: workloads.status("job", "doomed"), lambda s: has_condition(s, "Failed", "BackoffLimitExceeded")
    )
    assert "succeeded" not in status


def test_a_failing_image_in_a_deployment_crashes_in_place_instead_of_breeding_pods(workloads: Workloads) -> None:
    workloads.deployment("web", "app:fail")
    wait_for(
        lambda: workloads.pods("web"),
        lambda pods: any(c["restartCount"] >= 2 for p in pods for c in p["status"].get("containerStatuses", [])),
    )
    assert len(workloads.pods("web")) == 2
