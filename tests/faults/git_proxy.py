"""A proxy before a git server over http that does what a test says to chosen requests, and remembers them all.

It works on any client: it knows the paths of git's smart protocol, and of version 2's commands their names.
`decide` looks at each request and returns a `Fault`, or None to let it pass.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

from devcluster.git_http import GitHttpServer
from tests.faults.proxying import Fault, Passage, Proxy

# What the client is about: is the repository there, and what can its host do; which refs stand where; a pack; and the
# same first step of a push (which lists the refs, too), and the push itself.
What = Literal["hello", "refs", "fetch", "push hello", "push"]


@dataclass(frozen=True, slots=True)
class GitAsked:
    """One request to the repository `name`; `authorization` is what it was sent with."""

    name: str
    what: What
    authorization: str = ""


@dataclass(slots=True)
class GitRequest(Passage):
    """A request and its answer."""

    asked: GitAsked


def answer(status: int, body: bytes = b"the fault proxy says no\n", **headers: str) -> Fault:
    """An answer of the host itself; a header's `_` stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(forward=False, status=status, body=body, headers={"Content-Type": "text/plain", **named})


# A page of whoever stands before the host: a portal that wants a login, an error of a load balancer.
PORTAL = answer(200, b"<html><body>Please log in</body></html>\n", Content_Type="text/html")

GitDecide = Callable[[GitAsked], Fault | None]


def passes(_: GitAsked) -> None:
    """Let everything pass."""


def to(what: What, fault: Fault) -> GitDecide:
    """Every request of that kind meets the fault."""
    return lambda asked: fault if asked.what == what else None


def once(what: What, fault: Fault) -> GitDecide:
    """The first request of that kind meets the fault."""
    left = [fault]
    return lambda asked: left.pop() if left and asked.what == what else None


class GitProxy(Proxy):
    """Before the server; `address` takes the place of its `url`."""

    def __init__(self, server: GitHttpServer) -> None:
        super().__init__(f"http://{server.host}:{server.port}")
        self._decide: GitDecide = passes
        self.requests: list[GitRequest] = []

    def arm(self, decide: GitDecide = passes) -> None:
        """From now on `decide` rules; what was asked before is forgotten."""
        with self._lock:
            self._decide, self.requests = decide, []

    def address(self, name: str) -> str:
        """The URL of a repository by way of this proxy."""
        return f"{self.url}/{name}.git"

    def count(self, what: What) -> int:
        """How often that was asked since `arm`."""
        with self._lock:
            return sum(request.asked.what == what for request in self.requests)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()  # to its end: a pack may be larger than what `read` of the request allows
        noted, fault = self._note(request, body)
        return await self._counted(request, body, noted, fault)

    def _note(self, request: web.BaseRequest, body: bytes) -> tuple[GitRequest, Fault]:
        name = request.path.strip("/").partition("/")[0].removesuffix(".git")
        packed = request.headers.get("Content-Encoding") == "gzip"
        told = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body) if packed else body
        with self._lock:
            asked = GitAsked(name, _what(request, told), request.headers.get("Authorization", ""))
            noted = GitRequest(asked)
            self.requests.append(noted)
            return noted, self._decide(asked) or Fault()


def _what(request: web.BaseRequest, body: bytes) -> What:
    if request.path.endswith("/info/refs"):
        return "push hello" if request.query.get("service") == "git-receive-pack" else "hello"
    if request.path.endswith("/git-receive-pack"):
        return "push"
    return "refs" if b"command=ls-refs" in body[:64] else "fetch"
