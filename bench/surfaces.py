"""What looking and calling costs the operator, of `sluice run` itself.

`hook_to_begun`: a git host is about to call a Receiver of a commit that was pushed → the operator begins to look at the
repository. Median of 5, 50 Receivers being there. Reference: 0.2 s, the limit that is promised.
`webhooks_per_s`: calls of a git host, of 16 KiB, verified by HMAC-SHA256 and answered, for each second of the
operator's processor time: what one core does. Every call is one that was delivered already, so that none makes it
fetch. Reference: 500, the limit that is promised.
`rss_surfaces_mb`: resident memory with everything on (metrics scraped, 50 Providers, Alerts and Receivers, each used),
less that of an operator that has done the same work and has none of it. Reference: 25 MB, the limit that is promised.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Collection
from dataclasses import dataclass
from statistics import median
from typing import Any

import aiohttp

from bench.figure import Figure, rounds
from bench.objects import config_map, files
from bench.process import resident_mb
from bench.sink import running_sink
from bench.stand import Stand, free_port, stand
from bench.sync import NAMESPACE, fetch_source, first_sync

FIGURES = ("hook_to_begun", "webhooks_per_s", "rss_surfaces_mb")
PUSHES = 5
CALLS = 3_000
AT_ONCE = 16
BODY = json.dumps({"ref": "refs/heads/main", "padding": "x" * 16_000}).encode()
TOKEN = "token"  # noqa: S105 - of this measurement alone
SYNC_COUNT = 50
SECONDS_AT_REST = 5.0
LOOKS = 30_000
KINDS = f"/apis/notification.toolkit.fluxcd.io/{{}}/namespaces/{NAMESPACE}"


@dataclass(frozen=True, slots=True)
class _Addresses:
    hook: str
    metrics: str

    def arguments(self) -> list[str]:
        return [f"--hook-addr={self.hook}", f"--metrics-addr={self.metrics}", "--egress-allow=127.0.0.0/8"]


async def measure(names: Collection[str]) -> list[Figure]:
    """All, of one operator; the second operator only where memory is asked for."""
    tree: dict[str, str] = {}
    for number in range(SYNC_COUNT):
        tree |= files(f"syncs/{number:04}", [config_map("default", f"sync-{number:04}")])
    addresses = _Addresses(f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}")
    with running_sink() as sink:
        async with stand("surfaces", tree, arguments=addresses.arguments()) as place:
            await _subscribe(place, sink)
            await _work(place)
            path = await _hook_path(place)
            async with aiohttp.ClientSession() as session:
                begun = [await _begun(place, session, f"http://{addresses.hook}{path}", n) for n in range(PUSHES)]
                spent, seconds = await _calls(place, session, f"http://{addresses.hook}{path}")
                await _scrape(session, addresses.metrics)
                told = await _told(session, sink)
            everything = await _at_rest(place)
    if not told:
        raise RuntimeError("nobody was notified")
    notes = (f"{CALLS} calls, {spent:.2f} s of processor time, {CALLS / seconds:.0f} calls/s on the clock",)
    found = [
        Figure(FIGURES[0], median(begun), "s", 0.2, (f"rounds {rounds(begun)}",)),
        Figure(FIGURES[1], CALLS / spent, "1/s", 500, notes),
    ]
    if FIGURES[2] in names:
        async with stand("engine", tree) as place:
            await _work(place)
            engine = await _at_rest(place)
        text = f"with everything {everything:.1f} MB, without {engine:.1f} MB; {told} notifications"
        found.append(Figure(FIGURES[2], everything - engine, "MB", 25, (text,)))
    return found


async def _subscribe(place: Stand, sink: str) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hook"}}
    secret["data"] = {"token": base64.b64encode(TOKEN.encode()).decode()}
    await place.api.apply(f"/api/v1/namespaces/{NAMESPACE}/secrets/hook", json.dumps(secret).encode())
    for number in range(SYNC_COUNT):
        name = f"sync-{number:04}"
        source = {"kind": "Kustomization", "name": name}
        resources = [{"kind": "GitRepository", "name": "fleet"}]
        await _make(place, "v1beta3", "Provider", name, {"type": "generic", "address": f"{sink}/{name}"})
        await _make(place, "v1beta3", "Alert", name, {"providerRef": {"name": name}, "eventSources": [source]})
        hook = {"type": "github", "events": ["push"], "secretRef": {"name": "hook"}, "resources": resources}
        await _make(place, "v1", "Receiver", name, hook)


async def _make(place: Stand, version: str, kind: str, name: str, spec: dict[str, Any]) -> None:
    body = {"apiVersion": f"notification.toolkit.fluxcd.io/{version}", "kind": kind, "metadata": {"name": name}}
    await place.api.apply(
        f"{KINDS.format(version)}/{kind.lower()}s/{name}", json.dumps({**body, "spec": spec}).encode()
    )


async def _work(place: Stand) -> None:
    """The engine's part, the same for both operators: each Kustomization is applied once."""
    revision = await fetch_source(place)
    for number in range(SYNC_COUNT):
        await first_sync(place, f"sync-{number:04}", f"./syncs/{number:04}", revision)


async def _hook_path(place: Stand) -> str:
    receivers = f"{KINDS.format('v1')}/receivers"
    await place.api.first(receivers, lambda item: item["metadata"]["name"] == "sync-0000" and "Ready" in _types(item))
    return str((await place.api.get(f"{receivers}/sync-0000"))["status"]["webhookPath"])


def _types(item: dict[str, Any]) -> set[str]:
    """The conditions that are true."""
    return {c["type"] for c in item.get("status", {}).get("conditions", ()) if c["status"] == "True"}


def _headers(delivery: str) -> dict[str, str]:
    """Those of a git host that tells of a push."""
    return {
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": f"sha256={hmac.new(TOKEN.encode(), BODY, hashlib.sha256).hexdigest()}",
        "Content-Type": "application/json",
    }


async def _begun(place: Stand, session: aiohttp.ClientSession, url: str, number: int) -> float:
    """Seconds from a call about a new commit until the operator looks at the repository."""
    place.repo.commit(files("syncs/0000", [config_map("default", "sync-0000", f"push-{number}")]), f"push {number}")
    await place.quiet()
    before = len(place.git.looks)
    began = time.monotonic()
    async with session.post(url, data=BODY, headers=_headers(f"push-{number}")) as answer:
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} {await answer.text()}")
    for _ in range(LOOKS):
        if len(place.git.looks) > before:
            return place.git.looks[before] - began
        await asyncio.sleep(0.001)
    raise RuntimeError("nobody looked at the repository that the call was about")


async def _calls(place: Stand, session: aiohttp.ClientSession, url: str) -> tuple[float, float]:
    """Processor seconds of the operator, and seconds on the clock, of all calls."""
    headers = _headers("once")
    todo = iter(range(CALLS))

    async def call() -> None:
        async with session.post(url, data=BODY, headers=headers) as answer:
            if answer.status != 200:
                raise RuntimeError(f"{answer.status} {await answer.text()}")

    async def work() -> None:
        for _ in todo:
            await call()

    await call()  # this one makes it look; all others repeat it
    await place.quiet()
    place.cpu()
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
    seconds = time.perf_counter() - began
    return place.cpu()["operator"], seconds


async def _scrape(session: aiohttp.ClientSession, address: str) -> None:
    for _ in range(3):
        async with session.get(f"http://{address}/metrics") as answer:
            await answer.read()


async def _told(session: aiohttp.ClientSession, sink: str) -> int:
    async with session.get(sink) as answer:
        return int((await answer.json())["bodies"])


async def _at_rest(place: Stand) -> float:
    await place.quiet()
    await asyncio.sleep(SECONDS_AT_REST)
    return resident_mb(place.operator.pid)
