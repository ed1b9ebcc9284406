"""azureeventhub: the event as one of an Event Hub, by its REST API.

With a connection string for an address its key signs a login for this hub; else the address is the hub's name, the
channel its namespace, and `token` of the Secret the login (a JWT), as in Flux.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from urllib.parse import quote, urlsplit

import msgspec

from sluice.core.event import Event
from sluice.notify.message import Request, Target, bearer

DOMAIN = "servicebus.windows.net"
CONTENT = "application/atom+xml;type=entry;charset=utf-8"
LIFETIME = 600
_FORM = "a connection string with Endpoint, SharedAccessKeyName, SharedAccessKey and EntityPath, or a hub's name"
_NAME = re.compile(r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,254})$")


def azureeventhub(event: Event, target: Target) -> tuple[Request, ...]:
    """One event."""
    base, login = _with_key(target) if "SharedAccessKey" in target.address else _with_token(target)
    url = f"{base}/messages?timeout=60&api-version=2014-01"
    return (Request(url, msgspec.json.encode(event), headers=login, content_type=CONTENT),)


def _with_token(target: Target) -> tuple[str, dict[str, str]]:
    namespace = target.need_channel("the namespace of the event hub")
    if not _NAME.match(namespace) or "." in namespace:
        target.refuse_channel("the name of a namespace")
    if not _NAME.match(target.address):
        target.refuse_address(_FORM)
    return f"https://{namespace}.{DOMAIN}/{target.address}", bearer(target.need_token())


def _with_key(target: Target) -> tuple[str, dict[str, str]]:
    parts = dict(part.partition("=")[::2] for part in target.address.split(";"))
    name, key, hub = (parts.get(each, "") for each in ("SharedAccessKeyName", "SharedAccessKey", "EntityPath"))
    endpoint = _endpoint(parts.get("Endpoint", ""))
    if not endpoint or not name or not key or not _NAME.match(hub):
        target.refuse_address(_FORM)
    # Microsoft's emulator, which says so in its connection strings, has no certificate.
    scheme = "http" if parts.get("UseDevelopmentEmulator") == "true" else "https"
    base = f"{scheme}://{endpoint}/{hub}"
    until = str(int(target.at) + LIFETIME)
    resource = quote(base, safe="")
    signature = hmac.new(key.encode(), f"{resource}\n{until}".encode(), hashlib.sha256).digest()
    login = f"sr={resource}&sig={quote(base64.b64encode(signature), safe='')}&se={until}&skn={quote(name, safe='')}"
    return base, {"Authorization": f"SharedAccessSignature {login}"}


def _endpoint(text: str) -> str:
    """Host and port of `sb://host/`; empty when it is none."""
    try:
        url = urlsplit(text)
        usable = url.scheme == "sb" and bool(url.hostname) and (url.port or 1) > 0 and "@" not in url.netloc
    except ValueError:
        return ""
    return url.netloc if usable else ""
