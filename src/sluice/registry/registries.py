"""The way to every registry: connections, tokens, paces and what was learned of each host, shared by all repositories.

`open` gives the client of one repository with the logins of one access. Nothing is sent by opening.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from sluice.core.image import DOCKER_HUB, ImageRef
from sluice.registry.access import ANONYMOUS, RegistryAccess
from sluice.registry.connection import Connection, Host
from sluice.registry.limiter import HostLimiter
from sluice.registry.limits import DEFAULT_LIMITS, DEFAULT_POLICY, RegistryLimits, RegistryPolicy
from sluice.registry.repository import Repository
from sluice.registry.tokens import TokenCache
from sluice.registry.transport import Transport

HUB_HOST = "registry-1.docker.io"
MAX_HOSTS = 1_000


class Registries:
    """Clients of repositories. Use it with `async with`; `user_agent` names us to registries."""

    def __init__(
        self,
        *,
        policy: RegistryPolicy = DEFAULT_POLICY,
        limits: RegistryLimits = DEFAULT_LIMITS,
        user_agent: str = "sluice",
    ) -> None:
        self.policy = policy
        self.limits = limits
        self._transport = Transport(policy, limits, user_agent)
        self._tokens = TokenCache(self._transport, limits, policy.realm_hosts)
        self._limiters: dict[str, HostLimiter] = {}
        self._hosts: dict[tuple[str, str], Host] = {}

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    def open(self, image: ImageRef, access: RegistryAccess = ANONYMOUS) -> Repository:
        """The client of the repository of `image`; tag and digest of the reference do not matter."""
        host = HUB_HOST if image.host == DOCKER_HUB else image.host.lower()
        known = self._host(host, access)
        return Repository(Connection(self._transport, self._tokens, self.limits, image, access, known))

    def _host(self, name: str, access: RegistryAccess) -> Host:
        """What one access has learned of a host, so that one namespace's settings do not become another's."""
        key = (name, access.digest())
        if key not in self._hosts:
            if len(self._hosts) >= MAX_HOSTS:
                del self._hosts[next(iter(self._hosts))]
            named = self.policy.insecure_hosts
            insecure = access.insecure or name in named or name.partition(":")[0] in named
            self._hosts[key] = Host(name, self._limiter(name), insecure)
        return self._hosts[key]

    def _limiter(self, name: str) -> HostLimiter:
        """The pace of a host, whoever asks it."""
        if name not in self._limiters:
            if len(self._limiters) >= MAX_HOSTS:
                del self._limiters[next(iter(self._limiters))]
            self._limiters[name] = HostLimiter(name, self.limits)
        return self._limiters[name]
