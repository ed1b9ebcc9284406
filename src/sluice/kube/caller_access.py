"""Whether whoever sends a Kubernetes token may do something: the API server is asked who that is, and what they may.

An answer holds for some seconds: that long a right that was taken away still counts. Whatever is not known is refused.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from sluice.kube.client import KubeClient
from sluice.kube.resource import Resource

TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "TokenReview", "tokenreviews", namespaced=False)
SUBJECT_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews", namespaced=False
)
HOLDS_SECONDS = 5.0
MAX_KNOWN = 1000
# Strangers' tokens are asked about, too: they get this much of the API server at once.
AT_ONCE = 2
MANAGER = "sluice"

Verdict = Literal["allowed", "forbidden", "nobody"]


class _User(msgspec.Struct, omit_defaults=True):
    username: str = ""
    uid: str = ""
    groups: list[str] = []
    extra: dict[str, list[str]] = {}


class _TokenStatus(msgspec.Struct):
    authenticated: bool = False
    user: _User = msgspec.field(default_factory=_User)


class _TokenReview(msgspec.Struct):
    status: _TokenStatus = msgspec.field(default_factory=_TokenStatus)


class _AccessStatus(msgspec.Struct):
    allowed: bool = False
    denied: bool = False


class _AccessReview(msgspec.Struct):
    status: _AccessStatus = msgspec.field(default_factory=_AccessStatus)


class CallerAccess:
    """Asks the API server. `now` are seconds that only grow."""

    def __init__(self, client: KubeClient, now: Callable[[], float]) -> None:
        self._client = client
        self._now = now
        self._asking = asyncio.Semaphore(AT_ONCE)
        self._known: OrderedDict[bytes, tuple[float, Verdict]] = OrderedDict()

    async def verdict(self, token: str, verb: str, path: str) -> Verdict:
        """May the token's account do `verb` (`get`, `post`, …) on the path, as RBAC's `nonResourceURLs` say it?

        `nobody`: the API server does not know the token, or it is meant for somebody else. Raises ClusterError when
        it can't be asked: then nobody may.
        """
        key = hashlib.sha256(f"{verb} {path} {token}".encode("utf-8", "surrogateescape")).digest()
        known = self._known.get(key)
        if known is not None and self._now() < known[0]:
            return known[1]
        async with self._asking:
            found = await self._asked(token, verb, path)
        self._known[key] = (self._now() + HOLDS_SECONDS, found)
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return found

    async def _asked(self, token: str, verb: str, path: str) -> Verdict:
        spec: dict[str, Any] = {"token": token}
        review = msgspec.json.decode(await self._create(TOKEN_REVIEWS, spec), type=_TokenReview).status
        if not review.authenticated or not review.user.username:
            return "nobody"
        user = msgspec.to_builtins(review.user)
        wanted = {
            "user": user.pop("username"),
            **user,
            "nonResourceAttributes": {"verb": verb, "path": path},
        }
        access = msgspec.json.decode(await self._create(SUBJECT_REVIEWS, wanted), type=_AccessReview).status
        return "allowed" if access.allowed and not access.denied else "forbidden"

    async def _create(self, resource: Resource, spec: dict[str, Any]) -> bytes:
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "spec": spec}
        return await self._client.create(resource, "", msgspec.json.encode(body), manager=MANAGER)
