"""GitRepositories and Kustomizations as a bench makes them, asks them for a turn, and sees them done."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from typing import Any

from bench.stand import Stand

NAMESPACE = "flux-system"
SOURCES = f"/apis/source.toolkit.fluxcd.io/v1/namespaces/{NAMESPACE}/gitrepositories"
SYNCS = f"/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{NAMESPACE}/kustomizations"
# Longer than any measurement: nothing but what the bench asks for gives a turn.
INTERVAL = "12h"

_tokens = itertools.count(1)


def sync_body(name: str, path: str, *, prune: bool = True, **more: Any) -> bytes:
    """A Kustomization of `path` of the stand's repository."""
    source = {"kind": "GitRepository", "name": "fleet"}
    spec = {"sourceRef": source, "path": path, "interval": INTERVAL, "prune": prune, **more}
    return json.dumps(
        {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": spec,
        }
    ).encode()


async def fetch_source(stand: Stand) -> str:
    """Make the GitRepository and return the revision that it has fetched."""
    url = stand.git.url("fleet")
    body = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "fleet", "namespace": NAMESPACE},
        "spec": {"url": url, "interval": INTERVAL, "ref": {"branch": "main"}},
    }
    revision = f"main@sha1:{stand.repo.head()}"
    await stand.api.apply(f"{SOURCES}/fleet", json.dumps(body).encode())
    await stand.api.first(SOURCES, has_artifact(revision))
    return revision


def has_artifact(revision: str) -> Callable[[dict[str, Any]], bool]:
    """Says of a GitRepository whether its status shows that revision."""
    return lambda item: item.get("status", {}).get("artifact", {}).get("revision") == revision


def ready_of(item: dict[str, Any]) -> dict[str, Any]:
    """The Ready condition of one of our objects; Unknown where there is none yet."""
    conditions = item.get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == "Ready"), {"status": "Unknown"})


def is_applied(name: str, revision: str) -> Callable[[dict[str, Any]], bool]:
    """Says of a Kustomization whether it is the one of that name, Ready at that revision.

    Raises RuntimeError when it failed there: a bench that waits for it would only end by its timeout.
    """

    def check(item: dict[str, Any]) -> bool:
        status = item.get("status", {})
        ready = ready_of(item)
        if item["metadata"]["name"] != name:
            return False
        if ready["status"] == "False" and status.get("lastAttemptedRevision") == revision:
            raise RuntimeError(f"Kustomization {name} failed: {ready['message']}")
        return bool(ready["status"] == "True" and status.get("lastAppliedRevision") == revision)

    return check


async def first_sync(stand: Stand, name: str, path: str, revision: str, **more: Any) -> float:
    """Make a Kustomization of objects that are all new; returns the seconds until it is Ready at `revision`."""
    async with asyncio.TaskGroup() as group:
        seen = group.create_task(stand.api.first(SYNCS, is_applied(name, revision)))
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await stand.api.apply(f"{SYNCS}/{name}", sync_body(name, path, **more))
    return seen.result() - began


async def ask(stand: Stand, path: str) -> str:
    """Ask for a turn now, as `flux reconcile` does; returns the token that the status will repeat."""
    token = f"bench-{next(_tokens)}"
    await stand.api.patch(path, {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": token}}})
    return token


def has_handled(name: str, token: str) -> Callable[[dict[str, Any]], bool]:
    """Says of an object whether it is the one of that name and has handled the request."""
    return lambda item: (
        item["metadata"]["name"] == name and item.get("status", {}).get("lastHandledReconcileAt") == token
    )
