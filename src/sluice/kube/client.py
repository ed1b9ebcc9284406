"""The verbs of the API server for one identity: bytes and small structs in, bytes and small structs out."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from urllib.parse import urlencode

import msgspec

from sluice import __version__
from sluice.core import codes
from sluice.core.errors import ClusterError
from sluice.core.ids import ResourceId
from sluice.core.live import LiveMeta, LiveObject
from sluice.core.problem import Problem, clip
from sluice.kube.config import ClusterAccess
from sluice.kube.errors import Asked, unreadable
from sluice.kube.resource import Resource, Selection
from sluice.kube.transport import Answer, Call, Transport, is_gone

T = TypeVar("T")

METADATA = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
METADATA_LIST = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
JSON = {"Content-Type": "application/json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
MAX_PAGE = 64 * 1024 * 1024
MAX_LIST_RESTARTS = 3

_LIVE = msgspec.json.Decoder(LiveObject)


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


@dataclass(frozen=True, slots=True)
class ObjectList(Generic[T]):
    """All items of a list at one `resource_version`. `problems` names the items that do not fit the type asked for."""

    items: list[T]
    resource_version: str
    problems: tuple[Problem, ...] = ()


MetadataList = ObjectList[LiveMeta]


class ServerVersion(msgspec.Struct, frozen=True, rename="camel"):
    """What the server says of itself; `git_version` is like `v1.37.2`."""

    major: str = ""
    minor: str = ""
    git_version: str = ""
    platform: str = ""


class ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    """A list's own metadata: the version it shows, and the token of its next page."""

    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class _Page(msgspec.Struct, Generic[T]):
    metadata: ListMeta
    items: list[T]


_PAGE_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


def page_decoder(item_type: Any) -> msgspec.json.Decoder[Any]:
    """The decoder of a list page of `item_type`; the same one each time it is asked for."""
    decoder = _PAGE_DECODERS.get(item_type)
    if decoder is None:
        decoder = _PAGE_DECODERS[item_type] = msgspec.json.Decoder(_Page[item_type])
    return decoder


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
    ) -> None:
        self._transport = Transport(
            access, user_agent=user_agent, max_in_flight=max_in_flight, request_timeout=request_timeout
        )
        self._identity = access.impersonate
        self._apply_queries: dict[tuple[str, bool, bool, bool], str] = {}

    @property
    def access(self) -> ClusterAccess:
        """Where this client goes."""
        return self._transport.access

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
        twin._identity = (("Impersonate-User", user), *(("Impersonate-Group", group) for group in groups))
        twin._apply_queries = self._apply_queries
        return twin

    def _asked(self, verb: str, resource: Resource | None = None, namespace: str = "", name: str = "") -> Asked:
        subject = None if resource is None else resource.id_of(namespace, name)
        return Asked(self.access.server, subject, verb)

    async def send(self, call: Call, asked: Asked) -> Answer:
        """Send a call that no other method makes."""
        return await self._transport.send(call, asked, self._identity)

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
        strict: bool = True,
        subresource: str = "",
    ) -> Applied:
        """Apply `body` (the whole intent, as JSON) server-side as `manager`.

        `force` takes fields from other managers. `strict` refuses unknown fields. A lost answer is asked for once more.
        """
        path = resource.object_path(namespace, name, subresource)
        query = self._apply_query(manager, force, dry_run, strict)
        asked = self._asked("apply", resource, namespace, name)
        answer = await self.send(Call("PATCH", path, query, body, APPLY), asked)
        return Applied(answer.status == 201, _meta(answer.body, asked), answer.body, answer.warnings, answer.sent > 1)

    def _apply_query(self, manager: str, force: bool, dry_run: bool, strict: bool) -> str:
        key = (manager, force, dry_run, strict)
        query = self._apply_queries.get(key)
        if query is None:
            parts = {"fieldManager": manager, "force": "true" if force else "false"}
            parts["fieldValidation"] = "Strict" if strict else "Warn"
            query = urlencode(parts | ({"dryRun": "All"} if dry_run else {}))
            self._apply_queries[key] = query
        return query

    async def get(self, resource: Resource, namespace: str, name: str) -> bytes | None:
        """The object's JSON; None when it does not exist (a missing kind or namespace of it is None, too)."""
        return await self._get(resource, namespace, name, None)

    async def get_metadata(self, resource: Resource, namespace: str, name: str) -> LiveMeta | None:
        """The object's metadata only; None when it does not exist."""
        body = await self._get(resource, namespace, name, METADATA)
        return None if body is None else _meta(body, self._asked("get", resource, namespace, name))

    async def _get(self, resource: Resource, namespace: str, name: str, headers: dict[str, str] | None) -> bytes | None:
        path = resource.object_path(namespace, name)
        try:
            answer = await self.send(Call("GET", path, headers=headers), self._asked("get", resource, namespace, name))
        except ClusterError as error:
            if error.status == 404 and error.reason == "NotFound":
                return None
            raise
        return answer.body

    async def list_metadata(
        self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = "", limit: int = 500
    ) -> MetadataList:
        """The metadata of all objects that match, page by page; the list is complete or an error."""
        found = await self._list(Selection(resource, namespace, labels, fields), limit, LiveObject)
        return ObjectList([item.metadata for item in found.items], found.resource_version, found.problems)

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
        """All objects that match, decoded as `item_type`, page by page; the list is complete or an error."""
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
        headers = METADATA_LIST if item_type is LiveObject else None
        more = {"limit": str(limit)}
        while True:
            call = Call("GET", selection.path, selection.query(**more), headers=headers, max_body=MAX_PAGE)
            answer = await self.send(call, asked)
            page, token = decode_page(answer.body, item_type, asked)
            yield page
            if not token:
                return
            more["continue"] = token

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
            if error.status == 404 and error.reason == "NotFound":
                return False
            raise
        return True

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


def _managed_by(manager: str) -> str:
    return urlencode({"fieldManager": manager}) if manager else ""


def _meta(body: bytes, asked: Asked) -> LiveMeta:
    try:
        return _LIVE.decode(body).metadata
    except msgspec.MsgspecError as error:
        raise unreadable(asked, str(error)) from error


def decode_page(body: bytes, item_type: type[T], asked: Asked) -> tuple[ObjectList[T], str]:
    """A page and the token of the next. One malformed object must not hide the others: it becomes a problem."""
    try:
        page = page_decoder(item_type).decode(body)
    except msgspec.MsgspecError:
        return _decode_one_by_one(body, item_type, asked)
    return ObjectList(page.items, page.metadata.resource_version), page.metadata.continue_


def _decode_one_by_one(body: bytes, item_type: type[T], asked: Asked) -> tuple[ObjectList[T], str]:
    try:
        page = page_decoder(msgspec.Raw).decode(body)
    except msgspec.MsgspecError as error:
        raise unreadable(asked, str(error)) from error
    items: list[T] = []
    problems: list[Problem] = []
    for text in page.items:
        item = decode_item(text, item_type, asked)
        if isinstance(item, Problem):
            problems.append(item)
        else:
            items.append(item)
    return ObjectList(items, page.metadata.resource_version, tuple(problems)), page.metadata.continue_


def decode_item(text: msgspec.Raw | bytes, item_type: type[T], asked: Asked) -> T | Problem:
    """The object, or the problem that its JSON is not of the type (a CRD whose schema is not ours)."""
    try:
        return msgspec.json.decode(text, type=item_type)
    except msgspec.MsgspecError as error:
        return Problem(
            codes.SPEC_INVALID, "the object is not of its kind", _subject_of(text, asked), cause=clip(str(error), 500)
        )


def _subject_of(text: msgspec.Raw | bytes, asked: Asked) -> ResourceId | None:
    kind = asked.subject
    try:
        meta = msgspec.json.decode(text, type=LiveObject).metadata
    except msgspec.MsgspecError:
        return kind
    return kind and ResourceId(kind.group, kind.kind, meta.namespace, meta.name)
