"""All clouds with one connection pool: what wiring opens and hands to accesses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

from sluice.registry.access import TokenExchange
from sluice.registry.cloud.aws_identity import AwsIdentity
from sluice.registry.cloud.azure import Azure, AzurePrincipal
from sluice.registry.cloud.ecr import Ecr, EcrFilter
from sluice.registry.cloud.exchange import CloudClient, CloudLogins
from sluice.registry.cloud.google import Google
from sluice.registry.limits import RegistryLimits, RegistryPolicy
from sluice.registry.proxy_rules import NO_PROXIES, ProxyRules
from sluice.registry.transport import Transport

# A metadata service that is not there must not hold a scan up.
LIMITS = RegistryLimits(request_seconds=20.0, connect_seconds=3.0)


class Clouds:
    """The exchanges of AWS, Azure and Google with the operator's own identity. Use it with `async with`.

    `environment` is the operator's; `ecr` says which registries of AWS logins are asked for; `principal` is what a
    cluster's `azure.json` names.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        ecr: EcrFilter | None = None,
        principal: AzurePrincipal | None = None,
        proxies: ProxyRules = NO_PROXIES,
        user_agent: str = "sluice",
    ) -> None:
        # Not for http: metadata services are reached directly, whatever the variables say.
        policy = RegistryPolicy(proxies=replace(proxies, http=""))
        self._transport = Transport(policy, LIMITS, user_agent, any_address=True)
        client = CloudClient(self._transport)
        aws = Ecr(client, AwsIdentity(client, environment), only=ecr)
        clouds = (aws, Azure(client, environment, principal=principal), Google(client, environment))
        self._logins = {cloud.name: CloudLogins(cloud) for cloud in clouds}

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
