"""The verbs of the API server for one identity: bytes and small structs in, bytes and small structs out."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar, overload
from urllib.parse import urlencode

import msgspec

from sluice import __version__
from sluice.core import codes
from sluice.core.errors import ClusterError
from sluice.core.live import LiveManagers, LiveMeta, LiveObject
from sluice.kube.config import ClusterAccess
from sluice.kube.errors import Asked, unreadable
from sluice.kube.listing import MAX_PAGE, METADATA, METADATA_LIST, MetadataList, ObjectList, decode_meta, decode_page
from sluice.kube.pod_log import LogRequest, log_lines
from sluice.kube.resource import Resource, Selection
from sluice.kube.transport import Answer, Call, Channel, Transport, Usage, is_gone
from sluice.kube.watch import DEFAULT_POLICY, Start, Watch, WatchEvent, WatchPolicy

T = TypeVar("T")

JSON = {"Content-Type": "application/json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
MAX_LIST_RESTARTS = 3


@dataclass(frozen=True, slots=True)
class Applied:
    """The outcome of an apply. `created` is the server's 201.

    With `answer_lost` the request was sent twice because no answer came to the first: then `created` False does not
    prove that the object was there before.
    """

    created: bool
    meta: LiveMeta
    raw: bytes
    warnings: tuple[str, ...] = ()
    answer_lost: bool = False


class ServerVersion(msgspec.Struct, frozen=True, rename="camel"):
    """What the server says of itself; `git_version` is like `v1.37.2`."""

    major: str = ""
    minor: str = ""
    git_version: str = ""
    platform: str = ""


class KubeClient:
    """One identity at one API server. Open it with `async with`.

    Every method raises ClusterError (the server refused, or did not answer: status 0), AuthenticationFailed
    (credentials or certificate), and UserError for names that can't be. Safe for concurrent use.
    """

    def __init__(
        self,
        access: ClusterAccess,
        *,
        user_agent: str = f"sluice/{__version__}",
        max_in_flight: int = 32,
        request_timeout: float = 30.0,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self._transport = Transport(
            access,
            user_agent=user_agent,
            max_in_flight=max_in_flight,
            request_timeout=request_timeout,
            may_write=may_write,
        )
        self._channel = Channel(self._transport, access.impersonate)
        self._owns_transport = True
        self._apply_queries: dict[tuple[str, bool, bool], str] = {}

    @property
    def access(self) -> ClusterAccess:
        """Where this client goes."""
        return self._transport.access

    @property
    def usage(self) -> Usage:
        """What was asked of the API server over these connections, by whatever identity."""
        return self._transport.usage

    async def __aenter__(self) -> Self:
        if self._owns_transport:
            await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owns_transport:
            await self._transport.__aexit__(kind, error, trace)

    def impersonating(self, user: str, groups: Sequence[str] = ()) -> KubeClient:
        """A client that acts as `user`, over the same connections; it lives as long as this one.

        Raises ValueError for an empty user or group, and for text that can't stand in a header: a client that asks to
        impersonate and then sends no such header would act with our own rights.
        """
        for name in (user, *groups):
            if not name or not name.isascii() or not name.isprintable() or name != name.strip():
                raise ValueError(f"not a name that can be impersonated: {name!r}")
        twin = object.__new__(KubeClient)
        twin._transport = self._transport
        identity = (("Impersonate-User", user), *(("Impersonate-Group", group) for group in groups))
        twin._channel = Channel(self._transport, identity)
        twin._owns_transport = False
        twin._apply_queries = self._apply_queries
        return twin

    def _asked(self, verb: str, resource: Resource | None = None, namespace: str = "", name: str = "") -> Asked:
        subject = None if resource is None else resource.id_of(namespace, name)
        return Asked(self.access.server, subject, verb)

    async def send(self, call: Call, asked: Asked) -> Answer:
        """Send a call that no other method makes."""
        return await self._channel.send(call, asked)

    async def apply(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        body: bytes,
        *,
        manager: str,
        force: bool = True,
        dry_run: bool = False,
    ) -> Applied:
        """Apply `body` (the whole intent, as JSON) server-side as `manager`; unknown fields are refused.

        `force` takes fields from other managers. A lost answer is asked for once more.
        """
        path = resource.object_path(namespace, name)
        query = self._apply_query(manager, force, dry_run)
        asked = self._asked("apply", resource, namespace, name)
        answer = await self.send(Call("PATCH", path, query, body, APPLY), asked)
        return Applied(
            answer.status == 201, decode_meta(answer.body, asked), answer.body, answer.warnings, answer.sent > 1
        )

    def _apply_query(self, manager: str, force: bool, dry_run: bool) -> str:
        key = (manager, force, dry_run)
        query = self._apply_queries.get(key)
        if query is None:
            parts = {"fieldManager": manager, "force": "true" if force else "false", "fieldValidation": "Strict"}
            query = urlencode(parts | ({"dryRun": "All"} if dry_run else {}))
            self._apply_queries[key] = query
        return query

    async def get(self, resource: Resource, namespace: str, name: str) -> bytes | None:
        """The object's JSON; None when the API server says that it does not exist.

        A kind that is not served is an error (UnknownKind), as is a 404 from anything that is no API server:
        "could not look" is never "not there".
        """
        return await self._get(resource, namespace, name, None)

    async def get_metadata(self, resource: Resource, namespace: str, name: str) -> LiveMeta | None:
        """The object's metadata only; None when it does not exist."""
        body = await self._get(resource, namespace, name, METADATA)
        return None if body is None else decode_meta(body, self._asked("get", resource, namespace, name))

    async def get_as(self, resource: Resource, namespace: str, name: str, *, item_type: type[T]) -> T | None:
        """The same, as `item_type`, one of those that hold metadata only."""
        body = await self._get(resource, namespace, name, METADATA)
        if body is None:
            return None
        try:
            return msgspec.json.decode(body, type=item_type)
        except msgspec.MsgspecError as error:
            raise unreadable(self._asked("get", resource, namespace, name), f"an object: {error}") from error

    async def _get(self, resource: Resource, namespace: str, name: str, headers: dict[str, str] | None) -> bytes | None:
        path = resource.object_path(namespace, name)
        try:
            answer = await self.send(Call("GET", path, headers=headers), self._asked("get", resource, namespace, name))
        except ClusterError as error:
            if _is_absent(error):
                return None
            raise
        return answer.body

    async def list_metadata(
        self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = "", limit: int = 500
    ) -> MetadataList:
        """The metadata of all objects that match, page by page; the list is complete or an error.

        It is an error, too, when one of them can't be read: whoever asks what is there must not miss it.
        """
        found = await self._list(Selection(resource, namespace, labels, fields), limit, LiveObject)
        if found.problems:
            raise unreadable(self._asked("list", resource, namespace), f"an item: {found.problems[0].cause}")
        return ObjectList([item.metadata for item in found.items], found.resource_version)

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        item_type: type[T],
        limit: int = 500,
    ) -> ObjectList[T]:
        """All objects that match, decoded as `item_type`, page by page; the list is complete or an error.

        Objects that are there and are not of that type are its `problems`.
        """
        return await self._list(Selection(resource, namespace, labels, fields), limit, item_type)

    async def _list(self, selection: Selection, limit: int, item_type: type[T]) -> ObjectList[T]:
        for restarts_left in reversed(range(MAX_LIST_RESTARTS)):
            found: ObjectList[T] = ObjectList([], "")
            try:
                async for page in self.pages(selection, limit, item_type):
                    found = ObjectList(found.items + page.items, page.resource_version, found.problems + page.problems)
            except ClusterError as error:
                if not is_gone(error) or not restarts_left:
                    raise
                continue  # the token of the next page has expired: a part of a list is no list
            return found
        raise AssertionError("unreachable")

    async def pages(self, selection: Selection, limit: int, item_type: type[T]) -> AsyncIterator[ObjectList[T]]:
        """One pass over the pages of a list. Raises ClusterError 410 when the server forgets it half-way."""
        asked = self._asked("list", selection.resource, selection.namespace)
        headers = METADATA_LIST if item_type is LiveObject or item_type is LiveManagers else None
        more = {"limit": str(limit)}
        while True:
            call = Call("GET", selection.path, selection.query(**more), headers=headers, max_body=MAX_PAGE)
            answer = await self.send(call, asked)
            page, token = decode_page(answer.body, item_type, asked)
            yield page
            if not token:
                return
            more["continue"] = token

    @overload
    def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        resource_version: str = "",
        initial: bool = True,
        policy: WatchPolicy = DEFAULT_POLICY,
    ) -> AsyncGenerator[WatchEvent[LiveMeta], None]: ...
    @overload
    def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        item_type: type[T],
        resource_version: str = "",
        initial: bool = True,
        policy: WatchPolicy = DEFAULT_POLICY,
    ) -> AsyncGenerator[WatchEvent[T], None]: ...
    def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        item_type: type[Any] = LiveMeta,
        resource_version: str = "",
        initial: bool = True,
        policy: WatchPolicy = DEFAULT_POLICY,
    ) -> AsyncGenerator[WatchEvent[Any], None]:
        """Everything that happens to the objects that match, for ever; metadata only unless `item_type` is given.

        First what exists (unless not `initial`, or resumed from `resource_version`), then `SYNCED`, then changes; see
        `Watch`. Close the iterator (`contextlib.aclosing`) to close its connection.
        """
        selection = Selection(resource, namespace, labels, fields)
        start = Start(resource_version, initial=initial)
        return Watch(self._channel, selection, item_type, start, policy).events()

    async def create(self, resource: Resource, namespace: str, body: bytes, *, manager: str) -> bytes:
        """Create the object of `body`; never sent twice. Raises ClusterError (AlreadyExists) when it exists."""
        query = urlencode({"fieldManager": manager, "fieldValidation": "Strict"})
        call = Call("POST", resource.collection_path(namespace), query, body, JSON, repeatable=False)
        return (await self.send(call, self._asked("create", resource, namespace))).body

    async def replace(
        self, resource: Resource, namespace: str, name: str, body: bytes, *, manager: str = "", subresource: str = ""
    ) -> bytes:
        """Replace the object; with `metadata.resourceVersion` in `body` this is a compare-and-swap (409 Conflict)."""
        path = resource.object_path(namespace, name, subresource)
        return await self._write(Call("PUT", path, _managed_by(manager), body, JSON), resource, namespace, name)

    async def put(self, resource: Resource, namespace: str, name: str, body: bytes, *, manager: str) -> None:
        """Replace the object, or create it where there is none. For what one process alone writes."""
        try:
            await self.replace(resource, namespace, name, body, manager=manager)
        except ClusterError as error:
            if error.status != 404:
                raise
            await self.create(resource, namespace, body, manager=manager)

    async def merge_patch(
        self, resource: Resource, namespace: str, name: str, body: bytes, *, manager: str = "", subresource: str = ""
    ) -> bytes:
        """Merge `body` into the object; a `metadata.resourceVersion` in it is a precondition (409 Conflict)."""
        path = resource.object_path(namespace, name, subresource)
        return await self._write(
            Call("PATCH", path, _managed_by(manager), body, MERGE_PATCH), resource, namespace, name
        )

    async def json_patch(
        self, resource: Resource, namespace: str, name: str, body: bytes, *, manager: str = "", subresource: str = ""
    ) -> bytes:
        """Run the JSON patch `body` (RFC 6902) on the object."""
        path = resource.object_path(namespace, name, subresource)
        return await self._write(Call("PATCH", path, _managed_by(manager), body, JSON_PATCH), resource, namespace, name)

    async def _write(self, call: Call, resource: Resource, namespace: str, name: str) -> bytes:
        once = dataclasses.replace(call, repeatable=False)
        return (await self.send(once, self._asked("write", resource, namespace, name))).body

    async def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        resource_version: str = "",
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> bool:
        """Ask for the deletion; False when the object is already gone.

        `uid` and `resource_version` are preconditions (409, reason Conflict). True means that deletion has begun: a
        finalizer may still hold the object.
        """
        preconditions = {k: v for k, v in (("uid", uid), ("resourceVersion", resource_version)) if v}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        body = msgspec.json.encode(
            {
                **options,
                **({"preconditions": preconditions} if preconditions else {}),
                **({"dryRun": ["All"]} if dry_run else {}),
            }
        )
        call = Call("DELETE", resource.object_path(namespace, name), "", body, JSON, repeatable=bool(uid))
        try:
            await self.send(call, self._asked("delete", resource, namespace, name))
        except ClusterError as error:
            if _is_absent(error):
                return False
            raise
        return True

    def log(self, request: LogRequest) -> AsyncGenerator[str, None]:
        """The lines of a container's log; close the generator (`contextlib.aclosing`) to close its connection."""
        return log_lines(self._channel, self.access.server, request)

    async def get_path(self, path: str, *, query: str = "", accept: str = "application/json") -> bytes:
        """GET a path that is no object: `/version`, `/readyz`, `/openapi/v3`. `path` is sent as it is."""
        call = Call("GET", path, query, headers={"Accept": accept}, max_body=MAX_PAGE)
        return (await self.send(call, self._asked("get"))).body

    async def version(self) -> ServerVersion:
        """The server's version."""
        body = await self.get_path("/version")
        try:
            return msgspec.json.decode(body, type=ServerVersion)
        except msgspec.MsgspecError as error:
            raise unreadable(self._asked("get"), f"/version: {error}") from error


def _is_absent(error: ClusterError) -> bool:
    """True when the API server itself said that this object, or the namespace it would be in, does not exist."""
    return error.status == 404 and error.problems[0].code in {codes.TARGET_MISSING, codes.NAMESPACE_ABSENT}


def _managed_by(manager: str) -> str:
    return urlencode({"fieldManager": manager}) if manager else ""
