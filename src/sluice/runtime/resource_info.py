"""The objects of our kinds as `gotk_resource_info`: the series that Flux's dashboards and alerts are built on.

Flux has kube-state-metrics make it out of the custom resources; here it is one scrape less, under the same labels
(those of the example configuration of its documentation).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric

from sluice.core import condition
from sluice.core.git_url import mask_userinfo
from sluice.core.problem import clip
from sluice.kube.resource import Resource

MAX_VALUE = 200
LABELS = (
    "customresource_group",
    "customresource_kind",
    "customresource_version",
    "exported_namespace",
    "name",
    "ready",
    "suspended",
    "revision",
    "source_name",
    "url",
)


def resource_info(resource: Resource, objects: Iterable[Any]) -> Iterator[Metric]:
    """One series an object of that kind; none has a value that others can make long, or a credential in it."""
    family = GaugeMetricFamily("gotk_resource_info", "An object of our kinds; the value is always 1.", labels=LABELS)
    kind = (resource.group, resource.kind, resource.version)
    for item in objects:
        family.add_metric((*kind, item.metadata.namespace, item.metadata.name, *_state(item)), 1)
    yield family


def _state(item: Any) -> tuple[str, ...]:
    """ready, suspended, revision, source_name, url; empty where the kind has no such field."""
    spec, status = item.spec, getattr(item, "status", None)
    source = getattr(spec, "sourceRef", None) or getattr(spec, "imageRepositoryRef", None)
    return (
        _ready(status.conditions) if status is not None else "",
        "true" if getattr(spec, "suspend", False) else "false",
        clip(_revision(status), MAX_VALUE),
        source.name if source is not None else "",
        clip(mask_userinfo(getattr(spec, "url", "") or ""), MAX_VALUE),
    )


def _ready(conditions: condition.Conditions) -> str:
    ready = condition.find_condition(conditions, condition.READY)
    return ready.status if ready is not None else "Unknown"


def _revision(status: Any) -> str:
    artifact = getattr(status, "artifact", None)
    if artifact is not None:
        return str(artifact.revision)
    return str(getattr(status, "lastAppliedRevision", "") or "")
