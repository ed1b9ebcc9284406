"""All clouds with one connection pool: what wiring opens and hands to accesses."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

from sluice.core.codes import OBJECT_IDENTITY_OFF
from sluice.core.errors import UserError
from sluice.core.problem import Problem
from sluice.registry.access import TokenExchange
from sluice.registry.cloud.account import CloudAccount
from sluice.registry.cloud.aws_identity import AwsIdentity, AwsRole
from sluice.registry.cloud.azure import Azure, AzurePrincipal
from sluice.registry.cloud.ecr import Ecr, EcrFilter
from sluice.registry.cloud.exchange import Cloud, CloudClient, CloudLogins
from sluice.registry.cloud.google import Google
from sluice.registry.cloud.google_federation import GoogleFederation
from sluice.registry.limits import RegistryLimits, RegistryPolicy
from sluice.registry.proxy_rules import NO_PROXIES, ProxyRules
from sluice.registry.transport import Transport

MOST_ACCOUNTS = 1000
# A metadata service that is not there must not hold a scan up.
LIMITS = RegistryLimits(request_seconds=20.0, connect_seconds=3.0)


class Clouds:
    """The exchanges of AWS, Azure and Google with the operator's own identity. Use it with `async with`.

    `environment` is the operator's; `ecr` says which registries of AWS logins are asked for; `principal` is what a
    cluster's `azure.json` names; `of_objects` allows the identities of ServiceAccounts, by tokens of Kubernetes.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        ecr: EcrFilter | None = None,
        principal: AzurePrincipal | None = None,
        proxies: ProxyRules = NO_PROXIES,
        user_agent: str = "sluice",
        of_objects: bool = False,
    ) -> None:
        # Not for http: metadata services are reached directly, whatever the variables say.
        policy = RegistryPolicy(proxies=replace(proxies, http=""))
        self._transport = Transport(policy, LIMITS, user_agent, any_address=True)
        client = self._client = CloudClient(self._transport)
        self._environment, self._ecr, self._of_objects = environment, ecr, of_objects
        aws = Ecr(client, AwsIdentity(client, environment), only=ecr)
        clouds = (aws, Azure(client, environment, principal=principal), Google(client, environment))
        self._logins = {cloud.name: CloudLogins(cloud) for cloud in clouds}
        self._of_accounts: OrderedDict[str, CloudLogins] = OrderedDict()

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    def every(self) -> tuple[TokenExchange, ...]:
        """All, as fluxd tries them: whichever serves an image's host."""
        return tuple(self._logins.values())

    def of(self, provider: str) -> tuple[TokenExchange, ...]:
        """Those of an ImageRepository's `spec.provider`: `aws`, `azure`, `gcp`; none for `generic`."""
        found = self._logins.get(provider)
        return () if found is None else (found,)

    def of_account(self, provider: str, account: CloudAccount) -> tuple[TokenExchange, ...]:
        """The same with the identity of a ServiceAccount in place of the operator's.

        Raises UserError (ObjectIdentityOff) where the operator does not allow that: its own is no substitute.
        """
        if provider not in self._logins:
            return ()
        if not self._of_objects:
            raise UserError(_off(account))
        name = f"{provider} {account.identity}"
        if name not in self._of_accounts:
            self._of_accounts[name] = CloudLogins(self._cloud_of(provider, account), name=name)
            while len(self._of_accounts) > MOST_ACCOUNTS:
                self._of_accounts.popitem(last=False)
        return (self._of_accounts[name],)

    def _cloud_of(self, provider: str, account: CloudAccount) -> Cloud:
        match provider:
            case "aws":
                return Ecr(self._client, AwsRole(self._client, account), only=self._ecr)
            case "azure":
                return Azure(self._client, self._environment, account=account)
            case _:
                federation = GoogleFederation(self._client, self._environment, account)
                return Google(self._client, self._environment, federation=federation)


def _off(account: CloudAccount) -> Problem:
    title = f"the identity of ServiceAccount {account.namespace}/{account.name} in its cloud is not used"
    fix = "start the operator with --feature-gates=ObjectLevelWorkloadIdentity=true, or remove one of the two fields"
    cause = "spec.provider with spec.serviceAccountName asks for it, and the operator does not allow it"
    return Problem(OBJECT_IDENTITY_OFF, title, field="spec.serviceAccountName", cause=cause, fix=fix)
