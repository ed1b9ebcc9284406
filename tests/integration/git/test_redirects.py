"""Redirects are followed by us, each checked: to a renamed repository yes, to a place that must not be reached no."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web

from devcluster.git_http import GitHttpServer
from sluice.core.codes import AUTH_REFUSED, URL_BLOCKED, URL_SCHEME
from sluice.core.errors import AuthenticationFailed, SluiceError, UserError
from sluice.core.git_url import parse_url
from sluice.git.auth import auth_of_secret
from sluice.git.mirrors import Mirrors
from sluice.git.remote import redirected
from tests.git_servers import MAIN, Hosted, git_http, hosted, mirrors

__all__ = ["git_http", "hosted", "mirrors"]


class Redirector:
    """Answers every request with a redirect, and remembers the headers that it was sent."""

    def __init__(self) -> None:
        self.target: Callable[[web.Request], str] = lambda _: ""
        self.seen: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.seen.append(request.headers.get("Authorization", ""))
        return web.Response(status=301, headers={"Location": self.target(request)})

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    port = 0


@pytest.fixture
async def redirector() -> AsyncIterator[Redirector]:
    server = Redirector()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.port = runner.addresses[0][1]
    yield server
    await runner.cleanup()


def to(server: GitHttpServer, name: str) -> Callable[[web.Request], str]:
    return lambda request: f"{server.url(name)}/info/refs?{request.query_string}"


async def test_a_repository_that_moved_is_found_and_remembered(
    hosted: Hosted, git_http: GitHttpServer, mirrors: Mirrors, redirector: Redirector
) -> None:
    commit = hosted.commit({"a": "1"})
    redirector.target = to(git_http, "fleet")
    mirror = mirrors.open(parse_url(redirector.url("/old/name")))
    resolved = await mirror.resolve(MAIN)
    await mirror.fetch(resolved)
    assert [e.path for e in (await mirror.tree(commit)).entries] == ["a"]
    asked = len(redirector.seen)
    assert await mirror.resolve(MAIN) == resolved
    assert len(redirector.seen) == asked


async def test_credentials_stay_behind_when_a_redirect_leads_to_another_host(
    mirrors: Mirrors, redirector: Redirector, tmp_path: object, hosted: Hosted, git_http: GitHttpServer
) -> None:
    hosted.commit({"a": "1"})
    url = parse_url(redirector.url("/fleet"))
    redirector.target = to(git_http, "fleet")
    mirror = mirrors.open(url, auth_of_secret(url, {"username": b"ada", "password": b"x"}))
    git_http._basic = "Basic YWRhOng="
    with pytest.raises(AuthenticationFailed) as caught:
        await mirror.resolve(MAIN)
    assert caught.value.problems[0].code is AUTH_REFUSED
    assert redirector.seen[0] == "Basic YWRhOng="


async def test_an_endless_redirect_ends(mirrors: Mirrors, redirector: Redirector) -> None:
    redirector.target = lambda request: redirector.url(f"/x{request.path}?{request.query_string}")
    with pytest.raises(SluiceError, match="redirects to another address"):
        await mirrors.open(parse_url(redirector.url("/fleet"))).resolve(MAIN)


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://169.254.169.254/latest/info/refs", URL_BLOCKED),
        ("http://[::ffff:169.254.169.254]/x/info/refs", URL_BLOCKED),
        ("http://2852039166/x/info/refs", URL_BLOCKED),
        ("file:///etc/passwd", URL_SCHEME),
        ("ssh://git@127.0.0.1/x", URL_SCHEME),
    ],
)
async def test_a_redirect_to_a_forbidden_place_is_not_followed(
    mirrors: Mirrors, redirector: Redirector, location: str, code: object
) -> None:
    redirector.target = lambda _: location
    with pytest.raises(UserError) as caught:
        await mirrors.open(parse_url(redirector.url("/fleet"))).resolve(MAIN)
    assert caught.value.problems[0].code is code


def test_a_redirect_never_leads_from_https_to_http() -> None:
    with pytest.raises(UserError, match="less safe"):
        redirected(parse_url("https://host/x"), "http://host/x/info/refs?service=git-upload-pack")
    assert str(redirected(parse_url("http://host/x"), "https://host/x.git/info/refs?a=b")) == "https://host/x.git"
    assert str(redirected(parse_url("https://host:8443/x"), "/y/info/refs?a=b")) == "https://host:8443/y"
