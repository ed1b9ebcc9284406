"""A commit is made in the mirror alone: exactly the given bytes change, and what must not be written is refused."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from devcluster.git_http import GitHttpServer
from sluice.core.codes import EDIT_PATH
from sluice.core.errors import StateError, UserError
from sluice.git.head import Head
from sluice.git.mirrors import Mirrors
from sluice.git.write_back import Draft, write_back
from tests.git_servers import MAIN, Hosted, git_http, host, hosted, mirrors
from tests.git_writing import BUMP, NEW, OLD, WEB, git, log, replacing, show, wanted

__all__ = ["git_http", "hosted", "mirrors"]


async def test_exactly_the_given_bytes_change(hosted: Hosted) -> None:
    odd = b"\xef\xbb\xbf# caf\xe9\r\nimage: web:1.0\n\r\n\x00no newline at the end"
    before = hosted.commit({WEB: odd, "apps/other.yaml": "image: web:1.0\n", "top": "1"})
    written = await write_back(hosted.mirror, wanted(), BUMP)
    assert (written.outcome, written.head, written.files) == ("pushed", before, (WEB,))
    assert git(hosted.bare, "rev-parse", "main").strip() == written.commit
    assert git(hosted.bare, "diff", "--raw", "--no-abbrev", before, "main").count("\n") == 1
    assert show(hosted.bare, "main", WEB) == odd.replace(OLD, NEW)


async def test_a_commit_says_who_when_and_why(hosted: Hosted) -> None:
    before = hosted.commit({WEB: OLD})
    await write_back(hosted.mirror, wanted(), replacing(OLD, NEW, message="Update web\n\n- web:1.0 -> web:1.1"))
    shown = git(hosted.bare, "log", "-1", "--format=%P|%an <%ae>|%cn <%ce>|%aI|%cI|%B", "main")
    person, when = "Sluice <sluice@example.com>", "2026-03-04T05:06:07Z"
    message = "Update web\n\n- web:1.0 -> web:1.1\n"
    assert shown.replace("+00:00", "Z") == f"{before}|{person}|{person}|{when}|{when}|{message}\n"


async def test_the_mode_of_a_file_stays_and_a_new_file_is_a_plain_one(hosted: Hosted) -> None:
    hosted.commit({WEB: OLD, "run.sh": "image: web:1.0\n"})
    (hosted.work.path / "run.sh").chmod(0o755)
    hosted.commit({})

    async def plan(head: Head) -> Draft:
        return Draft({"run.sh": NEW, "apps/new/b.yaml": b"b\n"}, "m")

    await write_back(hosted.mirror, wanted(), plan)
    lines = git(hosted.bare, "ls-tree", "-r", "main").splitlines()
    modes = {path: line.split()[0] for line in lines for path in [line.split("\t")[1]]}
    assert modes == {WEB: "100644", "run.sh": "100755", "apps/new/b.yaml": "100644"}


async def test_names_that_would_end_a_line_or_an_argument_are_written_as_they_are(hosted: Hosted) -> None:
    name = "apps/-f :(glob)* ü.yaml"
    hosted.commit({name: OLD})
    await write_back(hosted.mirror, wanted(), replacing(OLD, NEW, name))
    assert show(hosted.bare, "main", name) == NEW


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("../out", "leads elsewhere"),
        ("/etc/passwd", "leads elsewhere"),
        ("apps/.git/config", "git's own folder"),
        ("apps/a\nb", "control characters"),
        ("link", "a symlink"),
        ("link/x", "'link' is a file, not a folder"),
        (f"{WEB}/x", "is a file, not a folder"),
        ("apps", "it is a folder"),
        ("apps/", "it is a folder"),
        ("sub", "in a submodule"),
        ("sub/x", "in a submodule"),
        ("other/x", "outside 'apps'"),
        ("apps2/x", "outside 'apps'"),
    ],
)
async def test_a_path_that_must_not_be_written_is_refused_before_anything_is(
    hosted: Hosted, path: str, cause: str
) -> None:
    before = hosted.commit({WEB: OLD, "other/x": "1"})
    (hosted.work.path / "link").symlink_to("other/x")
    hosted.work.git("add", "link")
    hosted.work.git("update-index", "--add", "--cacheinfo", f"160000,{before},sub")
    hosted.work.git("commit", "-q", "-m", "odd")
    hosted.work.push()
    within = "apps" if "outside" in cause else ""

    async def plan(head: Head) -> Draft:
        return Draft({WEB: NEW, path: b"x"}, "m")

    with pytest.raises(UserError) as caught:
        await write_back(hosted.mirror, wanted(within=within), plan)
    (problem,) = caught.value.problems
    assert problem.code is EDIT_PATH
    assert cause in problem.cause
    assert log(hosted.bare) == ["odd", "change"]


async def test_the_configuration_hooks_and_variables_of_who_runs_the_operator_have_no_part_in_it(
    hosted: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosted.commit({WEB: OLD})
    ran, hooks = tmp_path / "ran", tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "commit-msg", "reference-transaction", "pre-push", "post-checkout", "fsmonitor"):
        (hooks / name).write_text(f"#!/bin/sh\necho {name} >> {ran}\n")
        (hooks / name).chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f"[core]\n\thooksPath = {hooks}\n\tfsmonitor = {hooks}/fsmonitor\n\tautocrlf = true\n"
        "[commit]\n\tgpgSign = true\n[user]\n\tname = Somebody\n"
        f'[url "https://127.0.0.1:1/"]\n\tinsteadOf = {hosted.mirror.remote.url}\n'
        f"[credential]\n\thelper = !echo helper >> {ran}\n"
    )
    own: dict[str, object] = {
        "HOME": home,
        "GIT_CONFIG_GLOBAL": home / ".gitconfig",
        "GIT_DIR": tmp_path,
        "GIT_INDEX_FILE": tmp_path / "i",
    }
    own |= {"GIT_AUTHOR_NAME": "Somebody", "GIT_SSH_COMMAND": f"echo ssh >> {ran}", "GIT_TRACE": ran}
    own |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.hooksPath", "GIT_CONFIG_VALUE_0": hooks}
    for name, value in own.items():
        monkeypatch.setenv(name, str(value))
    written = await write_back(hosted.mirror, wanted(), BUMP)
    monkeypatch.undo()
    assert git(hosted.bare, "log", "-1", "--format=%H %an", "main").strip() == f"{written.commit} Sluice"
    assert show(hosted.bare, "main", WEB) == NEW
    assert not ran.exists(), ran.read_text()


async def test_nothing_is_committed_when_the_plan_changes_nothing(hosted: Hosted) -> None:
    head = hosted.commit({WEB: OLD})
    for old, new in ((b"absent", b"x"), (OLD, OLD)):
        written = await write_back(hosted.mirror, wanted(), replacing(old, new))
        assert (written.outcome, written.commit) == ("unchanged", head)
    assert log(hosted.bare) == ["change"]


async def test_files_are_found_by_their_bytes_below_the_given_paths(hosted: Hosted) -> None:
    needle = '{"$imagepolicy":'
    text = f"image: a # {needle} \n"
    files: dict[str, str | bytes | None] = {
        "apps/a.yaml": text,
        "apps/deep/b.yaml": b"\x00\xff" + text.encode(),
        "apps/c.yaml": "image: c\n",
        "apps2/d.yaml": text,
        "ä*.yaml": text,
    }
    commit = hosted.commit(files)
    (hosted.work.path / "apps/link.yaml").symlink_to(needle)
    commit = hosted.commit({})
    await hosted.follow()
    head = hosted.mirror.head(commit)
    everywhere = ("apps/a.yaml", "apps/deep/b.yaml", "apps2/d.yaml", "ä*.yaml")
    assert await head.files_with(needle) == everywhere
    assert await head.files_with(needle, [""]) == everywhere
    assert await head.files_with(needle, ["apps"]) == everywhere[:2]
    assert await head.files_with(needle, ["apps/a.yaml", "ä*.yaml"]) == ("apps/a.yaml", "ä*.yaml")
    assert await head.files_with(needle, ["no/such"]) == ()
    assert await head.files_with(needle, ["../x", "/apps"]) == ()
    assert await head.files_with(needle, ["../x", "apps2"]) == ("apps2/d.yaml",)
    assert await head.files_with("no such text") == ()
    assert await head.files_with("-e") == ()
    assert set(await head.read([*everywhere[:1], "apps/link.yaml", "absent"])) == {"apps/a.yaml"}


@pytest.mark.parametrize("lost", ["blob", "tree"])
@pytest.mark.parametrize("look", ["read", "tree", "files_with"])
async def test_a_mirror_that_lost_an_object_is_said_to_have_and_the_next_try_works(
    hosted: Hosted, tmp_path: Path, lost: str, look: str
) -> None:
    commit = hosted.commit({WEB: OLD})
    await hosted.follow()
    name = git(hosted.bare, "rev-parse", f"main:{WEB if lost == 'blob' else 'apps'}").strip()
    (repo,) = (tmp_path / "cache").glob("*/repo.git")
    for pack in (repo / "objects/pack").glob("*.pack"):
        moved = pack.rename(tmp_path / pack.name)
        pack.with_suffix(".idx").unlink()
        with moved.open("rb") as content:
            subprocess.run(["git", f"--git-dir={repo}", "unpack-objects", "-q"], stdin=content, check=True)
    (repo / "objects" / name[:2] / name[2:]).unlink()
    head = hosted.mirror.head(commit)
    with pytest.raises(StateError):
        await (head.read([WEB]) if look == "read" else head.tree() if look == "tree" else head.files_with("web"))
    assert (await write_back(hosted.mirror, wanted(), BUMP)).outcome == "pushed"
    assert show(hosted.bare, "main", WEB) == NEW


async def test_a_repository_is_never_checked_out(hosted: Hosted, tmp_path: Path) -> None:
    hosted.commit({WEB: OLD, "apps/beside.txt": "only in git"})
    await write_back(hosted.mirror, wanted(), BUMP)
    left = [Path(folder) / name for folder, _, names in os.walk(tmp_path / "cache") for name in names]
    assert left
    assert not [path for path in left if b"only in git" in path.read_bytes() or path.name == "index"]
    assert not list((tmp_path / "cache/scratch").iterdir())


async def test_the_next_fetch_of_what_was_pushed_asks_for_no_object(hosted: Hosted, tmp_path: Path) -> None:
    hosted.commit({WEB: OLD})
    written = await write_back(hosted.mirror, wanted(), BUMP)
    resolved = await hosted.mirror.resolve(MAIN)
    hosted.bare.rename(tmp_path / "gone.git")
    await hosted.mirror.fetch(resolved)
    assert resolved.commit == written.commit
    assert {entry.path for entry in (await hosted.mirror.tree(written.commit)).entries} == {WEB}


async def test_a_sha256_repository_is_written_like_any(
    git_http: GitHttpServer, mirrors: Mirrors, tmp_path: Path
) -> None:
    repo = host(git_http, mirrors, tmp_path, "modern", sha256=True)
    repo.commit({WEB: OLD})
    written = await write_back(repo.mirror, wanted(), BUMP)
    assert len(written.commit) == 64
    assert show(repo.bare, "main", WEB) == NEW
