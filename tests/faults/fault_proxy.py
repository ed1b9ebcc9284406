"""A proxy before the API server that does what a test says to chosen requests, and remembers every write.

A kubeconfig made by `write_kubeconfig` leads to it; it goes to the API server as the cluster's admin. It works on any
operator that can be given a kubeconfig: it knows nothing of ours but what is on the wire. `decide` looks at each
request and returns a `Fault`, or None to let it pass.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from devcluster.cluster import Cluster
from tests.faults.proxying import DROP, LOSE_ANSWER, Fault, Passage, Proxy

__all__ = ["DROP", "LOSE_ANSWER", "READS", "Asked", "Decide", "Fault", "FaultProxy", "Write", "passes", "refuse"]

READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `number` counts writes from 1 since the last `arm`; reads and dry-runs have 0."""

    method: str
    path: str
    query: Mapping[str, str]
    agent: str
    number: int = 0

    @property
    def dry_run(self) -> bool:
        """True when the server is not to store anything."""
        return bool(self.query.get("dryRun"))

    @property
    def watch(self) -> bool:
        """True for a stream of events."""
        return self.query.get("watch") in {"1", "true"}


@dataclass(slots=True)
class Write(Passage):
    """A write and its answer."""

    asked: Asked


def refuse(status: int, reason: str, *, retry_after: int | None = None) -> Fault:
    """An answer that the API server could have given."""
    text = f"the fault proxy says {reason}"
    told = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": text}
    body = json.dumps({**told, "reason": reason, "code": status}).encode()
    headers = {"Content-Type": "application/json"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return Fault(forward=False, status=status, headers=headers, body=body)


Decide = Callable[[Asked], Fault | None]


def passes(_: Asked) -> None:
    """Let everything pass."""


class FaultProxy(Proxy):
    """`counts` says which writes get a number."""

    def __init__(self, cluster: Cluster, counts: Callable[[Asked], bool] = lambda asked: True) -> None:
        tls = ssl.create_default_context(cafile=str(cluster.ca))
        tls.load_cert_chain(cluster.admin.certificate, cluster.admin.key)
        super().__init__(cluster.server, tls)
        self._counts = counts
        self._decide: Decide = passes
        self._number = 0
        self._watches: set[asyncio.Transport] = set()
        self.writes: list[Write] = []

    def arm(self, decide: Decide = passes) -> None:
        """From now on `decide` rules; writes are counted anew, and forgotten."""
        with self._lock:
            self._decide, self._number, self.writes = decide, 0, []

    @property
    def numbered(self) -> list[Write]:
        """The writes that were counted since `arm`."""
        with self._lock:
            return [w for w in self.writes if w.asked.number]

    def cut_watches(self) -> None:
        """Reset every open watch."""

        def cut() -> None:
            for transport in list(self._watches):
                transport.abort()

        assert self._loop is not None
        self._loop.call_soon_threadsafe(cut)

    def write_kubeconfig(self, path: Path) -> Path:
        """A kubeconfig that leads here."""
        cluster = {"name": "proxy", "cluster": {"server": self.url}}
        context = {"name": "proxy", "context": {"cluster": "proxy", "user": "nobody"}}
        config = {"clusters": [cluster], "users": [{"name": "nobody", "user": {}}], "contexts": [context]}
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **config, "current-context": "proxy"}))
        return path

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        asked, write, fault = self._note(request)
        if asked.watch:
            with self._watching(request):
                return await self._pass(request, body, write, fault)
        return await self._counted(request, body, write, fault)

    @contextmanager
    def _watching(self, request: web.BaseRequest) -> Iterator[None]:
        transport = request.transport
        assert transport is not None
        self._watches.add(transport)
        try:
            yield
        finally:
            self._watches.discard(transport)

    def _note(self, request: web.BaseRequest) -> tuple[Asked, Write | None, Fault]:
        with self._lock:
            agent = request.headers.get("User-Agent", "")
            asked = Asked(request.method, request.path, dict(request.query), agent)
            write = None
            if asked.method not in READS and not asked.dry_run:
                if self._counts(asked):
                    self._number += 1
                    asked = Asked(asked.method, asked.path, asked.query, agent, self._number)
                write = Write(asked)
                self.writes.append(write)
            return asked, write, self._decide(asked) or Fault()
