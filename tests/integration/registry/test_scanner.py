"""A scan against the real registry: what it asks, what it keeps, what it makes of failures."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sqlite3
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devcluster.images import make_image, make_index
from devcluster.registry import Registry
from sluice.core import codes
from sluice.core.image import ImageRef, ImageTag, parse
from sluice.registry.access import RegistryAccess
from sluice.registry.manifest import Platform
from sluice.registry.registries import Registries
from sluice.registry.scanner import Scanner, ScanResult, TagFilter, every_tag
from sluice.store.tag_cache import TagCache
from tests.registries import (
    FAST,
    LOOPBACK,
    Clock,
    HostileRegistry,
    Reply,
    Seen,
    clock,
    login,
    registries,
    scanner,
    tag_cache,
)

__all__ = ["clock", "registries", "scanner", "tag_cache"]

DESCRIBED = TagFilter(described=every_tag)


class Shop:
    """A repository of the real registry, and what the scans asked it."""

    def __init__(self, registry: Registry, name: str) -> None:
        self.registry = registry
        self.name = name
        self.image: ImageRef = parse(registry.image(name))
        self._from = 0

    def push(self, tag: str, created: str = "2026-01-01T00:00:00Z", **more: object) -> str:
        """Push an image that differs from those of other tags."""
        return self.registry.push(self.name, tag, make_image(created=created, content=f"{tag} {created}", **more))  # type: ignore[arg-type]

    def mark(self) -> None:
        """Count requests from here."""
        self._from = len(self.registry.requests())

    def asked(self) -> list[str]:
        """What was asked since the mark: `HEAD manifests/v1`; digests are cut to their algorithm."""
        prefix = f"/v2/{self.name}/"
        new = self.registry.requests()[self._from :]
        return [f"{r.method} {r.path.removeprefix(prefix).partition('sha256:')[0]}" for r in new if prefix in r.path]


@pytest.fixture
def shop(registry: Registry, request: pytest.FixtureRequest) -> Shop:
    """A repository named after the test."""
    return Shop(registry, request.node.name.partition("[")[0].replace("_", "-"))


def digests(result: ScanResult) -> dict[str, str | None]:
    return {tag.tag: tag.digest for tag in result.tags}


async def test_a_scan_lists_all_tags_and_describes_those_that_were_asked_for(scanner: Scanner, shop: Shop) -> None:
    first = shop.push("v1", "2026-01-01T10:00:00Z")
    shop.push("dev-1")
    result = await scanner.scan(shop.image, wanted=TagFilter(described=lambda tag: tag.startswith("v")))
    assert result == ScanResult(
        (ImageTag("dev-1"), ImageTag("v1", first, datetime(2026, 1, 1, 10, tzinfo=UTC))), complete=True, changed=True
    )


async def test_tags_that_are_not_asked_for_cost_no_request(scanner: Scanner, shop: Shop) -> None:
    for tag in ("v1", "v2", "v3"):
        shop.push(tag)
    shop.mark()
    await scanner.scan(shop.image)
    assert shop.asked() == ["GET tags/list?n=10000"]


async def test_a_second_scan_with_nothing_new_costs_one_request(scanner: Scanner, shop: Shop) -> None:
    for tag in ("v1", "v2", "v3"):
        shop.push(tag)
    first = await scanner.scan(shop.image, wanted=DESCRIBED)
    shop.mark()
    second = await scanner.scan(shop.image, wanted=DESCRIBED)
    assert shop.asked() == ["GET tags/list?n=10000"]
    assert second.tags == first.tags
    assert (first.changed, second.changed) == (True, False)


async def test_one_new_tag_costs_the_list_and_its_own_metadata(scanner: Scanner, shop: Shop) -> None:
    shop.push("v1")
    await scanner.scan(shop.image, wanted=DESCRIBED)
    shop.push("v2")
    shop.mark()
    result = await scanner.scan(shop.image, wanted=DESCRIBED)
    assert shop.asked() == ["GET tags/list?n=10000", "GET manifests/v2", "GET blobs/"]
    assert [tag.tag for tag in result.tags] == ["v1", "v2"]
    assert result.changed


async def test_of_many_tags_none_is_forgotten_while_others_are_looked_at(scanner: Scanner) -> None:
    images = {f"v{number}": make_image(content=str(number)) for number in range(700)}
    configs = {image.blobs[0].digest: image.blobs[0].content for image in images.values()}

    async def answer(seen: Seen) -> Reply:
        reference = seen.path.rpartition("/")[2]
        if reference in configs:
            await asyncio.sleep(len(seen.path + reference) % 3 / 1000)
            return Reply(configs[reference])
        if reference in images:
            return Reply(images[reference].manifest, headers={"Content-Type": images[reference].media_type})
        return Reply({"tags": list(images)})

    async with HostileRegistry(answer) as server:
        result = await scanner.scan(server.image(), wanted=DESCRIBED)
        assert (result.complete, result.problems) == (True, ())
        assert digests(result) == {tag: image.digest for tag, image in images.items()}
        server.seen.clear()
        await scanner.scan(server.image(), wanted=DESCRIBED)
        assert len(server.seen) == 1


async def test_another_tag_of_a_known_image_costs_no_second_configuration(scanner: Scanner, shop: Shop) -> None:
    image = make_image()
    shop.registry.push(shop.name, "v1", image)
    await scanner.scan(shop.image, wanted=DESCRIBED)
    shop.registry.tag(shop.name, "latest", image)
    shop.mark()
    result = await scanner.scan(shop.image, wanted=DESCRIBED)
    assert shop.asked() == ["GET tags/list?n=10000", "GET manifests/latest"]
    assert digests(result) == {"latest": image.digest, "v1": image.digest}


async def test_a_deleted_tag_leaves_the_result_and_is_a_change(scanner: Scanner, shop: Shop) -> None:
    shop.push("v1")
    shop.push("v2")
    await scanner.scan(shop.image, wanted=DESCRIBED)
    shop.registry.untag(shop.name, "v1")
    result = await scanner.scan(shop.image, wanted=DESCRIBED)
    assert [tag.tag for tag in result.tags] == ["v2"]
    assert result.complete
    assert result.changed


async def test_a_tag_is_looked_at_again_by_fluxds_rule_with_one_request_while_it_stays(
    scanner: Scanner, shop: Shop, clock: Clock
) -> None:
    shop.push("v1")
    await scanner.scan(shop.image, wanted=DESCRIBED)
    for hours, looked in ((0.9, False), (0.2, True), (1.9, False), (0.2, True), (3.9, False), (0.2, True)):
        clock.advance(hours=hours)
        shop.mark()
        result = await scanner.scan(shop.image, wanted=DESCRIBED)
        assert ("HEAD manifests/v1" in shop.asked()) == looked
        assert not any(asked.startswith("GET manifests") for asked in shop.asked())
        assert not result.changed


async def test_a_tag_that_was_moved_is_read_anew_and_looked_at_sooner(
    scanner: Scanner, shop: Shop, clock: Clock
) -> None:
    shop.push("latest", "2026-01-01T00:00:00Z")
    await scanner.scan(shop.image, wanted=DESCRIBED)
    moved = shop.push("latest", "2026-02-01T00:00:00Z")
    clock.advance(hours=1)
    result = await scanner.scan(shop.image, wanted=DESCRIBED)
    assert result.tags == (ImageTag("latest", moved, datetime(2026, 2, 1, tzinfo=UTC)),)
    assert result.changed
    clock.advance(minutes=30)
    shop.mark()
    await scanner.scan(shop.image, wanted=DESCRIBED)
    assert "HEAD manifests/latest" in shop.asked()


async def test_a_tag_for_other_platforms_is_left_out_with_the_reason(
    scanner: Scanner, shop: Shop, clock: Clock
) -> None:
    shop.registry.push(shop.name, "arm", make_index([make_image(platform="linux/arm64")]))
    result = await scanner.scan(shop.image, wanted=DESCRIBED)
    assert result == ScanResult(
        (), complete=True, excluded=(("arm", "no suitable manifest (linux amd64) in index"),), changed=True
    )
    arm = TagFilter(described=every_tag, platforms=(Platform("linux", "amd64"), Platform("linux", "arm64")))
    assert [tag.tag for tag in (await scanner.scan(shop.image, wanted=arm)).tags] == ["arm"]
    clock.advance(hours=23)
    shop.mark()
    await scanner.scan(shop.image, wanted=DESCRIBED)
    assert shop.asked() == ["GET tags/list?n=10000"]
    scanner.platforms = arm.platforms
    assert [tag.tag for tag in (await scanner.scan(shop.image, wanted=DESCRIBED)).tags] == ["arm"]


async def test_what_is_no_container_image_is_left_out_with_the_reason(scanner: Scanner, shop: Shop) -> None:
    chart = "application/vnd.cncf.helm.config.v1+json"
    shop.registry.push(shop.name, "0.1.0", make_image(config=b'{"name":"web"}', config_type=chart))
    result = await scanner.scan(shop.image, wanted=DESCRIBED)
    assert result.excluded == (("0.1.0", f"it is not a container image but {chart}"),)
    assert result.complete


async def test_a_time_in_the_labels_replaces_the_configurations_when_that_is_wanted(
    scanner: Scanner, shop: Shop
) -> None:
    stamp = "org.opencontainers.image.created"
    shop.push("v1", "2026-01-01T00:00:00Z", labels={stamp: "2026-05-05T00:00:00Z"})
    shop.push("v2", "2026-01-02T00:00:00Z", labels={"org.label-schema.build-date": "2026-06-06T00:00:00Z"})
    shop.push("v3", "2026-01-03T00:00:00Z", labels={stamp: "yesterday"})
    by_config = await scanner.scan(shop.image, wanted=DESCRIBED)
    assert [tag.created and tag.created.month for tag in by_config.tags] == [1, 1, 1]
    wanted = TagFilter(described=every_tag, created_by_label=True)
    result = await scanner.scan(shop.image, wanted=wanted)
    assert [tag.created and tag.created.month for tag in result.tags] == [5, 6, 1]
    assert [problem.code for problem in result.problems] == [codes.LABEL_TIME]
    assert result.complete


@pytest.mark.parametrize("created", ["", "0001-01-01T00:00:00Z", "soon"])
async def test_an_image_without_a_creation_time_has_none(scanner: Scanner, shop: Shop, created: str) -> None:
    shop.push("v1", created)
    result = await scanner.scan(shop.image, wanted=DESCRIBED)
    assert [(tag.tag, tag.created) for tag in result.tags] == [("v1", None)]
    assert result.complete


async def test_excluded_names_are_not_in_the_result(scanner: Scanner, shop: Shop) -> None:
    shop.push("v1")
    shop.push("sha256-0.sig")
    result = await scanner.scan(shop.image, wanted=TagFilter(listed=lambda tag: not tag.endswith(".sig")))
    assert [tag.tag for tag in result.tags] == ["v1"]


# --- failures --------------------------------------------------------------------------------------------------------


async def test_a_registry_that_is_down_changes_nothing_of_what_is_known(tmp_path: Path, clock: Clock) -> None:
    with Registry(tmp_path / "registry") as registry:
        shop = Shop(registry, "web")
        shop.push("v1")
        async with (
            Registries(policy=LOOPBACK, limits=FAST) as registries,
            TagCache(tmp_path / "tags.db") as cache,
        ):
            scanner = Scanner(registries, cache, clock)
            before = await scanner.scan(shop.image, wanted=DESCRIBED)
            await asyncio.to_thread(registry.__exit__, None, None, None)
            result = await scanner.scan(shop.image, wanted=DESCRIBED)
    assert result.tags == before.tags
    assert not result.complete
    assert [problem.code for problem in result.problems] == [codes.REGISTRY_UNREACHABLE]


async def test_the_cache_outlives_a_restart_and_its_loss_costs_a_rescan_and_nothing_else(
    registries: Registries, shop: Shop, tmp_path: Path, clock: Clock
) -> None:
    shop.push("v1")
    file = tmp_path / "tags.db"
    async with TagCache(file) as cache:
        first = await Scanner(registries, cache, clock).scan(shop.image, wanted=DESCRIBED)
    shop.mark()
    async with TagCache(file) as cache:
        again = await Scanner(registries, cache, clock).scan(shop.image, wanted=DESCRIBED)
    assert shop.asked() == ["GET tags/list?n=10000"]
    file.write_bytes(b"this is no database" * 1000)
    async with TagCache(file) as cache:
        rescanned = await Scanner(registries, cache, clock).scan(shop.image, wanted=DESCRIBED)
    assert first.tags == again.tags == rescanned.tags
    assert rescanned.complete
    assert rescanned.problems == ()


async def test_a_cache_that_breaks_while_it_is_open_is_made_anew_by_the_same_scan(
    registries: Registries, shop: Shop, tmp_path: Path, clock: Clock
) -> None:
    shop.push("v1")
    file = tmp_path / "tags.db"
    async with TagCache(file) as cache:
        scanner = Scanner(registries, cache, clock)
        before = await scanner.scan(shop.image, wanted=DESCRIBED)
        with contextlib.closing(sqlite3.connect(file)) as other:
            other.execute("drop table image")
        shop.mark()
        after = await scanner.scan(shop.image, wanted=DESCRIBED)
    assert "GET manifests/v1" in shop.asked()
    assert (after.tags, after.complete) == (before.tags, True)


async def test_where_no_file_can_be_written_memory_is_used_and_said_so(
    registries: Registries, shop: Shop, tmp_path: Path, clock: Clock
) -> None:
    shop.push("v1")
    (tmp_path / "file").write_text("in the way")
    async with TagCache(tmp_path / "file" / "tags.db") as cache:
        result = await Scanner(registries, cache, clock).scan(shop.image, wanted=DESCRIBED)
    assert [tag.tag for tag in result.tags] == ["v1"]
    assert result.complete
    assert [problem.code for problem in result.problems] == [codes.TAG_CACHE]


async def test_a_scan_that_runs_out_of_time_keeps_what_it_learned_and_the_next_goes_on(
    scanner: Scanner, registries: Registries
) -> None:
    images = {f"v{number}": make_image(content=str(number)) for number in range(40)}
    slow = True

    async def answer(seen: Seen) -> Reply:
        if "/tags/list" in seen.path:
            return Reply({"tags": list(images)})
        reference = seen.path.rpartition("/")[2]
        if "/blobs/" in seen.path:
            image = next(i for i in images.values() if i.blobs[0].digest == reference)
            if slow and image is images["v39"]:
                await asyncio.sleep(30)
            return Reply(image.blobs[0].content)
        return Reply(images[reference].manifest, headers={"Content-Type": images[reference].media_type})

    async with HostileRegistry(answer) as server:
        cut = await scanner.scan(server.image(), wanted=DESCRIBED, seconds=3.0)
        assert not cut.complete
        assert [problem.code for problem in cut.problems] == [codes.SCAN_TIMEOUT]
        assert sum(tag.digest is not None for tag in cut.tags) == 39
        slow, server.seen = False, []
        whole = await scanner.scan(server.image(), wanted=DESCRIBED)
    assert whole.complete
    assert [seen.method + seen.path.partition("sha256")[0] for seen in server.seen] == [
        "GET/v2/web/tags/list?n=10000",
        "GET/v2/web/manifests/v39",
        "GET/v2/web/blobs/",
    ]


async def test_what_one_namespace_may_see_is_not_shown_to_another(scanner: Scanner) -> None:
    open_to = "Basic "

    def answer(seen: Seen) -> Reply:
        if not seen.headers.get("Authorization", "").startswith(open_to):
            return Reply(status=401, headers={"WWW-Authenticate": "Basic realm=x"})
        return Reply({"tags": ["secret-project"]})

    async with HostileRegistry(answer) as server:
        mine = RegistryAccess(login(server.host, "ada", "pw"), scope="shop")
        assert [tag.tag for tag in (await scanner.scan(server.image(), mine)).tags] == ["secret-project"]
        for other in (RegistryAccess(scope="guest"), RegistryAccess(scope="shop")):
            seen = await scanner.scan(server.image(), other)
            assert seen.tags == ()
            assert [problem.code for problem in seen.problems] == [codes.REGISTRY_AUTH]
        assert (await scanner.cached(server.image(), RegistryAccess(scope="guest"))).tags == ()


async def test_scans_of_one_repository_at_once_do_not_disturb_each_other(scanner: Scanner, shop: Shop) -> None:
    for tag in ("v1", "v2", "v3"):
        shop.push(tag)
    shop.mark()
    async with asyncio.TaskGroup() as group:
        scans = [group.create_task(scanner.scan(shop.image, wanted=DESCRIBED)) for _ in range(5)]
    assert len({scan.result().tags for scan in scans}) == 1
    assert shop.asked().count("GET manifests/v1") == 1


async def test_a_scan_that_comes_as_another_ends_waits_for_the_one_that_stands_in_line(scanner: Scanner) -> None:
    at_work = most = 0

    async def answer(_: Seen) -> Reply:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.01)
        at_work -= 1
        return Reply({"tags": ["v1"]})

    async with HostileRegistry(answer) as server, asyncio.TaskGroup() as group:

        async def scan_and_follow() -> None:
            await scanner.scan(server.image())
            group.create_task(scanner.scan(server.image()))

        for _ in range(3):
            group.create_task(scan_and_follow())
    assert most == 1


async def test_what_is_known_is_read_without_a_request(scanner: Scanner, shop: Shop) -> None:
    shop.push("v1")
    assert not (await scanner.cached(shop.image, wanted=DESCRIBED)).complete
    scanned = await scanner.scan(shop.image, wanted=DESCRIBED)
    shop.mark()
    known = await scanner.cached(shop.image, wanted=DESCRIBED)
    assert (known.tags, known.complete) == (scanned.tags, True)
    assert shop.asked() == []


async def test_memory_does_not_grow_with_the_number_of_repositories_of_10000_tags(
    scanner: Scanner, tag_cache: TagCache
) -> None:
    def answer(seen: Seen) -> Reply:
        last = int(seen.path.partition("last=")[2] or 0)
        following = {"Link": f'</v2/x/tags/list?n=1000&last={last + 1000}>; rel="next"'} if last < 9_000 else {}
        return Reply({"tags": [f"build-{number:06}" for number in range(last, last + 1000)]}, headers=following)

    async with HostileRegistry(answer) as server:
        await _scan_and_drop(scanner, server, "warm")
        gc.collect()
        tracemalloc.start()
        try:
            for number in range(2):
                await _scan_and_drop(scanner, server, f"web{number}")
            server.seen.clear()
            gc.collect()
            kept, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert kept < 1_000_000
    assert peak < 12_000_000


async def _scan_and_drop(scanner: Scanner, server: HostileRegistry, name: str) -> None:
    result = await scanner.scan(server.image(name))
    assert len(result.tags) == 10_000
    assert result.complete
