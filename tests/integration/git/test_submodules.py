"""Submodules: their files at the commits that the tree names, and credentials only where they belong."""

from __future__ import annotations

from pathlib import Path

import pytest

from devcluster.git_http import GitHttpServer
from sluice.core.codes import AUTH_REFUSED, REF_MISSING, REPO_TOO_BIG, SUBMODULE
from sluice.core.errors import AuthenticationFailed, UserError
from sluice.core.git_url import parse_url
from sluice.git.auth import auth_of_secret
from sluice.git.limits import GitLimits
from sluice.git.mirrors import Mirrors
from tests.git_servers import LOOPBACK, Hosted, git_http, host, hosted, mirrors

__all__ = ["git_http", "hosted", "mirrors"]


def add_submodule(parent: Hosted, path: str, url: str, commit: str, *, name: str = "") -> str:
    """Commit a submodule as `git submodule add` would, without fetching it."""
    modules = parent.work.path / ".gitmodules"
    old = modules.read_text() if modules.exists() else ""
    modules.write_text(f'{old}[submodule "{name or path}"]\n\tpath = {path}\n\turl = {url}\n')
    parent.work.git("add", "-A")
    parent.work.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
    parent.work.git("commit", "-q", "-m", f"add {path}")
    parent.work.push()
    return parent.work.head()


async def test_submodules_are_left_out_unless_asked_for(hosted: Hosted) -> None:
    hosted.commit({"a": "1"})
    commit = add_submodule(hosted, "lib", "https://no-such-host.invalid/lib", "1" * 40)
    await hosted.follow()
    assert [e.path for e in (await hosted.mirror.tree(commit)).entries] == [".gitmodules", "a"]


@pytest.mark.parametrize("relative", [False, True])
async def test_nested_submodules_bring_their_files_at_their_commits(
    hosted: Hosted, git_http: GitHttpServer, mirrors: Mirrors, tmp_path: Path, *, relative: bool
) -> None:
    deep, lib = host(git_http, mirrors, tmp_path, "deep"), host(git_http, mirrors, tmp_path, "lib")
    old = deep.commit({"deep.yaml": "old"})
    deep.commit({"deep.yaml": "new"})
    lib.commit({"lib.yaml": "1"})
    inner = add_submodule(lib, "vendor/deep", "../deep.git" if relative else deep.url, old)
    hosted.commit({"a": "1"})
    commit = add_submodule(hosted, "lib", "../lib.git" if relative else lib.url, inner)
    await hosted.follow()
    tree = await hosted.mirror.tree(commit, submodules=True)
    contents = await hosted.mirror.blobs.read(tree.entries)
    files = dict(zip((e.path for e in tree.entries), contents, strict=True))
    assert {p: c for p, c in files.items() if not p.endswith(".gitmodules")} == {
        "a": b"1",
        "lib/lib.yaml": b"1",
        "lib/vendor/deep/deep.yaml": b"old",
    }


async def test_submodules_already_fetched_cost_no_request(
    hosted: Hosted, git_http: GitHttpServer, mirrors: Mirrors, tmp_path: Path
) -> None:
    lib = host(git_http, mirrors, tmp_path, "lib")
    commit = add_submodule(hosted, "lib", lib.url, lib.commit({"lib.yaml": "1"}))
    await hosted.follow()
    first = await hosted.mirror.tree(commit, submodules=True)
    git_http.requests.clear()
    assert await hosted.mirror.tree(commit, submodules=True) == first
    assert git_http.requests == []


async def test_a_circle_of_submodules_ends_with_an_error(hosted: Hosted) -> None:
    first = hosted.commit({"a": "1"})
    commit = add_submodule(hosted, "self", hosted.url, first)
    for _ in range(11):
        commit = add_submodule(hosted, "self", hosted.url, commit)
    await hosted.follow()
    with pytest.raises(UserError, match="too many submodules"):
        await hosted.mirror.tree(commit, submodules=True)


async def test_credentials_are_not_given_to_another_host_that_a_submodule_names(
    mirrors: Mirrors, tmp_path: Path
) -> None:
    def guarded(name: str) -> GitHttpServer:
        return GitHttpServer(tmp_path / name, user="ada", password="hunter horse")

    with guarded("ours") as ours, guarded("theirs") as theirs:
        auth = auth_of_secret(parse_url(ours.url("x")), {"username": b"ada", "password": b"hunter horse"})
        parent, lib = host(ours, mirrors, tmp_path, "x", auth=auth), host(theirs, mirrors, tmp_path, "lib")
        near = host(ours, mirrors, tmp_path, "near")
        inner = near.commit({"n": "1"})
        commit = add_submodule(parent, "near", near.url, inner)
        await parent.follow()
        assert [e.path for e in (await parent.mirror.tree(commit, submodules=True)).entries][1:] == ["near/n"]
        commit = add_submodule(parent, "lib", lib.url, lib.commit({"l": "1"}))
        await parent.follow()
        with pytest.raises(AuthenticationFailed, match="submodule 'lib'") as caught:
            await parent.mirror.tree(commit, submodules=True)
        assert caught.value.problems[0].code is AUTH_REFUSED


async def test_a_submodule_that_can_t_be_fetched_is_named(hosted: Hosted, git_http: GitHttpServer) -> None:
    commit = add_submodule(hosted, "lib", git_http.url("nope"), "1" * 40)
    await hosted.follow()
    with pytest.raises(UserError, match="submodule 'lib'") as caught:
        await hosted.mirror.tree(commit, submodules=True)
    (problem,) = caught.value.problems
    assert (problem.code, str(problem.origin)) == (REF_MISSING, f".gitmodules@{commit[:7]}")


async def test_a_submodule_that_gitmodules_does_not_name_is_refused(hosted: Hosted) -> None:
    hosted.commit({"a": "1"})
    hosted.work.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},lib")
    hosted.work.git("commit", "-q", "-m", "stray")
    hosted.work.push()
    resolved = await hosted.follow()
    with pytest.raises(UserError, match="does not name") as caught:
        await hosted.mirror.tree(resolved.commit, submodules=True)
    assert caught.value.problems[0].code is SUBMODULE


async def test_submodules_of_too_many_files_together_are_refused_before_all_are_listed(
    git_http: GitHttpServer, tmp_path: Path
) -> None:
    async with Mirrors(tmp_path / "cache", policy=LOOPBACK, limits=GitLimits(tree_files=10)) as opened:
        parent, lib = host(git_http, opened, tmp_path, "parent"), host(git_http, opened, tmp_path, "lib")
        inner = lib.commit({f"{n}.yaml": "1" for n in range(6)})
        for name in ("one", "two"):
            (parent.work.path / name).mkdir()  # where it is checked out, which keeps it in the index
            add_submodule(parent, name, lib.url, inner)
        commit = add_submodule(parent, "zzz", git_http.url("nope"), "1" * 40)
        await parent.follow()
        with pytest.raises(UserError) as caught:
            await parent.mirror.tree(commit, submodules=True)
        assert caught.value.problems[0].code is REPO_TOO_BIG
