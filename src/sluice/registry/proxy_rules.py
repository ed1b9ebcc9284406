"""Which proxy a request goes through by HTTPS_PROXY, HTTP_PROXY and NO_PROXY, read as Go's clients do. Pure.

The lower-case names count before the upper-case ones. NO_PROXY is a list of host names (which stand for their
subdomains too; with a leading dot, for these alone), addresses, networks, each with an optional port, or `*`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from yarl import URL

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.git_url import is_loopback
from sluice.core.problem import Problem

MAX_RULES = 1_000


@dataclass(frozen=True, slots=True)
class ProxyRules:
    """Proxies by scheme of the request (they may hold a password), and the hosts that are reached directly."""

    https: str = field(default="", repr=False)
    http: str = field(default="", repr=False)
    direct: tuple[str, ...] = ()

    def proxy_of(self, url: URL) -> str:
        """The proxy for a URL; empty for none. This machine is always reached directly."""
        proxy = self.https if url.scheme == "https" else self.http
        host = (url.host or "").lower()
        if not proxy or is_loopback(host) or any(_covers(rule, host, url.port or 0) for rule in self.direct):
            return ""
        return proxy


NO_PROXIES = ProxyRules()


def proxy_rules(environment: Mapping[str, str]) -> ProxyRules:
    """Read the variables. Raises UserError when one names no http or https proxy; its value is not shown."""
    direct = [rule.strip().lower() for rule in _variable(environment, "NO_PROXY").split(",")[:MAX_RULES]]
    return ProxyRules(
        _proxy(environment, "HTTPS_PROXY"), _proxy(environment, "HTTP_PROXY"), tuple(rule for rule in direct if rule)
    )


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name.lower()) or environment.get(name, "")


def _proxy(environment: Mapping[str, str], name: str) -> str:
    text = _variable(environment, name).strip()
    if not text:
        return ""
    text = text if "://" in text else f"http://{text}"
    try:
        url = URL(text)
        usable = url.scheme in {"http", "https"} and bool(url.host) and bool(url.port)
    except ValueError:
        usable = False
    if not usable or re.search(r"\s", text):
        title = f"{name} names no proxy that can be used for registries"
        fix = "write http://host:port, or leave it out"
        raise UserError(Problem(codes.REGISTRY_CREDENTIALS, title, field=name, fix=fix))
    return text


def _covers(rule: str, host: str, port: int) -> bool:
    if rule == "*":
        return True
    name, colon, wanted = rule.rpartition(":") if re.search(r"[^:]:[0-9]+$|\]:[0-9]+$", rule) else (rule, "", "")
    if colon and wanted != str(port):
        return False
    name = name.strip("[]")
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
    except ValueError:
        pass  # one of them is a name
    name = name.removeprefix("*")
    return host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")
