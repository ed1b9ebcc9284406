"""The service account of each sync: the one that its spec names, or the one that the operator was started with."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.api.kustomization import Kustomization
from sluice.core.plan import Owner
from sluice.reconcilers.operator import Objects


class Accounts:
    """Answers for any owner. What it has once said of a sync holds on while the sync can't be seen.

    An undo, or a turn that is under way, may outlive its Kustomization: it must not get other rights by that.
    """

    def __init__(self, syncs: Objects[Kustomization], default: str = "") -> None:
        self._syncs = syncs
        self._default = default
        self._known: dict[Owner, str] = {}

    def of(self, owner: Owner) -> str:
        """The account's name, in the sync's namespace; empty for the operator's own rights."""
        sync = self._syncs.get(owner.namespace, owner.name)
        if sync is None:
            return self._known.get(owner, self._default)
        account = self._known[owner] = sync.spec.serviceAccountName or self._default
        return account

    def recall(self, recorded: Mapping[Owner, str]) -> None:
        """A process before this one knew these."""
        for owner, account in recorded.items():
            self._known.setdefault(owner, account)
