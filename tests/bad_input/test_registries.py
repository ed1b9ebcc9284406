"""Bad input, part registries: rows B114 and B115, and faults F104 to F110, each against a server that misbehaves so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from devcluster.images import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, make_image, make_index
from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, SluiceError, UserError
from sluice.core.image import parse
from sluice.core.problem import Code
from sluice.registry.access import ANONYMOUS, RegistryAccess, Trust
from sluice.registry.limits import RegistryPolicy
from sluice.registry.registries import Registries
from sluice.registry.repository import Repository
from sluice.registry.scanner import Scanner, TagFilter, every_tag
from sluice.store.tag_cache import TagCache
from tests.git_servers import SilentServer, make_authority
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
IMAGE = make_image()
SECRET = "hunter-canary"
BOTH = ("127.0.0.1", "127.0.0.2")


def serve(**replies: Reply) -> Callable[[Seen], Reply]:
    """A good registry of `web:v1`, with some replies (`tags`, `manifest`, `config`) replaced."""

    def answer(seen: Seen) -> Reply:
        if "/tags/list" in seen.path:
            return replies.get("tags", Reply({"name": "web", "tags": ["v1"]}))
        if "/manifests/" in seen.path:
            return replies.get("manifest", Reply(IMAGE.manifest, headers={"Content-Type": OCI_MANIFEST}))
        if "/blobs/" in seen.path:
            return replies.get("config", Reply(IMAGE.blobs[0].content))
        return Reply({})

    return answer


async def names(repository: Repository) -> list[str]:
    return [name async for page in repository.tags() for name in page.names]


def code_of(error: SluiceError) -> Code:
    (code,) = {problem.code for problem in error.problems}
    return code


# --- lists of tags ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "link",
    ['</v2/web/tags/list?n=10000>; rel="next"', '</v2/web/tags/list?n=10000&last=v1>; rel="next"'],
    ids=["itself", "an earlier one"],
)
async def test_f105_pages_that_name_each_other_end_with_an_error_and_replace_nothing(
    scanner: Scanner, link: str
) -> None:
    async with HostileRegistry(serve()) as server:
        await scanner.scan(server.image())
        server.handler = serve(tags=Reply({"tags": ["v2"]}, headers={"Link": link}))
        server.seen.clear()
        result = await scanner.scan(server.image())
    assert [problem.code for problem in result.problems] == [codes.TAG_LISTING]
    assert not result.complete
    assert [tag.tag for tag in result.tags] == ["v1"]
    assert len(server.seen) <= 3


async def test_f105_pages_that_go_on_for_ever_are_cut(clock: Clock) -> None:
    pages = 0

    def answer(_: Seen) -> Reply:
        nonlocal pages
        pages += 1
        return Reply({"tags": []}, headers={"Link": f'</v2/web/tags/list?last={pages}>; rel="next"'})

    limits = replace(FAST, pages=20)
    async with (
        HostileRegistry(answer) as server,
        Registries(policy=LOOPBACK, limits=limits) as registries,
        TagCache() as cache,
    ):
        result = await Scanner(registries, cache, clock).scan(server.image())
    assert [problem.code for problem in result.problems] == [codes.TAG_LISTING]
    assert pages == 20


async def test_f106_more_tags_than_allowed_are_an_error_and_not_a_part_of_the_list(
    registries: Registries, clock: Clock
) -> None:
    def answer(seen: Seen) -> Reply:
        last = int(seen.path.partition("last=")[2] or 0)
        link = {"Link": f'</v2/web/tags/list?last={last + 1}>; rel="next"'}
        return Reply({"tags": [f"t{last}-{number}" for number in range(1000)]}, headers=link)

    async with HostileRegistry(answer) as server, TagCache() as cache:
        result = await Scanner(registries, cache, clock).scan(server.image())
    assert (result.tags, result.complete) == ((), False)
    assert [problem.code for problem in result.problems] == [codes.TAG_LISTING]
    assert "200,000" in str(result.problems[0])


async def test_b114_a_hostile_tag_name_is_rejected_and_shown_escaped(scanner: Scanner) -> None:
    bad = ["v1\nv2", "\x1b[31mred", "../../etc", "-x", "a" * 129, "", "ü", "v1 ", "${x}", "a:b"]
    async with HostileRegistry(serve(tags=Reply({"tags": ["v1", *bad]}))) as server:
        result = await scanner.scan(server.image())
    assert [tag.tag for tag in result.tags] == ["v1"]
    (problem,) = result.problems
    assert problem.code is codes.TAG_REJECTED
    assert "10 tags" in problem.title
    assert str(problem).isprintable()
    assert result.complete


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{", b'{"tags": "v1"}', b'{"tags": [1]}', b'{"tags":' * 3000, b"\xff\xfe", b"<html>"],
    ids=["empty", "list", "null", "cut", "text", "numbers", "deep", "no utf-8", "html"],
)
async def test_a_list_that_is_no_list_is_an_error_of_the_answer(registries: Registries, body: bytes) -> None:
    async with HostileRegistry(serve(tags=Reply(body))) as server:
        with pytest.raises(SluiceError) as error:
            await names(registries.open(server.image()))
    assert code_of(error.value) is codes.REGISTRY_ANSWER


async def test_a_registry_without_any_tag_may_say_null(registries: Registries) -> None:
    async with HostileRegistry(serve(tags=Reply(b'{"name":"web","tags":null}'))) as server:
        assert await names(registries.open(server.image())) == []


async def test_a_list_that_is_as_it_was_is_not_sent_again_where_the_registry_has_a_name_for_it(
    scanner: Scanner,
) -> None:
    def answer(seen: Seen) -> Reply:
        if "/tags/list" not in seen.path:
            return Reply({})
        if seen.headers.get("If-None-Match") == '"1"':
            return Reply(status=304)
        return Reply({"name": "web", "tags": ["v1"]}, headers={"ETag": '"1"'})

    async with HostileRegistry(answer) as server:
        first = await scanner.scan(server.image())
        again = await scanner.scan(server.image())
    assert [tag.tag for tag in again.tags] == [tag.tag for tag in first.tags] == ["v1"]
    assert (first.changed, again.changed, again.complete) == (True, False, True)
    assert server.seen[-1].headers.get("If-None-Match") == '"1"'


async def test_the_next_page_is_asked_of_the_same_registry_whatever_the_link_says(registries: Registries) -> None:
    async with HostileRegistry(lambda _: Reply({"tags": ["stolen"]})) as other, HostileRegistry() as server:
        link = {"Link": f'<{other.url}/v2/else/tags/list?last=v1>; rel="next"'}
        replies = [Reply({"tags": ["v1"]}, headers=link), Reply({"tags": ["v2"]})]
        server.handler = lambda _: replies.pop(0)
        assert await names(registries.open(server.image())) == ["v1", "v2"]
        assert server.seen[1].path == "/v2/web/tags/list?last=v1"
        assert other.seen == []


@pytest.mark.parametrize(("most", "status"), [(1000, 400), (1000, 405), (0, 400)])
async def test_a_registry_that_refuses_a_page_size_is_asked_for_less_and_that_is_remembered(
    registries: Registries, most: int, status: int
) -> None:
    def answer(seen: Seen) -> Reply:
        asked = seen.path.partition("n=")[2]
        if asked and int(asked) > most:
            return Reply({"errors": [{"code": "PAGINATION_NUMBER_INVALID"}]}, status)
        return Reply({"tags": ["v1"]})

    async with HostileRegistry(answer) as server:
        for repository in ("web", "api"):
            assert await names(registries.open(server.image(repository))) == ["v1"]
        sizes = [seen.path.partition("?")[2] for seen in server.seen]
    assert sizes == (["n=10000", "n=1000", "n=1000"] if most else ["n=10000", "n=1000", "", ""])


async def test_a_registry_that_refuses_every_list_is_not_asked_for_ever(registries: Registries) -> None:
    async with HostileRegistry(lambda _: Reply(status=400)) as server:
        with pytest.raises(SluiceError) as error:
            await names(registries.open(server.image()))
        assert code_of(error.value) is codes.REGISTRY_UNREACHABLE
        assert len(server.seen) == 3


# --- digests ---------------------------------------------------------------------------------------------------------


async def test_f108_a_manifest_with_another_digest_than_its_header_is_refused(scanner: Scanner) -> None:
    lie = Reply(IMAGE.manifest, headers={"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": "sha256:" + "0" * 64})
    async with HostileRegistry(serve(manifest=lie)) as server:
        result = await scanner.scan(server.image(), wanted=DESCRIBED)
    assert [problem.code for problem in result.problems] == [codes.IMAGE_DIGEST]
    assert not result.complete
    assert [(tag.tag, tag.digest) for tag in result.tags] == [("v1", None)]


async def test_f108_a_manifest_or_configuration_of_other_bytes_than_its_name_is_refused(scanner: Scanner) -> None:
    other = make_image(created="2031-01-01T00:00:00Z")
    async with HostileRegistry(serve(config=Reply(other.blobs[0].content))) as server:
        result = await scanner.scan(server.image(), wanted=DESCRIBED)
        assert [problem.code for problem in result.problems] == [codes.IMAGE_DIGEST]
        index = make_index([IMAGE])

        def swap(seen: Seen) -> Reply:
            if seen.path.endswith("/manifests/v1"):
                return Reply(index.manifest, headers={"Content-Type": OCI_INDEX})
            return serve(manifest=Reply(other.manifest, headers={"Content-Type": OCI_MANIFEST}))(seen)

        server.handler = swap
        result = await scanner.scan(server.image("swapped"), wanted=DESCRIBED)
        assert [problem.code for problem in result.problems] == [codes.IMAGE_DIGEST]


async def test_f107_a_tag_that_moves_is_seen_as_a_change_with_the_new_digest(scanner: Scanner, clock: Clock) -> None:
    moved = make_image(created="2026-09-09T00:00:00Z")
    async with HostileRegistry(serve()) as server:
        first = await scanner.scan(server.image(), wanted=DESCRIBED)
        server.handler = serve(
            manifest=Reply(moved.manifest, headers={"Content-Type": OCI_MANIFEST}),
            config=Reply(moved.blobs[0].content),
        )
        clock.advance(hours=2)
        second = await scanner.scan(server.image(), wanted=DESCRIBED)
    assert [tag.digest for tag in first.tags] == [IMAGE.digest]
    assert [tag.digest for tag in second.tags] == [moved.digest]
    assert second.changed


@pytest.mark.parametrize(
    ("manifest", "media_type"),
    [
        (b"{}", OCI_MANIFEST),
        (b"[]", OCI_MANIFEST),
        (b"", OCI_MANIFEST),
        (IMAGE.manifest, OCI_INDEX),
        (json.dumps({"config": {}, "manifests": [], "layers": []}).encode(), OCI_INDEX),
        (json.dumps({"config": {"digest": "sha256:x", "mediaType": OCI_CONFIG}}).encode(), OCI_MANIFEST),
        (json.dumps({"config": {"digest": "../../x", "mediaType": OCI_CONFIG}}).encode(), OCI_MANIFEST),
        (json.dumps({"manifests": [{"digest": "a"}] * 5000}).encode(), OCI_INDEX),
        (b'{"a":' * 20_000, OCI_MANIFEST),
    ],
    ids=["empty", "list", "nothing", "other type", "both", "short digest", "path", "5000 entries", "deep"],
)
async def test_a_manifest_that_is_none_is_an_error_of_that_tag_alone(
    scanner: Scanner, manifest: bytes, media_type: str
) -> None:
    def answer(seen: Seen) -> Reply:
        if "/tags/list" in seen.path:
            return Reply({"tags": ["bad", "v1"]})
        if seen.path.endswith("/bad"):
            return Reply(manifest, headers={"Content-Type": media_type})
        return serve()(seen)

    async with HostileRegistry(answer) as server:
        result = await scanner.scan(server.image(), wanted=DESCRIBED)
    assert [problem.code for problem in result.problems] == [codes.REGISTRY_ANSWER]
    assert [(tag.tag, tag.digest) for tag in result.tags] == [("bad", None), ("v1", IMAGE.digest)]
    assert not result.complete


async def test_an_index_that_holds_an_index_is_not_followed_further(scanner: Scanner) -> None:
    inner = make_index([IMAGE])
    outer = {"manifests": [{"digest": inner.digest, "platform": {"os": "linux", "architecture": "amd64"}}]}

    def answer(seen: Seen) -> Reply:
        found = inner.manifest if inner.digest in seen.path else json.dumps(outer).encode()
        return serve(manifest=Reply(found, headers={"Content-Type": OCI_INDEX}))(seen)

    async with HostileRegistry(answer) as server:
        result = await scanner.scan(server.image(), wanted=DESCRIBED)
    assert "an index inside of an index" in str(result.problems[0])


async def test_a_tag_that_is_listed_but_has_no_manifest_is_excluded_and_asked_for_again_later(
    scanner: Scanner, clock: Clock
) -> None:
    missing = Reply({"errors": [{"code": "MANIFEST_UNKNOWN"}]}, 404)
    async with HostileRegistry(serve(manifest=missing)) as server:
        for hours in (0.0, 0.5):
            clock.advance(hours=hours)
            result = await scanner.scan(server.image(), wanted=DESCRIBED)
            assert result.complete
            assert result.excluded == (("v1", "the registry lists it, but has no manifest for it"),)
        assert sum("/manifests/" in seen.path for seen in server.seen) == 1
        server.handler = serve()
        clock.advance(hours=1)
        result = await scanner.scan(server.image(), wanted=DESCRIBED)
    assert [tag.digest for tag in result.tags] == [IMAGE.digest]


# --- sizes and times -------------------------------------------------------------------------------------------------


async def test_a_body_over_its_limit_is_cut_off_whatever_its_length_says(clock: Clock) -> None:
    limits = replace(FAST, page_bytes=10_000, manifest_bytes=2_000, config_bytes=2_000)
    async with (
        HostileRegistry(serve(tags=Reply(b'{"tags": ["' + b"x" * 50_000))) as server,
        Registries(policy=LOOPBACK, limits=limits) as registries,
    ):
        with pytest.raises(SluiceError) as error:
            await names(registries.open(server.image()))
        assert code_of(error.value) is codes.REGISTRY_ANSWER
        server.handler = serve(manifest=Reply(IMAGE.manifest + b" " * 50_000))
        with pytest.raises(SluiceError) as error:
            await registries.open(server.image()).fetch("v1")
        assert code_of(error.value) is codes.REGISTRY_ANSWER


async def test_a_slow_body_ends_with_the_requests_time() -> None:
    limits = replace(FAST, request_seconds=0.3)
    async with (
        HostileRegistry(serve(tags=Reply({"tags": ["v1"] * 1000}, pause=0.05))) as server,
        Registries(policy=LOOPBACK, limits=limits) as registries,
    ):
        with pytest.raises(SluiceError) as error:
            await names(registries.open(server.image()))
    assert "no answer in time" in str(error.value)


async def test_a_silent_host_ends_with_the_requests_time() -> None:
    async with (
        SilentServer() as server,
        Registries(policy=LOOPBACK, limits=replace(FAST, request_seconds=0.3)) as registries,
    ):
        with pytest.raises(SluiceError) as error:
            await names(registries.open(parse(f"127.0.0.1:{server.port}/web"), RegistryAccess(insecure=False)))
    assert code_of(error.value) is codes.REGISTRY_UNREACHABLE


async def test_a_compressed_answer_is_refused_unread(registries: Registries) -> None:
    bomb = Reply(b"\x1f\x8b" + b"\0" * 100, headers={"Content-Encoding": "gzip"})
    async with HostileRegistry(serve(tags=bomb)) as server:
        with pytest.raises(SluiceError) as error:
            await names(registries.open(server.image()))
    assert code_of(error.value) is codes.REGISTRY_ANSWER


async def test_a_configuration_that_is_larger_than_allowed_is_not_even_asked_for(registries: Registries) -> None:
    body = json.loads(IMAGE.manifest)
    body["config"]["size"] = 1 << 40
    manifest = Reply(json.dumps(body).encode(), headers={"Content-Type": OCI_MANIFEST})
    async with HostileRegistry(serve(manifest=manifest)) as server:
        repository = registries.open(server.image())
        with pytest.raises(SluiceError) as error:
            await repository.describe(await repository.fetch("v1"))
        assert code_of(error.value) is codes.REGISTRY_ANSWER
        assert not any("/blobs/" in seen.path for seen in server.seen)


# --- limits of the registry ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", ["", "120", "Wed, 21 Oct 2037 07:28:00 GMT"], ids=["none", "seconds", "date"])
async def test_f104_429_ends_the_scan_slows_that_host_down_and_no_other(
    scanner: Scanner, registries: Registries, wait: str
) -> None:
    headers = {"Retry-After": wait} if wait else {}
    async with HostileRegistry(serve()) as calm, HostileRegistry(serve()) as server:
        before = await scanner.scan(server.image())
        server.handler = serve(tags=Reply({"errors": [{"code": "TOOMANYREQUESTS"}]}, 429, headers))
        server.seen.clear()
        result = await scanner.scan(server.image())
        assert (result.tags, result.complete) == (before.tags, False)
        assert [problem.code for problem in result.problems] == [codes.REGISTRY_LIMITED]
        assert registries.open(server.image()).limiter.rate == FAST.rate / 2
        assert registries.open(calm.image()).limiter.rate == FAST.rate
        await scanner.scan(server.image())
        # A host that said when it may be asked again is not asked before.
        assert len(server.seen) == (1 if wait else 2)
        assert (await scanner.scan(calm.image())).complete


async def test_f104_a_429_in_the_middle_keeps_what_was_learned_before(scanner: Scanner) -> None:
    images = [make_image(content=str(number)) for number in range(30)]
    left = 20

    def answer(seen: Seen) -> Reply:
        nonlocal left
        if "/tags/list" in seen.path:
            return Reply({"tags": [f"v{number:02}" for number in range(30)]})
        left -= 1
        if left < 0:
            return Reply(status=429)
        if "/blobs/" in seen.path:
            return Reply(next(i for i in images if i.blobs[0].digest in seen.path).blobs[0].content)
        image = images[int(seen.path[-2:])]
        return Reply(image.manifest, headers={"Content-Type": OCI_MANIFEST})

    async with HostileRegistry(answer) as server:
        cut = await scanner.scan(server.image(), wanted=DESCRIBED)
        known = {tag.tag for tag in cut.tags if tag.digest}
        assert 0 < len(known) < 30
        assert not cut.complete
        left, server.seen = 1000, []
        assert (await scanner.scan(server.image(), wanted=DESCRIBED)).complete
        again = {seen.path.rpartition("/")[2] for seen in server.seen if "/manifests/v" in seen.path}
        assert not known & again


async def test_f109_a_registry_of_errors_changes_nothing_and_is_not_hammered(scanner: Scanner) -> None:
    async with HostileRegistry(serve()) as server:
        before = await scanner.scan(server.image(), wanted=DESCRIBED)
        server.handler = lambda _: Reply(b"<html>Bad Gateway", 502)
        server.seen.clear()
        result = await scanner.scan(server.image(), wanted=DESCRIBED)
    assert (result.tags, result.complete) == (before.tags, False)
    assert [problem.code for problem in result.problems] == [codes.REGISTRY_UNREACHABLE]
    assert len(server.seen) == 1


# --- credentials -----------------------------------------------------------------------------------------------------


def told_anywhere(*servers: HostileRegistry) -> str:
    """All that these servers were ever sent."""
    return "\n".join(f"{s.method} {s.path} {s.headers} {s.body!r}" for server in servers for s in server.seen)


REALMS = ["https://evil.example.com/token", "http://{host}/token", "https://{other}/token", "//{other}/t", "token",
          "https://ada@{host}/token", "https://{host}\\@evil.example.com/"]  # fmt: skip


@pytest.mark.parametrize("realm", REALMS)
async def test_f110_a_realm_of_another_host_or_without_tls_is_sent_no_credential(tmp_path: Path, realm: str) -> None:
    authority = make_authority(tmp_path, BOTH)
    async with (
        HostileRegistry(lambda _: Reply({"token": "t"}), tls=authority.server_context(), address="127.0.0.2") as other,
        HostileRegistry(tls=authority.server_context()) as server,
        Registries(policy=RegistryPolicy(allow_loopback=True), limits=FAST) as registries,
    ):
        named = realm.format(host=server.host, other=other.host)
        challenge = f'Bearer realm="{named}",service="s"'
        server.handler = lambda _: Reply(status=401, headers={"WWW-Authenticate": challenge})
        access = RegistryAccess(login(server.host, "ada", SECRET), trust=Trust(authority.certificate))
        with pytest.raises(UserError) as error:
            await names(registries.open(server.image(), access))
        assert code_of(error.value) is codes.REALM_REFUSED
        assert other.seen == []
        assert "Authorization" not in told_anywhere(server)


async def test_f110_a_realm_that_the_user_named_gets_the_credential(tmp_path: Path) -> None:
    authority = make_authority(tmp_path, BOTH)
    policy = RegistryPolicy(allow_loopback=True, realm_hosts=frozenset({"127.0.0.2"}))
    async with (
        HostileRegistry(lambda _: Reply({"token": "t"}), tls=authority.server_context(), address="127.0.0.2") as other,
        HostileRegistry(tls=authority.server_context()) as server,
        Registries(policy=policy, limits=FAST) as registries,
    ):

        def answer(seen: Seen) -> Reply:
            if seen.headers.get("Authorization") == "Bearer t":
                return Reply({"tags": ["v1"]})
            return Reply(status=401, headers={"WWW-Authenticate": f'Bearer realm="{other.url}/token",service="s"'})

        server.handler = answer
        access = RegistryAccess(login(server.host, "ada", SECRET), trust=Trust(authority.certificate))
        assert await names(registries.open(server.image(), access)) == ["v1"]
        assert other.seen[0].headers["Authorization"].startswith("Basic ")
        assert "Basic" not in told_anywhere(server)


async def test_a_redirect_to_another_host_leaves_the_credential_behind(registries: Registries) -> None:
    async with HostileRegistry(lambda _: Reply(IMAGE.blobs[0].content)) as store, HostileRegistry() as server:

        def answer(seen: Seen) -> Reply:
            if not seen.headers.get("Authorization"):
                return Reply(status=401, headers={"WWW-Authenticate": "Basic realm=x"})
            if "/blobs/" in seen.path:
                return Reply(status=307, headers={"Location": f"{store.url}/blob?sig=a%2Fb"})
            return serve()(seen)

        server.handler = answer
        repository = registries.open(server.image(), RegistryAccess(login(server.host, "ada", SECRET)))
        described = await repository.describe(await repository.fetch("v1"))
        assert described.created is not None
        assert [seen.path for seen in store.seen] == ["/blob?sig=a%2Fb"]
        assert "Authorization" not in store.seen[0].headers


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://169.254.169.254/latest/meta-data", codes.URL_BLOCKED),
        ("http://[::ffff:169.254.169.254]/x", codes.URL_BLOCKED),
        ("file:///etc/passwd", codes.REGISTRY_REDIRECT),
        ("gopher://x/", codes.REGISTRY_REDIRECT),
        ("https://ada:pw@127.0.0.1/", codes.REGISTRY_REDIRECT),
        ("", codes.REGISTRY_REDIRECT),
        ("/v2/web/tags/list", codes.REGISTRY_REDIRECT),
    ],
    ids=["metadata", "mapped", "file", "gopher", "userinfo", "empty", "loop"],
)
async def test_a_redirect_to_where_none_must_lead_is_not_followed(
    registries: Registries, location: str, code: Code
) -> None:
    async with HostileRegistry(lambda _: Reply(status=302, headers={"Location": location})) as server:
        with pytest.raises(SluiceError) as error:
            await names(registries.open(server.image()))
        assert code_of(error.value) is code
        assert len(server.seen) <= 4


async def test_a_redirect_from_https_to_http_is_not_followed(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    async with (
        HostileRegistry(serve()) as plain,
        HostileRegistry(tls=authority.server_context()) as server,
        Registries(policy=RegistryPolicy(allow_loopback=True), limits=FAST) as registries,
    ):
        server.handler = lambda _: Reply(status=302, headers={"Location": f"{plain.url}/v2/web/tags/list"})
        with pytest.raises(SluiceError) as error:
            await names(registries.open(server.image(), RegistryAccess(trust=Trust(authority.certificate))))
        assert code_of(error.value) is codes.REGISTRY_REDIRECT
        assert plain.seen == []


async def test_a_registry_that_asks_for_another_login_each_time_is_given_up(registries: Registries) -> None:
    count = 0

    def answer(_: Seen) -> Reply:
        nonlocal count
        count += 1
        return Reply(status=401, headers={"WWW-Authenticate": f'Basic realm="{count}"'})

    async with HostileRegistry(answer) as server:
        access = RegistryAccess(login(server.host, "ada", SECRET))
        with pytest.raises(AuthenticationFailed):
            await names(registries.open(server.image(), access))
    assert count < 20


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"token": ""}',
        b'{"token": 1}',
        b'{"token": "a\\nb"}',
        b'{"token": "' + b"x" * 70_000 + b'"}',
    ],
    ids=["empty", "list", "none", "blank", "number", "header injection", "long"],
)
async def test_a_token_that_is_none_is_an_error_of_the_answer(registries: Registries, body: bytes) -> None:
    def answer(seen: Seen) -> Reply:
        if seen.path.startswith("/token"):
            return Reply(body)
        return Reply(status=401, headers={"WWW-Authenticate": f'Bearer realm="{server.url}/token"'})

    async with HostileRegistry(answer) as server:
        with pytest.raises(SluiceError) as error:
            await names(registries.open(server.image()))
        assert code_of(error.value) is codes.REGISTRY_ANSWER


async def test_no_error_and_no_repr_shows_a_credential(registries: Registries) -> None:
    def answer(seen: Seen) -> Reply:
        sent = seen.headers.get("Authorization", "")
        # It echoes what it was sent, as some do.
        return Reply({"errors": [{"code": "DENIED", "message": f"no: {sent}"}]}, 401, {"WWW-Authenticate": "Basic"})

    async with HostileRegistry(answer) as server:
        access = RegistryAccess(login(server.host, "ada", SECRET))
        with pytest.raises(AuthenticationFailed) as error:
            await names(registries.open(server.image(), access))
    shown = str(error.value) + repr(error.value) + repr(access) + repr(access.keyring)
    assert not re.search("canary|YWRh", shown)


@pytest.mark.parametrize(
    "image",
    ["169.254.169.254/x", "[fd00:ec2::254]/x", "[::ffff:a9fe:a9fe]/x", "127.0.0.1:1/x", "localhost:1/x"],
)
async def test_b115_a_host_that_is_link_local_or_this_machine_is_not_reached(image: str) -> None:
    async with Registries() as registries:
        with pytest.raises(UserError) as error:
            await names(registries.open(parse(image), ANONYMOUS))
    assert code_of(error.value) is codes.URL_BLOCKED
