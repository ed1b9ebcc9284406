"""What requests to registries may use, and where they may go; `settings.py` fills these from flags."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.registry.proxy_rules import NO_PROXIES, ProxyRules


@dataclass(frozen=True, slots=True)
class RegistryPolicy:
    """Where connections and credentials may go. In-cluster registries have private addresses: those are allowed.

    `insecure_hosts` (host or host:port) are spoken to without checking their certificate, and over http when they do
    not speak TLS. `realm_hosts` may be sent any registry's credentials, for a registry whose tokens come from a host
    of another domain. `proxies` are for requests whose access names none.
    """

    allow_loopback: bool = False
    insecure_hosts: frozenset[str] = frozenset()
    realm_hosts: frozenset[str] = frozenset()
    proxies: ProxyRules = NO_PROXIES


@dataclass(frozen=True, slots=True)
class RegistryLimits:
    """Bytes, counts, seconds, and requests per second and host.

    `rate` and `burst` are fluxd's `--registry-rps` and Helm chart's `registry.burst`; `parallel` is how many requests
    one host gets at once. `patience` is the longest wait that a registry may ask for before a scan is given up.
    """

    request_seconds: float = 60.0
    connect_seconds: float = 10.0
    page_bytes: int = 32 << 20
    manifest_bytes: int = 4 << 20
    config_bytes: int = 8 << 20
    token_bytes: int = 1 << 20
    tags: int = 200_000
    pages: int = 2_000
    redirects: int = 3
    rate: float = 50.0
    burst: int = 125
    parallel: int = 10
    patience: float = 5.0


DEFAULT_POLICY = RegistryPolicy()
DEFAULT_LIMITS = RegistryLimits()
