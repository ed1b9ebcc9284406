"""What is kept of a workload that runs: its images, whose pod's logins pull them, and how far its rollout is. Pure.

The states and counts are fluxd's (its `list-workloads`). Only what is named here is kept of an object, never the
object itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sluice.core.ids import NamespacedName
from sluice.core.image import ImageRef
from sluice.core.image_update.workload import WorkloadId, live_workload, pod_template
from sluice.core.plan import Owner
from sluice.core.problem import clip, printable

ANTECEDENTS = ("helm.fluxcd.io/antecedent", "flux.weave.works/antecedent")
IGNORES = ("fluxcd.io/ignore", "flux.weave.works/ignore")
DEFAULT_ACCOUNT = "default"
MAX_MESSAGES, MAX_WORDS = 10, 300

State = Literal["started", "updating", "ready", "error"]


@dataclass(frozen=True, slots=True)
class RunningContainer:
    """A container of the pod template. `image` is None when it can't be read; `fault` then says why."""

    name: str
    image: ImageRef | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Rollout:
    """Pods of a workload: how many are wanted, have the newest template, are ready, available, or are outdated."""

    desired: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    outdated: int = 0
    messages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunningWorkload:
    """A workload in the cluster.

    `status` is fluxd's word: a `State`, or what a HelmRelease says of itself. `sync` is the sync whose labels it has,
    `antecedent` the HelmRelease that made it. The pull Secrets are those of the pod template; the service account has
    others.
    """

    id: WorkloadId
    containers: tuple[RunningContainer, ...]
    status: str = "ready"
    rollout: Rollout = Rollout()
    labels: Mapping[str, str] = field(default_factory=dict)
    sync: NamespacedName | None = None
    antecedent: str = ""
    ignored: bool = False
    service_account: str = DEFAULT_ACCOUNT
    pull_secrets: tuple[str, ...] = ()

    def images(self) -> tuple[ImageRef, ...]:
        """The images of its containers that can be read."""
        return tuple(each.image for each in self.containers if each.image is not None)


def running_workload(value: Any) -> RunningWorkload | None:
    """What is kept of an object of the cluster; None for what is no workload.

    >>> body = {"kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}
    >>> str(running_workload(body).id)
    'shop:deployment/web'
    """
    found = live_workload(value)
    if found is None:
        return None
    metadata = _map(value, "metadata")
    labels, annotations = _texts(metadata, "labels"), found.annotations
    owner = Owner.of(labels)
    pod = _map(pod_template(value, found.id.kind), "spec")
    status, rollout = _progress(found.id.kind, value)
    return RunningWorkload(
        id=found.id,
        containers=tuple(RunningContainer(each.name, each.image, each.fault) for each in found.containers),
        status=status,
        rollout=rollout,
        labels=labels,
        sync=NamespacedName(owner.namespace, owner.name) if owner is not None else None,
        antecedent=next((annotations[key] for key in ANTECEDENTS if key in annotations), ""),
        ignored=any(annotations.get(key) == "true" for key in IGNORES),
        service_account=_text(pod, "serviceAccountName") or DEFAULT_ACCOUNT,
        pull_secrets=tuple(name for each in _list(pod, "imagePullSecrets") if (name := _text(each, "name"))),
    )


def _progress(kind: str, value: Any) -> tuple[str, Rollout]:
    spec, status = _map(value, "spec"), _map(value, "status")
    if kind == "deployment":
        return _deployment(value, spec, status)
    if kind == "daemonset":
        return _daemonset(value, status)
    if kind == "statefulset":
        return _statefulset(value, spec, status)
    if kind == "cronjob":
        return "ready", Rollout()
    return clip(printable(_text(status, "releaseStatus")), MAX_WORDS), Rollout()


def _deployment(value: Any, spec: Any, status: Any) -> tuple[str, Rollout]:
    updated, total = _count(status, "updatedReplicas"), _count(status, "replicas")
    faults = tuple(
        clip(printable(_text(each, "message")), MAX_WORDS)
        for each in _list(status, "conditions")
        if (_text(each, "type"), _text(each, "status")) in {("Progressing", "False"), ("ReplicaFailure", "True")}
    )[:MAX_MESSAGES]
    available, ready = _count(status, "availableReplicas"), _count(status, "readyReplicas")
    rollout = Rollout(_count(spec, "replicas", 1), updated, ready, available, max(0, total - updated), faults)
    is_done = updated == available == rollout.desired and not rollout.outdated
    return _state(value, status, faults, is_done=is_done), rollout


def _daemonset(value: Any, status: Any) -> tuple[str, Rollout]:
    desired, updated = _count(status, "desiredNumberScheduled"), _count(status, "updatedNumberScheduled")
    ready, available = _count(status, "numberReady"), _count(status, "numberAvailable")
    rollout = Rollout(desired, updated, ready, available, max(0, _count(status, "currentNumberScheduled") - updated))
    return _state(value, status, (), is_done=updated == available == desired and not rollout.outdated), rollout


def _statefulset(value: Any, spec: Any, status: Any) -> tuple[str, Rollout]:
    replicas, updated = _count(spec, "replicas", 1), _count(status, "updatedReplicas")
    partition = _count(_map(_map(spec, "updateStrategy"), "rollingUpdate"), "partition")
    desired, ready = max(0, replicas - partition), _count(status, "readyReplicas")
    rollout = Rollout(desired, updated, ready, _count(status, "availableReplicas"), max(0, desired - updated))
    return _state(value, status, (), is_done=updated >= desired and ready == replicas), rollout


def _state(value: Any, status: Any, faults: tuple[str, ...], *, is_done: bool) -> State:
    if _count(status, "observedGeneration") < _count(_map(value, "metadata"), "generation"):
        return "started"
    if is_done:
        return "ready"
    return "error" if faults else "updating"


def _map(value: Any, key: str) -> Any:
    held = value.get(key) if isinstance(value, dict) else None
    return held if isinstance(held, dict) else {}


def _list(value: Any, key: str) -> list[Any]:
    held = value.get(key) if isinstance(value, dict) else None
    return held if isinstance(held, list) else []


def _text(value: Any, key: str) -> str:
    held = value.get(key) if isinstance(value, dict) else None
    return held if isinstance(held, str) else ""


def _texts(value: Any, key: str) -> dict[str, str]:
    return {name: text for name, text in _map(value, key).items() if isinstance(text, str)}


def _count(value: Any, key: str, absent: int = 0) -> int:
    held = value.get(key) if isinstance(value, dict) else None
    return held if isinstance(held, int) else absent
