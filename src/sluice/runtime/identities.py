"""As whom the objects of each sync are read and written: as the operator itself, or as a service account.

An account counts in the namespace of its sync and nowhere else, and there is no way from it back to our own rights: a
sync that names an account which does not exist is refused. Records, status, events, leases, watches and discovery stay
the operator's own; see `docs/how-to/separate-tenants.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from sluice.core import codes
from sluice.core.errors import NotReady
from sluice.core.ids import ResourceId
from sluice.core.name_rules import is_account_name
from sluice.core.plan import Owner
from sluice.core.problem import Problem, printable
from sluice.core.shares import Shares
from sluice.kube.client import KubeClient
from sluice.kube.well_known import SERVICE_ACCOUNTS

ClientOf = Callable[[ResourceId], KubeClient]


class AccountNames(Protocol):
    """Which account each sync has."""

    def of(self, owner: Owner) -> str:
        """Its name; empty for the operator's own rights."""
        ...

    def recall(self, recorded: Mapping[Owner, str]) -> None:
        """Syncs that can't be seen any more had these when what is to be ended was begun."""
        ...


class NoAccounts:
    """Everything is done as the operator."""

    def of(self, owner: Owner) -> str:
        """None."""
        return ""

    def recall(self, recorded: Mapping[Owner, str]) -> None:
        """Nothing to recall."""


class Identities:
    """One for all syncs."""

    def __init__(self, client: KubeClient, accounts: AccountNames | None = None) -> None:
        self._client = client
        self._accounts = accounts or NoAccounts()
        self._clients: dict[str, KubeClient] = {}

    def client(self, owner: Owner) -> KubeClient:
        """What acts for that sync. It never acts as the operator for a sync that names an account.

        Raises NotReady (AccountMissing) for a name that no account can have.
        """
        account = self._accounts.of(owner)
        if not account:
            return self._client
        if not is_account_name(account):
            raise NotReady(_missing(owner, account))
        user = f"system:serviceaccount:{owner.namespace}:{account}"
        if user not in self._clients:
            self._clients[user] = self._client.impersonating(user)
        return self._clients[user]

    def account(self, owner: Owner) -> str:
        """As whom that sync acts; empty for the operator itself."""
        return self._accounts.of(owner)

    def recall(self, shares: Shares) -> None:
        """Before a recorded transaction is ended: members that are gone act as the accounts that they had in it."""
        self._accounts.recall(shares.accounts)

    def of_shares(self, shares: Shares) -> ClientOf:
        """What acts for the sync that each object of a transaction is of."""
        return lambda resource: self.client(shares.owner_of(resource))

    async def exists(self, owner: Owner) -> bool:
        """True when the sync's account is there, or it needs none. Raises ClusterError when that can't be told."""
        account = self._accounts.of(owner)
        if account and not is_account_name(account):
            return False
        # A binding outlives its account, and the API server lets one be impersonated that does not exist.
        return not account or await self._client.get_metadata(SERVICE_ACCOUNTS, owner.namespace, account) is not None

    async def check(self, owners: Iterable[Owner]) -> None:
        """Return when all accounts are there. Raises NotReady (AccountMissing), ClusterError."""
        missing = [owner for owner in owners if not await self.exists(owner)]
        if missing:
            raise NotReady(*(_missing(owner, self._accounts.of(owner)) for owner in missing))


def _missing(owner: Owner, account: str) -> Problem:
    return Problem(
        codes.ACCOUNT_MISSING,
        f"ServiceAccount {owner.namespace}/{printable(account)} does not exist, so nothing is done as it",
        subject=ResourceId("kustomize.toolkit.fluxcd.io", "Kustomization", owner.namespace, owner.name),
        field="spec.serviceAccountName",
        cause="objects are applied as the account that is named there, and never with other rights in its place",
        fix=f"create it (kubectl create serviceaccount {printable(account)} -n {owner.namespace}), or correct the name",
    )
