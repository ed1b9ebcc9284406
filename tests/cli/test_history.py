"""`sluice history` and `sluice rollback` against a real API server, git server and operator."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from sluice.cli.past import merged
from sluice.core.history import Counts, Past
from tests.cli.conftest import Sluice
from tests.operator_fixture import FAILING_JOB, REQUESTED_AT, Bench, Sync, condition, config_map, deployment

pytestmark = pytest.mark.cluster


@pytest.fixture
def sync(bench: Bench) -> Sync:
    """One sync that is ready."""
    return bench.synced({"a.yaml": config_map("a", "1")})


def bad(name: str) -> str:
    """A Service that the API server refuses."""
    where = f"metadata: {{name: {name}, namespace: $NS}}"
    return f"apiVersion: v1\nkind: Service\n{where}\nspec: {{ports: [{{port: 99999999}}]}}\n"


def items(cli: Sluice, sync: Sync) -> list[dict[str, Any]]:
    ran = cli("history", sync.name, "-o", "json")
    assert ran.code == 0, ran.err
    found: list[dict[str, Any]] = ran.json["items"]
    return found


def test_history_tells_revision_author_outcome_changes_and_subject_newest_first(cli: Sluice, sync: Sync) -> None:
    first = sync.status["lastAppliedRevision"]
    second = sync.push({"a.yaml": config_map("a", "2"), "b.yaml": config_map("b")}, "Bump a and add b")
    sync.wait_ready(second)
    third = sync.push({"c.yaml": bad("c")}, "Break c")
    sync.wait_failed(third)
    fourth = sync.push({"b.yaml": None, "c.yaml": None}, "Drop b")
    sync.wait_ready(fourth)
    found = items(cli, sync)
    assert [each["revision"]["text"] for each in found] == [fourth, third, second, first]
    assert [each["succeeded"] for each in found] == [True, False, True, True]
    assert [each["current"] for each in found] == [True, False, False, False]
    assert [each["commit"]["subject"] for each in found] == ["Drop b", "Break c", "Bump a and add b", "change"]
    assert found[0]["changes"] == {"created": 0, "changed": 0, "deleted": 1}
    assert found[2]["changes"] == {"created": 1, "changed": 1, "deleted": 0}
    assert all(each["commit"]["author"] and each["endedAt"] for each in found)
    ran = cli("history", sync.name)
    lines = ran.out.splitlines()
    assert len(lines) == 5
    assert "1+ 1~" in lines[3]
    assert "Bump a and add b" in lines[3]
    assert f"main@{fourth[-40:][:8]} *" in lines[1]
    assert cli("history", sync.name, "-o", "name", "--limit", "2").out.split() == [fourth, third]


def test_the_texts_of_a_commit_can_not_write_on_a_terminal_and_are_cut(cli: Sluice, sync: Sync) -> None:
    sync.repo.git("config", "user.name", "Eve\x1b[2J\u202e")
    revision = sync.push({"a.yaml": config_map("a", "2")}, "\x1b]0;owned\x07 " + "x" * 5000)
    sync.wait_ready(revision)
    told = sync.status["history"][0]["metadata"]
    assert all(text.isprintable() for text in told.values()), told
    assert len(told["subject"]) == 120
    ran = cli("history", sync.name)
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out


def test_history_reaches_as_far_as_the_record_and_over_a_restart(cli: Sluice, bench: Bench, sync: Sync) -> None:
    revisions = [sync.status["lastAppliedRevision"]]
    for number in range(2, 9):
        revisions.append(sync.push({"a.yaml": config_map("a", str(number))}, f"Bump to {number}"))
        sync.wait_ready(revisions[-1])
    bench.operator.restart()
    assert [each["revision"]["text"] for each in items(cli, sync)] == revisions[::-1]
    assert len(sync.status["history"]) == 5


def test_telling_history_costs_no_write_and_no_request_of_the_operator(cli: Sluice, bench: Bench, sync: Sync) -> None:
    audit = bench.audit()
    revision = sync.push({"a.yaml": config_map("a", "2")})
    sync.wait_ready(revision)
    secrets = [w for w in audit.writes(bench.agent) if "/secrets/" in w.path]
    assert len(secrets) == 2, "the intent and the commit, as before"


def test_a_revision_that_could_not_be_built_is_told_while_it_is_the_newest(cli: Sluice, sync: Sync) -> None:
    revision = sync.push({"a.yaml": "a: [\n"})
    sync.wait_failed(revision)
    newest = items(cli, sync)[0]
    assert newest["revision"]["text"] == revision
    assert newest["outcome"] == "BuildFailed"


def test_an_unknown_app_and_several_are_refused(cli: Sluice, sync: Sync) -> None:
    assert cli("history", "no-such-app").code == 7
    assert cli("history").code == 2
    assert cli("history", sync.name, "other").code == 2


def test_status_and_record_are_told_as_one() -> None:
    recorded = (Past("r3", "d", ended="3", counts=Counts(1)), Past("r1", ended=""))
    told = (Past("r3", "d", ended="3"), Past("r2", "e", "BuildFailed", "2"), Past("r1", "f", ended="1"))
    assert merged(told, recorded) == (recorded[0], told[1], told[2])


def test_what_ended_in_the_same_second_is_told_in_order() -> None:
    recorded = (Past("r3", "c", ended="1"), Past("r1", "a", ended="1"))
    told = (Past("r3", "c", ended="1"), Past("r2", "b", "BuildFailed", "1"), Past("r1", "a", ended="1"))
    assert [each.revision for each in merged(told, recorded)] == ["r3", "r2", "r1"]


def test_what_status_has_folded_away_keeps_its_place_in_the_record_also_within_one_second() -> None:
    recorded = tuple(Past(f"r{number}", "d", "ReconciliationSucceeded", "T1") for number in (3, 2, 1))
    refused = Past("r4", "", "BuildFailed", "T1")
    told = (refused, recorded[0], recorded[2])
    assert [each.revision for each in merged(told, recorded)] == ["r4", "r3", "r2", "r1"]


# --- rollback ---------------------------------------------------------------------------------------------------------


def short(revision: str) -> str:
    return f"main@{revision[-40:][:8]}"


def two_revisions(sync: Sync) -> tuple[str, str]:
    """The sync at its second revision, which changes a and adds b."""
    first = sync.status["lastAppliedRevision"]
    second = sync.push({"a.yaml": config_map("a", "2"), "b.yaml": config_map("b")}, "Bump a and add b")
    sync.wait_ready(second)
    return first, second


def test_rollback_goes_to_the_revision_before_and_says_that_git_says_otherwise(cli: Sluice, sync: Sync) -> None:
    first, second = two_revisions(sync)
    before = sync.config("a")["metadata"]["uid"]
    ran = cli("rollback", sync.name)
    assert ran.code == 0, ran.err
    assert sync.config("a")["data"]["key"] == "1"
    assert sync.config("a")["metadata"]["uid"] == before
    assert sync.live("configmaps", "b") is None, "what the earlier revision has not is pruned"
    assert f"is rolled back to {short(first)}" in ran.out
    assert f"git still says {short(second)}" in ran.err
    found = sync.get()
    assert condition(found, "Ready")["status"] == "True"
    assert sync.message == f"Rolled back to {first}; git's head is {second}"
    assert found["status"]["lastAppliedRevision"] == first, "what flux shows is what is there"
    assert [each["current"] for each in items(cli, sync)] == [True, False, False]
    shown = cli("status", sync.name)
    assert shown.code == 0
    assert f"rolled back by ada to {short(first)}; git's head is {short(second)}" in shown.out


def test_a_rollback_holds_over_turns_and_restarts_and_asks_nothing_while_it_does(
    cli: Sluice, bench: Bench, sync: Sync
) -> None:
    first, _ = two_revisions(sync)
    assert cli("rollback", sync.name).code == 0
    audit = bench.audit()
    sync.reconcile()
    ours = [w for w in audit.requests(bench.agent) if sync.name in w.path or sync.target in w.path]
    assert {w.path.rpartition("/")[2] for w in ours} <= {"status"}, ours
    bench.operator.restart()
    sync.reconcile()
    assert sync.status["lastAppliedRevision"] == first
    assert sync.config("a")["data"]["key"] == "1"


def test_drift_from_a_rolled_back_revision_is_set_right(cli: Sluice, bench: Bench, sync: Sync) -> None:
    two_revisions(sync)
    assert cli("rollback", sync.name).code == 0
    bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "by hand"}})
    sync.wait("drift corrected", lambda _: sync.config("a")["data"]["key"] == "1")


def test_the_next_commit_ends_a_rollback_for_good(cli: Sluice, sync: Sync) -> None:
    two_revisions(sync)
    assert cli("rollback", sync.name).code == 0
    third = sync.push({"a.yaml": config_map("a", "3")})
    found = sync.wait_ready(third)
    assert sync.config("a")["data"]["key"] == "3"
    assert not [name for name in found["metadata"]["annotations"] if "rollback" in name]


def test_the_command_that_is_shown_makes_git_say_the_same(cli: Sluice, sync: Sync) -> None:
    two_revisions(sync)
    ran = cli("rollback", sync.name)
    command = ran.err.rpartition("in a checkout: ")[2].strip()
    sync.repo.git("config", "push.default", "current")
    subprocess.run(["sh", "-ec", command], cwd=sync.repo.path, env=sync.repo.env, check=True, capture_output=True)
    sync.request(sync.source_path)
    sync.wait_ready(f"main@sha1:{sync.repo.head()}")
    assert sync.config("a")["data"]["key"] == "1"
    assert sync.live("configmaps", "b") is None


def test_resume_takes_a_rollback_back(cli: Sluice, sync: Sync) -> None:
    _, second = two_revisions(sync)
    assert cli("rollback", sync.name).code == 0
    assert cli("resume", "ks", sync.name).code == 0
    assert sync.config("a")["data"]["key"] == "2"
    assert sync.status["lastAppliedRevision"] == second


def test_a_rollback_that_fails_says_what_was_tried_who_asked_and_how_to_take_it_back(cli: Sluice, bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "shared.yaml": config_map("shared")})
    first = sync.status["lastAppliedRevision"]
    second = sync.push({"shared.yaml": None}, "Let go of shared")
    sync.wait_ready(second)
    bench.synced({"shared.yaml": config_map("shared", namespace=sync.target)})
    again = f"sluice resume ks {sync.name} -n {sync.namespace}"
    ran = cli("rollback", sync.name)
    assert ran.code == 3
    assert "[E315]" in ran.err
    assert ran.err.endswith(f"to take that back: {again}\n")
    assert sync.status["lastAttemptedRevision"] == first
    asked = f"asked to go back to {short(first)} by ada; git's head is {short(second)}; to take that back: {again}"
    shown = cli("status", sync.name).out
    assert f"still applied: {short(second)}, tried: {short(first)}" in shown
    assert asked in shown
    why = cli("why", sync.name).out
    assert f"is not at {short(first)} (applied: {short(second)})" in why
    assert " ".join(asked.split()) in " ".join(why.split())
    assert "Let go of shared" not in why
    assert cli("resume", "ks", sync.name).code == 0
    assert cli("status", sync.name).code == 0


def test_a_rollback_can_go_further_back_from_a_rollback(cli: Sluice, sync: Sync) -> None:
    first, second = two_revisions(sync)
    third = sync.push({"a.yaml": config_map("a", "3")})
    sync.wait_ready(third)
    assert cli("rollback", sync.name).code == 0
    assert sync.status["lastAppliedRevision"] == second
    assert cli("rollback", sync.name).code == 0
    assert sync.message == f"Rolled back to {first}; git's head is {third}"
    assert (
        cli("rollback", sync.name, "--to", second[-40:][:10], "-o", "json").json["items"][0]["rolledBack"]["by"]
        == "ada"
    )
    assert sync.status["lastAppliedRevision"] == second


def test_after_a_revision_that_failed_a_rollback_settles_the_one_that_is_there(cli: Sluice, sync: Sync) -> None:
    first = sync.status["lastAppliedRevision"]
    second = sync.push({"c.yaml": bad("c"), "a.yaml": config_map("a", "2")})
    sync.wait_failed(second)
    assert cli("rollback", sync.name).code == 0
    assert sync.message == f"Rolled back to {first}; git's head is {second}"


@pytest.mark.parametrize(
    ("to", "says"),
    [("main@sha1:" + "0" * 40, "never was at it"), ("deadbeef", "never was at it"), ("\x1b[2J", "never was at it")],
)
def test_a_revision_that_was_never_applied_is_refused_and_nothing_is_written(
    cli: Sluice, sync: Sync, bench: Bench, to: str, says: str
) -> None:
    audit = bench.audit()
    ran = cli("rollback", sync.name, "--to", to)
    assert ran.code == 3
    assert "E350" in ran.err
    assert says in ran.err
    assert "\x1b" not in ran.err
    assert not sync.writes(audit)
    assert not [name for name in sync.get()["metadata"].get("annotations", {}) if "rollback" in name]


def test_a_failed_revision_and_the_first_one_are_refused_with_the_reason(cli: Sluice, sync: Sync) -> None:
    ran = cli("rollback", sync.name)
    assert ran.code == 3
    assert "no earlier revision" in ran.err
    failed = sync.push({"c.yaml": bad("c")})
    sync.wait_failed(failed)
    ran = cli("rollback", sync.name, "--to", short(failed))
    assert ran.code == 3
    assert "never took effect" in ran.err


def test_a_request_by_hand_for_what_was_never_applied_is_refused_by_the_operator(bench: Bench, sync: Sync) -> None:
    two_revisions(sync)
    # On the branch, but this sync never was at it.
    skipped = sync.commit({"a.yaml": config_map("a", "skipped")})
    third = sync.push({"a.yaml": config_map("a", "3")})
    sync.wait_ready(third)
    audit = bench.audit()
    notes = {"sluice.dev/rollback-to": skipped, "sluice.dev/rollback-from": third, REQUESTED_AT: "by-hand"}
    bench.api.patch(sync.path, {"metadata": {"annotations": notes}})
    ready = sync.wait_condition("Ready", "False", "RollbackRefused", "never applied")
    assert "E350" in ready["message"]
    assert not sync.writes(audit)
    assert sync.config("a")["data"]["key"] == "3"


def test_a_revision_that_git_no_longer_has_in_its_history_is_refused_and_the_sync_goes_on(
    cli: Sluice, bench: Bench, sync: Sync
) -> None:
    first, _ = two_revisions(sync)
    sync.repo.git("checkout", "--quiet", "--orphan", "rewritten")
    sync.repo.git("commit", "--quiet", "-m", "Rewrite history")
    sync.repo.git("branch", "-M", "rewritten", "main")
    (sync.repo.path / "a.yaml").write_text(config_map("a", "4").replace("$NS", sync.target))
    sync.repo.git("commit", "--quiet", "-am", "Go on")
    sync.repo.push("main", force=True)
    head = f"main@sha1:{sync.repo.head()}"
    sync.request(sync.source_path)
    sync.wait_ready(head)
    audit = bench.audit()
    ran = cli("rollback", sync.name, "--to", first)
    assert ran.code == 3
    assert "E350" in ran.err
    assert "history" in ran.err
    assert not sync.writes(audit)
    sync.wait_ready(head)
    assert sync.config("a")["data"]["key"] == "4"


def test_a_suspended_app_is_not_rolled_back(cli: Sluice, sync: Sync) -> None:
    two_revisions(sync)
    assert cli("suspend", "ks", sync.name).code == 0
    ran = cli("rollback", sync.name)
    assert ran.code == 1
    assert "E705" in ran.err
    assert sync.config("a")["data"]["key"] == "2"


def test_what_depends_on_an_app_that_is_rolled_back_stays_ready(cli: Sluice, bench: Bench, sync: Sync) -> None:
    _, second = two_revisions(sync)
    other = Sync(bench, f"{sync.name}-b", sync.target, sync.repo)
    other.create(dependsOn=[{"name": sync.name}], sourceRef={"kind": "GitRepository", "name": sync.name}, path="./none")
    other.wait_failed(second, "none")
    assert cli("rollback", sync.name).code == 0
    found = other.reconcile()
    assert condition(found, "Ready")["reason"] != "DependencyNotReady"


def test_a_rollback_that_does_not_become_healthy_is_undone(cli: Sluice, sync: Sync) -> None:
    doomed = sync.push({"w.yaml": deployment("w", "nginx:unready")})
    sync.wait_ready(doomed)
    second = sync.push({"w.yaml": None, "a.yaml": config_map("a", "2")})
    sync.wait_ready(second)
    sync.edit(wait=True, timeout="2s")
    sync.wait("the edit is seen", lambda k: k["status"].get("observedGeneration") == k["metadata"]["generation"])
    ran = cli("rollback", sync.name)
    assert ran.code == 3, ran.out
    assert "was not rolled back" in ran.err
    assert sync.config("a")["data"]["key"] == "2"
    assert sync.live("apps/v1/deployments", "w") is None


def test_a_rollback_cuts_short_the_wait_for_a_revision_that_does_not_become_healthy(cli: Sluice, sync: Sync) -> None:
    first = sync.status["lastAppliedRevision"]
    sync.edit(wait=True, timeout="5m")
    sync.wait("the edit is seen", lambda k: k["status"].get("observedGeneration") == k["metadata"]["generation"])
    stuck = sync.push({"w.yaml": deployment("w", "nginx:unready"), "a.yaml": config_map("a", "2")})
    sync.wait("it waits for health", lambda _: sync.live("apps/v1/deployments", "w"))
    ran = cli("rollback", sync.name)
    assert ran.code == 0, ran.err
    assert sync.message == f"Rolled back to {first}; git's head is {stuck}"
    assert sync.config("a")["data"]["key"] == "1"
    assert sync.live("apps/v1/deployments", "w") is None


def test_a_failed_revision_that_is_left_is_said_by_every_verb_to_be_what_is_there(cli: Sluice, bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")}, onFailure="Stop", wait=True)
    first = sync.status["lastAppliedRevision"]
    second = sync.push({"a.yaml": config_map("a", "2"), "job.yaml": FAILING_JOB})
    message = sync.wait_failed(second, reason="HealthCheckFailed")
    assert sync.config("a")["data"]["key"] == "2"
    assert message.endswith(f"\nLeft: what was applied of {second} stays in the cluster")
    history = cli("history", sync.name)
    assert "*" not in history.out
    stays = f"what was applied of {short(second)} stays"
    assert stays in history.err
    assert stays in cli("sync", sync.name, "--timeout", "2m").err
    shown = cli("status", sync.name).out
    assert f"stays in the cluster; before it: {short(first)}, tried: {short(second)}" in shown
    assert "still applied" not in shown
    assert f"is only partly at {short(second)}" in cli("why", sync.name).out
    sync.wait_ready(sync.push({"job.yaml": None}))
    assert cli("history", sync.name).err.endswith("* is in the cluster now\n")
