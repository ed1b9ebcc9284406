"""F099 to F101: what is between us and a git server breaks off a push, before or after the server took it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from devcluster.git_repository import WorkingRepo
from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, RemoteError
from sluice.git.write_back import Gates, write_back
from tests.faults.git_bench import BUSY, DENIED, LOGIN, PORTAL, git_http, hosted, mirrors, processes_naming, proxy
from tests.faults.git_proxy import GitAsked, GitProxy, What, answer, once, to
from tests.faults.proxying import DROP, LOSE_ANSWER, Fault
from tests.git_servers import Hosted
from tests.git_writing import BUMP, OLD, WEB, git, log, replacing, wanted

__all__ = ["git_http", "hosted", "mirrors", "proxy"]


@pytest.mark.parametrize(
    "fault", [LOSE_ANSWER, Fault(keep=0), Fault(keep=9), Fault(edit=lambda _: b""), Fault(edit=lambda _: b"<html>")]
)
async def test_a_push_whose_answer_is_lost_is_found_on_the_remote_and_not_made_twice(
    hosted: Hosted, proxy: GitProxy, fault: Fault
) -> None:
    hosted.commit({WEB: OLD})
    proxy.arm(once("push", fault))
    written = await write_back(hosted.mirror, wanted(), BUMP)
    assert written.commit == git(hosted.bare, "rev-parse", "main").strip()
    assert log(hosted.bare) == ["Update web", "change"]


@pytest.mark.parametrize("what", ["push hello", "push"])
@pytest.mark.parametrize("fault", [DROP, answer(500), answer(503, Retry_After="1"), BUSY, PORTAL])
async def test_a_push_that_does_not_reach_the_host_is_an_error_to_try_again_and_then_comes_through(
    hosted: Hosted, proxy: GitProxy, what: What, fault: Fault
) -> None:
    hosted.commit({WEB: OLD})
    proxy.arm(to(what, fault))
    with pytest.raises(RemoteError) as caught:
        await write_back(hosted.mirror, wanted(), BUMP)
    assert caught.value.problems[0].code is codes.REMOTE_UNREACHABLE
    assert log(hosted.bare) == ["change"]
    proxy.arm()
    await write_back(hosted.mirror, wanted(), BUMP)
    assert log(hosted.bare) == ["Update web", "change"]


@pytest.mark.parametrize("fault", [DENIED, LOGIN])
async def test_f101_a_host_that_refuses_the_push_by_its_answer_is_asked_once(
    hosted: Hosted, proxy: GitProxy, fault: Fault
) -> None:
    hosted.commit({WEB: OLD})
    proxy.arm(to("push hello", fault))
    with pytest.raises(AuthenticationFailed) as caught:
        await write_back(hosted.mirror, wanted(), BUMP)
    assert caught.value.problems[0].code is codes.PUSH_DENIED
    assert proxy.count("push") == 0
    assert log(hosted.bare) == ["change"]


async def test_f100_where_the_host_can_not_be_asked_either_the_next_turn_finds_the_commit(
    hosted: Hosted, proxy: GitProxy
) -> None:
    hosted.commit({WEB: OLD})

    def decide(asked: GitAsked) -> Fault | None:
        if asked.what == "push":
            return LOSE_ANSWER
        return DROP if proxy.count("push") else None

    proxy.arm(decide)
    with pytest.raises(RemoteError, match=r"whether it took commit [0-9a-f]{12} is not known"):
        await write_back(hosted.mirror, wanted(), BUMP)
    proxy.arm()
    written = await write_back(hosted.mirror, wanted(), BUMP)
    assert (written.outcome, written.commit) == ("unchanged", git(hosted.bare, "rev-parse", "main").strip())
    assert log(hosted.bare) == ["Update web", "change"]


async def test_a_push_ends_before_the_lease_does(hosted: Hosted, proxy: GitProxy) -> None:
    hosted.commit({WEB: OLD})
    never = asyncio.Event()
    proxy.arm(to("push", Fault(hold=never, forward=False)))
    with pytest.raises(RemoteError, match="no end after 4 s"):
        await write_back(hosted.mirror, wanted(seconds=60.0), BUMP, Gates(lease_left=lambda: 4.0))
    assert processes_naming(proxy.url) == []
    proxy.set(never)


async def test_a_lost_answer_is_understood_even_when_others_have_pushed_on_top(
    hosted: Hosted, proxy: GitProxy, tmp_path: Path
) -> None:
    hosted.commit({WEB: OLD})
    human = WorkingRepo(tmp_path / "human", hosted.bare)

    def push_on_top() -> None:
        human.git("pull", "-q", "origin", "main")
        human.commit({"human": "1"}, "human")

    proxy.arm(once("push", Fault(after=push_on_top, answer=False)))
    # A second edit of the same plan would show if the first were not recognised.
    written = await write_back(hosted.mirror, wanted(), replacing(b"web:1", b"web:11"))
    assert log(hosted.bare) == ["human", "Update web", "change"]
    assert written.outcome == "already-there"
    assert git(hosted.bare, "rev-parse", "main~1").strip() == written.commit


async def test_a_process_killed_between_push_and_record_finds_its_commit(
    hosted: Hosted, proxy: GitProxy, tmp_path: Path
) -> None:
    hosted.commit({WEB: OLD})
    record, running = tmp_path / "record", asyncio.Event()
    args = [sys.executable, "-m", "tests.git_writer_process", hosted.url, str(tmp_path / "writer"), str(record)]
    started: list[asyncio.subprocess.Process] = []

    def kill() -> None:
        started[0].kill()

    proxy.arm(once("push", Fault(hold=running, after=kill, answer=False)))
    for code in (-9, 0):
        process = await asyncio.create_subprocess_exec(*args)
        started.append(process)
        proxy.set(running)
        assert await process.wait() == code
        assert record.exists() is (code == 0)
    commit = git(hosted.bare, "rev-parse", "main").strip()
    assert record.read_text() == f"already-there {commit}"
    assert log(hosted.bare) == ["Update web", "change"]
