"""fluxd's notes: the JSON of a job, attached to its commit, pushed with it or not at all."""

from __future__ import annotations

import asyncio
import json

import pytest

from sluice.core import codes
from sluice.core.errors import RemoteError
from sluice.git.head import Head
from sluice.git.notes import Note
from sluice.git.write_back import Draft, write_back
from tests.git_servers import Hosted, git_http, hosted, mirrors
from tests.git_writing import BUMP, OLD, WEB, git, hook, log, replacing, wanted

__all__ = ["git_http", "hosted", "mirrors"]


def note(job: str) -> Note:
    def content(commit: str) -> bytes:
        return (
            json.dumps({"jobID": job, "spec": {"# cause": "  x "}, "result": {"revision": commit}}).encode() + b"\n\n"
        )

    return Note("refs/notes/flux", content)


def read(hosted: Hosted, rev: str = "main") -> str:
    return git(hosted.bare, "notes", "--ref=flux", "show", rev)


async def test_a_note_names_the_commit_that_it_is_attached_to(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD})
    written = await write_back(hosted.mirror, wanted(note=note("job-1")), BUMP)
    assert read(hosted) == note("job-1").content(written.commit).decode()
    assert git(hosted.bare, "log", "-1", "--format=%cn <%ce>", "refs/notes/flux") == "Sluice <sluice@example.com>\n"
    assert set(git(hosted.bare, "for-each-ref", "--format=%(refname)").split()) == {
        "refs/heads/main",
        "refs/notes/flux",
    }


async def test_the_notes_of_others_stay(hosted: Hosted) -> None:
    first = hosted.commit({WEB: OLD})
    hosted.work.git("notes", "--ref=flux", "add", "-m", "by fluxd", first)
    hosted.work.push("refs/notes/flux:refs/notes/flux")
    await write_back(hosted.mirror, wanted(note=note("job-1")), BUMP)
    await write_back(hosted.mirror, wanted(note=note("job-2")), replacing(b"1.1", b"1.2"))
    jobs = [json.loads(read(hosted, rev))["jobID"] for rev in ("main", "main~1")]
    assert (jobs, read(hosted, first)) == (["job-2", "job-1"], "by fluxd\n")


async def test_a_race_for_the_notes_is_planned_again_and_loses_no_note(hosted: Hosted) -> None:
    first = hosted.commit({WEB: OLD})
    hosted.work.git("notes", "--ref=flux", "add", "-m", "by fluxd", first)
    raced = False

    def content(commit: str) -> bytes:
        nonlocal raced
        if not raced:
            hosted.work.push("refs/notes/flux:refs/notes/flux")
        raced = True
        return b"ours"

    await write_back(hosted.mirror, wanted(note=Note("refs/notes/flux", content)), BUMP)
    assert (read(hosted, first), read(hosted)) == ("by fluxd\n", "ours")
    assert log(hosted.bare) == ["Update web", "change"]


async def test_a_commit_without_its_note_is_not_pushed(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD})
    hook(hosted.bare, "update", 'case "$1" in refs/notes/*) exit 1;; esac')
    with pytest.raises(RemoteError) as caught:
        await write_back(hosted.mirror, wanted(note=note("job-1")), BUMP)
    assert caught.value.problems[0].code is codes.PUSH_DECLINED
    assert log(hosted.bare) == ["change"]


async def test_a_race_for_the_branch_attaches_the_note_to_the_commit_that_got_through(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD})

    async def plan(head: Head) -> Draft | None:
        draft = await BUMP(head)
        if len(log(hosted.bare)) == 1:
            await asyncio.to_thread(hosted.commit, {"human": "1"}, "human")
        return draft

    written = await write_back(hosted.mirror, wanted(note=note("job-1")), plan)
    assert json.loads(read(hosted))["result"]["revision"] == written.commit
    assert git(hosted.bare, "notes", "--ref=flux", "list").count("\n") == 1
