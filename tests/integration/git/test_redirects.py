"""Redirects are followed by us, each checked: to a renamed repository yes, to a place that must not be reached no."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from devcluster.git_http import GitHttpServer
from sluice.core.codes import URL_BLOCKED, URL_SCHEME
from sluice.core.errors import SluiceError, UserError
from sluice.core.git_url import parse_url
from sluice.git.auth import auth_of_secret
from sluice.git.mirrors import Mirrors
from sluice.git.remote import redirected
from tests.faults.git_bench import proxy
from tests.faults.git_proxy import GitAsked, GitDecide, GitProxy, answer
from tests.git_servers import MAIN, Hosted, git_http, hosted, mirrors

__all__ = ["git_http", "hosted", "mirrors", "proxy"]


def leading(to: Callable[[GitAsked], str]) -> GitDecide:
    """Every request is redirected."""
    return lambda asked: answer(301, Location=to(asked))


def to(url: str) -> GitDecide:
    """The same, to the repository of that URL."""
    return leading(lambda _: f"{url}/info/refs?service=git-upload-pack")


async def test_a_repository_that_moved_is_found_and_remembered(
    hosted: Hosted, git_http: GitHttpServer, mirrors: Mirrors, proxy: GitProxy
) -> None:
    commit = hosted.commit({"a": "1"})
    proxy.arm(to(git_http.url("fleet")))
    mirror = mirrors.open(parse_url(proxy.address("old/name")))
    resolved = await mirror.resolve(MAIN)
    await mirror.fetch(resolved)
    assert [e.path for e in (await mirror.tree(commit)).entries] == ["a"]
    asked = len(proxy.requests)
    assert await mirror.resolve(MAIN) == resolved
    assert len(proxy.requests) == asked


async def test_credentials_stay_behind_when_a_redirect_leads_to_another_host(
    hosted: Hosted, git_http: GitHttpServer, mirrors: Mirrors, proxy: GitProxy
) -> None:
    hosted.commit({"a": "1"})
    url = parse_url(proxy.address("fleet"))
    mirror = mirrors.open(url, auth_of_secret(url, {"username": b"ada", "password": b"x"}))
    with GitProxy(git_http) as elsewhere:
        proxy.arm(to(elsewhere.address("fleet")))
        await mirror.fetch(await mirror.resolve(MAIN))
        assert {request.asked.authorization for request in proxy.requests} == {"Basic YWRhOng="}
        assert {request.asked.authorization for request in elsewhere.requests} == {""}


async def test_an_endless_redirect_ends(mirrors: Mirrors, proxy: GitProxy) -> None:
    proxy.arm(leading(lambda asked: f"{proxy.url}/x{asked.name}/info/refs?service=git-upload-pack"))
    with pytest.raises(SluiceError, match="redirects to another address"):
        await mirrors.open(parse_url(proxy.address("fleet"))).resolve(MAIN)


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
    mirrors: Mirrors, proxy: GitProxy, location: str, code: object
) -> None:
    proxy.arm(leading(lambda _: location))
    with pytest.raises(UserError) as caught:
        await mirrors.open(parse_url(proxy.address("fleet"))).resolve(MAIN)
    assert caught.value.problems[0].code is code


def test_a_redirect_never_leads_from_https_to_http() -> None:
    with pytest.raises(UserError, match="less safe"):
        redirected(parse_url("https://host/x"), "http://host/x/info/refs?service=git-upload-pack")
    assert str(redirected(parse_url("http://host/x"), "https://host/x.git/info/refs?a=b")) == "https://host/x.git"
    assert str(redirected(parse_url("https://host:8443/x"), "/y/info/refs?a=b")) == "https://host:8443/y"
