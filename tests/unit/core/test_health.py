"""Health verdicts are kstatus's, kind by kind."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.health import Health, HealthStatus, assess, needs_watch, vanishes_when_done
from sluice.core.ids import GroupKind

CURRENT, IN_PROGRESS, FAILED = HealthStatus.CURRENT, HealthStatus.IN_PROGRESS, HealthStatus.FAILED
TERMINATING, UNKNOWN = HealthStatus.TERMINATING, HealthStatus.UNKNOWN


def obj(
    api_version: str, kind: str, spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **meta: Any
) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, "spec": spec or {}, "status": status or {}}


def cond(type_: str, status: str, reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": type_, "status": status, "reason": reason, "message": message}


def changed(source: dict[str, Any], **status: Any) -> dict[str, Any]:
    result = copy.deepcopy(source)
    result["status"].update(status)
    return result


DEPLOYMENT = obj(
    "apps/v1",
    "Deployment",
    {"replicas": 2, "progressDeadlineSeconds": 600},
    {
        "observedGeneration": 2,
        "replicas": 2,
        "updatedReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "conditions": [cond("Progressing", "True", "NewReplicaSetAvailable"), cond("Available", "True")],
    },
    generation=2,
)
STATEFULSET = obj(
    "apps/v1",
    "StatefulSet",
    {"replicas": 3},
    {
        "observedGeneration": 1,
        "replicas": 3,
        "readyReplicas": 3,
        "currentReplicas": 3,
        "updatedReplicas": 3,
        "currentRevision": "a",
        "updateRevision": "a",
    },
    generation=1,
)
DAEMONSET = obj(
    "apps/v1",
    "DaemonSet",
    {},
    {
        "observedGeneration": 1,
        "desiredNumberScheduled": 2,
        "currentNumberScheduled": 2,
        "updatedNumberScheduled": 2,
        "numberAvailable": 2,
        "numberReady": 2,
    },
    generation=1,
)
REPLICASET = obj(
    "apps/v1",
    "ReplicaSet",
    {"replicas": 2},
    {"replicas": 2, "fullyLabeledReplicas": 2, "availableReplicas": 2, "readyReplicas": 2},
)
PARTITIONED = {"updateStrategy": {"rollingUpdate": {"partition": 1}}, "replicas": 3}
LATE = [cond("Progressing", "False", "ProgressDeadlineExceeded"), cond("Available", "True")]
STARTED = {"startTime": "2026-01-01T00:00:00Z", "active": 1}
NO_NODE = {"phase": "Pending", "conditions": [cond("PodScheduled", "False", "Unschedulable")]}
LOOPING = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "name": "web"}

CASES: list[tuple[str, dict[str, Any], HealthStatus, str]] = [
    ("deployment rolled out", DEPLOYMENT, CURRENT, "Deployment is available. Replicas: 2"),
    ("deployment just made", obj("apps/v1", "Deployment"), IN_PROGRESS, "Replicas: 0/1"),
    ("deployment not seen", changed(DEPLOYMENT, observedGeneration=1), IN_PROGRESS, "observed generation is 1"),
    ("deployment missing replicas", changed(DEPLOYMENT, replicas=1), IN_PROGRESS, "Replicas: 1/2"),
    ("deployment updating", changed(DEPLOYMENT, updatedReplicas=1), IN_PROGRESS, "Updated: 1/2"),
    ("deployment surplus", changed(DEPLOYMENT, replicas=3), IN_PROGRESS, "Pending termination: 1"),
    ("deployment unavailable", changed(DEPLOYMENT, availableReplicas=0), IN_PROGRESS, "Available: 0/2"),
    ("deployment unready", changed(DEPLOYMENT, readyReplicas=1), IN_PROGRESS, "Ready: 1/2"),
    ("deployment too slow", changed(DEPLOYMENT, conditions=LATE), FAILED, "Progress deadline exceeded"),
    ("deployment no conditions", changed(DEPLOYMENT, conditions=[]), IN_PROGRESS, "ReplicaSet not Available"),
    (
        "deployment only progressing",
        changed(DEPLOYMENT, conditions=[cond("Progressing", "True", "NewReplicaSetAvailable")]),
        IN_PROGRESS,
        "Deployment not Available",
    ),
    (
        "deployment without a deadline",
        {**changed(DEPLOYMENT, conditions=[cond("Available", "True")]), "spec": {"replicas": 2}},
        CURRENT,
        "available",
    ),
    ("extensions deployment", {**DEPLOYMENT, "apiVersion": "extensions/v1beta1"}, CURRENT, "Resource is current"),
    ("statefulset done", STATEFULSET, CURRENT, "Replicas: 3"),
    (
        "statefulset on delete",
        obj("apps/v1", "StatefulSet", {"updateStrategy": {"type": "OnDelete"}}),
        CURRENT,
        "ondelete",
    ),
    ("statefulset starting", changed(STATEFULSET, replicas=1), IN_PROGRESS, "Replicas: 1/3"),
    ("statefulset unready", changed(STATEFULSET, readyReplicas=2), IN_PROGRESS, "Ready: 2/3"),
    ("statefulset shrinking", changed(STATEFULSET, replicas=4), IN_PROGRESS, "Pending termination: 1"),
    ("statefulset updating", changed(STATEFULSET, currentReplicas=1), IN_PROGRESS, "current: 1/3"),
    ("statefulset two revisions", changed(STATEFULSET, updateRevision="b"), IN_PROGRESS, "updated revision"),
    (
        "statefulset partition done",
        {**changed(STATEFULSET, updateRevision="b"), "spec": PARTITIONED},
        CURRENT,
        "Partition",
    ),
    (
        "statefulset partition",
        {**changed(STATEFULSET, updatedReplicas=1), "spec": PARTITIONED},
        IN_PROGRESS,
        "updated: 1/2",
    ),
    ("daemonset done", DAEMONSET, CURRENT, "Replicas: 2"),
    ("daemonset not seen", obj("apps/v1", "DaemonSet", generation=1), IN_PROGRESS, "observedGeneration not found"),
    ("daemonset without generation", obj("apps/v1", "DaemonSet"), IN_PROGRESS, "generation not found"),
    (
        "daemonset uncounted",
        obj("apps/v1", "DaemonSet", {}, {"observedGeneration": 1}, generation=1),
        IN_PROGRESS,
        "Missing",
    ),
    ("daemonset placing", changed(DAEMONSET, currentNumberScheduled=1), IN_PROGRESS, "Current: 1/2"),
    ("daemonset updating", changed(DAEMONSET, updatedNumberScheduled=1), IN_PROGRESS, "Updated: 1/2"),
    ("daemonset unavailable", changed(DAEMONSET, numberAvailable=1), IN_PROGRESS, "Available: 1/2"),
    ("daemonset unready", changed(DAEMONSET, numberReady=1), IN_PROGRESS, "Ready: 1/2"),
    ("daemonset no nodes", changed(DAEMONSET, desiredNumberScheduled=0), CURRENT, "Replicas: 0"),
    ("replicaset done", REPLICASET, CURRENT, "ReplicaSet is available"),
    ("replicaset can't", changed(REPLICASET, conditions=[cond("ReplicaFailure", "True")]), IN_PROGRESS, "Failure"),
    ("replicaset unlabelled", changed(REPLICASET, fullyLabeledReplicas=1), IN_PROGRESS, "Labelled: 1/2"),
    ("replicaset unavailable", changed(REPLICASET, availableReplicas=1), IN_PROGRESS, "Available: 1/2"),
    ("replicaset unready", changed(REPLICASET, readyReplicas=1), IN_PROGRESS, "Ready: 1/2"),
    ("replicaset surplus", changed(REPLICASET, replicas=4), IN_PROGRESS, "Pending termination: 2"),
    ("pod ready", obj("v1", "Pod", {}, {"phase": "Running", "conditions": [cond("Ready", "True")]}), CURRENT, "Ready"),
    ("pod unready", obj("v1", "Pod", {}, {"phase": "Running"}), IN_PROGRESS, "not Ready"),
    ("pod looping", obj("v1", "Pod", {}, {"phase": "Running", "containerStatuses": [LOOPING]}), FAILED, "state: web"),
    ("pod succeeded", obj("v1", "Pod", {}, {"phase": "Succeeded"}), CURRENT, "successfully"),
    ("pod failed", obj("v1", "Pod", {}, {"phase": "Failed"}), CURRENT, "not successfully"),
    ("pod pending", obj("v1", "Pod", {}, {"phase": "Pending"}), IN_PROGRESS, "Pending"),
    ("pod new", obj("v1", "Pod"), IN_PROGRESS, "phase not available"),
    ("pod odd", obj("v1", "Pod", {}, {"phase": "Odd"}), UNKNOWN, "unknown phase Odd"),
    ("pod unschedulable, no clock", obj("v1", "Pod", {}, NO_NODE), IN_PROGRESS, "not been scheduled"),
    ("job new", obj("batch/v1", "Job"), IN_PROGRESS, "Job not started"),
    ("job runs", obj("batch/v1", "Job", {}, STARTED), IN_PROGRESS, "Job in progress. success:0, active: 1, failed: 0"),
    (
        "job done",
        obj("batch/v1", "Job", {"completions": 2}, {"succeeded": 2, "conditions": [cond("Complete", "True")]}),
        CURRENT,
        "2/2",
    ),
    (
        "job failed",
        obj("batch/v1", "Job", {}, {"failed": 7, "conditions": [cond("Failed", "True", "BackoffLimitExceeded")]}),
        FAILED,
        "Job Failed. failed: 7/1 (BackoffLimitExceeded)",
    ),
    ("job suspended", obj("batch/v1", "Job", {}, {"conditions": [cond("Suspended", "True")]}), CURRENT, "suspended"),
    ("cronjob", obj("batch/v1", "CronJob", {}, {"conditions": [cond("Ready", "False")]}), CURRENT, "always"),
    ("claim bound", obj("v1", "PersistentVolumeClaim", {}, {"phase": "Bound"}), CURRENT, "Bound"),
    ("claim pending", obj("v1", "PersistentVolumeClaim", {}, {"phase": "Pending"}), IN_PROGRESS, "phase: Pending"),
    ("claim new", obj("v1", "PersistentVolumeClaim"), IN_PROGRESS, "phase: unknown"),
    ("service", obj("v1", "Service", {"type": "ClusterIP"}), CURRENT, "Service is ready"),
    ("balancer without address", obj("v1", "Service", {"type": "LoadBalancer"}), IN_PROGRESS, "ClusterIP not set"),
    ("balancer", obj("v1", "Service", {"type": "LoadBalancer", "clusterIP": "10.0.0.1"}), CURRENT, "ready"),
    (
        "budget",
        obj("policy/v1", "PodDisruptionBudget", {}, {"observedGeneration": 1}, generation=1),
        CURRENT,
        "computed",
    ),
    (
        "budget not seen",
        obj("policy/v1", "PodDisruptionBudget", {}, {"observedGeneration": 0}, generation=1),
        IN_PROGRESS,
        "",
    ),
    ("namespace", obj("v1", "Namespace", {}, {"phase": "Active"}), CURRENT, "active"),
    ("namespace going", obj("v1", "Namespace", {}, {"phase": "Terminating"}), TERMINATING, "terminating"),
    ("config map", obj("v1", "ConfigMap"), CURRENT, "current"),
    (
        "being deleted",
        {**DEPLOYMENT, "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}},
        TERMINATING,
        "deletion",
    ),
    ("custom, no status", obj("example.com/v1", "Thing", generation=1), CURRENT, "current"),
    ("custom, ready", obj("example.com/v1", "Thing", {}, {"conditions": [cond("Ready", "True")]}), CURRENT, "Ready"),
    (
        "custom, not ready",
        obj("example.com/v1", "Thing", {}, {"conditions": [cond("Ready", "False", "", "no db")]}),
        IN_PROGRESS,
        "no db",
    ),
    (
        "custom, unknown",
        obj("example.com/v1", "Thing", {}, {"conditions": [cond("Ready", "Unknown", "Wait")]}),
        IN_PROGRESS,
        "Wait",
    ),
    (
        "custom, working",
        obj(
            "example.com/v1",
            "Thing",
            {},
            {"conditions": [cond("Ready", "True"), cond("Reconciling", "True", "", "busy")]},
        ),
        IN_PROGRESS,
        "busy",
    ),
    (
        "custom, stalled",
        obj("example.com/v1", "Thing", {}, {"conditions": [cond("Stalled", "True", "", "stuck")]}),
        FAILED,
        "stuck",
    ),
    (
        "custom, stalled false",
        obj("example.com/v1", "Thing", {}, {"conditions": [cond("Stalled", "False")]}),
        CURRENT,
        "current",
    ),
]
CRD_CASES = [
    ("new", [], IN_PROGRESS, "Install in progress"),
    ("installing", [cond("Established", "False", "Installing")], IN_PROGRESS, "Install in progress"),
    ("served", [cond("NamesAccepted", "True"), cond("Established", "True")], CURRENT, "established"),
    ("collides", [cond("NamesAccepted", "False", "ListKindConflict", "taken")], FAILED, "taken"),
    ("refused", [cond("Established", "False", "NotAccepted", "not all names are accepted")], FAILED, "not all names"),
]


@pytest.mark.parametrize(
    ("subject", "status", "message"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_an_object_is_judged_as_kstatus_judges_it(subject: dict[str, Any], status: HealthStatus, message: str) -> None:
    verdict = assess(subject)
    assert verdict.status is status
    assert message in verdict.message


@pytest.mark.parametrize(("entries", "status", "message"), [c[1:] for c in CRD_CASES], ids=[c[0] for c in CRD_CASES])
def test_a_crd_is_current_when_its_kind_is_served(entries: list[Any], status: HealthStatus, message: str) -> None:
    verdict = assess(obj("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, {"conditions": entries}))
    assert verdict.status is status
    assert message in verdict.message


@pytest.mark.parametrize(("second", "status"), [(14, IN_PROGRESS), (16, FAILED)])
def test_an_unschedulable_pod_is_given_fifteen_seconds(second: int, status: HealthStatus) -> None:
    pod = obj("v1", "Pod", {}, NO_NODE, creationTimestamp="2026-01-01T00:00:00Z")
    assert assess(pod, datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)).status is status


def test_only_a_job_with_a_time_to_live_is_done_when_it_is_gone() -> None:
    assert vanishes_when_done(obj("batch/v1", "Job", {"ttlSecondsAfterFinished": 0}))
    assert not vanishes_when_done(obj("batch/v1", "Job"))
    assert not vanishes_when_done(obj("v1", "Pod", {"ttlSecondsAfterFinished": 0}))


def test_kinds_that_are_current_at_once_need_no_watch() -> None:
    assert not needs_watch(GroupKind("", "ConfigMap"))
    assert not needs_watch(GroupKind("rbac.authorization.k8s.io", "Role"))
    assert needs_watch(GroupKind("apps", "Deployment"))
    assert needs_watch(GroupKind("example.com", "ConfigMap"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "status", "reason", "message", "name", "state", "waiting"]), inner)
    ),
    max_leaves=8,
)
KNOWN = sorted({(case[1]["apiVersion"], case[1]["kind"]) for case in CASES})
FIELDS = [
    "phase",
    "replicas",
    "readyReplicas",
    "conditions",
    "containerStatuses",
    "observedGeneration",
    "currentRevision",
    "updateStrategy",
    "type",
    "partition",
    "rollingUpdate",
    "clusterIP",
    "completions",
    "startTime",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
]
PART = st.dictionaries(st.sampled_from(FIELDS), JSON) | JSON


@given(st.sampled_from(KNOWN), PART, PART, PART)
def test_a_verdict_is_reached_whatever_the_api_server_sends(
    kind: tuple[str, str], meta: Any, spec: Any, status: Any
) -> None:
    api_version, name = kind
    broken = {"apiVersion": api_version, "kind": name, "metadata": meta, "spec": spec, "status": status}
    assert isinstance(assess(broken, datetime(2026, 1, 1, tzinfo=UTC)), Health)


@given(st.dictionaries(st.sampled_from(["apiVersion", "kind", "metadata", "spec", "status"]), JSON))
def test_an_object_of_any_shape_has_a_verdict(broken: dict[str, Any]) -> None:
    assert isinstance(assess(broken), Health)


@given(st.text(max_size=30) | st.sampled_from(["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-W01"]))
def test_any_creation_time_is_survived(created: str) -> None:
    pod = obj("v1", "Pod", {}, NO_NODE, creationTimestamp=created)
    assert assess(pod, datetime(2026, 1, 1, tzinfo=UTC)).status in {IN_PROGRESS, FAILED}
