"""The cache of tags on a real disk: lists that are whole or not there, and damage that costs what was kept alone."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sluice.core import codes
from sluice.core.errors import StateError
from sluice.store import tag_tables
from sluice.store.tag_cache import CachedTag, ListingChange, TagCache

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


async def listed(cache: TagCache, number: int, *names: str) -> ListingChange:
    await cache.stage(number, names, first=True)
    return await cache.commit(number, "", NOW)


async def names(cache: TagCache, number: int) -> list[str]:
    return [tag.name for tag in await cache.tags(number)]


def described(name: str, digest: str, **more: object) -> CachedTag:
    return CachedTag(name, digest, due=5.0, interval=3600.0, created=NOW, labels={"a": "b"}, **more)  # type: ignore[arg-type]


async def test_a_list_takes_the_place_of_the_old_one_whole(tmp_path: Path) -> None:
    async with TagCache(tmp_path / "tags.db") as cache:
        number = await cache.repository("", "docker.io/library/web", NOW)
        assert await listed(cache, number, "v1", "v2") == ListingChange(2, added=2, removed=0)
        await cache.stage(number, ["v3"], first=True)
        assert await names(cache, number) == ["v1", "v2"]
        await cache.stage(number, ["v2"], first=False)
        assert await cache.commit(number, "e", NOW) == ListingChange(2, added=1, removed=1)
        assert await names(cache, number) == ["v2", "v3"]
        assert await cache.etag(number) == "e"


async def test_what_an_attempt_left_that_did_not_end_is_no_part_of_the_next(tmp_path: Path) -> None:
    async with TagCache(tmp_path / "tags.db") as cache:
        number = await cache.repository("", "web", NOW)
        await cache.stage(number, ["ghost"], first=True)
    async with TagCache(tmp_path / "tags.db") as cache:
        assert await cache.repository("", "web", NOW) == number
        assert not await cache.listed(number)
        await listed(cache, number, "v1")
        assert await names(cache, number) == ["v1"]


async def test_what_is_known_of_a_tag_comes_back_as_it_was_to_the_microsecond(tmp_path: Path) -> None:
    early = datetime(1931, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
    async with TagCache(tmp_path / "tags.db") as cache:
        number = await cache.repository("", "web", NOW)
        await listed(cache, number, "v1", "v2")
        tags = [described("v1", "sha256:1"), CachedTag("v2", "sha256:2", 1.5, 2.5, early, {}, "arm only")]
        await cache.record(number, tags)
        assert await cache.tags(number) == tags
        assert await cache.image(number, "sha256:1") == CachedTag("", "sha256:1", created=NOW, labels={"a": "b"})


async def test_what_was_learned_of_a_tag_that_has_left_is_not_kept(tmp_path: Path) -> None:
    async with TagCache(tmp_path / "tags.db") as cache:
        number = await cache.repository("", "web", NOW)
        await listed(cache, number, "v1", "v2")
        await cache.record(number, [described("v1", "sha256:1"), described("v2", "sha256:2")])
        await listed(cache, number, "v2")
        assert await cache.image(number, "sha256:1") is None
        assert await cache.image(number, "sha256:2") is not None
        await cache.record(number, [described("v1", "sha256:1")])
        assert await names(cache, number) == ["v2"]


async def test_images_that_a_moving_tag_left_behind_do_not_pile_up(tmp_path: Path) -> None:
    async with TagCache(tmp_path / "tags.db") as cache:
        number = await cache.repository("", "web", NOW)
        await listed(cache, number, "latest")
        for build in range(tag_tables.UNUSED_IMAGES + 2):
            await cache.record(number, [described("latest", f"sha256:{build}")])
        await listed(cache, number, "latest")
        assert await cache.image(number, "sha256:0") is None
        assert await cache.image(number, f"sha256:{tag_tables.UNUSED_IMAGES + 1}") is not None


async def test_scopes_and_names_are_kept_apart(tmp_path: Path) -> None:
    async with TagCache(tmp_path / "tags.db") as cache:
        mine, other = await cache.repository("a", "web", NOW), await cache.repository("b", "web", NOW)
        await listed(cache, mine, "v1")
        assert await names(cache, other) == []
        assert not await cache.listed(other)


async def test_a_repository_that_nobody_asks_for_is_forgotten_after_two_weeks(tmp_path: Path) -> None:
    async with TagCache(tmp_path / "tags.db") as cache:
        old = await cache.repository("", "old", NOW)
        await listed(cache, old, "v1")
        later = NOW + timedelta(days=14, seconds=1)
        new = await cache.repository("", "new", later)
        assert await cache.forget_unused(later) == 1
        assert await cache.repository("", "new", later) == new
        assert await names(cache, await cache.repository("", "old", later)) == []


DAMAGED = {"empty": b"", "garbage": b"garbage" * 1000, "header": b"SQLite format 3\0" + b"\0" * 5000}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
async def test_a_damaged_file_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "tags.db"
    file.write_bytes(content)
    async with TagCache(file) as cache:
        number = await cache.repository("", "web", NOW)
        await listed(cache, number, "v1")
        assert await names(cache, number) == ["v1"]
        assert cache.problem is None


async def test_a_file_of_another_version_is_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "tags.db"
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("pragma user_version = 99")
        other.execute("create table repository (x)")
    async with TagCache(file) as cache:
        await cache.repository("", "web", NOW)
        assert cache.problem is None


async def test_whoever_is_at_work_when_the_file_is_lost_does_not_go_on_in_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "tags.db"
    async with TagCache(file) as cache:
        first, second = await cache.repository("", "web", NOW), await cache.repository("", "api", NOW)
        await cache.stage(second, ["half"], first=True)
        with contextlib.closing(sqlite3.connect(file)) as other:
            other.execute("drop table tag")
        with pytest.raises(StateError) as lost:
            await cache.tags(first)
        assert lost.value.problems[0].code is codes.TAG_CACHE
        for number in (first, second):
            with pytest.raises(StateError):
                await cache.commit(number, "", NOW)
        with pytest.raises(StateError):
            await cache.record(second, [described("v1", "sha256:1")])
        again = await cache.repository("", "api", NOW)
        assert again not in {first, second}
        await listed(cache, again, "v1")
        assert await names(cache, again) == ["v1"]


async def test_a_disk_that_fails_again_and_again_is_given_up_for_memory(tmp_path: Path) -> None:
    file = tmp_path / "tags.db"
    async with TagCache(file) as cache:
        for _ in range(2):
            number = await cache.repository("", "web", NOW)
            with contextlib.closing(sqlite3.connect(file)) as other:
                other.execute("drop table tag")
            with pytest.raises(StateError):
                await cache.tags(number)
        number = await cache.repository("", "web", NOW)
        await listed(cache, number, "v1")
        assert await names(cache, number) == ["v1"]
        assert cache.problem is not None
        assert "can't be kept on disk" in cache.problem.title
