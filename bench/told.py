"""`events_per_s`: events of the operator that are routed, kept on disk, and delivered to receivers, for each second.

5,000 events, each of its own words, of eight objects with an Alert and a Provider each; never more on the way than what
a provider's line holds. From the first that is offered until a receiver in another process has had them all. A real API
server holds Providers and Alerts; no operator runs around it. None may be lost. Reference: 1,000, the limit that is
promised; a plain client that posts bodies of that size, eight at once, is printed beside it.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

from bench.figure import Figure
from bench.raw import RawApi
from bench.sink import running_sink
from bench.stand import prepare
from devcluster import ClusterOptions, running_cluster
from sluice.api.validate import SpecRules
from sluice.core.egress import parse_egress
from sluice.core.event import Event, InvolvedObject, Occurrence
from sluice.kube.client import KubeClient
from sluice.kube.config import load_kubeconfig
from sluice.notify.transport import Transport
from sluice.reconcilers.notifier import Notifier
from sluice.reconcilers.operator import utc_now
from sluice.store.notification_spool import NotificationSpool

FIGURE = "events_per_s"
EVENTS = 5_000
LANES = 8
ON_THE_WAY = 4_000
NAMESPACE = "flux-system"
KINDS = f"/apis/notification.toolkit.fluxcd.io/v1beta3/namespaces/{NAMESPACE}"
PATIENCE = 120.0


async def measure() -> list[Figure]:
    """Run it once; raises RuntimeError when one was lost."""
    with running_sink() as url, tempfile.TemporaryDirectory() as folder:
        async with running_cluster(ClusterOptions(fairness=False)) as cluster, RawApi(cluster) as api:
            await prepare(cluster, api)
            await _subscribe(api, url)
            async with aiohttp.ClientSession() as session:
                raw = await _raw(session, url)
                access = load_kubeconfig(cluster.kubeconfig)
                async with (
                    KubeClient(access) as client,
                    Transport(parse_egress(("127.0.0.0/8",)), "bench") as transport,
                    NotificationSpool(Path(folder) / "notifications.sqlite") as spool,
                ):
                    rules = SpecRules(False)
                    notifier = Notifier(
                        client, "", NAMESPACE, rules, transport, spool, now=utc_now, may_send=lambda: True
                    )
                    await notifier.load()
                    seconds, calls = await _run(notifier, session, url)
    notes = (f"{EVENTS} events in {seconds:.2f} s by {calls} calls; a plain client {raw:.0f} calls/s",)
    return [Figure(FIGURE, EVENTS / seconds, "1/s", 1_000, notes)]


async def _subscribe(api: RawApi, url: str) -> None:
    for number in range(LANES):
        name = f"app-{number}"
        source = {"kind": "Kustomization", "name": name}
        specs: dict[str, dict[str, Any]] = {
            "Provider": {"type": "generic", "address": f"{url}/{name}"},
            "Alert": {"providerRef": {"name": name}, "eventSources": [source]},
        }
        for kind, spec in specs.items():
            head = {"apiVersion": "notification.toolkit.fluxcd.io/v1beta3", "kind": kind, "metadata": {"name": name}}
            await api.apply(f"{KINDS}/{kind.lower()}s/{name}", json.dumps({**head, "spec": spec}).encode())


async def _run(notifier: Notifier, session: aiohttp.ClientSession, url: str) -> tuple[float, int]:
    """The seconds until all were received, and by how many calls."""
    async with asyncio.TaskGroup() as group:
        tasks = _Tasks(group)
        await notifier.start(tasks.group)
        began = time.perf_counter()
        received = calls = offered = 0
        while received < EVENTS:
            while offered < EVENTS and offered - received < ON_THE_WAY:
                notifier.intake.offer(_occurrence(offered))
                offered += 1
            await asyncio.sleep(0.02)
            found = await _told(session, url)
            received, calls = received + found["bodies"], calls + found["calls"]
            if time.perf_counter() - began > PATIENCE:
                raise RuntimeError(f"{EVENTS - received} of {EVENTS} events were lost")
        seconds = time.perf_counter() - began
        tasks.end()
    return seconds, calls


class _Tasks:
    """A task group whose tasks all end when the measurement does."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self.group = group
        self._before = asyncio.all_tasks()

    def end(self) -> None:
        """Cancel what was begun in it."""
        for task in asyncio.all_tasks() - self._before:
            task.cancel()


def _occurrence(number: int) -> Occurrence:
    subject = InvolvedObject(
        "Kustomization", NAMESPACE, f"app-{number % LANES}", "u", "kustomize.toolkit.fluxcd.io/v1", "1"
    )
    event = Event(
        involved_object=subject,
        severity="info",
        timestamp="2026-01-01T00:00:00Z",
        message=f"Deployment/shop/web configured, for the {number}. time",
        reason="ReconciliationSucceeded",
        metadata={"kustomize.toolkit.fluxcd.io/revision": f"main@sha1:{'a' * 40}"},
        reporting_controller="kustomize-controller",
        reporting_instance="bench",
    )
    return Occurrence(event, {})


async def _told(session: aiohttp.ClientSession, url: str) -> dict[str, int]:
    async with session.get(url) as answer:
        found: dict[str, int] = await answer.json()
        return found


async def _raw(session: aiohttp.ClientSession, url: str) -> float:
    """Calls a second of a client that does nothing else."""
    todo = iter(range(2_000))

    async def work() -> None:
        for number in todo:
            async with session.post(f"{url}/raw", data=f"{number:600}".encode()) as answer:
                await answer.read()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(LANES):
            group.create_task(work())
    seconds = time.perf_counter() - began
    await _told(session, url)
    return 2_000 / seconds
