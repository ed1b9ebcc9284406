"""The Kustomizations that are one transaction with another, for verbs that ask one of them and mean all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sluice.api.kinds import IN_GROUP
from sluice.cli.cluster import Cluster
from sluice.cli.kinds import SYNCS
from sluice.cli.lookup import list_items
from sluice.cli.view import View, view_of
from sluice.core.history import Past
from sluice.core.name_rules import label_name_fault


def group_name(annotations: Mapping[str, str]) -> str:
    """The group that these annotations name; empty for none, and for a name that no group can have."""
    name = annotations.get(IN_GROUP, "")
    return "" if not name or label_name_fault(name) else name


async def with_its_group(cluster: Cluster, view: View) -> list[View]:
    """`view`, and behind it the others of its group; one that is being deleted has left it. Raises ClusterError."""
    name = group_name(view.annotations) if view.kind is SYNCS else ""
    if not name:
        return [view]
    items = await list_items(cluster, SYNCS, view.namespace)
    there = [view_of(SYNCS, item) for item in items if not (item.get("metadata") or {}).get("deletionTimestamp")]
    others = [each for each in there if group_name(each.annotations) == name and each.name != view.name]
    return [view, *sorted(others, key=lambda each: each.name)]


def joint_past(pasts: Sequence[tuple[View, Sequence[Past]]]) -> tuple[Past, ...]:
    """What the first of a group was taken to; a revision that another member never was at did not take effect.

    The digest is of all of them: a commit that changed nothing of one may have changed another.
    """
    (_, first), *others = pasts
    known = [(view, {past.revision: past for past in reversed(each) if past.succeeded}) for view, each in others]
    found = []
    for past in first:
        absent = [view.reference for view, applied in known if past.revision not in applied]
        if past.succeeded and absent:
            found.append(replace(past, outcome=f"not in {', '.join(absent)}"))
            continue
        digests = [past.digest, *(applied[past.revision].digest for _, applied in known if past.succeeded)]
        found.append(replace(past, digest=" ".join(digests) if all(digests) else ""))
    return tuple(found)
