"""The label on the pod that leads, by which fluxctl finds the one to talk to.

fluxctl looks for `app=flux`. No pod has the label `app` otherwise: Deployment and Services select ours by another.
"""

from __future__ import annotations

import asyncio

import msgspec
import structlog

from sluice.core.errors import ClusterError
from sluice.core.ids import NamespacedName
from sluice.kube.client import KubeClient
from sluice.kube.well_known import PODS

LABEL, VALUE = "app", "flux"
MANAGER = "sluice"
SECONDS = 3.0  # also on the way out, when the lease is to be given back
log = structlog.get_logger()


async def mark_leader(client: KubeClient, pod: NamespacedName, *, leads: bool) -> None:
    """Put the label on our own pod, or take it off. Where that can't be done only fluxctl's own search is in vain."""
    patch = {"metadata": {"labels": {LABEL: VALUE if leads else None}}}
    try:
        async with asyncio.timeout(SECONDS):
            await client.merge_patch(PODS, pod.namespace, pod.name, msgspec.json.encode(patch), manager=MANAGER)
    except (ClusterError, TimeoutError) as error:
        log.warning("fluxctl will not find this pod by itself", pod=str(pod), error=str(error))
