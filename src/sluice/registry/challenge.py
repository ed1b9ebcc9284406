"""What a registry asks for before it answers (WWW-Authenticate), and whether a realm may be sent credentials. Pure.

Grammar: RFC 9110, 11.6.1; parameters: the distribution project's token authentication specification.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

MAX_HEADER = 8 * 1024
MAX_REALM = 2048

_SCHEME = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:[ \t]+|$)")
_PARAMETER = re.compile(r'([!#$%&\'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^\s,"]+)')
# Names below these belong to customers of one cloud, and the list of public suffixes does not say so.
_SHARED = (
    "amazonaws.com", "amazonaws.com.cn", "azurecr.io", "azurecr.cn", "azurecr.us", "azurecr.de", "pkg.dev",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to log in: `basic`, or `bearer` with the realm that gives out tokens for `service`."""

    scheme: str
    realm: str = ""
    service: str = ""


def read_challenge(headers: Iterable[str]) -> Challenge | None:
    """The best challenge of the WWW-Authenticate headers: a bearer token before a password; None when there is none."""
    found = [challenge for header in headers for challenge in _challenges(header[:MAX_HEADER])]
    bearers = [c for c in found if c.scheme == "bearer" and c.realm]
    return next(iter(bearers or [c for c in found if c.scheme == "basic"]), None)


def _challenges(header: str) -> Iterable[Challenge]:
    position = 0
    while match := _SCHEME.match(header, position):
        position = match.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, position):
            value = parameter[2]
            if value.startswith('"'):
                value = re.sub(r"\\(.)", r"\1", value[1:-1])
            parameters.setdefault(parameter[1].lower(), value)
            position = _after_comma(header, parameter.end())
        yield Challenge(match[1].lower(), parameters.get("realm", ""), parameters.get("service", ""))
        position = _after_comma(header, position)


def _after_comma(header: str, position: int) -> int:
    while position < len(header) and header[position] in " \t,":
        position += 1
    return position


def realm_fault(realm: str, registry: str, *, insecure: bool = False, named: frozenset[str] = frozenset()) -> str:
    """Why credentials for `registry` (host or host:port) must not go to `realm`; empty when they may.

    They may over https, to the registry's own host, to a host of the same registrable domain, and to hosts that the
    user named. `insecure` is said of a registry that is itself spoken to without TLS: then its own host may be http.
    """
    parts = _parsed(realm)
    if parts is None:
        return "it is not an absolute URL of a host"
    scheme, host, port = parts
    own = registry.rpartition(":")[0] if re.search(r":[0-9]+$", registry) else registry
    same = host == own.lower().strip("[]")
    if scheme != "https" and not (insecure and same):
        return "it is not an https URL"
    if same or host in named or f"{host}:{port}" in named:
        return ""
    if _is_address(host) or _is_address(own):
        return "it is another host than the registry"
    domain = registrable_domain(host)
    if not domain or _is_shared(host) or domain != registrable_domain(own.lower()):
        return "its host is neither the registry's nor of the same registrable domain"
    return ""


def _parsed(realm: str) -> tuple[str, str, int] | None:
    if len(realm) > MAX_REALM or not realm.isascii() or not realm.isprintable() or re.search(r'[\s"<>\\]', realm):
        return None
    try:
        parts = urlsplit(realm)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    if parts.scheme not in {"https", "http"} or not host or "@" in parts.netloc:
        return None
    return parts.scheme, host.rstrip("."), port


def _is_shared(host: str) -> bool:
    return any(host.endswith(f".{suffix}") for suffix in _SHARED)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def registrable_domain(host: str) -> str:
    """The part of a DNS name that somebody registered (`docker.io` of `auth.docker.io`); empty when there is none.

    By the list of public suffixes (publicsuffix.org). Names below an unknown top level (`.local`, a company's own) have
    none: there, anybody may be the neighbour.
    """
    return _public_suffixes().privatesuffix(host) or ""


@lru_cache(maxsize=1)
def _public_suffixes() -> PublicSuffixList:
    """Read when it is first needed: it takes 0.1 s and 2 MB, and most registries are their own realm."""
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(accept_unknown=False)
