"""A status holds as much of the inventory as an object has room for: the API server would refuse it with more."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from sluice.api.kustomization import Kustomization
from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.reconcilers.kustomization_report import Turnout, status_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LARGEST = 1_200_000  # bytes; etcd takes 1.5 MiB, and the spec and the owners of fields come on top
SYNC = msgspec.convert(
    {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"interval": "1h", "path": "./", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "web"}},
    },
    Kustomization,
)


@pytest.mark.parametrize(
    ("count", "length", "whole"), [(0, 5, True), (10_000, 20, True), (50_000, 20, False), (50_000, 200, False)]
)
def test_a_status_is_never_larger_than_the_api_server_takes(count: int, length: int, whole: bool) -> None:
    names = [f"{number:0{length}}" for number in range(count)]
    held = Inventory(Entry(ResourceId("", "ConfigMap", "shop", name), "v1") for name in names)
    status = status_of(SYNC, Turnout("main@sha1:1", inventory=held), NOW, NOW)
    assert len(msgspec.json.encode(status)) <= LARGEST
    listed = [entry["id"] for entry in status["inventory"]["entries"]]
    assert listed == [f"shop_{name}__ConfigMap" for name in names[: len(listed)]]
    assert (len(listed) == count) == whole
    assert len(listed) >= min(count, 4000)
