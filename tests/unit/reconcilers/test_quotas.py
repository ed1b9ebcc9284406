"""How often namespaces are asked for their quotas."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from sluice.kube.client import KubeClient
from sluice.reconcilers import quotas
from sluice.reconcilers.quotas import Quotas


class Lister:
    """Answers lists of quotas, and notes of which namespace."""

    def __init__(self, **names: str) -> None:
        self.asked: list[str] = []
        self._names = names

    async def list(self, resource: object, namespace: str, *, item_type: type[Any]) -> Any:
        self.asked.append(namespace)
        items = [
            item_type(quotas._Meta(name, home), status=quotas._Status({"pods": "1"}, {"pods": "0"}))
            for home, name in self._names.items()
            if namespace in {"", home}
        ]
        return SimpleNamespace(items=items)


async def test_a_burst_of_syncs_asks_a_namespace_without_quotas_once() -> None:
    lister = Lister(full="q")
    reader = Quotas(cast("KubeClient", lister))
    for _ in range(100):
        assert await reader.of(["empty"]) == []
    assert lister.asked == ["empty"]


async def test_a_quota_that_exists_is_read_anew_for_each_plan() -> None:
    lister = Lister(full="q")
    reader = Quotas(cast("KubeClient", lister))
    for _ in range(3):
        assert [q.name for q in await reader.of(["full", "empty"])] == ["q"]
    assert lister.asked == ["empty", "full", "full", "full"]


async def test_that_a_namespace_has_none_is_not_believed_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    lister = Lister()
    reader = Quotas(cast("KubeClient", lister))
    await reader.of(["empty"])
    monkeypatch.setattr(quotas, "FRESH_SECONDS", -1.0)
    await reader.of(["empty"])
    assert lister.asked == ["empty", "empty"]


async def test_many_namespaces_are_asked_for_in_one_request() -> None:
    lister = Lister(n3="q", elsewhere="q")
    reader = Quotas(cast("KubeClient", lister))
    assert [q.namespace for q in await reader.of(f"n{i}" for i in range(9))] == ["n3"]
    assert lister.asked == [""]
