"""What the operator says of images that their annotations automate: why it leaves one as it is."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.cli.cluster import Cluster
from sluice.cli.installation import operator_namespace
from sluice.core.errors import ClusterError
from sluice.kube.well_known import CONFIG_MAPS
from sluice.reconcilers.automation_memory import NAME, decode_memories

# A workload and its container → the reason.
Reasons = Mapping[tuple[str, str], str]


async def operator_reasons(cluster: Cluster) -> Reasons:
    """What it has written down; nothing for who may not read that, and where nothing is automated so."""
    try:
        raw = await cluster.client.get(CONFIG_MAPS, await operator_namespace(cluster), NAME)
    except ClusterError as error:
        if error.status != 403:
            raise
        return {}
    memories = decode_memories(raw).values() if raw is not None else ()
    return {(told.workload, told.container): told.reason for memory in memories for told in memory.images}
