"""Pushing what was edited: in races, on branches of its own, through lost answers, with other automations beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from devcluster.git_ssh import GitSshServer
from sluice.api.git_repository import GitRef
from sluice.core import codes
from sluice.core.errors import NotReady, RemoteError, SluiceError, UserError
from sluice.core.git_url import parse_url
from sluice.core.problem import Problem
from sluice.git.auth import auth_of_secret
from sluice.git.head import Head
from sluice.git.mirrors import Mirrors
from sluice.git.push_queue import PushQueue
from sluice.git.write_back import ATTEMPTS, Draft, Gates, PlanEdit, WriteBack, Written, write_back
from tests.git_servers import LOOPBACK, Hosted, git_http, git_ssh, host, hosted, mirrors
from tests.git_writing import BUMP, NEW, OLD, WEB, git, hook, log, mark, replacing, show, wanted

__all__ = ["git_http", "git_ssh", "hosted", "mirrors"]

APP = "apps/app.yaml"


async def refused(hosted: Hosted, want: WriteBack, plan: PlanEdit = BUMP, gates: Gates | None = None) -> Problem:
    """The one problem of a write-back that must not come through; nothing on the remote has changed after it."""
    before = git(hosted.bare, "for-each-ref")
    with pytest.raises(SluiceError) as caught:
        await write_back(hosted.mirror, want, plan, gates)
    assert git(hosted.bare, "for-each-ref") == before
    (problem,) = caught.value.problems
    return problem


def racing(hosted: Hosted, plan: PlanEdit, times: int = 1) -> PlanEdit:
    """The plan, but a person pushes each time between the planning and the push."""
    left = iter(range(times))

    async def raced(head: Head) -> Draft | None:
        draft = await plan(head)
        n = next(left, None)
        if n is not None:
            await asyncio.to_thread(hosted.commit, {"human": str(n)}, f"human {n}")
        return draft

    return raced


# --- the synced branch ------------------------------------------------------------------------------------------


async def test_a_push_race_is_planned_again_on_the_new_head_and_the_human_commit_stays(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD})
    written = await write_back(hosted.mirror, wanted(), racing(hosted, BUMP, times=3))
    assert log(hosted.bare) == ["Update web", "human 2", "human 1", "human 0", "change"]
    assert show(hosted.bare, "main", WEB) == NEW
    assert git(hosted.bare, "rev-parse", "main~1").strip() == written.head == hosted.work.head()


async def test_a_race_with_somebody_who_made_the_same_edit_ends_without_a_commit(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD})

    async def plan(head: Head) -> Draft | None:
        draft = await BUMP(head)
        if draft is not None:
            await asyncio.to_thread(hosted.commit, {WEB: NEW}, "by hand")
        return draft

    written = await write_back(hosted.mirror, wanted(), plan)
    assert written.outcome == "unchanged"
    assert log(hosted.bare) == ["by hand", "change"]


async def test_races_without_end_are_given_up_and_named(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD})
    with pytest.raises(RemoteError) as caught:
        await write_back(hosted.mirror, wanted(), racing(hosted, BUMP, times=99))
    assert caught.value.problems[0].code is codes.PUSH_RACE
    assert len(log(hosted.bare)) == 1 + ATTEMPTS
    assert "Update web" not in log(hosted.bare)


async def test_a_branch_that_was_set_back_meanwhile_is_not_set_forward_again(hosted: Hosted) -> None:
    first = hosted.commit({WEB: OLD})
    hosted.commit({"mistake": "1"}, "mistake")

    async def plan(head: Head) -> Draft | None:
        draft = await BUMP(head)
        await asyncio.to_thread(hosted.work.push, f"+{first}:refs/heads/main")
        return draft

    written = await write_back(hosted.mirror, wanted(), plan)
    assert written.head == first
    assert log(hosted.bare) == ["Update web", "change"]


async def test_a_commit_that_is_not_the_branch_s_head_is_not_built_on(hosted: Hosted) -> None:
    commit = hosted.commit({WEB: OLD})
    hosted.commit({"human": "1"})
    want = wanted()
    pinned = WriteBack(GitRef(branch="main", commit=commit), want.target, want.author, want.committer, want.at)
    assert (await refused(hosted, pinned)).code is codes.NO_PUSH_BRANCH


async def test_a_key_may_write_over_ssh(git_ssh: GitSshServer, mirrors: Mirrors, tmp_path: Path) -> None:
    bare = git_ssh.create("fleet")
    WorkingRepo(tmp_path / "work", bare).commit({WEB: OLD}, "change")
    url = parse_url(git_ssh.url("fleet"))
    secret = {"identity": git_ssh.identity.encode(), "known_hosts": git_ssh.known_hosts.encode()}
    await write_back(mirrors.open(url, auth_of_secret(url, secret)), wanted(), BUMP)
    assert log(bare) == ["Update web", "change"]


# --- once, through crashes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("later", [0, 1, 3])
async def test_a_decision_is_carried_out_once_even_when_its_record_was_lost(
    hosted: Hosted, tmp_path: Path, later: int
) -> None:
    hosted.commit({WEB: OLD})
    plan = replacing(b"web:1", b"web:11")  # would find something to do each time
    first = await write_back(hosted.mirror, wanted(mark=mark()), plan)
    hosted.work.git("pull", "-q", "origin", "main")
    for n in range(later):
        hosted.commit({"human": str(n)}, f"human {n}")
    async with Mirrors(tmp_path / "cache-after-the-crash", policy=LOOPBACK) as anew:
        mirror = anew.open(parse_url(hosted.url))
        again = await write_back(mirror, wanted(mark=mark(), look_back=10), plan)
        assert (again.outcome, again.commit) == ("already-there", first.commit)
        other = await write_back(mirror, wanted(mark=mark("sha256:2"), look_back=10), plan)
        assert other.outcome == "pushed"
    assert log(hosted.bare).count("Update web") == 2


async def test_nothing_is_pushed_when_the_lease_may_end_before_the_push(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD})
    with pytest.raises(NotReady) as caught:
        await write_back(hosted.mirror, wanted(), BUMP, Gates(lease_left=lambda: 1.0))
    assert caught.value.problems[0].code is codes.LEASE_TOO_SHORT
    assert log(hosted.bare) == ["change"]


# --- a branch of its own ----------------------------------------------------------------------------------------


async def test_a_separate_branch_is_made_and_the_synced_one_stays(hosted: Hosted) -> None:
    head = hosted.commit({WEB: OLD})
    written = await write_back(hosted.mirror, wanted(branch="bot/images"), BUMP)
    assert written.refs == ("refs/heads/bot/images",)
    assert (log(hosted.bare), log(hosted.bare, "bot/images")) == (["change"], ["Update web", "change"])
    assert git(hosted.bare, "rev-parse", "main").strip() == head


async def test_an_edit_that_is_already_on_the_separate_branch_is_not_pushed_again(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD})
    first = await write_back(hosted.mirror, wanted(branch="bot"), BUMP)
    again = await write_back(hosted.mirror, wanted(branch="bot"), BUMP)
    assert (again.outcome, again.commit) == ("unchanged", first.commit)
    assert log(hosted.bare, "bot") == ["Update web", "change"]


async def test_automations_that_share_a_branch_compose(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD, APP: "image: app:1\n"})
    app = replacing(b"app:1", b"app:2", APP, "Update app")
    await write_back(hosted.mirror, wanted(branch="bot", mark=mark(owner="a")), BUMP)
    await write_back(hosted.mirror, wanted(branch="bot", mark=mark(owner="b")), app)
    assert log(hosted.bare, "bot") == ["Update app", "Update web", "change"]
    assert (show(hosted.bare, "bot", WEB), show(hosted.bare, "bot", APP)) == (NEW, b"image: app:2\n")


async def test_a_branch_of_ours_is_begun_anew_on_a_newer_head_and_says_whose_edits_that_drops(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD, APP: "image: app:1\n"})
    app = replacing(b"app:1", b"app:2", APP, "Update app")
    await write_back(hosted.mirror, wanted(branch="bot", mark=mark(owner="a")), BUMP)
    await write_back(hosted.mirror, wanted(branch="bot", mark=mark(owner="b")), app)
    head = hosted.commit({"human": "1"}, "human")
    written = await write_back(hosted.mirror, wanted(branch="bot", mark=mark("2", "a")), BUMP)
    assert (written.head, written.displaced) == (head, ("b",))
    assert log(hosted.bare, "bot") == ["Update web", "human", "change"]
    written = await write_back(hosted.mirror, wanted(branch="bot", mark=mark("2", "b")), app)
    assert written.displaced == ()
    assert log(hosted.bare, "bot") == ["Update app", "Update web", "human", "change"]


async def test_a_branch_that_already_holds_the_same_tree_is_left_alone(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD})
    first = await write_back(hosted.mirror, wanted(branch="bot"), BUMP)
    hosted.commit({}, "an empty commit")  # a newer head, on which the branch would be begun anew
    again = await write_back(hosted.mirror, wanted(branch="bot"), BUMP)
    assert again.outcome == "unchanged"
    assert git(hosted.bare, "rev-parse", "bot").strip() == first.commit


async def test_a_host_of_the_old_protocol_is_written_like_any(mirrors: Mirrors, tmp_path: Path) -> None:
    with GitHttpServer(tmp_path / "old", old_protocol=True) as server:
        repo = host(server, mirrors, tmp_path, "fleet")
        repo.commit({WEB: OLD, APP: "image: app:1\n"})
        app = replacing(b"app:1", b"app:2", APP, "Update app")
        await write_back(repo.mirror, wanted(branch="bot"), BUMP)
        await write_back(repo.mirror, wanted(branch="bot"), app)
        assert log(repo.bare, "bot") == ["Update app", "Update web", "change"]
        repo.commit({"human": "1"}, "human")
        await write_back(repo.mirror, wanted(branch="bot", mark=mark(), look_back=5), BUMP)
        assert log(repo.bare, "bot") == ["Update web", "human", "change"]
        await write_back(repo.mirror, wanted(), app)
        assert log(repo.bare) == ["Update app", "human", "change"]


@pytest.mark.parametrize("merge", ["fast-forward", "merge commit", "squash"])
async def test_after_its_branch_was_merged_the_next_edit_begins_on_the_merged_head(hosted: Hosted, merge: str) -> None:
    hosted.commit({WEB: OLD})
    await write_back(hosted.mirror, wanted(branch="bot"), BUMP)
    hosted.work.git("fetch", "-q", "origin", "bot")
    if merge == "squash":
        hosted.work.git("merge", "-q", "--squash", "FETCH_HEAD")
    else:
        hosted.work.git("merge", "-q", "--ff" if merge == "fast-forward" else "--no-ff", "-m", "merge", "FETCH_HEAD")
    head = hosted.commit({"human": "1"}, "human")
    assert (await write_back(hosted.mirror, wanted(branch="bot"), BUMP)).outcome == "unchanged"
    written = await write_back(hosted.mirror, wanted(branch="bot"), replacing(b"1.1", b"1.2"))
    assert written.head == head
    assert git(hosted.bare, "rev-parse", "bot~1").strip() == head
    assert show(hosted.bare, "bot", WEB) == b"image: web:1.2\n"


@pytest.mark.parametrize("how", ["on top", "below", "amended", "merged in", "without ours"])
async def test_a_branch_with_a_commit_that_is_not_ours_is_never_overwritten(hosted: Hosted, how: str) -> None:
    hosted.commit({WEB: OLD})
    if how not in {"below", "without ours"}:
        await write_back(hosted.mirror, wanted(branch="bot", mark=mark()), BUMP)
        hosted.work.git("fetch", "-q", "origin", "bot")
        hosted.work.git("checkout", "-q", "-b", "bot", "FETCH_HEAD")
    match how:
        case "amended":
            hosted.work.git("commit", "-q", "--amend", "-m", "Update web\n\nSluice-Update: a b")
        case "merged in":
            hosted.work.git("merge", "-q", "-s", "ours", "--allow-unrelated-histories", "-m", "m", unrelated(hosted))
        case _:
            hosted.work.git("commit", "-q", "--allow-empty", "-m", "by a person")
    hosted.work.push("+HEAD:refs/heads/bot")
    if how == "below":
        hosted.work.env |= {"GIT_COMMITTER_EMAIL": "sluice@example.com", "GIT_AUTHOR_EMAIL": "sluice@example.com"}
        hosted.work.git("commit", "-q", "--allow-empty", "-m", "as if ours")
        hosted.work.push("+HEAD:refs/heads/bot")
    problem = await refused(hosted, wanted(branch="bot"), replacing(b"web:1", b"web:2"))
    assert problem.code is codes.BRANCH_NOT_OURS
    assert "Ada Demo <ada@example.com>" in problem.cause


def unrelated(hosted: Hosted) -> str:
    tree = hosted.work.git("rev-parse", "HEAD^{tree}")
    return hosted.work.git("commit-tree", tree, "-m", "elsewhere")


async def test_somebody_who_pushes_to_our_branch_meanwhile_is_not_overwritten(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD})
    await write_back(hosted.mirror, wanted(branch="bot"), BUMP)
    hosted.commit({"human": "1"}, "human")  # so that the branch is to be begun anew, by force

    async def plan(head: Head) -> Draft | None:
        draft = await BUMP(head)
        await asyncio.to_thread(hosted.work.push, "+HEAD:refs/heads/bot")
        await asyncio.to_thread(hosted.work.git, "commit", "-q", "--allow-empty", "-m", "by a person")
        await asyncio.to_thread(hosted.work.push, "HEAD:refs/heads/bot")
        return draft

    with pytest.raises(UserError) as caught:
        await write_back(hosted.mirror, wanted(branch="bot"), plan)
    assert caught.value.problems[0].code is codes.BRANCH_NOT_OURS
    assert log(hosted.bare, "bot")[0] == "by a person"


async def test_a_tag_can_be_what_a_separate_branch_is_made_from(hosted: Hosted) -> None:
    tagged = hosted.commit({WEB: OLD})
    hosted.work.tag("v1", annotated=True)
    hosted.commit({WEB: "image: web:9\n"})
    want = wanted(branch="bot")
    want = WriteBack(GitRef(tag="v1"), want.target, want.author, want.committer, want.at)
    assert (await write_back(hosted.mirror, want, BUMP)).head == tagged
    assert (await write_back(hosted.mirror, want, BUMP)).outcome == "unchanged"


# --- refspecs and options ---------------------------------------------------------------------------------------


async def test_a_refspec_alone_pushes_for_review_and_moves_no_branch(hosted: Hosted) -> None:
    head = hosted.commit({WEB: OLD})
    written = await write_back(hosted.mirror, wanted(refspec="HEAD:refs/for/main"), BUMP)
    assert git(hosted.bare, "rev-parse", "refs/for/main", "main").split() == [written.commit, head]


async def test_a_branch_and_a_refspec_move_together_or_not_at_all(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD})
    both = wanted(branch="main", refspec="refs/heads/main:refs/heads/smoke")
    written = await write_back(hosted.mirror, both, BUMP)
    assert git(hosted.bare, "rev-parse", "main", "smoke").split() == [written.commit] * 2
    hook(hosted.bare, "update", 'case "$1" in */smoke) echo not smoke >&2; exit 1;; esac')
    problem = await refused(hosted, both, replacing(b"1.1", b"1.2"))
    assert problem.code is codes.PUSH_DECLINED
    assert "not smoke" in problem.cause


async def test_a_refspec_s_branch_follows_when_it_fell_behind_and_is_never_forced(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD})
    hosted.work.push("HEAD:refs/heads/smoke")
    hosted.commit({"human": "1"}, "human")
    both = wanted(branch="main", refspec="main:smoke")
    written = await write_back(hosted.mirror, both, BUMP)
    assert git(hosted.bare, "rev-parse", "smoke").strip() == written.commit
    hosted.work.git("commit", "-q", "--allow-empty", "-m", "elsewhere")
    hosted.work.push("+HEAD:refs/heads/smoke")
    problem = await refused(hosted, both, replacing(b"1.1", b"1.2"))
    assert (problem.code, problem.field) == (codes.PUSH_REFSPEC, "spec.git.push.refspec")


async def test_push_options_reach_the_host(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD})
    options = {"merge_request.create": "", "merge_request.title": 'Update "web"; $(x)'}
    problem = await refused(hosted, wanted(options=options))
    assert (problem.code, problem.field) == (codes.PUSH_OPTION, "spec.git.push.options")
    git(hosted.bare, "config", "receive.advertisePushOptions", "true")
    hook(hosted.bare, "pre-receive", 'printf "%s|%s" "$GIT_PUSH_OPTION_0" "$GIT_PUSH_OPTION_1" > told')
    await write_back(hosted.mirror, wanted(options=options), BUMP)
    assert (hosted.bare / "told").read_text() == 'merge_request.create|merge_request.title=Update "web"; $(x)'


# --- many writers -----------------------------------------------------------------------------------------------


async def test_many_automations_of_one_repository_take_turns_and_lose_nothing(hosted: Hosted, mirrors: Mirrors) -> None:
    names = [f"apps/{n}.yaml" for n in range(8)]
    hosted.commit(dict.fromkeys(names, "v1\n"))
    queue = PushQueue(lambda: 0.0)
    heads: list[str] = []

    async def one(path: str) -> Written:
        plan = replacing(b"v1", b"v2", path, f"Update {path}")

        async def noted(head: Head) -> Draft | None:
            heads.append(head.commit)
            return await plan(head)

        return await queue.write(hosted.mirror, wanted(), noted, owner=path)

    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(one(name))
    assert sorted(log(hosted.bare)) == sorted(["change", *(f"Update {name}" for name in names)])
    assert len(set(heads)) == len(heads) == len(names)  # nobody had to plan twice


async def test_a_storm_of_one_automation_is_slowed_down_and_others_are_not(hosted: Hosted) -> None:
    hosted.commit({WEB: "v0\n"})
    queue = PushQueue(lambda: 7.0)
    url = hosted.mirror.remote.url
    n = 0
    while not queue.delay(url, "a"):
        n += 1
        await queue.write(hosted.mirror, wanted(), replacing(f"v{n - 1}".encode(), f"v{n}".encode()), owner="a")
    assert (n, queue.delay(url, "a"), queue.delay(url, "b")) == (4, 10.0, 0.0)
    await queue.write(hosted.mirror, wanted(), BUMP, owner="b")
    assert queue.delay(url, "b") == 0.0
