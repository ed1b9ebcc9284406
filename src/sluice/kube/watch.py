"""A selection of objects to an endless, resumable stream of what happens to them.

The stream begins with every object there is, then `SYNCED`, then changes. It survives cut connections, silence and
expired versions: it resumes where it stood, or, when the server no longer knows that place, says `RESTARTED` and
begins anew with the full state, so that a consumer can tell what vanished meanwhile. No event is lost in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import aiohttp
import msgspec

from sluice.core.codes import OBJECT_TOO_BIG
from sluice.core.errors import ClusterError
from sluice.core.live import LiveMeta, LiveObject
from sluice.core.problem import Problem
from sluice.kube.errors import Asked, Status, refusal_of, unreachable, unreadable
from sluice.kube.listing import MAX_PAGE, METADATA, METADATA_LIST, decode_item, decode_page
from sluice.kube.resource import Selection
from sluice.kube.transport import Call, Channel, is_gone

T = TypeVar("T")

STREAM_INITIAL = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
INITIAL_END = "k8s.io/initial-events-end"
_RANDOM = random.SystemRandom()


class EventType(enum.StrEnum):
    """What a watch tells. Markers (`SYNCED`, `RESTARTED`) carry no item."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    SYNCED = "SYNCED"
    RESTARTED = "RESTARTED"


@dataclass(frozen=True, slots=True)
class WatchEvent(Generic[T]):
    """One thing that happened. `item` is None for markers, and with `problem` when its JSON is not of the type.

    After a reconnection an object may be told again as it was: consumers compare `resource_version`.
    """

    type: EventType
    item: T | None = None
    namespace: str = ""
    name: str = ""
    resource_version: str = ""
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class WatchPolicy:
    """Times are in seconds. The API server sends a bookmark each minute, so a longer silence means a dead stream.

    A connection that ends later than `whole_after` since the full state was told is followed by one that tells it again
    (0: never). Ends are spread over `server_timeout` and twice of it.
    """

    idle_timeout: float = 150.0
    initial_idle_timeout: float = 15.0
    server_timeout: float = 300.0
    whole_after: float = 0.0
    backoff_first: float = 0.5
    backoff_limit: float = 30.0
    max_line: int = 8 * 1024 * 1024
    on_retry: Callable[[ClusterError | None, float], None] | None = None


DEFAULT_POLICY = WatchPolicy()
# Of a watch that others rely on for as long as the process runs: an event that got lost on the way is found so.
STANDING = WatchPolicy(whole_after=1800.0)


@dataclass(frozen=True, slots=True)
class Start:
    """Where a watch begins: after `resource_version`, or with all that exists, or (not `initial`) with now."""

    resource_version: str = ""
    initial: bool = True


class _Key(msgspec.Struct, rename="camel"):
    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    annotations: dict[str, str] = {}


class _Keyed(msgspec.Struct):
    metadata: _Key = msgspec.field(default_factory=_Key)


class _Line(msgspec.Struct):
    type: str
    object: msgspec.Raw


_LINE = msgspec.json.Decoder(_Line)
_KEYED = msgspec.json.Decoder(_Keyed)
_STATUS = msgspec.json.Decoder(Status)


class Watch(Generic[T]):
    """One watch: where it stands, and how it goes on from there. Iterate `events()` once."""

    def __init__(
        self, channel: Channel, selection: Selection, item_type: type[T], start: Start, policy: WatchPolicy
    ) -> None:
        self._channel = channel
        self._selection = selection
        self._item_type = item_type
        self._policy = policy
        self._asked = Asked(channel.server, selection.resource.id_of(selection.namespace, ""), "watch")
        self._version = start.resource_version
        self._skip_initial = not start.initial and not start.resource_version
        self._streaming = True
        self._told_any = False
        self._failures = 0

    async def events(self) -> AsyncGenerator[WatchEvent[T], None]:
        """All events, for ever. Raises what waiting can't mend: 401, 403, 404, a certificate, a line too long."""
        if self._skip_initial:
            self._version = await self._current_version()
        if self._version:
            self._told_any = True
            yield WatchEvent(EventType.SYNCED, resource_version=self._version)
        clock = asyncio.get_running_loop().time
        told_whole = clock()
        while True:
            began = clock()
            failure: ClusterError | None = None
            try:
                async with contextlib.aclosing(self._attempt()) as attempt:
                    async for event in attempt:
                        if event.type is EventType.SYNCED:
                            told_whole = clock()
                        yield event
                        del event  # the next may be hours away
            except ClusterError as error:
                failure = error
                self._judge(error)
            # A stream that ends at once is as bad as one that fails, whatever it said before.
            lasted = clock() - began
            self._failures = 0 if failure is None and lasted > 1.0 and self._version else self._failures + 1
            if failure is None and 0 < self._policy.whole_after <= clock() - told_whole:
                self._version = ""
            await self._pause(failure)

    def _judge(self, error: ClusterError) -> None:
        """Forget the version when the server has; raise what only a person can mend."""
        if is_gone(error):
            self._version = ""
        elif self._streaming and not self._version and error.status in {400, 422}:
            self._streaming = False  # this server does not know sendInitialEvents
        elif not error.is_temporary or error.reason == "LineTooLong":
            raise error

    async def _pause(self, failure: ClusterError | None) -> None:
        if self._failures == 0:
            return
        ceiling = min(self._policy.backoff_limit, self._policy.backoff_first * 2.0 ** min(self._failures - 1, 16))
        wanted = failure.retry_after or 0.0 if failure is not None else 0.0
        seconds = max(_RANDOM.uniform(ceiling / 2, ceiling), min(wanted, 600.0))
        if self._policy.on_retry is not None:
            self._policy.on_retry(failure, seconds)
        await asyncio.sleep(seconds)

    async def _attempt(self) -> AsyncGenerator[WatchEvent[T], None]:
        """One connection, or one list and one connection."""
        if not self._version and self._told_any:
            yield WatchEvent(EventType.RESTARTED)
        if not self._version and not self._streaming:
            async for event in self._listed():
                yield event
        more = {"resourceVersion": self._version} if self._version else STREAM_INITIAL
        async with self._channel.stream(self._call(more), self._asked) as body:
            async for text in self._lines(body):
                told = self._event(text)
                del text
                if told is not None:
                    yield told
                    del told

    def _call(self, more: dict[str, str]) -> Call:
        seconds = int(_RANDOM.uniform(self._policy.server_timeout, 2 * self._policy.server_timeout))
        query = self._selection.query(
            watch="true", allowWatchBookmarks="true", timeoutSeconds=str(max(seconds, 1)), **more
        )
        return Call("GET", self._selection.path, query, headers=METADATA if self._wants_metadata else None)

    @property
    def _wants_metadata(self) -> bool:
        return self._item_type is LiveMeta

    async def _listed(self) -> AsyncGenerator[WatchEvent[T], None]:
        """The full state by pages, for servers that don't stream it. A version is kept only when it is complete."""
        item_type: type[Any] = LiveObject if self._wants_metadata else self._item_type
        more = {"limit": "500"}
        while True:
            headers = METADATA_LIST if self._wants_metadata else None
            call = Call("GET", self._selection.path, self._selection.query(**more), headers=headers, max_body=MAX_PAGE)
            answer = await self._channel.send(call, self._asked)
            page, token = decode_page(answer.body, msgspec.Raw, self._asked)
            self._told_any = True
            for raw in page.items:
                yield self._told(EventType.ADDED, raw, self._key(raw), item_type)
            if not token:
                break
            more["continue"] = token
        self._version = page.resource_version
        yield WatchEvent(EventType.SYNCED, resource_version=self._version)

    async def _current_version(self) -> str:
        call = Call("GET", self._selection.path, self._selection.query(limit="1"), headers=METADATA_LIST)
        answer = await self._channel.send(call, self._asked)
        page, _ = decode_page(answer.body, msgspec.Raw, self._asked)
        return page.resource_version

    async def _lines(self, body: aiohttp.StreamReader) -> AsyncIterator[bytes]:
        """The lines of one connection; ends when it ends. Raises ClusterError for silence and for an endless line."""
        buffer = bytearray()
        while chunk := await self._chunk(body):
            buffer += chunk
            if b"\n" not in chunk:
                if len(buffer) > self._policy.max_line:
                    raise self._too_long()
                continue
            *complete, buffer = buffer.split(b"\n")
            complete.reverse()
            # The next chunk may be hours away: nothing of this one is held until then.
            chunk = b""
            while complete:
                if line := bytes(complete.pop()):
                    yield line
                    del line

    async def _chunk(self, body: aiohttp.StreamReader) -> bytes:
        initial = not self._version
        idle = self._policy.initial_idle_timeout if initial else self._policy.idle_timeout
        try:
            async with asyncio.timeout(idle):
                return await body.readany()
        except TimeoutError as error:
            # An old server ignores what it does not know, and then never says that the initial state has ended.
            self._streaming = self._streaming and not initial
            raise unreachable(self._asked, error) from None

    def _event(self, text: bytes) -> WatchEvent[T] | None:
        try:
            line = _LINE.decode(text)
            if line.type == "ERROR":
                status = _STATUS.decode(line.object)
                raise refusal_of(self._asked, status.code or 500, status)
        except msgspec.MsgspecError as error:
            raise unreadable(self._asked, f"a watch event: {error}") from error
        key = self._key(line.object)
        if line.type == "BOOKMARK":
            return self._bookmark(key)
        if line.type not in {"ADDED", "MODIFIED", "DELETED"}:
            return None
        if self._version:
            self._version = key.resource_version
        self._told_any = True
        item_type: type[Any] = LiveObject if self._wants_metadata else self._item_type
        return self._told(EventType(line.type), line.object, key, item_type)

    def _key(self, raw: msgspec.Raw) -> _Key:
        try:
            return _KEYED.decode(raw).metadata
        except msgspec.MsgspecError as error:
            raise unreadable(self._asked, f"an object's metadata: {error}") from error

    def _bookmark(self, key: _Key) -> WatchEvent[T] | None:
        """A bookmark moves our place; the one that ends the initial state makes it known for the first time."""
        ends = key.annotations.get(INITIAL_END) == "true"
        if self._version:
            self._version = key.resource_version
            return None
        if not ends:
            return None
        self._version, self._told_any = key.resource_version, True
        return WatchEvent(EventType.SYNCED, resource_version=self._version)

    def _told(self, kind: EventType, raw: msgspec.Raw, key: _Key, item_type: type[Any]) -> WatchEvent[T]:
        item = decode_item(raw, item_type, self._asked)
        if isinstance(item, Problem):
            return WatchEvent(kind, None, key.namespace, key.name, key.resource_version, item)
        kept = cast("T", item.metadata if self._wants_metadata else item)
        return WatchEvent(kind, kept, key.namespace, key.name, key.resource_version)

    def _too_long(self) -> ClusterError:
        problem = Problem(
            OBJECT_TOO_BIG,
            f"a watch event is larger than {self._policy.max_line >> 20} MiB",
            self._asked.subject,
            fix="the API server stores no such object: look at what stands between here and it",
        )
        return ClusterError(problem, status=0, reason="LineTooLong", message=problem.title)
