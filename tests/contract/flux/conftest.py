"""The running operator, and what the `flux` command line asks of the API server, as it asks it."""

from __future__ import annotations

from typing import Any

from tests.operator_fixture import Bench, Json, Sync, bench, condition, crds, log_capture, poll

__all__ = ["bench", "crds", "log_capture"]

PLURALS = {"Kustomization": "kustomizations", "GitRepository": "gitrepositories"}


def listed(bench: Bench, sync: Sync, kind: str) -> Json:
    """The object as a list of its kind has it: what `flux get` reads."""
    root = sync.path if kind == "Kustomization" else sync.source_path
    items = bench.api.get(root.rpartition("/")[0])
    assert items is not None
    [found] = [each for each in items["items"] if each["metadata"]["name"] == sync.name]
    return dict(found)


def verdict(item: Json) -> str:
    """How flux judges an object that it waits for: by its generation, then Reconciling and Stalled, then Ready."""
    status = item.get("status", {})
    if status.get("observedGeneration") != item["metadata"]["generation"]:
        return "InProgress"
    if condition(item, "Stalled").get("status") == "True":
        return "Failed"
    if condition(item, "Reconciling").get("status") == "True":
        return "InProgress"
    return {"True": "Current", "False": "Failed"}.get(condition(item, "Ready").get("status", ""), "InProgress")


def wait_handled(bench: Bench, path: str, before: str) -> Json:
    """Wait as `flux reconcile` does: for a request that was handled, and a verdict; returns the object."""

    def handled() -> Any:
        bench.operator.check()
        item = bench.api.get(path)
        assert item is not None
        is_new = item.get("status", {}).get("lastHandledReconcileAt", "") != before
        return item if is_new and verdict(item) in {"Current", "Failed"} else None

    return dict(poll(f"{path} handled", handled))
