"""A workload as `fluxctl list-workloads` reads it: what runs, how far its rollout is, and its policies in git."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sluice.core.image_policy.workload_policies import FILTER_PREFIX, PREFIXES, TAG, read_policies
from sluice.core.problem import clip
from sluice.core.running_workload import RunningContainer, RunningWorkload

ReadOnly = Literal["", "NotInRepo", "System", "NoRepo", "NotReady", "ReadOnlyMode"]
MAX_ERROR = 2000


def workload_shape(
    workload: RunningWorkload, read_only: ReadOnly, annotations: Mapping[str, str], sync_error: str
) -> dict[str, Any]:
    """One workload. `annotations` are those that its file in git has; none where git does not have it."""
    policies, rollout = read_policies(annotations), workload.rollout
    return {
        "ID": str(workload.id),
        "Containers": [_container(each) for each in workload.containers],
        "ReadOnly": read_only,
        "Status": workload.status,
        "Rollout": {
            "Desired": rollout.desired,
            "Updated": rollout.updated,
            "Ready": rollout.ready,
            "Available": rollout.available,
            "Outdated": rollout.outdated,
            "Messages": list(rollout.messages) or None,
        },
        "SyncError": clip(sync_error, MAX_ERROR),
        "Antecedent": workload.antecedent,
        "Labels": dict(workload.labels),
        "Automated": policies.automated,
        "Locked": policies.locked,
        "Ignore": policies.ignored,
        "Policies": policy_texts(annotations),
    }


def policy_texts(annotations: Mapping[str, str]) -> dict[str, str]:
    """The policies by fluxd's own names, without a prefix; of two names of one policy the first counts.

    >>> policy_texts({"fluxcd.io/automated": "true", "filter.fluxcd.io/web": "glob:v*", "other": "x"})
    {'tag.web': 'glob:v*', 'automated': 'true'}
    """
    found: dict[str, str] = {}
    for prefix in reversed((*PREFIXES, FILTER_PREFIX)):
        named = TAG if prefix == FILTER_PREFIX else ""
        found |= {named + key.removeprefix(prefix): annotations[key] for key in annotations if key.startswith(prefix)}
    return found


def _container(container: RunningContainer) -> dict[str, Any]:
    image = "" if container.image is None else str(container.image)
    return {"Name": container.name, "Current": {"ID": image}, "LatestFiltered": {"ID": ""}}
