"""Which hosts are this machine itself, by their names alone."""

from __future__ import annotations

import ipaddress


def is_local(host: str) -> bool:
    """True for `localhost` and loopback addresses, with or without a port; also as a Host header has them.

    >>> is_local("127.0.0.1:3030"), is_local("[::1]:80"), is_local("localhost.example.com")
    (True, True, False)
    """
    name, _, port = host.rpartition(":")
    bare = (name if name and port.isdecimal() and not name.endswith(":") else host).strip("[]").lower()
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False
