"""F083 to F088, F091: what happens to a branch, a path or a git host is never taken for an order to delete."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.git_bench import BUSY, DENIED, LOGIN, PORTAL
from tests.faults.git_proxy import GitProxy, answer, to
from tests.faults.proxying import DROP
from tests.git_writing import git
from tests.operator_fixture import Bench, Json, Sync, bench, condition, config_map, poll

__all__ = ["bench"]

PATIENCE = 60.0


@pytest.fixture(scope="module")
def proxy(bench: Bench) -> Iterator[GitProxy]:
    with GitProxy(bench.git) as opened:
        yield opened


def source_condition(sync: Sync) -> Json:
    """Ready of the source."""
    return condition(sync.bench.api.get(sync.source_path) or {}, "Ready")


def wait_source_fails(sync: Sync, text: str) -> None:
    """Ask the source to look, and wait until it says that it can't, and why."""
    sync.request(sync.source_path)

    def fails() -> bool:
        ready = source_condition(sync)
        return ready.get("status") == "False" and text in ready.get("message", "")

    poll(f"the source fails with {text!r}, not {source_condition(sync)}", fails, PATIENCE)


@pytest.mark.parametrize("to_what", ["an unrelated history", "an older commit"])
def test_f083_f084_a_branch_pushed_by_force_is_followed_wholly_and_what_both_have_keeps_its_uid(
    bench: Bench, to_what: str
) -> None:
    sync = bench.source()
    older = sync.commit({"a.yaml": config_map("a"), "gone.yaml": config_map("gone")})
    newer = sync.commit({"a.yaml": config_map("a", "2"), "gone.yaml": None, "new.yaml": config_map("new")})
    sync.create_source()
    sync.create()
    sync.wait_ready(newer, seconds=PATIENCE)
    uid = sync.config("a")["metadata"]["uid"]
    if to_what == "an older commit":
        sync.repo.git("reset", "-q", "--hard", older.rpartition(":")[2])
    else:
        sync.repo.git("checkout", "-q", "--orphan", "other")
        texts = {name: config_map(name).replace("$NS", sync.target) for name in ("a", "gone")}
        sync.repo.commit({**{f"{n}.yaml": t for n, t in texts.items()}, "new.yaml": None}, "another", push=False)
    sync.repo.push(force=True)
    sync.request(sync.source_path)
    sync.wait_ready(f"main@sha1:{sync.repo.head()}", seconds=PATIENCE)
    assert (sync.config("a")["data"]["key"], sync.config("a")["metadata"]["uid"]) == ("1", uid)
    assert sync.live("configmaps", "gone") is not None
    assert sync.live("configmaps", "new") is None


def test_f085_f088_a_branch_or_a_path_that_is_gone_prunes_nothing_and_is_followed_again_when_it_is_back(
    bench: Bench,
) -> None:
    sync = bench.source()
    revision = sync.commit({"apps/a.yaml": config_map("a"), "other/b.yaml": config_map("b")})
    sync.create_source()
    sync.create(path="./apps")
    sync.wait_ready(revision, seconds=PATIENCE)
    audit = bench.audit()
    git(bench.git.root / f"{sync.name}.git", "update-ref", "-d", "refs/heads/main")
    wait_source_fails(sync, "E112")  # the one branch: the repository has no commit left
    sync.repo.push("HEAD:refs/heads/side")
    wait_source_fails(sync, "branch 'main' does not exist")
    assert sync.condition("Ready")["status"] == "True"
    sync.repo.push()
    away = sync.push({"apps/a.yaml": None})
    sync.wait_failed(away, "E201", seconds=PATIENCE)
    assert sync.writes(audit) == []
    back = sync.push({"apps/a.yaml": config_map("a", "2")})
    sync.wait_ready(back, seconds=PATIENCE)
    assert sync.config("a")["data"]["key"] == "2"


def test_f086_a_tag_that_moves_is_followed_wholly(bench: Bench) -> None:
    sync = bench.source()
    first = sync.commit({"a.yaml": config_map("a"), "old.yaml": config_map("old")})
    sync.repo.tag("v1")
    sync.create_source(ref={"tag": "v1"})
    sync.create()
    sync.wait_ready(first.replace("main@", "v1@"), seconds=PATIENCE)
    moved = sync.commit({"a.yaml": config_map("a", "2"), "old.yaml": None})
    sync.repo.push("+HEAD:refs/tags/v1")
    sync.request(sync.source_path)
    sync.wait_ready(moved.replace("main@", "v1@"), seconds=PATIENCE)
    assert sync.config("a")["data"]["key"] == "2"
    assert sync.live("configmaps", "old") is None


def test_f091_whatever_the_host_answers_instead_the_last_revision_stays_and_the_next_one_comes_afterwards(
    bench: Bench, proxy: GitProxy
) -> None:
    sync = bench.source()
    revision = sync.commit({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    sync.create_source(url=proxy.address(sync.name))
    sync.create()
    sync.wait_ready(revision, seconds=PATIENCE)
    audit = bench.audit()
    newer = sync.commit({"a.yaml": config_map("a", "2"), "b.yaml": None})
    nothing = answer(200, b"")  # as a repository without a branch in the oldest protocol
    for fault, says in [
        (LOGIN, "E101"), (DENIED, "E101"), (answer(404), "E102"), (answer(500), "error: 500"), (BUSY, "fewer requests"),
        (PORTAL, "not a git server"), (nothing, "E112"), (answer(302, Location="/x"), "E102"), (DROP, "broke off"),
    ]:  # fmt: skip
        proxy.arm(to("hello", fault))
        wait_source_fails(sync, says)
        assert sync.condition("Ready")["status"] == "True"
    assert sync.writes(audit) == []
    proxy.arm()
    sync.request(sync.source_path)
    sync.wait_ready(newer, seconds=PATIENCE)
    assert sync.live("configmaps", "b") is None
