"""Look at single tags: a new one is read to its creation time, a known one is only asked whether it has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from sluice.core import codes
from sluice.core.errors import SluiceError, StateError
from sluice.core.problem import Problem
from sluice.core.tag_refresh import next_refresh
from sluice.registry.manifest import Platform
from sluice.registry.repository import Repository
from sluice.store.tag_cache import CachedTag, TagCache

MAX_PROBLEMS = 10
# What concerns the one tag; anything else would meet the next one too.
_OF_ONE_TAG = {codes.IMAGE_DIGEST, codes.REGISTRY_ANSWER, codes.REGISTRY_REDIRECT}
WRITE_EVERY = 50
MISSING = "the registry lists it, but has no manifest for it"


class TagLookup:
    """The lookups of one scan. `problems` are of tags that stay unknown; `stopped` is what ended the lookups early."""

    def __init__(
        self, repository: Repository, cache: TagCache, number: int, platforms: Sequence[Platform], now: datetime
    ) -> None:
        self._repository = repository
        self._cache = cache
        self._number = number
        self._platforms = platforms
        self._now = now
        self._learned: list[CachedTag] = []
        # The images of the tags at hand; of those before, the cache knows, and is asked if it knew any at the start.
        self._images: dict[str, CachedTag] = {}
        self._ask_cache: bool | None = None
        self.changed = False
        self.problems: list[Problem] = []
        self.stopped: SluiceError | None = None

    async def look(self, tags: Sequence[CachedTag]) -> None:
        """Look at these tags, as many at once as the host may be asked, and keep what was learned even if cancelled."""
        queue = iter(tags)
        self._images = {}
        if self._ask_cache is None:
            self._ask_cache = await self._cache.knows_images(self._number)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._repository.parallel, len(tags))):
                    group.create_task(self._work(queue))
        except* StateError as lost:
            self._learned = []
            raise lost.exceptions[0] from None
        finally:
            await self._write()

    async def _work(self, queue: Iterator[CachedTag]) -> None:
        for tag in queue:
            if self.stopped is not None:
                return
            try:
                learned = await self._one(tag)
            except StateError:
                raise
            except SluiceError as error:
                self._failed(tag, error)
                continue
            # Only now: while it was waited for, another worker may have written the list that stood here.
            self._learned.append(learned)
            if len(self._learned) >= WRITE_EVERY:
                await self._write()

    def _failed(self, tag: CachedTag, error: SluiceError) -> None:
        code = error.problems[0].code
        if code is codes.MANIFEST_MISSING:
            # Deleted after it was listed, or listed for good although it is gone: nothing that another try would cure.
            missing = CachedTag(tag.name, "", interval=tag.interval if tag.digest == "" else None, excluded=MISSING)
            self._learned.append(self._next_look(missing, changed=False, excluded=False))
        elif code not in _OF_ONE_TAG:
            self.stopped = self.stopped or error
        elif len(self.problems) < MAX_PROBLEMS:
            self.problems += error.problems

    async def _write(self) -> None:
        learned, self._learned = self._learned, []
        if learned:
            await self._cache.record(self._number, learned)

    async def _one(self, tag: CachedTag) -> CachedTag:
        if tag.digest and await self._repository.glance(tag.name) == tag.digest:
            return self._next_look(tag, changed=False)
        fetched = await self._repository.fetch(tag.name, self._platforms)
        if fetched.digest == tag.digest:
            return self._next_look(tag, changed=False)
        self.changed = True
        known = await self._known(fetched.digest)
        if known is None:
            found = await self._repository.describe(fetched, self._platforms)
            known = CachedTag("", fetched.digest, 0.0, None, found.created, found.labels, found.excluded)
            self._images[fetched.digest] = known
        return self._next_look(replace(known, name=tag.name, interval=tag.interval), changed=True)

    async def _known(self, digest: str) -> CachedTag | None:
        known = self._images.get(digest)
        return await self._cache.image(self._number, digest) if known is None and self._ask_cache else known

    def _next_look(self, tag: CachedTag, *, changed: bool, excluded: bool | None = None) -> CachedTag:
        excluded = bool(tag.excluded) if excluded is None else excluded
        pause = next_refresh(tag.interval, changed=changed, excluded=excluded)
        return replace(tag, due=self._now.timestamp() + pause, interval=pause)
