"""A Provider and its Secrets → where and how to send: read when something is sent, kept for some seconds."""

from __future__ import annotations

import contextlib
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import msgspec

from sluice.api.provider import GIT_HOST_TYPES, Provider
from sluice.api.validate_notification import provider_id
from sluice.core import codes
from sluice.core.duration import parse_duration
from sluice.core.errors import UserError
from sluice.core.ids import NamespacedName
from sluice.core.problem import Problem
from sluice.core.yaml_read import read_documents
from sluice.kube.client import KubeClient
from sluice.notify.limits import DEFAULT_LIMITS
from sluice.notify.message import Target
from sluice.notify.transport import Route
from sluice.reconcilers.secret_data import secret_data
from sluice.registry.access import Trust, proxy_of_secret, trust_of_secret

# So long may a change of a Secret stay unnoticed, when what it held before is still accepted.
KEEP_SECONDS = 10.0
MAX_ADDRESS = 2048
MAX_HEADERS = 50
_HEADER_NAME = re.compile(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to send, and how to get there."""

    target: Target
    route: Route


class Destinations:
    """Those that were read a moment ago; a storm of events does not read a Secret for each."""

    def __init__(self, client: KubeClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._kept: dict[NamespacedName, tuple[str, float, Destination]] = {}

    async def of(self, provider: Provider) -> Destination:
        """Raises UserError for Secrets that can't be used, AuthenticationFailed for a missing one, ClusterError."""
        meta = provider.metadata
        kept = self._kept.get(meta.key)
        if kept is not None and kept[0] == meta.resourceVersion and self._clock() < kept[1]:
            return kept[2]
        found = await _read(self._client, provider)
        self._kept[meta.key] = (meta.resourceVersion, self._clock() + KEEP_SECONDS, found)
        return found

    def forget(self, key: NamespacedName) -> bool:
        """Read it anew the next time; false when that would have been done anyway."""
        return self._kept.pop(key, None) is not None


async def _read(client: KubeClient, provider: Provider) -> Destination:
    spec, namespace, subject = provider.spec, provider.metadata.namespace, provider_id(provider)
    target = Target(spec.type, spec.address, spec.channel, spec.username, provider_uid=provider.metadata.uid)
    seconds = parse_duration(spec.timeout) if spec.timeout else DEFAULT_LIMITS.attempt_seconds
    proxy, tls = spec.proxy, None
    if spec.secretRef is not None:
        data = await secret_data(client, namespace, spec.secretRef.name, subject=subject, field="spec.secretRef.name")
        target = _with_secret(target, data.values)
        proxy = _text(data.values, "proxy") or proxy
        if spec.type in GIT_HOST_TYPES and {"ca.crt", "caFile"} & data.values.keys():
            tls = _context(trust_of_secret(data.values))
    if spec.proxySecretRef is not None:
        name = spec.proxySecretRef.name
        data = await secret_data(client, namespace, name, subject=subject, field="spec.proxySecretRef.name")
        proxy = proxy_of_secret(data.values)
    if spec.certSecretRef is not None:
        name = spec.certSecretRef.name
        data = await secret_data(client, namespace, name, subject=subject, field="spec.certSecretRef.name")
        tls = _context(trust_of_secret(data.values))
    return Destination(target, Route(tls, proxy, seconds))


def _context(trust: Trust) -> ssl.SSLContext:
    return trust.context(verify=True, own_host=True)


def _with_secret(target: Target, data: Mapping[str, bytes]) -> Target:
    """What the Secret says goes before what the spec says."""
    address = _text(data, "address")
    if len(address) > MAX_ADDRESS:
        raise _unusable(f"its `address` has more than {MAX_ADDRESS} characters", "shorten it")
    return replace(
        target,
        address=address or target.address,
        username=_text(data, "username") or target.username,
        password=_text(data, "password"),
        token=_compact(data, "token"),
        creds=_lines(data, "creds"),
        nkey=_text(data, "nkey"),
        headers=_headers(data.get("headers", b"")),
    )


def _text(data: Mapping[str, bytes], key: str) -> str:
    try:
        text = data.get(key, b"").decode().strip()
    except UnicodeDecodeError:
        text = "\0"
    if text and not text.isprintable():
        raise _unusable(f"its {key!r} is not plain text", "encode it again")
    return text


def _compact(data: Mapping[str, bytes], key: str) -> str:
    """A text of one line, or JSON of any number of lines as one."""
    raw = data.get(key, b"").strip()
    if raw.startswith(b"{"):
        with contextlib.suppress(msgspec.MsgspecError):
            return msgspec.json.format(raw, indent=-1).decode()
    return _text(data, key)


def _lines(data: Mapping[str, bytes], key: str) -> str:
    """A text of more than one line."""
    try:
        return data.get(key, b"").decode("ascii")
    except UnicodeDecodeError:
        raise _unusable(f"its {key!r} is not plain text", "encode it again") from None


def _headers(text: bytes) -> dict[str, str]:
    """A map of headers, written as YAML."""
    documents, problems = read_documents(text, "headers") if text.strip() else ([], [])
    if problems or len(documents) > 1 or (documents and not isinstance(documents[0].value, dict)):
        raise _unusable("its `headers` are no map in YAML", "write a line `Name: value` for each")
    found = {str(name): value for name, value in documents[0].value.items()} if documents else {}
    if len(found) > MAX_HEADERS:
        raise _unusable(f"it has more than {MAX_HEADERS} headers", "leave some out")
    for name, value in found.items():
        if not _HEADER_NAME.match(name) or not isinstance(value, str) or not value.isprintable():
            raise _unusable("one of its `headers` is no header", "write names and texts as HTTP has them")
    return found


def _unusable(what: str, fix: str) -> UserError:
    title = f"the Secret of the provider can't be used: {what}"
    return UserError(Problem(codes.NOTIFY_SECRET, title, field="spec.secretRef", fix=fix))
