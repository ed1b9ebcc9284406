"""Which other Kustomizations a preview has to know: those of its group, and those that share objects with it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sluice.api.kustomization import Kustomization
from sluice.cli.cluster import Cluster
from sluice.cli.kinds import SYNCS
from sluice.cli.lookup import list_items
from sluice.core.artifact import Artifact
from sluice.core.errors import ClusterError
from sluice.reconcilers.flag_mode import FlagObjects
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.sync_facts import group_of, owner_of, source_of


async def neighbours(cluster: Cluster, sync: Kustomization) -> list[Kustomization]:
    """`sync` as it is given, and beside it those of its group or its source, by name.

    Who may not list them sees a single sync's plan without them; of a group nothing is said then. Raises ClusterError.
    """
    try:
        items = await list_items(cluster, SYNCS, sync.metadata.namespace)
    except ClusterError as error:
        if error.status != 403 or group_of(sync) is not None:
            raise
        return [sync]
    found = {owner_of(sync): sync}
    for item in items:
        try:
            other = msgspec.convert(item, Kustomization)
        except msgspec.ValidationError:
            continue  # the operator knows nothing of it, either
        if source_of(other) == source_of(sync) or (group_of(sync) is not None and group_of(other) == group_of(sync)):
            found.setdefault(owner_of(other), other)
    return sorted(found.values(), key=lambda each: each.metadata.name)


def know(operator: Operator, syncs: Sequence[Kustomization], artifact: Artifact | None) -> None:
    """Let plans see what moves between `syncs`, at `artifact`; None where that is not what all of them read."""
    if artifact is None:
        return
    operator.kustomizations = FlagObjects(syncs)
    operator.artifacts.put(artifact)
    for sync in syncs:
        operator.doubts.cast(owner_of(sync))
