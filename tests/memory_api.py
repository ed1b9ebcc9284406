"""An API server in memory, below the real client: for laws whose thousands of examples a real one could not serve.

It keeps what the laws are about and no more: UIDs, versions, preconditions, whose request each is, dry-runs, pages of
lists. What it answers goes through the product's own transport and client, so retries, fencing, identities and the
reading of refusals are the real ones. Tests of `tests/contract/kube` hold the client against a real server.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import msgspec

from sluice.kube.client import KubeClient
from sluice.kube.config import ClusterAccess
from sluice.kube.errors import Asked
from sluice.kube.resource import Resource
from sluice.kube.transport import Call, Channel, Identity, Transport

Reply = tuple[int, Mapping[str, str], bytes]
Object = dict[str, Any]
CREATED = "2026-01-01T00:00:00Z"
VERBS = ["get", "list", "delete"]
SERVER = "http://api.test"


@dataclass
class Request:
    """One request as it reached the server; `user` is the impersonated one, empty for the operator itself."""

    call: Call
    user: str = ""

    @property
    def writes(self) -> bool:
        """True for what may change something: dry-runs don't."""
        return self.call.method != "GET" and "dryRun" not in self.call.query


@dataclass
class MemoryApi:
    """The server. `seen` is every request that it has carried out, in order."""

    kinds: tuple[Resource, ...] = ()
    objects: dict[str, Object] = field(default_factory=dict)
    seen: list[Request] = field(default_factory=list)
    serial: int = 0

    def put(self, resource: Resource, namespace: str, name: str, **body: Any) -> Object:
        """An object that somebody else makes. `body` may hold `metadata` and further fields."""
        return self._store(resource.object_path(namespace, name), name, namespace, body)

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """The object as it is."""
        return self.objects.get(resource.object_path(namespace, name))

    def reply(self, request: Request) -> Reply:
        """Carry a request out."""
        call, query = request.call, parse_qs(request.call.query)
        self.seen.append(request)
        found = self.objects.get(call.path)
        body = msgspec.json.decode(call.body) if call.body else {}
        if call.path in {"/api", "/apis"}:
            return self._discovery(core=call.path == "/api")
        if call.method == "GET" and found is None and self._is_collection(call.path):
            return self._list(call.path, query)
        if call.method == "POST":
            return self._create(call.path, body)
        if call.method == "PATCH":
            return self._apply(call.path, body, found, dry="dryRun" in query)
        if found is None:
            return refused(404, "NotFound")
        if call.method == "PUT":
            return self._replace(call.path, body, found)
        return self._delete(call.path, body, found) if call.method == "DELETE" else (200, {}, encoded(found))

    def _is_collection(self, path: str) -> bool:
        return path.rpartition("/")[2] in {kind.plural for kind in self.kinds} | {"secrets", "namespaces"}

    def _store(self, path: str, name: str, namespace: str, body: Object) -> Object:
        self.serial += 1
        old = self.objects.get(path)
        meta = {"name": name, "creationTimestamp": CREATED, **({"namespace": namespace} if namespace else {})}
        meta |= body.get("metadata", {})
        meta["uid"] = old["metadata"]["uid"] if old else f"uid-{self.serial}"
        meta["resourceVersion"] = str(self.serial)
        self.objects[path] = {**body, "metadata": meta}
        return self.objects[path]

    def _create(self, path: str, body: Object) -> Reply:
        name, namespace = body["metadata"]["name"], body["metadata"].get("namespace", "")
        if f"{path}/{name}" in self.objects:
            return refused(409, "AlreadyExists")
        return 201, {}, encoded(self._store(f"{path}/{name}", name, namespace, body))

    def _replace(self, path: str, body: Object, found: Object) -> Reply:
        if body["metadata"].get("resourceVersion", "") not in {"", found["metadata"]["resourceVersion"]}:
            return refused(409, "Conflict")
        meta = found["metadata"]
        return 200, {}, encoded(self._store(path, meta["name"], meta.get("namespace", ""), body))

    def _apply(self, path: str, body: Object, found: Object | None, *, dry: bool) -> Reply:
        wanted = body["metadata"].get("uid", "")
        if wanted and (found is None or found["metadata"]["uid"] != wanted):
            return refused(409, "Conflict")
        status = 200 if found else 201
        if dry:
            shown = {"uid": "dry", "resourceVersion": "0", **body["metadata"]}
            return status, {}, encoded(found or {**body, "metadata": shown})
        return (
            status,
            {},
            encoded(self._store(path, body["metadata"]["name"], body["metadata"].get("namespace", ""), body)),
        )

    def _delete(self, path: str, body: Object, found: Object) -> Reply:
        for name, value in body.get("preconditions", {}).items():
            if found["metadata"][name] != value:
                return refused(409, "Conflict")
        if found["metadata"].get("finalizers"):
            found["metadata"]["deletionTimestamp"] = CREATED
        else:
            del self.objects[path]
        return 200, {}, encoded({"kind": "Status", "status": "Success"})

    def _list(self, path: str, query: dict[str, list[str]]) -> Reply:
        """A page; `continue` is the number of the first object of the next."""
        name, _, value = query.get("labelSelector", [""])[0].partition("=")
        items = [each for each in self._of(path) if not name or each["metadata"].get("labels", {}).get(name) == value]
        start, size = int(query.get("continue", ["0"])[0]), int(query.get("limit", ["500"])[0])
        more = {"continue": str(start + size)} if start + size < len(items) else {}
        meta = {"resourceVersion": str(self.serial), **more}
        return 200, {}, encoded({"metadata": meta, "items": items[start : start + size]})

    def told(self, call: Call) -> bytes:
        """The lines with which a watch begins: what is there, and that this was all."""
        field, _, wanted = parse_qs(call.query).get("fieldSelector", [""])[0].partition("=")
        found = [each for each in self._of(call.path) if not field or each["metadata"]["name"] == wanted]
        annotations = {"k8s.io/initial-events-end": "true"}
        end = {"metadata": {"resourceVersion": str(self.serial), "annotations": annotations}}
        lines = [*({"type": "ADDED", "object": each} for each in found), {"type": "BOOKMARK", "object": end}]
        return b"".join(encoded(line) + b"\n" for line in lines)

    def _of(self, path: str) -> list[Object]:
        prefix = path + "/"
        found = sorted((key, each) for key, each in self.objects.items() if key.startswith(prefix))
        return [each for key, each in found if "/" not in key.removeprefix(prefix)]

    def _discovery(self, *, core: bool) -> Reply:
        groups: dict[str, dict[str, list[Object]]] = {}
        for kind in self.kinds:
            if bool(kind.group) != core:
                scope = "Namespaced" if kind.namespaced else "Cluster"
                served = {"resource": kind.plural, "responseKind": {"kind": kind.kind}, "scope": scope, "verbs": VERBS}
                groups.setdefault(kind.group, {}).setdefault(kind.version, []).append(served)
        items = [
            {"metadata": {"name": group}, "versions": [{"version": v, "resources": r} for v, r in versions.items()]}
            for group, versions in groups.items()
        ]
        return 200, {}, encoded({"kind": "APIGroupDiscoveryList", "items": items})


def encoded(value: object) -> bytes:
    """JSON."""
    return msgspec.json.encode(value)


def refused(status: int, reason: str, message: str = "") -> Reply:
    """A refusal in the API server's form."""
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message or reason, "code": status}
    details = {"details": {"name": "it", "kind": "things"}} if status == 404 else {}
    return status, {}, encoded(body | details)


Answering = Callable[[Request], Awaitable[Reply]]


def struck(api: MemoryApi, request: Request, fault: str | None) -> Reply:
    """The server's answer, unless the fault is one that strikes any request; a lost one raises as a connection does."""
    match fault:
        case "error":
            return refused(500, "InternalError")
        case "lost before":
            raise aiohttp.ServerDisconnectedError
        case "lost after":
            api.reply(request)
            raise aiohttp.ServerDisconnectedError
    return api.reply(request)


class _MemoryTransport(Transport):
    answering: Answering
    api: MemoryApi

    async def _once(self, call: Call, asked: Asked, identity: Identity) -> Reply:
        return await self.answering(Request(call, dict(identity).get("Impersonate-User", "")))

    @asynccontextmanager
    async def stream(self, call: Call, asked: Asked, identity: Identity = ()) -> AsyncIterator[Any]:
        """A watch."""
        yield _Stream(self.api.told(call))


class _Stream:
    """The body of a watch that tells what is there, and then nothing more."""

    def __init__(self, lines: bytes) -> None:
        self.lines = lines

    async def readany(self) -> bytes:
        if not self.lines:
            await asyncio.Event().wait()
        lines, self.lines = self.lines, b""
        return lines


def memory_client(
    api: MemoryApi, answering: Answering | None = None, may_write: Callable[[], bool] = lambda: True
) -> KubeClient:
    """A client of `api`. `answering` stands between them: it may delay, lose or replace an answer."""

    async def at_once(request: Request) -> Reply:
        return api.reply(request)

    client = KubeClient(ClusterAccess(SERVER))
    transport = client._transport = _MemoryTransport(
        client.access, user_agent="test", max_in_flight=32, request_timeout=30.0, may_write=may_write
    )
    transport.answering, transport.api = answering or at_once, api
    client._channel = Channel(transport)
    return client


class _NoWait(selectors.DefaultSelector):
    """Waits for nothing: a timer's time comes at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("all wait for something that nobody does")
        self.now += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock stands still while something can be done, and then jumps to the next timer."""

    def __init__(self) -> None:
        self._waits = _NoWait()
        super().__init__(self._waits)

    def time(self) -> float:
        """Seconds since it began."""
        return self._waits.now
