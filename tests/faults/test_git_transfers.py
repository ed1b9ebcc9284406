"""F089 to F098: what is between us and a git server breaks off, lies, waits; the next try works.

After each fault the mirror is the one that met it: nothing of what it received by then may do harm.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from pathlib import Path

import pytest

from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo, hermetic_env
from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, RemoteError, SluiceError, StateError, UserError
from sluice.core.git_url import parse_url
from sluice.core.problem import Code
from sluice.git.limits import GitLimits
from sluice.git.mirrors import Mirrors
from tests.faults.git_bench import BUSY, DENIED, LOGIN, PORTAL, git_http, hosted, mirrors, processes_naming, proxy
from tests.faults.git_proxy import GitProxy, What, answer, once, to
from tests.faults.proxying import DROP, LOSE_ANSWER, Fault
from tests.git_servers import LOOPBACK, MAIN, Hosted

__all__ = ["git_http", "hosted", "mirrors", "proxy"]


async def paths(hosted: Hosted) -> list[str]:
    """The files of the branch as the mirror has them, once it has fetched it."""
    return [entry.path for entry in (await hosted.mirror.tree((await hosted.follow()).commit)).entries]


async def failing(hosted: Hosted, seconds: float = 20.0) -> SluiceError:
    """How following the branch fails."""
    with pytest.raises(SluiceError) as caught:
        await hosted.mirror.fetch(await hosted.mirror.resolve(MAIN, seconds=seconds), seconds=seconds)
    return caught.value


def check_objects(tmp_path: Path) -> None:
    """Git itself finds nothing wrong with the mirror, and nothing in it that was received half."""
    repo = next((tmp_path / "cache").glob("*/repo.git"))
    command = ["git", f"--git-dir={repo}", "fsck", "--full", "--strict"]
    subprocess.run(command, env=hermetic_env(tmp_path), check=True, capture_output=True)
    assert list((repo / "objects" / "pack").glob("tmp_*")) == []


def flipped(body: bytes) -> bytes:
    """One bit of the pack is another."""
    at = len(body) - 200
    return body[:at] + bytes([body[at] ^ 0x40]) + body[at + 1 :]


# --- reading ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("old_protocol", [False, True], ids=["by hash", "by name"])
async def test_f089_a_branch_rewritten_while_its_pack_is_on_its_way_is_the_old_or_the_new_one_whole(
    tmp_path: Path, mirrors: Mirrors, old_protocol: bool
) -> None:
    with GitHttpServer(tmp_path / "git", old_protocol=old_protocol) as server, GitProxy(server) as proxy:
        bare = server.create("fleet")
        work = WorkingRepo(tmp_path / "work", bare)
        hosted = Hosted(work, mirrors.open(parse_url(proxy.address("fleet"))), bare, proxy.address("fleet"))
        old = hosted.commit({"a": "1", "old": "1"})

        def rewrite() -> None:
            work.git("checkout", "-q", "--orphan", "other")
            work.commit({"a": "2", "old": None, "new": "1"}, "another history", push=False)
            work.push("+HEAD:refs/heads/main")

        proxy.arm(once("fetch", Fault(before=rewrite)))
        try:
            assert (await hosted.follow()).commit == old
            assert [e.path for e in (await hosted.mirror.tree(old)).entries] == ["a", "old"]
        except RemoteError as error:
            assert "moved while it was fetched" in str(error)  # noqa: PT017 - either is right
        assert (await hosted.follow()).commit == work.head()
        assert await paths(hosted) == ["a", "new"]
        check_objects(tmp_path)


@pytest.mark.parametrize(
    "fault",
    [Fault(keep=2_000), Fault(keep=0), Fault(edit=lambda body: body[:2_000]), Fault(edit=flipped), DROP, LOSE_ANSWER],
    ids=["reset in its middle", "reset", "ended in its middle", "a bit flipped", "never answered", "answer lost"],
)
async def test_f090_a_pack_that_does_not_come_whole_is_named_and_comes_with_the_next_try(
    hosted: Hosted, proxy: GitProxy, tmp_path: Path, fault: Fault
) -> None:
    hosted.commit({"big": os.urandom(20_000)})
    await hosted.follow()
    hosted.commit({"big": os.urandom(20_000), "new": "1"})
    proxy.arm(to("fetch", fault))
    error = await failing(hosted)
    assert isinstance(error, RemoteError)
    assert "broke off" in str(error)
    proxy.arm()
    assert await paths(hosted) == ["big", "new"]
    check_objects(tmp_path)


async def test_a_pack_that_breaks_off_again_and_again_takes_no_more_room_each_time(
    hosted: Hosted, proxy: GitProxy, tmp_path: Path
) -> None:
    hosted.commit({"a": "1"})
    await hosted.follow()
    hosted.commit({"big": os.urandom(20_000)})
    proxy.arm(to("fetch", Fault(keep=15_000)))
    for _ in range(3):
        await failing(hosted)
    assert list((tmp_path / "cache").glob("*/repo.git/objects/pack/tmp_*")) == []


@pytest.mark.parametrize(
    ("what", "fault", "kind", "code", "words"),
    [
        ("hello", LOGIN, AuthenticationFailed, codes.AUTH_REFUSED, "wants credentials, and there are none"),
        ("hello", DENIED, AuthenticationFailed, codes.AUTH_REFUSED, "refused the credentials"),
        ("fetch", DENIED, AuthenticationFailed, codes.AUTH_REFUSED, "refused the credentials"),
        ("hello", answer(404), UserError, codes.REF_MISSING, "does not exist, or is not visible"),
        ("refs", answer(404), UserError, codes.REF_MISSING, "does not exist, or is not visible"),
        ("hello", answer(500), RemoteError, codes.REMOTE_UNREACHABLE, "an error of its own .*error: 500"),
        ("refs", answer(502), RemoteError, codes.REMOTE_UNREACHABLE, "an error of its own .*error: 502"),
        ("fetch", answer(503), RemoteError, codes.REMOTE_UNREACHABLE, "an error of its own .*error: 503"),
        ("hello", BUSY, RemoteError, codes.REMOTE_UNREACHABLE, "wants fewer requests"),
        ("fetch", BUSY, RemoteError, codes.REMOTE_UNREACHABLE, "wants fewer requests"),
        ("hello", PORTAL, RemoteError, codes.REMOTE_UNREACHABLE, "is not a git server"),
        ("refs", PORTAL, RemoteError, codes.REMOTE_UNREACHABLE, "is not a git server"),
        ("fetch", PORTAL, RemoteError, codes.REMOTE_UNREACHABLE, "is not a git server"),
        ("hello", answer(302, Location="ftp://127.0.0.1/x"), UserError, codes.URL_SCHEME, "ftp"),
        ("fetch", answer(302, Location="/x"), UserError, codes.REF_MISSING, "redirects to another address"),
        ("hello", DROP, RemoteError, codes.REMOTE_UNREACHABLE, "broke off"),
        ("refs", DROP, RemoteError, codes.REMOTE_UNREACHABLE, "broke off"),
    ],
)
async def test_f091_what_a_host_answers_instead_is_named_at_whichever_step_and_the_next_try_works(
    hosted: Hosted, proxy: GitProxy, what: What, fault: Fault, kind: type[SluiceError], code: Code, words: str
) -> None:
    hosted.commit({"a": "1"})
    proxy.arm(to(what, fault))
    error = await failing(hosted)
    assert (type(error), error.problems[0].code) == (kind, code)
    assert re.search(words, str(error)), str(error)
    proxy.arm()
    assert await paths(hosted) == ["a"]


@pytest.mark.parametrize("what", ["refs", "fetch"])
@pytest.mark.parametrize("how", ["F092 a byte a second", "F093 not at all"])
async def test_f092_f093_a_host_that_answers_too_slowly_is_given_up_and_leaves_no_process(
    hosted: Hosted, proxy: GitProxy, tmp_path: Path, what: What, how: str
) -> None:
    hosted.commit({"a": "1"})
    never = asyncio.Event()
    proxy.arm(to(what, Fault(rate=1) if how.startswith("F092") else Fault(hold=never)))
    error = await failing(hosted, seconds=1.0)
    assert "did not answer in time" in str(error)
    assert processes_naming(proxy.url) == []
    assert list((tmp_path / "cache" / "scratch").iterdir()) == []
    proxy.set(never)
    proxy.arm()
    assert await paths(hosted) == ["a"]


async def test_f095_more_refs_than_the_limit_are_refused_and_not_read_on(
    git_http: GitHttpServer, proxy: GitProxy, tmp_path: Path
) -> None:
    bare = git_http.create("fleet")
    WorkingRepo(tmp_path / "work", bare).commit({"a": "1"}, "change")
    line = b"0041" + b"a" * 40 + b" refs/heads/a-branch\n"
    assert len(line) == 0x41

    def many(body: bytes) -> bytes:
        return line * 100_000 + body

    async with Mirrors(tmp_path / "cache", policy=LOOPBACK, limits=GitLimits(refs_bytes=1 << 20)) as opened:
        mirror = opened.open(parse_url(proxy.address("fleet")))
        proxy.arm(to("refs", Fault(edit=many)))
        with pytest.raises(UserError, match="over the limit") as caught:
            await mirror.resolve(MAIN)
        assert caught.value.problems[0].code is codes.REPO_TOO_BIG


async def test_f097_f098_a_disk_that_refuses_is_named_as_that_and_not_as_the_host(
    hosted: Hosted, tmp_path: Path
) -> None:
    hosted.commit({"a": "1"})
    scratch = tmp_path / "cache" / "scratch"
    scratch.rmdir()
    scratch.write_text("a file where a folder must be")
    error = await failing(hosted)
    assert isinstance(error, StateError)
    assert "the git mirror can't be written" in str(error)
    scratch.unlink()
    assert await paths(hosted) == ["a"]
