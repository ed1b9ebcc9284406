"""Which addresses notifications may be sent to: whoever may make a Provider chooses where our requests go.

Addresses of the public network are allowed; those of private networks, of the cluster and of the machine only where
the operator's flags name them; those that hold credentials of a machine or a cloud account never.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TypeAlias

from sluice.core.git_url import blocked_reason, embedded_ipv4

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
FLAG = "--egress-allow"
_NUMBER = re.compile(r"^(?:0[xX][0-9a-fA-F]*|[0-9]+)$")
_HOST = re.compile(r"^(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?$")


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """What the flags allow beyond the public network: networks, and names of hosts (`*.x` is all below `x`)."""

    networks: tuple[Network, ...] = ()
    hosts: tuple[str, ...] = ()

    def refusal(self, host: str, address: str) -> str:
        """Why `address`, which `host` resolves to, must not be connected to; empty when it may.

        Raises ValueError when it is no address.
        """
        reason = blocked_reason(address, allow_loopback=True)
        if reason:
            return reason
        ip = ipaddress.ip_address(address.partition("%")[0])
        ip = embedded_ipv4(ip) or ip
        if ip.is_global or self._allows(host) or any(ip.version == n.version and ip in n for n in self.networks):
            return ""
        return f"an address of a private network, which {FLAG} does not name"

    def _allows(self, host: str) -> bool:
        name = host.lower().removesuffix(".")
        return any(name.endswith(entry[1:]) if entry.startswith("*.") else name == entry for entry in self.hosts)


def is_number(host: str) -> bool:
    """True for what no DNS name is, but C libraries read as an address: 127.1, 0x7f000001, 2130706433, 0177.0.0.1.

    Those are looked up by nobody who could check them. Whether it is written as addresses are is not asked.
    """
    return _NUMBER.match(host.removesuffix(".").rpartition(".")[2]) is not None


def parse_egress(entries: tuple[str, ...]) -> EgressPolicy:
    """Read the flag's values: networks (10.0.0.0/8), addresses, host names. Raises ValueError naming the bad one.

    >>> parse_egress(("10.96.0.0/12", "*.monitoring.svc.cluster.local")).hosts
    ('*.monitoring.svc.cluster.local',)
    """
    networks: list[Network] = []
    hosts: list[str] = []
    for entry in entries:
        text = entry.strip().lower().removesuffix(".")
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError:
            if "/" in text or ":" in text or not _HOST.match(text):
                raise ValueError(f"{entry[:100]!r} is neither a network nor a host name") from None
            hosts.append(text)
    return EgressPolicy(tuple(networks), tuple(hosts))
