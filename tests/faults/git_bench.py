"""Fixtures of tests in which a proxy stands between us and a git server, and what such tests look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from sluice.core.git_url import parse_url
from sluice.git.mirrors import Mirrors
from tests.faults.git_proxy import PORTAL, GitProxy, answer
from tests.git_servers import Hosted, git_http, mirrors

__all__ = ["BUSY", "DENIED", "LOGIN", "PORTAL", "git_http", "hosted", "mirrors", "processes_naming", "proxy"]

BUSY = answer(429, Retry_After="1")
DENIED = answer(403)
LOGIN = answer(401, WWW_Authenticate='Basic realm="git"')


@pytest.fixture
def proxy(git_http: GitHttpServer) -> Iterator[GitProxy]:
    with GitProxy(git_http) as opened:
        yield opened


@pytest.fixture
def hosted(git_http: GitHttpServer, proxy: GitProxy, mirrors: Mirrors, tmp_path: Path) -> Hosted:
    """A repository whose mirror goes through the proxy; the person who commits to it does not."""
    bare = git_http.create("fleet")
    work = WorkingRepo(tmp_path / "work", bare)
    return Hosted(work, mirrors.open(parse_url(proxy.address("fleet"))), bare, proxy.address("fleet"))


def processes_naming(text: str) -> list[str]:
    """Command lines in which it stands."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue  # it has ended
    return [line for line in found if text in line]
