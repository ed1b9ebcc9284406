"""A mirror against a real git server over http: what is asked, what is fetched, what is read."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest

from devcluster.git_http import GitHttpServer
from sluice.api.git_repository import GitRef
from sluice.core.artifact import FileEntry
from sluice.core.codes import BAD_COMMIT, REF_MISSING, REPO_EMPTY, SEMVER
from sluice.core.errors import StateError, UserError
from sluice.core.git_url import parse_url
from sluice.git.auth import NO_AUTH, auth_of_secret
from sluice.git.mirror import Mirror
from sluice.git.mirrors import Mirrors
from sluice.git.process import base_env, kill_group, spawn_git
from sluice.git.repository import KEEP_COMMITS
from tests.git_servers import MAIN, Hosted, git_http, host, hosted, mirrors
from tests.git_writing import git

__all__ = ["git_http", "hosted", "mirrors"]


async def paths(hosted: Hosted, commit: str) -> list[str]:
    return [entry.path for entry in (await hosted.mirror.tree(commit)).entries]


async def test_a_branch_is_resolved_fetched_and_read(hosted: Hosted) -> None:
    commit = hosted.commit({"apps/web.yaml": "kind: X\n", "run.sh": "#!/bin/sh\n"})
    (hosted.work.path / "run.sh").chmod(0o755)
    (hosted.work.path / "link").symlink_to("apps/web.yaml")
    commit = hosted.commit({}, "make it run")
    resolved = await hosted.follow()
    assert str(resolved.revision) == f"main@sha1:{commit}"
    tree = await hosted.mirror.tree(commit)
    assert [(e.path, e.mode, e.size) for e in tree.entries] == [
        ("apps/web.yaml", "file", 8),
        ("link", "symlink", 13),
        ("run.sh", "executable", 10),
    ]
    assert await hosted.mirror.blobs.read(tree.entries) == [b"kind: X\n", b"apps/web.yaml", b"#!/bin/sh\n"]


async def test_nothing_set_means_branch_master(hosted: Hosted) -> None:
    commit = hosted.commit({"a": "1"})
    hosted.work.push("HEAD:refs/heads/master")
    assert str((await hosted.mirror.resolve(None)).revision) == f"master@sha1:{commit}"


async def test_a_tag_is_followed_through_its_annotation_to_the_commit(hosted: Hosted) -> None:
    commit = hosted.commit({"a": "1"})
    hosted.work.tag("light")
    hosted.work.tag("noted", annotated=True)
    light, noted = await hosted.follow(GitRef(tag="light")), await hosted.follow(GitRef(tag="noted"))
    assert str(light.revision) == f"light@sha1:{commit}"
    assert str(noted.revision) == f"noted@sha1:{commit}"
    assert (light.tag_object, noted.tag_object) == ("", hosted.work.git("rev-parse", "noted"))
    assert await paths(hosted, commit) == ["a"]


async def test_a_range_follows_the_highest_tag_in_it(hosted: Hosted) -> None:
    commits = {}
    for tag in ("v1.0.0", "v1.10.0", "v1.9.0", "v2.0.0-rc.1", "v2.0.0", "not-a-version"):
        commits[tag] = hosted.commit({"version": tag})
        hosted.work.tag(tag, annotated=tag == "v1.10.0")
    resolved = await hosted.follow(GitRef(semver=">=1.0.0 <2.0.0"))
    assert str(resolved.revision) == f"v1.10.0@sha1:{commits['v1.10.0']}"
    assert await paths(hosted, resolved.commit) == ["version"]


async def test_of_two_tags_of_one_version_the_younger_commit_wins(hosted: Hosted) -> None:
    hosted.work.env["GIT_COMMITTER_DATE"] = "2026-02-02T00:00:00Z"
    young = hosted.commit({"a": "young"})
    hosted.work.tag("1.0.0")
    hosted.work.env["GIT_COMMITTER_DATE"] = "2026-01-01T00:00:00Z"
    hosted.commit({"a": "old"})
    hosted.work.tag("v1.0.0")
    resolved = await hosted.mirror.resolve(GitRef(semver="1.x"))
    assert str(resolved.revision) == f"1.0.0@sha1:{young}"


async def test_any_ref_can_be_followed_by_its_full_name(hosted: Hosted) -> None:
    hosted.commit({"a": "1"})
    commit = hosted.work.commit({"a": "2"}, "proposal", push=False)
    hosted.work.push("HEAD:refs/pull/420/head")
    resolved = await hosted.follow(GitRef(name="refs/pull/420/head"))
    assert str(resolved.revision) == f"refs/pull/420/head@sha1:{commit}"
    assert await hosted.mirror.blobs.read((await hosted.mirror.tree(commit)).entries) == [b"2"]


async def test_a_commit_alone_is_fetched_without_asking_what_stands_where(
    hosted: Hosted, git_http: GitHttpServer
) -> None:
    old = hosted.commit({"a": "1"})
    hosted.commit({"a": "2"})
    resolved = await hosted.mirror.resolve(GitRef(commit=old))
    assert git_http.requests == []
    await hosted.mirror.fetch(resolved)
    assert str(resolved.revision) == f"sha1:{old}"
    assert await paths(hosted, old) == ["a"]


async def test_a_commit_on_its_branch_is_reached_through_the_branch(hosted: Hosted) -> None:
    old = hosted.commit({"a": "1"})
    for number in range(3):
        hosted.commit({"a": f"later {number}"})
    await hosted.follow()
    resolved = await hosted.follow(GitRef(branch="main", commit=old.upper()))
    assert str(resolved.revision) == f"main@sha1:{old}"
    assert await paths(hosted, old) == ["a"]


async def test_a_commit_that_is_not_on_its_branch_is_refused(hosted: Hosted) -> None:
    hosted.commit({"a": "1"})
    side = hosted.work.commit({"a": "side"}, "side", push=False)
    hosted.work.push("HEAD:refs/heads/side")
    hosted.work.git("reset", "-q", "--hard", "HEAD~1")
    hosted.commit({"a": "2"})
    with pytest.raises(UserError, match="is not on branch 'main'") as caught:
        await hosted.follow(GitRef(branch="main", commit=side))
    assert caught.value.problems[0].code is BAD_COMMIT
    await hosted.follow(GitRef(branch="side", commit=side))


async def test_a_commit_goes_before_a_name_before_a_range_before_a_tag_before_a_branch(hosted: Hosted) -> None:
    first = hosted.commit({"a": "1"})
    hosted.work.tag("v1.0.0")
    second = hosted.commit({"a": "2"})
    everything = {"branch": "main", "tag": "gone", "semver": "1.x", "name": "refs/heads/main"}
    assert (await hosted.mirror.resolve(GitRef(**everything))).commit == second
    assert (await hosted.mirror.resolve(GitRef(**{**everything, "name": ""}))).revision.name == "v1.0.0"
    assert (await hosted.mirror.resolve(GitRef(**everything, commit=first))).commit == first


async def test_a_poll_that_finds_the_same_head_is_one_ls_remote_and_no_fetch(
    hosted: Hosted, git_http: GitHttpServer
) -> None:
    hosted.commit({"a": "1"})
    resolved = await hosted.follow()
    git_http.requests.clear()
    assert await hosted.mirror.resolve(MAIN) == resolved
    await hosted.mirror.fetch(resolved)
    assert git_http.requests == ["GET /fleet.git/info/refs?service=git-upload-pack", "POST /fleet.git/git-upload-pack"]


async def test_a_fetch_brings_only_what_is_new(hosted: Hosted, tmp_path: Path) -> None:
    noise = os.urandom(300_000)
    hosted.commit({"big.bin": noise, "a": "1"})
    await hosted.follow()
    repo = next((tmp_path / "cache").glob("*/repo.git"))
    before = sum(path.stat().st_size for path in repo.rglob("*") if path.is_file())
    commit = hosted.commit({"a": "2"})
    await hosted.follow()
    after = sum(path.stat().st_size for path in repo.rglob("*") if path.is_file())
    assert before > 300_000
    assert after - before < 10_000
    assert await hosted.mirror.blobs.read((await hosted.mirror.tree(commit)).entries) == [b"2", noise]


async def test_old_commits_are_let_go_but_the_newest_stay_readable(hosted: Hosted, tmp_path: Path) -> None:
    commits = []
    for number in range(KEEP_COMMITS + 3):
        commits.append(hosted.commit({"a": str(number)}))
        await hosted.follow()
    holds = {path.name for path in (tmp_path / "cache").glob("*/repo.git/refs/sluice/*/*")}
    assert holds == set(commits[-KEEP_COMMITS:])


async def test_a_branch_is_followed_through_many_commits(hosted: Hosted) -> None:
    for n in range(20):  # git compresses what it asks for once it has so much to tell
        commit = hosted.commit({"a": str(n)})
        assert str((await hosted.follow()).revision) == f"main@sha1:{commit}"


async def test_the_changed_paths_between_two_commits_are_named(hosted: Hosted) -> None:
    one = hosted.commit({"a": "1", "b/c": "1", "d": "1"})
    await hosted.follow()
    two = hosted.commit({"a": "2", "b/c": None, "b/ü": "1"})
    await hosted.follow()
    assert await hosted.mirror.changed(one, two) == ("a", "b/c", "b/ü")
    assert await hosted.mirror.changed("0" * 40, two) is None


async def test_a_commit_s_author_time_and_subject_are_read(hosted: Hosted) -> None:
    hosted.work.env["GIT_AUTHOR_DATE"] = "2026-03-04T05:06:07+02:00"
    commit = hosted.commit({"a": "1"}, "Bump web to 1.2\n\nA body.")
    await hosted.follow()
    info = await hosted.mirror.commit_info(commit)
    assert (info.author, info.email) == ("Ada Demo", "ada@example.com")
    assert (info.time, info.subject) == ("2026-03-04T05:06:07+02:00", "Bump web to 1.2")


async def test_a_branch_that_is_not_there_is_answered_with_the_nearest_name(hosted: Hosted) -> None:
    hosted.commit({"a": "1"})
    hosted.work.push("HEAD:refs/heads/dev")
    with pytest.raises(UserError) as caught:
        await hosted.mirror.resolve(GitRef(branch="mian"))
    (problem,) = caught.value.problems
    assert (problem.code, problem.field) == (REF_MISSING, "spec.ref.branch")
    assert (problem.cause, problem.fix) == ("branches there: dev, main", "did you mean 'main'?")


@pytest.mark.parametrize(
    ("ref", "field", "title"),
    [
        (GitRef(tag="v1.0.1"), "spec.ref.tag", "tag 'v1.0.1' does not exist"),
        (GitRef(name="refs/heads/mane"), "spec.ref.name", "ref 'refs/heads/mane' does not exist"),
        (GitRef(branch="side", commit="a" * 40), "spec.ref.branch", "branch 'side' does not exist"),
    ],
)
async def test_a_missing_ref_is_named_with_its_field(hosted: Hosted, ref: GitRef, field: str, title: str) -> None:
    hosted.commit({"a": "1"})
    hosted.work.tag("v1.0.0")
    with pytest.raises(UserError) as caught:
        await hosted.mirror.resolve(ref)
    assert [(p.code, p.field, p.title) for p in caught.value.problems] == [(REF_MISSING, field, title)]


@pytest.mark.parametrize(
    "ref", [MAIN, GitRef(tag="v1"), GitRef(name="refs/heads/main"), GitRef(branch="x", commit="a" * 40)]
)
async def test_a_repository_without_a_commit_says_so(hosted: Hosted, ref: GitRef) -> None:
    with pytest.raises(UserError) as caught:
        await hosted.mirror.resolve(ref)
    assert caught.value.problems[0].code is REPO_EMPTY


async def test_a_range_that_no_tag_satisfies_names_the_highest_version(hosted: Hosted) -> None:
    hosted.commit({"a": "1"})
    hosted.work.tag("v1.4.0")
    with pytest.raises(UserError, match=r"the highest v1\.4\.0") as caught:
        await hosted.mirror.resolve(GitRef(semver=">=2"))
    assert caught.value.problems[0].code is SEMVER


async def test_a_sha256_repository_works_like_any(git_http: GitHttpServer, mirrors: Mirrors, tmp_path: Path) -> None:
    repo = host(git_http, mirrors, tmp_path, "modern", sha256=True)
    commit = repo.commit({"a": "1"})
    repo.work.tag("v1.0.0", annotated=True)
    resolved = await repo.follow()
    assert str(resolved.revision) == f"main@sha256:{commit}"
    assert len(commit) == 64
    assert await repo.mirror.blobs.read((await repo.mirror.tree(commit)).entries) == [b"1"]
    assert (await repo.mirror.resolve(GitRef(semver="*"))).commit == commit


async def test_a_server_of_the_old_protocol_is_followed_too(mirrors: Mirrors, tmp_path: Path) -> None:
    with GitHttpServer(tmp_path / "old", old_protocol=True) as server:
        repo = host(server, mirrors, tmp_path, "old")
        first = repo.commit({"a": "1"})
        repo.commit({"a": "2"})
        assert await paths(repo, (await repo.follow()).commit) == ["a"]
        repo.work.tag("v1", annotated=True)
        repo.commit({"a": "3"})
        assert (await repo.follow(GitRef(tag="v1"))).revision.name == "v1"
        pinned = await repo.follow(GitRef(commit=first))
        assert await repo.mirror.blobs.read((await repo.mirror.tree(pinned.commit)).entries) == [b"1"]
        with pytest.raises(UserError) as caught:
            await repo.follow(GitRef(commit="1" * 40))
        assert caught.value.problems[0].code is BAD_COMMIT


async def test_many_readers_at_once_get_their_own_contents(hosted: Hosted) -> None:
    commit = hosted.commit({f"f{n}": f"content {n}\n" * n for n in range(50)})
    await hosted.follow()
    tree = await hosted.mirror.tree(commit)
    async with asyncio.TaskGroup() as group:
        reads = [group.create_task(hosted.mirror.blobs.read([entry])) for entry in tree.entries]
    numbers = [int(entry.path[1:]) for entry in tree.entries]
    assert [read.result()[0] for read in reads] == [f"content {n}\n".encode() * n for n in numbers]


async def test_contents_are_read_on_after_the_reader_process_was_killed(hosted: Hosted) -> None:
    commit = hosted.commit({"a": "1"})
    await hosted.follow()
    tree = await hosted.mirror.tree(commit)
    assert await hosted.mirror.blobs.read(tree.entries) == [b"1"]
    children = _readers(hosted.mirror)
    assert len(children) == 1
    os.kill(children[0], 9)
    assert await hosted.mirror.blobs.read(tree.entries) == [b"1"]


async def test_the_reader_process_ends_when_it_is_idle_and_starts_again(
    hosted: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.git.blobs.IDLE_SECONDS", 0.05)
    commit = hosted.commit({"a": "1"})
    await hosted.follow()
    tree = await hosted.mirror.tree(commit)
    for _round in range(2):
        assert await hosted.mirror.blobs.read(tree.entries) == [b"1"]
        for _ in range(500):
            if not _readers(hosted.mirror):
                break
            await asyncio.sleep(0.02)
        assert _readers(hosted.mirror) == []


async def test_a_process_whose_answer_nobody_reads_to_its_end_ends_when_it_is_told_to(
    hosted: Hosted, tmp_path: Path
) -> None:
    (tmp_path / "large").write_bytes(os.urandom(4 << 20))
    blob = git(hosted.bare, "hash-object", "-w", str(tmp_path / "large")).strip()
    arguments = [f"--git-dir={hosted.bare}", "cat-file", "--batch"]
    process = await spawn_git(arguments, env=base_env(tmp_path, Path(os.devnull)), cwd=tmp_path)
    assert process.stdin is not None
    process.stdin.write(f"{blob}\n".encode())
    async with asyncio.timeout(60):
        while not vars(process.stdout)["_paused"]:  # noqa: ASYNC110  so much lies there that asyncio takes no more
            await asyncio.sleep(0.01)
        await kill_group(process)
    assert process.returncode == -signal.SIGKILL


async def test_a_content_that_the_mirror_lacks_is_an_error_not_a_wait(hosted: Hosted) -> None:
    commit = hosted.commit({"a": "1"})
    await hosted.follow()
    tree = await hosted.mirror.tree(commit)
    missing = FileEntry("gone", "0" * 40, 100_000)
    async with asyncio.timeout(10):
        with pytest.raises(StateError, match="gone"):
            await hosted.mirror.blobs.read([*tree.entries, missing])
    assert await hosted.mirror.blobs.read(tree.entries) == [b"1"]


async def test_a_damaged_mirror_is_thrown_away_and_fetched_anew(hosted: Hosted, tmp_path: Path) -> None:
    hosted.commit({"a": "1"})
    await hosted.follow()
    repo = next((tmp_path / "cache").glob("*/repo.git"))
    shutil.rmtree(repo / "objects" / "pack")
    commit = hosted.commit({"a": "2"})
    await hosted.follow()
    assert await paths(hosted, commit) == ["a"]


async def test_a_mirror_that_lacked_a_content_is_fetched_anew(hosted: Hosted, tmp_path: Path) -> None:
    commit = hosted.commit({"a": "1", "b": "2"})
    resolved = await hosted.follow()
    tree = await hosted.mirror.tree(commit)
    repo = next((tmp_path / "cache").glob("*/repo.git"))
    shutil.rmtree(repo / "objects" / "pack")
    with pytest.raises(StateError):
        await hosted.mirror.blobs.read(tree.entries)
    await hosted.mirror.fetch(resolved)
    assert await hosted.mirror.blobs.read(tree.entries) == [b"1", b"2"]


async def test_locks_left_by_a_killed_git_do_not_stop_the_next_fetch(hosted: Hosted, tmp_path: Path) -> None:
    hosted.commit({"a": "1"})
    first = await hosted.follow()
    repo = next((tmp_path / "cache").glob("*/repo.git"))
    (repo / "shallow.lock").touch()
    hold = next((repo / "refs" / "sluice").rglob(first.commit))
    commit = hosted.commit({"a": "2"})
    (hold.parent / f"{commit}.lock").touch()
    await hosted.follow()
    assert await paths(hosted, commit) == ["a"]


async def test_a_force_push_is_followed(hosted: Hosted) -> None:
    hosted.commit({"a": "1"})
    hosted.commit({"a": "2"})
    await hosted.follow()
    hosted.work.git("reset", "-q", "--hard", "HEAD~1")
    rewritten = hosted.work.commit({"a": "3"}, "rewritten", push=False)
    hosted.work.push("HEAD:refs/heads/main", force=True)
    assert (await hosted.follow()).commit == rewritten


async def test_mirrors_are_shared_by_url_and_credentials_only(mirrors: Mirrors, git_http: GitHttpServer) -> None:
    url = parse_url(git_http.url("fleet"))
    ada = auth_of_secret(url, {"username": b"ada", "password": b"x"})
    bob = auth_of_secret(url, {"username": b"bob", "password": b"x"})
    assert mirrors.open(url, ada) is mirrors.open(url, ada)
    assert len({id(mirrors.open(url, auth)) for auth in (ada, bob)} | {id(mirrors.open(url))}) == 3


async def test_only_mirrors_in_use_stay_on_the_disk(hosted: Hosted, git_http: GitHttpServer, mirrors: Mirrors) -> None:
    hosted.commit({"a": "1"})
    await hosted.follow()
    other = parse_url(git_http.url("other"))
    mirrors.open(other)
    (mirrors.root / "of-another-time").mkdir()
    assert await mirrors.remove_unused([(parse_url(hosted.url), NO_AUTH)]) == 2
    assert await hosted.mirror.blobs.read((await hosted.mirror.tree(hosted.work.head())).entries) == [b"1"]
    assert len(list(mirrors.root.iterdir())) == 2


async def test_a_mirror_is_used_again_after_a_restart(
    hosted: Hosted, git_http: GitHttpServer, mirrors: Mirrors
) -> None:
    commit = hosted.commit({"a": "1"})
    resolved = await hosted.follow()
    git_http.requests.clear()
    async with Mirrors(mirrors.root, policy=mirrors.policy) as later:
        mirror = later.open(parse_url(hosted.url))
        await mirror.fetch(resolved)
        assert [entry.path for entry in (await mirror.tree(commit)).entries] == ["a"]
    assert git_http.requests == []


def _readers(mirror: Mirror) -> list[int]:
    """The ids of the processes that read contents of the mirror."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat, command = (folder / "stat").read_text(), (folder / "cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(stat.rpartition(")")[2].split()[1]) == os.getpid() and f"={mirror.repository.path}\0cat-file" in command:
            found.append(int(folder.name))
    return found


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85"])
async def test_a_ref_whose_name_begins_with_another_s_and_a_line_separator_is_not_taken_for_it(
    hosted: Hosted, mark: str
) -> None:
    commit = hosted.commit({"a": "ours"})
    hosted.work.tag("v1.0.0")
    hosted.work.git("checkout", "-q", "--detach")
    theirs = hosted.work.commit({"a": "theirs"}, "theirs", push=False)
    hosted.work.push(f"{theirs}:refs/heads/main{mark}x", f"{theirs}:refs/tags/v1.0.0{mark}x")
    assert (await hosted.mirror.resolve(GitRef(branch="main"))).commit == commit
    assert (await hosted.mirror.resolve(GitRef(tag="v1.0.0"))).commit == commit
    assert (await hosted.mirror.resolve(GitRef(name="refs/heads/main"))).commit == commit
    assert (await hosted.mirror.resolve(GitRef(semver="1.x"))).commit == commit
