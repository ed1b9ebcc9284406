"""What is kept of a workload that runs: images, logins, owner, and fluxd's word for its rollout."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.ids import NamespacedName
from sluice.core.running_workload import Rollout, running_workload

POD = {
    "serviceAccountName": "puller",
    "imagePullSecrets": [{"name": "one"}, {"name": ""}, {}],
    "containers": [{"name": "main", "image": "acme/web:1"}, {"name": "odd", "image": "UPPER/x"}],
    "initContainers": [{"name": "first", "image": "busybox"}],
}


def body(kind: str = "Deployment", *, status: Any = None, **spec: Any) -> dict[str, Any]:
    template = {"spec": POD}
    held = {"jobTemplate": {"spec": {"template": template}}} if kind == "CronJob" else {"template": template}
    metadata = {
        "name": "web",
        "namespace": "shop",
        "generation": 2,
        "labels": {"kustomize.toolkit.fluxcd.io/name": "flag", "kustomize.toolkit.fluxcd.io/namespace": "sluice"},
        "annotations": {"helm.fluxcd.io/antecedent": "shop:helmrelease/shop", "fluxcd.io/ignore": "true"},
    }
    return {"kind": kind, "metadata": metadata, "spec": {**held, **spec}, "status": status or {}}


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "StatefulSet", "CronJob"])
def test_images_logins_owner_and_antecedent_are_kept(kind: str) -> None:
    found = running_workload(body(kind))
    assert found is not None
    assert str(found.id) == f"shop:{kind.lower()}/web"
    assert [(each.name, str(each.image)) for each in found.containers if each.image] == [
        ("main", "acme/web:1"),
        ("first", "busybox"),
    ]
    assert "at character" in found.containers[1].fault
    assert (found.service_account, found.pull_secrets) == ("puller", ("one",))
    assert found.sync == NamespacedName("sluice", "flag")
    assert (found.antecedent, found.ignored) == ("shop:helmrelease/shop", True)


OBSERVED = {"observedGeneration": 2}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "expected"),
    [
        ("Deployment", {}, {"observedGeneration": 1}, "started"),
        ("Deployment", {"replicas": 2}, {**OBSERVED, "replicas": 3, "updatedReplicas": 2}, "updating"),
        (
            "Deployment",
            {"replicas": 2},
            {**OBSERVED, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2},
            "ready",
        ),
        (
            "Deployment",
            {"replicas": 2},
            {**OBSERVED, "conditions": [{"type": "Progressing", "status": "False", "message": "too slow"}]},
            "error",
        ),
        ("DaemonSet", {}, {**OBSERVED, "desiredNumberScheduled": 2}, "updating"),
        (
            "DaemonSet",
            {},
            {
                **OBSERVED,
                "desiredNumberScheduled": 2,
                "currentNumberScheduled": 2,
                "updatedNumberScheduled": 2,
                "numberAvailable": 2,
            },
            "ready",
        ),
        (
            "StatefulSet",
            {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
            {**OBSERVED, "updatedReplicas": 1, "readyReplicas": 3},
            "ready",
        ),
        ("StatefulSet", {"replicas": 3}, {**OBSERVED, "updatedReplicas": 1, "readyReplicas": 3}, "updating"),
        ("CronJob", {}, {}, "ready"),
    ],
)
def test_the_state_of_a_rollout_is_fluxds_word(kind: str, spec: Any, status: Any, expected: str) -> None:
    found = running_workload(body(kind, status=status, **spec))
    assert found is not None
    assert found.status == expected


def test_counts_and_messages_of_a_rollout() -> None:
    fault = {"type": "ReplicaFailure", "status": "True", "message": "quota\nexceeded"}
    status = {**OBSERVED, "replicas": 3, "updatedReplicas": 1, "readyReplicas": 2, "availableReplicas": 2}
    found = running_workload(body(status={**status, "conditions": [fault]}, replicas=3))
    assert found is not None
    assert found.rollout == Rollout(3, 1, 2, 2, 2, ("quota\\nexceeded",))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(st.sampled_from(["Deployment", "DaemonSet", "StatefulSet", "CronJob", "HelmRelease"]), JSON, JSON)
def test_no_object_makes_it_fail(kind: str, spec: Any, status: Any) -> None:
    metadata = {"name": "web", "namespace": "shop"}
    assert running_workload({"kind": kind, "metadata": metadata, "spec": spec, "status": status}) is not None
    assert running_workload({"kind": "ConfigMap", "metadata": metadata, "spec": spec}) is None
