"""Where a URL's host leads: its addresses are looked up once, checked, and pinned for the connection that follows.

Pinning (curl's and ssh's own means, see `session`) is what makes the check hold: a name that answers differently the
second time, or a number in disguise, can't lead elsewhere.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable

from sluice.core.codes import REMOTE_UNREACHABLE, URL_BLOCKED
from sluice.core.errors import RemoteError, UserError
from sluice.core.git_url import GitUrl, blocked_reason
from sluice.core.problem import Problem


async def look_up(url: GitUrl, *, allow_loopback: bool, seconds: float) -> tuple[str, ...]:
    """The addresses of the URL's host, each checked, IPv4 first.

    Raises RemoteError when the name has none, UserError (UrlBlocked) when one must not be reached.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            found = await loop.getaddrinfo(url.host, url.effective_port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise _unknown(url, f"the name lookup did not end in {seconds:g} s") from None
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "the name is not valid"
        raise _unknown(url, reason) from None
    ordered = sorted(found, key=lambda entry: entry[0] != socket.AF_INET)
    addresses = tuple(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in ordered))
    check_addresses(url, addresses, allow_loopback=allow_loopback)
    return addresses


def check_addresses(url: GitUrl, addresses: Iterable[str], *, allow_loopback: bool) -> None:
    """Raise UserError (UrlBlocked) when one of the URL's addresses must not be reached; a name says nothing."""
    for address in addresses:
        try:
            reason = blocked_reason(address, allow_loopback=allow_loopback)
        except ValueError:
            continue  # a host name, which a proxy looks up
        if reason:
            title = f"git URL {str(url)!r} leads to an address that must not be reached"
            cause = f"{url.host} is {reason}" if url.host == address else f"{url.host} is {address}, {reason}"
            fix = "name a host that others can reach, too"
            raise UserError(Problem(URL_BLOCKED, title, field="spec.url", cause=cause, fix=fix))


def _unknown(url: GitUrl, cause: str) -> RemoteError:
    fix = "check the host name in spec.url, and the cluster's DNS"
    return RemoteError(Problem(REMOTE_UNREACHABLE, f"host {url.host!r} is not known", cause=cause, fix=fix))
