"""What an operator that runs by flags alone has applied: there is no Kustomization, so its record is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sluice.cli.cluster import Cluster
from sluice.cli.kinds import SYNCS
from sluice.cli.lookup import find_views
from sluice.cli.past import recorded_in
from sluice.cli.view import View, view_of
from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.history import Past, last_success
from sluice.reconcilers.flag_mode import FLAG_NAMESPACE


@dataclass(frozen=True, slots=True)
class FlagSync:
    """A sync that exists in flags only. `view` has its name and the revision that is in the cluster."""

    view: View
    past: tuple[Past, ...]


async def find_sync(cluster: Cluster, names: Sequence[str]) -> View | FlagSync:
    """The Kustomization of that name, or else what flags know by it in the record of that namespace's operator.

    Raises UserError (TargetMissing, NotInstalled) where neither is there.
    """
    try:
        [view] = await find_views(cluster, SYNCS, names)
    except UserError as error:
        if error.problems[0].code not in {codes.TARGET_MISSING, codes.NOT_INSTALLED}:
            raise
        past = await recorded_in(cluster, cluster.namespace, f"{FLAG_NAMESPACE}/{names[0]}")
        if not past:
            raise
        return FlagSync(_view(names[0], cluster.namespace, past), past)
    return view


def _view(name: str, namespace: str, past: tuple[Past, ...]) -> View:
    applied = last_success(past)
    status = {"lastAppliedRevision": applied.revision} if applied is not None else {}
    return view_of(SYNCS, {"metadata": {"name": name, "namespace": namespace}, "spec": {}, "status": status})
