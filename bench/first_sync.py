"""`first_sync`: 1,001 new objects, from the Kustomization's creation (source fetched before) to Ready=True.

Reference: the same objects applied raw, 16 requests in flight, to the same API server. A round is a fresh cluster and a
fresh operator; who goes first changes from round to round, after the control plane has come to rest; medians of three
rounds. `kubectl apply --server-side` of the same files (its discovery cache warm) stands beside it.
"""

from __future__ import annotations

import asyncio
import time
from statistics import median

from bench.figure import Figure, rounds
from bench.objects import files, mixed
from bench.stand import Stand, Tracing, stand
from bench.sync import fetch_source, first_sync

ROUNDS = 3
_ORDERS = (("raw", "sluice", "kubectl"), ("sluice", "kubectl", "raw"), ("kubectl", "raw", "sluice"))


async def measure(tracing: Tracing) -> list[Figure]:
    """Run the rounds."""
    took: dict[str, list[float]] = {"raw": [], "sluice": [], "kubectl": []}
    spent: dict[str, list[dict[str, float]]] = {"raw": [], "sluice": [], "kubectl": []}
    for number in range(ROUNDS):
        async with stand(f"first_sync-{number}", files("objects", mixed("sluice")), tracing=tracing) as place:
            revision = await fetch_source(place)
            for who in _ORDERS[number % len(_ORDERS)]:
                await place.quiet()
                place.cpu()
                took[who].append(await _run(who, place, revision))
                spent[who].append(place.cpu())
    value, raw, kubectl = (median(took[who]) for who in ("sluice", "raw", "kubectl"))
    return [
        Figure(
            "first_sync",
            value,
            "s",
            raw,
            (
                f"reference: raw server-side apply; rounds {rounds(took['sluice'])}, raw {rounds(took['raw'])}",
                f"kubectl apply --server-side: {kubectl:.2f} s, ratio {value / kubectl:.2f}; "
                + rounds(took["kubectl"]),
                f"CPU seconds: {_cpu(spent['sluice'])}; of the API server for raw {_cpu(spent['raw'])}",
            ),
        )
    ]


async def _run(who: str, place: Stand, revision: str) -> float:
    if who == "raw":
        return await place.api.apply_all(mixed("raw"))
    if who == "sluice":
        return await first_sync(place, "objects", "./objects", revision)
    folder = place.folder / "kubectl"
    folder.mkdir()
    for body in mixed("kubectl"):
        (folder / body.file).write_text(body.text)
    await asyncio.to_thread(place.cluster.kubectl, "api-resources")
    began = time.monotonic()
    await asyncio.to_thread(place.cluster.kubectl, "apply", "--server-side", "-f", str(folder))
    return time.monotonic() - began


def _cpu(spent: list[dict[str, float]]) -> str:
    """The CPU seconds of each process, medians of the rounds."""
    return ", ".join(f"{name} {median(one[name] for one in spent):.2f}" for name in spent[0])
