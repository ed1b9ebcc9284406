"""What the cluster's nodes run: of an image for several platforms, those are looked at besides linux/amd64."""

from __future__ import annotations

import structlog

from sluice.core.errors import SluiceError
from sluice.core.live import LiveMeta
from sluice.kube.client import KubeClient
from sluice.kube.well_known import NODES
from sluice.registry.manifest import LINUX_AMD64, Platform

OS, ARCHITECTURE = "kubernetes.io/os", "kubernetes.io/arch"
log = structlog.get_logger()


async def node_platforms(client: KubeClient) -> tuple[Platform, ...]:
    """linux/amd64 first, as for fluxd, then what the kubelets' labels say; the first alone where nodes can't be listed.

    One list of metadata. Nodes of another kind that join later are known after the next start.
    """
    try:
        nodes = (await client.list_metadata(NODES)).items
    except SluiceError as error:
        log.warning("only images for linux/amd64 are looked for", error=str(error))
        return LINUX_AMD64
    found = {platform for node in nodes if (platform := _platform(node)) is not None}
    return (*LINUX_AMD64, *sorted(found - set(LINUX_AMD64), key=str))


def _platform(node: LiveMeta) -> Platform | None:
    system, architecture = node.labels.get(OS), node.labels.get(ARCHITECTURE)
    return Platform(system, architecture) if system and architecture else None
