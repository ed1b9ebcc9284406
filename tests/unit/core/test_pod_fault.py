"""What a workload's pods say is wrong, by the kubelet's and the controllers' own words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core import codes
from sluice.core.pod_fault import container_field, pod_fault, pod_selector, workload_fault
from sluice.core.problem import Code

Json = dict[str, Any]


def pod(*statuses: Json, phase: str = "Pending", name: str = "web-1", **more: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "creationTimestamp": more.pop("created", "2026-01-01T00:00:00Z"),
        },
        "spec": {"containers": [{"name": "main", "image": "web:1"}]},
        "status": {"phase": phase, "containerStatuses": list(statuses), **more},
    }


def waiting(reason: str, message: str = "", **more: Any) -> Json:
    return {"name": "main", "ready": False, "state": {"waiting": {"reason": reason, "message": message}}, **more}


def ended(code: int, reason: str = "Error") -> Json:
    return {"terminated": {"exitCode": code, "reason": reason}}


UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: cpu"}
NOT_READY = {"type": "Ready", "status": "False", "message": "containers with unready status: [main]"}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "spec": {"containers": [{"name": "side"}, {"name": "main"}], "initContainers": [{"name": "init"}]}
        },
    },
}


@pytest.mark.parametrize(
    ("found", "code", "title", "cause"),
    [
        (
            pod(waiting("ErrImagePull", "manifest unknown", image="web:9")),
            codes.IMAGE_PULL,
            '"web:9"',
            "manifest unknown",
        ),
        (pod(waiting("InvalidImageName")), codes.IMAGE_PULL, '"web:1"', "InvalidImageName"),
        (pod(waiting("CreateContainerConfigError", 'secret "db" not found')), codes.CONFIG_MISSING, "main", '"db"'),
        (
            pod(waiting("CrashLoopBackOff", restartCount=6, lastState=ended(137, "OOMKilled")), phase="Running"),
            codes.CONTAINER_EXITS,
            "exits with 137, restarted 6 times",
            "OOMKilled",
        ),
        (
            pod({"name": "main", "ready": False, "state": ended(1)}, phase="Failed"),
            codes.CONTAINER_EXITS,
            "exits with 1",
            "it ended with an error",
        ),
        (pod(phase="Failed", reason="Evicted"), codes.CONTAINER_EXITS, "its pod failed", "Evicted"),
        (pod(conditions=[UNSCHEDULABLE]), codes.UNSCHEDULABLE, "no node", "0/1 nodes: cpu"),
        (
            pod({"name": "main", "ready": False}, phase="Running", conditions=[NOT_READY]),
            codes.POD_NOT_READY,
            "main runs and is not ready",
            "unready status",
        ),
    ],
)
def test_a_pod_that_is_not_well_says_why(found: Json, code: Code, title: str, cause: str) -> None:
    fault = pod_fault(found)
    assert fault is not None
    assert fault.problem.code is code
    assert title in fault.problem.title
    assert cause in fault.problem.cause
    assert fault.problem.fix
    assert str(fault.problem.subject) == "Pod shop/web-1"


def test_a_pod_that_no_node_takes_names_the_volume_claims_that_may_be_why() -> None:
    found = pod(conditions=[UNSCHEDULABLE])
    claims = [{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}, {"name": "tmp", "emptyDir": {}}]
    found["spec"] = {**found.get("spec", {}), "volumes": claims}
    fault = pod_fault(found)
    assert fault is not None
    assert fault.problem.fix.endswith("volume claims are bound: data-db-0")


@pytest.mark.parametrize(
    "found",
    [
        pod(),
        pod(phase="Succeeded"),
        pod({"name": "main", "ready": True, "restartCount": 3, "lastState": ended(1)}, phase="Running"),
        pod({"name": "main", "ready": False, "state": ended(0)}, phase="Running"),
        pod(waiting("ContainerCreating")),
        {**pod(waiting("ErrImagePull")), "metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"}},
    ],
)
def test_a_pod_that_is_well_young_done_or_going_says_nothing(found: Json) -> None:
    assert pod_fault(found) is None


def test_of_several_pods_the_gravest_speaks_and_of_equals_the_newest() -> None:
    old = pod(waiting("ErrImagePull", image="old"), name="a", created="2026-01-01T00:00:00Z")
    new = pod(waiting("ErrImagePull", image="new"), name="b", created="2026-01-02T00:00:00Z")
    young = pod(conditions=[UNSCHEDULABLE], name="c", created="2026-01-03T00:00:00Z")
    fault = workload_fault(DEPLOYMENT, [old, young, new])
    assert fault is not None
    assert '"new"' in fault.problem.title
    assert container_field(DEPLOYMENT, fault) == "spec.template.spec.containers[1].image"


def test_pods_that_are_refused_are_told_by_the_controllers_condition() -> None:
    status = {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: compute"}]}
    fault = workload_fault({**DEPLOYMENT, "status": status}, [])
    assert fault is not None
    assert fault.problem.code is codes.PODS_REFUSED
    assert "exceeded quota" in fault.problem.cause
    assert workload_fault(DEPLOYMENT, []) is None


def test_a_claim_without_a_volume_is_told() -> None:
    claim = {
        "kind": "PersistentVolumeClaim",
        "apiVersion": "v1",
        "metadata": {"name": "d"},
        "status": {"phase": "Pending"},
    }
    fault = workload_fault(claim, [])
    assert fault is not None
    assert fault.problem.code is codes.VOLUME_PENDING


def test_the_selector_of_pods_is_written_as_a_query() -> None:
    rules = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "old", "operator": "DoesNotExist"},
        {"key": "x", "operator": "NotIn", "values": ["y"]},
        {"key": "z", "operator": "Exists"},
    ]
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": rules}
    obj = {"spec": {"selector": selector, "template": {}}}
    assert pod_selector(obj) == "app=web,tier in (a,b),!old,x notin (y),z"
    assert pod_selector({"spec": {"selector": {"app": "web"}}}) == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["status", "state", "waiting", "reason", "containerStatuses", "terminated", "exitCode", "spec"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["status", "spec", "metadata", "kind"]), JSON))
def test_nothing_that_an_api_server_could_send_breaks_it(obj: Json) -> None:
    pod_fault(obj)
    workload_fault(obj, [obj])
    pod_selector(obj)
