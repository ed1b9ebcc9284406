"""The verbs that are asked about one member of a group say, and do, what its whole group does."""

from __future__ import annotations

import subprocess

import pytest

from tests.cli.conftest import Sluice
from tests.integration.engine.groups import Group, group
from tests.operator_fixture import FAILING_JOB, Bench, config_map

pytestmark = pytest.mark.cluster

BASE: dict[str, str | None] = {"a/a.yaml": config_map("a"), "b/b.yaml": config_map("b")}
LOOPBACK = "--git-allow-loopback"


def three_revisions(bench: Bench) -> tuple[Group, str, str, str]:
    """A group of which the second commit changed only a, and the third only b."""
    made = group(bench, BASE)
    first = made["a"].status["lastAppliedRevision"]
    second = made.push({"a/a.yaml": config_map("a", "2")})
    made.wait_ready(second)
    third = made.push({"b/b.yaml": config_map("b", "2")})
    made.wait_ready(third)
    return made, first, second, third


def requested(made: Group) -> list[str]:
    """The annotations about a rollback that are on any member."""
    found = (member.get()["metadata"].get("annotations", {}) for member in made.members.values())
    return [name for annotations in found for name in annotations if "rollback" in name]


def test_why_of_a_member_leads_to_the_one_that_failed_and_names_one_cause(cli: Sluice, bench: Bench) -> None:
    made = group(bench, BASE)
    revision = made.push({"a/a.yaml": config_map("a", "2"), "b/b.yaml": "a: [\n"})
    made["a"].wait_failed(revision)
    made["b"].wait_failed(revision)
    report = cli("why", made["a"].name, "-o", "json", LOOPBACK).json
    assert [link["reference"] for link in report["chain"]] == [f"ks/{made['a'].name}", f"ks/{made['b'].name}"]
    assert report["cause"]["code"] == "E202"
    assert made["a"].name in [ref["name"] for ref in report["blocked"]]
    ours = {member.name for member in made.members.values()}
    every = cli("why", "--all", "-o", "json", LOOPBACK).json["items"]
    assert len([each for each in every if each["ref"]["name"] in ours]) == 1


def test_a_rollback_of_one_member_takes_the_whole_group_back_and_resume_takes_it_forward(
    cli: Sluice, bench: Bench
) -> None:
    made, first, second, third = three_revisions(bench)
    a, b = made["a"].name, made["b"].name
    ran = cli("rollback", a)
    assert ran.code == 0, ran.err
    assert f"group '{made.name}' goes back as a whole: ks/{a}, ks/{b}" in ran.err
    made.wait_ready(second)
    assert made.values == {"a": "2", "b": "1"}, "one commit of the group back, although it changed nothing of a"
    ran = cli("rollback", b, "--to", first)
    assert ran.code == 0, ran.err
    made.wait_ready(first)
    assert made.values == {"a": "1", "b": "1"}
    assert ran.out.count("is rolled back to") == 2
    command = ran.err.rpartition("in a checkout: ")[2].strip()
    assert command.endswith("-- b a) && git push")
    ran = cli("resume", "ks", a)
    assert ran.code == 0, ran.err
    assert f"ks/{b} goes forward with group '{made.name}'" in ran.err
    made.wait_ready(third)
    assert made.values == {"a": "2", "b": "2"}
    assert requested(made) == []


def test_the_command_that_is_shown_makes_git_say_the_same_of_all_members(cli: Sluice, bench: Bench) -> None:
    made, first, _, _ = three_revisions(bench)
    command = cli("rollback", made["a"].name, "--to", first).err.rpartition("in a checkout: ")[2].strip()
    repo = made.source.repo
    repo.git("config", "push.default", "current")
    subprocess.run(["sh", "-ec", command], cwd=repo.path, env=repo.env, check=True, capture_output=True)
    made.source.request(made.source.source_path)
    made.wait_ready(f"main@sha1:{repo.head()}")
    assert made.values == {"a": "1", "b": "1"}


def test_a_revision_that_a_member_never_was_at_is_refused_by_name_and_nothing_is_written(
    cli: Sluice, bench: Bench
) -> None:
    made = group(bench, BASE, "a")
    first = made["a"].status["lastAppliedRevision"]
    second = made.push({"a/a.yaml": config_map("a", "2")})
    made.wait_ready(second)
    made.join("b")
    made.wait_ready(second)
    ran = cli("rollback", made["a"].name, "--to", first)
    assert ran.code == 3
    assert "[E350]" in ran.err
    assert f"not in ks/{made['b'].name}" in ran.err
    assert requested(made) == []
    assert made.values["a"] == "2"


def test_a_group_with_a_suspended_member_is_not_rolled_back_and_suspending_one_says_what_it_does(
    cli: Sluice, bench: Bench
) -> None:
    made, *_ = three_revisions(bench)
    ran = cli("suspend", "ks", made["b"].name)
    assert f"and group '{made.name}' stands still with it" in ran.err
    ran = cli("rollback", made["a"].name)
    assert ran.code == 1
    assert "E705" in ran.err
    assert f"ks/{made['b'].name} is suspended" in ran.err
    assert requested(made) == []


def test_what_undoes_the_group_is_in_every_member_s_history_and_why_names_the_cause(cli: Sluice, bench: Bench) -> None:
    made = group(bench, BASE, wait=True)
    bad = made.push({"a/a.yaml": config_map("a", "2"), "b/job.yaml": FAILING_JOB})
    for member in made.members.values():
        member.wait_failed(bad, reason="Undone")
        newest, before = cli("history", member.name, "-o", "json").json["items"]
        assert (newest["outcome"], newest["current"], before["current"]) == ("Undone", False, True)
    report = cli("why", made["a"].name, "-o", "json", LOOPBACK).json
    assert report["chain"][1]["reference"] == f"ks/{made['b'].name}"
    assert report["cause"]["code"] not in {"E365", ""}
