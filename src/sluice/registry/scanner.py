"""Bring what is known of a repository's tags up to date, with as few requests as that takes.

The list of tags is asked for each time (one request where it fits a page). What a tag stands for is only looked at for
the tags that the filter wants described: when they are new, and again when fluxd's rule says so. A list that is not
whole replaces nothing; what was learned of single tags before an error is kept, so the next scan goes on from there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from sluice.core import codes
from sluice.core.errors import SluiceError, StateError
from sluice.core.image import ImageRef, ImageTag, is_tag
from sluice.core.problem import Problem, clip, printable
from sluice.registry.access import ANONYMOUS, RegistryAccess
from sluice.registry.manifest import LINUX_AMD64, Platform, created_by_label
from sluice.registry.registries import Registries
from sluice.registry.repository import Repository
from sluice.registry.tag_lookup import TagLookup
from sluice.store.tag_cache import CachedTag, TagCache

CHUNK = 500
MAX_PROBLEMS = 10
MAX_EXAMPLES = 3
_TIDY_EVERY = timedelta(days=1)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def every_tag(_: str) -> bool:
    """Take any tag."""
    return True


def no_tag(_: str) -> bool:
    """Take no tag."""
    return False


@dataclass(frozen=True, slots=True)
class TagFilter:
    """Which tags of a repository matter. `listed` leaves others out of the result; `described` names those whose
    digest and creation time are needed, which cost requests. With `created_by_label` a time in the image's labels
    replaces the one of its configuration. Without `platforms` those of the scanner count.
    """

    listed: Callable[[str], bool] = every_tag
    described: Callable[[str], bool] = no_tag
    platforms: tuple[Platform, ...] = ()
    created_by_label: bool = False


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What is known of a repository's tags, in order of their names.

    `complete` is False when the list may lack tags or may be old, or when a tag that was to be described is not: then
    nothing may be concluded from what is absent, and `problems` says why. `excluded` are tags that no node can run,
    with the reason; they are not among `tags`. `changed` is True when tags came or went, or one stands for another
    image than before.
    """

    tags: tuple[ImageTag, ...]
    complete: bool
    problems: tuple[Problem, ...] = ()
    excluded: tuple[tuple[str, str], ...] = ()
    changed: bool = False


@dataclass(slots=True)
class _Scan:
    """The working state of one scan."""

    repository: Repository
    number: int
    wanted: TagFilter
    now: datetime
    complete: bool = True
    changed: bool = False
    problems: list[Problem] = field(default_factory=list)

    def note(self, *problems: Problem) -> None:
        self.problems += problems[: MAX_PROBLEMS - len(self.problems)]


@dataclass(slots=True)
class _Turns:
    """Scans of one repository, one after another. It is dropped when nobody holds the lock or waits for it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted: int = 0


def _utc_now() -> datetime:
    return datetime.now(UTC)


Step = Literal["tags", "metadata", "cache"]
# Told of each step of a scan: its seconds, and whether it succeeded.
Observer = Callable[[Step, float, bool], None]


def _unobserved(_: Step, __: float, ___: bool) -> None:
    """Tell nobody."""


class Scanner:
    """Scans repositories into a cache. Scans of one repository wait for each other; others run beside it.

    `platforms`, in order of preference, are those whose images are looked for where nobody asks for others.
    """

    def __init__(
        self,
        registries: Registries,
        cache: TagCache,
        now: Callable[[], datetime] = _utc_now,
        observe: Observer = _unobserved,
    ) -> None:
        self.platforms: tuple[Platform, ...] = LINUX_AMD64
        self._registries = registries
        self._cache = cache
        self._now = now
        self._observe = observe
        self._running: dict[tuple[str, str], _Turns] = {}
        self._tidied = _NEVER

    def look_for(self, platforms: tuple[Platform, ...]) -> None:
        """From the next scan on these are the platforms."""
        self.platforms = platforms

    async def scan(
        self,
        image: ImageRef,
        access: RegistryAccess = ANONYMOUS,
        wanted: TagFilter | None = None,
        *,
        seconds: float | None = None,
    ) -> ScanResult:
        """Ask the registry about the repository of `image`, and return all that is known then.

        `seconds` limits the whole scan. What goes wrong is in the result, which then holds what was known before, but
        nothing when the registry refused the login: what it showed to another is not ours to see.
        """
        wanted = self._with_platforms(wanted or TagFilter())
        async with self._alone(_scope(access, wanted), image.canonical_name):
            for last in (False, True):
                try:
                    return await self._scan(image, access, wanted, seconds)
                except StateError as error:  # the cache was lost on the way, and is empty now
                    if last:
                        return ScanResult((), complete=False, problems=error.problems)
        raise AssertionError

    async def cached(
        self, image: ImageRef, access: RegistryAccess = ANONYMOUS, wanted: TagFilter | None = None
    ) -> ScanResult:
        """What is known without asking the registry. It is not complete when a scan would have to ask more."""
        wanted = self._with_platforms(wanted or TagFilter())
        try:
            number = await self._cache.repository(_scope(access, wanted), image.canonical_name, self._now())
            scan = _Scan(self._registries.open(image, access), number, wanted, self._now())
            scan.complete = await self._cache.listed(number)
            return await self._result(scan)
        except StateError as error:
            return ScanResult((), complete=False, problems=error.problems)

    def _with_platforms(self, wanted: TagFilter) -> TagFilter:
        return wanted if wanted.platforms else replace(wanted, platforms=self.platforms)

    @asynccontextmanager
    async def _alone(self, scope: str, name: str) -> AsyncIterator[None]:
        turns = self._running.setdefault((scope, name), _Turns())
        turns.wanted += 1
        try:
            async with turns.lock:
                yield
        finally:
            turns.wanted -= 1
            if turns.wanted == 0:
                del self._running[scope, name]

    async def _scan(
        self, image: ImageRef, access: RegistryAccess, wanted: TagFilter, seconds: float | None
    ) -> ScanResult:
        now = self._now()
        if now - self._tidied > _TIDY_EVERY:
            self._tidied = now
            await self._cache.forget_unused(now)
        number = await self._cache.repository(_scope(access, wanted), image.canonical_name, now)
        scan = _Scan(self._registries.open(image, access), number, wanted, now)
        if self._cache.problem is not None:
            scan.note(self._cache.problem)
        try:
            async with asyncio.timeout(seconds):
                with self._timed("tags"):
                    await self._list(scan)
                if scan.complete:
                    with self._timed("metadata"):
                        await self._describe(scan)
        except TimeoutError:
            self._failed(scan, _too_slow(image, seconds or 0.0))
        except StateError:
            raise
        except SluiceError as error:
            self._failed(scan, *error.problems)
            if error.problems[0].code in _HIDDEN:
                return ScanResult((), complete=False, problems=tuple(scan.problems))
        if scan.complete:
            scan.repository.limiter.grow()
        with self._timed("cache"):
            return await self._result(scan)

    @contextmanager
    def _timed(self, step: Step) -> Iterator[None]:
        """Tell the observer how long a step took, and whether it came to its end."""
        began, succeeded = time.monotonic(), False
        try:
            yield
            succeeded = True
        finally:
            self._observe(step, time.monotonic() - began, succeeded)

    def _failed(self, scan: _Scan, *problems: Problem) -> None:
        scan.complete = False
        scan.note(*problems)
        if any(problem.code is codes.REGISTRY_LIMITED for problem in problems):
            scan.repository.limiter.cut()

    async def _list(self, scan: _Scan) -> None:
        """Replace the list of tags, if all of it can be had."""
        cache, number = self._cache, scan.number
        known = await cache.etag(number)
        pages, etag, rejected = 0, "", _Rejected(scan.repository.name)
        async for page in scan.repository.tags(known):
            names = rejected.without(page.names)
            await cache.stage(number, names, first=pages == 0)
            pages, etag = pages + 1, page.etag
        if pages == 0:
            change = await cache.touch(number, scan.now)
        else:
            # A list with a part left out is not the one that the registry has a name for.
            change = await cache.commit(number, "" if rejected.count else etag, scan.now)
        scan.changed = bool(change.added or change.removed)
        if rejected.count:
            scan.note(rejected.problem())

    async def _describe(self, scan: _Scan) -> None:
        """Look at the tags that are wanted and due, a few at once, chunk by chunk."""
        lookup = TagLookup(scan.repository, self._cache, scan.number, scan.wanted.platforms, scan.now)
        async for tags in self._chunks(scan):
            due = [tag for tag in tags if _wanted(scan.wanted, tag.name) and _is_due(tag, scan.now)]
            if due:
                await lookup.look(due)
            if lookup.stopped is not None:
                break
        scan.changed = scan.changed or lookup.changed
        if lookup.problems:
            self._failed(scan, *lookup.problems)
        if lookup.stopped is not None:
            raise lookup.stopped

    async def _chunks(self, scan: _Scan) -> AsyncIterator[list[CachedTag]]:
        after = ""
        while tags := await self._cache.tags(scan.number, after, CHUNK):
            yield tags
            after = tags[-1].name

    async def _result(self, scan: _Scan) -> ScanResult:
        tags: list[ImageTag] = []
        excluded: list[tuple[str, str]] = []
        async for chunk in self._chunks(scan):
            for cached in chunk:
                if scan.wanted.listed(cached.name):
                    self._add(scan, cached, tags, excluded)
        return ScanResult(tuple(tags), scan.complete, tuple(scan.problems), tuple(excluded), scan.changed)

    def _add(self, scan: _Scan, cached: CachedTag, tags: list[ImageTag], excluded: list[tuple[str, str]]) -> None:
        if not scan.wanted.described(cached.name):
            tags.append(ImageTag(cached.name))
        elif cached.excluded:
            excluded.append((cached.name, cached.excluded))
        else:
            scan.complete = scan.complete and cached.digest is not None
            tags.append(ImageTag(cached.name, cached.digest, self._created(scan, cached)))

    def _created(self, scan: _Scan, cached: CachedTag) -> datetime | None:
        if not scan.wanted.created_by_label:
            return cached.created
        labelled, fault = created_by_label(cached.labels)
        if fault:
            title = f"label {fault} of {scan.repository.name}:{cached.name} is not a time"
            cause = f"it is {clip(printable(cached.labels[fault]), 60)!r}"
            fix = "build the image with a time such as 2026-01-02T03:04:05Z; the configuration's time is used"
            scan.note(Problem(codes.LABEL_TIME, title, cause=cause, fix=fix))
        return labelled or cached.created


# The registry does not show the repository to this login, so neither do we.
_HIDDEN = {codes.REGISTRY_AUTH, codes.REPOSITORY_MISSING, codes.REALM_REFUSED, codes.HOST_UNVERIFIED, codes.URL_BLOCKED}


class _Rejected:
    """Names that are no tags: counted, shown escaped, and never kept."""

    def __init__(self, repository: str) -> None:
        self._repository = repository
        self._examples: list[str] = []
        self.count = 0

    def without(self, names: Iterable[str]) -> Sequence[str]:
        kept = []
        for name in names:
            if is_tag(name):
                kept.append(name)
                continue
            self.count += 1
            if len(self._examples) < MAX_EXAMPLES:
                self._examples.append(repr(clip(printable(name), 60)))
        return kept

    def problem(self) -> Problem:
        title = f"{self._repository} lists {self.count} tags that are not valid, and they are ignored"
        return Problem(codes.TAG_REJECTED, title, cause=", ".join(self._examples), fix="delete them in the registry")


def _scope(access: RegistryAccess, wanted: TagFilter) -> str:
    """What is kept apart: what another login may see, and what an index offers to other platforms."""
    return "|".join((access.scope, *map(str, wanted.platforms)))


def _wanted(wanted: TagFilter, name: str) -> bool:
    return wanted.listed(name) and wanted.described(name)


def _is_due(tag: CachedTag, now: datetime) -> bool:
    return tag.digest is None or tag.due <= now.timestamp()


def _too_slow(image: ImageRef, seconds: float) -> Problem:
    title = f"{image.canonical_name} could not be scanned in {seconds:g} s"
    fix = "raise the timeout, or describe fewer tags; what was learned is kept, and the next scan goes on"
    return Problem(codes.SCAN_TIMEOUT, title, fix=fix)
