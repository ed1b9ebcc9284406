"""Bad input, part Git repositories: rows B089 to B091 and B151 to B166 of the catalogue, each against real git.

B161 and B162 (signatures) are in `tests/integration/git/test_verify.py` and `test_verified_sources.py`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from sluice.api.git_repository import GitRef
from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.git_url import GitUrl, parse_url
from sluice.core.lfs import is_lfs_pointer, lfs_problem
from sluice.core.problem import Code
from sluice.core.tree_check import attribute_files, attributes_ignored, case_collisions
from sluice.git import process
from sluice.git.limits import GitLimits, GitPolicy
from sluice.git.mirrors import Mirrors
from sluice.git.submodules import Submodule, parse_sections, submodule_url
from tests.git_servers import LOOPBACK, MAIN, Hosted, git_http, host, hosted, mirrors

__all__ = ["git_http", "hosted", "mirrors"]


def only_code(error: UserError) -> Code:
    (code,) = {problem.code for problem in error.problems}
    return code


def commit_tree(work: WorkingRepo, tree: bytes) -> str:
    """Push a commit of a tree written byte by byte, as no git would make it."""
    name = work.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=tree)
    commit = work.git("commit-tree", name, "-m", "odd")
    work.git("update-ref", "refs/heads/main", commit)
    work.push("refs/heads/main", force=True)
    return commit


def entry(work: WorkingRepo, name: bytes, content: bytes = b"x", mode: bytes = b"100644") -> bytes:
    blob = work.git("hash-object", "-w", "--stdin", stdin=content)
    return mode + b" " + name + b"\0" + bytes.fromhex(blob)


async def follow_tree(hosted: Hosted, commit: str, *, submodules: bool = False) -> None:
    """Fetch and read: git's own checks may refuse in the first step what ours would in the second."""
    await hosted.follow()
    await hosted.mirror.tree(commit, submodules=submodules)


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Mirrors]:
    """Mirrors with small limits."""
    limits = GitLimits(tree_files=100, tree_bytes=1_000_000, fetch_bytes=3_000_000)
    async with Mirrors(tmp_path / "small", policy=LOOPBACK, limits=limits) as opened:
        yield opened


async def test_b089_several_ref_fields_follow_flux_s_precedence(hosted: Hosted) -> None:
    commit = hosted.commit({"a": "1"})
    hosted.work.tag("v1.0.0")
    resolved = await hosted.mirror.resolve(GitRef(branch="main", tag="gone", semver="1.x"))
    assert str(resolved.revision) == f"v1.0.0@sha1:{commit}"


async def test_b090_a_range_that_can_t_be_read_is_refused_at_its_position(hosted: Hosted) -> None:
    with pytest.raises(UserError, match="character 3") as caught:
        await hosted.mirror.resolve(GitRef(semver=">=y"))
    assert (only_code(caught.value), caught.value.problems[0].field) == (codes.SEMVER, "spec.ref.semver")


@pytest.mark.parametrize("commit", ["abc1234", "g" * 40, "a" * 41, "HEAD", "-" + "a" * 39])
async def test_b091_a_commit_must_be_a_full_hash(hosted: Hosted, commit: str) -> None:
    with pytest.raises(UserError) as caught:
        await hosted.mirror.resolve(GitRef(commit=commit))
    assert only_code(caught.value) is codes.BAD_COMMIT


async def test_b091_a_commit_that_is_not_on_the_branch_is_refused(hosted: Hosted) -> None:
    hosted.commit({"a": "1"})
    for branch, code in (("main", codes.BAD_COMMIT), ("", codes.BAD_COMMIT)):
        with pytest.raises(UserError) as caught:
            await hosted.follow(GitRef(branch=branch, commit="1" * 40))
        assert only_code(caught.value) is code


@pytest.mark.parametrize(
    "text",
    ["-oProxyCommand=x", "--upload-pack=x", "ext::sh -c x", "EXT::sh", "file:///etc", "git://host/x", "fd::7",
     "https://me:hunter2@host/x", "https://host/x\n", "https://host/%0a", "https://host/a b", "https://host/a\\b"],
)  # fmt: skip
def test_b151_b152_a_hostile_url_is_refused_before_any_process_starts(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_process() -> str:
        raise AssertionError("a process was about to start")

    monkeypatch.setattr(process, "git_binary", no_process)
    with pytest.raises(UserError) as caught:
        parse_url(text)
    assert only_code(caught.value) in {codes.URL_SCHEME, codes.URL_SYNTAX}
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "host_name",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "[::ffff:169.254.169.254]",
     "[fd00:ec2::254]", "[fe80::1]", "0.0.0.0"],  # noqa: S104
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["http", "https", "ssh"])
async def test_b153_forbidden_addresses_are_not_connected_to(tmp_path: Path, scheme: str, host_name: str) -> None:
    async with Mirrors(tmp_path / "strict", policy=GitPolicy()) as strict:
        with pytest.raises(UserError) as caught:
            await strict.open(parse_url(f"{scheme}://{host_name}/x")).resolve(MAIN)
    assert only_code(caught.value) is codes.URL_BLOCKED


@pytest.mark.parametrize("number", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "2852039166"])
def test_b153_numbers_in_disguise_are_refused(number: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_url(f"https://{number}/x")
    assert only_code(caught.value) is codes.URL_BLOCKED


async def test_b153_a_name_that_rebinds_is_pinned_to_the_address_that_was_checked(
    hosted: Hosted, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is looked up once, by us; git gets the address. No name server knows `rebind.test`."""
    import asyncio
    import socket

    commit = hosted.commit({"a": "1"})
    answers = iter(["127.0.0.1", "169.254.169.254"])

    async def lookup(host_name: str, port: int, **_: object) -> list[object]:
        assert host_name == "rebind.test"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
    url = parse_url(hosted.url.replace("127.0.0.1", "rebind.test"))
    mirror = mirrors.open(url)
    assert (await mirror.resolve(MAIN)).commit == commit
    with pytest.raises(UserError) as caught:
        await mirror.resolve(MAIN)
    assert only_code(caught.value) is codes.URL_BLOCKED


async def test_b154_an_empty_repository_and_an_absent_branch_are_told_apart(hosted: Hosted) -> None:
    with pytest.raises(UserError) as caught:
        await hosted.mirror.resolve(MAIN)
    assert only_code(caught.value) is codes.REPO_EMPTY
    hosted.commit({"a": "1"})
    with pytest.raises(UserError, match="did you mean 'main'") as caught:
        await hosted.mirror.resolve(GitRef(branch="mains"))
    assert only_code(caught.value) is codes.REF_MISSING


async def test_b154_a_repository_with_only_a_detached_head_has_no_branch(hosted: Hosted) -> None:
    commit = hosted.commit({"a": "1"})
    hosted.work.push("HEAD:refs/keep/it")
    (hosted.bare / "HEAD").write_text(commit + "\n")
    hosted.work.push(":refs/heads/main")
    with pytest.raises(UserError, match="there are no branches") as caught:
        await hosted.mirror.resolve(MAIN)
    assert only_code(caught.value) is codes.REF_MISSING
    assert (await hosted.follow(GitRef(name="refs/keep/it"))).commit == commit


@pytest.mark.parametrize("name", ["-x", "a..b", "refs/heads/../x", "@{1}", "--upload-pack=touch x", "a b", "x.lock"])
@pytest.mark.parametrize("kind", ["branch", "tag"])
async def test_b155_a_ref_name_that_git_forbids_is_refused(
    hosted: Hosted, git_http: GitHttpServer, kind: str, name: str
) -> None:
    with pytest.raises(UserError) as caught:
        await hosted.mirror.resolve(GitRef(**{kind: name}))
    assert (only_code(caught.value), caught.value.problems[0].field) == (codes.REF_SYNTAX, f"spec.ref.{kind}")
    assert git_http.requests == []


@pytest.mark.parametrize("name", ["main", "-x", "refs/heads/../x", "refs/heads/a b"])
async def test_b155_a_full_ref_name_starts_with_refs(hosted: Hosted, name: str) -> None:
    with pytest.raises(UserError) as caught:
        await hosted.mirror.resolve(GitRef(name=name))
    assert only_code(caught.value) is codes.REF_SYNTAX


@pytest.mark.parametrize(
    "name",
    [".git", ".GIT", "git~1", "GIT~1", ".g\u200cit", ".git\u200f", ".git ", ".git.", ".git::$INDEX_ALLOCATION",
     "a\\b", "CON", "nul", "com1"],
)  # fmt: skip
async def test_b156_a_tree_entry_that_stands_for_git_s_folder_or_a_device_is_refused(hosted: Hosted, name: str) -> None:
    work = hosted.work
    below = work.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=entry(work, b"config"))
    folder = b"40000 " + name.encode() + b"\0" + bytes.fromhex(below)
    commit = commit_tree(work, folder)
    await hosted.follow()
    with pytest.raises(UserError) as caught:
        await hosted.mirror.tree(commit)
    (problem,) = caught.value.problems
    assert problem.code is codes.TREE_ENTRY
    assert problem.origin is not None
    assert problem.origin.commit == commit
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["a\x1b[31mb", "a\nb", "\u202eexe.yaml", "tab\there"])
async def test_b156_control_characters_and_direction_marks_in_a_path_are_refused(hosted: Hosted, name: str) -> None:
    commit = commit_tree(hosted.work, entry(hosted.work, name.encode()))
    await hosted.follow()
    with pytest.raises(UserError) as caught:
        await hosted.mirror.tree(commit)
    assert only_code(caught.value) is codes.PATH_NOT_ALLOWED
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", [b"..", b".", b"a/b"])
async def test_b156_a_tree_entry_that_leads_elsewhere_is_refused(hosted: Hosted, name: bytes) -> None:
    commit = commit_tree(hosted.work, entry(hosted.work, name))
    with pytest.raises(UserError) as caught:
        await follow_tree(hosted, commit)
    assert only_code(caught.value) is codes.TREE_ENTRY


async def test_b156_honest_names_that_look_alike_are_read(hosted: Hosted) -> None:
    names = [".gitkeep", ".github/x", "a.git/b", "con.yaml", "console", "über/ñ", "a b", "git~2", "..x", "x..", "-x"]
    commit = hosted.commit(dict.fromkeys(names, "1"))
    await hosted.follow()
    assert {e.path for e in (await hosted.mirror.tree(commit)).entries} == set(names)


@pytest.mark.parametrize(
    ("name", "path", "url"),
    [
        ("x", ".git/hooks", "https://host/x"),
        ("x", "a/.git/hooks", "https://host/x"),
        ("x", "../x", "https://host/x"),
        ("x", "/x", "https://host/x"),
        ("x", "-x", "https://host/x"),
        ("x", "x\r", "https://host/x"),
        ("../x", "x", "https://host/x"),
        ("a/../../x", "x", "https://host/x"),
        ("x", "x", "-u./payload"),
        ("x", "x", "--upload-pack=x"),
        ("x", "x", "ext::sh -c x"),
        ("x", "x", "file:///etc"),
        ("x", "x", "/etc"),
        ("x", "x", "https://host/x\r"),
        ("x", "x", "https://2130706433/x"),
        ("x", "x", "../../../../.."),
        ("x", "x", ""),
    ],
)
def test_b157_a_submodule_s_name_path_and_url_are_checked(name: str, path: str, url: str) -> None:
    listing = f"submodule.{name}.path\n{path}\0submodule.{name}.url\n{url}\0submodule.{name}.update\n!touch x\0"
    parent = GitUrl("https", "", "host", 0, "/me/fleet.git")
    with pytest.raises(UserError) as caught:
        [submodule_url(section, parent, "c" * 40) for section in parse_sections(listing.encode(), "c" * 40).values()]
    (problem,) = caught.value.problems
    assert (problem.code, str(problem.origin)) == (codes.SUBMODULE, ".gitmodules@ccccccc")
    assert str(caught.value).isprintable()


def test_b157_honest_submodules_pass() -> None:
    parent = GitUrl("ssh", "git", "host", 2222, "/me/fleet.git")
    urls = {"../lib.git": "ssh://git@host:2222/me/lib.git", "git@github.com:a/b": "ssh://git@github.com/a/b"}
    for text, expected in urls.items():
        assert str(submodule_url(Submodule("lib", "lib", text), parent, "")) == expected


async def test_b157_a_hostile_gitmodules_is_refused_and_off_by_default_ignored_or_refused(hosted: Hosted) -> None:
    work = hosted.work
    modules = b'[submodule "../../x"]\n\tpath = lib\n\turl = -u./payload\n'
    link = b"160000 lib\0" + bytes.fromhex("1" * 40)
    commit = commit_tree(work, entry(work, b".gitmodules", modules) + link)
    with pytest.raises(UserError) as caught:
        await follow_tree(hosted, commit, submodules=True)
    assert only_code(caught.value) in {codes.SUBMODULE, codes.TREE_ENTRY}


async def test_b158_git_attributes_change_nothing_and_are_warned_about(hosted: Hosted) -> None:
    attributes = "*.yaml filter=evil ident export-subst working-tree-encoding=UTF-16\n"
    text = b"id: $Id$ $Format:%H$\r\n"
    lfs = "[lfs]\n\turl = http://169.254.169.254/\n"
    commit = hosted.commit({".gitattributes": attributes, "plain/.gitattributes": "*.sh text\n", ".lfsconfig": lfs})
    blob = hosted.work.git("hash-object", "-w", "--stdin", "--no-filters", stdin=text)
    hosted.work.git("update-index", "--add", "--cacheinfo", f"100644,{blob},a.yaml")
    hosted.work.git("commit", "-q", "-m", "raw")
    hosted.work.push()
    commit = hosted.work.head()
    await hosted.follow()
    tree = await hosted.mirror.tree(commit)
    assert await hosted.mirror.blobs.read([tree.by_path["a.yaml"]]) == [text]
    files = attribute_files(tree)
    contents = await hosted.mirror.blobs.read(files)
    warnings = attributes_ignored(zip(files, contents, strict=True), commit)
    assert [(w.code, w.origin and w.origin.path) for w in warnings] == [
        (codes.ATTRIBUTES_IGNORED, ".gitattributes"),
        (codes.ATTRIBUTES_IGNORED, ".lfsconfig"),
    ]


async def test_b159_an_lfs_pointer_is_recognised_by_its_content(hosted: Hosted) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345\n"
    commit = hosted.commit({"big.yaml": pointer, "talk.md": "version https://git-lfs.github.com/spec/v1 is the spec\n"})
    await hosted.follow()
    tree = await hosted.mirror.tree(commit)
    contents = await hosted.mirror.blobs.read(tree.entries)
    assert [is_lfs_pointer(content) for content in contents] == [True, False]
    problem = lfs_problem("big.yaml", commit)
    assert str(problem).startswith("big.yaml is a Git LFS pointer, not the file itself [E116] at big.yaml@")
    assert "LFS is off" in problem.cause


async def test_b160_a_symlink_is_kept_as_a_symlink_and_never_followed(hosted: Hosted) -> None:
    hosted.commit({"a": "1"})
    for name, target in (("out", "/etc/passwd"), ("up", "../../x"), ("in", "a")):
        (hosted.work.path / name).symlink_to(target)
    commit = hosted.commit({})
    await hosted.follow()
    tree = await hosted.mirror.tree(commit)
    assert [(e.path, e.mode) for e in tree.entries if e.path != "a"] == [
        ("in", "symlink"),
        ("out", "symlink"),
        ("up", "symlink"),
    ]
    assert await hosted.mirror.blobs.read([tree.by_path["out"]]) == [b"/etc/passwd"]


async def test_b163_a_sha256_repository_is_supported(git_http: GitHttpServer, mirrors: Mirrors, tmp_path: Path) -> None:
    repo = host(git_http, mirrors, tmp_path, "modern", sha256=True)
    commit = repo.commit({"a": "1"})
    assert str((await repo.follow()).revision) == f"main@sha256:{commit}"


async def test_b164_replaced_and_grafted_objects_are_ignored(hosted: Hosted, tmp_path: Path) -> None:
    good = hosted.commit({"a": "good"})
    evil = hosted.commit({"a": "evil"})
    hosted.work.push(f"{good}:refs/heads/main", force=True)
    hosted.work.push(f"{evil}:refs/replace/{good}")
    await hosted.follow()
    repo = next((tmp_path / "cache").glob("*/repo.git"))
    await hosted.follow(GitRef(name=f"refs/replace/{good}"))
    (repo / "refs" / "replace").mkdir()
    (repo / "refs" / "replace" / good).write_text(evil + "\n")
    tree = await hosted.mirror.tree(good)
    assert await hosted.mirror.blobs.read(tree.entries) == [b"good"]


async def test_b165_a_million_files_in_a_few_objects_are_refused_by_the_limit_on_files(hosted: Hosted) -> None:
    work = hosted.work
    tree = b"".join(entry(work, b"f%03d" % n) for n in range(1))
    tree = b"".join(tree.replace(b"f000", b"f%03d" % n) for n in range(1000))
    name = work.git("hash-object", "-t", "tree", "-w", "--stdin", stdin=tree)
    folders = b"".join(b"40000 d%03d\0" % n + bytes.fromhex(name) for n in range(1000))
    commit = commit_tree(work, folders)
    await hosted.follow()
    with pytest.raises(UserError, match="more than 100000 files") as caught:
        await hosted.mirror.tree(commit)
    assert only_code(caught.value) is codes.REPO_TOO_BIG


async def test_b165_a_path_of_4096_characters_is_refused(hosted: Hosted) -> None:
    work = hosted.work
    tree = entry(work, b"file")
    for _ in range(17):
        name = work.git("hash-object", "-t", "tree", "-w", "--stdin", stdin=tree)
        tree = b"40000 " + b"d" * 240 + b"\0" + bytes.fromhex(name)
    commit = commit_tree(work, tree)
    await hosted.follow()
    with pytest.raises(UserError, match="longer than 4095 characters") as caught:
        await hosted.mirror.tree(commit)
    assert only_code(caught.value) is codes.TREE_ENTRY


async def test_b165_a_file_that_is_too_big_is_named_with_the_limit(
    git_http: GitHttpServer, small: Mirrors, tmp_path: Path
) -> None:
    repo = host(git_http, small, tmp_path, "big")
    commit = repo.commit({"zeros.bin": b"\0" * 2_000_000, "a": "1"})
    await repo.follow()
    with pytest.raises(UserError, match=r"the limit is 1000000; the largest is zeros\.bin with 2000000") as caught:
        await repo.mirror.tree(commit)
    assert only_code(caught.value) is codes.REPO_TOO_BIG


async def test_b165_a_fetch_that_writes_too_much_is_stopped(
    git_http: GitHttpServer, small: Mirrors, tmp_path: Path
) -> None:
    repo = host(git_http, small, tmp_path, "noise")
    repo.commit({"noise.bin": os.urandom(5_000_000)})
    with pytest.raises(UserError) as caught:
        await repo.follow()
    assert only_code(caught.value) is codes.REPO_TOO_BIG
    repo.commit({"noise.bin": None, "a": "1"})
    await repo.follow()


async def test_b166_paths_that_differ_only_in_case_are_warned_about_and_both_read(hosted: Hosted) -> None:
    commit = hosted.commit({"App.yaml": "1", "app.yaml": "2"})
    await hosted.follow()
    tree = await hosted.mirror.tree(commit)
    assert await hosted.mirror.blobs.read(tree.entries) == [b"1", b"2"]
    (warning,) = case_collisions(tree, commit)
    assert warning.code is codes.CASE_COLLISION
    assert "'app.yaml' and 'App.yaml'" in warning.title
